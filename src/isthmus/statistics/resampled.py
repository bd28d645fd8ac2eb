"""Intervals and comparisons of measures between 0 and 1 whose variance is taken from a group bootstrap."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from isthmus.statistics.bootstrap import (
    bca_interval,
    compare_replicates,
    group_bootstrap,
    jackknife,
    percentile_interval,
    unanswered,
)
from isthmus.statistics.inputs import BoolArray, FloatArray, as_groups, count_groups
from isthmus.statistics.interval import Comparison, Interval, check_level, logit_interval, normal_quantile, undefined
from isthmus.statistics.proportions import wilson
from isthmus.statistics.roc import few_groups_note

Scale = Literal["logit", "wilson", "percentile", "bca"]
_NO_VARIANCE = 1e-24  # of replicates that differ by rounding alone


def resampled_interval(
    statistic: Callable[[FloatArray], FloatArray],
    labels: BoolArray,
    groups: ArrayLike | None,
    scale: Scale,
    *,
    cases: int,
    level: float,
    replicates: int,
    seed: int,
    degrees: Callable[[tuple[int, int]], float] | None = None,
) -> Interval:
    """Return a statistic of weights [B, N] -> [B] on all rows, with its interval from a group bootstrap.

    `scale` and `cases` as in `interval_of_replicates`; ``bca`` also leaves each group out once; `degrees` makes degrees
    of freedom from the numbers of groups.
    """
    if scale not in ("logit", "wilson", "percentile", "bca"):
        raise ValueError(f"no interval {scale!r}; there are 'logit', 'wilson', 'percentile' and 'bca'")
    check_level(level)
    codes, _ = as_groups(groups, labels.size)
    estimate = float(statistic(np.ones((1, labels.size)))[0])
    drawn = group_bootstrap(statistic, labels.size, groups, replicates, seed)
    few = count_groups(codes, labels), count_groups(codes, ~labels)
    if scale == "percentile":
        return percentile_interval(estimate, drawn, level, few_groups_note(*few))
    if scale == "bca":
        left_out = jackknife(statistic, labels.size, groups)
        return bca_interval(estimate, drawn, left_out, level, few_groups_note(*few))
    freedom = None if degrees is None else degrees(few)
    return interval_of_replicates(estimate, drawn, scale, cases=cases, groups=few, level=level, degrees=freedom)


def interval_of_replicates(
    estimate: float,
    replicates: FloatArray,
    scale: Literal["logit", "wilson"],
    *,
    cases: int,
    groups: tuple[int, int],
    level: float = 0.95,
    degrees: float | None = None,
) -> Interval:
    """Return the interval of a measure between 0 and 1 from the variance of its bootstrap replicates [B].

    On these scales the variance is taken from the bootstrap and the shape is not: percentile limits of a bootstrap fall
    short near 0 and 1 and with few cases. Where replicates do not vary (a perfect ranking, constant scores), or a class
    has one group, the limits are Wilson's for the groups of the smaller class, and the note says so.

    Parameters
    ----------
    estimate : float
    replicates : ndarray [B]
        Those without an answer (NaN) are left out and counted.
    scale : {'logit', 'wilson'}
        Symmetric on the logit, or Wilson's on the number of cases that would have this variance.
    cases : int
        At most so many are taken for Wilson's limits: those whose proportion it is.
    groups : (int, int)
        With a positive and with a negative case.
    level : float
    degrees : float, optional
        Of freedom of that variance: Student's t takes the normal quantile's place.
    """
    method = f"variance of {len(replicates)} group bootstraps, {'logit' if scale == 'logit' else 'Wilson'}"
    method += "" if degrees is None else f", t with {degrees:.3g} degrees"
    answered = replicates[~np.isnan(replicates)]
    note = few_groups_note(*groups)
    if answered.size < len(replicates):
        note = "; ".join(filter(None, (note, unanswered(len(replicates) - answered.size))))
    if np.isnan(estimate):
        return undefined(method, note or "not defined on these data", level)
    estimate = min(max(estimate, 0.0), 1.0)
    variance = float(np.var(answered, ddof=1)) if answered.size > 1 else 0.0
    fewest = min(groups)
    if variance <= _NO_VARIANCE or estimate in (0.0, 1.0) or fewest < 2:
        reason = f"its variance cannot be estimated: Wilson's limits for {fewest} group{'' if fewest == 1 else 's'}"
        return _wilson(estimate, fewest, level, "Wilson", "; ".join(filter(None, (note, reason))))
    if degrees is not None:
        variance *= (float(stdtrit(degrees, 0.5 + level / 2)) / normal_quantile(level)) ** 2
    if scale == "logit":
        return logit_interval(estimate, variance, level, method, note)
    return _wilson(estimate, min(estimate * (1 - estimate) / variance, cases), level, method, note)


def _wilson(estimate: float, number: float, level: float, method: str, note: str) -> Interval:
    found = wilson(min(estimate * number, number), number, level, method, note)
    low, high = min(found.low, estimate), max(found.high, estimate)  # freed from rounding of effective counts
    return Interval(estimate, low, high, level, method, note)


def resampled_comparison(
    one: Callable[[FloatArray], FloatArray],
    other: Callable[[FloatArray], FloatArray],
    labels: BoolArray,
    groups: ArrayLike | None,
    what: str,
    *,
    level: float,
    replicates: int,
    seed: int,
) -> Comparison:
    """Compare two statistics of weights [B, N] -> [B] on the same rows and the same resamplings: a - b, z, p."""
    check_level(level)
    codes, _ = as_groups(groups, labels.size)
    whole = np.ones((1, labels.size))
    drawn = group_bootstrap(lambda w: np.stack([one(w), other(w)], axis=1), labels.size, groups, replicates, seed)
    note = few_groups_note(count_groups(codes, labels), count_groups(codes, ~labels))
    return compare_replicates(float(one(whole)[0]), float(other(whole)[0]), drawn, level, what, note)
