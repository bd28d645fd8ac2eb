"""A mean of clustered values with its interval: clusters of one kind, or of two kinds that cross."""

from math import sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from isthmus.statistics.inputs import FloatArray, IntArray, as_groups
from isthmus.statistics.interval import Interval, check_level, undefined


def clustered_mean(
    values: ArrayLike, groups: ArrayLike | None = None, second: ArrayLike | None = None, level: float = 0.95
) -> Interval:
    """Return a mean with a t interval over its clusters.

    Parameters
    ----------
    values : array_like [N]
    groups : array_like [N], optional
        Whom each value belongs to (patients); None: every value is a cluster.
    second : array_like [N], optional
        Clusters of another kind that cross the first (readers). The variance is then that of the first plus that of
        the second less that of both together, never below the larger of the first two.
    level : float

    Returns
    -------
    Interval
        Degrees of freedom: clusters less one, of the kind that has fewer. Without limits for one cluster.

    Source: C. Cameron, J. Gelbach, D. Miller, Journal of Business & Economic Statistics 29 (2011) 238-249.

    Examples
    --------
    >>> interval = clustered_mean([1.0, 2.0, 3.0, 4.0])
    >>> round(interval.low, 3), round(interval.high, 3)
    (0.446, 4.554)
    """
    array = _as_values(values)
    codes, count = as_groups(groups, array.size)
    kinds = [(codes, count)]
    method = "t over clusters"
    if second is not None:
        other, others = as_groups(second, array.size)
        kinds.append((other, others))
        method = "t over two crossing kinds of clusters"
    fewest = min(number for _, number in kinds)
    estimate = float(array.mean())
    if fewest < 2:
        return Interval(estimate, float("-inf"), float("inf"), level, method, "one cluster only: no interval")
    parts = [_variance(array, code, number) for code, number in kinds]
    variance = parts[0]
    if len(kinds) == 2:
        both, number = as_groups(kinds[0][0] * kinds[1][1] + kinds[1][0], array.size)
        variance = max(parts[0] + parts[1] - _variance(array, both, number), *parts)
    half = _t(level, fewest - 1) * sqrt(variance)
    note = "every cluster has the same mean: no variance to judge by" if variance == 0 else ""
    return Interval(estimate, estimate - half, estimate + half, level, method, note)


def compare_clustered_means(
    a: ArrayLike, b: ArrayLike, groups_a: ArrayLike, groups_b: ArrayLike, level: float = 0.95
) -> Interval:
    """Return the difference of two means, a - b, on different values; a cluster may have values on both sides.

    Parameters
    ----------
    a : array_like [N]
    b : array_like [K]
    groups_a, groups_b : array_like
        Clusters under common names.
    level : float

    Source: the cluster-robust variance of K.-Y. Liang, S. Zeger, Biometrika 73 (1986) 13-22, with a t quantile on the
    degrees of freedom of the side that has fewer clusters.
    """
    first, second = _as_values(a), _as_values(b)
    codes, count = as_groups(np.concatenate([np.asarray(groups_a), np.asarray(groups_b)]), first.size + second.size)
    sides = codes[: first.size], codes[first.size :]
    numbers = [len(np.unique(side)) for side in sides]
    estimate = float(first.mean() - second.mean())
    method = "cluster-robust t"
    if min(numbers) < 2:
        return undefined(method, "one cluster only on a side: no interval", level)
    influence = [
        np.bincount(side, weights=values - values.mean(), minlength=count) / values.size * sqrt(number / (number - 1))
        for values, side, number in zip((first, second), sides, numbers, strict=True)
    ]
    half = _t(level, min(numbers) - 1) * sqrt(float(np.sum((influence[0] - influence[1]) ** 2)))
    return Interval(estimate, estimate - half, estimate + half, level, method)


def _variance(values: FloatArray, codes: IntArray, count: int) -> float:
    sums = np.bincount(codes, weights=values - values.mean(), minlength=count) / values.size
    return float(np.sum(sums**2)) * count / (count - 1)


def _as_values(values: ArrayLike) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
        raise ValueError("a mean needs one non-empty row of finite numbers")
    return array


def _t(level: float, degrees: int) -> float:
    check_level(level)
    return float(stdtrit(degrees, 0.5 + level / 2))
