"""Contrasts in a fixed order, and the best of several arms by cross-validation alone."""

import pandas as pd
import pytest

from isthmus.errors import InputError
from isthmus.report.evidence import compute_evidence
from isthmus.report.named_contrasts import best_of, confirmatory, named_contrasts
from tests.report.made import made_predictions
from tests.report.made_seeds import made_seeds


def arms(**figures: float | None) -> dict[str, dict[str, dict[str, dict[str, float | None]]]]:
    """Return ``evidence["arms"]`` with cross-validated figures that the test set contradicts."""
    return {
        arm: {"cv": {"auc": {"estimate": value}}, "test": {"auc": {"estimate": 1 - (value or 0)}}}
        for arm, value in figures.items()
    }


def test_the_best_is_that_of_the_cross_validation_whatever_the_test_set_says() -> None:
    choice = best_of(arms(a=0.7, b=0.8, c=0.75), ["a", "b", "c"], oracles=["c"])
    assert choice is not None
    assert (choice.arm, choice.figures, choice.oracles) == ("b", {"a": 0.7, "b": 0.8, "c": 0.75}, ("c",))


def test_of_equals_the_first_named_is_taken_and_an_arm_without_figure_never() -> None:
    choice = best_of(arms(a=None, b=0.8, c=0.8), ["a", "c", "b"])
    assert choice is not None
    assert choice.arm == "c"
    assert best_of({"a": {"test": {"auc": {"estimate": 0.9}}}}, ["a"]) is None


def test_contrasts_are_numbered_and_a_choice_that_cannot_be_made_is_said() -> None:
    primary = {"arm": "a", "against": "b"}
    asked = [{"title": "A or the rest", "arm": "a", "against": ["b", "c"]}]
    found, notes = named_contrasts(primary, asked, arms(a=0.7, b=0.8, c=0.9))
    assert [(one.order, one.kind, one.a, one.b) for one in found] == [
        (1, "primary", "a", "b"),
        (2, "secondary", "a", "c"),
    ]
    assert notes == []
    found, notes = named_contrasts(primary, asked, {arm: {} for arm in "abc"})
    assert len(found) == 1
    assert notes == ["A or the rest: not tested, since no arm of b, c has a cross-validated figure"]
    with pytest.raises(InputError, match="no arm is called 'x'"):
        named_contrasts(primary, [{"title": "t", "arm": "x", "against": ["b"]}], arms(a=0.7, b=0.8))
    with pytest.raises(InputError, match="Next: did you mean 'bmode'"):
        named_contrasts(None, [{"title": "t", "arm": "bmod", "against": ["swe"]}], arms(bmode=0.7, swe=0.8))


def test_after_the_first_that_is_not_shown_nothing_is_confirmatory() -> None:
    assert confirmatory([0.01, 0.04, 0.2, 0.001], 0.95) == [True, True, True, False]
    assert confirmatory([None, 0.001], 0.95) == [True, False]
    assert confirmatory([0.04, 0.001], 0.99) == [True, False]


@pytest.mark.parametrize("strength", [3.0, 0.6])
def test_named_contrasts_lead_the_comparisons_outside_holm_and_gate_one_another(strength: float) -> None:
    cv = made_predictions(("a", "b", "c", "d"), seeds=(0,))
    test = made_seeds({"a": strength, "b": 0.6, "c": 0.5, "d": 0.4}, seeds=(0,))
    evidence = compute_evidence(
        pd.concat([cv, test], ignore_index=True),
        primary={"arm": "a", "against": "b"},
        reference_arm="b",
        secondary=({"title": "One of the others", "arm": "a", "against": ["c", "d"]},),
        bootstrap=10,
    )
    chosen = evidence["contrasts"][1]
    figures = {arm: evidence["arms"][arm]["cv"]["auc"]["estimate"] for arm in ("c", "d")}
    assert chosen["choice"]["figures"] == figures
    assert chosen["b"] == max(figures, key=lambda arm: figures[arm])
    auc = [one for one in evidence["comparisons"] if one["split"] == "test" and one["measure"] == "auc"]
    assert [(one["a"], one["b"], one["order"]) for one in auc[:2]] == [("a", "b", 1), ("a", chosen["b"], 2)]
    assert [one["p_holm"] is None for one in auc] == [True, True] + [False] * (len(auc) - 2)
    shown = auc[0]["p"] < 0.05
    assert shown == (strength > 1)
    assert [one["confirmatory"] for one in auc[:2]] == [True, shown]
    assert auc[0]["primary"]
    assert not auc[1]["primary"]
