"""Models of several modalities on a study: one case of it, with what was chosen and what was left out."""

from pathlib import Path

import pytest

from isthmus.clinic.device_rules import DeviceRule, DeviceRules
from isthmus.inference.fused_case import Case, View
from isthmus.inference.fused_predictor import FusedPredictor
from tests.clinic.assessed import assessed, complaints, model_of, numbers_of, saved, study_of, texts
from tests.inference.discs import dark_localiser
from tests.inference.small_fused import fused_bundle
from tests.inference.test_joined_cases import write_joined
from tests.ultrasound_dicom import ultrasound_dicom

RULES = DeviceRules(
    rules=[
        DeviceRule(series_description="ceus", modality="ceus"),
        DeviceRule(series_description="^swe$", modality="swe"),
    ]
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("study")
    return {
        "early": ultrasound_dicom(place / "early.dcm", seed=5),
        "bmode": ultrasound_dicom(place / "bmode.dcm", instance=2),
        "ceus": ultrasound_dicom(place / "ceus.dcm", frames=6, instance=3, SeriesDescription="CEUS loop"),
        "swe": ultrasound_dicom(place / "swe.dcm", colour=True, instance=4, SeriesDescription="SWE"),
    }


def test_a_fused_model_answers_once_of_the_pictures_that_lie_together_in_time(
    files: dict[str, Path], tmp_path: Path
) -> None:
    model = model_of(fused_bundle(tmp_path / "bundle"))
    assert isinstance(model.predictor, FusedPredictor)
    results, said = assessed(model, study_of(*files.values(), rules=RULES))
    assert said == ["2 of 2 pictures scored"]
    assert [one.Modality for one in results] == ["SR", "US", "SEG", "US"]
    case = Case({"bmode": [View(files["bmode"])], "ceus": [View(files["ceus"])]})
    (expected,) = model.predictor.predict([case], localiser=dark_localiser())
    assert numbers_of(results[0])["SCORE"] == pytest.approx(expected.probability, abs=1e-6)
    words = " ".join(texts(results[0]))
    assert "whether they show one nodule a study does not say" in words
    assert "bmode.dcm" not in words
    groups = [element for element in results[0].iterall() if element.value == "Tracking Identifier"]
    assert len(groups) == 2  # the score, and the region in the B-mode picture
    for number, one in enumerate(results):
        assert complaints(saved(one, tmp_path / f"{number}.dcm")) == set()


def test_a_modality_in_which_no_region_can_be_proposed_is_left_out_and_said(
    files: dict[str, Path], tmp_path: Path
) -> None:
    model = model_of(write_joined(tmp_path / "bundle"))
    results, said = assessed(model, study_of(files["bmode"], files["swe"], rules=RULES))
    assert said == ["1 of 1 pictures scored"]
    words = texts(results[0])
    assert "swe is left out: regions are proposed in B-mode only, and nobody drew one" in words
    assert "swe is absent: the model answers without it" in words


def test_pictures_that_time_does_not_tell_apart_are_not_scored_and_a_page_says_why(
    files: dict[str, Path], tmp_path: Path
) -> None:
    model = model_of(fused_bundle(tmp_path / "bundle"))
    twin = ultrasound_dicom(tmp_path / "twin.dcm", seed=9, instance=62)  # of the same second
    results, said = assessed(model, study_of(files["bmode"], twin, files["ceus"], rules=RULES))
    assert [one.Modality for one in results] == ["US"]
    assert said[0] == "0 of 3 pictures scored"
    assert "which was taken last is not said" in said[1]
