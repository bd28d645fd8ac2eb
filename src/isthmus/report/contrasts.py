"""Paired comparisons of arms on the same units: the primary contrast first, the others with Holm's correction."""

from itertools import combinations
from typing import Any

import numpy as np
from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.discrimination import is_cross_validated
from isthmus.report.reading import in_order
from isthmus.statistics.cross_validated import compare_cross_validated_aucs
from isthmus.statistics.interval import Comparison, holm
from isthmus.statistics.mcnemar import mcnemar
from isthmus.statistics.proportions import compare_paired_proportions
from isthmus.statistics.roc import compare_aucs

_CALL_MEASURES = ("sensitivity", "specificity", "accuracy")


def comparisons(
    table: AnalysisTable, *, reference_arm: str | None, primary: dict[str, str] | None, level: float
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return all paired comparisons, and notes on pairs that could not be compared.

    Parameters
    ----------
    table : AnalysisTable
        Two classes.
    reference_arm : str, optional
        Each other arm is compared with this one; without it, all pairs are compared.
    primary : dict, optional
        ``{"arm": …, "against": …}``: the contrast named before the analysis; it stands first and outside Holm's
        correction.
    level : float
        Of the intervals, 0 to 1.

    Returns
    -------
    list of dict
        ``a, b, split, measure, difference, low, high, level, statistic, p, p_holm, method, primary, n``; the
        difference is a - b. Calls are compared for the primary contrast and against the reference arm only.
    """
    found: list[dict[str, Any]] = []
    notes: list[str] = []
    splits = set(table.rows["split"])
    for split in in_order(splits):
        arms = list(dict.fromkeys(table.rows.loc[table.rows["split"] == split, "arm"]))
        for a, b in _pairs(arms, reference_arm, primary):
            named = primary is not None and (a, b) == (primary["arm"], primary["against"])
            try:
                both = _paired(table, a, b, split)
            except ValueError as error:
                notes.append(f"{a} and {b} are not compared in split {split}: {error}")
                continue
            entries = _compared(both, table.positive, level, calls=named or b == reference_arm)
            shared = {"a": a, "b": b, "split": split}
            found += [{**shared, **entry, "primary": named and entry["measure"] == "auc"} for entry in entries]
    _adjust(found)
    # A stable sort: the primary contrast first, then ranking before calls, else the arms' own order.
    return sorted(found, key=lambda entry: (not entry["primary"], entry["measure"] != "auc")), notes


def _pairs(arms: list[str], reference_arm: str | None, primary: dict[str, str] | None) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    if primary and {primary["arm"], primary["against"]} <= set(arms):
        pairs.append((primary["arm"], primary["against"]))
    others = (
        [(arm, reference_arm) for arm in arms if arm != reference_arm]
        if reference_arm in arms and reference_arm is not None
        else list(combinations(arms, 2))
    )
    return pairs + [pair for pair in others if set(pair) not in [set(known) for known in pairs]]


def _paired(table: AnalysisTable, a: str, b: str, split: str) -> DataFrame:
    """Return both arms' scores and calls on the units that both have, in the same seed; `fold_b` is the second's."""
    left, right = table.part(a, split), table.part(b, split)
    once = ["seed", "unit_id"]
    several = any(rows.duplicated(once).any() for rows in (left, right))  # a unit in several folds of a seed
    keys = [*once, "fold"] if several else once
    other = right.assign(fold_b=right["fold"])[[*keys, "fold_b", "score", "call"]]
    both = left.merge(other, on=keys, suffixes=("_a", "_b"), validate="one_to_one")
    if both.empty:
        raise ValueError("they share no unit in the same seed")
    if both["truth"].nunique() < 2:
        raise ValueError("the units they share are all of one class")
    missing = max(left["unit_id"].nunique(), right["unit_id"].nunique()) - both["unit_id"].nunique()
    seeds = max(left["seed"].nunique(), right["seed"].nunique()) - both["seed"].nunique()
    return both.assign(missing=missing, seeds_missing=seeds)


def _compared(both: DataFrame, positive: str, level: float, *, calls: bool) -> list[dict[str, Any]]:
    units = int(both["unit_id"].nunique())
    note = (
        f"{units} shared units; {int(both['missing'].iloc[0])} are in one arm only" if both["missing"].iloc[0] else ""
    )
    if (both["fold"] != both["fold_b"]).any():
        note = "; ".join(filter(None, (note, "the two were cross-validated over other folds")))
    if both["seeds_missing"].iloc[0]:
        shared = ", ".join(str(seed) for seed in sorted(both["seed"].unique()))
        note = "; ".join(filter(None, (note, f"on seed {shared} alone, which both have")))
    entries = []
    try:
        entries.append(_entry("auc", _compare_ranking(both, level), units, note))
    except ValueError as error:
        nothing = {"difference": None, "low": None, "high": None, "level": level, "statistic": None, "p": None}
        entries.append({"measure": "auc", **nothing, "method": "none", "n": units, "note": str(error)})
    if calls and (both["call_a"] != "").all() and (both["call_b"] != "").all():
        label = both["label"].to_numpy(dtype=str)
        right_a, right_b = (both[name].to_numpy(dtype=str) == label for name in ("call_a", "call_b"))
        groups = both["group_id"].to_numpy(dtype=str)
        among = {
            "sensitivity": label == positive,
            "specificity": label != positive,
            "accuracy": np.ones(len(label), bool),
        }
        for measure in _CALL_MEASURES:
            rows = among[measure]
            comparison = compare_paired_proportions(right_a[rows], right_b[rows], groups[rows], level)
            discordant = mcnemar(right_a[rows], right_b[rows], groups[rows]).as_dict()
            discordant["seeds"] = int(both["seed"].nunique())  # b and c are counted over all of them
            entries.append({**_entry(measure, comparison, units, note), "mcnemar": discordant})
    return entries


def _compare_ranking(both: DataFrame, level: float) -> Comparison:
    truth, groups = both["truth"].to_numpy(), both["group_id"].to_numpy(dtype=str)
    a, b = both["score_a"].to_numpy(dtype=float), both["score_b"].to_numpy(dtype=float)
    if is_cross_validated(both):
        folds = both["fold"], both["fold_b"]
        return compare_cross_validated_aucs(truth, a, b, folds[0], both["seed"], groups, level, folds_b=folds[1])
    return compare_aucs(truth, a, b, groups, level)


def _entry(measure: str, comparison: Comparison, units: int, note: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"measure": measure, **comparison.as_dict(), "n": units}
    notes = "; ".join(filter(None, (entry.get("note"), note)))
    return {**entry, "note": notes} if notes else entry


def _adjust(found: list[dict[str, Any]]) -> None:
    """Add Holm's adjusted p over all comparisons of a split and measure but the primary one."""
    families: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for entry in found:
        entry["p_holm"] = None
        if not entry["primary"]:
            families.setdefault((entry["split"], entry["measure"]), []).append(entry)
    for family in families.values():
        adjusted = holm([np.nan if entry["p"] is None else entry["p"] for entry in family])
        for entry, value in zip(family, adjusted, strict=True):
            entry["p_holm"] = None if np.isnan(value) else float(value)
