"""The answer in words: the numbers of the table, sober, and honest about what a bundle does not know."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.explain.prediction_run import PredictedFiles
from isthmus.inference.answer import NO_SET, answer_sentences, answer_words, score_digits
from isthmus.inference.answer_limits import referral_of, set_of
from isthmus.inference.load import load_bundle
from isthmus.inference.output import write_predictions
from isthmus.inference.prediction import OutOfDistribution, Prediction, Predictions, call_in_words
from isthmus.models.bundle import write_bundle
from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.registry import create
from tests.inference.small_fused import fused_spec
from tests.inference.small_models import BOX, bundle, bundle_spec, picture

ANSWER: dict[str, Any] = {
    "level": 0.9,
    "limits": {"0": 0.7, "1": 0.8},
    "groups": {"0": 40, "1": 30},
    "refer": {"low": 0.31, "high": 0.52, "share": 0.2},
    "chosen_on": "out-of-fold predictions of seed 0",
}
PAGE = Path(__file__).parents[2] / "docs" / "answers.md"
THRESHOLDS = {"rule": "youden", "value": 0.41, "chosen_on": "out-of-fold predictions of seed 0"}


def spec(**changes: Any) -> BundleSpec:
    return bundle_spec(**{"answer": ANSWER, "thresholds": THRESHOLDS, **changes})


def said(own: BundleSpec, p: float, **changes: Any) -> Prediction:
    threshold = None if own.thresholds is None else own.thresholds.value
    call = None if threshold is None else ("1" if p >= threshold else "0")
    known = {"0": 1.0 - p, "1": p}
    found = None if own.answer is None else set_of(own.answer, known, own.classes, own.unit)
    prediction = Prediction(
        sources=("a.png",), probabilities=known, probability=p, calibrated=own.calibration is not None, call=call,
        words=call_in_words(call, own.classes, own.cohort.reference), threshold=threshold, member_range=(0.48, 0.71),
        region_source="drawn", calibrated_probabilities=known, prediction_set=found,
        referral=None if own.answer is None or found is None else referral_of(own.answer, found, p, threshold),
    )  # fmt: skip
    return replace(prediction, **changes)


def test_it_reads_like_this() -> None:
    own, unlike = spec(), OutOfDistribution(2.0, 97.0, True, 64, "nodule")
    found = answer_sentences(said(own, 0.62, out_of_distribution=unlike), own)
    assert found == [
        "Model score 0.620 for TI-RADS 4a or higher (calibrated probability; single networks 0.480 to 0.710).",
        "At the model's threshold 0.410 it is called suspicious (TI-RADS 4a or higher).",
        "Set made to hold the class of 90 of 100 new patients' nodules, like those it learned from: {TI-RADS 2 or 3, "
        "TI-RADS 4a or higher}: the model does not tell them apart here.",
        "Not referred: the score lies outside 0.310 to 0.520, where the least certain 20 of 100 cases lay that its "
        "networks had not learnt from.",
        "It is unlike the training pictures: farther out than 97 % of 64 training nodules that the networks had not "
        "seen.",
        "Region: drawn or given.",
    ]
    assert answer_words(said(own, 0.5), own).count("Refer to somebody else: the score lies within 0.310 to 0.520") == 1


def test_an_older_bundle_says_that_it_carries_no_set() -> None:
    own = spec(answer=None)
    assert NO_SET == "This older model carries no prediction set and no refer band."
    assert NO_SET in answer_sentences(said(own, 0.62), own)


def test_without_calibration_or_threshold_it_says_so() -> None:
    own = spec(answer=None, calibration=None, thresholds=None)
    words = answer_words(said(own, 0.62), own)
    assert "(not calibrated; single networks" in words
    assert "No call: the model has no threshold." in words


def test_a_region_that_nobody_drew_is_said() -> None:
    own = spec()
    words = answer_words(said(own, 0.62, region_source="drawn/proposed"), own)
    assert "Region: drawn or given; proposed by a localiser, drawn by nobody." in words


def test_of_a_model_with_descriptors_the_acr_table_suggests_a_level() -> None:
    own = spec(cohort={**bundle_spec().cohort.model_dump(), "reference": "surgery"}, target="malignant")
    words = answer_words(said(own, 0.62, descriptors={"composition": {"spongiform": 0.9, "solid": 0.1}}), own)
    assert "ACR table suggests 0 points, TR1" in words


def test_a_fused_model_speaks_of_pairs_and_a_mean_of_folds() -> None:
    pairs = fused_spec(answer=ANSWER, thresholds=THRESHOLDS)
    assert "single pairs 0.480" in answer_words(said(pairs, 0.62), pairs)  # type: ignore[arg-type]
    folds = fused_spec(answer=ANSWER, thresholds=THRESHOLDS, join="mean", mode=None)
    assert "single folds 0.480" in answer_words(said(folds, 0.62), folds)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(st.floats(0.001, 0.999), st.floats(0, 1))
def test_the_words_hold_the_number_of_the_table_and_agree_with_themselves(p: float, wide: float) -> None:
    band = {"low": 0.41 - 0.41 * wide, "high": 0.41 + 0.5 * wide, "share": 0.2}
    own = spec(answer={**ANSWER, "refer": band})
    prediction = said(own, p)
    digits, words = score_digits(prediction), answer_words(prediction, own)
    assert f"Model score {p:.{digits}f} for" in words
    assert p == 0.41 or f"{p:.{digits}f}" != "0.41".ljust(digits + 2, "0")
    assert ("it is called suspicious" in words) == (p >= 0.41)
    assert ("Refer to somebody else" in words) == (band["low"] < p < band["high"])
    assert words.count("Set made to hold") == 1


def test_the_command_the_table_and_the_page_say_the_same(tmp_path: Path) -> None:
    predictor = load_bundle(bundle(tmp_path / "bundle", answer=ANSWER, thresholds=THRESHOLDS), "cpu")
    found = predictor.predict([picture(tmp_path / "a.png")], boxes=[BOX])
    (one,) = found
    assert one.prediction_set is not None
    assert one.referral is not None
    table, page = write_predictions(tmp_path, found, predictor.spec)
    row = pd.read_csv(table).iloc[0]
    content = json.loads(page.read_text(encoding="utf-8"))["predictions"][0]
    assert row["answer"] == content["answer"] == answer_words(one, predictor.spec)
    assert row["prediction_set"] == one.prediction_set.shown
    assert content["prediction_set"]["codes"] == list(one.prediction_set.codes)
    assert content["prediction_set"]["words"] in content["answer"]
    assert bool(row["refer"]) == content["referral"]["refer"] == one.referral.refer
    assert (row["refer_low"], row["refer_high"]) == (0.31, 0.52)
    assert f"{row['probability']:.{score_digits(one)}f}" in content["answer"]
    lines = " ".join(line.strip() for line in PredictedFiles(tmp_path, Predictions(found), predictor.spec).lines())
    assert content["answer"] in lines


@pytest.mark.parametrize("older", [True, False])
def test_of_several_classes_the_set_and_the_referral_are_those_of_all(tmp_path: Path, older: bool) -> None:
    names = {"BTN": "benign", "NMTN": "other", "MMTN": "medullary"}
    answer = {
        "level": 0.9, "limits": {"BTN": 0.9999, "NMTN": None, "MMTN": 0.0}, "chosen_on": "made",
        "groups": {"BTN": 20, "NMTN": 5, "MMTN": 20},
    }  # fmt: skip
    own = BundleSpec.model_validate(
        {
            **bundle_spec(thresholds=None).model_dump(mode="json"),
            "network": {"name": "resnet18", "options": {"width": 8}, "classes": 3, "channels": 1},
            "classes": names,
            "parts": [{"log_prior_shift": [0.0, 0.0, 0.0]}],
            "calibration": {"kind": "classes", "slope": 1.0, "intercepts": [0.0, 0.0, 0.0], "method": "made"},
            "answer": None if older else answer,
        }
    )
    torch.manual_seed(0)
    write_bundle(tmp_path / "bundle", own, [create("resnet18", classes=3, channels=1, width=8).state_dict()])
    predictor = load_bundle(tmp_path / "bundle", "cpu")
    (one,) = predictor.predict([picture(tmp_path / "a.png")], boxes=[BOX])
    words = answer_words(one, predictor.spec)
    assert "the most probable class; of every class: benign 0." in words
    if older:
        assert NO_SET in words
        return
    assert one.prediction_set is not None
    assert one.prediction_set.codes == ("BTN", "NMTN")
    assert "other stands in every set" in words
    assert "Refer to somebody else: its set holds 2 classes, not one." in words


def test_the_page_of_the_documentation_shows_an_answer_as_it_is_given() -> None:
    names = {"0": "unsuspicious", "1": "suspicious"}
    own = spec(classes=names, cohort={**bundle_spec().cohort.model_dump(), "reference": "surgery"})
    like = OutOfDistribution(-0.2, 41.0, False, 228, "nodule")
    block = PAGE.read_text(encoding="utf-8").split("```")[1].removeprefix("text")
    assert " ".join(block.split()) == answer_words(said(own, 0.62, out_of_distribution=like), own)
