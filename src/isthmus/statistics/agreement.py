"""Agreement of two readers on a scale of numbers: quadratic-weighted kappa, rank correlation; groups resampled."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from isthmus.statistics.bootstrap import REPLICATES, group_bootstrap, percentile_interval
from isthmus.statistics.category_agreement import few_groups
from isthmus.statistics.inputs import FloatArray, as_groups
from isthmus.statistics.interval import Interval, undefined

Statistic = Callable[[FloatArray], FloatArray]


def quadratic_kappa(
    a: ArrayLike, b: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95, replicates: int = REPLICATES
) -> Interval:
    """Return Cohen's kappa with quadratic weights of two readers, with a bootstrap of whole groups.

    Parameters
    ----------
    a, b : array_like [N]
        Both readers' ratings of the same cases, as numbers on one scale of equal steps.
    groups : array_like [N], optional
        Whom each case belongs to.
    level : float
    replicates : int

    Returns
    -------
    Interval
        Without numbers where both readers gave one rating to all cases.

    Source: J. Cohen, Psychological Bulletin 70 (1968) 213-220. With quadratic weights kappa is 1 minus the mean squared
    difference over the one expected of independent readers, so that no table of categories is needed.

    Examples
    --------
    >>> round(quadratic_kappa([1, 2, 3, 4, 5], [1, 2, 3, 5, 4], replicates=10).estimate, 6)
    0.9
    """
    first, second = _as_ratings(a), _as_ratings(b)
    if first.shape != second.shape:
        raise ValueError(f"two readers rated {first.size} and {second.size} cases: give the cases that both rated")

    def kappa(weights: FloatArray) -> FloatArray:
        total = weights.sum(axis=1)
        squares = weights @ (first**2 + second**2) / total
        expected = squares - 2 * (weights @ first) * (weights @ second) / total**2
        observed = weights @ (first - second) ** 2 / total
        return _ratio(expected - observed, expected)

    return _bootstrapped(kappa, first.size, groups, level, replicates, "both readers gave one rating to all cases")


def rank_correlation(
    x: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95, replicates: int = REPLICATES
) -> Interval:
    """Return Spearman's rank correlation with a bootstrap of whole groups.

    Parameters
    ----------
    x, y : array_like [N]
        At least three cases.
    groups : array_like [N], optional
    level : float
    replicates : int

    Source: C. Spearman, American Journal of Psychology 15 (1904) 72-101; ties take their mean rank.
    """
    first, second = _as_ratings(x), _as_ratings(y)
    if first.shape != second.shape:
        raise ValueError(f"{first.size} values beside {second.size}: a correlation needs pairs")
    if first.size < 3:
        return undefined("Spearman", f"{first.size} cases: too few to rank", level)

    def rho(weights: FloatArray) -> FloatArray:
        values = np.empty(len(weights))
        for row, counts in enumerate(weights.astype(int)):
            ranks = np.stack([rankdata(np.repeat(first, counts)), rankdata(np.repeat(second, counts))])
            ranks -= ranks.mean(axis=1, keepdims=True)
            spread = np.sqrt((ranks**2).sum(axis=1).prod())
            values[row] = (ranks[0] * ranks[1]).sum() / spread if spread > 0 else np.nan
        return values

    return _bootstrapped(rho, first.size, groups, level, replicates, "one side has one value only")


def _as_ratings(values: ArrayLike) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
        raise ValueError("ratings must be one non-empty row of finite numbers")
    return array


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    # Rounding leaves a trace where all ratings are alike.
    found = np.full(above.shape, np.nan)
    np.divide(above, below, out=found, where=np.abs(below) > 1e-12)
    return found


def _bootstrapped(
    statistic: Statistic, length: int, groups: ArrayLike | None, level: float, replicates: int, why_not: str
) -> Interval:
    estimate = float(statistic(np.ones((1, length)))[0])
    if np.isnan(estimate):
        return undefined("group bootstrap", why_not, level)
    note = few_groups(count := as_groups(groups, length)[1])
    if count < 2:  # every replicate would be the sample itself: an interval of no width
        return Interval(estimate, float("-inf"), float("inf"), level, "group bootstrap", note)
    with np.errstate(invalid="ignore", divide="ignore"):  # a replicate of one case only has no answer
        drawn = group_bootstrap(statistic, length, groups, replicates)
    return percentile_interval(estimate, drawn, level, note)
