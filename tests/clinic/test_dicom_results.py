"""Results as objects of the patient's study, looked over by dciodvfy, which knows the standard and not us."""

from pathlib import Path
from typing import Any

import pydicom
import pytest

from tests.clinic.assessed import (
    assessed,
    blind_file,
    clip_file,
    clip_results,
    complaints,
    saved,
    still_file,
    still_model,
    still_results,
    study_of,
)
from tests.inference.small_models import bundle
from tests.ultrasound_dicom import ultrasound_dicom

STUDY = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyTime",
         "StudyID", "AccessionNumber", "ReferringPhysicianName")  # fmt: skip


def test_the_standards_own_checker_finds_nothing_wrong_that_is_not_wrong_in_the_source(tmp_path: Path) -> None:
    nothing, _ = assessed(still_model(), study_of(blind_file()))
    sources = complaints(still_file()) | complaints(clip_file())
    results = [*still_results().values(), *clip_results().values(), *nothing]
    assert [one.Modality for one in results] == ["SR", "US", "SEG", "SR", "US", "US"]
    for number, one in enumerate(results):
        assert complaints(saved(one, tmp_path / f"{number}.dcm")) - sources == set()


def test_a_source_that_says_less_than_it_must_gives_results_that_say_enough(tmp_path: Path) -> None:
    gone: dict[str, Any] = dict.fromkeys(
        ("BodyPartExamined", "PatientOrientation", "StudyID", "AccessionNumber", "SeriesNumber")
    )
    source = ultrasound_dicom(tmp_path / "source.dcm", charset=None, patient="A^B", banner="", **gone)
    for number, one in enumerate(assessed(still_model(), study_of(source))[0]):
        found = complaints(saved(one, tmp_path / f"{number}.dcm"))
        assert {line for line in found if "DICOMDIR" not in line} == set()  # a medium's directory needs a Study ID


@pytest.mark.parametrize("retired", ["1.2.840.10008.5.1.4.1.1.6"])
def test_a_scanner_that_writes_a_retired_class_is_referred_to_by_it(tmp_path: Path, retired: str) -> None:
    source = ultrasound_dicom(tmp_path / "source.dcm", SOPClassUID=retired)
    results, _ = assessed(still_model(), study_of(source))
    uid = pydicom.dcmread(source).SOPInstanceUID
    for one in results:
        named = [item for item in one.iterall() if item.keyword == "ReferencedSOPInstanceUID" and item.value == uid]
        classes = {item.value for item in one.iterall() if item.keyword == "ReferencedSOPClassUID"}
        assert named
        assert retired in classes


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("ISO_IR 192", "Wang^Xiaodong=王^小东"),
        ("GB18030", "Wang^Xiaodong=王^小东"),
        ("ISO_IR 100", "Müller^Jörg"),
    ],
)
def test_the_patients_name_is_the_same_in_every_character_set(tmp_path: Path, charset: str, name: str) -> None:
    source = ultrasound_dicom(tmp_path / "source.dcm", charset=charset, patient=name)
    raw = pydicom.dcmread(source)
    for number, one in enumerate(assessed(still_model(), study_of(source))[0]):
        read = pydicom.dcmread(saved(one, tmp_path / f"{number}.dcm"))
        assert read.PatientName == name
        assert read.SpecificCharacterSet == raw.SpecificCharacterSet
        assert {key: read[key].value for key in STUDY} == {key: raw[key].value for key in STUDY}


def test_a_class_that_the_studys_letters_cannot_spell_turns_the_report_to_utf8(tmp_path: Path) -> None:
    from tests.clinic.assessed import model_of

    source = ultrasound_dicom(tmp_path / "source.dcm", charset="ISO_IR 100", patient="Müller^Jörg")
    model = model_of(bundle(tmp_path / "bundle", classes={"0": "良性", "1": "恶性"}))
    report = saved(assessed(model, study_of(source))[0][0], tmp_path / "report.dcm")
    read = pydicom.dcmread(report)
    assert read.SpecificCharacterSet == "ISO_IR 192"
    assert read.PatientName == "Müller^Jörg"
    assert any("恶性" in str(element.value) for element in read.iterall() if element.VR == "UT")


def test_new_series_are_marked_as_research_and_come_after_all_others() -> None:
    for one in still_results().values():
        assert one.SeriesDescription.startswith("RESEARCH SIMULATED ")
        assert one.SeriesNumber > 99000
        assert one.Manufacturer == "Isthmus"
        assert one.SoftwareVersions[1].startswith("model ")
    assert len({one.SeriesInstanceUID for one in still_results().values()}) == 3


def test_times_are_told_in_the_zone_of_the_study(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    source = ultrasound_dicom(tmp_path / "source.dcm", TimezoneOffsetFromUTC="+0800")
    one = assessed(still_model(), study_of(source))[0][0]
    told = datetime.strptime(f"{one.ContentDate}{one.ContentTime}+0800", "%Y%m%d%H%M%S%z")
    assert abs((datetime.now(UTC) - told).total_seconds()) < 600
    assert one.TimezoneOffsetFromUTC == "+0800"


def test_what_was_lost_before_is_said_of_the_capture(tmp_path: Path) -> None:
    said: dict[str, Any] = {"LossyImageCompressionRatio": "12", "LossyImageCompressionMethod": "ISO_10918_1"}
    source = ultrasound_dicom(tmp_path / "source.dcm", LossyImageCompression="01", **said)
    capture = assessed(still_model(), study_of(source))[0][1]
    assert (capture.LossyImageCompression, capture.LossyImageCompressionRatio) == ("01", 12)
    assert still_results()["US"].LossyImageCompression == "00"


def test_each_real_ultrasound_file_gives_valid_results_or_one_clear_sentence(data_folder: Path, tmp_path: Path) -> None:
    from isthmus.imaging.preparation import Preparation
    from tests.clinic.assessed import model_of

    whole = model_of(
        bundle(
            tmp_path / "bundle",
            requires={"modalities": ["bmode", "doppler"], "region": "none"},
            prepare=Preparation(crop="scan_area", train_size=72, crop_size=64),
        )
    )
    scored = 0
    for number, path in enumerate(sorted((data_folder / "us_dicom").glob("*.dcm"))):
        results, said = assessed(whole, study_of(path))
        assert said
        scored += bool(results)
        for place, one in enumerate(results):
            file = saved(one, tmp_path / f"{number}_{place}.dcm")
            assert complaints(file) - complaints(path) == set(), path.name
            assert pydicom.dcmread(file).StudyInstanceUID == pydicom.dcmread(path, force=True).StudyInstanceUID
    assert scored == 5  # its stills; the other five are clips, at which this model does not look
