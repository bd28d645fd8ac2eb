"""The time-intensity curve, against SciPy's lognormal density and the medians of its definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import lognorm

from isthmus.phantom.perfusion import SPREAD, lognormal


def test_the_curve_is_a_lognormal_density_over_its_own_mode():
    mode = 8.0
    times = np.linspace(0.1, 60, 400)
    density = lognorm(SPREAD, scale=mode * np.exp(SPREAD**2)).pdf
    assert lognormal(times, mode) == pytest.approx(density(times) / density(mode), abs=1e-12)


@given(to_peak=st.floats(2.0, 20.0), washout=st.floats(0.4, 3.0))
def test_the_peak_is_where_it_was_set_and_nothing_comes_before_the_arrival(to_peak, washout):
    times = np.linspace(-5.0, 90.0, 1901)
    curve = lognormal(times, to_peak, washout)
    assert (curve[times <= 0] == 0).all()
    assert times[curve.argmax()] == pytest.approx(to_peak, abs=0.05)
    assert curve.max() <= 1.0


def test_a_washout_of_two_halves_the_time_that_the_tail_takes():
    times = np.arange(0.0, 200.0, 0.01)
    tails = []
    for washout in (1.0, 2.0):
        curve = lognormal(times, 10.0, washout)
        tails.append(times[curve > 0.1].max() - 10.0)
    assert tails[0] == pytest.approx(2 * tails[1], rel=0.01)
