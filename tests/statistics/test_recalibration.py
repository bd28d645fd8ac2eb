"""Isotonic, temperature and prevalence: against scikit-learn, by definition, and by the laws of recalibration."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from isthmus.statistics.calibration import LogisticCalibration, calibration_from_dict, fit_logistic_calibration
from isthmus.statistics.calibrators import IsotonicCalibration, TemperatureCalibration
from isthmus.statistics.recalibration import (
    estimate_priors,
    fit_isotonic,
    fit_temperature,
    refit_intercept,
    shift_to_prevalence,
)
from tests.statistics.cases import labels, pairs, probabilities

cases = st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=4, max_size=40).filter(
    lambda rows: len({label for label, _ in rows}) == 2
)


def test_isotonic_equals_scikit_learn() -> None:
    generator = np.random.default_rng(3)
    new = np.concatenate([[0.0, 1.0], generator.random(200)])
    for p in (probabilities, probabilities.round(1), generator.random(120)):
        reference = IsotonicRegression(y_min=1 / 240, y_max=239 / 240, out_of_bounds="clip").fit(p, labels)
        fitted = fit_isotonic(labels, p)
        assert fitted.apply(p) == pytest.approx(reference.predict(p), abs=1e-12)
        assert fitted.apply(new) == pytest.approx(reference.predict(new), abs=1e-12)


def test_isotonic_equals_r_isoreg() -> None:
    # R: o <- order(p); isoreg(p[o], y[o])$yf[c(1, 25, 31, 60)], p and y of tests/statistics/cases.py
    fitted = np.sort(fit_isotonic(labels, probabilities).apply(probabilities))
    assert fitted[[0, 24, 30, 59]] == pytest.approx([1 / 240, 0.16666666666667, 0.4, 0.4], abs=1e-12)


def test_isotonic_keeps_the_mean_and_says_when_its_steps_are_coarse() -> None:
    fitted = fit_isotonic(labels, probabilities, pairs)
    # But for the steps of one class, held at 1 / 240 from the edge.
    assert fitted.apply(probabilities).mean() == pytest.approx(labels.mean(), abs=1 / 240)
    assert fitted.apply([0.0, 1.0]).tolist() == [1 / 240, 239 / 240]
    assert "groups in the smaller class make coarse steps" in fitted.method


def test_temperature_equals_a_logistic_regression_without_intercept() -> None:
    x = logit(probabilities)[:, None]
    reference = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-12, max_iter=1000).fit(x, labels)
    assert 1 / fit_temperature(labels, probabilities).temperature == pytest.approx(reference.coef_[0, 0], rel=1e-6)


def test_two_columns_and_one_probability_give_one_temperature() -> None:
    both = np.stack([1 - probabilities, probabilities], axis=1)
    one, two = fit_temperature(labels, probabilities), fit_temperature(labels.astype(int), both)
    assert one.temperature == pytest.approx(two.temperature, rel=1e-6)
    assert two.apply_classes(both)[:, 1] == pytest.approx(one.apply(probabilities), abs=1e-7)


def test_a_temperature_of_several_classes_is_found_again() -> None:
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(20_000, 3)) * 1.5
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    y = (generator.random(20_000)[:, None] > np.cumsum(p, 1)).sum(1)
    sharp = TemperatureCalibration(0.5).apply_classes(p)
    assert fit_temperature(y, sharp).temperature == pytest.approx(2, abs=0.06)


@given(cases)
def test_recalibration_never_changes_ranks(rows: list[tuple[bool, float]]) -> None:
    y, p = np.array([label for label, _ in rows]), np.array([value for _, value in rows])
    order = np.argsort(p, kind="stable")
    for fitted in (
        fit_isotonic(y, p),
        fit_temperature(y, p),
        fit_logistic_calibration(y, p),
        shift_to_prevalence(0.1, 0.5),
    ):
        assert (np.diff(fitted.apply(p)[order]) >= 0).all()
        assert calibration_from_dict(fitted.as_dict()) == fitted


@given(
    st.lists(st.lists(st.floats(0.001, 1), min_size=3, max_size=3), min_size=1, max_size=10),
    st.floats(0.1, 10),
)
def test_a_temperature_keeps_the_most_probable_class(raw: list[list[float]], temperature: float) -> None:
    p = np.array(raw) / np.sum(raw, axis=1, keepdims=True)
    cooled = TemperatureCalibration(temperature).apply_classes(p)
    best = p.argmax(axis=1)
    assert np.take_along_axis(cooled, best[:, None], 1)[:, 0] == pytest.approx(cooled.max(axis=1), rel=1e-12)
    assert cooled.sum(axis=1) == pytest.approx(1, abs=1e-12)


def test_fits_that_do_not_exist_are_said() -> None:
    y = np.repeat([False, True], 10)
    assert "separated" in fit_temperature(y, np.where(y, 0.9, 0.1)).method
    assert "do not rank" in fit_temperature(y, np.where(y, 0.1, 0.9)).method
    assert fit_isotonic(y, np.full(20, 0.3)).apply([0.1, 0.9]).tolist() == [0.5, 0.5]
    with pytest.raises(ValueError, match="both classes"):
        fit_isotonic(np.ones(3), [0.1, 0.2, 0.3])


def test_bayes_rule_moves_the_prevalence() -> None:
    # Fagan's rule by hand: prior odds 1 to 3 at 0.25, likelihood ratio 6 gives 2/3; at 0.05, 6/19 gives 6/25.
    assert shift_to_prevalence(0.05, 0.25).apply([2 / 3])[0] == pytest.approx(6 / 25, abs=1e-12)
    back = shift_to_prevalence(0.25, 0.05).apply(shift_to_prevalence(0.05, 0.25).apply(probabilities))
    assert back == pytest.approx(probabilities, abs=1e-12)
    moved = shift_to_prevalence(0.05, probabilities=probabilities)
    assert moved.apply(probabilities).mean() == pytest.approx(0.05, abs=1e-10)
    for wrong in (0.0, 1.0, np.nan):
        with pytest.raises(ValueError, match="prevalence"):
            shift_to_prevalence(wrong, 0.5)
    with pytest.raises(ValueError, match="starts from"):
        shift_to_prevalence(0.1)


def test_priors_of_an_unlabelled_sample_are_found_again() -> None:
    # Two normal scores at a distance of 2: p at equal priors is exactly expit(2 x).
    generator = np.random.default_rng(1)
    y = generator.random(40_000) < 0.1
    p = expit(2 * (generator.normal(size=40_000) + np.where(y, 1, -1)))
    both = np.stack([1 - p, p], axis=1)
    found = estimate_priors(both, [0.5, 0.5])
    assert found.converged
    assert found.shares[1] == pytest.approx(0.1, abs=0.006)
    # The adjusted probabilities are Bayes' rule at the shares found.
    assert found.probabilities[:, 1] == pytest.approx(
        shift_to_prevalence(float(found.shares[1]), 0.5).apply(p), abs=1e-6
    )
    with pytest.raises(ValueError, match="sum to 1"):
        estimate_priors(both, [0.5, 0.6])


def test_an_intercept_is_refitted_and_unknown_kinds_are_refused() -> None:
    assert refit_intercept(labels, probabilities).apply(probabilities).mean() == pytest.approx(labels.mean(), abs=1e-10)
    assert isinstance(calibration_from_dict({"intercept": 0.1, "slope": 0.8}), LogisticCalibration)
    with pytest.raises(ValueError, match="magic"):
        calibration_from_dict({"kind": "magic"})
    for given_points, calibrated in (((0.2, 0.1), (0.1, 0.2)), ((0.1, 0.2), (0.3, 0.2)), ((), ()), ((2.0,), (0.1,))):
        with pytest.raises(ValueError, match="isotonic"):
            IsotonicCalibration(given_points, calibrated)
    for temperature in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="temperature"):
            TemperatureCalibration(temperature)
