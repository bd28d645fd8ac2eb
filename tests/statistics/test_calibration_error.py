"""Calibration error and its bias, Hosmer-Lemeshow, Spiegelhalter: against R, and by what they promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from isthmus.statistics.calibration_error import (
    expected_calibration_error,
    hosmer_lemeshow,
    several_class_brier,
    spiegelhalter,
    top_label_error,
)
from isthmus.statistics.calibration_measures import brier, brier_parts, scaled_brier
from tests.statistics.cases import labels, pairs, probabilities

shares = st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=2, max_size=40)


def test_hosmer_lemeshow_equals_r() -> None:
    # R: ResourceSelection::hoslem.test(y, p, 10) and (y, p, 5); p of 10 degrees: 1 - pchisq(X-squared, 10)
    fitted = hosmer_lemeshow(labels, probabilities, developed_here=True)
    assert (fitted.statistic, fitted.df, fitted.p) == pytest.approx((13.703175458441375, 8, 0.089837697834172))
    assert hosmer_lemeshow(labels, probabilities).p == pytest.approx(0.186966248161706)
    coarse = hosmer_lemeshow(labels, probabilities, 5)
    assert (coarse.statistic, coarse.df, coarse.p) == pytest.approx((11.041619102726067, 5, 0.050561015079621))
    assert "fewer than 5" in fitted.note


def test_spiegelhalter_equals_r() -> None:
    # R: rms::val.prob(p, y, pl = FALSE)[c("S:z", "S:p")]
    found = spiegelhalter(labels, probabilities)
    assert (found.statistic, found.p) == pytest.approx((-1.483743653056914, 0.137876940648561), rel=1e-12)
    alone = spiegelhalter(labels, probabilities, np.arange(120))
    assert alone.statistic == pytest.approx(found.statistic, rel=1e-12)


def test_spiegelhalter_of_doubled_rows_is_that_of_the_cases() -> None:
    twice = np.repeat(np.arange(120), 2)
    doubled = spiegelhalter(labels[twice], probabilities[twice], twice)
    assert doubled.statistic == pytest.approx(spiegelhalter(labels, probabilities).statistic, rel=1e-12)


def test_calibration_error_equals_r_by_tapply() -> None:
    # R: b <- cut(p, quantile(p, 0:10/10), include.lowest = TRUE); sum(table(b) * abs(tapply(p - y, b, mean))) / 120
    assert expected_calibration_error(labels, probabilities).estimate == pytest.approx(0.114297029702970, abs=1e-14)
    # the same with b <- cut(p, 0:10/10, include.lowest = TRUE)
    wide = expected_calibration_error(labels, probabilities, binning="width")
    assert wide.estimate == pytest.approx(0.12955115511551, abs=1e-13)
    assert wide.bins == 9


def test_the_expected_error_of_one_bin_is_the_normal_law_of_a_mean() -> None:
    p = np.full(400, 0.3)
    found = expected_calibration_error(np.arange(400) % 10 < 3, p, bins=1, simulations=4000)
    # E|mean - p| of a binomial mean is sqrt(2 / pi) standard errors, here to the second order of 1 / n.
    assert found.expected == pytest.approx(np.sqrt(2 / np.pi * 0.21 / 400), rel=0.04)
    assert found.estimate == pytest.approx(0, abs=1e-15)
    assert (found.p, found.debiased) == (1.0, 0.0)


def test_perfect_calibration_is_not_called_an_error() -> None:
    generator = np.random.default_rng(4)
    p_values, excess = [], []
    for _ in range(200):
        p = expit(generator.normal(size=150))
        found = expected_calibration_error(generator.random(150) < p, p, simulations=200)
        p_values.append(found.p)
        excess.append(found.estimate - found.expected)
    assert np.mean(np.array(p_values) <= 0.05) < 0.1  # nominal 0.05, standard error 0.015
    assert abs(np.mean(excess)) < 0.005


def test_rows_of_one_unit_share_their_luck() -> None:
    twice = np.repeat(np.arange(120), 2)
    alone = expected_calibration_error(labels, probabilities, bins=5, simulations=2000)
    doubled = expected_calibration_error(labels[twice], probabilities[twice], twice, bins=5, simulations=2000)
    assert doubled.estimate == pytest.approx(alone.estimate, abs=1e-12)
    assert doubled.expected == pytest.approx(alone.expected, rel=0.02)


def test_brier_parts_equal_r_and_their_bias_is_taken_out() -> None:
    # R: n, mp, my by tapply over the bins above; sum(n * (mp - my)^2) / 120, sum(n * (my - mean(y))^2) / 120
    parts = brier_parts(labels, probabilities)
    assert parts.reliability == pytest.approx(0.021575947891819, abs=1e-14)
    assert parts.resolution == pytest.approx(0.076111111111111, abs=1e-14)
    generator = np.random.default_rng(5)
    p = np.repeat([0.1, 0.3, 0.5, 0.7], 15)
    drawn = [brier_parts(generator.random(60) < p, p, 4) for _ in range(2000)]
    # Calibrated: the true reliability is 0, the true resolution the variance of p, 0.05.
    assert np.mean([one.reliability_corrected for one in drawn]) == pytest.approx(0, abs=0.0012)
    assert np.mean([one.resolution_corrected for one in drawn]) == pytest.approx(0.05, abs=0.002)
    assert np.mean([one.reliability for one in drawn]) > 0.01


def test_scaled_brier_compares_with_the_prevalence() -> None:
    found = scaled_brier(labels, probabilities, pairs)
    assert found.estimate == pytest.approx(1 - brier(labels, probabilities).estimate / 0.24, abs=1e-14)
    assert scaled_brier(labels, np.full(120, 0.4)).estimate == pytest.approx(0, abs=1e-14)
    assert scaled_brier(labels, labels.astype(float)).low == 1
    assert "one class" in scaled_brier(np.ones(5), np.full(5, 0.4)).note
    # Its interval against the jackknife over groups.
    values = []
    for group in range(60):
        kept = pairs != group
        values.append(scaled_brier(labels[kept], probabilities[kept]).estimate)
    jackknife = np.sqrt(59 / 60 * np.sum((np.array(values) - np.mean(values)) ** 2))
    assert (found.high - found.low) / 2 / 1.959963984540054 == pytest.approx(jackknife, rel=0.02)


def test_several_classes_agree_with_two() -> None:
    both = np.stack([1 - probabilities, probabilities], axis=1)
    two, one = several_class_brier(labels.astype(int), both, pairs), brier(labels, probabilities, pairs)
    assert (two.estimate, two.high) == pytest.approx((2 * one.estimate, 2 * one.high), rel=1e-12)
    right = both.argmax(axis=1) == labels
    assert top_label_error(labels.astype(int), both).estimate == pytest.approx(
        expected_calibration_error(right, both.max(axis=1)).estimate, abs=1e-14
    )
    with pytest.raises(ValueError, match="row 3 is 5"):
        several_class_brier(labels.astype(int), np.where(np.arange(120)[:, None] == 3, 5.0, both))
    with pytest.raises(ValueError, match="class codes"):
        several_class_brier(labels.astype(int) + 1, both)


@given(shares)
def test_errors_stay_within_their_range(rows: list[tuple[bool, float]]) -> None:
    y, p = np.array([label for label, _ in rows]), np.array([value for _, value in rows])
    for binning in ("width", "mass"):
        found = expected_calibration_error(y, p, binning=binning, simulations=20)  # type: ignore[arg-type]
        assert 0 <= found.debiased <= found.estimate <= 1
        assert abs(p.mean() - y.mean()) <= found.estimate + 1e-12
        assert found.estimate <= np.abs(p - y).mean() + 1e-12


def test_degenerate_probabilities_are_said() -> None:
    y = np.arange(20) < 8
    assert "too few distinct" in hosmer_lemeshow(y, np.full(20, 0.4), developed_here=True).note
    assert hosmer_lemeshow(y, np.full(20, 0.4)).statistic == pytest.approx(0, abs=1e-20)
    assert hosmer_lemeshow(y, y.astype(float)).statistic == 0
    assert "certain" in hosmer_lemeshow(y, 1.0 - y).note
    assert "no variance" in spiegelhalter(y, y.astype(float)).note
    assert spiegelhalter(y, np.full(20, 0.5)).as_dict()["statistic"] is None
    with pytest.raises(ValueError, match="outside 0 to 1"):
        expected_calibration_error(y, np.full(20, 5e15))
    with pytest.raises(ValueError, match="at least 1"):
        expected_calibration_error(y, np.full(20, 0.5), binning="width", bins=0)
