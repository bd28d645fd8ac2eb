"""An estimate with its confidence interval, and a comparison of two estimates."""

from dataclasses import dataclass
from math import exp, isfinite, log, sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, ndtr, ndtri

from isthmus.statistics.inputs import FloatArray


@dataclass(frozen=True)
class Interval:
    """An estimate between its confidence limits.

    Parameters
    ----------
    estimate, low, high : float
        The estimate and its limits; NaN where the data cannot give one, and then `note` says why.
    level : float
        Confidence, between 0 and 1.
    method : str
        How the limits were made.
    note : str
        What a reader must know before trusting them; empty when there is nothing.

    Examples
    --------
    >>> Interval(0.8, 0.7, 0.9, method="Wilson").as_dict()
    {'estimate': 0.8, 'low': 0.7, 'high': 0.9, 'level': 0.95, 'method': 'Wilson'}
    """

    estimate: float
    low: float
    high: float
    level: float = 0.95
    method: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        check_level(self.level)
        if self.low > self.high:
            raise ValueError(f"an interval's low limit {self.low} lies above its high limit {self.high}")

    def as_dict(self) -> dict[str, float | str | None]:
        """Return the fields for JSON: a number that does not exist (NaN, infinite) is None; no note, no key."""
        fields: dict[str, float | str | None] = {
            "estimate": _number(self.estimate),
            "low": _number(self.low),
            "high": _number(self.high),
            "level": self.level,
            "method": self.method,
        }
        if self.note:
            fields["note"] = self.note
        return fields


@dataclass(frozen=True)
class Comparison:
    """The difference a - b of two estimates, with its test.

    Parameters
    ----------
    difference : Interval
        a - b.
    statistic : float
        z or t, as `method` says; NaN where there is none.
    p : float
        Two-sided; NaN where there is no test.
    method : str
        Name of the test.
    estimate_a, estimate_b : float
        The two estimates themselves.
    """

    difference: Interval
    statistic: float
    p: float
    method: str
    estimate_a: float
    estimate_b: float

    def as_dict(self) -> dict[str, float | str | None]:
        """Return the fields for JSON, flat: difference, low, high, level, statistic, p, method and both estimates."""
        fields: dict[str, float | str | None] = {
            "difference": _number(self.difference.estimate),
            "low": _number(self.difference.low),
            "high": _number(self.difference.high),
            "level": self.difference.level,
            "statistic": _number(self.statistic),
            "p": _number(self.p),
            "method": self.method,
            "estimate_a": _number(self.estimate_a),
            "estimate_b": _number(self.estimate_b),
        }
        if self.difference.note:
            fields["note"] = self.difference.note
        return fields


def undefined(method: str, note: str, level: float = 0.95) -> Interval:
    """Return an interval without numbers that says why."""
    return Interval(float("nan"), float("nan"), float("nan"), level, method, note)


def check_level(level: float) -> None:
    """Raise ValueError unless the level lies strictly between 0 and 1."""
    if not 0 < level < 1:
        raise ValueError(f"a confidence level of {level}: it must lie between 0 and 1, as 0.95 does")


def normal_quantile(level: float) -> float:
    """Return z of a two-sided interval, 1.96 for 0.95."""
    check_level(level)
    return float(ndtri(0.5 + level / 2))


def logit_interval(estimate: float, variance: float, level: float = 0.95, method: str = "", note: str = "") -> Interval:
    """Return the interval that is symmetric on the logit scale, so that it stays inside 0..1.

    Parameters
    ----------
    estimate : float
        Strictly between 0 and 1.
    variance : float
        Of the estimate on its own scale, >= 0; the delta method takes it to the logit.
    level, method, note
        As for `Interval`.

    Raises
    ------
    ValueError
        For an estimate of 0 or 1, whose logit does not exist.
    """
    if not 0 < estimate < 1:
        raise ValueError(f"the logit of {estimate} does not exist: take an interval that is made for 0 and 1")
    half = normal_quantile(level) * sqrt(variance) / (estimate * (1 - estimate))
    centre = log(estimate / (1 - estimate))
    # Rounding in the logit and back must not push a limit past the estimate when the variance is tiny.
    low, high = min(float(expit(centre - half)), estimate), max(float(expit(centre + half)), estimate)
    return Interval(estimate, low, high, level, method, note)


def log_interval(estimate: float, log_variance: float, level: float = 0.95, method: str = "") -> Interval:
    """Return the interval that is symmetric on the log scale, for a positive ratio and the variance of its log."""
    factor = exp(normal_quantile(level) * sqrt(log_variance))
    return Interval(estimate, estimate / factor, estimate * factor, level, method)


def compare(
    estimate_a: float, estimate_b: float, variance: float, level: float, method: str, note: str = ""
) -> Comparison:
    """Return the z comparison of two estimates in 0..1 from the variance of their difference.

    No variance and no difference (identical models) gives p = 1; no variance but a difference gives no test.
    """
    difference = estimate_a - estimate_b
    if variance <= 0:
        same = difference == 0
        reason = "the two rank every pair alike" if same else "the data hold no variance: no test can be made"
        interval = Interval(difference, difference, difference, level, method, "; ".join(filter(None, (note, reason))))
        nan = float("nan")
        return Comparison(interval, 0.0 if same else nan, 1.0 if same else nan, method, estimate_a, estimate_b)
    error = sqrt(variance)
    z = difference / error
    half = normal_quantile(level) * error
    interval = Interval(difference, max(-1.0, difference - half), min(1.0, difference + half), level, method, note)
    return Comparison(interval, z, float(2 * ndtr(-abs(z))), method, estimate_a, estimate_b)


def holm(p_values: ArrayLike) -> FloatArray:
    """Return Holm's adjusted p-values, in the order given; a NaN stays and does not count.

    Source: S. Holm, Scandinavian Journal of Statistics 6 (1979) 65-70; R `p.adjust(p, "holm")`.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    if ((p < 0) | (p > 1)).any():
        raise ValueError("a p-value outside 0 to 1 cannot be adjusted")
    adjusted = np.full(p.shape, np.nan)
    given = np.flatnonzero(~np.isnan(p))
    order = given[np.argsort(p[given], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def _number(value: float) -> float | None:
    return float(value) if isfinite(value) else None
