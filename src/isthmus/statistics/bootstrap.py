"""The group bootstrap: whole groups are drawn with replacement; a replicate weighs rows instead of copying them.

A statistic is therefore a function of weights: `statistic(weights [B, N]) -> [B]` or `[B, K]`, NaN where a replicate
has no answer. Weighted statistics shared by several measures stand here too.
"""

from collections.abc import Callable, Iterator
from math import sqrt
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri, stdtrit

from isthmus.statistics.inputs import BoolArray, FloatArray, as_groups
from isthmus.statistics.interval import Comparison, Interval, check_level, compare, undefined

REPLICATES = 2000
Kind = Literal["percentile", "bca"]
# Weights of one chunk, in numbers: half a million float64 are 4 MB, which a processor's cache holds; memory is bounded.
CHUNK = 500_000


def group_counts(groups: int, replicates: int, seed: int = 0) -> Iterator[NDArray[np.float64]]:
    """Yield chunks [B, G]: how often each of G groups was drawn in each replicate; rows sum to G."""
    if replicates < 1:
        raise ValueError(f"{replicates} bootstrap replicates: at least 1 is needed, 2000 is the default")
    generator = np.random.default_rng(seed)
    chunk = max(1, min(replicates, CHUNK // groups))
    for start in range(0, replicates, chunk):
        size = min(chunk, replicates - start)
        drawn = generator.integers(groups, size=(size, groups))
        drawn += np.arange(size)[:, None] * groups
        yield np.bincount(drawn.ravel(), minlength=size * groups).reshape(size, groups).astype(np.float64)


def group_bootstrap(
    statistic: Callable[[FloatArray], FloatArray],
    length: int,
    groups: ArrayLike | None = None,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> FloatArray:
    """Return a statistic on bootstrap replicates of whole groups.

    Parameters
    ----------
    statistic : callable
        From weights [B, N] (whole numbers, how often each row was drawn) to values [B] or [B, K].
    length : int
        N, rows.
    groups : array_like [N], optional
        None: every row is a group.
    replicates, seed : int
        The same seed draws the same groups, so that two statistics with one seed are paired.

    Returns
    -------
    ndarray [replicates] or [replicates, K]

    Examples
    --------
    >>> values = np.arange(10.0)
    >>> means = group_bootstrap(lambda w: w @ values / w.sum(axis=1), 10, replicates=500)
    >>> bool(abs(means.mean() - 4.5) < 0.2)
    True
    """
    codes, count = as_groups(groups, length)
    parts = []
    for drawn in group_counts(count, replicates, seed):
        # Rows may outnumber groups; the chunk of rows is bounded on its own.
        step = max(1, CHUNK // length)
        for start in range(0, len(drawn), step):
            weights = drawn[start : start + step]
            parts.append(statistic(weights if groups is None else weights[:, codes]))
    return np.concatenate(parts)


def percentile_interval(
    estimate: float, replicates: FloatArray, level: float = 0.95, note: str = "", groups: int | None = None
) -> Interval:
    """Return the percentile interval of replicates [B]; those without an answer (NaN) are left out and counted.

    With ``groups``, how many there are in the smaller class, it is widened as a t interval is.

    Source: B. Efron, R. Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    check_level(level)
    method = f"percentile of {len(replicates)} group bootstraps" + (", widened for few groups" if groups else "")
    answered = replicates[~np.isnan(replicates)]
    if np.isnan(estimate) or answered.size == 0:
        return undefined(method, note or "not defined on these data", level)
    if answered.size < replicates.size:
        note = "; ".join(filter(None, (note, unanswered(replicates.size - answered.size))))
    tail = widened_tail((1 - level) / 2, groups) if groups else (1 - level) / 2
    low, high = np.quantile(answered, [tail, 1 - tail])
    return Interval(float(estimate), float(low), float(high), level, method, note)


def unanswered(replicates: int) -> str:
    """Return the note that so many replicates had no answer."""
    return f"{replicates} replicate{'' if replicates == 1 else 's'} had no answer"


def widened_tail(tail: float, groups: int) -> float:
    """Return the share to leave out on each side so that a percentile interval is as wide as a t interval.

    Source: T. Hesterberg, The American Statistician 69 (2015) 371-386, section 5.2.
    """
    if groups < 2:
        return tail
    return float(ndtr(stdtrit(groups - 1, tail) * sqrt(groups / (groups - 1))))


def jackknife(
    statistic: Callable[[FloatArray], FloatArray], length: int, groups: ArrayLike | None = None
) -> FloatArray:
    """Return a statistic [G] with each group left out once; parameters as `group_bootstrap`."""
    codes, count = as_groups(groups, length)
    step = max(1, CHUNK // max(length, count))
    parts = []
    for start in range(0, count, step):
        kept = np.ones((min(step, count - start), count))
        kept[np.arange(len(kept)), start + np.arange(len(kept))] = 0.0
        parts.append(statistic(kept if groups is None else kept[:, codes]))
    return np.concatenate(parts)


def bca_interval(
    estimate: float, replicates: FloatArray, left_out: FloatArray, level: float = 0.95, note: str = ""
) -> Interval:
    """Return the bias-corrected and accelerated interval of replicates [B].

    Parameters
    ----------
    estimate : float
    replicates : ndarray [B]
        Those without an answer (NaN) are left out and counted.
    left_out : ndarray [G]
        The statistic with each group left out once: see `jackknife`.

    Notes
    -----
    Where the replicates lie all on one side of the estimate the correction does not exist: the percentile interval is
    given, and the note says so.

    Source: B. Efron, R. Tibshirani, An Introduction to the Bootstrap (1993), section 14.3;
    `scipy.stats.bootstrap(method="BCa")`.
    """
    plain = percentile_interval(estimate, replicates, level, note)
    if np.isnan(plain.estimate):
        return plain
    answered = replicates[~np.isnan(replicates)]
    below = (np.mean(answered < estimate) + np.mean(answered <= estimate)) / 2
    values = left_out[~np.isnan(left_out)]
    spread = values.mean() - values if values.size else np.zeros(1)
    scale = float(np.sum(spread**2)) ** 1.5
    if below in (0.0, 1.0) or scale == 0:
        why = "; ".join(filter(None, (plain.note, "BCa does not exist here: percentile limits")))
        return Interval(plain.estimate, plain.low, plain.high, level, plain.method, why)
    acceleration = float(np.sum(spread**3)) / (6 * scale)
    bias = float(ndtri(below))
    z = bias + ndtri(np.array([(1 - level) / 2, (1 + level) / 2]))
    low, high = np.quantile(answered, ndtr(bias + z / (1 - acceleration * z)))
    method = f"BCa of {len(replicates)} group bootstraps"
    return Interval(float(estimate), float(low), float(high), level, method, plain.note)


def compare_replicates(
    estimate_a: float, estimate_b: float, replicates: FloatArray, level: float, what: str, note: str = ""
) -> Comparison:
    """Compare two estimates by bootstrapped pairs [B, 2]: z = difference / its standard deviation, two-sided p.

    Source: R `pROC::roc.test(method = "bootstrap")`.
    """
    method = f"{what}, paired z of {len(replicates)} group bootstraps"
    differences = replicates[:, 0] - replicates[:, 1]
    answered = differences[~np.isnan(differences)]
    if answered.size < len(differences):
        note = "; ".join(filter(None, (note, unanswered(len(differences) - answered.size))))
    if np.isnan(estimate_a - estimate_b) or answered.size < 2:
        nothing = undefined(method, note or "not defined on these data", level)
        return Comparison(nothing, float("nan"), float("nan"), method, estimate_a, estimate_b)
    # Rounding alone may part replicates of identical models.
    variance = float(np.var(answered, ddof=1))
    return compare(estimate_a, estimate_b, 0.0 if variance < 1e-24 else variance, level, method, note)


def weighted_aucs(labels: BoolArray, scores: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the AUC [B] of one score [N] under weights [B, N]; NaN where a class has no weight.

    Rows of weight 0 take no part, so a restriction to two of several classes is a matter of weights.
    """
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    starts = np.concatenate([[0], np.flatnonzero(np.diff(ordered)) + 1])
    sorted_weights = weights[:, order]
    positive = np.add.reduceat(sorted_weights * labels[order], starts, axis=1)
    negative = np.add.reduceat(sorted_weights * ~labels[order], starts, axis=1)
    below = np.cumsum(negative, axis=1) - negative / 2
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    concordant = np.einsum("bn,bn->b", positive, below)
    aucs = np.full(len(weights), np.nan)
    np.divide(concordant, pairs, out=aucs, where=pairs > 0)
    return aucs
