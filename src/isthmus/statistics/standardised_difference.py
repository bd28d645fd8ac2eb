"""Standardised differences between two groups: how far apart they are in units of their own spread, at any size."""

from math import nan, sqrt

import numpy as np
from numpy.typing import ArrayLike

from isthmus.statistics.inputs import FloatArray
from isthmus.statistics.interval import Interval, normal_quantile, undefined

NOTICEABLE = 0.1
"""From here on a difference is commonly called an imbalance (P. Austin, Statistics in Medicine 28 (2009) 3083)."""


def standardised_mean_difference(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> Interval:
    """Return (mean a - mean b) over the root of the mean of both variances, with its interval.

    Parameters
    ----------
    a, b : array_like
        The numbers of each group, missing ones left out.
    level : float

    Source: P. Austin, Statistics in Medicine 28 (2009) 3083-3107, equation 1; interval: L. Hedges, I. Olkin,
    Statistical Methods for Meta-Analysis (1985) p. 86; R `stddiff::stddiff.numeric`.

    Examples
    --------
    >>> round(standardised_mean_difference([1, 2, 3], [2, 3, 4]).estimate, 3)
    -1.0
    """
    method = "standardised mean difference, Hedges-Olkin"
    one, two = (np.asarray(values, dtype=np.float64) for values in (a, b))
    if one.ndim != 1 or two.ndim != 1 or not (np.isfinite(one).all() and np.isfinite(two).all()):
        raise ValueError("both groups must be one row of finite numbers; leave missing ones out")
    if min(one.size, two.size) < 2:
        return undefined(method, "a group has fewer than 2 cases", level)
    difference = float(one.mean() - two.mean())
    spread = sqrt((float(one.var(ddof=1)) + float(two.var(ddof=1))) / 2)
    return _interval(difference, spread, one.size, two.size, level, method)


def standardised_share_difference(counts_a: ArrayLike, counts_b: ArrayLike, level: float = 0.95) -> Interval:
    """Return the standardised difference of a categorical column, with its interval.

    Two categories: (share a - share b of the first) over the root of the mean of both p (1 - p). More: the Mahalanobis
    distance of the shares, which has no sign. A category that neither group has is left out.

    Parameters
    ----------
    counts_a, counts_b : array_like [K]
        How many of each group are of each category, in the same order.
    level : float

    Source: D. Yang, J. Dalton, SAS Global Forum 2012, paper 335; R `stddiff::stddiff.binary`, `stddiff.category`.

    Examples
    --------
    >>> round(standardised_share_difference([49, 176], [21, 34]).estimate, 4)
    -0.3639
    """
    method = "standardised difference of shares, Hedges-Olkin"
    one, two = (np.asarray(counts, dtype=np.float64) for counts in (counts_a, counts_b))
    if one.ndim != 1 or one.shape != two.shape or (one < 0).any() or (two < 0).any():
        raise ValueError("both groups need one count for each of the same categories, none negative")
    kept = (one + two) > 0
    one, two = one[kept], two[kept]
    sizes = int(one.sum()), int(two.sum())
    if min(sizes) == 0:
        return undefined(method, "a group has no case", level)
    if one.size < 2:
        return Interval(0.0, 0.0, 0.0, level, method, "all are of one category")
    p, q = one / sizes[0], two / sizes[1]
    if one.size == 2:
        spread = sqrt((p[0] * p[1] + q[0] * q[1]) / 2)
        return _interval(float(p[0] - q[0]), spread, *sizes, level, method)
    covariance = (_multinomial(p[1:]) + _multinomial(q[1:])) / 2
    away = p[1:] - q[1:]
    solved, _, rank, _ = np.linalg.lstsq(covariance, away, rcond=1e-12)
    if rank < away.size and not np.allclose(covariance @ solved, away, atol=1e-12):
        return undefined(method, "the groups share no category: they differ without bound", level)
    distance = sqrt(max(float(away @ solved), 0.0))
    found = _interval(distance, 1.0, *sizes, level, method)
    return Interval(distance, max(found.low, 0.0), found.high, level, method, found.note)


def largest_difference(intervals: list[Interval]) -> Interval:
    """Return the difference furthest from 0 of those between all pairs of several groups."""
    known = [found for found in intervals if not np.isnan(found.estimate)]
    if known:
        return max(known, key=lambda found: abs(found.estimate))
    return intervals[0] if intervals else Interval(nan, nan, nan, note="one group only")


def _multinomial(share: FloatArray) -> FloatArray:
    found: FloatArray = np.diag(share) - np.outer(share, share)
    return found


def _interval(difference: float, spread: float, n: int, m: int, level: float, method: str) -> Interval:
    if spread == 0:
        if difference == 0:
            return Interval(0.0, 0.0, 0.0, level, method, "no group varies")
        return undefined(method, "no group varies: the difference is without bound", level)
    d = difference / spread
    half = normal_quantile(level) * sqrt((n + m) / (n * m) + d**2 / (2 * (n + m)))
    return Interval(d, d - half, d + half, level, method)
