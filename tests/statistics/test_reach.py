"""The reach of a study by its own standard error: against the sizes of binormal theory, and the laws of power."""

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from isthmus.statistics.reach import error_of, groups_needed, power_of_study, smallest_difference
from isthmus.statistics.roc import compare_aucs
from isthmus.statistics.sample_size_auc import auc_difference


def test_the_size_is_that_of_binormal_theory_where_scores_are_binormal():
    draw = np.random.default_rng(4)
    truth = np.arange(6000) % 5 == 0
    both = draw.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], truth.size)
    both[truth] += np.array([norm.ppf(0.734), norm.ppf(0.624)]) * np.sqrt(2)  # the published AUCs
    found = compare_aucs(truth, both[:, 0], both[:, 1]).difference
    error = error_of(found.low, found.high, 0.95)
    for power in (0.8, 0.9):
        derived = auc_difference(0.734, 0.624, 0.2, correlation=0.6, power=power).total
        assert groups_needed(error, truth.size, 0.734 - 0.624, power) == pytest.approx(derived, rel=0.06)


@given(st.floats(1e-3, 0.2), st.floats(1e-3, 0.5), st.floats(0.5, 0.99), st.integers(20, 5000))
def test_a_study_of_the_needed_size_has_the_power_and_one_patient_less_has_not(error, difference, power, groups):
    size = groups_needed(error, groups, difference, power)
    there = error * np.sqrt(groups / size)
    assert power_of_study(there, difference) >= power - 1e-9
    if size > 2:
        fewer = error * np.sqrt(groups / (size - 1))
        assert smallest_difference(fewer, power) > difference * (1 - 1e-9)


def test_ends():
    assert groups_needed(0.05, 116, 0.0) == inf
    assert power_of_study(0.05, 0.0) == pytest.approx(0.05)
    assert error_of(-0.0980, 0.0980, 0.95) == pytest.approx(0.05, abs=1e-5)
    with pytest.raises(ValueError, match="must be above 0"):
        smallest_difference(0.0)
    with pytest.raises(ValueError, match="a study of 0 groups"):
        groups_needed(0.05, 0, 0.1)
