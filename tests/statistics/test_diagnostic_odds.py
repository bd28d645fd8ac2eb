"""The diagnostic odds ratio and Youden's J: against R's glm, Newcombe's interval, and degenerate tables."""

from math import inf, isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.statistics.confusion import binary_measures
from isthmus.statistics.diagnostic_odds import diagnostic_odds_ratio


def table(tp: int, fn: int, fp: int, tn: int) -> tuple[np.ndarray, np.ndarray]:
    cells = [tp, fn, fp, tn]
    return np.repeat([True, True, False, False], cells), np.repeat([True, False, True, False], cells)


def test_it_equals_the_logistic_regression_of_r() -> None:
    # R 4.2: g <- glm(call ~ label, binomial, control = list(epsilon = 1e-14)); exp(coef(g)[2]);
    # exp(confint.default(g)[2, ]) with 40 true and 15 false positives, 8 false and 57 true negatives.
    found = diagnostic_odds_ratio(*table(40, 8, 15, 57))
    assert found.estimate == pytest.approx(19.0)
    assert (found.low, found.high) == pytest.approx((7.35888545288, 49.05634179408), rel=1e-10)


def test_youden_equals_newcombes_interval_of_a_difference() -> None:
    # J is sensitivity less the rate of false alarms: two independent proportions, Newcombe 1998, method 10.
    found = binary_measures(*table(40, 8, 15, 57), replicates=20)["youden_j"]
    # statsmodels 0.15: confint_proportions_2indep(40, 48, 15, 72, compare="diff", method="newcomb")
    assert found.estimate == pytest.approx(40 / 48 - 15 / 72)
    assert (found.low, found.high) == pytest.approx((0.457083862554, 0.736394602368), rel=1e-9)


def test_copies_of_a_case_add_no_certainty() -> None:
    labels, calls = table(40, 8, 15, 57)
    once = diagnostic_odds_ratio(labels, calls)
    copied = diagnostic_odds_ratio(np.repeat(labels, 3), np.repeat(calls, 3), np.repeat(np.arange(120), 3))
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high))


def test_empty_cells_give_one_finite_limit_and_are_explained() -> None:
    perfect = diagnostic_odds_ratio(*table(10, 0, 0, 20))
    assert (perfect.estimate, perfect.high) == (inf, inf)
    assert perfect.low > 5
    assert "no wrong call" in perfect.note
    useless = diagnostic_odds_ratio(*table(0, 10, 5, 20))
    assert (useless.estimate, useless.low) == (0, 0)
    assert 0 < useless.high < inf
    for cells in ((0, 0, 3, 5), (5, 0, 5, 0), (0, 5, 0, 5)):
        found = diagnostic_odds_ratio(*table(*cells))
        assert isnan(found.estimate)
        assert found.note


@given(st.tuples(*[st.integers(0, 12)] * 4).filter(lambda c: sum(c) > 0))
def test_it_is_the_ratio_of_the_likelihood_ratios(cells: tuple[int, int, int, int]) -> None:
    measures = binary_measures(*table(*cells), replicates=5)
    odds = measures["diagnostic_odds_ratio"]
    if isnan(odds.estimate):
        assert odds.note
        return
    assert odds.low <= odds.estimate <= odds.high
    if min(cells) > 0:
        up, down = (measures[f"likelihood_ratio_{name}"].estimate for name in ("positive", "negative"))
        assert odds.estimate == pytest.approx(up / down)
