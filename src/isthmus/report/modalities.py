"""What arms of several modalities say with each subset of them, and how much each modality counted."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from isthmus.report.discrimination import groups_of_classes
from isthmus.statistics.cross_validated import compare_cross_validated_aucs, cross_validated_auc
from isthmus.statistics.few_groups import unless_few
from isthmus.statistics.inputs import FloatArray
from isthmus.statistics.means import clustered_mean
from isthmus.statistics.roc import auc_interval, compare_aucs

KEY: Final = "modalities"


def modalities_in(subset: int, modalities: Sequence[str]) -> list[str]:
    """Return the modalities of a subset's number: bit i is modality i.

    Examples
    --------
    >>> modalities_in(5, ["bmode", "smi", "swe"])
    ['bmode', 'swe']
    """
    return [name for place, name in enumerate(modalities) if subset >> place & 1]


def subset_evidence(
    rows: pd.DataFrame, modalities: Sequence[str], *, positive: str, split: str, level: float = 0.95
) -> list[dict[str, Any]]:
    """Judge an arm as if only some of its modalities had been recorded.

    Parameters
    ----------
    rows : DataFrame
        One row a unit and subset, of one split and one seed: ``unit_id``, ``subset`` (a number whose bit i is modality
        i; what a unit lacks of it was absent), ``fold``, ``seed``, ``label``, ``group_id``, ``p_<class>``.
    modalities : sequence of M str
        Of the arm.
    positive : str
        The positive class; among several classes it is told from all others.
    split : str
        ``cv``: AUCs are means over the folds' own; any other: one model scored all.
    level : float
        Of the intervals.

    Returns
    -------
    list of dict
        From single modalities to all: ``shown``, ``n`` units that have all of them, ``groups``; where they hold both
        classes ``auc``, and ``difference`` from the same units with all that they have, each with its interval.
    """
    score, found = f"p_{positive}", list[dict[str, Any]]()
    wide = rows.pivot(index="unit_id", columns="subset", values=score)
    facts = rows.drop_duplicates("unit_id").set_index("unit_id").loc[wide.index]
    everything = 2 ** len(modalities) - 1
    for subset in sorted(range(1, everything + 1), key=lambda one: (one.bit_count(), one)):
        bits = [1 << place for place in range(len(modalities)) if subset >> place & 1]
        has = np.all([_there(wide, bit) for bit in bits], axis=0)
        own = facts[has]
        entry: dict[str, Any] = {"shown": modalities_in(subset, modalities), "split": split}
        truth, groups = (own["label"] == positive).to_numpy(dtype=bool), own["group_id"].to_numpy()
        entry |= {"n": len(own), "groups": int(own["group_id"].nunique())}
        folds, seeds = own["fold"].to_numpy(), own["seed"].to_numpy()
        if _both(truth) and (split != "cv" or all(_both(truth[folds == fold]) for fold in np.unique(folds))):
            now, full = (wide.loc[has, one].to_numpy(dtype=float) for one in (subset, everything))
            if split == "cv":
                auc = cross_validated_auc(truth, now, folds, seeds, groups, level).auc
                difference = compare_cross_validated_aucs(truth, now, full, folds, seeds, groups, level)
            else:
                auc = auc_interval(truth, now, groups, level)
                difference = compare_aucs(truth, now, full, groups, level)
            entry["auc"] = auc.as_dict()
            if subset != everything:
                entry["difference"] = unless_few(difference, *groups_of_classes(truth, groups)).as_dict()
        found.append(entry)
    return found


def _there(wide: pd.DataFrame, subset: int) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    return wide[subset].notna().to_numpy() if subset in wide else np.zeros(len(wide), bool)


def _both(truth: "np.ndarray[Any, np.dtype[np.bool_]]") -> bool:
    return bool(0 < truth.sum() < len(truth))


def summarise_modalities(
    by_modality: Mapping[str, FloatArray], has: Mapping[str, FloatArray], rows: pd.DataFrame, classes: Mapping[str, str]
) -> dict[str, Any]:
    """Return how far each modality moved the score of the units that have it, with intervals that count patients.

    Parameters
    ----------
    by_modality : mapping
        Modality to its Shapley values [N] in log odds.
    has : mapping
        Modality to 1 where a unit has it, else 0 [N].
    rows : DataFrame
        N rows: ``label``, ``group_id``.
    classes : mapping
        Class code to shown name.

    Returns
    -------
    dict
        ``cases``, ``groups``, and by modality ``units`` that have it, ``size`` (mean without sign), ``share`` (of all
        modalities' sizes, unit by unit) and ``classes`` (name to the signed mean), as cluster-robust t intervals.
    """
    groups, labels = rows["group_id"].astype(str).to_numpy(), rows["label"].astype(str).to_numpy()
    total = np.sum([np.abs(values) for values in by_modality.values()], axis=0)
    members = {}
    for name, values in by_modality.items():
        own = has[name] > 0
        moved = own & (total > 0)
        shares = np.abs(values[moved]) / total[moved]
        members[name] = {
            "units": int(own.sum()),
            "size": clustered_mean(np.abs(values[own]), groups[own]).as_dict() if own.any() else None,
            "share": clustered_mean(shares, groups[moved]).as_dict() if moved.any() else None,
            "classes": {
                shown: clustered_mean(values[own & (labels == code)], groups[own & (labels == code)]).as_dict()
                for code, shown in classes.items()
                if (own & (labels == code)).any()
            },
        }
    return {"cases": len(rows), "groups": len(set(groups)), "members": members}
