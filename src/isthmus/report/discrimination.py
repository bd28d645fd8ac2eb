"""How well an arm ranks: AUC, its spread over folds and seeds, and its several-class relatives."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame

from isthmus.statistics.bootstrap import group_bootstrap, percentile_interval, weighted_aucs
from isthmus.statistics.cross_validated import cross_validated_auc, pooled_auc
from isthmus.statistics.interval import Interval, undefined
from isthmus.statistics.roc import auc_interval

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
    scores = {label: rows[f"p_{label}"].to_numpy(dtype=np.float64) for label in classes}
    single = {label: auc_of(rows, labels == label, scores[label], level).as_dict() for label in classes}
    parts = [places.to_numpy() for places in rows.reset_index(drop=True).groupby(["seed", "fold"]).groups.values()]

    def both(weights: FloatArray) -> FloatArray:
        folds = [
            _macro_and_hand_till(labels[rows], {k: s[rows] for k, s in scores.items()}, weights[:, rows])
            for rows in parts
        ]
        return np.asarray(np.mean(folds, axis=0))

    estimates = both(np.ones((1, len(rows))))[0]
    replicates = group_bootstrap(both, len(rows), rows["group_id"], bootstrap)
    macro, hand_till = (
        percentile_interval(float(estimate), replicates[:, place], level).as_dict()
        for place, estimate in enumerate(estimates)
    )
    return {"one_vs_rest": single, "macro_auc": macro, "hand_till": hand_till}


def _macro_and_hand_till(labels: NDArray[np.str_], scores: dict[str, FloatArray], weights: FloatArray) -> FloatArray:
    """Return [B, 2]: macro AUC and Hand-Till under weights [B, N]."""
    classes = list(scores)
    macro = np.mean([weighted_aucs(labels == label, scores[label], weights) for label in classes], axis=0)
    pairs = []
    for place, first in enumerate(classes):
        for second in classes[place + 1 :]:
            among = weights * ((labels == first) | (labels == second))
            one = weighted_aucs(labels == first, scores[first], among)
            two = weighted_aucs(labels == second, scores[second], among)
            pairs.append((one + two) / 2)
    return np.stack([macro, np.mean(pairs, axis=0)], axis=1)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
