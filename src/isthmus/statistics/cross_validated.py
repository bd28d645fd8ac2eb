"""The AUC of a cross-validation: the mean of within-fold AUCs, with influence-value intervals and comparisons.

Scores of different folds come from different models and are never ranked against each other (except by
`pooled_auc`, which does as is often published). Seeds are repetitions on the same patients: they are averaged,
never stacked as if they were more patients.

Source: E. LeDell, M. Petersen, M. van der Laan, Electronic Journal of Statistics 9 (2015) 1583-1607; R `cvAUC`.
Differences from `cvAUC::ci.cvAUC`: ties count half; influence values use each fold's own class counts (the exact
linearisation of the mean of fold AUCs; the same with equal stratified folds), carry DeLong's m/(m-1) in every fold,
and are summed per group over folds and seeds before squaring; the interval is on the logit scale.
"""

from dataclasses import dataclass
from math import nan, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from isthmus.statistics.inputs import BoolArray, FloatArray, IntArray, as_groups, as_labels, as_scores, count_groups
from isthmus.statistics.interval import Comparison, Interval, compare
from isthmus.statistics.roc import few_groups_note, interval_of_auc, placements, sum_by_group


@dataclass(frozen=True)
class FoldAuc:
    """The AUC inside one held-out fold of one seed."""

    seed: Any
    fold: Any
    auc: float


@dataclass(frozen=True)
class CrossValidatedAuc:
    """A cross-validated AUC.

    Parameters
    ----------
    auc : Interval
        Mean over seeds of the mean over folds.
    folds : tuple of FoldAuc
        Every fold's own AUC.
    fold_sd : float
        Standard deviation of AUCs among folds of one seed (root mean square over seeds): description, no standard
        error. NaN with one fold.
    seed_sd : float
        Standard deviation of the seeds' means: description, no standard error. NaN with one seed.
    """

    auc: Interval
    folds: tuple[FoldAuc, ...]
    fold_sd: float
    seed_sd: float


@dataclass(frozen=True)
class _Linearised:
    aucs: FloatArray  # [M]
    influence: FloatArray  # [M, G]
    fold_aucs: tuple[tuple[Any, Any, FloatArray], ...]  # seed, fold, [M]
    positive_groups: int
    negative_groups: int
    thin_folds: int


def cross_validated_auc(
    labels: ArrayLike, scores: ArrayLike, folds: ArrayLike, seeds: ArrayLike, groups: ArrayLike, level: float = 0.95
) -> CrossValidatedAuc:
    """Return the mean of within-fold AUCs, then over seeds, with its interval.

    Parameters
    ----------
    labels : array_like of bool [N]
        One row for every held-out unit of every seed.
    scores : array_like [N]
    folds, seeds : array_like [N]
        The fold in which the row was held out, and the seed of its split.
    groups : array_like [N]
        The same group has the same name in all seeds.
    level : float

    Raises
    ------
    ValueError
        When a fold lacks a class; names seed and fold.
    """
    linear = _linearise(labels, scores, folds, seeds, groups)
    estimate = float(linear.aucs[0])
    variance = float(np.sum(linear.influence[0] ** 2))
    method = "mean of fold AUCs, influence values by group, logit"
    interval = interval_of_auc(estimate, variance, linear.positive_groups, linear.negative_groups, level, method)
    if linear.thin_folds:
        interval = _with_note(interval, _thin_note(linear.thin_folds))
    parts = tuple(FoldAuc(seed, fold, float(values[0])) for seed, fold, values in linear.fold_aucs)
    by_seed: dict[Any, list[float]] = {}
    for part in parts:
        by_seed.setdefault(part.seed, []).append(part.auc)
    spreads = [float(np.var(values, ddof=1)) for values in by_seed.values() if len(values) > 1]
    means = [float(np.mean(values)) for values in by_seed.values()]
    fold_sd = sqrt(float(np.mean(spreads))) if spreads else nan
    seed_sd = float(np.std(means, ddof=1)) if len(means) > 1 else nan
    return CrossValidatedAuc(interval, parts, fold_sd, seed_sd)


