"""What this machine can do, in one line a subject, and what to install for the rest."""

import importlib.util
import os
import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from isthmus.errors import InputError
from isthmus.models.fused_classifier import load_lightgbm, load_xgboost


@dataclass(frozen=True)
class Finding:
    """One subject of the examination."""

    subject: str
    state: Literal["ok", "absent", "problem"]
    sentence: str

    def to_json(self) -> dict[str, str]:
        """Return the finding as plain values."""
        return asdict(self)


_TRAINING = ("torch", "lightning", "monai", "sklearn", "safetensors", "tensorboard", "skops", "lightgbm", "xgboost")
_DECODERS = {
    "gdcm": "JPEG lossless and JPEG-LS DICOM",
    "openjpeg": "JPEG 2000 DICOM",
    "rle": "RLE DICOM, fast",
    "jpeg_ls": "JPEG-LS DICOM",
}


def examine() -> list[Finding]:
    """Examine this machine.

    Returns
    -------
    list of Finding
        ``problem`` marks what stops the base commands; ``absent`` what only some commands need.

    Examples
    --------
    >>> [finding.subject for finding in examine()][:2]
    ['Python', 'Isthmus']
    """
    return [
        Finding("Python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        Finding("Isthmus", "ok", _isthmus()),
        _training(),
        *_boosters(),
        _torchvision(),
        *_devices(),
        *_decoders(),
        _weights(),
        _disk(),
        _program("chromium", "renders the report to a picture in the tests"),
        _program("Rscript", "cross-checks the statistics against pROC in the tests"),
    ]


def _isthmus() -> str:
    return f"version {metadata.version('isthmus')}; research use only, not a medical device"


def _training() -> Finding:
    missing = [name for name in _TRAINING if importlib.util.find_spec(name) is None]
    if missing:
        sentence = f"missing {', '.join(missing)}: `evaluate` and `cohort` work; for `run` and `predict` "
        return Finding("Training", "absent", sentence + "pip install 'isthmus[train]'")
    return Finding("Training", "ok", f"torch {metadata.version('torch')}, lightning {metadata.version('lightning')}")


def _boosters() -> list[Finding]:
    """Load the two libraries that need the system's OpenMP library, which small systems lack."""
    found = []
    for name, load in (("XGBoost", load_xgboost), ("LightGBM", load_lightgbm)):
        try:
            found.append(Finding(name, "ok", f"version {load().__version__}, one of the classifiers of fused arms"))
        except ModuleNotFoundError:
            continue  # said above
        except InputError as error:
            found.append(Finding(name, "absent", f"{error}; fused arms can end in other classifiers"))
    return found


def _torchvision() -> Finding:
    if importlib.util.find_spec("torchvision") is None:
        return Finding("torchvision", "ok", "not installed, and not needed")
    return Finding(
        "torchvision", "ok", "installed; Isthmus does not use it, and a build that does not fit torch breaks lightning"
    )


def _devices() -> list[Finding]:
    if importlib.util.find_spec("torch") is None:
        return []
    import torch

    capability = torch.backends.cpu.get_cpu_capability()
    found = [
        Finding("Processor", "ok", f"{os.cpu_count()} cores, {capability}, {torch.get_num_threads()} threads used")
    ]
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        found.append(Finding("GPU", "ok", ", ".join(names)))
    elif torch.backends.mps.is_available():
        found.append(Finding("GPU", "ok", "Apple Metal"))
    else:
        found.append(Finding("GPU", "absent", "none seen: profile `small` is made for such a machine"))
    return found


def _decoders() -> list[Finding]:
    findings = []
    for module, purpose in _DECODERS.items():
        present = importlib.util.find_spec(module) is not None
        state: Literal["ok", "absent"] = "ok" if present else "absent"
        findings.append(Finding(f"Decoder {module}", state, purpose))
    return findings


def _weights() -> Finding:
    from isthmus.models.weights import list_weights

    present = [entry.name for entry in list_weights() if entry.present]
    if present:
        return Finding("Initial weights", "ok", ", ".join(present))
    return Finding("Initial weights", "absent", "none in the cache; see `isthmus weights list`")


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    state: Literal["ok", "problem"] = "ok" if free > 1 else "problem"
    return Finding("Disk", state, f"{free:.1f} GiB free here")


def _program(name: str, purpose: str) -> Finding:
    if shutil.which(name):
        return Finding(name, "ok", purpose)
    return Finding(
        name, "absent", f"{purpose}; only developers need it" + (" (apt)" if sys.platform == "linux" else "")
    )
