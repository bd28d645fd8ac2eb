"""Whether an estimate differs between subgroups: tests of heterogeneity, and the AUC within each subgroup.

An AUC of a subgroup ranks its cases only among themselves. Subgroups may share groups (two nodules of one patient in
two size classes): the covariance of their AUCs comes from influence values summed by group.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from isthmus.statistics.group_tests import GroupTest, no_test
from isthmus.statistics.inputs import BoolArray, FloatArray, IntArray, as_binary, as_groups, as_scores, count_groups
from isthmus.statistics.interval import Comparison, Interval, compare, undefined
from isthmus.statistics.roc import (
    FEWEST_GROUPS,
    auc_interval,
    few_groups_note,
    interval_of_auc,
    placements,
    sum_by_group,
)

HALF = 0.5
"""Of the folds at least: with both classes in fewer of them, a subgroup's AUC would be that of a few fold models."""


@dataclass(frozen=True)
class SubgroupAuc:
    """The AUC within one subgroup.

    Parameters
    ----------
    auc : Interval
    influence : ndarray [G]
        Of each group on the AUC; its products sum to covariances between subgroups and arms. Empty without an AUC.
    groups : tuple of int
        Groups with a positive and with a negative case of the subgroup.
    folds : tuple of int
        Folds that hold both classes of it, and all.
    """

    auc: Interval
    influence: FloatArray
    groups: tuple[int, int]
    folds: tuple[int, int]

    @property
    def enough(self) -> bool:
        """Whether there are 10 groups in either class, and an AUC between 0 and 1."""
        return min(self.groups) >= FEWEST_GROUPS and self.influence.size > 0 and 0 < self.auc.estimate < 1


def subgroup_auc(
    labels: ArrayLike,
    scores: ArrayLike,
    within: ArrayLike,
    parts: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    level: float = 0.95,
) -> SubgroupAuc:
    """Return the AUC among the cases of a subgroup.

    Of a cross-validation it is the mean of within-fold AUCs over those folds that hold both classes of the subgroup,
    at least half of all; which is said where it is not all.

    Parameters
    ----------
    labels : array_like of bool [N]
    scores : array_like [N]
    within : array_like of bool [N]
        Which cases belong to the subgroup.
    parts : array_like [N], optional
        The fold model (seed and fold) behind each score; scores of different ones are never ranked together.
    groups : array_like [N], optional
    level : float

    Source: as `isthmus.statistics.roc.auc_interval` and `cross_validated_auc` (LeDell 2015).
    """
    truth = as_binary(labels)
    values = as_scores(scores, truth.size)
    inside = as_binary(within, "within", truth.size)
    codes, count = as_groups(groups, truth.size)
    of = np.zeros(truth.size, dtype=np.intp) if parts is None else np.unique(np.asarray(parts), return_inverse=True)[1]
    sizes = count_groups(codes, truth & inside), count_groups(codes, ~truth & inside)
    aucs, influences = [], []
    for part in range(int(of.max()) + 1):
        rows = inside & (of == part)
        if 0 < int(truth[rows].sum()) < int(rows.sum()):
            auc, influence = _influence(truth[rows], values[:, rows], codes[rows], count)
            aucs.append(auc)
            influences.append(influence)
    folds = len(aucs), int(of.max()) + 1
    method = "AUC within the subgroup"
    if not aucs:
        missing = "no case" if not inside.any() else "no positive case" if sizes[0] == 0 else "no negative case"
        missing = "no fold with both classes" if min(sizes) else missing
        return SubgroupAuc(undefined(method, missing, level), np.empty(0), sizes, folds)
    if folds[0] < HALF * folds[1]:
        note = f"both classes in only {folds[0]} of {folds[1]} folds"
        return SubgroupAuc(undefined(method, note, level), np.empty(0), sizes, folds)
    mean = np.mean(influences, axis=0)
    if folds[1] == 1:
        own = None if groups is None else codes[inside]
        return SubgroupAuc(auc_interval(truth[inside], values[0, inside], own, level), mean, sizes, folds)
    method = "mean of fold AUCs, influence values by group, logit"
    found = interval_of_auc(float(np.mean(aucs)), float(mean @ mean), *sizes, level, method)
    if folds[0] < folds[1]:
        note = "; ".join(filter(None, (found.note, f"{folds[0]} of {folds[1]} folds hold both classes")))
        found = Interval(found.estimate, found.low, found.high, found.level, found.method, note)
    return SubgroupAuc(found, mean, sizes, folds)


