"""Recalibration and prior shift: against R's glm, by their laws, and where no fit exists."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from isthmus.statistics.calibration import (
    LogisticCalibration,
    fit_calibration,
    fit_intercept,
    fit_logistic_calibration,
    log_prior_shift_of_weights,
    undo_prior_shift,
)
from isthmus.statistics.roc import auc
from tests.statistics.cases import labels, pairs, probabilities


def test_recalibration_equals_glm() -> None:
    # R: glm(y ~ qlogis(p), binomial) with p = pmin(pmax(0.1 + 0.6 * s, 0.02), 0.95), epsilon = 1e-15
    fitted = fit_logistic_calibration(labels, probabilities)
    assert (fitted.intercept, fitted.slope) == pytest.approx((-0.312453036348, 1.47421763364), rel=1e-9)
    # R: glm(y ~ offset(qlogis(p)), binomial)
    assert fit_intercept(labels, probabilities).intercept == pytest.approx(-0.315744165667, rel=1e-8)


def test_recalibrated_probabilities_average_to_the_prevalence_and_keep_their_ranks() -> None:
    fitted = fit_logistic_calibration(labels, probabilities)
    assert fitted.apply(probabilities).mean() == pytest.approx(labels.mean(), abs=1e-12)
    assert fit_intercept(labels, probabilities).apply(probabilities).mean() == pytest.approx(labels.mean(), abs=1e-12)
    assert auc(labels, fitted.apply(probabilities)) == auc(labels, probabilities)
    again = fit_logistic_calibration(labels, fitted.apply(probabilities))
    assert (again.intercept, again.slope) == pytest.approx((0, 1), abs=1e-8)


def test_known_miscalibration_is_found() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=40_000)
    y = generator.random(40_000) < expit(0.5 + 0.6 * x)
    fitted = fit_logistic_calibration(y, expit(x))
    # Standard errors at 40,000 cases are about 0.011.
    assert (fitted.intercept, fitted.slope) == pytest.approx((0.5, 0.6), abs=0.035)


def test_few_groups_get_an_intercept_only() -> None:
    # By sevens there are 18 groups, and the last is a single case: one class has 17.
    assert fit_calibration(labels, probabilities, pairs).method == "logistic recalibration"
    few = fit_calibration(labels, probabilities, np.arange(120) // 7)
    assert few.slope == 1
    assert few.method == "intercept only: 17 groups in the smaller class"


def test_separated_classes_get_platts_targets() -> None:
    y = np.repeat([False, True], 30)
    fitted = fit_logistic_calibration(y, np.where(y, 0.9, 0.1))
    assert "separated" in fitted.method
    # Two distinct logits and two parameters: Platt's targets are met exactly.
    assert fitted.apply([0.9, 0.1]) == pytest.approx([31 / 32, 1 / 32], rel=1e-9)


@pytest.mark.parametrize(
    ("p", "words"),
    [(np.full(120, 0.3), "all probabilities are equal"), (1 - probabilities, "slope would not be above 0")],
)
def test_a_slope_that_cannot_be_is_not_fitted(p: np.ndarray, words: str) -> None:
    fitted = fit_logistic_calibration(labels, p)
    assert fitted.slope == 1
    assert words in fitted.method
    assert fitted.apply(p).mean() == pytest.approx(0.4, abs=1e-12)


def test_certain_probabilities_do_not_break_it() -> None:
    p = probabilities.copy()
    p[np.flatnonzero(labels)[:3]] = 1.0
    p[np.flatnonzero(~labels)[:3]] = [0.0, 0.0, 1.0]
    fitted = fit_logistic_calibration(labels, p)
    # One certain error among 120 makes the certain ones less certain.
    assert 0 < fitted.slope < 1
    assert np.isfinite(fitted.apply([0.0, 1.0])).all()


def test_a_calibration_survives_its_dictionary_and_refuses_nonsense() -> None:
    fitted = fit_calibration(labels, probabilities)
    assert LogisticCalibration.from_dict(fitted.as_dict()) == fitted
    for intercept, slope in ((0.0, 0.0), (0.0, -1.0), (np.nan, 1.0)):
        with pytest.raises(ValueError, match="both finite, the slope above 0"):
            LogisticCalibration(intercept, slope)
    with pytest.raises(ValueError, match=r"row 1 is 5000000000000000"):
        fitted.apply([0.5, 5e15])


@given(
    st.lists(st.floats(0.05, 20), min_size=2, max_size=4),
    st.lists(st.floats(0.01, 1), min_size=4, max_size=4),
)
def test_undoing_a_prior_shift_undoes_it(weights: list[float], raw: list[float]) -> None:
    p = np.array(raw[: len(weights)])[None] / sum(raw[: len(weights)])
    shifted = p * weights / (p * weights).sum()
    assert undo_prior_shift(shifted, log_prior_shift_of_weights(weights)) == pytest.approx(p, abs=1e-12)


def test_a_weighted_fit_is_brought_back_to_the_prevalence() -> None:
    # A constant model trained with weights 1 and 4 on 20 % positives says 0.5; without them it would say 0.2.
    shift = log_prior_shift_of_weights([1, 4])
    assert undo_prior_shift([[0.5, 0.5], [1.0, 0.0]], shift) == pytest.approx(np.array([[0.8, 0.2], [1.0, 0.0]]))
    with pytest.raises(ValueError, match="above 0"):
        log_prior_shift_of_weights([1, 0])
    with pytest.raises(ValueError, match="between 0 and 1"):
        undo_prior_shift([[1.5, -0.5]], shift)
