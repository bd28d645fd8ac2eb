"""What a model may read instead of the disease: the device behind a picture, and marks that somebody drew over it."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from isthmus.statistics.interaction import auc_heterogeneity, subgroup_auc
from isthmus.statistics.multiclass import compare_several_classes, macro_auc
from isthmus.statistics.roc import FEWEST_GROUPS, auc_interval

KEY: Final = "shortcuts"
UNCHANGED: Final = "as they are"
"""The change that changes nothing: the same units, to be compared with."""

MARKED: Final = {"calipers": ("calipers", "no_calipers"), "marks": ("marks", "no_marks")}
"""What may be drawn in the crop: calipers, and any mark; with and without it."""


def device_evidence(
    rows: pd.DataFrame, devices: Sequence[str], classes: Sequence[str], level: float = 0.95
) -> dict[str, Any]:
    """Judge how well an arm's embeddings tell the device, beside what the label alone tells of it.

    Parameters
    ----------
    rows : DataFrame
        One row a held-out view: ``device``, ``label``, ``group_id``, ``told_<k>`` (probability of device k by the
        embedding), ``label_<k>`` (by the label alone) and ``device_<j>`` (of class j by the device alone).
    devices, classes : sequence of str
        In the order of these columns.
    level : float
        Of the intervals.

    Returns
    -------
    dict
        ``n``, ``groups``; macro AUC ``told`` and ``by_label``, their ``difference`` and ``p``, and ``label_by_device``
        (AUC of the last of two classes; of several the macro AUC), each with an interval that counts groups.
    """
    groups = rows["group_id"].to_numpy()
    truth, labels = rows["device"].to_numpy(), rows["label"].to_numpy()
    told, by_label = (_columns(rows, name, len(devices)) for name in ("told", "label"))
    compared = compare_several_classes(truth, told, by_label, devices, groups, level)["macro_auc"]
    return {
        "n": len(rows),
        "groups": int(rows["group_id"].nunique()),
        "told": macro_auc(truth, told, devices, groups, level).as_dict(),
        "by_label": macro_auc(truth, by_label, devices, groups, level).as_dict(),
        "difference": compared.difference.as_dict(),
        "p": None if np.isnan(compared.p) else float(compared.p),
        "label_by_device": _of_the_label(labels, _columns(rows, "device", len(classes)), classes, groups, level),
    }


def _columns(rows: pd.DataFrame, name: str, count: int) -> "np.ndarray[Any, np.dtype[np.float64]]":
    return rows[[f"{name}_{place}" for place in range(count)]].to_numpy(dtype=np.float64)


def _of_the_label(labels: Any, shares: Any, classes: Sequence[str], groups: Any, level: float) -> dict[str, Any] | None:
    if set(labels) != set(classes):
        return None
    if len(classes) > 2:
        return macro_auc(labels, shares, classes, groups, level).as_dict()
    return auc_interval(labels == classes[-1], shares[:, -1], groups, level).as_dict()


def marks_evidence(
    predictions: pd.DataFrame, cases: pd.DataFrame, *, positive: str, level: float = 0.95
) -> dict[str, Any]:
    """Judge each arm on units with calipers, or any mark, in the crop and on units without.

    Parameters
    ----------
    predictions : DataFrame
        Contract 2, held-out rows.
    cases : DataFrame
        ``cohort``, ``unit_id`` and the columns of :data:`MARKED`, missing where it was not looked for.
    positive : str
        The positive class; of several it is told from all others.
    level : float
        Of the intervals.

    Returns
    -------
    dict
        ``calipers`` and ``marks``, each with ``counts`` (units, and positive ones, with and without), and by arm and
        split ``auc`` with and without, and ``p`` of their difference. Without one of which not both classes are there
        with and without.
    """
    kinds = {
        kind: _with_and_without(predictions, cases, kind, codes, positive, level)
        for kind, codes in MARKED.items()
        if kind in cases
    }
    return {kind: found for kind, found in kinds.items() if found}


def _with_and_without(
    predictions: pd.DataFrame, cases: pd.DataFrame, kind: str, codes: Sequence[str], positive: str, level: float
) -> dict[str, Any]:
    known = cases.loc[cases[kind].isin(list(codes)), ["cohort", "unit_id", kind]].drop_duplicates()
    rows = predictions.merge(known, on=["cohort", "unit_id"], how="inner")
    units = rows.drop_duplicates(["cohort", "unit_id"])
    positives = units["label"] == positive
    counts = {
        code: [int((units[kind] == code).sum()), int((positives & (units[kind] == code)).sum())] for code in codes
    }
    if any(not 0 < own < count for count, own in counts.values()):
        return {}
    arms: dict[str, dict[str, Any]] = {}
    for (arm, split), own in rows.groupby(["arm", "split"], sort=False):
        truth, scores = (own["label"] == positive).to_numpy(dtype=bool), own[f"p_{positive}"].to_numpy(dtype=float)
        parts = own.groupby(["cohort", "seed", "fold"]).ngroup().to_numpy()
        groups = own.groupby(["cohort", "group_id"]).ngroup().to_numpy()
        found = {
            code: subgroup_auc(truth, scores, (own[kind] == code).to_numpy(dtype=bool), parts, groups, level)
            for code in codes
        }
        arms.setdefault(str(arm), {})[str(split)] = {
            **{code: one.auc.as_dict() for code, one in found.items()},
            "few": min(min(one.groups) for one in found.values()) < FEWEST_GROUPS,
            **auc_heterogeneity(list(found.values())).as_dict(),
        }
    return {"counts": counts, "arms": arms}


def enough_of(rows: pd.DataFrame, column: str) -> list[str]:
    """Return the values of a column of views that enough groups have to be judged.

    Examples
    --------
    >>> views = pd.DataFrame({"group_id": [str(row // 2) for row in range(40)], "device": ["A"] * 22 + ["B"] * 18})
    >>> enough_of(views, "device")
    ['A']
    """
    counts = rows.dropna(subset=[column]).groupby(column)["group_id"].nunique()
    return sorted(str(name) for name, groups in counts.items() if str(name) and groups >= FEWEST_GROUPS)


def balanced_groups(tables: Sequence[pd.DataFrame], order: Sequence[str], limits: Sequence[int]) -> list[str]:
    """Return groups of every class in turn, until one of the tables would have more of their views than its limit.

    Parameters
    ----------
    tables : sequence of DataFrame
        Each arm's views: ``group_id``, ``label``.
    order : sequence of str
        All groups, in the order in which those of a class are taken.
    limits : sequence of int
        Of each table's views; each class has one group whatever they are.
    """
    views = pd.concat(tables)
    classes = views.groupby("label")["group_id"].nunique().sort_values(kind="stable").index.tolist()
    rank = {label: place for place, label in enumerate(classes)}  # a group of several classes stands for the rarest
    of_group = views.assign(rank=views["label"].map(rank)).groupby("group_id")["rank"].min().to_dict()
    waiting = [[group for group in order if of_group.get(group) == place] for place in range(len(classes))]
    sizes = [table["group_id"].value_counts().to_dict() for table in tables]
    taken, totals = list[str](), [0] * len(tables)
    for turn in range(max((len(one) for one in waiting), default=0)):
        for group in (one[turn] for one in waiting if turn < len(one)):
            after = [total + own.get(group, 0) for total, own in zip(totals, sizes, strict=True)]
            if turn and any(total > limit for total, limit in zip(after, limits, strict=True)):
                return taken
            taken.append(group)
            totals = after
    return taken
