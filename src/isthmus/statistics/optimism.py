"""How much a threshold flatters the cases it was chosen on: the optimism of sensitivity and specificity."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from isthmus.statistics.bootstrap import group_counts
from isthmus.statistics.inputs import FloatArray, as_binary, as_groups, as_scores
from isthmus.statistics.thresholds import sensitivity_specificity_at, usual_thresholds

OPTIMISM_REPLICATES = 200


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold chosen on the very cases it is judged on.

    Parameters
    ----------
    rule : str
        ``youden``, ``fixed_sensitivity`` or ``fixed_specificity``.
    threshold : float
    sensitivity, specificity : float
        On the same cases: too good.
    corrected_sensitivity, corrected_specificity : float
        Less their mean optimism; NaN where the bootstrap has no answer.
    """

    rule: str
    threshold: float
    sensitivity: float
    specificity: float
    corrected_sensitivity: float
    corrected_specificity: float


def chosen_here(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike | None = None,
    sensitivity: float = 0.95,
    specificity: float = 0.9,
    replicates: int = OPTIMISM_REPLICATES,
    seed: int = 0,
) -> list[OperatingPoint]:
    """Return the usual operating points of these cases, as they look here and as they would do on new ones.

    Each bootstrap of whole groups chooses its own threshold; what that loses on the original cases, on average, is
    the optimism that is taken off. Empty where a class has no case.

    Parameters
    ----------
    labels : array_like of bool [N]
    scores : array_like [N]
    groups : array_like [N], optional
    sensitivity, specificity : float
        Asked for by the two fixed rules.
    replicates, seed : int

    Source: B. Efron, R. Tibshirani, An Introduction to the Bootstrap (1993), section 17.6; F. Harrell, K. Lee, D. Mark,
    Statistics in Medicine 15 (1996) 361-387.
    """
    truth = as_binary(labels)
    values = as_scores(scores, truth.size)[0]
    codes, count = as_groups(groups, truth.size)
    if truth.all() or not truth.any():
        return []
    chosen = usual_thresholds(truth, values, sensitivity, specificity)
    here = np.array([sensitivity_specificity_at(truth, values, t) for t in chosen])  # [3, 2]
    positives, negatives = np.sort(values[truth]), np.sort(values[~truth])
    lost = []
    for drawn in group_counts(count, replicates, seed):
        for times in drawn:
            rows = np.repeat(np.arange(truth.size), times[codes].astype(np.intp))
            resampled = truth[rows]
            if resampled.all() or not resampled.any():
                continue
            cuts = usual_thresholds(resampled, values[rows], sensitivity, specificity)
            again = _rates(np.sort(values[rows][resampled]), np.sort(values[rows][~resampled]), cuts)
            lost.append(again - _rates(positives, negatives, cuts))
    optimism = np.mean(lost, axis=0) if lost else np.full((3, 2), np.nan)
    corrected = np.clip(here - optimism, 0, 1)
    rules = ("youden", "fixed_sensitivity", "fixed_specificity")
    return [
        OperatingPoint(rule, float(t), *map(float, (*seen, *fair)))
        for rule, t, seen, fair in zip(rules, chosen, here, corrected, strict=True)
    ]


def _rates(positives: FloatArray, negatives: FloatArray, cuts: FloatArray) -> FloatArray:
    """Return sensitivity and specificity [C, 2] of sorted scores at each cut."""
    below = np.searchsorted(positives, cuts, side="left") / positives.size
    return np.stack([1 - below, np.searchsorted(negatives, cuts, side="left") / negatives.size], axis=1)
