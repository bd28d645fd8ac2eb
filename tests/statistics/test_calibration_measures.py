"""Brier score, slope, intercept, bins: against R and by identities."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from isthmus.statistics.calibration_measures import (
    brier,
    brier_parts,
    calibration_bins,
    calibration_in_the_large,
    calibration_slope,
)
from tests.statistics.cases import labels, pairs, probabilities

Z = 1.959963984540054


def test_slope_and_intercept_equal_glm_with_clustered_sandwich() -> None:
    # R: m <- glm(y ~ qlogis(p), binomial, control = list(epsilon = 1e-15))
    # sandwich::vcovCL(m, cluster = g, type = "HC0", cadjust = TRUE)
    slope = calibration_slope(labels, probabilities, pairs)
    assert slope.estimate == pytest.approx(1.47421763364, rel=1e-10)
    assert ((slope.high - slope.low) / 2 / Z) ** 2 == pytest.approx(0.0602326966688, rel=1e-7)
    # R: m0 <- glm(y ~ offset(qlogis(p)), binomial), the same sandwich
    large = calibration_in_the_large(labels, probabilities, pairs)
    assert large.estimate == pytest.approx(-0.315744165667, rel=1e-10)
    assert ((large.high - large.low) / 2 / Z) ** 2 == pytest.approx(0.0160200141822, rel=1e-9)


def test_the_slope_covers_95_percent_of_clustered_samples() -> None:
    generator = np.random.default_rng(2)
    covered = 0
    for _ in range(300):
        x = np.repeat(generator.normal(size=150), 2)
        y = generator.random(300) < expit(x)
        interval = calibration_slope(y, expit(x), np.arange(300) // 2)
        covered += interval.low <= 1 <= interval.high
    assert 0.915 <= covered / 300 <= 0.985


def test_brier_is_the_mean_squared_error_with_its_own_standard_error() -> None:
    loss = (probabilities - labels) ** 2
    interval = brier(labels, probabilities)
    assert interval.estimate == pytest.approx(loss.mean())
    assert interval.high - interval.estimate == pytest.approx(Z * loss.std(ddof=1) / np.sqrt(120))
    assert brier(labels, labels.astype(float)).estimate == 0


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=50), st.integers(1, 12))
def test_the_parts_sum_to_the_brier_score(rows: list[tuple[bool, float]], bins: int) -> None:
    parts = brier_parts([r[0] for r in rows], [r[1] for r in rows], bins)
    total = parts.reliability - parts.resolution + parts.uncertainty + parts.within
    assert total == pytest.approx(parts.brier, abs=1e-12)


def test_bins_hold_everybody_once_in_order_and_never_part_equals() -> None:
    bins = calibration_bins(labels, probabilities, pairs)
    assert sum(b.count for b in bins) == 120
    assert [b.count for b in bins] == [12] * 10
    assert all(x.predicted < y.predicted for x, y in pairwise(bins))
    assert sum(b.observed.estimate * b.count for b in bins) == pytest.approx(labels.sum())
    tied = calibration_bins(labels, np.where(labels, 0.6, 0.4))
    assert [(b.predicted, b.observed.estimate, b.count) for b in tied] == [
        (pytest.approx(0.4), 0.0, 72),
        (pytest.approx(0.6), 1.0, 48),
    ]


def test_a_slope_without_an_answer_says_why() -> None:
    assert "equal" in calibration_slope(labels, np.full(120, 0.4)).note
    assert "separated" in calibration_slope(labels, np.where(labels, 0.9, 0.1)).note
    assert "only 8 groups" in calibration_slope(labels, probabilities, np.arange(120) // 15).note


def test_scores_that_are_no_probabilities_are_named_by_row() -> None:
    p = probabilities.copy()
    p[17] = 5e15
    for measure in (brier, calibration_slope, calibration_in_the_large, calibration_bins):
        with pytest.raises(ValueError, match=r"row 17 is 5000000000000000"):
            measure(labels, p)


def test_a_slope_that_newton_does_not_reach_is_undefined_and_says_so() -> None:
    # Probabilities that differ in the tenth digit only: a slope of 1e9, beyond what rounding lets one find.
    random = np.random.default_rng(0)
    found = [calibration_slope(np.arange(20) % 2 == 0, 0.45 + 1e-10 * random.normal(size=20)) for _ in range(20)]
    undefined = [one for one in found if np.isnan(one.estimate)]
    assert undefined
    assert all("does not converge" in one.note for one in undefined)