def _influence(truth: BoolArray, scores: FloatArray, codes: IntArray, count: int) -> tuple[float, FloatArray]:
    """Return an AUC and the influence [G] of each group on it, with k/(k-1) in each class."""
    placed = placements(truth, scores)
    total = np.zeros(count)
    for values, rows in ((placed.positives, truth), (placed.negatives, ~truth)):
        known = count_groups(codes, rows)
        factor = np.sqrt(known / (known - 1)) if known > 1 else 1.0
        total += sum_by_group(values - placed.aucs[:, None], codes[rows], count)[0] * (factor / values.shape[1])
    return float(placed.aucs[0]), total


def heterogeneity(estimates: ArrayLike, covariance: ArrayLike) -> GroupTest:
    """Test whether several estimates are one: Wald's chi-square of their contrasts; Cochran's Q where independent.

    Parameters
    ----------
    estimates : array_like [K]
    covariance : array_like [K, K] or [K]
        Or the variances of independent estimates.

    Source: W. Cochran, Biometrics 10 (1954) 101-129; R `metafor::rma(yi, vi, method = "FE")`, there QE.

    Examples
    --------
    >>> test = heterogeneity([0.1, 0.5, 0.9], [0.04, 0.04, 0.04])
    >>> round(test.statistic, 6), test.degrees
    (8.0, (2.0,))
    """
    values = np.asarray(estimates, dtype=np.float64)
    spread = np.asarray(covariance, dtype=np.float64)
    spread = np.diag(spread) if spread.ndim == 1 else spread
    method = "heterogeneity, Wald chi-square"
    if values.ndim != 1 or spread.shape != (values.size, values.size):
        raise ValueError(f"{values.size} estimates need as many variances or their covariance, not {spread.shape}")
    if not (np.isfinite(values).all() and np.isfinite(spread).all()):
        raise ValueError("estimates and covariance must be finite; leave out what is not known")
    if values.size < 2:
        return no_test(method, "fewer than two subgroups with enough cases")
    contrast = np.hstack([np.eye(values.size - 1), -np.ones((values.size - 1, 1))])
    between = contrast @ spread @ contrast.T
    if np.linalg.matrix_rank(between, tol=1e-12 * max(float(np.trace(between)), 1e-300)) < values.size - 1:
        return no_test(method, "the subgroups hold too little variance to test with")
    away = contrast @ values
    statistic = float(away @ np.linalg.solve(between, away))
    degrees = float(values.size - 1)
    return GroupTest(method, statistic, (degrees,), float(stats.chi2.sf(statistic, degrees)))


def auc_heterogeneity(subgroups: Sequence[SubgroupAuc]) -> GroupTest:
    """Test on the logit scale whether subgroups have one AUC; those without enough groups are left out."""
    known = [found for found in subgroups if found.enough]
    if len(known) < 2:
        return no_test("heterogeneity, Wald chi-square", "fewer than two subgroups with enough cases")
    aucs = np.array([found.auc.estimate for found in known])
    influence = np.stack([found.influence for found in known]) / (aucs * (1 - aucs))[:, None]
    return heterogeneity(np.log(aucs / (1 - aucs)), influence @ influence.T)


def subgroup_difference(a: SubgroupAuc, b: SubgroupAuc, level: float = 0.95) -> Comparison:
    """Compare two arms within a subgroup: difference a - b of AUCs on the same cases, z and p."""
    method = "influence values by group, paired z"
    if not (a.influence.size and b.influence.size):
        missing = undefined(method, "an arm has no AUC in this subgroup", level)
        return Comparison(missing, nan, nan, method, a.auc.estimate, b.auc.estimate)
    away = a.influence - b.influence
    variance = float(away @ away)
    negligible = variance <= 1e-14 * float(a.influence @ a.influence + b.influence @ b.influence)
    note = few_groups_note(*a.groups)
    return compare(a.auc.estimate, b.auc.estimate, 0.0 if negligible else variance, level, method, note)


def difference_heterogeneity(a: Sequence[SubgroupAuc], b: Sequence[SubgroupAuc]) -> GroupTest:
    """Test whether the difference between two arms is the same in all subgroups, paired within each."""
    pairs = [(one, other) for one, other in zip(a, b, strict=True) if one.enough and other.enough]
    if len(pairs) < 2:
        return no_test("heterogeneity, Wald chi-square", "fewer than two subgroups with enough cases")
    differences = [one.auc.estimate - other.auc.estimate for one, other in pairs]
    influence = np.stack([one.influence - other.influence for one, other in pairs])
    return heterogeneity(differences, influence @ influence.T)
