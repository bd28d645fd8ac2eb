"""Looks of a case joined by the rules of the run: nodule first, then patient."""

from collections.abc import Sequence

import numpy as np
import pytest

from isthmus.inference.case_rules import join_case, look_weights, taken_as_one
from tests.inference.small_models import bundle_spec

# A nodule of three views and one of a single view, as the run and its calibrator see them: 0.1 and 0.9.
LAST = np.array([0.1, 0.1, 0.1, 0.9])
SCORES = np.stack([1 - LAST, LAST], axis=1)
NODULES = ["b", "b", "b", "a"]


@pytest.mark.parametrize(
    ("nodule", "patient", "unit", "weights"),
    [
        ("mean", "mean", "patient", [1 / 6, 1 / 6, 1 / 6, 1 / 2]),
        ("mean", "maximum", "patient", [0, 0, 0, 1]),
        ("maximum", "mean", "patient", [1 / 2, 0, 0, 1 / 2]),
        ("maximum", "maximum", "patient", [0, 0, 0, 1]),
        ("mean", "maximum", "nodule", [1 / 3, 1 / 3, 1 / 3]),
        ("maximum", "mean", "nodule", [1, 0, 0]),
    ],
)
def test_views_count_by_nodule_and_nodules_by_patient(
    nodule: str, patient: str, unit: str, weights: Sequence[float]
) -> None:
    spec = bundle_spec(aggregation={"nodule": nodule, "patient": patient}, unit=unit)
    found = look_weights(SCORES[: len(weights)], NODULES[: len(weights)], spec)
    np.testing.assert_allclose(found, weights, atol=1e-15)


@pytest.mark.parametrize(("rule", "answer", "decides"), [("mean", 0.5, ""), ("maximum", 0.9, "a")])
def test_a_patients_answer_is_that_of_the_rule_and_says_so(rule: str, answer: float, decides: str) -> None:
    # The mean over all four pictures, 0.3, is neither.
    joined = join_case(SCORES, NODULES, list("wxyz"), bundle_spec(aggregation={"patient": rule}, unit="patient"))
    assert joined.of(LAST) == pytest.approx(answer)
    assert joined.nodule == decides
    said = {
        "mean": "the score is the mean of the nodules b, a",
        "maximum": "the score is that of the nodule that scores highest, a",
    }
    assert joined.notes == (said[rule],)


def test_the_view_that_decides_is_named_for_each_nodule_that_counts() -> None:
    last = np.array([0.2, 0.6, 0.5, 0.4])
    scores, nodules = np.stack([1 - last, last], axis=1), ["n", "n", "m", "m"]
    spec = bundle_spec(aggregation={"nodule": "maximum", "patient": "mean"}, unit="patient")
    assert join_case(scores, nodules, list("wxyz"), spec).notes == (
        "the score is the mean of the nodules n, m",
        "the score of nodule n is that of the view that scores highest, x",
        "the score of nodule m is that of the view that scores highest, y",
    )


def test_a_look_without_a_score_counts_for_nothing_as_it_has_no_row_in_a_run() -> None:
    scores = SCORES.copy()
    scores[3] = np.nan
    spec = bundle_spec(aggregation={"patient": "mean"}, unit="patient")
    joined = join_case(scores, NODULES, list("wxyz"), spec)
    assert joined.weights.tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])
    assert joined.notes == ()
    assert joined.of(scores)[1] == pytest.approx(0.1)


def test_a_patients_pictures_without_a_nodule_are_said_to_be_taken_as_of_one() -> None:
    patient, nodule = bundle_spec(unit="patient"), bundle_spec()
    (note,) = taken_as_one(patient, ["", ""], 2)
    assert note.startswith("the 2 pictures were taken as of one nodule")
    assert taken_as_one(patient, [""], 1) == taken_as_one(patient, ["a", "a"], 2) == ()
    assert taken_as_one(nodule, ["", ""], 2) == ()
