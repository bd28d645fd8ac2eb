"""What a model may read instead of the disease: the device behind a picture, and marks that somebody drew over it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from isthmus.statistics.fold_rules import FoldRuleAuc, compare_fold_rules, fold_rule_auc
from isthmus.statistics.interaction import auc_heterogeneity, subgroup_auc
from isthmus.statistics.interval import holm
from isthmus.statistics.roc import FEWEST_GROUPS

KEY: Final = "shortcuts"
UNCHANGED: Final = "as they are"
"""The change that changes nothing: the same units, to be compared with."""

LEAST_LEFT: Final = 0.05
"""Of the picture at least, on average, when the lesion is painted out: of less there is nothing to be read."""

ROUNDING: Final = 1e-6
"""Scores of one picture in two batches differ by no more."""

MARKED: Final = {"calipers": ("calipers", "no_calipers"), "marks": ("marks", "no_marks")}
"""What may be drawn in the crop: calipers, and any mark; with and without it."""


def device_evidence(
    rows: pd.DataFrame, devices: Sequence[str], classes: Sequence[str], level: float = 0.95
) -> dict[str, Any]:
    """Judge how well an arm's embeddings tell the device, beside what the label alone tells of it.

    Parameters
    ----------
    rows : DataFrame
        One row a held-out view: ``device``, ``label``, ``group_id``, ``fold``, ``told_<k>`` (probability of device k by
        the embedding), ``label_<k>`` (by the label alone) and ``device_<j>`` (of class j by the device alone).
    devices, classes : sequence of str
        In the order of these columns.
    level : float
        Of the intervals.

    Returns
    -------
    dict
        ``n``, ``groups``; macro AUC ``told`` and ``by_label``, their ``difference`` and ``p``, and ``label_by_device``
        (of two classes the AUC), each with an interval that counts groups. All are means of within-fold AUCs: every
        fold has rules of its own, whose scores are not ranked against another's.
    """
    truth = rows["device"].to_numpy()
    told, by_label = (_judged(rows, truth, name, devices, level) for name in ("told", "label"))
    compared = compare_fold_rules(told, by_label, level)
    labels = rows["label"].to_numpy()
    label_by_device = _judged(rows, labels, "device", classes, level) if set(labels) == set(classes) else None
    return {
        "n": len(rows),
        "groups": int(rows["group_id"].nunique()),
        "told": told.auc.as_dict(),
        "by_label": by_label.auc.as_dict(),
        "difference": compared.difference.as_dict(),
        "p": None if np.isnan(compared.p) else float(compared.p),
        "label_by_device": None if label_by_device is None else label_by_device.auc.as_dict(),
    }


def _judged(rows: pd.DataFrame, truth: Any, name: str, values: Sequence[str], level: float) -> FoldRuleAuc:
    scores = rows[[f"{name}_{place}" for place in range(len(values))]].to_numpy(dtype=np.float64)
    return fold_rule_auc(truth, scores, values, rows["fold"].to_numpy(), rows["group_id"].to_numpy(), level)


def withhold_what_is_not_tested(
    entries: Sequence[dict[str, Any]], change: str, left: float | None, constant: bool
) -> list[dict[str, Any]]:
    """Return the entries of an arm without what one change cannot tell, and with why not.

    Parameters
    ----------
    entries : sequence of dict
        As `region_evidence` gives them.
    change : str
        The one that takes away what is to be read.
    left : float, optional
        The share of the pictures that it leaves.
    constant : bool
        Whether all scores of a fold are equal under it.

    Returns
    -------
    list of dict
        The change has no ``auc``, ``difference`` and ``flips`` where less than :data:`LEAST_LEFT` is left, or its
        scores are constant: an AUC of 0.5 would then hold by construction. ``untested`` says so.

    Examples
    --------
    >>> withhold_what_is_not_tested([{"change": "x", "n": 9, "auc": {}, "flips": {}}], "x", 0.01, False)
    [{'change': 'x', 'n': 9, 'untested': 'less than 5 % of the picture is left'}]
    """
    little = left is not None and left < LEAST_LEFT
    if not (little or constant):
        return list(entries)
    why = f"less than {100 * LEAST_LEFT:.0f} % of the picture is left" if little else "all scores of a fold are equal"
    withheld = ("auc", "difference", "flips")
    return [
        {**{key: value for key, value in entry.items() if key not in withheld}, "untested": why}
        if entry["change"] == change
        else entry
        for entry in entries
    ]


def constant_within_folds(rows: pd.DataFrame, score: str) -> bool:
    """Return whether every fold model gives all its cases one score.

    Examples
    --------
    >>> constant_within_folds(pd.DataFrame({"seed": 0, "fold": [0, 0, 1], "p": [0.2, 0.2, 0.7]}), "p")
    True
    """
    spans = rows.groupby(["seed", "fold"])[score].agg(lambda own: float(np.ptp(own.to_numpy(dtype=float))))
    return bool((spans <= ROUNDING).all())


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
        ``calipers`` and ``marks``, each by arm and split with ``counts`` (units, and positive ones, with and without),
        the AUC with and without, ``p`` of their difference, and ``p_holm`` over all of these tests, ``tests`` of both
        kinds together. Without a kind, and the splits of it, that do not have both classes both with and without.
    """
    kinds = {
        kind: _with_and_without(predictions, cases, kind, codes, positive, level)
        for kind, codes in MARKED.items()
        if kind in cases
    }
    entries = [entry for arms in kinds.values() for splits in arms.values() for entry in splits.values()]
    adjusted = holm([np.nan if entry["p"] is None else entry["p"] for entry in entries])
    for entry, value in zip(entries, adjusted, strict=True):
        entry["p_holm"] = None if np.isnan(value) else float(value)
    tests = int(np.isfinite(adjusted).sum())
    return {kind: {"arms": arms, "tests": tests} for kind, arms in kinds.items() if arms}


