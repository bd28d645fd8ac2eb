"""TI-RADS beside the model: the levels that published tables give to the same cases, as a comparator."""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.cohort.tirads import unknown_codes
from isthmus.report.analysis_table import LEFT_OUT, AnalysisTable
from isthmus.report.reading import in_order
from isthmus.report.subject import Study
from isthmus.report.tirads_contrasts import arm_scores, beside_arms
from isthmus.report.tirads_scales import Scale, cut_calls, scales
from isthmus.statistics.interval import Interval, holm, undefined
from isthmus.statistics.proportions import clustered_proportion
from isthmus.statistics.roc import auc_interval
from isthmus.tables.predictions import asks_for_malignancy


def tirads_evidence(table: AnalysisTable, study: Study, evidence: dict[str, Any]) -> dict[str, Any]:
    """Return, for each split and scale, how the levels rank, what their cuts call, and how the arms compare.

    Parameters
    ----------
    table : AnalysisTable
        Two classes, else there is nothing.
    study : Study
        With ``cases``: descriptors, ``size_mm``, ``tirads``.
    evidence : dict
        So far; not used.

    Returns
    -------
    dict
        ``scales`` (name, source, levels with published risks, notes), ``splits.<split>.<scale>``, ``ceilings`` (for
        each split, whether the label itself is a TI-RADS: then levels are no comparator, no arm is compared),
        ``malignancy`` (whether that is what is asked for: else size rules and published risks say nothing here),
        ``unknown_codes``. Empty where no case has a descriptor or a recorded level.
    """
    if study.cases is None or len(table.classes) != 2:
        return {}
    ceilings: dict[str, bool] = {}
    malignancy = asks_for_malignancy(table.target)
    found: dict[str, Any] = {}
    described: dict[str, Any] = {}
    for split in in_order(set(table.rows["split"]) - set(LEFT_OUT)):
        units, cases = _units(table, split, study.cases)
        on = scales(cases)
        ceiling = _is_ceiling(table, split, study)
        arms = arm_scores(table, split, units) if on and not ceiling else []
        for scale in on:
            described.setdefault(scale.key, _about(scale))
            entry = _on_scale(scale, units, study.level, with_size=malignancy and not ceiling)
            if not ceiling:
                entry |= beside_arms(scale, units, arms, study)
            found.setdefault(split, {})[scale.key] = entry
        if on:
            ceilings[split] = ceiling
        _adjust(found.get(split, {}))
    if not found:
        return {}
    return {
        "ceilings": ceilings,
        "malignancy": malignancy,
        "scales": described,
        "splits": found,
        "unknown_codes": unknown_codes(study.cases),
    }


def _is_ceiling(table: AnalysisTable, split: str, study: Study) -> bool:
    if study.graded is None:
        return study.reference == "tirads"
    return not set(table.rows.loc[table.rows["split"] == split, "cohort"]).isdisjoint(study.graded)


