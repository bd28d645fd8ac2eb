"""How well an arm ranks: AUC, its spread over folds and seeds, and its several-class relatives."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame

from isthmus.report.reading import plural
from isthmus.statistics.bootstrap import group_bootstrap, percentile_interval
from isthmus.statistics.cross_validated import compare_cross_validated_aucs, cross_validated_auc, pooled_auc
from isthmus.statistics.few_groups import mean_by_limits, unless_few
from isthmus.statistics.inputs import as_groups, count_groups
from isthmus.statistics.interval import Comparison, Interval, undefined
from isthmus.statistics.multiclass import macro_and_hand_till, pairwise_aucs
from isthmus.statistics.roc import FEWEST_GROUPS, auc_interval, compare_aucs, newcombe_interval
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

    The two means have group-bootstrap intervals, each replicate averaging within-fold values over folds and seeds; with
    few groups in a class those of :func:`limits_of_few_groups`.

    Source: D. Hand, R. Till, Machine Learning 45 (2001) 171-186.
    """
    labels = rows["label"].to_numpy(dtype=str)
    single = {label: _class_auc(rows, label, level) for label in classes}
    found: dict[str, Any] = {"one_vs_rest": {label: auc.as_dict() for label, auc in single.items()}}
    both = several_class_statistic(rows, classes)
    estimates = both(np.ones((1, len(rows))))[0]
    lacking = [part for part in fold_rows(rows) if len(set(labels[part])) < len(classes)]
    if not lacking and (few := few_in_a_class(rows)):
        limits = limits_of_few_groups(rows, classes, level, few)
        return found | {name: interval.as_dict() for name, interval in limits.items()}
    note = f"{len(lacking)} of the folds lack a class: their mean does not exist" if lacking else ""
    replicates = group_bootstrap(both, len(rows), rows["group_id"], bootstrap)
    macro, hand_till = (
        percentile_interval(np.nan if lacking else float(estimate), replicates[:, place], level, note).as_dict()
        for place, estimate in enumerate(estimates)
    )
    return {**found, "macro_auc": macro, "hand_till": hand_till}


def few_in_a_class(rows: DataFrame) -> str:
    """Return that the smallest class has too few groups for a bootstrap or a test, or nothing."""
    fewest = int(rows.groupby("label")["group_id"].nunique().min())
    return "" if fewest >= FEWEST_GROUPS else f"only {plural(fewest, 'group')} in the smallest class"


def limits_of_few_groups(
    rows: DataFrame, classes: list[str], level: float, note: str, ending: str = "", fold: str = "fold"
) -> dict[str, Interval]:
    """Return macro AUC and Hand-Till M with the means of their parts' limits: a bootstrap of few patients has no width.

    The parts are the classes' own AUCs with their default intervals, and those within pairs of classes with Newcombe's
    interval on the two classes' groups. Columns as :func:`several_class_statistic` takes them; no fold lacks a class.
    """
    one_fold = rows.assign(fold=rows[fold])
    of_each = [_class_auc(one_fold, label, level, ending) for label in classes]
    ordered = np.sort(classes)
    codes = np.searchsorted(ordered, rows["label"].to_numpy(dtype=str))
    values = rows[[f"p_{label}{ending}" for label in ordered]].to_numpy(dtype=np.float64)
    within = over_folds(lambda part, w: pairwise_aucs(codes[part], values[part], w), fold_rows(rows, fold))
    groups = rows.groupby(codes)["group_id"].nunique()
    of_pairs = [
        newcombe_interval(float(estimate), int(groups[i]), int(groups[j]), level)
        for estimate, (i, j) in zip(
            within(np.ones((1, len(rows))))[0], combinations(range(len(ordered)), 2), strict=True
        )
    ]
    return {"macro_auc": mean_by_limits(of_each, note), "hand_till": mean_by_limits(of_pairs, note)}


def _class_auc(rows: DataFrame, label: str, level: float, ending: str = "") -> Interval:
    score = rows[f"p_{label}{ending}"].to_numpy(dtype=np.float64)
    return auc_of(rows, rows["label"].to_numpy(dtype=str) == label, score, level)


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
