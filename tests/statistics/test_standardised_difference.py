"""Standardised differences against tableone 0.9.6 (Python) and the formulas of Austin and of Yang and Dalton."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.statistics.interval import Interval
from isthmus.statistics.standardised_difference import (
    NO_CATEGORY_SHARED,
    largest_difference,
    standardised_mean_difference,
    standardised_share_difference,
)


def test_shares_are_those_of_tableone():
    # TableOne(columns=["x"], categorical=["x"], groupby="g", smd=True).smd_table on rows with these counts.
    assert abs(standardised_share_difference([49, 176], [21, 34]).estimate) == pytest.approx(0.363913, abs=5e-7)
    found = standardised_share_difference([55, 105, 56, 9], [9, 29, 13, 4])
    assert found.estimate == pytest.approx(0.244803, abs=5e-7)
    assert found.low == 0  # a distance has no sign


def test_means_are_those_of_tableone():
    group = np.repeat([0, 1] * 4, [55, 9, 105, 29, 56, 13, 9, 4])
    i = np.arange(280)
    y = (i * 37) % 101 + i % 5
    # TableOne gives second group minus first: -0.048179.
    found = standardised_mean_difference(y[group == 0], y[group == 1])
    assert -found.estimate == pytest.approx(-0.048179, abs=5e-7)
    # Bonett 2008, equation 10, by hand.
    s, t = y[group == 0].var(ddof=1), y[group == 1].var(ddof=1)
    variance = found.estimate**2 * (s**2 / 224 + t**2 / 54) / (2 * (s + t) ** 2) + 2 * (s / 224 + t / 54) / (s + t)
    half = 1.959963984540054 * np.sqrt(variance)
    assert (found.low, found.high) == pytest.approx((found.estimate - half, found.estimate + half))


@given(st.lists(st.integers(1, 40), min_size=4, max_size=4))
def test_the_order_of_categories_and_of_groups_changes_no_distance(counts):
    a, b = [*counts[:2], 7], [*counts[2:], 9]
    found = standardised_share_difference(a, b).estimate
    assert standardised_share_difference(b, a).estimate == pytest.approx(found, abs=1e-9)
    assert standardised_share_difference(a[::-1], b[::-1]).estimate == pytest.approx(found, abs=1e-9)


def test_a_category_that_nobody_has_changes_nothing():
    found = standardised_share_difference([5, 0, 7], [8, 0, 3])
    assert found.estimate == standardised_share_difference([5, 7], [8, 3]).estimate


def test_degenerate_groups_are_said():
    assert standardised_mean_difference([1.0, 1.0], [1.0, 1.0]).estimate == 0
    assert np.isnan(standardised_mean_difference([1.0, 1.0], [2.0, 2.0]).estimate)
    assert np.isnan(standardised_mean_difference([1.0], [2.0, 3.0]).estimate)
    assert standardised_share_difference([4], [9]).estimate == 0
    assert np.isnan(standardised_share_difference([4, 0], [0, 9]).estimate)
    assert np.isnan(standardised_share_difference([4, 3, 0, 0], [0, 0, 5, 9]).estimate)
    assert np.isnan(standardised_share_difference([0, 0], [1, 2]).estimate)
    assert np.isfinite(standardised_share_difference([4, 3, 0], [0, 2, 5]).estimate)
    with pytest.raises(ValueError, match="finite"):
        standardised_mean_difference([np.nan, 1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="same categories"):
        standardised_share_difference([1, 2], [1, 2, 3])


def test_of_several_pairs_the_furthest_is_kept():
    pair = [Interval(0.1, 0.0, 0.2), Interval(-0.4, -0.5, -0.3), Interval(np.nan, np.nan, np.nan)]
    assert largest_difference(pair).estimate == -0.4
    groups = [1, 0, 1], [0, 1, 0], [0, 7, 0]
    bounded = standardised_share_difference(groups[2], groups[1])
    without = standardised_share_difference(groups[1], groups[0])
    assert bounded.estimate == 0
    assert largest_difference([bounded, without]).note == NO_CATEGORY_SHARED
    assert largest_difference([standardised_mean_difference([1.0], [2.0, 3.0]), bounded]).estimate == 0
    assert np.isnan(largest_difference([]).estimate)


def test_ninety_five_of_a_hundred_intervals_hold_the_difference():
    random = np.random.default_rng(5)
    inside = 0
    for _ in range(400):
        found = standardised_mean_difference(random.normal(0.5, 1, 40), random.normal(0, 1, 80))
        inside += found.low <= 0.5 <= found.high
    assert 0.92 < inside / 400 < 0.98


def test_the_interval_of_two_shares_is_that_of_many_repetitions():
    random = np.random.default_rng(6)
    drawn = [
        standardised_share_difference([x, 60 - x], [y, 120 - y]).estimate
        for x, y in zip(random.binomial(60, 0.3, 4000), random.binomial(120, 0.5, 4000), strict=True)
    ]
    found = standardised_share_difference([18, 42], [60, 60])
    assert (found.high - found.low) / 2 / 1.959964 == pytest.approx(np.std(drawn), rel=0.04)
