"""A score against calls that somebody else made, such as a reading scheme's cut: at the calls' own specificity.

A call is one point of the ROC plane; setting it against a whole curve favours the curve. The score is therefore read at
the specificity that the calls have on the same cases (or at their sensitivity), and the other rate is compared. In each
resampling of the groups the point to be matched is found anew, so that its variance counts.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from isthmus.statistics.bootstrap import REPLICATES, compare_replicates, group_bootstrap
from isthmus.statistics.inputs import BoolArray, FloatArray, as_binary, as_groups, as_labels, as_scores, count_groups
from isthmus.statistics.interval import Comparison, check_level
from isthmus.statistics.roc import few_groups_note
from isthmus.statistics.weighted_curve import ROUNDING, CurveCounts, curve_counts


def compare_with_calls(
    labels: ArrayLike,
    scores: ArrayLike,
    calls: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    matched: Literal["specificity", "sensitivity"] = "specificity",
    level: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> list[Comparison]:
    """Compare a score with each of K ways to call the same cases: score minus calls, at equal terms.

    Parameters
    ----------
    labels : array_like of bool [N]
    scores : array_like [N] or [S, N]
        Of one model, or of S fits of it, whose rates are averaged.
    calls : array_like of bool [N] or [K, N]
        True where the case was called positive.
    groups : array_like [N], optional
    matched : {'specificity', 'sensitivity'}
        The rate at which the score is read is the calls' own; the other one is compared. Between two points of the
        score's curve the straight line joins them.
    level, replicates, seed

    Returns
    -------
    list of Comparison [K]
        ``estimate_a`` is the score's rate, ``estimate_b`` the calls'; z and p from the resamplings' variance.

    Notes
    -----
    Of several thresholds with the calls' specificity the score has the one with the highest sensitivity, so that with
    few negatives it is favoured, by less than a step of its curve.

    Source: the estimate as R `pROC::coords(x, input = "specificity", ret = "sensitivity")` at the calls' specificity.

    Examples
    --------
    >>> labels, scores = [0, 0, 0, 0, 1, 1, 1, 1], [0.1, 0.2, 0.3, 0.7, 0.4, 0.6, 0.8, 0.9]
    >>> (found,) = compare_with_calls(labels, scores, [0, 0, 0, 1, 0, 1, 1, 0], replicates=50)
    >>> found.estimate_a, found.estimate_b
    (1.0, 0.5)
    """
    if matched not in ("specificity", "sensitivity"):
        raise ValueError(f"no rate {matched!r} to match; there are 'specificity' and 'sensitivity'")
    check_level(level)
    truth = as_labels(labels)
    ranks, called = as_scores(scores, truth.size), _as_calls(calls, truth.size)
    codes, _ = as_groups(groups, truth.size)
    note = few_groups_note(count_groups(codes, truth), count_groups(codes, ~truth))
    if matched == "sensitivity":  # the same question with the classes exchanged
        truth, ranks, called = ~truth, -ranks, ~called
    statistic = rates_at_calls(truth, ranks, called)
    whole = statistic(np.ones((1, truth.size)))[0]
    drawn = group_bootstrap(statistic, truth.size, groups, replicates, seed)
    other = "sensitivity" if matched == "specificity" else "specificity"
    what = f"{other} at the calls' {matched}"
    pairs = range(0, whole.size, 2)
    return [
        compare_replicates(float(whole[at]), float(whole[at + 1]), drawn[:, at : at + 2], level, what, note)
        for at in pairs
    ]


def _as_calls(calls: ArrayLike, length: int) -> BoolArray:
    rows = np.atleast_2d(np.asarray(calls))
    return np.stack([as_binary(row, "calls", length) for row in rows])


def rates_at_calls(truth: BoolArray, scores: FloatArray, calls: BoolArray) -> Callable[[FloatArray], FloatArray]:
    """Return the statistic [B, 2 K]: for each way to call, the scores' sensitivity at its specificity, and its own."""
    positive, negative = calls[:, truth].astype(float), calls[:, ~truth].astype(float)

    def statistic(weights: FloatArray) -> FloatArray:
        of_positives, of_negatives = weights[:, truth], weights[:, ~truth]
        own, false = (
            np.divide(w @ called.T, w.sum(axis=1)[:, None], out=np.full((len(w), len(called)), np.nan), where=_any(w))
            for w, called in ((of_positives, positive), (of_negatives, negative))
        )
        matched = np.zeros_like(own)
        for row in scores:
            counts = curve_counts(truth, row, weights)
            matched += np.stack([_sensitivity(counts, rate) for rate in false.T], axis=1)
        return np.stack([matched / len(scores), own], axis=2).reshape(len(weights), -1)

    return statistic


def _any(weights: FloatArray) -> BoolArray:
    there: BoolArray = (weights.sum(axis=1) > 0)[:, None]
    return there


def _sensitivity(counts: CurveCounts, rates: FloatArray) -> FloatArray:
    """Return the sensitivity [B] at a false positive rate of each weighting's own [B]; NaN where a class is missing."""
    positives, negatives = counts
    rows = np.arange(len(rates))
    total = negatives[:, -1]
    limits = np.nan_to_num(rates) * total
    last = np.count_nonzero(negatives <= (limits + ROUNDING * total)[:, None], axis=1) - 1
    following = np.minimum(last + 1, negatives.shape[1] - 1)
    run = negatives[rows, following] - negatives[rows, last]
    part = np.divide(limits - negatives[rows, last], run, out=np.zeros(len(limits)), where=run > 0)
    reached = positives[rows, last] + np.clip(part, 0.0, 1.0) * (positives[rows, following] - positives[rows, last])
    known = (positives[:, -1] > 0) & np.isfinite(rates)
    found: FloatArray = np.divide(reached, positives[:, -1], out=np.full(len(reached), np.nan), where=known)
    return found
