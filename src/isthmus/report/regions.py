"""What the regions do to the scores: boxes moved and scaled, and where the regions of each class came from."""

from typing import Any

import numpy as np
import pandas as pd

from isthmus.report.discrimination import groups_of_classes
from isthmus.statistics.cross_validated import compare_cross_validated_aucs, cross_validated_auc
from isthmus.statistics.few_groups import unless_few
from isthmus.statistics.proportions import clustered_proportion
from isthmus.statistics.roc import auc_interval, compare_aucs


def region_evidence(
    changed: pd.DataFrame, predictions: pd.DataFrame, *, positive: str, split: str = "cv", level: float = 0.95
) -> dict[str, Any]:
    """Compare each arm's scores under changed boxes with those under the boxes as they were drawn.

    Parameters
    ----------
    changed : DataFrame
        Contract 2 rows (of one split and one seed) with `call` and `change`.
    predictions : DataFrame
        The run's table.
    positive : str
        The positive class.
    split : str
        `cv`: AUCs are means over the folds' own; any other: one model scored all, clustered AUCs.
    level : float
        Of the intervals.

    Returns
    -------
    dict
        For each arm a list, one entry a change: `change`, `n`, `auc`, `difference` (changed minus drawn, paired by
        group) and `flips` (share of nodules whose call changes), each with its interval.
    """
    found: dict[str, Any] = {}
    score = f"p_{positive}"
    keys = ["arm", "seed", "unit_id"]
    drawn = predictions.loc[predictions["split"] == split, [*keys, "fold", "label", "group_id", score, "call"]]
    if changed.empty:
        return found
    paired = changed[[*keys, "change", score, "call"]].merge(drawn, on=keys, suffixes=("_changed", ""))
    for (arm, change), rows in paired.groupby(["arm", "change"], sort=False):
        truth, groups = (rows["label"] == positive).to_numpy(dtype=bool), rows["group_id"].to_numpy()
        now, before = rows[f"{score}_changed"].to_numpy(dtype=float), rows[score].to_numpy(dtype=float)
        flips = clustered_proportion((rows["call_changed"] != rows["call"]).to_numpy(dtype=bool), groups, level)
        entry: dict[str, Any] = {"change": str(change), "split": split, "n": len(rows), "flips": flips.as_dict()}
        sizes = groups_of_classes(truth, groups)
        folds, seeds = rows["fold"].to_numpy(), rows["seed"].to_numpy()
        if split != "cv" and 0 < truth.sum() < len(truth):
            entry |= {
                "auc": auc_interval(truth, now, groups, level).as_dict(),
                "difference": unless_few(compare_aucs(truth, now, before, groups, level), *sizes).as_dict(),
            }
        elif split == "cv" and _every_fold_has_both(truth, folds):
            difference = compare_cross_validated_aucs(truth, now, before, folds, seeds, groups, level)
            entry |= {
                "auc": cross_validated_auc(truth, now, folds, seeds, groups, level).auc.as_dict(),
                "difference": unless_few(difference, *sizes).as_dict(),
            }
        found.setdefault(str(arm), []).append(entry)
    return found


def _every_fold_has_both(truth: Any, folds: Any) -> bool:
    return all(0 < truth[folds == fold].sum() < (folds == fold).sum() for fold in np.unique(folds))


def region_sources(views: pd.DataFrame, classes: dict[str, str], level: float = 0.95) -> list[dict[str, Any]]:
    """Return how the regions of each class came about: drawn, proposed, the whole picture.

    Parameters
    ----------
    views : DataFrame
        `view_id`, `label`, `group_id`, `region_source`.
    classes : dict
        Label value to shown name, in order.
    level : float
        Of the intervals.

    Returns
    -------
    list of dict
        One entry a class and source: `class`, `source`, `views`, `of`, `share` with its interval, groups as clusters.
    """
    rows = views.drop_duplicates("view_id")
    sources = rows["region_source"].fillna("not stated").astype(str)
    table = []
    for label, shown in classes.items():
        own = (rows["label"] == label).to_numpy()
        for source in sorted(set(sources)):
            here = (sources[own] == source).to_numpy(dtype=bool)
            share = clustered_proportion(here, rows.loc[own, "group_id"].to_numpy(), level) if len(here) else None
            table.append(
                {
                    "class": shown, "source": source, "views": int(here.sum()), "of": len(here),
                    "share": None if share is None else share.as_dict(),
                }
            )  # fmt: skip
    return table
