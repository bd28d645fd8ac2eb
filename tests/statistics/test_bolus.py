"""The bolus fit, against R's ``nls`` and against curves whose parameters are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from isthmus.statistics.bolus import BolusFit, fit_bolus, speckle_weights
from isthmus.statistics.bolus_curve import MEASURES, bolus_curve, bolus_jacobian

# BolusFit(0.02, 0.8, 7.3, 11, 0.62).curve with 8 % of noise, four decimals; times 0, 1, …, 49.
INTENSITIES = np.array([
    0.0201, 0.0222, 0.022, 0.0192, 0.0195, 0.0192, 0.0209, 0.0199, 0.0212, 0.0244, 0.0917, 0.1893, 0.3504, 0.4708,
    0.5828, 0.7239, 0.8152, 0.7907, 0.8092, 0.8608, 0.7432, 0.6779, 0.7604, 0.6611, 0.5567, 0.5759, 0.5532, 0.4834,
    0.4365, 0.4602, 0.4547, 0.3845, 0.34, 0.3438, 0.3253, 0.277, 0.2733, 0.2619, 0.2195, 0.1929, 0.1961, 0.1802,
    0.1781, 0.1363, 0.1336, 0.1224, 0.1052, 0.115, 0.1108, 0.0935,
])  # fmt: skip
TIMES = np.arange(50.0)
# f <- function(t, B, P, d, m, s) { x <- pmax((t - d) / m, 1e-300); B + P * exp(-log(x)^2 / (2 * s^2)) }
# q <- nls(y ~ f(t, B, P, d, m, s), weights = w, algorithm = "port",
#          start = list(B = .03, P = .75, d = 7.2, m = 10.5, s = .65), control = nls.control(maxiter = 500))
# w: all 1, and round(1 / (y^2 + 0.04), 3); R 4.2. Area by integrate(), its error by the delta method with vcov(q),
# wash-in by optimize() over numeric slopes.
FROM_R = {
    "alike": {
        "parameters": (0.0211240747, 0.7841438042, 7.9894969683, 9.8520276763, 0.6736335785),
        "peak_error": 0.01123683801, "area": 16.36713, "area_error": 0.4716766, "wash_in": 0.159427872,
    },
    "weighted": {
        "parameters": (0.0195026605, 0.7753916211, 7.5018955622, 10.5437883034, 0.6448992666),
        "peak_error": 0.01160598776, "area": 16.27084, "area_error": 0.234037, "wash_in": 0.147875811,
    },
}  # fmt: skip


@pytest.mark.parametrize("which", list(FROM_R))
def test_the_fit_is_that_of_nls_in_r(which):
    weights = np.round(1 / (INTENSITIES**2 + 0.04), 3) if which == "weighted" else None
    fit, r = fit_bolus(TIMES, INTENSITIES, weights), FROM_R[which]
    assert (fit.baseline, fit.peak, fit.delay_s, fit.mode_s, fit.spread) == pytest.approx(r["parameters"], rel=1e-5)
    assert fit.errors["peak"] == pytest.approx(r["peak_error"], rel=1e-4)
    assert fit.values["area"] == pytest.approx(r["area"], rel=1e-5)
    assert fit.errors["area"] == pytest.approx(r["area_error"], rel=1e-4)
    assert fit.values["wash_in"] == pytest.approx(r["wash_in"], rel=1e-5)
    assert not fit.doubts


@given(delay=st.floats(2, 8), mode=st.floats(5, 12), spread=st.floats(0.4, 0.9), scale=st.sampled_from([1e-4, 1.0]))
@settings(max_examples=15, deadline=None)
def test_a_curve_without_noise_is_found_again_in_any_unit(delay, mode, spread, scale):
    true = BolusFit(0.05 * scale, scale, delay, mode, spread, 1.0)
    times = np.arange(0, 90, 0.75)
    fit = fit_bolus(times, true.curve(times))
    assert [fit.values[name] for name in MEASURES] == pytest.approx([true.values[name] for name in MEASURES], rel=1e-3)
    assert fit.r2 == pytest.approx(1.0)


def test_what_is_read_off_a_curve_is_what_integrals_and_differences_give():
    fit = BolusFit(0.1, 2.0, 5.0, 9.0, 0.6, 1.0)
    above = lambda time: float(fit.curve(time)) - 0.1  # noqa: E731
    area = quad(above, 5, 400, limit=400)[0]
    assert fit.values["area"] == pytest.approx(area, rel=1e-6)
    moment = quad(lambda time: (time - 5) * above(time), 5, 900, limit=800)[0]
    assert fit.values["mean_transit_s"] == pytest.approx(moment / area, rel=1e-5)
    times = np.linspace(5.001, 60, 200_001)
    slope = np.gradient(fit.curve(times), times)
    assert fit.values["wash_in"] == pytest.approx(slope.max(), rel=1e-4)
    assert fit.values["wash_out"] == pytest.approx(-slope.min(), rel=1e-4)
    assert above(fit.values["peak_time_s"]) == pytest.approx(2.0)
    assert above(fit.values["arrival_s"]) == pytest.approx(0.2)
    assert fit.values["time_to_peak_s"] == pytest.approx(fit.values["peak_time_s"] - fit.values["arrival_s"])


def test_the_derivatives_are_those_of_the_curve():
    parameters, times = np.array([0.1, 1.5, 3.0, 8.0, 0.7]), np.array([0.0, 2.9, 4.0, 11.0, 40.0])
    for place in range(5):
        step = 1e-6 * np.eye(5)[place]
        slope = (bolus_curve(parameters + step, times) - bolus_curve(parameters - step, times)) / 2e-6
        assert bolus_jacobian(parameters, times)[:, place] == pytest.approx(slope, abs=1e-7)


TRUE = BolusFit(0.01, 1.0, 6.0, 10.0, 0.75, 1.0)


def _clip(start, stop, noise=0.05):
    times = np.arange(start, stop, 0.5)
    return times, TRUE.curve(times) * (1 + noise * np.random.default_rng(1).standard_normal(len(times)))


@pytest.mark.parametrize(
    ("start", "stop", "reason", "doubted", "trusted"),
    [
        (0, 14, "ends before the peak", MEASURES, ()),
        (0, 26, "to 50% of its peak", ("area", "mean_transit_s"), ("peak", "time_to_peak_s", "wash_in", "wash_out")),
        (11, 70, "there when the clip begins", ("arrival_s", "time_to_peak_s", "area"), ("peak_time_s", "wash_out")),
        (24, 90, "begins after", ("peak", "wash_in"), ()),
        (0, 70, "", (), MEASURES),
    ],
)
def test_what_a_clip_does_not_show_is_doubted_and_the_rest_trusted(start, stop, reason, doubted, trusted):
    fit = fit_bolus(*_clip(start, stop))
    assert all(reason in fit.doubts[name] or "determine" in fit.doubts[name] for name in doubted)
    assert not set(trusted) & set(fit.doubts)
    assert all(np.isnan(fit.trusted(name)) for name in doubted)
    assert all(fit.trusted(name) == pytest.approx(TRUE.values[name], rel=0.1) for name in trusted)


@pytest.mark.parametrize(
    ("intensities", "reason"),
    [
        (np.full(40, 0.3), "the intensity is constant"),
        (np.zeros(40), "the intensity is constant"),
        (5 + np.random.default_rng(0).standard_normal(40), "out of the noise"),
        (np.r_[np.full(33, np.nan), np.arange(7.0)], "7 frames show the region; a curve needs 8"),
    ],
)
def test_where_no_bolus_is_seen_nothing_is_measured_and_it_is_said_why(intensities, reason):
    fit = fit_bolus(np.arange(40.0), intensities)
    assert np.isnan(list(fit.values.values())).all()
    assert set(fit.doubts) == set(MEASURES)
    assert reason in fit.doubts["peak"]


def test_a_rise_too_fast_for_a_bolus_is_none():
    times = np.arange(0, 30, 0.2)
    fit = fit_bolus(times, BolusFit(0.0, 1.0, 10.0, 1.5, 0.6, 1.0).curve(times))
    assert np.isnan(fit.peak)
    assert "was the probe moved" in fit.doubts["peak"]


def test_frames_without_the_region_are_left_out():
    times, values = _clip(0, 70)
    with_gaps = values.copy()
    with_gaps[::7] = np.nan
    seen = np.isfinite(with_gaps)
    assert fit_bolus(times, with_gaps).peak == pytest.approx(fit_bolus(times[seen], values[seen]).peak)


def test_weights_by_speckle_lower_bright_frames_and_bound_dark_ones():
    weights = speckle_weights([0.0, 0.5, 1.0, np.nan])
    assert weights[:3] == pytest.approx([16.0, 1 / 0.3125, 1 / 1.0625])
    assert speckle_weights([0.0, 0.0]) is None


def test_times_that_do_not_ascend_are_refused():
    with pytest.raises(ValueError, match="time 2 is not after"):
        fit_bolus([0.0, 1.0, 1.0], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="weights"):
        fit_bolus([0.0, 1.0], [1.0, 2.0], [1.0, -1.0])
