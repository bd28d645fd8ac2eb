"""Sensitivity at a fixed specificity and the reverse: the uncertain threshold counts in the interval.

This reads the curve of the cases themselves. It compares models on equal terms; it is no promise for a threshold that
was frozen before (those calls have their own sensitivity and specificity).
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from isthmus.statistics.bootstrap import REPLICATES
from isthmus.statistics.inputs import BoolArray, FloatArray, as_labels, as_scores
from isthmus.statistics.interval import Comparison, Interval
from isthmus.statistics.resampled import Scale, resampled_comparison, resampled_interval
from isthmus.statistics.weighted_curve import CurveCounts, curve_counts, sensitivities


def sensitivity_at_specificity(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    specificity: float = 0.9,
    scale: Scale = "wilson",
    level: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Interval:
    """Return the sensitivity where the specificity is the one given, with its interval.

    Each resampling of the groups chooses its threshold anew, so that the threshold's variance is counted; the limits
    are Wilson's on the number of positives that would have the resamplings' variance.

    Parameters
    ----------
    labels : array_like of bool [N]
    scores : array_like [N]
    groups : array_like [N], optional
    specificity : float
        0 to 1; between two points of the curve the straight line joins them.
    scale : {'wilson', 'logit', 'percentile', 'bca'}
    level, replicates, seed

    Source: R. Platt, J. Hanley, H. Yang, Statistics in Medicine 19 (2000) 313-322, for resampling the threshold too;
    X.-H. Zhou, G. Qin, Statistics in Medicine 24 (2005) 465-477, for score limits in place of percentiles; the estimate
    as R `pROC::coords(x, input = "specificity", ret = "sensitivity")`.

    Examples
    --------
    >>> sensitivity_at_specificity([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], specificity=0.5, replicates=50).estimate
    1.0
    """
    truth = as_labels(labels)
    return _interval(
        truth, as_scores(scores, truth.size)[0], groups, specificity, "specificity", scale, level, replicates, seed
    )


def specificity_at_sensitivity(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    sensitivity: float = 0.9,
    scale: Scale = "wilson",
    level: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Interval:
    """Return the specificity where the sensitivity is the one given; all else as `sensitivity_at_specificity`."""
    truth = as_labels(labels)
    return _interval(
        truth, as_scores(scores, truth.size)[0], groups, sensitivity, "sensitivity", scale, level, replicates, seed
    )


def compare_sensitivities_at_specificity(
    labels: ArrayLike,
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    specificity: float = 0.9,
    level: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Comparison:
    """Compare two models' sensitivities at one specificity on the same cases, each at its own threshold: a - b, z, p.

    Source: R `pROC::roc.test(method = "specificity", specificity = …)`.
    """
    truth = as_labels(labels)
    one, other = (
        _at(truth, as_scores(s, truth.size, name)[0], specificity, "specificity")
        for s, name in ((scores_a, "scores_a"), (scores_b, "scores_b"))
    )
    what = f"sensitivity at specificity {specificity:g}"
    return resampled_comparison(one, other, truth, groups, what, level=level, replicates=replicates, seed=seed)


def compare_specificities_at_sensitivity(
    labels: ArrayLike,
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    sensitivity: float = 0.9,
    level: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Comparison:
    """Compare two models' specificities at one sensitivity; all else as `compare_sensitivities_at_specificity`."""
    truth = as_labels(labels)
    one, other = (
        _at(truth, as_scores(s, truth.size, name)[0], sensitivity, "sensitivity")
        for s, name in ((scores_a, "scores_a"), (scores_b, "scores_b"))
    )
    what = f"specificity at sensitivity {sensitivity:g}"
    return resampled_comparison(one, other, truth, groups, what, level=level, replicates=replicates, seed=seed)


def values_at(counts: CurveCounts, fixed: float) -> FloatArray:
    """Return the sensitivity [B] at a fixed specificity (of `counts.turned()`: the reverse)."""
    return sensitivities(counts, np.array([1 - fixed]))[:, 0]


def coarse_note(fixed: float, others: int) -> str:
    """Return a note where the fixed value lies above all that so few cases can show, or nothing.

    `others` cases fix the threshold: with 13 negatives a specificity of 0.95 is that of none wrong.
    """
    if not 0 < fixed < 1 or others * (1 - fixed) >= 1:
        return ""
    return f"{others} case{'' if others == 1 else 's'} cannot tell {fixed:g} from 1"


def _at(truth: BoolArray, values: FloatArray, fixed: float, of: str) -> Callable[[FloatArray], FloatArray]:
    if not 0 <= fixed <= 1:
        raise ValueError(f"a fixed {of} of {fixed}: it must lie between 0 and 1")
    if of == "specificity":
        return lambda weights: values_at(curve_counts(truth, values, weights), fixed)
    return lambda weights: values_at(curve_counts(truth, values, weights).turned(), fixed)


def _interval(
    truth: BoolArray,
    values: FloatArray,
    groups: ArrayLike | None,
    fixed: float,
    of: str,
    scale: Scale,
    level: float,
    replicates: int,
    seed: int,
) -> Interval:
    statistic = _at(truth, values, fixed, of)
    cases = int(truth.sum() if of == "specificity" else np.count_nonzero(~truth))
    found = resampled_interval(
        statistic, truth, groups, scale, cases=cases, level=level, replicates=replicates, seed=seed
    )
    return replace(found, note="; ".join(filter(None, (found.note, coarse_note(fixed, truth.size - cases)))))
