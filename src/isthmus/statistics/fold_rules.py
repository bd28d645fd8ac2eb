"""AUCs of rules that every fold learns anew on its training part, among two or several classes.

Scores of different folds come from different rules and are never ranked together: a share of a class in a fold's
training part goes down where the share in its held-out part goes up, so that pooled scores of a rule that knows nothing
lie below 0.5. The training parts overlap, so that the folds' AUCs go together; influence values take the rules as given
and do not see it. Their variance is multiplied by Nadeau and Bengio's factor, which was made for that.

Source: E. LeDell, M. Petersen, M. van der Laan, Electronic Journal of Statistics 9 (2015) 1583-1607; C. Nadeau,
Y. Bengio, Machine Learning 52 (2003) 239-281, section 3 (the corrected resampled t test).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import ArrayLike

from isthmus.statistics.few_groups import unless_few
from isthmus.statistics.inputs import FloatArray
from isthmus.statistics.interaction import subgroup_auc
from isthmus.statistics.interval import Comparison, Interval, compare, undefined
from isthmus.statistics.roc import interval_of_auc


@dataclass(frozen=True)
class FoldRuleAuc:
    """The macro AUC of rules that were learnt in folds.

    Parameters
    ----------
    auc : Interval
        Mean over classes of the mean over folds; undefined where a class has no AUC in half of the folds.
    influence : ndarray [G]
        Of each group on it; empty without an AUC.
    groups : tuple of int
        Of the class with the fewest on either side: groups with a case of it, and of the others.
    factor : float
        What the sum of squared influence values was multiplied by.
    """

    auc: Interval
    influence: FloatArray
    groups: tuple[int, int]
    factor: float


def overlap_factor(folds: int) -> float:
    """Return what overlapping training parts multiply the variance of a mean over folds by.

    1 + J n_2 / n_1, where each of J folds is tried on n_2 and learnt on n_1 = (J - 1) n_2 cases; 1 without folds.

    Source: Nadeau and Bengio 2003, section 3.

    Examples
    --------
    >>> overlap_factor(5), overlap_factor(2), overlap_factor(1)
    (2.25, 3.0, 1.0)
    """
    return 1.0 + folds / (folds - 1) if folds > 1 else 1.0


def fold_rule_auc(
    labels: ArrayLike,
    scores: ArrayLike,
    classes: Sequence[object],
    folds: ArrayLike,
    groups: ArrayLike,
    level: float = 0.95,
) -> FoldRuleAuc:
    """Return the mean over classes of one-versus-rest AUCs, each the mean over the folds that hold both sides.

    Parameters
    ----------
    labels : array_like [N]
        Values of `classes`.
    scores : array_like [N, K]
        Columns in the order of `classes`, by the rule of the fold in which the row was held out.
    classes : sequence of K
    folds, groups : array_like [N]
    level : float
    """
    truth, values = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    if values.shape != (truth.size, len(classes)) or len(classes) < 2:
        raise ValueError(f"scores of shape {values.shape} for {truth.size} cases and {len(classes)} classes: [N, K]")
    everyone = np.ones(truth.size, dtype=bool)
    each = [
        subgroup_auc(truth == name, values[:, place], everyone, folds, groups, level)
        for place, name in enumerate(classes)
    ]
    sizes = min((one.groups for one in each), key=min)
    factor = overlap_factor(each[0].folds[1])
    method = "mean of fold AUCs, influence values by group, overlapping training parts (Nadeau-Bengio), logit"
    lacking = [(name, one.auc.note) for name, one in zip(classes, each, strict=True) if not one.influence.size]
    if lacking:
        note = "; ".join(f"{name}: {why}" for name, why in lacking)
        return FoldRuleAuc(undefined(method, note, level), np.empty(0), sizes, factor)
    influence = np.mean([one.influence for one in each], axis=0)
    estimate = float(np.mean([one.auc.estimate for one in each]))
    found = interval_of_auc(estimate, factor * float(influence @ influence), *sizes, level, method)
    return FoldRuleAuc(found, influence, sizes, factor)


def compare_fold_rules(a: FoldRuleAuc, b: FoldRuleAuc, level: float = 0.95) -> Comparison:
    """Compare two rules on the same cases and folds: a - b with its interval, z and p; where groups are few no test."""
    method = "cross-validated influence values by group, overlapping training parts (Nadeau-Bengio), paired z"
    if not (a.influence.size and b.influence.size):
        missing = undefined(method, a.auc.note or b.auc.note, level)
        return Comparison(missing, nan, nan, method, a.auc.estimate, b.auc.estimate)
    away = a.influence - b.influence
    spread, whole = float(away @ away), float(a.influence @ a.influence + b.influence @ b.influence)
    # Rounding alone may part rules that rank alike.
    variance = 0.0 if spread <= 1e-14 * whole else a.factor * spread
    return unless_few(compare(a.auc.estimate, b.auc.estimate, variance, level, method), *a.groups)
