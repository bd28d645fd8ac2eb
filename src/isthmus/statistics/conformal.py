"""Split conformal prediction sets: the classes that a case may have, right for a stated share of new patients.

The guarantee is marginal: over new groups exchangeable with those that calibrated the sets, not for one patient, nor
at another hospital. Nodules of one patient are not exchangeable with those of others; therefore a group counts once,
its cases sharing its weight, and the promise is for one case drawn from a new group.
"""

from dataclasses import dataclass
from math import inf
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.statistics.calibration_error import as_class_probabilities
from isthmus.statistics.inputs import BoolArray, FloatArray, IntArray, as_groups
from isthmus.statistics.interval import Interval, normal_quantile, undefined
from isthmus.statistics.proportions import clustered_proportion

# (n + 1) * 0.9 of 9 groups may come out as 9.000000000000002.
ROUNDING = 1e-9

USUAL_LEVEL: Final = 0.90
"""The share of new patients whose class a set is made to hold, where nothing else is asked for."""


@dataclass(frozen=True)
class SetQuality:
    """What prediction sets did on cases that they were not calibrated on.

    Parameters
    ----------
    coverage : Interval
        Share of cases whose class lies in their set.
    by_class : tuple of Interval
        The same among the cases of each class.
    size : Interval
        Mean number of classes in a set.
    single, empty, full : Interval
        Shares of sets with one class, with none, with all.
    right_when_single : Interval
        Among sets with one class, the share that name the right one.
    """

    coverage: Interval
    by_class: tuple[Interval, ...]
    size: Interval
    single: Interval
    empty: Interval
    full: Interval
    right_when_single: Interval


def conformal_quantile(scores: ArrayLike, groups: ArrayLike | None, miss: float) -> float:
    """Return the score that a new group's case stays at or below with probability 1 - miss, or infinity.

    Each of K groups has the weight 1 / (K + 1), shared equally by its cases; the rest lies at infinity. Where every
    group is one case this is the ceil((n + 1)(1 - miss))-th smallest score.

    Parameters
    ----------
    scores : array_like [N]
        Nonconformity, higher is stranger.
    groups : array_like [N], optional
    miss : float
        Share of cases that may be missed, 0.1 for sets at 90 %.

    Source: V. Vovk, A. Gammerman, G. Shafer, Algorithmic Learning in a Random World (2005); for groups Y. Lee, R.
    Barber, R. Willett, Distribution-free inference with hierarchical data, arXiv 2306.06342; before them R. Dunn, L.
    Wasserman, A. Ramdas, JASA 118 (2023) 2491-2502, who draw one case a group instead.

    Examples
    --------
    >>> conformal_quantile([0.1, 0.2, 0.3, 0.4], None, 0.2)
    0.4
    >>> conformal_quantile([0.1, 0.2, 0.3, 0.4], None, 0.1)
    inf
    """
    if not 0 < miss < 1:
        raise ValueError(f"a share of {miss} that may be missed: it must lie between 0 and 1, as 0.1 does")
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise ValueError(f"scores of shape {values.shape}: one row of finite numbers is needed")
    if values.size == 0:
        return inf
    codes, count = as_groups(groups, values.size)
    order = np.argsort(values, kind="stable")
    weights = (1 / np.bincount(codes, minlength=count))[codes][order]
    reached = np.cumsum(weights) >= (1 - miss) * (count + 1) - ROUNDING * (count + 1)
    return float(values[order][np.argmax(reached)]) if reached.any() else inf


def conformal_limits(
    labels: ArrayLike,
    probabilities: ArrayLike,
    miss: float,
    groups: ArrayLike | None = None,
    *,
    by_class: bool = True,
) -> FloatArray:
    """Return for each class the nonconformity 1 - p up to which it enters a set.

    Parameters
    ----------
    labels : array_like of int [N]
        Class codes 0..K-1.
    probabilities : array_like [N, K]
        Out-of-fold: of models that have not seen these cases.
    miss : float
        Share of cases that may be missed.
    groups : array_like [N], optional
    by_class : bool
        A limit of its own for each class, found among its cases, so that each class is covered (class-conditional,
        Mondrian); else one limit for all, under which a rare class may be missed more often.

    Returns
    -------
    ndarray [K]
        Infinite where a class has too few groups for the level: it then enters every set.

    Source: M. Sadinle, J. Lei, L. Wasserman, JASA 114 (2019) 223-234 (the score 1 - p, and limits by class); MAPIE
    `SplitConformalClassifier(conformity_score="lac")`.
    """
    codes, values = as_class_probabilities(labels, probabilities)
    strange = 1 - values[np.arange(codes.size), codes]
    of = None if groups is None else np.asarray(groups)
    if not by_class:
        return np.full(values.shape[1], conformal_quantile(strange, of, miss))
    rows_of = [codes == k for k in range(values.shape[1])]
    return np.array([conformal_quantile(strange[rows], None if of is None else of[rows], miss) for rows in rows_of])


def prediction_sets(probabilities: ArrayLike, limits: ArrayLike) -> BoolArray:
    """Return for each case and class [N, K] whether the class is in the case's set."""
    values, most = np.asarray(probabilities, dtype=np.float64), np.asarray(limits, dtype=np.float64)
    if values.ndim != 2 or most.shape != (values.shape[1],):
        raise ValueError(f"probabilities of shape {values.shape} and limits of shape {most.shape}: [N, K] and [K]")
    inside: BoolArray = 1 - values <= most
    return inside


def set_quality(
    labels: ArrayLike, sets: NDArray[np.bool_], groups: ArrayLike | None = None, level: float = 0.95
) -> SetQuality:
    """Return coverage and sizes of prediction sets, with intervals for clustered proportions.

    Parameters
    ----------
    labels : array_like of int [N]
        Class codes 0..K-1.
    sets : ndarray of bool [N, K]
    groups : array_like [N], optional
    level : float
    """
    codes, _ = as_class_probabilities(labels, np.asarray(sets, dtype=np.float64))
    of, count = as_groups(groups, codes.size)
    inside = sets[np.arange(codes.size), codes]
    size = sets.sum(axis=1)

    def share(outcome: BoolArray, rows: BoolArray | None = None) -> Interval:
        kept = np.ones(codes.size, dtype=bool) if rows is None else rows
        if not kept.any():
            return undefined("Wilson, effective n", "no such case", level)
        return clustered_proportion(outcome[kept], of[kept], level)

    return SetQuality(
        coverage=share(inside),
        by_class=tuple(share(inside, codes == k) for k in range(sets.shape[1])),
        size=_mean_size(size.astype(np.float64), of, count, sets.shape[1], level),
        single=share(size == 1),
        empty=share(size == 0),
        full=share(size == sets.shape[1]),
        right_when_single=share(inside, size == 1),
    )


def _mean_size(size: FloatArray, of: IntArray, count: int, most: int, level: float) -> Interval:
    estimate, method = float(size.mean()), "mean, cluster-robust normal"
    if count < 2:
        return Interval(estimate, 0.0, float(most), level, method, "one group only: no interval")
    residual = np.bincount(of, weights=size - estimate, minlength=count) / size.size
    half = normal_quantile(level) * float(np.sqrt(np.sum(residual**2) * count / (count - 1)))
    return Interval(estimate, max(0.0, estimate - half), min(float(most), estimate + half), level, method)
