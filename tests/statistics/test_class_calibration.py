"""Calibrating several classes: against statsmodels' conditional logit, and the laws that it must keep."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from isthmus.statistics.class_calibration import ClassCalibration, fit_class_calibration
from isthmus.statistics.recalibration import fit_temperature


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


def test_few_groups_in_the_smallest_class_get_a_temperature_alone():
    codes, values = drawn(seed=2)
    groups = np.where(codes == 1, codes + np.arange(len(codes)) % 4, 100 + np.arange(len(codes)))
    found = fit_class_calibration(codes, values, groups)
    assert found.method == "temperature alone: 4 groups in the smallest class"
    assert found.intercepts == (0.0, 0.0, 0.0)
    assert found.slope == pytest.approx(1 / fit_temperature(codes, values).temperature)


def test_separated_classes_are_held_and_said():
    codes = np.arange(90) % 3
    values = np.full((90, 3), 0.05) + 0.85 * np.eye(3)[codes]
    found = fit_class_calibration(codes, values)
    assert "held at its limit" in found.method
    assert np.isfinite(found.apply(values)).all()


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
