"""Differences of two estimates from their own intervals."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.statistics.few_groups import compare_by_intervals
from isthmus.statistics.interval import Interval
from isthmus.statistics.proportions import wilson


def interval(low, estimate, high, level=0.95):
    return Interval(estimate, low, high, level, "given")


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        # R: Epi::ci.pd(c(56, 9, 10, 10), c(48, 3, 0, 0), c(14, 1, 0, 0), c(32, 7, 20, 10)), Newcombe's method 10.
        ((56, 70, 48, 80), 0.0524, 0.3339),
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((10, 10, 0, 20), 0.6791, 1.0000),
        ((10, 10, 0, 10), 0.6075, 1.0000),
    ],
)
def test_limits_of_a_difference_of_proportions_are_those_of_epi_in_r(counts, low, high):
    a, n, b, m = counts
    found = compare_by_intervals(wilson(a, n), wilson(b, m)).difference
    assert found.low == pytest.approx(low, abs=6e-5)
    assert found.high == pytest.approx(high, abs=6e-5)


three = st.lists(st.floats(0, 1), min_size=3, max_size=3).map(sorted)


@given(three, three)
def test_the_interval_holds_the_difference_and_turns_with_the_order(one, other):
    forth = compare_by_intervals(interval(*one), interval(*other)).difference
    back = compare_by_intervals(interval(*other), interval(*one)).difference
    assert forth.low <= forth.estimate <= forth.high
    assert forth.low == pytest.approx(-back.high)


def test_there_is_no_test_and_it_is_said_why():
    found = compare_by_intervals(interval(0.4, 0.6, 0.8), interval(0.3, 0.5, 0.7), "only 5 groups")
    assert math.isnan(found.p)
    assert found.difference.note == "only 5 groups"


def test_intervals_of_two_levels_are_refused():
    with pytest.raises(ValueError, match=r"0\.95 and 0\.9"):
        compare_by_intervals(interval(0.4, 0.6, 0.8), interval(0.3, 0.5, 0.7, level=0.9))
