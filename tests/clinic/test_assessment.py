"""A study in, results of the same study out: what the node relies on."""

from pathlib import Path

import pydicom
import pytest

from isthmus.clinic.assessment import Assessor, version_of
from isthmus.clinic.device_rules import DeviceRule, DeviceRules
from isthmus.errors import InputError
from tests.clinic.assessed import assessed, blind_file, clip_file, still_file, still_model, study_of
from tests.inference.discs import dark_localiser
from tests.inference.small_models import bundle
from tests.ultrasound_dicom import ultrasound_dicom

IDENTIFIERS = ("Wang", "Xiaodong", "H00471", "A5512", "19600203", "Li^Na", "1.2.826", "still.dcm", "blind.dcm")


@pytest.fixture(scope="module")
def assessor(tmp_path_factory: pytest.TempPathFactory) -> Assessor:
    place = tmp_path_factory.mktemp("assessor")
    (place / "localiser").mkdir()
    (place / "localiser" / "localiser.yaml").write_text("a")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("isthmus.inference.localiser.load_localiser", lambda folder, device: dark_localiser())
        return Assessor([bundle(place / "bundle")], localiser=place / "localiser", device="cpu")


def test_each_usable_picture_is_scored_and_what_is_not_is_said(assessor: Assessor) -> None:
    found = assessor([blind_file(), clip_file(), still_file()])
    assert [one.Modality for one in found.datasets] == ["SR", "US", "SEG"]
    assert found.sentences == ("1 of 2 pictures scored", "series 1 image 3: no result: region not found")


def test_the_same_study_gives_the_same_objects_in_any_order_of_its_files(assessor: Assessor) -> None:
    one, other = assessor([still_file(), blind_file()]), assessor([blind_file(), still_file(), still_file()])
    assert [ds.SOPInstanceUID for ds in one.datasets] == [ds.SOPInstanceUID for ds in other.datasets]
    assert len({ds.SOPInstanceUID for ds in one.datasets}) == len(one.datasets)
    assert len({ds.SeriesInstanceUID for ds in one.datasets}) == 3


def test_a_study_without_a_region_gets_one_page_that_says_so(assessor: Assessor) -> None:
    found = assessor([blind_file()])
    assert [one.SOPClassUID.name for one in found.datasets] == ["Secondary Capture Image Storage"]
    assert "region not found" in found.datasets[0].DerivationDescription
    assert found.sentences == ("0 of 1 pictures scored", "series 1 image 3: no result: region not found")


def test_a_study_that_the_model_has_no_eye_for_gets_nothing(assessor: Assessor) -> None:
    found = assessor([clip_file()])
    assert found.datasets == ()
    assert found.sentences == ("no result: no picture of this study is one that the model looks at (bmode)",)


def test_colours_that_the_header_does_not_explain_are_not_scored_as_grey_tissue(assessor, tmp_path: Path) -> None:
    elastogram = ultrasound_dicom(tmp_path / "swe.dcm", colour=True)
    header = pydicom.dcmread(elastogram)
    header.SequenceOfUltrasoundRegions = header.SequenceOfUltrasoundRegions[:1]
    header.ImageType = ["ORIGINAL", "PRIMARY", "THYROID", "0001"]
    header.save_as(elastogram)
    found = assessor([elastogram])
    assert not found.datasets
    assert (
        "1 of 1 instances left out: it is coloured, and its header does not say what the colours are: a device rule can"
        in found.sentences
    )
    said = study_of(elastogram, rules=DeviceRules(rules=[DeviceRule(image_type=["THYROID"], modality="swe")]))
    assert [one.modality for one in said.instances] == ["swe"]


def test_no_sentence_names_anybody_or_any_file(assessor: Assessor, tmp_path: Path) -> None:
    broken = tmp_path / "WANG_XIAODONG.dcm"
    broken.write_bytes(still_file().read_bytes()[:2000])
    other = ultrasound_dicom(tmp_path / "other.dcm", PatientID="H00472", instance=9)
    for files in ([still_file(), blind_file(), broken], [broken], [still_file(), other]):
        words = " ".join(assessor(files).sentences)
        assert words
        assert not [name for name in (*IDENTIFIERS, "WANG", "H00472") if name in words]


def test_files_of_two_patients_or_two_studies_give_no_result(assessor: Assessor, tmp_path: Path) -> None:
    other = ultrasound_dicom(tmp_path / "a.dcm", PatientID="H00472", instance=9)
    later = ultrasound_dicom(tmp_path / "b.dcm", study=2)
    assert assessor([still_file(), other]).sentences == ("no result: the instances are of several patients",)
    assert assessor([still_file(), later]).sentences == ("no result: the instances are of several studies",)


def test_results_that_come_back_with_their_study_are_not_looked_at(assessor: Assessor, tmp_path: Path) -> None:
    first = assessor([still_file()])
    paths = [still_file()]
    for number, dataset in enumerate(first.datasets):
        paths.append(tmp_path / f"{number}.dcm")
        dataset.save_as(paths[-1], enforce_file_format=True)
    again = assessor(paths)
    assert [one.SOPInstanceUID for one in again.datasets] == [one.SOPInstanceUID for one in first.datasets]


def test_the_version_changes_with_the_bundle_the_localiser_and_the_rules(tmp_path: Path) -> None:
    folder, other, localiser = bundle(tmp_path / "a"), tmp_path / "b", tmp_path / "l"
    bundle(other, calibration={"intercept": 0.31, "slope": 1.2})
    localiser.mkdir()
    (localiser / "x").write_text("1")
    rules, known = DeviceRules(), {version_of([folder], localiser, DeviceRules())}
    assert version_of([folder], localiser, rules) in known
    known.add(version_of([other], localiser, rules))
    known.add(version_of([folder, other], localiser, rules))
    known.add(version_of([folder], None, rules))
    known.add(version_of([folder], localiser, DeviceRules(rules=[DeviceRule(modality="leave_out")])))
    (localiser / "x").write_text("2")
    known.add(version_of([folder], localiser, rules))
    assert len(known) == 6


def test_a_model_that_needs_regions_is_refused_without_a_localiser(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="scores no picture without a region"):
        Assessor([bundle(tmp_path / "bundle")], device="cpu")


def test_another_version_gives_objects_of_other_identifiers() -> None:
    from isthmus.clinic.assessment import origin_of
    from isthmus.clinic.study_answers import answers_of
    from isthmus.clinic.study_results import results_of

    model, study = still_model(), study_of(still_file())
    first, _ = assessed(model, study)
    second, _ = results_of(model, study, answers_of(model, study, 300.0), origin_of(model, "another", 0))
    assert not {one.SOPInstanceUID for one in first} & {one.SOPInstanceUID for one in second}
