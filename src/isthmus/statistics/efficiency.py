"""How near a score comes to an ideal observer of the same cases: the gap in AUC, and the efficiency.

The ideal observer ranks by the probability of the class given all that a task shows, so that no score ranks better in
the population. Its detectability index is d' = sqrt(2) Phi^-1(AUC); the efficiency of a score is the ratio of the two
squared indices, 1 for a score that uses all there is to see and 0 for one that ranks by chance.

Sources: W. Tanner, T. Birdsall, Journal of the Acoustical Society of America 30 (1958) 922-928 (efficiency);
H. Barrett, K. Myers, Foundations of Image Science (2004), section 13.2 (detectability from the AUC).
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from isthmus.statistics.bootstrap import REPLICATES, group_bootstrap, percentile_interval, weighted_aucs
from isthmus.statistics.inputs import BoolArray, FloatArray, IntArray, as_labels, as_scores
from isthmus.statistics.interval import Interval, undefined

SEVERAL_CLASSES = "a detectability index belongs to two classes"
NO_DETECTABILITY = "an AUC of 0.5 or less has no detectability"
ALL_APART = "an AUC of 1 on these cases: its detectability is infinite"


@dataclass(frozen=True)
class NearnessToIdeal:
    """A score beside an ideal observer of the same cases.

    Parameters
    ----------
    gap : Interval
        AUC of the observer minus that of the score; below 0 where the score ranks these cases better, which chance
        allows.
    efficiency : Interval
        Squared detectability of the score over the observer's; 0 and more. Undefined, with a note, for several classes
        and where an AUC is 0.5 or less, or 1.
    """

    gap: Interval
    efficiency: Interval


def detectability(auc: ArrayLike) -> FloatArray:
    """Return the detectability index d' = sqrt(2) Phi^-1(AUC), from an AUC of 0 to 1.

    It is the distance of two normal classes of equal spread, in standard deviations, that gives this AUC.

    Source: H. Barrett, K. Myers, Foundations of Image Science (2004), section 13.2.

    Examples
    --------
    >>> float(detectability(0.76024993890652).round(6))
    1.0
    """
    return np.asarray(sqrt(2) * ndtri(np.asarray(auc, dtype=np.float64)))


def nearness_to_ideal(
    labels: ArrayLike,
    scores: ArrayLike,
    ideal_scores: ArrayLike,
    groups: ArrayLike | None = None,
    folds: ArrayLike | None = None,
    seeds: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> NearnessToIdeal:
    """Return how near a score comes to an ideal observer, with paired percentile intervals over groups.

    Both AUCs are estimated alike: within folds, then the mean over folds, then over seeds; of several classes the mean
    of the one-versus-rest AUCs. In a replicate a score that ranks no better than chance has an efficiency of 0; one
    where an AUC is 1 has no answer, and is counted.

    Parameters
    ----------
    labels : array_like of bool [N] or [K, N]
        One row for each class against the rest.
    scores, ideal_scores : array_like [N] or [K, N]
        Of the model and of the observer, in the same order of cases and classes.
    groups : array_like [N], optional
        None: every case is a group.
    folds, seeds : array_like [N], optional
        Where the model was cross-validated; None: one model ranks all cases.
    level, replicates, seed
        Of the bootstrap.

    Raises
    ------
    ValueError
        When a fold lacks a class, or shapes differ.
    """
    truth = np.stack([as_labels(row) for row in np.atleast_2d(np.asarray(labels))])
    size = truth.shape[1]
    models = [as_scores(values, size, name) for values, name in ((scores, "scores"), (ideal_scores, "ideal_scores"))]
    if any(model.shape != truth.shape for model in models):
        raise ValueError(f"scores of shapes {[model.shape for model in models]} for labels of shape {truth.shape}")
    parts = _parts(size, folds, seeds)

    def both(weights: FloatArray) -> FloatArray:
        return np.stack([_mean_auc(truth, model, parts, weights) for model in models], axis=1)

    auc, ideal = (float(value) for value in both(np.ones((1, size)))[0])
    if np.isnan(auc) or np.isnan(ideal):
        raise ValueError("a fold or class has no case: its AUC does not exist")
    drawn = group_bootstrap(both, size, groups, replicates, seed)
    gap = percentile_interval(ideal - auc, drawn[:, 1] - drawn[:, 0], level)
    return NearnessToIdeal(gap, _efficiency(auc, ideal, drawn, level, len(truth)))


def _efficiency(auc: float, ideal: float, drawn: FloatArray, level: float, classes: int) -> Interval:
    reasons = [
        (classes > 1, SEVERAL_CLASSES),
        (min(auc, ideal) <= 0.5, NO_DETECTABILITY),
        (max(auc, ideal) >= 1, ALL_APART),
    ]
    for applies, reason in reasons:
        if applies:
            return undefined("efficiency", reason, level)
    own, best = detectability(drawn[:, 0]), detectability(drawn[:, 1])
    answered = (best > 0) & np.isfinite(best) & np.isfinite(own)
    replicates = np.full(len(drawn), np.nan)
    np.divide(np.maximum(own, 0), best, out=replicates, where=answered)
    estimate = float((detectability(auc) / detectability(ideal)) ** 2)
    return percentile_interval(estimate, replicates**2, level)


def _parts(size: int, folds: ArrayLike | None, seeds: ArrayLike | None) -> list[tuple[IntArray, float]]:
    """Return the rows of each fold of each seed, and their share of the mean."""
    fold_of = np.zeros(size, dtype=int) if folds is None else np.asarray(folds)
    seed_of = np.zeros(size, dtype=int) if seeds is None else np.asarray(seeds)
    if fold_of.shape != (size,) or seed_of.shape != (size,):
        raise ValueError(f"folds and seeds of shapes {fold_of.shape} and {seed_of.shape}: [{size}] was expected")
    names = np.unique(seed_of)
    parts = []
    for name in names:
        inside = np.unique(fold_of[seed_of == name])
        share = 1 / (len(inside) * len(names))
        parts += [(np.flatnonzero((seed_of == name) & (fold_of == fold)), share) for fold in inside]
    return parts


def _mean_auc(
    truth: BoolArray, scores: FloatArray, parts: list[tuple[IntArray, float]], weights: FloatArray
) -> FloatArray:
    """Return the AUC [B] under weights [B, N], averaged over classes, folds and seeds."""
    total = np.zeros(len(weights))
    for rows, share in parts:
        for labels, values in zip(truth, scores, strict=True):
            total += share / len(truth) * weighted_aucs(labels[rows], values[rows], weights[:, rows])
    return total
