"""The flexible calibration curve: against rms, by its laws, and where it cannot be fitted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from isthmus.statistics.calibration_curve import _wald, flexible_curve, spline_design
from isthmus.statistics.calibration_measures import calibration_slope
from tests.statistics.cases import labels, pairs, probabilities

Z = 1.959963984540054
AT = np.array([0.2, 0.4, 0.6, 0.8])
# R: x <- qlogis(p); kn <- Hmisc::rcspline.eval(x, nk = k, knots.only = TRUE)
# f <- rms::lrm(y ~ rcs(x, kn), x = TRUE, y = TRUE, tol = 1e-14, eps = 1e-14, maxit = 100); r <- rms::robcov(f, g)
# pr <- predict(r, data.frame(x = qlogis(c(.2, .4, .6, .8))), se.fit = TRUE); plogis(pr$linear.predictors); pr$se.fit
# a <- abs(plogis(predict(f, d)) - p); c(mean(a), median(a), quantile(a, .9))
RMS = {
    3: (
        [-1.39563031920681, -0.14719636014943, 1.00521676979807],
        [0.091321927252156, 0.283419099329364, 0.568547174442549, 0.857041322515153],
        [0.39567607044186, 0.20462361308955, 0.18805324648177, 0.38431616341499],
        [0.078766760976389, 0.082056118624239, 0.123931865729978],
    ),
    4: (
        [-1.90627189114511, -0.52446092588107, 0.23325049516415, 1.52242180383656],
        [0.0041645293284973, 0.4801685407982393, 0.3612121772983674, 0.9943477744513389],
        [1.61228278545411, 0.30470218767593, 0.33221314196916, 1.39704092724816],
        [0.13226196346300, 0.14232494593435, 0.22158134397558],
    ),
}


@pytest.mark.parametrize("number", [3, 4])
def test_the_curve_equals_rms(number: int) -> None:
    knots, observed, errors, distances = RMS[number]
    found = flexible_curve(labels, probabilities, pairs, knots=number)
    assert found.knots == pytest.approx(knots, abs=1e-12)
    assert [found.ici.estimate, found.e50.estimate, found.e90.estimate] == pytest.approx(distances, abs=1e-9)
    # On the four probabilities themselves: a fifth and a sixth point only stretch the grid to them.
    line = _line_at(found.predicted, found.observed, found.knots)
    assert expit(line) == pytest.approx(observed, rel=1e-6)
    wide = (logit(found.high) - logit(found.low)) / 2 / Z
    at = np.searchsorted(found.predicted, AT)
    near = [np.interp(value, found.predicted, wide) for value in AT]
    assert near == pytest.approx(np.array(errors) * np.sqrt(60 / 59), rel=0.02)  # robcov has no G/(G-1)
    assert (at > 0).all()


def _line_at(grid: np.ndarray, observed: np.ndarray, knots: tuple[float, ...]) -> np.ndarray:
    """Return the fitted logits at AT: the curve is a spline of known design, so its own points give them exactly."""
    coefficients = np.linalg.lstsq(spline_design(logit(grid), knots), logit(observed), rcond=None)[0]
    return spline_design(logit(AT), knots) @ coefficients


def test_knots_grow_with_the_groups_of_the_smaller_class() -> None:
    generator = np.random.default_rng(0)
    for size, number in ((150, 3), (300, 4), (700, 5)):
        x = generator.normal(size=size)
        found = flexible_curve(generator.random(size) < expit(x), expit(x), replicates=20)
        assert len(found.knots) == number


def test_a_bent_calibration_is_found_where_a_line_sees_none() -> None:
    generator = np.random.default_rng(12)
    x = generator.uniform(-3, 3, 4000)
    y = generator.random(4000) < expit(x + 0.2 * (x**2 - 3))
    found = flexible_curve(y, expit(x), replicates=50)
    truth = expit(logit(found.predicted) + 0.2 * (logit(found.predicted) ** 2 - 3))
    assert np.abs(found.observed - truth).max() < 0.06
    assert found.ici.low > found.ici_expected
    assert np.mean((found.low <= truth) & (truth <= found.high)) > 0.7
    assert calibration_slope(y, expit(x)).estimate == pytest.approx(1, abs=0.1)


def test_the_expected_distance_is_what_calibrated_samples_have() -> None:
    generator = np.random.default_rng(11)
    found = []
    for seed in range(300):
        p = expit(generator.normal(size=200))
        curve = flexible_curve(generator.random(200) < p, p, replicates=20, knots=3, seed=seed)
        found.append((curve.ici.estimate, curve.ici_expected))
    own, expected = np.mean(found, axis=0)
    assert own == pytest.approx(expected, rel=0.08)  # two standard errors are 5 %


def test_the_band_covers_95_percent_of_clustered_samples() -> None:
    generator = np.random.default_rng(3)
    covered = []
    for _ in range(200):
        x = np.repeat(generator.normal(size=150), 2)
        y = np.repeat(generator.random(150), 2) < expit(x)
        found = flexible_curve(y, expit(x), np.repeat(np.arange(150), 2), replicates=2, knots=3)
        covered.append(found.low[20] <= found.predicted[20] <= found.high[20])
    assert np.mean(covered) > 0.9  # standard error 0.015


def test_the_interval_reaches_zero_where_the_diagonal_is_not_excluded() -> None:
    generator = np.random.default_rng(6)
    reached, p_values = [], []
    for _ in range(300):
        x = generator.normal(size=200)
        found = flexible_curve(generator.random(200) < expit(x), expit(x), replicates=5, knots=3)
        reached.append(found.ici.low == 0)
        p_values.append(found.p_calibrated)
    assert (np.array(reached) == (np.array(p_values) >= 0.05)).all()
    assert np.mean(reached) > 0.91  # nominal 0.95, standard error 0.013


def test_the_wald_test_is_that_of_the_coefficients() -> None:
    # R, as above with k = 3: V <- vcov(r) * 60 / 59; b <- coef(r) - c(0, 1, 0); pchisq(b %*% solve(V) %*% b, 3,
    # lower.tail = FALSE)
    found = flexible_curve(labels, probabilities, pairs, knots=3)
    assert found.p_calibrated == pytest.approx(0.042422194270343, rel=1e-6)


def test_groups_of_one_are_no_groups() -> None:
    alone = flexible_curve(labels, probabilities, replicates=30)
    each = flexible_curve(labels, probabilities, [f"g{k:03d}" for k in range(120)], replicates=30)
    assert each.low == pytest.approx(alone.low, abs=1e-12)
    assert each.ici.high == pytest.approx(alone.ici.high, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=4, max_size=30))
def test_any_table_gives_a_curve_or_a_reason(rows: list[tuple[bool, float]]) -> None:
    y, p = np.array([label for label, _ in rows]), np.array([value for _, value in rows])
    if y.all() or not y.any():
        with pytest.raises(ValueError, match="both classes"):
            flexible_curve(y, p)
        return
    found = flexible_curve(y, p, replicates=10)
    if np.isnan(found.ici.estimate):
        assert found.note
    else:
        assert 0 <= found.ici.estimate <= 1
        assert ((found.low <= found.observed + 1e-9) & (found.observed <= found.high + 1e-9)).all()


def test_degenerate_probabilities_are_said() -> None:
    y = np.arange(40) < 10
    one = flexible_curve(y, np.full(40, 0.4), replicates=20)
    assert one.ici.estimate == pytest.approx(0.15, abs=1e-9)
    assert "all probabilities are equal" in one.note
    assert "separated" in flexible_curve(y, np.where(y, 0.9, 0.1)).note
    two = flexible_curve(y, np.where(np.arange(40) % 3 == 0, 0.2, 0.6), replicates=20)
    assert "straight line" in two.note
    # A straight line is the logistic calibration line.
    slope = calibration_slope(y, np.where(np.arange(40) % 3 == 0, 0.2, 0.6)).estimate
    assert (logit(two.observed[-1]) - logit(two.observed[0])) / (logit(0.6) - logit(0.2)) == pytest.approx(slope)


def test_a_variance_that_rounding_made_negative_leaves_no_p_and_no_warning():
    x = np.linspace(-1.0, 1.0, 9)
    design = np.stack([np.ones(9), x], axis=1)
    assert np.isnan(_wald(design, x, np.array([0.1, 0.8]), np.diag([0.2, -1e-18])))
