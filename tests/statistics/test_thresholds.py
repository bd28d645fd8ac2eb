"""Thresholds: by hand, against every possible cut, and at the edges of floating point."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.statistics.thresholds import (
    calls_at,
    choose_threshold,
    cost_threshold,
    fixed_sensitivity_threshold,
    fixed_specificity_threshold,
    least_cost_threshold,
    prevalence_threshold,
    sensitivity_specificity_at,
    youden_threshold,
)
from tests.statistics.cases import labels, scores_a

few_cases = st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=0, max_size=25).map(
    lambda rows: (np.array([True, False] + [r[0] for r in rows]), np.array([3.0, 4.0] + [r[1] / 8 for r in rows]))
)


def test_by_hand() -> None:
    y, s = [0, 0, 1, 0, 1], [0.1, 0.2, 0.4, 0.6, 0.8]
    # J: 2/3 at cuts 0.3 (2/2 and 2/3), 1/2 at 0.7 (1/2 and 3/3)
    assert youden_threshold(y, s) == pytest.approx(0.3)
    assert fixed_sensitivity_threshold(y, s, 0.5) == pytest.approx(0.7)
    assert fixed_specificity_threshold(y, s, 0.9) == pytest.approx(0.7)
    assert prevalence_threshold(y) == 0.4


def test_youden_equals_proc() -> None:
    # pROC 1.18: coords(roc(y, s, direction = "<"), "best", best.method = "youden")
    sensitivity, specificity = sensitivity_specificity_at(labels, scores_a, youden_threshold(labels, scores_a))
    # gives two cuts of one J: 0.367821782178 (0.979166666667, 0.402777777778) and 0.862871287129; the lower is ours.
    assert (sensitivity, specificity) == pytest.approx((0.979166666667, 0.402777777778))
    assert youden_threshold(labels, scores_a) == pytest.approx(0.367821782178)


@given(few_cases)
def test_no_other_cut_is_better(cases: tuple[np.ndarray, np.ndarray]) -> None:
    y, s = cases
    cuts = np.append(np.unique(s), np.inf)
    rates = [((s >= c)[y].mean(), (s < c)[~y].mean()) for c in cuts]
    chosen = sensitivity_specificity_at(y, s, youden_threshold(y, s))
    best = max(sum(r) for r in rates)
    assert sum(chosen) == pytest.approx(best)
    assert chosen[0] == pytest.approx(max(r[0] for r in rates if sum(r) > best - 1e-12))
    for target in (0.0, 0.5, 0.9, 1.0):
        at = sensitivity_specificity_at(y, s, fixed_sensitivity_threshold(y, s, target))
        assert at[0] >= target - 1e-9
        assert at[1] == pytest.approx(max(r[1] for r in rates if r[0] >= target - 1e-9))
        at = sensitivity_specificity_at(y, s, fixed_specificity_threshold(y, s, target))
        assert at[1] >= target - 1e-9
        assert at[0] == pytest.approx(max(r[0] for r in rates if r[1] >= target - 1e-9))


@given(few_cases)
def test_rounding_of_the_scores_changes_no_call(cases: tuple[np.ndarray, np.ndarray]) -> None:
    y, s = cases
    threshold = youden_threshold(y, s)
    jittered = s * (1 + 1e-6 * np.where(np.arange(len(s)) % 2, 1, -1)) + 1e-9
    everybody = calls_at(s, threshold).all()
    assert everybody or (calls_at(s, threshold) == calls_at(jittered, threshold)).all()


def test_neighbouring_floats_are_still_parted() -> None:
    low = 0.5
    high = np.nextafter(low, 1)
    assert calls_at([low, high], youden_threshold([0, 1], [low, high])).tolist() == [False, True]


def test_a_specificity_of_one_may_call_nobody_and_stays_finite() -> None:
    threshold = fixed_specificity_threshold([1, 0], [0.2, 0.8], 1.0)
    assert np.isfinite(threshold)
    assert not calls_at([0.2, 0.8], threshold).any()


def test_rules_by_name() -> None:
    assert choose_threshold("youden", labels, scores_a) == youden_threshold(labels, scores_a)
    assert choose_threshold("prevalence", labels, scores_a) == pytest.approx(0.4)
    assert choose_threshold("fixed_sensitivity", labels, scores_a, 0.9) == fixed_sensitivity_threshold(
        labels, scores_a, 0.9
    )
    with pytest.raises(ValueError, match="needs a target"):
        choose_threshold("fixed_specificity", labels, scores_a)
    with pytest.raises(ValueError, match="no threshold rule 'best'; there are youden"):
        choose_threshold("best", labels, scores_a)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="between 0 and 1"):
        fixed_sensitivity_threshold(labels, scores_a, 90)


def test_a_cost_ratio_is_a_probability() -> None:
    assert cost_threshold(1) == 0.5
    assert cost_threshold(19) == pytest.approx(0.05)
    for ratio in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="a positive number such as 10"):
            cost_threshold(ratio)


@given(few_cases, st.floats(0.05, 50), st.floats(0.01, 0.99))
def test_no_other_cut_costs_less(cases: tuple[np.ndarray, np.ndarray], ratio: float, prevalence: float) -> None:
    y, s = cases

    def cost(sensitivity: float, specificity: float) -> float:
        return ratio * prevalence * (1 - sensitivity) + (1 - prevalence) * (1 - specificity)

    at = sensitivity_specificity_at(y, s, least_cost_threshold(y, s, ratio, prevalence))
    cuts = np.append(np.unique(s), np.inf)
    least = min(cost((s >= c)[y].mean(), (s < c)[~y].mean()) for c in cuts)
    assert cost(*at) == pytest.approx(least, rel=1e-6)


@pytest.mark.parametrize(
    ("ratio", "prevalence", "sensitivity", "specificity"),
    # pROC 1.18: coords(roc(y, s, direction = "<"), "best", best.method = "youden", best.weights = c(ratio, prevalence))
    [
        (10, 0.1, 0.979166666667, 0.402777777778),
        (1, 0.3, 0.333333333333, 1.0),
        (3, 0.05, 0.333333333333, 1.0),
        (30, 0.2, 1.0, 0.333333333333),
    ],
)
def test_the_least_cost_equals_proc(ratio: float, prevalence: float, sensitivity: float, specificity: float) -> None:
    chosen = least_cost_threshold(labels, scores_a, ratio, prevalence)
    assert sensitivity_specificity_at(labels, scores_a, chosen) == pytest.approx((sensitivity, specificity))
