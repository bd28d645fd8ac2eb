"""Calibrating several classes: against statsmodels' conditional logit, and the laws that it must keep."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from isthmus.statistics.class_calibration import ClassCalibration, fit_class_calibration


def drawn(count: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    codes = generator.choice(3, count, p=[0.3, 0.2, 0.5])
    logits = generator.normal(size=(count, 3)) + 1.5 * np.eye(3)[codes]
    return codes, softmax(2 * logits + [0.5, 0.0, -0.5], axis=1)


def test_slope_and_intercepts_are_those_of_the_conditional_logit_of_statsmodels():
    from statsmodels.discrete.conditional_models import ConditionalLogit

    codes, values = drawn()
    found = fit_class_calibration(codes, values)
    design = np.column_stack([np.log(values).ravel(), np.tile(np.eye(3)[:, 1:], (len(codes), 1))])
    chosen = np.eye(3)[codes].ravel()
    other = ConditionalLogit(chosen, design, groups=np.repeat(np.arange(len(codes)), 3)).fit(disp=False)
    slope, *intercepts = other.params
    intercepts = np.array([0.0, *intercepts])
    assert found.slope == pytest.approx(slope, rel=1e-4)
    np.testing.assert_allclose(found.intercepts, intercepts - intercepts.mean(), atol=1e-4)


def test_the_mean_probability_of_each_class_becomes_its_share():
    codes, values = drawn(seed=1)
    calibrated = fit_class_calibration(codes, values).apply(values)
    np.testing.assert_allclose(calibrated.mean(axis=0), np.bincount(codes) / len(codes), atol=1e-8)
    np.testing.assert_allclose(calibrated.sum(axis=1), 1.0)


def test_few_groups_in_the_smallest_class_get_intercepts_only_at_the_optimum_that_scipy_finds():
    codes, values = drawn(seed=2)
    groups = np.where(codes == 1, codes + np.arange(len(codes)) % 4, 100 + np.arange(len(codes)))
    found = fit_class_calibration(codes, values, groups)
    assert found.method == "intercepts only: 4 groups in the smallest class"
    assert found.slope == 1.0

    def loss(at):
        return -log_softmax(np.log(values) + at, axis=1)[np.arange(len(codes)), codes].sum() + at @ at / 2

    np.testing.assert_allclose(found.intercepts, minimize(loss, np.zeros(3), tol=1e-6).x, atol=1e-5)


def test_few_groups_are_in_balance_where_the_gradient_is_zero():
    # d/db_k of the penalised likelihood: cases of k less their summed probability less b_k; summed over k, sum b = 0.
    codes, values = drawn(30, seed=3)
    found = fit_class_calibration(codes, values)
    left = np.bincount(codes, minlength=3) - found.apply(values).sum(axis=0)
    np.testing.assert_allclose(left, found.intercepts, atol=1e-9)
    assert sum(found.intercepts) == pytest.approx(0.0, abs=1e-9)


def test_few_patients_who_are_all_called_right_do_not_make_a_probability_certain():
    codes = np.arange(12) % 3
    found = fit_class_calibration(codes, np.full((12, 3), 0.2) + 0.4 * np.eye(3)[codes])
    # All classes alike: nothing to move.
    np.testing.assert_allclose(found.apply([[0.5, 0.3, 0.2]]), [[0.5, 0.3, 0.2]], atol=1e-12)


def test_wrong_base_rates_of_few_patients_are_taken_back():
    codes = np.repeat([0, 1, 2], [43, 5, 12])
    values = softmax(np.random.default_rng(0).normal(size=(60, 3)) + 0.8 * np.eye(3)[codes], axis=1)
    assert np.abs(values.mean(axis=0) - [43 / 60, 5 / 60, 12 / 60]).max() > 0.2
    calibrated = fit_class_calibration(codes, values).apply(values).mean(axis=0)
    np.testing.assert_allclose(calibrated, [43 / 60, 5 / 60, 12 / 60], atol=0.03)


def test_a_class_that_nobody_has_keeps_a_finite_intercept():
    codes = np.arange(20) % 2
    found = fit_class_calibration(codes, np.full((20, 3), 1 / 3))
    assert found.method.startswith("intercepts only: 0 groups")
    assert 0 < found.apply([[1 / 3, 1 / 3, 1 / 3]])[0, 2] < 0.15


def test_separated_classes_keep_their_slope_and_say_why():
    codes = np.arange(90) % 3
    values = np.full((90, 3), 0.05) + 0.85 * np.eye(3)[codes]
    found = fit_class_calibration(codes, values)
    assert found.method == "intercepts only: the multinomial likelihood has no maximum"
    np.testing.assert_allclose(found.apply(values), values, atol=1e-12)


SHARES = np.array([0.72, 0.08, 0.20])


def patients(generator: np.random.Generator, count: int, distance: float) -> tuple[np.ndarray, np.ndarray]:
    """Return classes and the log likelihood of each class: findings x ~ N(distance e_k, I), distance x_k."""
    codes = generator.choice(3, count, p=SHARES)
    return codes, distance * (generator.normal(size=(count, 3)) + distance * np.eye(3)[codes])


@pytest.mark.parametrize(
    ("distance", "accuracy", "cost", "gain"),
    [(1.547, 0.85, 0.025, 0.12), (2.234, 0.93, 0.015, 0.05), (3.062, 0.98, 0.005, 0.01)],
)
def test_tuning_parts_of_32_patients_mend_wrong_base_rates_and_leave_right_ones(distance, accuracy, cost, gain):
    fresh, evidence = patients(np.random.default_rng(1), 4000, distance)
    assert np.mean((evidence + np.log(SHARES)).argmax(axis=1) == fresh) == pytest.approx(accuracy, abs=0.01)

    def log_losses(base_rates):
        """Return the log loss of fresh patients before, and its mean after, for a model with these base rates."""
        given = softmax(evidence + np.log(base_rates), axis=1)
        generator, after = np.random.default_rng(2), []
        for _ in range(60):
            codes, own = patients(generator, 32, distance)
            calibrated = fit_class_calibration(codes, softmax(own + np.log(base_rates), axis=1)).apply(given)
            after.append(-np.log(calibrated[np.arange(fresh.size), fresh]).mean())
        return -np.log(given[np.arange(fresh.size), fresh]).mean(), np.mean(after)

    before, after = log_losses(SHARES)
    assert after < before + cost
    wrong_before, wrong_after = log_losses(np.ones(3) / 3)
    assert wrong_after < wrong_before - gain
    assert wrong_after < before + 0.03


@settings(max_examples=30, deadline=None)
@given(st.floats(0.2, 5), st.lists(st.floats(-2, 2), min_size=3, max_size=3), st.integers(0, 99))
def test_what_is_written_is_read_back_and_sums_to_one(slope, intercepts, seed):
    found = ClassCalibration(slope, tuple(intercepts))
    assert ClassCalibration.from_dict(found.as_dict()) == found
    values = np.random.default_rng(seed).dirichlet([1, 1, 1], 5)
    np.testing.assert_allclose(found.apply(values).sum(axis=1), 1.0)


def test_a_calibration_without_sense_is_refused():
    with pytest.raises(ValueError, match="slope above 0"):
        ClassCalibration(0.0, (0.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="3 classes"):
        ClassCalibration(1.0, (0.0, 0.0, 0.0)).apply([[0.5, 0.5]])
