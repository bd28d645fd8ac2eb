"""The record that every command leaves: what ran, on what, from what, and what came out of it.

No host, user or absolute path is written. Times and memory go to ``timing.json``, so that ``manifest.json``
is the same when the same work is done again.
"""

import os
import platform
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from isthmus.files import sha256_of_file, write_json

DISCLAIMER = "Research use only; not a medical device."
_PACKAGES = (
    "numpy", "scipy", "pandas", "pydicom", "opencv-python-headless", "pillow",
    "torch", "lightning", "monai", "scikit-learn", "xgboost-cpu", "xgboost", "lightgbm",
    "matplotlib",
)  # fmt: skip


def version() -> str:
    """Return the version of the installed package, or ``0+unknown`` outside an installation."""
    try:
        return metadata.version("isthmus")
    except metadata.PackageNotFoundError:
        return "0+unknown"


def package_versions(names: Iterable[str] = _PACKAGES) -> dict[str, str]:
    """Return the versions of those packages that are installed, without importing them."""
    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def commit() -> str | None:
    """Return the Git commit of a source checkout, read from its files, or None."""
    for folder in Path(__file__).resolve().parents:
        head = folder / ".git" / "HEAD"
        if head.is_file():
            text = head.read_text(encoding="utf-8").strip()
            if not text.startswith("ref: "):
                return text
            reference = folder / ".git" / text.removeprefix("ref: ")
            return reference.read_text(encoding="utf-8").strip() if reference.is_file() else None
    return None


@dataclass
class Manifest:
    """Collects what a command did, and writes ``manifest.json`` and ``timing.json``.

    Parameters
    ----------
    command : str
        The command as its user knows it, e.g. ``run wang2025``; no paths.
    facts : dict
        Anything the command records: device, threads, precision, determinism, seeds, fingerprints, weights,
        licences, excluded files.

    Examples
    --------
    >>> record = Manifest("evaluate")
    >>> record.facts["arms"] = ["a", "b"]
    >>> with record.stage("statistics"):
    ...     pass
    >>> sorted(record.seconds)
    ['statistics']
    """

    command: str
    facts: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def stage(self, name: str) -> "_Stage":
        """Return a context manager that adds the block's wall time to ``seconds[name]``."""
        return _Stage(self, name)

    def write(self, folder: Path, outputs: Iterable[Path] = ()) -> None:
        """Write ``manifest.json``, with the hashes of ``outputs`` named relative to ``folder``, and ``timing.json``."""
        write_json(
            folder / "manifest.json",
            {
                "format": "isthmus-manifest/1.0",
                "notice": DISCLAIMER,
                "command": self.command,
                "isthmus": version(),
                "commit": commit(),
                "python": platform.python_version(),
                "system": f"{platform.system()} {platform.machine()}",
                "packages": package_versions(),
                **self.facts,
                "outputs": {path.relative_to(folder).as_posix(): sha256_of_file(path) for path in sorted(outputs)},
            },
        )
        write_json(
            folder / "timing.json",
            {
                "format": "isthmus-timing/1.0",
                "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
                "processors": os.cpu_count(),
                "peak_memory_mib": _peak_memory_mib(),
            },
        )


def _peak_memory_mib() -> float | None:
    if sys.platform == "win32":
        return None  # Windows has no resource module
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024**2 if sys.platform == "darwin" else 1024), 1)


class _Stage:
    def __init__(self, manifest: Manifest, name: str) -> None:
        self._manifest, self._name = manifest, name

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        seconds: Mapping[str, float] = self._manifest.seconds
        self._manifest.seconds[self._name] = seconds.get(self._name, 0.0) + time.perf_counter() - self._start