def _with_and_without(
    predictions: pd.DataFrame, cases: pd.DataFrame, kind: str, codes: Sequence[str], positive: str, level: float
) -> dict[str, dict[str, Any]]:
    known = cases.loc[cases[kind].isin(list(codes)), ["cohort", "unit_id", kind]].drop_duplicates()
    rows = predictions.merge(known, on=["cohort", "unit_id"], how="inner")
    arms: dict[str, dict[str, Any]] = {}
    for (arm, split), own in rows.groupby(["arm", "split"], sort=False):
        counts = _counts(own, kind, codes, positive)
        if any(not 0 < positives < units for units, positives in counts.values()):
            continue
        truth, scores = (own["label"] == positive).to_numpy(dtype=bool), own[f"p_{positive}"].to_numpy(dtype=float)
        parts = own.groupby(["cohort", "seed", "fold"]).ngroup().to_numpy()
        groups = own.groupby(["cohort", "group_id"]).ngroup().to_numpy()
        found = {
            code: subgroup_auc(truth, scores, (own[kind] == code).to_numpy(dtype=bool), parts, groups, level)
            for code in codes
        }
        arms.setdefault(str(arm), {})[str(split)] = {
            "counts": counts,
            **{code: one.auc.as_dict() for code, one in found.items()},
            "few": min(min(one.groups) for one in found.values()) < FEWEST_GROUPS,
            **auc_heterogeneity(list(found.values())).as_dict(),
        }
    return arms


def _counts(rows: pd.DataFrame, kind: str, codes: Sequence[str], positive: str) -> Mapping[str, list[int]]:
    """Return how many units there are of each code, and how many of them are positive; of several seeds each once."""
    units = rows.drop_duplicates(["cohort", "unit_id"])
    positives = units["label"] == positive
    return {code: [int((units[kind] == code).sum()), int((positives & (units[kind] == code)).sum())] for code in codes}


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
