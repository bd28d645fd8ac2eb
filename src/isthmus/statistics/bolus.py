"""A bolus of contrast agent passing through tissue: the lognormal indicator-dilution curve, fitted to intensities.

Source: C. Strouthos, M. Lampaskis, V. Sboros, A. McNeilly, M. Averkiou, IEEE Trans. Ultrason. Ferroelectr. Freq.
Control 57 (2010) 1296-1310: the lognormal fits contrast-enhanced ultrasound best, with one other. Their density of
area A, mu and sigma is written here about its own mode ``m = exp(mu - sigma**2)``, with ``x = (t - delay) / m``:
``I(t) = baseline + peak * exp(-ln(x)**2 / (2 sigma**2))``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import least_squares

from isthmus.statistics.bolus_curve import MEASURES, bolus_curve, bolus_jacobian, bolus_measures, steepest
from isthmus.statistics.inputs import FloatArray

FEWEST_FRAMES: Final = 8
"""Five parameters, and something left to judge them by."""
LEAST_R2, LEAST_PEAK_TO_NOISE = 0.5, 3.0
PASSED: Final = 0.95
"""The peak is seen once the curve has fallen to this share of it."""
WASHED_OUT: Final = 0.5
"""The share of the peak to which the curve must fall for the rest of its area to be extrapolated."""
MOST_ERROR: Final = 0.5
"""Largest standard error of a value, against the value; of the three times, against the time to peak."""
FASTEST_S: Final = 2.0
"""No bolus given into a vein of the arm rises in less, from a tenth to its peak; a probe that is moved does it."""
_TIMES: Final = ("arrival_s", "peak_time_s", "time_to_peak_s")
_REACH_S: Final = 60.0  # how long before the first frame the agent may have come
_MODE_S, _SPREAD = (0.3, 240.0), (0.1, 2.0)
_STARTS: Final = 3
_FLOOR: Final = 0.25


@dataclass(frozen=True)
class BolusFit:
    """A fitted curve, what is read off it, and which of that is to be trusted.

    Parameters
    ----------
    baseline, peak : float
        Before the agent, and the peak's height above it; in the unit of the intensities.
    delay_s, mode_s, spread : float
        Where the curve leaves the baseline, how long after that it peaks, and its sigma.
    r2 : float
        Share of the (weighted) variance that the curve explains.
    errors : mapping
        Standard error of each of :data:`MEASURES`, by the delta method. Neighbouring frames share speckle, so they are
        lower limits.
    doubts : mapping
        For each measure that is not to be trusted, why.
    """

    baseline: float
    peak: float
    delay_s: float
    mode_s: float
    spread: float
    r2: float
    errors: Mapping[str, float] = field(default_factory=dict)
    doubts: Mapping[str, str] = field(default_factory=dict)

    def curve(self, times_s: ArrayLike) -> FloatArray:
        """Return the fitted intensities at these times."""
        return bolus_curve(np.array([self.baseline, self.peak, self.delay_s, self.mode_s, self.spread]), times_s)

    @property
    def values(self) -> dict[str, float]:
        """All of :data:`MEASURES`, trusted or not.

        ``arrival_s``, ``peak_time_s``: on the clip's clock. ``time_to_peak_s``: from arrival to peak. ``wash_in``,
        ``wash_out``: steepest rise and fall, a second. ``area``: under the whole curve above the baseline, with the
        tail that the clip does not show. ``mean_transit_s``: the curve's mean time, from the delay on.
        """
        return bolus_measures(np.array([self.baseline, self.peak, self.delay_s, self.mode_s, self.spread]))

    def trusted(self, measure: str) -> float:
        """Return a measure, or NaN where it is in doubt."""
        return float("nan") if measure in self.doubts else self.values[measure]


def fit_bolus(times_s: ArrayLike, intensities: ArrayLike, weights: ArrayLike | None = None) -> BolusFit:
    """Fit the lognormal curve by weighted least squares.

    A grid of delays, times to peak and spreads, on which baseline and peak are a linear problem, gives the starts;
    so the result does not depend on a guess. Baseline and peak are not negative.

    Parameters
    ----------
    times_s : array_like [T]
        Ascending, seconds.
    intensities : array_like [T]
        Linear (not log-compressed) mean intensity of a region; NaN where it was not in the picture.
    weights : array_like [T], optional
        Inverse variances, up to one common factor; all alike by default. See :func:`speckle_weights`.

    Returns
    -------
    BolusFit
        All NaN, with the reason as doubt, where no curve rises out of the noise.

    Raises
    ------
    ValueError
        When lengths differ, times do not ascend or a weight is negative.
    """
    times, values, weight = _checked(times_s, intensities, weights)
    if len(times) < FEWEST_FRAMES:
        return _nothing(f"{len(times)} frames show the region; a curve needs {FEWEST_FRAMES}")
    scale = float(np.abs(values).max())
    total = float(weight @ (values - np.average(values, weights=weight)) ** 2)
    if scale == 0.0 or total <= 1e-18 * scale**2 * float(weight.sum()):
        return _nothing("no enhancement: the intensity is constant")
    found = min(
        (_refined(start, times, values / scale, weight) for start in _starts(times, values / scale, weight)),
        key=lambda one: one.squares,
    )
    parameters = found.parameters * np.array([scale, scale, 1.0, 1.0, 1.0])
    r2 = 1.0 - found.squares * scale**2 / total
    noise = scale * np.sqrt(found.squares / max(1, len(times) - 5) / float(weight.mean()))
    if r2 < LEAST_R2 or parameters[1] < LEAST_PEAK_TO_NOISE * noise:
        return _nothing("no enhancement: no bolus curve rises out of the noise", r2=r2)
    if bolus_measures(parameters)["time_to_peak_s"] < FASTEST_S:
        return _nothing(f"no bolus: the intensity rises in less than {FASTEST_S:g} s; was the probe moved", r2=r2)
    errors = _errors(parameters, times, weight, found.squares * scale**2)
    baseline, peak, delay, mode, spread = parameters.tolist()
    return BolusFit(baseline, peak, delay, mode, spread, r2, errors, _doubts(parameters, times, errors))


def speckle_weights(errors: ArrayLike) -> FloatArray | None:
    """Return the weights of region means whose standard errors [T] follow the intensity, as speckle's do.

    A quarter of the largest error is added to all in quadrature: else the dark frames before the agent, in which the
    model's error is larger than speckle's, would decide the fit. None where all errors are 0.
    """
    found = np.asarray(errors, dtype=np.float64)
    largest = float(np.nanmax(found, initial=0.0))
    if largest == 0.0:
        return None
    weights: FloatArray = 1.0 / ((found / largest) ** 2 + _FLOOR**2)
    return weights


def _checked(
    times_s: ArrayLike, intensities: ArrayLike, weights: ArrayLike | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    times, values = (np.asarray(one, dtype=np.float64) for one in (times_s, intensities))
    weight = np.ones(len(times)) if weights is None else np.asarray(weights, dtype=np.float64)
    if times.ndim != 1 or values.shape != times.shape or weight.shape != times.shape:
        raise ValueError(f"{values.shape} intensities and {weight.shape} weights for {times.shape} times")
    known = np.isfinite(values) & np.isfinite(times) & np.isfinite(weight)
    times, values, weight = times[known], values[known], weight[known]
    if (np.diff(times) <= 0).any():
        raise ValueError(f"time {1 + int(np.argmax(np.diff(times) <= 0))} is not after the one before")
    if (weight < 0).any() or (len(weight) and not weight.any()):
        raise ValueError("weights must not be negative, nor all be 0")
    return times, values, weight


def _nothing(reason: str, r2: float = float("nan")) -> BolusFit:
    nan = float("nan")
    return BolusFit(nan, nan, nan, nan, nan, r2, dict.fromkeys(MEASURES, nan), dict.fromkeys(MEASURES, reason))


def _starts(times: FloatArray, values: FloatArray, weight: FloatArray) -> list[FloatArray]:
    length = float(times[-1] - times[0])
    delays = times[0] + length * np.array([-0.6, -0.3, -0.1, 0.0, 0.1, 0.2, 0.3, 0.45, 0.6])
    modes, spreads = length * np.array([0.05, 0.1, 0.2, 0.4, 0.8]), np.array([0.3, 0.6, 1.0])
    grid = np.stack(np.meshgrid(delays, np.clip(modes, *_MODE_S), spreads, indexing="ij"), axis=-1).reshape(-1, 3)
    after = np.maximum((times - grid[:, :1]) / grid[:, 1:2], 1e-300)
    shapes = np.exp(-(np.log(after) ** 2) / (2.0 * grid[:, 2:] ** 2))
    share = weight / weight.sum()
    shape_mean, value_mean = shapes @ share, values @ share
    varied = ((shapes - shape_mean[:, None]) ** 2) @ share
    together = ((shapes - shape_mean[:, None]) * (values - value_mean)) @ share
    peaks = np.maximum(together / np.maximum(varied, 1e-12), 1e-6)
    baselines = np.maximum(value_mean - peaks * shape_mean, 0.0)
    squares = ((values - baselines[:, None] - peaks[:, None] * shapes) ** 2) @ share
    best = np.argsort(squares, kind="stable")[:_STARTS]
    return [np.array([baselines[row], peaks[row], *grid[row]]) for row in best]


class _Found(NamedTuple):
    parameters: FloatArray
    squares: float


def _refined(start: FloatArray, times: FloatArray, values: FloatArray, weight: FloatArray) -> _Found:
    root = np.sqrt(weight / weight.mean())
    low = np.array([0.0, 0.0, times[0] - _REACH_S, _MODE_S[0], _SPREAD[0]])
    high = np.array([10.0, 100.0, times[-1], _MODE_S[1], _SPREAD[1]])

    def missed(parameters: FloatArray) -> FloatArray:
        return np.asarray(root * (bolus_curve(parameters, times) - values))

    def slopes(parameters: FloatArray) -> FloatArray:
        return np.asarray(root[:, None] * bolus_jacobian(parameters, times))

    found = least_squares(
        missed,
        np.clip(start, low + 1e-9, high - 1e-9),
        jac=slopes,
        bounds=(low, high),
        x_scale=np.array([1.0, 1.0, 5.0, 5.0, 0.5]),
        xtol=1e-11,
        ftol=1e-11,
        gtol=1e-11,
        max_nfev=400,
    )
    return _Found(found.x, 2.0 * float(found.cost) * float(weight.mean()))


def _errors(parameters: FloatArray, times: FloatArray, weight: FloatArray, squares: float) -> dict[str, float]:
    jacobian = np.sqrt(weight)[:, None] * bolus_jacobian(parameters, times)
    covariance = np.linalg.pinv(jacobian.T @ jacobian) * squares / max(1, len(times) - 5)
    steps = 1e-5 * np.maximum(np.abs(parameters), 1e-3)
    gradients = np.zeros((len(MEASURES), 5))
    for place, step in enumerate(steps):
        moved = [
            np.array(list(bolus_measures(parameters + sign * step * np.eye(5)[place]).values())) for sign in (1.0, -1.0)
        ]
        gradients[:, place] = (moved[0] - moved[1]) / (2.0 * step)
    variances = np.einsum("mi,ij,mj->m", gradients, covariance, gradients)
    return dict(zip(MEASURES, np.sqrt(np.maximum(variances, 0.0)).tolist(), strict=True))


def _doubts(parameters: FloatArray, times: FloatArray, errors: Mapping[str, float]) -> dict[str, str]:
    baseline, peak, delay, mode, spread = parameters.tolist()
    values = bolus_measures(parameters)
    doubts: dict[str, str] = {}

    def doubt(reason: str, *measures: str) -> None:
        for measure in measures:
            doubts.setdefault(measure, reason)

    first, last = times[0], times[-1]
    shares = (bolus_curve(parameters, times[[0, -1]]) - baseline) / peak
    rise, fall = (float(delay + mode * np.exp(log)) for log in steepest(spread))
    if values["peak_time_s"] < first:
        doubt("the clip begins after the peak", "peak", *_TIMES, "wash_in", "area", "mean_transit_s")
    if values["peak_time_s"] > last or shares[1] > PASSED:
        doubt("the clip ends before the peak has passed", *MEASURES)
    if values["arrival_s"] < first:
        doubt("the agent is there when the clip begins", "arrival_s", "time_to_peak_s", "area", "mean_transit_s")
    if rise < first:
        doubt("the clip begins after the steepest rise", "wash_in")
    if fall > last:
        doubt("the clip ends before the steepest fall", "wash_out")
    if shares[1] > WASHED_OUT:
        doubt(f"the clip ends before the agent has fallen to {WASHED_OUT:.0%} of its peak", "area", "mean_transit_s")
    for measure in MEASURES:
        reference = values["time_to_peak_s"] if measure in _TIMES else values[measure]
        if not errors[measure] <= MOST_ERROR * reference:
            doubt("these frames do not determine it", measure)
    return doubts
