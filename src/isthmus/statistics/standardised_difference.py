"""Standardised differences between two groups: how far apart they are in units of their own spread, at any size."""

from math import inf, nan, sqrt

import numpy as np
from numpy.typing import ArrayLike

from isthmus.statistics.inputs import FloatArray
from isthmus.statistics.interval import Interval, normal_quantile, undefined

NOTICEABLE = 0.1
"""From here on a difference is commonly called an imbalance (P. Austin, Statistics in Medicine 28 (2009) 3083)."""
NO_CATEGORY_SHARED = "no category shared"
WITHOUT_SPREAD = "no group varies, and their values differ"
UNBOUNDED = (NO_CATEGORY_SHARED, WITHOUT_SPREAD)
"""Why a difference has no estimate though the groups are further apart than any number says: its note."""


def standardised_mean_difference(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> Interval:
    """Return (mean a - mean b) over the root of the mean of both variances, with its interval.

    Parameters
    ----------
    a, b : array_like
        The numbers of each group, missing ones left out.
    level : float

    Source: P. Austin, Statistics in Medicine 28 (2009) 3083-3107, equation 1 (R `stddiff`, `tableone`); interval:
    D. Bonett, Psychological Methods 13 (2008) 99-109, equation 10, for unequal variances.

    Examples
    --------
    >>> round(standardised_mean_difference([1, 2, 3], [2, 3, 4]).estimate, 3)
    -1.0
    """
    method = "standardised mean difference, Bonett"
    one, two = (np.asarray(values, dtype=np.float64) for values in (a, b))
    if one.ndim != 1 or two.ndim != 1 or not (np.isfinite(one).all() and np.isfinite(two).all()):
        raise ValueError("both groups must be one row of finite numbers; leave missing ones out")
    if min(one.size, two.size) < 2:
        return undefined(method, "a group has fewer than 2 cases", level)
    difference = float(one.mean() - two.mean())
    s, t = float(one.var(ddof=1)), float(two.var(ddof=1))
    if s + t == 0:
        return _no_spread(difference, level, method, WITHOUT_SPREAD)
    mean, n, m = (s + t) / 2, one.size - 1, two.size - 1
    d = difference / sqrt(mean)
    return _around(d, d**2 * (s**2 / n + t**2 / m) / (8 * mean**2) + (s / n + t / m) / mean, level, method)


def standardised_share_difference(counts_a: ArrayLike, counts_b: ArrayLike, level: float = 0.95) -> Interval:
    """Return the standardised difference of a categorical column, with its interval.

    Two categories: (share a - share b of the first) over the root of the mean of both p (1 - p). More: the Mahalanobis
    distance of the shares, which has no sign. A category that neither group has is left out. The interval is by the
    delta method for two categories, and Hedges and Olkin's for more.

    Parameters
    ----------
    counts_a, counts_b : array_like [K]
        How many of each group are of each category, in the same order.
    level : float

    Source: D. Yang, J. Dalton, SAS Global Forum 2012, paper 335 (R `stddiff`, `tableone`); L. Hedges, I. Olkin,
    Statistical Methods for Meta-Analysis (1985) p. 86.

    Examples
    --------
    >>> round(standardised_share_difference([49, 176], [21, 34]).estimate, 4)
    -0.3639
    """
    method = "standardised difference of shares"
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
        return _of_two_shares(float(p[0]), float(q[0]), *sizes, level, f"{method}, delta method")
    covariance = (_multinomial(p[1:]) + _multinomial(q[1:])) / 2
    away = p[1:] - q[1:]
    solved, _, rank, _ = np.linalg.lstsq(covariance, away, rcond=1e-12)
    if rank < away.size and not np.allclose(covariance @ solved, away, atol=1e-12):
        return undefined(method, NO_CATEGORY_SHARED, level)
    distance = sqrt(max(float(away @ solved), 0.0))
    variance = sum(sizes) / (sizes[0] * sizes[1]) + distance**2 / (2 * sum(sizes))
    found = _around(distance, variance, level, f"{method}, Hedges-Olkin")
    return Interval(distance, max(found.low, 0.0), found.high, level, found.method)


def largest_difference(intervals: list[Interval]) -> Interval:
    """Return the difference furthest from 0 of those between all pairs of several groups: one without bound first."""
    if not intervals:
        return Interval(nan, nan, nan, note="one group only")
    return max(intervals, key=_size)


def _size(found: Interval) -> float:
    """Return how far apart two groups are: without bound infinitely, unknown less than not at all."""
    if np.isnan(found.estimate):
        return inf if found.note in UNBOUNDED else -1.0
    return abs(found.estimate)


def _multinomial(share: FloatArray) -> FloatArray:
    found: FloatArray = np.diag(share) - np.outer(share, share)
    return found


def _of_two_shares(p: float, q: float, n: int, m: int, level: float, method: str) -> Interval:
    s, t = p * (1 - p), q * (1 - q)
    if s + t == 0:
        return _no_spread(p - q, level, method, NO_CATEGORY_SHARED)
    spread = sqrt((s + t) / 2)
    by_p = 1 / spread - (p - q) * (1 - 2 * p) / (4 * spread**3)
    by_q = -1 / spread - (p - q) * (1 - 2 * q) / (4 * spread**3)
    return _around((p - q) / spread, by_p**2 * s / n + by_q**2 * t / m, level, method)


def _no_spread(difference: float, level: float, method: str, why: str) -> Interval:
    if difference == 0:
        return Interval(0.0, 0.0, 0.0, level, method, "no group varies")
    return undefined(method, why, level)


def _around(d: float, variance: float, level: float, method: str) -> Interval:
    half = normal_quantile(level) * sqrt(variance)
    return Interval(d, d - half, d + half, level, method)
