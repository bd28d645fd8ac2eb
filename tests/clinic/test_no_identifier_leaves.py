"""What a DICOM header and its screen say of a patient stays out of files, names of files, logs and the terminal.

Allowed are the results' own headers, which belong to the patient's study, and the spool's private instances.
"""

import os
import shutil

import pydicom
import pytest
from typer.testing import CliRunner

from isthmus.cli import app
from tests.clinic import nodes
from tests.cohort.hospital_export import leaks
from tests.inference.small_models import bundle
from tests.ultrasound_dicom import ultrasound_dicom

pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <(ssl|socket):pytest.PytestUnraisableExceptionWarning"
)

BOX = ("--box", "110,80,190,160")
UID = "1.2.826.0.1.3680043.8.498.1.770077"
NAMES = {
    "latin": ("ISO_IR 100", "SENTINEL^JOSÉ"),
    "cyrillic": ("ISO_IR 144", "Тайнов^Иван"),
    "chinese": ("GB18030", "Ouyang^Sentinel=欧阳^丽华"),
    "korean": (["", "ISO 2022 IR 149"], "Hong^Sentinel=洪^吉洞=홍^길동"),
}
WORDS = [
    "SENTINEL", "JOSÉ", "Тайнов", "欧阳", "洪^吉洞", "홍^길동", "ID-990099", "19010203", "ACC-990099", "770077",
    "SECRET HOSPITAL", "SECRET^DOCTOR", "1901-02-03",
]  # fmt: skip


def sentinel_dicom(path, kind="latin", **more):
    """Write a picture of which everything that could name the patient can be found again."""
    charset, name = NAMES[kind]
    elements = {
        "PatientID": "ID-990099", "PatientBirthDate": "19010203", "AccessionNumber": "ACC-990099",
        "InstitutionName": "SECRET HOSPITAL", "ReferringPhysicianName": "SECRET^DOCTOR",
        "StudyDescription": "SENTINEL", "SeriesDescription": "SENTINEL", "ImageComments": "SENTINEL",
        "StudyInstanceUID": UID, "SeriesInstanceUID": f"{UID}.1", "SOPInstanceUID": f"{UID}.1.1",
        "StudyDate": "19010203", "ContentDate": "19010203", "AcquisitionDateTime": "19010203101010",
    }  # fmt: skip
    return ultrasound_dicom(path, patient=name, charset=charset, banner="SENTINEL 1901-02-03", **(elements | more))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return bundle(tmp_path_factory.mktemp("model") / "still", classes={"0": "benign", "1": "malignant"})


def test_predict_writes_and_prints_nothing_that_names_the_patient(tmp_path, model, caplog):
    path, out = sentinel_dicom(tmp_path / "in" / "IM1.dcm", "korean"), tmp_path / "out"
    given = ["predict", str(model), str(path), *BOX, "--out", str(out), "--explain"]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 0, done.output
    assert said(done.output + caplog.text) == []
    assert (out / "predictions.csv").exists()
    assert leaks(out, WORDS) == []


def test_results_in_dicom_name_the_patient_in_their_headers_and_nowhere_else(tmp_path, model, caplog):
    path, out = sentinel_dicom(tmp_path / "in" / "IM1.dcm", "chinese"), tmp_path / "out"
    given = ["predict", str(model), str(path), *BOX, "--out", str(out), "--dicom"]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 0, done.output
    assert said(done.output + caplog.text) == []
    results = [pydicom.dcmread(result) for result in (out / "dicom").iterdir()]
    assert {result.PatientID for result in results} == {"ID-990099"}
    names = [file.name for file in (out / "dicom").iterdir()]
    assert said(" ".join(names)) == []
    shutil.rmtree(out / "dicom")
    assert leaks(out, WORDS) == []


def test_a_file_that_is_refused_is_told_of_without_its_patient(tmp_path, model, caplog):
    whole = sentinel_dicom(tmp_path / "in" / "IM1.dcm")
    whole.write_bytes(whole.read_bytes()[:-4000])
    given = ["predict", str(model), str(tmp_path / "in"), *BOX, "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 1
    assert said(done.output + str(done.exception) + caplog.text) == []
    if (tmp_path / "out").exists():
        assert leaks(tmp_path / "out", WORDS) == []


def test_the_nodes_log_and_names_of_files_say_nothing_of_the_patient(tmp_path, caplog):
    datasets = [
        pydicom.dcmread(sentinel_dicom(tmp_path / "in" / f"{kind}.dcm", kind, SOPInstanceUID=f"{UID}.1.{number}"))
        for number, kind in enumerate(NAMES, start=1)
    ]
    settings = nodes.settings_of(tmp_path / "node")
    with nodes.running(settings) as node:
        assert nodes.send(node.port, datasets) == [0] * len(datasets)
        nodes.wait_for(lambda: node.said("seen"))
        told, below = node.words.getvalue(), names_below(tmp_path / "node")
    assert said(" ".join([told, *below, caplog.text])) == []
    # Of files, the received instances and results alone name the patient.
    for path in [file for file in (tmp_path / "node").rglob("*") if file.suffix == ".dcm"]:
        path.unlink()
    assert leaks(tmp_path / "node", WORDS) == []


def names_below(folder):
    return [name for _, folders, files in os.walk(folder) for name in [*folders, *files]]


def said(text):
    return [word for word in WORDS if word.lower() in text.lower()]
