"""Isthmus turns thyroid ultrasound into evidence. Research use only; not a medical device.

The public face, each name imported when it is first used:

``load_cohort(folder)``, ``run(protocol, cohort, out)``, ``open_run(folder)``, ``evaluate(table)``,
``load_bundle(folder).predict(paths)``, of a fused model ``.predict(cases)``.
"""

from importlib import import_module
from typing import Any

_FACE = {
    "load_cohort": "isthmus.cohort.cohort",
    "run": "isthmus.protocol.run",
    "open_run": "isthmus.protocol.run_folder",
    "evaluate": "isthmus.report.evaluate",
    "load_bundle": "isthmus.inference.any_bundle",
}
__all__ = ["evaluate", "load_bundle", "load_cohort", "open_run", "run"]


def __getattr__(name: str) -> Any:
    if name in _FACE:
        return getattr(import_module(_FACE[name]), name)
    raise AttributeError(f"module 'isthmus' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
