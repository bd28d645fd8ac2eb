"""How well held-out nodules were described: an AUC for each code of a descriptor, and their mean."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame

from isthmus.statistics.bootstrap import group_bootstrap, percentile_interval, weighted_aucs
from isthmus.statistics.cross_validated import cross_validated_auc
from isthmus.statistics.interval import Interval, undefined

FEWEST = 5
"""Nodules with and without a code that every fold must hold before the code counts in the mean: an AUC of fewer is
mostly luck, and would weigh as much as the others."""


def descriptor_rows(scores: DataFrame, has: DataFrame, level: float = 0.95) -> list[dict[str, Any]]:
    """Return the AUC of each code against all others, and before them their mean.

    Within-fold AUCs are averaged over folds, then over seeds; a fold without both sides of a code has no AUC of it and
    is left out, which the note says. The mean is over the codes that every fold holds :data:`FEWEST` times or more on
    either side, with a group bootstrap.

    Parameters
    ----------
    scores : DataFrame
        One row a held-out nodule: `seed`, `fold`, `group_id`, and the probability of each code under its name.
    has : DataFrame of bool
        The same rows: whether the nodule has each code, as readers wrote.
    level : float
        Of the intervals.

    Returns
    -------
    list of dict
        `measure` (`macro_auc` or `auc`), `code`, `n`, `n_groups`, `positive`, and the interval's fields.
    """
    if scores.empty:
        return []
    sizes = {"n": scores["nodule_id"].nunique(), "n_groups": scores["group_id"].nunique()}
    codes = list(has.columns)
    macro = _macro(scores, has, level)
    rows: list[dict[str, Any]] = [{"measure": "macro_auc", "code": "", **sizes, "positive": "", **macro.as_dict()}]
    for code in codes:
        positive = int(scores.loc[has[code].to_numpy(bool), "nodule_id"].nunique())
        interval = _auc(scores, has[code].to_numpy(bool), code, level)
        rows.append({"measure": "auc", "code": code, **sizes, "positive": positive, **interval.as_dict()})
    return rows


def _smaller_side(scores: DataFrame, truth: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return for each row how many nodules its fold holds on the rarer side of the code: int [N]."""
    folds = scores.assign(truth=truth).groupby(["seed", "fold"])["truth"]
    positive, all_of_them = folds.transform("sum").to_numpy(int), folds.transform("size").to_numpy(int)
    return np.asarray(np.minimum(positive, all_of_them - positive))


def _auc(scores: DataFrame, truth: NDArray[np.bool_], code: str, level: float) -> Interval:
    folds, known = scores[["seed", "fold"]].drop_duplicates(), _smaller_side(scores, truth) > 0
    kept = scores[known]
    if kept.empty:
        return undefined("AUC", "no fold holds nodules with and without this code", level)
    answered = len(kept[["seed", "fold"]].drop_duplicates())
    auc = cross_validated_auc(truth[known], kept[code], kept["fold"], kept["seed"], kept["group_id"], level).auc
    if answered == len(folds):
        return auc
    note = "; ".join(filter(None, (auc.note, f"{answered} of {len(folds)} folds hold both sides")))
    return Interval(auc.estimate, auc.low, auc.high, auc.level, auc.method, note)


def _macro(scores: DataFrame, has: DataFrame, level: float) -> Interval:
    counted = [code for code in has.columns if (_smaller_side(scores, has[code].to_numpy(bool)) >= FEWEST).all()]
    if not counted:
        return undefined("macro AUC", f"no code has {FEWEST} nodules on either side in every fold", level)
    parts = [places.to_numpy() for places in scores.reset_index(drop=True).groupby(["seed", "fold"]).groups.values()]

    def mean(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        values = [
            weighted_aucs(has[code].to_numpy(bool)[rows], scores[code].to_numpy(float)[rows], weights[:, rows])
            for rows in parts
            for code in counted
        ]
        return np.asarray(np.mean(values, axis=0))

    left_out = [code for code in has.columns if code not in counted]
    note = f"without {', '.join(left_out)}: under {FEWEST} nodules on a side in some fold" if left_out else ""
    replicates = group_bootstrap(mean, len(scores), scores["group_id"])
    return percentile_interval(float(mean(np.ones((1, len(scores))))[0]), replicates, level, note)
