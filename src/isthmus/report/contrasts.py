"""Paired comparisons of arms on the same units: the named contrasts first, the others with Holm's correction."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.contrasts_several import SeveralClassContrasts
from isthmus.report.discrimination import auc_difference, groups_of_classes
from isthmus.report.named_contrasts import NamedContrast, confirmatory
from isthmus.report.pairing import Part, are_apart, paired, part_of
from isthmus.report.reading import in_order
from isthmus.statistics.few_groups import unless_few
from isthmus.statistics.interval import Comparison, holm
from isthmus.statistics.mcnemar import mcnemar
from isthmus.statistics.partly_paired import compare_partly_paired_aucs
from isthmus.statistics.proportions import compare_paired_proportions

_CALL_MEASURES = ("sensitivity", "specificity", "accuracy")


def comparisons(
    table: AnalysisTable,
    *,
    reference_arm: str | None,
    contrasts: Sequence[NamedContrast],
    level: float,
    bootstrap: int = 2000,
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return all paired comparisons, and notes on pairs that could not be compared.

    Parameters
    ----------
    table : AnalysisTable
        Two classes are compared by AUC, several by macro AUC and Hand and Till's M.
    reference_arm : str, optional
        Each other arm is compared with this one; without it, all pairs are compared.
    contrasts : sequence of NamedContrast
        Those named before the analysis, in the order in which they are tested; they stand first and outside Holm's
        correction.
    level : float
        Of the intervals, 0 to 1.
    bootstrap : int
        Group resamplings behind the comparisons of several classes.

    Returns
    -------
    list of dict
        ``a, b, split, measure, difference, low, high, level, statistic, p, p_holm, method, primary, n``; the
        difference is a - b. Of the named ones ``order`` and ``confirmatory`` too: whether all before it in the same
        split were shown. Calls are compared for the named contrasts and against the reference arm only.
    """
    found: list[dict[str, Any]] = []
    notes: list[str] = []
    if len(table.classes) > 2 and not table.has_probabilities:
        return found, ["arms are not compared: one score cannot rank several classes"]
    several = SeveralClassContrasts(table.classes, bootstrap, level) if len(table.classes) > 2 else None
    leading = "auc" if several is None else "macro_auc"
    for split in in_order(set(table.rows["split"])):
        arms = list(dict.fromkeys(table.rows.loc[table.rows["split"] == split, "arm"]))
        parts = {arm: part_of(table, arm, split) for arm in arms}
        for a, b in pairs_of(arms, reference_arm, [(one.a, one.b) for one in contrasts]):
            order = next((one.order for one in contrasts if (a, b) == (one.a, one.b)), None)
            try:
                entries = _entries(table, parts, (a, b), several, level, calls=order is not None or b == reference_arm)
            except ValueError as error:
                notes.append(f"{a} and {b} are not compared in split {split}: {error}")
                continue
            shared = {"a": a, "b": b, "split": split}
            for entry in entries:
                ordered = order if entry["measure"] == leading else None
                found.append({**shared, **entry, "primary": ordered == 1, "order": ordered})
    adjust(found)
    _say_what_confirms(found, contrasts, level)
    # A stable sort: the named contrasts first, then ranking before calls, else the arms' own order.
    return sorted(found, key=lambda entry: (entry["order"] or np.inf, entry["measure"] != leading)), notes


def _say_what_confirms(found: list[dict[str, Any]], contrasts: Sequence[NamedContrast], level: float) -> None:
    """Add to each named entry whether it is confirmatory: within a split, all before it were shown."""
    for split in {entry["split"] for entry in found}:
        named = {(entry["a"], entry["b"]): entry for entry in found if entry["split"] == split and entry["order"]}
        entries = [named.get((one.a, one.b), {"p": None}) for one in contrasts]
        for entry, first in zip(entries, confirmatory([entry["p"] for entry in entries], level), strict=True):
            entry.setdefault("confirmatory", first)


def _entries(
    table: AnalysisTable,
    parts: dict[str, Part],
    pair: tuple[str, str],
    several: SeveralClassContrasts | None,
    level: float,
    *,
    calls: bool,
) -> list[dict[str, Any]]:
    """Return one pair's comparisons, or raise ValueError saying why there are none."""
    left, right = (parts[arm] for arm in pair)
    if several is None and are_apart(left, right):
        return [_compare_apart(left.rows, right.rows, level)]
    both = paired(left, right)
    note = _note(both)
    ranked = _by_ranking(both, note, level) if several is None else _by_several(both, several, *pair, note)
    return ranked + (_by_calls(both, table, level, note) if calls else [])


