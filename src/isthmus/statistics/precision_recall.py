"""Precision and recall: average precision and its curve. Chance is the prevalence, so no two prevalences compare."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from isthmus.statistics.bootstrap import REPLICATES
from isthmus.statistics.inputs import BoolArray, FloatArray, as_labels, as_scores
from isthmus.statistics.interval import Comparison, Interval
from isthmus.statistics.resampled import Scale, resampled_comparison, resampled_interval
from isthmus.statistics.weighted_curve import average_precisions, curve_counts


class PrecisionRecallPoints(NamedTuple):
    """The empirical precision-recall curve from the highest score down, one point for every distinct score.

    Between two points precision does not run on a straight line: the curve is drawn, and averaged, by steps.
    """

    recall: FloatArray
    precision: FloatArray
    thresholds: FloatArray


def precision_recall_points(labels: ArrayLike, scores: ArrayLike) -> PrecisionRecallPoints:
    """Return the empirical precision-recall curve; a case is called positive when score >= threshold."""
    truth = as_labels(labels)
    values = as_scores(scores, truth.size)[0]
    positives, negatives = (part[0, 1:] for part in curve_counts(truth, values, np.ones((1, truth.size))))
    return PrecisionRecallPoints(
        positives / positives[-1], positives / (positives + negatives), np.unique(values)[::-1].copy()
    )


def average_precision(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    scale: Scale = "logit",
    level: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Interval:
    """Return the average precision, the sum of precision x gained recall over distinct scores, with its interval.

    The score of chance is the prevalence; an average precision means nothing without it.

    Parameters
    ----------
    labels : array_like of bool [N]
    scores : array_like [N]
    groups : array_like [N], optional
    scale : {'logit', 'percentile', 'bca', 'wilson'}
        Of the interval: the variance of group resamplings on the logit, or their quantiles.
    level, replicates, seed

    Source: scikit-learn `average_precision_score`; the logit interval, K. Boyd, K. Eng, C. Page, ECML PKDD (2013)
    451-466, there with a binomial variance in place of the resamplings'.

    Examples
    --------
    >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], replicates=50).estimate, 4)
    0.8333
    """
    truth = as_labels(labels)
    statistic = _precision(truth, as_scores(scores, truth.size)[0])
    cases = int(truth.sum())
    return resampled_interval(
        statistic, truth, groups, scale, cases=cases, level=level, replicates=replicates, seed=seed
    )


def compare_average_precisions(
    labels: ArrayLike,
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    level: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Comparison:
    """Compare two models' average precisions on the same cases: difference a - b, interval, z and two-sided p."""
    truth = as_labels(labels)
    one, other = (
        _precision(truth, as_scores(s, truth.size, name)[0])
        for s, name in ((scores_a, "scores_a"), (scores_b, "scores_b"))
    )
    what = "average precision"
    return resampled_comparison(one, other, truth, groups, what, level=level, replicates=replicates, seed=seed)


def _precision(truth: BoolArray, values: FloatArray) -> Callable[[FloatArray], FloatArray]:
    return lambda weights: average_precisions(curve_counts(truth, values, weights))
