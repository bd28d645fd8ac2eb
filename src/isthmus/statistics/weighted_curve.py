"""What a ROC or precision-recall curve says under weights: the statistics behind the group bootstrap of a curve.

A curve is kept as counts: the weight of positives and of negatives at or above every distinct score. All functions take
many weightings at once and answer NaN for one without a class.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from isthmus.statistics.inputs import BoolArray, FloatArray, IntArray

# A count may miss a limit such as 0.1 x 70 by rounding alone.
ROUNDING = 1e-9


class CurveCounts(NamedTuple):
    """Weights of positives and of negatives [B, P + 1] at or above each of P distinct scores, the highest first.

    The first column is 0, the last holds all. Points are joined by straight lines, as ties between classes demand.
    """

    positives: FloatArray
    negatives: FloatArray

    def turned(self) -> "CurveCounts":
        """Return the curve with the classes' roles exchanged: its sensitivity is the specificity of this one."""
        return CurveCounts(
            self.negatives[:, -1:] - self.negatives[:, ::-1], self.positives[:, -1:] - self.positives[:, ::-1]
        )


def curve_counts(labels: BoolArray, scores: FloatArray, weights: FloatArray) -> CurveCounts:
    """Return the counts of one score [N] under weights [B, N]."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), labels.size - 1)
    ordered, truth = weights[:, order], labels[order].astype(np.float64)
    both = np.cumsum(ordered, axis=1)
    positives = np.cumsum(np.multiply(ordered, truth, out=ordered), axis=1)
    if ends.size < labels.size:
        both, positives = both[:, ends], positives[:, ends]
    nothing = np.zeros((len(weights), 1))
    return CurveCounts(np.hstack([nothing, positives]), np.hstack([nothing, both - positives]))


def sensitivities(counts: CurveCounts, rates: FloatArray) -> FloatArray:
    """Return the sensitivity [B, R] at false positive rates [R], the top of a vertical step, interpolated in ties.

    Source: R `pROC::coords(input = "specificity")`.
    """
    found = np.full((len(counts.positives), len(rates)), np.nan)
    if len(rates) == 1:
        found[:, 0] = _at_one(counts, float(rates[0]))
        return found
    for row, (up, right) in enumerate(zip(*counts, strict=True)):
        if up[-1] > 0 and right[-1] > 0:
            limits = rates * right[-1]
            at = np.minimum(np.searchsorted(right, limits + ROUNDING * right[-1], side="right") - 1, right.size - 2)
            run = right[at + 1] - right[at]
            part = np.divide(limits - right[at], run, out=np.ones_like(limits), where=run > 0)
            found[row] = (up[at] + np.clip(part, 0.0, 1.0) * (up[at + 1] - up[at])) / up[-1]
    return found


def partial_areas(counts: CurveCounts, rate: float) -> FloatArray:
    """Return the area [B] under the ROC curve between false positive rates 0 and `rate`."""
    positives, negatives = counts
    steps = np.diff(negatives, axis=1)
    steps *= positives[:, 1:] + positives[:, :-1]
    area = np.zeros(len(positives))
    last, part = _place(negatives, rate)
    np.cumsum(steps, axis=1, out=steps)
    rows = np.arange(len(positives))
    inside = last > 0
    area[inside] = steps[rows[inside], last[inside] - 1]
    # From the last point inside on, a trapezium up to the limit.
    following = np.minimum(last + 1, negatives.shape[1] - 1)
    low, rise = positives[rows, last], positives[rows, following] - positives[rows, last]
    area += part * (negatives[rows, following] - negatives[rows, last]) * (2 * low + part * rise)
    return _ratio(area, 2 * positives[:, -1] * negatives[:, -1])


def average_precisions(counts: CurveCounts) -> FloatArray:
    """Return the average precision [B]: precision at each distinct score, weighted by the recall gained there.

    Source: scikit-learn `average_precision_score` (a step function: no interpolation between points).
    """
    positives, negatives = counts
    called = positives[:, 1:] + negatives[:, 1:]
    gained = np.diff(positives, axis=1)
    gained *= positives[:, 1:]
    np.divide(gained, called, out=gained, where=called > 0)  # nothing is gained where nothing is called
    return _ratio(gained.sum(axis=1), positives[:, -1] * (negatives[:, -1] > 0))


def precisions(counts: CurveCounts, recalls: FloatArray) -> FloatArray:
    """Return the precision [B, R] where recall first reaches each of `recalls` [R]: the step-wise curve."""
    found = np.full((len(counts.positives), len(recalls)), np.nan)
    for row, (up, right) in enumerate(zip(*counts, strict=True)):
        if up[-1] > 0 and right[-1] > 0:
            # At recall 0 the curve starts where something is called at all.
            wanted = np.maximum(recalls * up[-1] * (1 - ROUNDING), ROUNDING)
            at = np.minimum(np.searchsorted(up, wanted, side="left"), up.size - 1)
            found[row] = up[at] / (up[at] + right[at])
    return found


def over_folds(
    of_rows: Callable[[IntArray, FloatArray], FloatArray], folds: Sequence[IntArray]
) -> Callable[[FloatArray], FloatArray]:
    """Return the statistic of all rows that is the mean of a statistic of each fold's rows.

    Scores of different folds come from different models and are never ranked against each other. A fold that a
    replicate left without an answer is left out of that replicate's mean.

    Parameters
    ----------
    of_rows : callable
        From a fold's rows [F] and weights [B, F] to values [B, K].
    folds : sequence of ndarray
        The rows of each fold of each seed, ascending.
    """

    def statistic(weights: FloatArray) -> FloatArray:
        whole = weights.shape[1]
        values = np.stack([of_rows(rows, weights if rows.size == whole else weights[:, rows]) for rows in folds])
        known = np.isfinite(values)
        return _ratio(np.where(known, values, 0.0).sum(axis=0), known.sum(axis=0))

    return statistic


def _ratio(top: FloatArray, bottom: FloatArray) -> FloatArray:
    """Return top / bottom, NaN where the latter is 0."""
    found = np.full(top.shape, np.nan)
    np.divide(top, bottom, out=found, where=bottom > 0)
    return found


def _at_one(counts: CurveCounts, rate: float) -> FloatArray:
    positives, negatives = counts
    last, part = _place(negatives, rate)
    rows = np.arange(len(positives))
    following = np.minimum(last + 1, negatives.shape[1] - 1)
    reached = positives[rows, last] + part * (positives[rows, following] - positives[rows, last])
    return _ratio(reached, positives[:, -1] * (negatives[:, -1] > 0))


def _place(negatives: FloatArray, rate: float) -> tuple[IntArray, FloatArray]:
    """Return the last point [B] at or left of a false positive rate, and how far [B] it lies towards the next."""
    limits = rate * negatives[:, -1]
    last = np.count_nonzero(negatives <= (limits + ROUNDING * negatives[:, -1])[:, None], axis=1) - 1
    rows = np.arange(len(negatives))
    run = negatives[rows, np.minimum(last + 1, negatives.shape[1] - 1)] - negatives[rows, last]
    part = np.divide(limits - negatives[rows, last], run, out=np.zeros(len(limits)), where=run > 0)
    return last, np.clip(part, 0.0, 1.0)
