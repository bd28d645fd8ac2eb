"""The mean of several classes' recalls (balanced accuracy), with limits from each class's own."""

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from isthmus.statistics.inputs import FloatArray, as_groups
from isthmus.statistics.interval import Interval, undefined
from isthmus.statistics.proportions import clustered_proportion, group_influence


def mean_recall(
    labels: ArrayLike,
    calls: ArrayLike,
    classes: Sequence[object],
    groups: ArrayLike | None = None,
    level: float = 0.95,
) -> Interval:
    """Return the plain mean of the classes' recalls.

    Each class has Wilson's interval on its effective number; their distances to the limits are squared and added, tied
    by groups that have cases of several classes. It exists where a class has one case or none is called wrong, where a
    percentile bootstrap has no width.

    Parameters
    ----------
    labels, calls : array_like [N]
        Values of `classes`.
    classes : sequence of K
    groups : array_like [N], optional
    level : float

    Source: R. Newcombe, Statistics in Medicine 17 (1998) 873-890, method 10; for several terms G. Zou, A. Donner,
    Statistics in Medicine 27 (2008) 1693-1702.

    Examples
    --------
    >>> found = mean_recall(["a", "b", "b", "c", "c", "c"], ["a", "b", "c", "c", "c", "c"], "abc")
    >>> round(found.estimate, 3), round(found.low, 2), round(found.high, 2)
    (0.833, 0.48, 0.97)
    """
    method = "square-and-add of the Wilson intervals"
    truth, called = np.asarray(labels), np.asarray(calls)
    codes, count = as_groups(groups, truth.size)
    recalls: list[Interval] = []
    influences: list[FloatArray] = []
    for name in classes:
        own = truth == name
        if not own.any():
            return undefined(method, "a class has no case", level)
        right = called[own] == name
        recalls.append(clustered_proportion(right, codes[own], level))
        influences.append(group_influence(right, codes[own], count))
    tied = _correlation(np.stack(influences))
    down = np.array([one.estimate - one.low for one in recalls])
    up = np.array([one.high - one.estimate for one in recalls])
    estimate = float(np.mean([one.estimate for one in recalls]))
    reach = [sqrt(max(float(away @ tied @ away), 0.0)) / len(recalls) for away in (down, up)]
    return Interval(estimate, max(0.0, estimate - reach[0]), min(1.0, estimate + reach[1]), level, method)


def _correlation(influences: FloatArray) -> FloatArray:
    """Return the correlations [K, K] of influences [K, G]: 1 with itself, 0 where a class has no spread."""
    size = np.sqrt(np.sum(influences**2, axis=1))
    found = influences @ influences.T
    tied = np.divide(found, np.outer(size, size), out=np.zeros_like(found), where=np.outer(size, size) > 0)
    np.fill_diagonal(tied, 1.0)
    return tied
