"""OpenVINO without its telemetry.

Importing ``openvino`` imports its converter, which reports the import to its makers over the internet, unasked. Isthmus
needs the runtime alone, and nothing that it does is told to anybody: the package that sends is not let in.
"""

import sys
from types import ModuleType
from typing import Final

SENDERS: Final = ("openvino_telemetry", "openvino.tools.ovc")
"""What would send, and what would call it; neither is needed to run a graph."""


def openvino_runtime() -> ModuleType:
    """Import and return ``openvino`` with those packages kept out of this process.

    Where a program has imported OpenVINO before, that is its own doing and stays as it is.
    """
    for name in SENDERS:
        if name not in sys.modules:
            sys.modules[name] = None  # type: ignore[assignment]  # an import of it is an ImportError from now on
    import openvino

    runtime: ModuleType = openvino
    return runtime
