"""The kind of machine that an engine's times belong to: no name, no address, nothing by which it could be found."""

import platform
from importlib import metadata
from pathlib import Path
from typing import Final

from isthmus.inference.engine_record import Machine
from isthmus.inference.engines import ENGINES, TORCH, threads_here

_INSTRUCTIONS: Final = ("avx2", "fma", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
"""Those that decide how fast, and how, the engines multiply."""


def machine_here() -> Machine:
    """Return the kind of this machine."""
    said = _cpuinfo()
    flags = set(said.get("flags", said.get("Features", "")).split())
    known = [name for name in _INSTRUCTIONS if name in flags] if flags else []
    processor = said.get("model name") or platform.processor() or platform.machine()
    return Machine(processor=processor, instructions=known, threads=threads_here())


def _cpuinfo() -> dict[str, str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def library_of(engine: str) -> str:
    """Return the package that runs an engine, with its version."""
    name = TORCH if engine == TORCH else ENGINES[engine].library
    return f"{name} {metadata.version(name)}"
