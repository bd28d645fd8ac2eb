import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.report.analysis_table import analysis_table
from isthmus.report.context import ReportContext
from isthmus.report.curves import calibration_curve, roc_summary
from isthmus.report.evidence import compute_evidence
from isthmus.report.misclassified import misclassified, misclassified_rows
from isthmus.report.reading import count, interval, number
from isthmus.statistics.roc import auc
from tests.report.made import made_predictions


def test_the_mean_curve_has_the_cross_validated_auc_under_it() -> None:
    rows = analysis_table(made_predictions(("new",))).part("new", "cv")
    curve = roc_summary(rows, resamples=20)
    assert len(curve.folds) == 6
    area = np.trapezoid(curve.mean, curve.false_positive_rate)
    mean = np.mean([auc(part["truth"], part["score"]) for _, part in rows.groupby(["seed", "fold"])])
    # The grid of 101 points rounds each step of a fold by at most half a step.
    assert area == pytest.approx(mean, abs=0.02)
    assert (curve.low <= curve.mean).all()
    assert (curve.mean <= curve.high).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_a_curve_never_falls_and_does_not_see_monotone_changes_of_the_score(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = np.arange(30) % 2 == 0
    rows = pd.DataFrame(
        {"seed": 0, "fold": 0, "group_id": [f"{i}" for i in range(30)], "truth": truth, "score": random.normal(size=30)}
    )
    curve = roc_summary(rows, resamples=5)
    assert (np.diff(curve.mean) >= -1e-12).all()
    assert np.allclose(curve.mean, roc_summary(rows.assign(score=np.exp(rows["score"])), resamples=5).mean)


def test_calibration_bins_hold_every_case_once() -> None:
    rows = analysis_table(made_predictions(("new",), seeds=(0,))).part("new", "cv")
    curve = calibration_curve(rows)
    assert curve.histogram_positive.sum() == 72
    assert curve.histogram_negative.sum() == 48
    assert ((curve.low <= curve.observed) & (curve.observed <= curve.high)).all()


def test_wrong_calls_come_most_confident_first_and_one_a_unit() -> None:
    table = analysis_table(made_predictions(("new",)))
    wrong = misclassified(table, "cv")
    assert wrong["confidence"].is_monotonic_decreasing
    assert wrong["unit_id"].is_unique
    assert (wrong["label"] != wrong["call"]).all()
    # A unit that both seeds call wrong counts; one that a single seed calls wrong does not.
    both = table.rows.groupby("unit_id").apply(lambda unit: (unit["label"] != unit["call"]).all())
    assert set(wrong["unit_id"]) == set(both.index[both])


def test_confidence_is_measured_from_the_frozen_threshold_in_log_odds() -> None:
    frame = made_predictions(("new",), seeds=(0,), folds=1, split="test")
    frozen = {"arms": {"new": {"threshold": 0.2, "rule": "youden"}}}
    wrong = misclassified(analysis_table(frame, frozen=frozen), "test")
    expected = np.log(wrong["value"] / (1 - wrong["value"])) - np.log(0.2 / 0.8)
    assert np.allclose(wrong["confidence"], np.where(wrong["label"] == "1", -expected, expected))
    assert (wrong["confidence"] >= 0).all()
    # From 0.5 a negative called positive at 0.3 would have counted as nearly right.
    assert (wrong.loc[wrong["label"] == "0", "value"] < 0.5).any()


def test_bare_scores_are_measured_in_ranks_from_the_threshold() -> None:
    frame = made_predictions(("new",), seeds=(0,), folds=1, split="test")
    frame = frame.assign(score=frame["p_1"] * 40).drop(columns=["p_0", "p_1"])
    frozen = {"arms": {"new": {"threshold": 8.0}}}
    wrong = misclassified(analysis_table(frame, positive="1", frozen=frozen), "test")
    assert (wrong["confidence"] > -1e-9).all()
    assert (wrong["confidence"] > 0.1).any()


def test_numbers_are_printed_as_journals_do() -> None:
    assert number(-0.001) == "0.00"
    assert interval({"estimate": 0.5, "low": None, "high": None}) == "0.50"
    assert interval({"difference": -0.04, "low": -0.07, "high": -0.01}) == "−0.04 (−0.07 to −0.01)"
    assert count(1234567) == "1\u202f234\u202f567"


def test_the_threshold_stands_beside_a_wrong_call_with_as_many_digits_as_tell_them_apart() -> None:
    """Called benign ... 0.62 beside called malignant ... 0.64 is a riddle without the two thresholds."""
    frame = made_predictions(("new",), units=40, seeds=(0,), folds=1, split="test")
    frame["p_1"] = np.where(frame.index == 0, 0.6241, 0.9 * (frame["label"] == "1") + 0.05)
    frame["label"] = np.where(frame.index == 0, "1", frame["label"])
    frozen = {"arms": {"new": {"threshold": 0.6243, "rule": "youden"}}}
    evidence = compute_evidence(frame.assign(p_0=1 - frame["p_1"], call=""), frozen=frozen, bootstrap=10)
    context = ReportContext("t", evidence, predictions=frame.assign(p_0=1 - frame["p_1"], call=""), frozen=frozen)
    rows, _ = misclassified_rows(context)
    assert [(row["value"], row["threshold"]) for row in rows] == [("0.6241", "0.6243")]