def _units(table: AnalysisTable, split: str, cases: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the units of a split, and what is known of each, row by row."""
    rows = table.rows[table.rows["split"] == split]
    units = rows[["unit_id", "cohort", "group_id", "truth"]].drop_duplicates("unit_id").reset_index(drop=True)
    keys = ["unit_id", "cohort"] if "cohort" in cases.columns and "cohort" in units.columns else ["unit_id"]
    known = cases.drop(columns=["group_id", "truth"], errors="ignore").drop_duplicates(keys)
    known = known.assign(**{key: known[key].astype(str) for key in keys})
    joined = units[keys].astype(str).merge(known, on=keys, how="left", validate="many_to_one")
    return units, joined


def _about(scale: Scale) -> dict[str, Any]:
    about: dict[str, Any] = {"name": scale.name, "codes": list(scale.codes), "notes": list(scale.notes)}
    if scale.system is not None:
        about |= {"source": scale.system.source, "risk_source": scale.system.risk_source}
        about["risks"] = {level.code: list(level.risk) for level in scale.system.levels}
        about["words"] = {level.code: level.words for level in scale.system.levels}
    return about


def _on_scale(scale: Scale, units: pd.DataFrame, level: float, *, with_size: bool) -> dict[str, Any]:
    """Return what the scale by itself says of the units."""
    truth, groups = units["truth"].to_numpy(dtype=bool), units["group_id"].to_numpy(dtype=str)
    known = scale.low >= 0
    certain = known & (scale.low == scale.high)
    entry: dict[str, Any] = {
        "n": len(units),
        "described": int(known.sum()),
        "determined": int(certain.sum()),
        "determined_groups": len(set(groups[certain])),
        "determined_positives": int(truth[certain].sum()),
        "missing": _missing(scale, known & ~certain),
        "auc": _auc(truth, scale.low.astype(float), groups, certain, level).as_dict(),
    }
    if scale.points is not None:
        scored = known & np.isfinite(scale.points)
        entry["auc_points"] = _auc(truth, scale.points, groups, scored, level).as_dict()
        entry["scored"] = int(scored.sum())
    if (known & ~certain).any():
        entry["completed"] = _completed(scale, truth, groups, known, level)
    entry["levels"] = [
        _rate(scale, place, truth, groups, certain, level)
        for place in range(len(scale.codes))
        if (certain & (scale.low == place)).any()
    ]
    entry["cuts"] = [_cut(scale, code, truth, groups, level) for code in scale.cuts]
    if with_size and scale.suggestion is not None:
        entry["sizes"] = _sizes(scale.suggestion, known, truth, groups, level)
    return entry


def _missing(scale: Scale, rows: NDArray[np.bool_]) -> dict[str, int]:
    """Return which descriptors are missing where the level is open; ``""`` where none is."""
    if not len(scale.missing):
        return {}
    counts = Counter(
        name for text, row in zip(scale.missing, rows, strict=True) if row for name in (text.split() or [""])
    )
    return dict(counts.most_common())


def _auc(
    truth: NDArray[np.bool_], ranks: NDArray[np.float64], groups: NDArray[Any], rows: NDArray[np.bool_], level: float
) -> Interval:
    if len(set(truth[rows])) < 2:
        return undefined("AUC", "a class has no case with a certain level", level)
    return auc_interval(truth[rows], ranks[rows], groups[rows], level)


def _completed(
    scale: Scale, truth: NDArray[np.bool_], groups: NDArray[Any], known: NDArray[np.bool_], level: float
) -> dict[str, Any]:
    """Return the AUC with all open levels at their lowest, at their highest, and its ends over all completions."""
    ways = {
        "all_low": scale.low,
        "all_high": scale.high,
        "least": np.where(truth, scale.low, scale.high),
        "most": np.where(truth, scale.high, scale.low),
    }
    return {name: _auc(truth, ranks.astype(float), groups, known, level).as_dict() for name, ranks in ways.items()}


def _rate(
    scale: Scale, place: int, truth: NDArray[np.bool_], groups: NDArray[Any], certain: NDArray[np.bool_], level: float
) -> dict[str, Any]:
    rows = certain & (scale.low == place)
    return {
        "level": scale.codes[place],
        "n": int(rows.sum()),
        "n_groups": len(set(groups[rows])),
        "positives": int(truth[rows].sum()),
        "rate": clustered_proportion(truth[rows], groups[rows], level).as_dict(),
    }


def _cut(scale: Scale, code: str, truth: NDArray[np.bool_], groups: NDArray[Any], level: float) -> dict[str, Any]:
    called, rows = cut_calls(scale, code)
    return {"from": code, "n": int(rows.sum()), **_rates(called[rows], truth[rows], groups[rows], level)}


def _rates(
    called: NDArray[np.bool_], truth: NDArray[np.bool_], groups: NDArray[Any], level: float
) -> dict[str, dict[str, Any]]:
    found = {}
    for name, rows, right in (("sensitivity", truth, called), ("specificity", ~truth, ~called)):
        interval = (
            clustered_proportion(right[rows], groups[rows], level)
            if rows.any()
            else undefined("Wilson", "no such case", level)
        )
        found[name] = interval.as_dict()
    return found


def _sizes(
    suggestion: NDArray[Any], known: NDArray[np.bool_], truth: NDArray[np.bool_], groups: NDArray[Any], level: float
) -> dict[str, Any]:
    """Return how often the table suggests aspiration, and how that falls on positives and negatives."""
    rows = known & (suggestion != "unknown")
    called = suggestion == "fna"
    counts = Counter(suggestion[known].tolist())
    return {
        "counts": {name: counts.get(name, 0) for name in ("fna", "follow_up", "none", "unknown")},
        "positives_suggested": int((called & truth & rows).sum()),
        "n": int(rows.sum()),
        "positives": int(truth[rows].sum()),
        **_rates(called[rows], truth[rows], groups[rows], level),
    }


def _adjust(by_scale: dict[str, dict[str, Any]]) -> None:
    """Add Holm's adjusted p over all arms and scales of a split."""
    entries = [entry for found in by_scale.values() for entry in found.get("contrasts", [])]
    adjusted = holm([np.nan if entry["p"] is None else entry["p"] for entry in entries])
    for entry, value in zip(entries, adjusted, strict=True):
        entry["p_holm"] = None if np.isnan(value) else float(value)
