"""Studies that a small model assesses with a localiser that needs no training: made once, for several tests."""

import functools
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pydicom
import pytest

from isthmus.clinic.assessment import content_of, origin_of
from isthmus.clinic.device_rules import DeviceRules
from isthmus.clinic.study_answers import Answer, Model, NoAnswer, answers_of
from isthmus.clinic.study_instances import Study, read_study
from isthmus.clinic.study_results import results_of
from isthmus.imaging.frames import FrameSampling
from isthmus.inference.any_bundle import load_bundle
from tests.inference.discs import dark_localiser
from tests.inference.small_clips import frame_bundle
from tests.inference.small_models import bundle
from tests.ultrasound_dicom import ultrasound_dicom

OURS = "99ISTHMUS"
"""dciodvfy knows no private coding scheme, and says so of each."""


@functools.cache
def folder() -> Path:
    """Return a folder for what is made once a process."""
    return Path(tempfile.mkdtemp(prefix="isthmus_assessed_"))


def model_of(path: Path) -> Model:
    return Model(load_bundle(path, "cpu"), dark_localiser(), content_of(path), "Regions are proposed by dark.")


@functools.cache
def still_model() -> Model:
    """Return a model of stills that needs a region, and is marked as SIMULATED."""
    cohort = {"name": "small", "fingerprint": "0" * 64, "licence": "CC BY", "simulated": True, "reference": "surgery"}
    return model_of(bundle(folder() / "still", cohort=cohort, classes={"0": "benign", "1": "malignant"}))


@functools.cache
def clip_model() -> Model:
    """Return a model that looks at three frames of a clip one by one."""
    return model_of(frame_bundle(folder() / "clip", FrameSampling(count=3, stored=3)))


def study_of(*files: Path, rules: DeviceRules | None = None) -> Study:
    return read_study(files, rules or DeviceRules())


def assessed(
    model: Model, study: Study, change: Callable[[Answer | NoAnswer], Any] = lambda one: one, within_s: float = 300.0
) -> tuple[list[pydicom.Dataset], list[str]]:
    """Return the results of a study; ``change`` alters what the model said before it is written."""
    answers = (change(one) for one in answers_of(model, study, within_s))
    return results_of(model, study, answers, origin_of(model, "test", 0))


@functools.cache
def still_file() -> Path:
    return ultrasound_dicom(folder() / "pictures" / "still.dcm")


@functools.cache
def clip_file() -> Path:
    return ultrasound_dicom(folder() / "pictures" / "clip.dcm", frames=6, instance=2)


@functools.cache
def blind_file() -> Path:
    return ultrasound_dicom(folder() / "pictures" / "blind.dcm", instance=3, discs=())


@functools.cache
def still_results() -> Mapping[str, pydicom.Dataset]:
    """Return report, capture and region of a still, by their modality."""
    return {one.Modality: one for one in assessed(still_model(), study_of(still_file()))[0]}


@functools.cache
def clip_results() -> Mapping[str, pydicom.Dataset]:
    return {one.Modality: one for one in assessed(clip_model(), study_of(clip_file()))[0]}


def saved(dataset: pydicom.Dataset, path: Path) -> Path:
    dataset.save_as(path, enforce_file_format=True)
    return path


def complaints(path: Path) -> set[str]:
    """Return what dciodvfy, which nobody here wrote, finds wrong with a file: errors and warnings."""
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy is not installed (Debian: dicom3tools)")
    found = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, errors="replace", check=False)
    lines = (found.stdout + found.stderr).splitlines()
    return {line for line in lines if re.search("Error|Warning", line) and OURS not in line}


def tool(*words: str | Path) -> str:
    """Run a program of dcmtk and return what it prints."""
    if shutil.which(str(words[0])) is None:
        pytest.skip(f"{words[0]} is not installed (Debian: dcmtk)")
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def texts(dataset: pydicom.Dataset, of: Sequence[str] = ("TextValue",)) -> list[str]:
    return [str(element.value) for element in dataset.iterall() if element.keyword in of]


def numbers_of(report: pydicom.Dataset) -> dict[str, float]:
    """Return the measurements of a report by the code of their name, read without the library that wrote them."""
    items = [item for element in report.iterall() if element.VR == "SQ" for item in element.value]
    numbers = [item for item in items if item.get("ValueType") == "NUM"]
    return {
        one.ConceptNameCodeSequence[0].CodeValue: float(one.MeasuredValueSequence[0].NumericValue) for one in numbers
    }