def compare_cross_validated_aucs(
    labels: ArrayLike,
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    folds: ArrayLike,
    seeds: ArrayLike,
    groups: ArrayLike,
    level: float = 0.95,
    *,
    folds_b: ArrayLike | None = None,
) -> Comparison:
    """Compare two arms on the same units: difference a - b of cross-validated AUCs, interval, z, two-sided p.

    Parameters as `cross_validated_auc`; both arms' scores stand in the same order of rows. Arms share their splits;
    `folds_b` gives those of the second where the units were dealt differently: a group's two influence values pair up
    whichever folds its units stood in.
    """
    size = np.size(labels)
    one = _linearise(labels, as_scores(scores_a, size, "scores_a")[:1], folds, seeds, groups)
    other_folds = folds if folds_b is None else folds_b
    other = _linearise(labels, as_scores(scores_b, size, "scores_b")[:1], other_folds, seeds, groups)
    variance = float(np.sum((one.influence[0] - other.influence[0]) ** 2))
    note = few_groups_note(one.positive_groups, one.negative_groups)
    thin_folds = max(one.thin_folds, other.thin_folds)
    if thin_folds:
        note = "; ".join(filter(None, (note, _thin_note(thin_folds))))
    method = "cross-validated influence values by group, paired z"
    return compare(float(one.aucs[0]), float(other.aucs[0]), variance, level, method, note)


def pooled_auc(
    labels: ArrayLike, scores: ArrayLike, seeds: ArrayLike, groups: ArrayLike, level: float = 0.95
) -> Interval:
    """Return the AUC of all folds' scores ranked together within a seed, averaged over seeds.

    It is printed only "as often published": it ranks scores of different models against each other.
    """
    pooled = cross_validated_auc(labels, scores, np.zeros(np.size(labels), dtype=int), seeds, groups, level).auc
    method = "pooled over folds, as often published" + (
        ", Newcombe 2006 method 5" if "Newcombe" in pooled.method else ""
    )
    return Interval(pooled.estimate, pooled.low, pooled.high, level, method, pooled.note)


def _linearise(
    labels: ArrayLike, scores: ArrayLike, folds: ArrayLike, seeds: ArrayLike, groups: ArrayLike
) -> _Linearised:
    truth = as_labels(labels)
    values = as_scores(scores, truth.size)
    codes, count = as_groups(groups, truth.size)
    fold_of, seed_of = np.asarray(folds), np.asarray(seeds)
    for name, array in (("folds", fold_of), ("seeds", seed_of)):
        if array.shape != truth.shape:
            raise ValueError(f"{name} has shape {array.shape} where [{truth.size}] was expected")
    influence = np.zeros((len(values), count))
    aucs = np.zeros(len(values))
    parts: list[tuple[Any, Any, FloatArray]] = []
    thin = 0
    all_seeds = np.unique(seed_of).tolist()
    for seed in all_seeds:
        in_seed = seed_of == seed
        all_folds = np.unique(fold_of[in_seed]).tolist()
        share = 1 / (len(all_folds) * len(all_seeds))
        for fold in all_folds:
            rows = in_seed & (fold_of == fold)
            _check_fold(truth[rows], seed, fold)
            fold_aucs, fold_influence, fewest = _fold_influence(truth[rows], values[:, rows], codes[rows], count)
            influence += share * fold_influence
            aucs += share * fold_aucs
            parts.append((seed, fold, fold_aucs))
            thin += fewest < 2
    return _Linearised(aucs, influence, tuple(parts), count_groups(codes, truth), count_groups(codes, ~truth), thin)


def _check_fold(truth: BoolArray, seed: object, fold: object) -> None:
    positives = int(truth.sum())
    if positives in (0, truth.size):
        missing = "positive" if positives == 0 else "negative"
        raise ValueError(
            f"fold {fold} of seed {seed} holds no {missing} case among {truth.size}: its AUC does not exist; "
            "use fewer folds"
        )


def _fold_influence(
    truth: BoolArray, scores: FloatArray, codes: IntArray, count: int
) -> tuple[FloatArray, FloatArray, int]:
    """Return a fold's AUCs [M], group influence values [M, G] and the smaller class's number of groups."""
    placed = placements(truth, scores)
    total = np.zeros((len(scores), count))
    fewest = count
    for values, rows in ((placed.positives, truth), (placed.negatives, ~truth)):
        groups_in_class = count_groups(codes, rows)
        fewest = min(fewest, groups_in_class)
        centred = values - placed.aucs[:, None]
        total += sum_by_group(centred, codes[rows], count) * (_correction(groups_in_class) / values.shape[1])
    return placed.aucs, total, fewest


def _correction(groups: int) -> float:
    """Return the root of DeLong's k/(k-1), so that squares and cross products of influence values both carry it."""
    return sqrt(groups / (groups - 1)) if groups > 1 else 1.0


def _thin_note(folds: int) -> str:
    return f"{folds} fold{'' if folds == 1 else 's'} with one group in a class: the variance is understated"


def _with_note(interval: Interval, note: str) -> Interval:
    text = "; ".join(filter(None, (interval.note, note)))
    return Interval(interval.estimate, interval.low, interval.high, interval.level, interval.method, text)
