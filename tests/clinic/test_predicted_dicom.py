"""`isthmus predict --dicom`: the objects of a node as files."""

from pathlib import Path

import pydicom
from typer.testing import CliRunner

from isthmus import cli
from isthmus.errors import InputError
from tests.clinic.assessed import numbers_of, still_file
from tests.inference.small_models import bundle, picture


def test_predict_writes_the_objects_beside_its_scores(tmp_path: Path) -> None:
    import json

    model, out = bundle(tmp_path / "bundle"), tmp_path / "out"
    typed = [
        "predict",
        str(model),
        str(still_file()),
        "--box",
        "116,86,184,154",
        "--out",
        str(out),
        "--dicom",
        "--json",
    ]
    found = CliRunner().invoke(cli.app, typed)
    assert found.exit_code == 0, found.output
    said = json.loads(found.output)
    names = ["dicom/001_report.dcm", "dicom/002_capture.dcm", "dicom/003_segmentation.dcm"]
    assert said["dicom"] == names
    report = pydicom.dcmread(out / names[0])
    assert report.StudyInstanceUID == pydicom.dcmread(still_file()).StudyInstanceUID
    score = json.loads((out / "predictions.json").read_text())["predictions"][0]["probability"]
    assert abs(numbers_of(report)["SCORE"] - score) < 1e-6


def test_a_picture_that_is_no_dicom_has_no_study_to_go_to(tmp_path: Path) -> None:
    model = bundle(tmp_path / "bundle")
    typed = ["predict", str(model), str(picture(tmp_path / "a.png")), "--box", "40,30,100,80", "--out"]
    found = CliRunner().invoke(cli.app, [*typed, str(tmp_path / "out"), "--dicom"])
    assert isinstance(found.exception, InputError)
    assert "no result in DICOM" in str(found.exception)
    assert not (tmp_path / "out").exists(), "it was scored before it was refused"