def pairs_of(
    arms: list[str], reference_arm: str | None, named: Sequence[tuple[str, str]] = ()
) -> list[tuple[str, str]]:
    """Return which arms are compared, the named pairs first."""
    pairs = [pair for pair in dict.fromkeys(named) if set(pair) <= set(arms)]
    others = (
        [(arm, reference_arm) for arm in arms if arm != reference_arm]
        if reference_arm in arms and reference_arm is not None
        else list(combinations(arms, 2))
    )
    return pairs + [pair for pair in others if set(pair) not in [set(known) for known in pairs]]


def _note(both: DataFrame) -> str:
    notes = []
    if both["missing"].iloc[0]:
        notes.append(f"{both['unit_id'].nunique()} shared units; {int(both['missing'].iloc[0])} are in one arm only")
    if (both["fold"] != both["fold_b"]).any():
        notes.append("the two were cross-validated over other folds")
    if both["seeds_missing"].iloc[0]:
        shared = ", ".join(str(seed) for seed in sorted(both["seed"].unique()))
        notes.append(f"on seed {shared} alone, which both have")
    return "; ".join(notes)


def _by_ranking(both: DataFrame, note: str, level: float) -> list[dict[str, Any]]:
    units = int(both["unit_id"].nunique())
    try:
        return [_entry("auc", _compare_ranking(both, level), units, note)]
    except ValueError as error:
        return [_nothing("auc", units, level, str(error))]


def _by_several(both: DataFrame, several: SeveralClassContrasts, a: str, b: str, note: str) -> list[dict[str, Any]]:
    units = int(both["unit_id"].nunique())
    try:
        compared = several.compare(both, a, b)
    except ValueError as error:
        return [_nothing("macro_auc", units, several.level, str(error))]
    return [_entry(measure, comparison, units, note) for measure, comparison in compared.items()]


def _by_calls(both: DataFrame, table: AnalysisTable, level: float, note: str) -> list[dict[str, Any]]:
    if (both["call_a"] == "").any() or (both["call_b"] == "").any():
        return []
    units = int(both["unit_id"].nunique())
    label = both["label"].to_numpy(dtype=str)
    right_a, right_b = (both[name].to_numpy(dtype=str) == label for name in ("call_a", "call_b"))
    groups = both["group_id"].to_numpy(dtype=str)
    among = {
        "sensitivity": label == table.positive,
        "specificity": label != table.positive,
        "accuracy": np.ones(len(label), bool),
    }
    entries = []
    for measure in _CALL_MEASURES if len(table.classes) == 2 else ("accuracy",):
        rows = among[measure]
        comparison = compare_paired_proportions(right_a[rows], right_b[rows], groups[rows], level)
        discordant = mcnemar(right_a[rows], right_b[rows], groups[rows]).as_dict()
        discordant["seeds"] = int(both["seed"].nunique())  # b and c are counted over all of them
        entries.append({**_entry(measure, comparison, units, note), "mcnemar": discordant})
    return entries


def _nothing(measure: str, units: int, level: float, note: str) -> dict[str, Any]:
    empty = {"difference": None, "low": None, "high": None, "level": level, "statistic": None, "p": None}
    return {"measure": measure, **empty, "method": "none", "n": units, "note": note}


def _compare_apart(left: DataFrame, right: DataFrame, level: float) -> dict[str, Any]:
    rows = pd.concat([left, right])
    truth, score = rows["truth"].to_numpy(dtype=bool), rows["score"].to_numpy(dtype=float)
    first = np.arange(len(rows)) < len(left)
    groups = rows["group_id"].to_numpy(dtype=str)
    comparison = compare_partly_paired_aucs(truth, score, score, first, ~first, groups, level)
    sizes = [groups_of_classes(truth[own], groups[own]) for own in (first, ~first)]
    comparison = unless_few(comparison, *np.min(sizes, axis=0).tolist())
    note = f"no shared unit: {len(left)} units against {len(right)} others, which may be easier or harder"
    return _entry("auc", comparison, len(rows), note)


def _compare_ranking(both: DataFrame, level: float) -> Comparison:
    a, b = both["score_a"].to_numpy(dtype=float), both["score_b"].to_numpy(dtype=float)
    return auc_difference(both, both["truth"].to_numpy(), a, b, level, both["fold_b"])


def _entry(measure: str, comparison: Comparison, units: int, note: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"measure": measure, **comparison.as_dict(), "n": units}
    notes = "; ".join(filter(None, (entry.get("note"), note)))
    return {**entry, "note": notes} if notes else entry


def adjust(found: list[dict[str, Any]]) -> None:
    """Add Holm's adjusted p over all comparisons of a split and measure but the named ones."""
    families: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for entry in found:
        entry["p_holm"] = None
        if not (entry["primary"] or entry.get("order")):
            families.setdefault((entry["split"], entry["measure"]), []).append(entry)
    for family in families.values():
        adjusted = holm([np.nan if entry["p"] is None else entry["p"] for entry in family])
        for entry, value in zip(family, adjusted, strict=True):
            entry["p_holm"] = None if np.isnan(value) else float(value)
