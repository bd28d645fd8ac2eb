"""The lognormal curve of a bolus of contrast agent, its derivatives, and what is read off it.

``baseline + peak * exp(-ln(x)**2 / (2 spread**2))`` with ``x = (t - delay) / mode``, the lognormal density of Strouthos
et al. (see :mod:`isthmus.statistics.bolus`) over its own mode; parameters always in the order baseline, peak, delay,
mode, spread.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from isthmus.statistics.inputs import FloatArray

MEASURES: Final = (
    "peak", "arrival_s", "peak_time_s", "time_to_peak_s", "wash_in", "wash_out", "area", "mean_transit_s",
)  # fmt: skip
"""What is read off a fitted curve; see :meth:`isthmus.statistics.bolus.BolusFit.values`."""
ARRIVED: Final = 0.1
"""The agent has arrived when this share of the peak is reached; the delay itself, where the curve leaves zero, is
poorly determined."""


def bolus_curve(parameters: FloatArray, times_s: ArrayLike) -> FloatArray:
    """Return the curve's values at these times."""
    baseline, peak, delay, mode, spread = parameters
    after = np.maximum((np.asarray(times_s, dtype=np.float64) - delay) / mode, 1e-300)
    curve: FloatArray = baseline + peak * np.exp(-(np.log(after) ** 2) / (2.0 * spread**2))
    return curve


def bolus_jacobian(parameters: FloatArray, times: FloatArray) -> FloatArray:
    """Return the derivatives of the curve by its parameters [T, 5]."""
    _, peak, delay, mode, spread = parameters
    since = times - delay
    here = since > 0
    log = np.log(np.where(here, since, mode) / mode)
    shape = np.where(here, np.exp(-(log**2) / (2.0 * spread**2)), 0.0)
    by_log = -peak * shape * log / spread**2
    by_delay = -by_log / np.where(here, np.maximum(since, 1e-12), 1.0)
    return np.stack([np.ones_like(times), shape, by_delay, -by_log / mode, peak * shape * log**2 / spread**3], axis=1)


def bolus_measures(parameters: FloatArray) -> dict[str, float]:
    """Return all of :data:`MEASURES`."""
    _, peak, delay, mode, spread = parameters.tolist()
    arrived = mode * np.exp(-spread * np.sqrt(-2.0 * np.log(ARRIVED)))
    rise, fall = steepest(spread)
    return {
        "peak": peak,
        "arrival_s": float(delay + arrived),
        "peak_time_s": delay + mode,
        "time_to_peak_s": float(mode - arrived),
        "wash_in": float(peak / mode * _slope(rise, spread)),
        "wash_out": float(-peak / mode * _slope(fall, spread)),
        "area": float(peak * mode * spread * np.sqrt(2.0 * np.pi) * np.exp(0.5 * spread**2)),
        "mean_transit_s": float(mode * np.exp(1.5 * spread**2)),
    }


def steepest(spread: float) -> tuple[float, float]:
    """Return ``ln(x)`` of the steepest rise and fall: the roots of ``u**2 / spread**2 + u - 1``."""
    root = np.sqrt(1.0 + 4.0 / spread**2)
    return 0.5 * spread**2 * (-1.0 - root), 0.5 * spread**2 * (-1.0 + root)


def _slope(log: float, spread: float) -> float:
    return float(-log / spread**2 * np.exp(-log - log**2 / (2.0 * spread**2)))
