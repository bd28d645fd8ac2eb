"""The tests of a Table 1 where one patient or group has several rows: equal shares and means, cluster-robust."""

from math import sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from isthmus.statistics.group_tests import (
    GroupTest,
    categorical_test,
    looks_normal,
    no_test,
    numeric_test,
    table_of_counts,
)
from isthmus.statistics.inputs import FloatArray, IntArray, as_groups


def clustered_numeric_test(values: ArrayLike, classes: ArrayLike, groups: ArrayLike | None = None) -> GroupTest:
    """Compare numbers between classes of cases that belong to groups.

    Equal to `numeric_test` where every group is one case. Else Welch's t (several classes: a Wald F) with
    cluster-robust variances, of the values where every class looks normal, of their mid-ranks where not.

    Parameters
    ----------
    values : array_like [N]
        Finite numbers.
    classes : array_like of int [N]
        0, 1, …
    groups : array_like [N], optional

    Source: K.-Y. Liang, S. Zeger, Biometrika 73 (1986) 13-22, with G/(G-1) and Satterthwaite's degrees by class;
    ranks: E. Brunner, U. Munzel, Biometrical Journal 42 (2000) 17-25.
    """
    numbers, of = np.asarray(values, dtype=np.float64), np.asarray(classes, dtype=np.intp)
    codes, count = as_groups(groups, numbers.size)
    samples = [numbers[of == k] for k in range(int(of.max(initial=-1)) + 1)]
    if count == numbers.size or len(samples) < 2 or np.ptp(numbers) == 0:
        return numeric_test(samples)
    if all(looks_normal(sample) for sample in samples):
        return _robust_means(numbers, of, codes, count, "Welch's t, cluster-robust")
    return _robust_means(stats.rankdata(numbers), of, codes, count, "Mann-Whitney, cluster-robust")


def _robust_means(values: FloatArray, of: IntArray, codes: IntArray, count: int, method: str) -> GroupTest:
    """Test equal means of the classes on the covariance of class means over groups."""
    k = int(of.max()) + 1
    if k > 2:
        method = method.replace("Welch's t", "means, Wald F").replace("Mann-Whitney", "mean ranks, Wald F")
    means, influence = np.empty(k), np.zeros((k, count))
    sizes = np.array([np.unique(codes[of == one]).size for one in range(k)], dtype=np.float64)
    if sizes.min() < 2:
        return no_test(method, "a class has fewer than 2 groups")
    for one in range(k):
        rows = of == one
        means[one] = values[rows].mean()
        shares = np.bincount(codes[rows], weights=values[rows] - means[one], minlength=count) / rows.sum()
        influence[one] = shares * sqrt(sizes[one] / (sizes[one] - 1))
    covariance = influence @ influence.T
    if k > 2:
        contrast = np.hstack([np.eye(k - 1), -np.ones((k - 1, 1))])
        spread = contrast @ covariance @ contrast.T
        if np.linalg.matrix_rank(spread) < k - 1:
            return no_test(method, "the classes hold too little variance to test with")
        away = contrast @ means
        f = float(away @ np.linalg.solve(spread, away)) / (k - 1)
        degrees = float(sizes.min() - 1)
        return GroupTest(method, f, (k - 1.0, degrees), float(stats.f.sf(f, k - 1, degrees)))
    own = np.diag(covariance)
    variance = float(own.sum() - 2 * covariance[0, 1])
    if variance <= 1e-30 or own.sum() == 0:
        return no_test(method, "no variance between groups to test with")
    t = float((means[0] - means[1]) / sqrt(variance))
    degrees = float(own.sum() ** 2 / np.sum(own**2 / (sizes - 1)))
    return GroupTest(method, t, (degrees,), float(2 * stats.t.sf(abs(t), degrees)))


def clustered_categorical_test(levels: ArrayLike, classes: ArrayLike, groups: ArrayLike | None = None) -> GroupTest:
    """Compare the shares of categories between classes of cases that belong to groups.

    Equal to `categorical_test` where every group is one case. Else Rao and Scott's chi-square of second order:
    Pearson's statistic over its design effect, against F with Satterthwaite's degrees.

    Parameters
    ----------
    levels, classes : array_like of int [N]
        Codes 0, 1, …
    groups : array_like [N], optional

    Source: J. Rao, A. Scott, Annals of Statistics 12 (1984) 46-60; R `survey::svychisq(statistic = "F")`.
    """
    level, of = np.asarray(levels, dtype=np.intp), np.asarray(classes, dtype=np.intp)
    codes, count = as_groups(groups, level.size)
    table = table_of_counts(level, of)
    if count == level.size:
        return categorical_test(table)
    method = "chi-square, Rao-Scott"
    kept = [np.flatnonzero(table.any(axis=axis)) for axis in (1, 0)]
    table = table[np.ix_(*kept)]
    if min(table.shape) < 2:
        return no_test(method, "all are of one category" if table.shape[0] < 2 else "one group only")
    shape = table.shape
    cell = np.searchsorted(kept[0], level) * shape[1] + np.searchsorted(kept[1], of)
    share = table.ravel() / level.size
    sums = np.zeros((count, share.size))
    np.add.at(sums, (codes, cell), 1.0)
    away = (sums - np.bincount(codes, minlength=count)[:, None] * share) / level.size
    covariance = away.T @ away * (count / (count - 1)) if count > 1 else np.zeros((share.size, share.size))
    effects = _design_effects(share, covariance, shape, level.size)
    mean_effect = float(np.trace(effects))
    if mean_effect <= 1e-12:
        return no_test(method, "no variance between groups to test with")
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    statistic = float(np.sum((table - expected) ** 2 / expected)) / mean_effect
    degrees = mean_effect**2 / float(np.trace(effects @ effects))
    other = degrees * (count - 1)
    return GroupTest(method, statistic, (degrees, other), float(stats.f.sf(statistic, degrees, other)))


def _design_effects(share: FloatArray, covariance: FloatArray, shape: tuple[int, ...], n: int) -> FloatArray:
    """Return the matrix of generalised design effects of independence; its trace over its rank is their mean."""
    rows, columns = np.divmod(np.arange(share.size), shape[1])
    main = np.column_stack(
        [np.ones(share.size)]
        + [rows == place for place in range(1, shape[0])]
        + [columns == place for place in range(1, shape[1])]
    ).astype(np.float64)
    both = np.column_stack(
        [(rows == a) & (columns == b) for a in range(1, shape[0]) for b in range(1, shape[1])]
    ).astype(np.float64)
    contrast = both - main @ np.linalg.lstsq(main, both, rcond=None)[0]
    inverse: FloatArray = np.divide(1.0, share, out=np.zeros_like(share), where=share > 0)
    simple = contrast.T @ (contrast * inverse[:, None]) / n
    clustered = (contrast * inverse[:, None]).T @ covariance @ (contrast * inverse[:, None])
    return np.asarray(np.linalg.lstsq(simple, clustered, rcond=None)[0], dtype=np.float64)
