"""How well an arm ranks: AUC, its spread over folds and seeds, and its several-class relatives."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame

from isthmus.statistics.bootstrap import group_bootstrap, percentile_interval
from isthmus.statistics.cross_validated import compare_cross_validated_aucs, cross_validated_auc, pooled_auc
from isthmus.statistics.few_groups import unless_few
from isthmus.statistics.inputs import as_groups, count_groups
from isthmus.statistics.interval import Comparison, Interval, undefined
from isthmus.statistics.multiclass import macro_and_hand_till
from isthmus.statistics.roc import auc_interval, compare_aucs
from isthmus.statistics.weighted_curve import over_folds

FloatArray = NDArray[np.float64]


def is_cross_validated(rows: DataFrame) -> bool:
    """Tell whether an arm and split holds several fold models or seeds, whose scores must not be ranked together."""
    return len(rows[["seed", "fold"]].drop_duplicates()) > 1


def auc_of(rows: DataFrame, truth: Any, score: Any, level: float) -> Interval:
    """Return the AUC with its default interval, or an undefined one that says why."""
    try:
        if is_cross_validated(rows):
            return cross_validated_auc(truth, score, rows["fold"], rows["seed"], rows["group_id"], level).auc
        return auc_interval(truth, score, rows["group_id"], level)
    except ValueError as error:
        return undefined("AUC", str(error), level)


def auc_difference(rows: DataFrame, truth: Any, a: Any, b: Any, level: float, folds_b: Any = None) -> Comparison:
    """Return the AUC of scores `a` less that of `b` on the same rows; where groups are few without a test.

    Parameters
    ----------
    rows : DataFrame
        With ``seed``, ``fold`` and ``group_id``.
    truth, a, b : array_like [rows]
    level : float
    folds_b : array_like [rows], optional
        Where the units were dealt otherwise for `b`.

    Raises
    ------
    ValueError
        When a fold lacks a class.
    """
    truth, groups = np.asarray(truth, dtype=bool), rows["group_id"].to_numpy(dtype=str)
    if is_cross_validated(rows):
        found = compare_cross_validated_aucs(truth, a, b, rows["fold"], rows["seed"], groups, level, folds_b=folds_b)
    else:
        found = compare_aucs(truth, a, b, groups, level)
    return unless_few(found, *groups_of_classes(truth, groups))


def groups_of_classes(truth: NDArray[np.bool_], groups: Any) -> tuple[int, int]:
    """Return how many groups have a positive case, and how many a negative one."""
    codes, _ = as_groups(groups, truth.size)
    return count_groups(codes, truth), count_groups(codes, ~truth)


def ranking_measures(rows: DataFrame, level: float) -> dict[str, Any]:
    """Return AUC, fold and seed spread and the pooled AUC of one arm and split with two classes."""
    truth, score = rows["truth"].to_numpy(), rows["score"].to_numpy(dtype=np.float64)
    found: dict[str, Any] = {"auc": auc_of(rows, truth, score, level).as_dict()}
    if not is_cross_validated(rows) or found["auc"]["estimate"] is None:
        return found
    whole = cross_validated_auc(truth, score, rows["fold"], rows["seed"], rows["group_id"], level)
    found["folds"] = {
        "auc": [{"seed": int(part.seed), "fold": int(part.fold), "auc": part.auc} for part in whole.folds],
        "fold_sd": _finite(whole.fold_sd),
        "seed_sd": _finite(whole.seed_sd),
        "meaning": "standard deviations among folds and among seeds: description, no standard errors",
    }
    found["pooled_auc"] = pooled_auc(truth, score, rows["seed"], rows["group_id"], level).as_dict()
    return found


def several_class_measures(rows: DataFrame, classes: list[str], level: float, bootstrap: int) -> dict[str, Any]:
    """Return one-vs-rest AUCs, their macro mean and Hand and Till's M of one arm and split.

    The two means have group-bootstrap intervals; each replicate averages within-fold values over folds and seeds.

    Source: D. Hand, R. Till, Machine Learning 45 (2001) 171-186.
    """
    labels = rows["label"].to_numpy(dtype=str)
    single = {
        label: auc_of(rows, labels == label, rows[f"p_{label}"].to_numpy(dtype=np.float64), level).as_dict()
        for label in classes
    }
    both = several_class_statistic(rows, classes)
    estimates = both(np.ones((1, len(rows))))[0]
    lacking = [part for part in fold_rows(rows) if len(set(labels[part])) < len(classes)]
    note = f"{len(lacking)} folds lack a class: the mean of the folds does not exist" if lacking else ""
    replicates = group_bootstrap(both, len(rows), rows["group_id"], bootstrap)
    macro, hand_till = (
        percentile_interval(np.nan if lacking else float(estimate), replicates[:, place], level, note).as_dict()
        for place, estimate in enumerate(estimates)
    )
    return {"one_vs_rest": single, "macro_auc": macro, "hand_till": hand_till}


def several_class_statistic(
    rows: DataFrame, classes: list[str], ending: str = "", fold: str = "fold"
) -> Callable[[FloatArray], FloatArray]:
    """Return macro AUC and Hand-Till M [B, 2] of rows under weights [B, N], means of within-fold values.

    The probabilities stand in the columns ``p_<class><ending>``, the folds in ``fold``.
    """
    labels = rows["label"].to_numpy(dtype=str)
    codes = np.searchsorted(np.sort(classes), labels)
    ordered = [f"p_{label}{ending}" for label in np.sort(classes)]
    values = rows[ordered].to_numpy(dtype=np.float64)
    return over_folds(
        lambda part, weights: macro_and_hand_till(codes[part], values[part], weights), fold_rows(rows, fold)
    )


def fold_rows(rows: DataFrame, fold: str = "fold") -> list[NDArray[np.intp]]:
    """Return the places of each seed and fold's rows, ascending."""
    return [places.to_numpy() for places in rows.reset_index(drop=True).groupby(["seed", fold]).groups.values()]


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
