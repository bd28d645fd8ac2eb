"""The report read back by programs that nobody here wrote: highdicom's reader and dcmtk's dsrdump."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest

from isthmus.clinic.study_answers import Answer, NoAnswer
from isthmus.inference.prediction import OutOfDistribution
from isthmus.inference.prediction_set import PredictionSet, Referral
from tests.clinic.assessed import (
    assessed,
    clip_model,
    clip_results,
    saved,
    still_file,
    still_model,
    still_results,
    study_of,
    texts,
    tool,
)
from tests.inference.discs import dark_localiser
from tests.ultrasound_dicom import NODULE, SPACING_CM, ultrasound_dicom

DESCRIPTORS = {
    "composition": {"solid": 0.9, "cystic": 0.1},
    "echogenicity": {"hypoechoic": 0.8, "isoechoic": 0.2},
    "shape": {"wider_than_tall": 0.6, "taller_than_wide": 0.4},
    "margin": {"smooth": 0.7, "irregular": 0.3},
    "echogenic_foci": {"punctate": 0.7},
}


def numbers(report: pydicom.Dataset) -> dict[str, list[float]]:
    """Return every measurement by the meaning of its name."""
    found: dict[str, list[float]] = {}
    for group in highdicom.sr.srread(_file(report)).content.get_image_measurement_groups():
        for one in group.get_measurements():
            found.setdefault(one.name.meaning, []).append(float(one.value))
    for group in highdicom.sr.srread(_file(report)).content.get_planar_roi_measurement_groups():
        for one in group.get_measurements():
            found.setdefault(one.name.meaning, []).append(float(one.value))
    return found


def evaluations(report: pydicom.Dataset) -> list[tuple[str, str]]:
    groups = highdicom.sr.srread(_file(report)).content.get_planar_roi_measurement_groups()
    return [(one.name.meaning, one.value.meaning) for group in groups for one in group.get_qualitative_evaluations()]


def _file(report: pydicom.Dataset) -> Any:
    from io import BytesIO

    stream = BytesIO()
    report.save_as(stream, enforce_file_format=True)
    stream.seek(0)
    return stream


def changed(**fields: Any) -> pydicom.Dataset:
    """Return the report of a still of which the model says something else."""

    def change(answer: Answer | NoAnswer) -> Answer:
        assert isinstance(answer, Answer)
        return replace(answer, prediction=replace(answer.prediction, **fields))

    return assessed(still_model(), study_of(still_file()), change)[0][0]


def test_the_score_is_that_of_predict_on_the_same_file() -> None:
    model = still_model()
    (said,) = model.predictor.predict([still_file()], localiser=dark_localiser())
    found = numbers(still_results()["SR"])
    assert found["Model score, calibrated probability"] == [pytest.approx(said.probability, abs=1e-6)]
    assert found["Threshold of the model score"] == [0.5]
    assert found["Smallest score of the model's single networks"][0] == pytest.approx(said.member_range[0], abs=1e-6)


def test_dsrdump_reads_the_score_and_the_words(tmp_path: Path) -> None:
    report = still_results()["SR"]
    dump = tool("dsrdump", "+Pl", saved(report, tmp_path / "report.dcm"))
    value = numbers(report)["Model score, calibrated probability"][0]
    assert f'"Model score, calibrated probability")="{value:g}' in dump
    assert "Research use only, not for diagnosis" in dump
    assert "SIMULATED: the model was trained on a virtual cohort" in dump
    assert "licence of the data: CC BY" in dump
    assert "performance elsewhere is unknown until it is validated there" in dump


def test_every_answer_in_words_stands_in_the_report() -> None:
    words = " ".join(texts(still_results()["SR"]))
    for part in (
        "Model score 0.",
        "At the model's threshold 0.500",
        "Region: proposed by a localiser",
        "1 of 1 pictures",
    ):
        assert part in words
    assert "diagnosis" not in words.replace("not for diagnosis", "")
    assert "biops" not in words


def test_the_region_lies_around_the_nodule_in_the_picture_it_names() -> None:
    (group,) = highdicom.sr.srread(_file(still_results()["SR"])).content.get_planar_roi_measurement_groups()
    points = group.roi.value
    assert points[0].tolist() == points[-1].tolist()
    away = np.hypot(points[:, 0] - NODULE[0] - 0.5, points[:, 1] - NODULE[1] - 0.5)
    assert away.max() < NODULE[2] + 2
    assert away.min() > 0.7 * NODULE[2]
    named = group.roi.ContentSequence[0].ReferencedSOPSequence[0]
    assert named.ReferencedSOPInstanceUID == pydicom.dcmread(still_file()).SOPInstanceUID
    assert "ReferencedFrameNumber" not in named


def test_sizes_are_told_in_millimetres_of_the_calibrated_picture() -> None:
    found = numbers(still_results()["SR"])
    width = 10 * SPACING_CM * 2 * NODULE[2]
    assert 0.75 * width < found["Short Axis"][0] <= found["Long Axis"][0] < 1.05 * width


def test_no_size_is_told_where_pixels_are_not_square_or_their_size_is_not_said(tmp_path: Path) -> None:
    source = ultrasound_dicom(tmp_path / "a.dcm")
    dataset = pydicom.dcmread(source)
    dataset.SequenceOfUltrasoundRegions[0].PhysicalDeltaX *= 1.1
    dataset.save_as(source)
    bare = ultrasound_dicom(tmp_path / "b.dcm", regions=False)
    for path in (source, bare):
        assert "Long Axis" not in numbers(assessed(still_model(), study_of(path))[0][0])


def test_of_a_clip_the_frames_looked_at_are_named_and_the_region_is_in_one_of_them() -> None:
    (group,) = highdicom.sr.srread(_file(clip_results()["SR"])).content.get_planar_roi_measurement_groups()
    frame = group.roi.ContentSequence[0].ReferencedSOPSequence[0].ReferencedFrameNumber
    said = next(text for text in texts(clip_results()["SR"]) if "looked at" in text)
    assert str(frame) in said.partition("counted from 1: ")[2].rstrip(".").split(", ")
    assert said.startswith("Frames of series 1 image 2 that the network looked at")


def test_set_band_and_likeness_are_told_in_codes() -> None:
    report = changed(
        prediction_set=PredictionSet(("0", "1"), ("benign", "malignant"), 0.9, "nodule", 2),
        referral=Referral(True, "Refer to somebody else: the score lies within 0.4 to 0.6.", 0.4, 0.6, 0.1),
        out_of_distribution=OutOfDistribution(3.0, 97.0, True, 200, "nodule"),
    )
    found = evaluations(report)
    assert [value for name, value in found if name == "Class in the model's prediction set"] == ["benign", "malignant"]
    assert ("Model refers the case to somebody else", "Yes") in found
    assert ("Likeness to the model's training pictures", "Unlike the training pictures") in found
    assert numbers(report)["Share of training cases that are less unusual"] == [97.0]
    assert ("Where the region came from", "Proposed by a localiser, drawn by nobody") in found


def test_an_empty_set_is_told_as_such() -> None:
    empty = PredictionSet((), (), 0.9, "nodule", 2)
    found = evaluations(changed(prediction_set=empty, referral=Referral(False, "Not referred.")))
    assert ("Class in the model's prediction set", "No class: an unusual case") in found


def test_findings_points_and_level_of_the_acr_table_are_told() -> None:
    report = changed(descriptors=DESCRIPTORS)
    found = evaluations(report)
    # Tessler 2017: solid 2, hypoechoic 2, wider than tall 0, smooth 0, punctate echogenic foci 3.
    assert numbers(report)["ACR TI-RADS points of the findings seen, most"] == [7.0]
    assert ("ACR TI-RADS level that the table suggests, highest", "ACR TI-RADS TR5") in found
    assert ("ACR lexicon: composition", "solid or almost completely solid") in found


def test_the_algorithm_is_named_with_the_version_of_its_bundle() -> None:
    (group,) = highdicom.sr.srread(_file(still_results()["SR"])).content.get_planar_roi_measurement_groups()
    words = {item.name.meaning: item.value for item in group[0].ContentSequence if hasattr(item, "TextValue")}
    assert words["Algorithm Version"] == still_model().version
    assert words["Algorithm Name"] == clip_model().predictor.spec.name
