"""The arms beside TI-RADS levels of the same cases: paired AUCs, and rates at the specificity of a level's cut."""

from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.discrimination import is_cross_validated
from isthmus.report.subject import Study
from isthmus.report.tirads_scales import Scale, cut_calls
from isthmus.statistics.cross_validated import compare_cross_validated_aucs
from isthmus.statistics.matched_calls import compare_with_calls
from isthmus.statistics.roc import compare_aucs

DRAWS: Final = 3_000_000
"""Cases times resamplings of one matched comparison: 300 resamplings of 10,000 cases, all 2,000 of 1,500."""

_FEWEST_DRAWS: Final = 200
_MOST_ARMS: Final = 3


def beside_arms(
    scale: Scale, units: pd.DataFrame, table: AnalysisTable, split: str, study: Study
) -> dict[str, list[dict[str, Any]]]:
    """Return the paired differences of every arm's AUC, and of the leading arms' rates at matched specificity."""
    arms = list(dict.fromkeys(table.rows.loc[table.rows["split"] == split, "arm"]))
    leading = _leading(arms, study)
    return {
        "contrasts": [_contrast(scale, units, table, arm, split, study.level) for arm in arms],
        "matched": [entry for arm in leading for entry in _matched(scale, units, table, arm, split, study)],
    }


def _leading(arms: list[str], study: Study) -> list[str]:
    """Return the arms of the primary contrast and the reference arm; where none is named, the first ones."""
    named = [*(study.primary or {}).values(), study.reference_arm]
    return [arm for arm in dict.fromkeys(named) if arm in arms] or arms[:_MOST_ARMS]


def _contrast(
    scale: Scale, units: pd.DataFrame, table: AnalysisTable, arm: str, split: str, level: float
) -> dict[str, Any]:
    """Return AUC of the arm minus AUC of the levels, on the same units with a certain level."""
    certain = (scale.low >= 0) & (scale.low == scale.high)
    ranks = pd.DataFrame({"unit_id": units["unit_id"][certain], "rank": scale.low[certain].astype(float)})
    both = table.part(arm, split).merge(ranks, on="unit_id", how="inner")
    entry: dict[str, Any] = {"arm": arm, "n": int(both["unit_id"].nunique())}
    try:
        if both["truth"].nunique() < 2:
            raise ValueError("a class has no case with a certain level")
        truth, groups = both["truth"].to_numpy(), both["group_id"].to_numpy(dtype=str)
        scores, levels = both["score"].to_numpy(dtype=float), both["rank"].to_numpy()
        compared = (
            compare_cross_validated_aucs(truth, scores, levels, both["fold"], both["seed"], groups, level)
            if is_cross_validated(both)
            else compare_aucs(truth, scores, levels, groups, level)
        )
    except ValueError as error:
        return {**entry, **_no_number(level, str(error))}
    return {**entry, **compared.as_dict()}


def _no_number(level: float, note: str) -> dict[str, Any]:
    names = ("difference", "low", "high", "statistic", "p", "estimate_a", "estimate_b")
    return {**dict.fromkeys(names), "level": level, "method": "none", "note": note}


def _matched(
    scale: Scale, units: pd.DataFrame, table: AnalysisTable, arm: str, split: str, study: Study
) -> list[dict[str, Any]]:
    """Return the arm's sensitivity minus that of each cut, at the cut's own specificity."""
    calls = {code: cut_calls(scale, code) for code in scale.cuts}
    if scale.suggestion is not None:
        calls["fna"] = scale.suggestion == "fna", (scale.low >= 0) & (scale.suggestion != "unknown")
    scores, note = _pooled(table, arm, split, units)
    found: list[dict[str, Any]] = []
    for together in _by_rows([(name, rows) for name, (_, rows) in calls.items()]):
        rows = calls[together[0]][1]
        both = rows & np.isfinite(scores).all(axis=0) if scores.size else np.zeros_like(rows)
        shared = {"arm": arm, "n": int(both.sum())}
        truth = units["truth"].to_numpy(dtype=bool)[both]
        if len(set(truth)) < 2:
            reason = note or "a class has no case whose call is certain"
            found += [{**shared, "from": name, **_no_number(study.level, reason)} for name in together]
            continue
        compared = compare_with_calls(
            truth,
            scores[:, both],
            np.stack([calls[name][0][both] for name in together]),
            units["group_id"].to_numpy(dtype=str)[both],
            level=study.level,
            replicates=min(study.bootstrap, max(_FEWEST_DRAWS, DRAWS // (int(both.sum()) * len(scores)))),
        )
        found += [{**shared, "from": name, **one.as_dict()} for name, one in zip(together, compared, strict=True)]
    return found


def _by_rows(named: list[tuple[str, NDArray[np.bool_]]]) -> list[list[str]]:
    """Return the names whose rows are the same, together."""
    groups: dict[bytes, list[str]] = {}
    for name, rows in named:
        groups.setdefault(rows.tobytes(), []).append(name)
    return list(groups.values())


def _pooled(table: AnalysisTable, arm: str, split: str, units: pd.DataFrame) -> tuple[NDArray[np.float64], str]:
    """Return the arm's values [seeds, units] that may be cut across folds; none where folds were not calibrated."""
    part = table.part(arm, split)
    folds = bool(part.groupby("seed")["fold"].nunique().gt(1).any())
    if folds and (arm, split) not in table.calibrated:
        empty = np.full((1, len(units)), np.nan)
        return empty, "scores of different fold models are not pooled, and none of them is calibrated"
    name = "probability" if (arm, split) in table.calibrated else "score"
    wide = part.pivot_table(index="unit_id", columns="seed", values=name, aggfunc="mean")
    return wide.reindex(units["unit_id"]).to_numpy(dtype=float).T, ""
