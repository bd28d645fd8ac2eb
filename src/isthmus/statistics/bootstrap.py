"""The group bootstrap: whole groups are drawn with replacement; a replicate weighs rows instead of copying them.

A statistic is therefore a function of weights: `statistic(weights [B, N]) -> [B]` or `[B, K]`, NaN where a replicate
has no answer. Weighted statistics shared by several measures stand here too.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.statistics.inputs import BoolArray, FloatArray, as_groups
from isthmus.statistics.interval import Interval, check_level, undefined

REPLICATES = 2000
# Weights of one chunk, in numbers: 4 million float64 are 32 MB, so memory stays bounded at any size.
CHUNK = 4_000_000


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


def percentile_interval(estimate: float, replicates: FloatArray, level: float = 0.95, note: str = "") -> Interval:
    """Return the percentile interval of replicates [B]; those without an answer (NaN) are left out and counted.

    Source: B. Efron, R. Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    check_level(level)
    method = f"percentile of {len(replicates)} group bootstraps"
    answered = replicates[~np.isnan(replicates)]
    if np.isnan(estimate) or answered.size == 0:
        return undefined(method, note or "not defined on these data", level)
    if answered.size < replicates.size:
        note = "; ".join(filter(None, (note, f"{replicates.size - answered.size} replicates had no answer")))
    tail = (1 - level) / 2
    low, high = np.quantile(answered, [tail, 1 - tail])
    return Interval(float(estimate), float(low), float(high), level, method, note)


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
