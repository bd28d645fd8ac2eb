"""The arms beside TI-RADS levels of the same cases: paired AUCs, and rates at the specificity of a level's cut."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.discrimination import auc_difference
from isthmus.report.subject import Study
from isthmus.report.tirads_scales import Scale, cut_calls
from isthmus.statistics.matched_calls import compare_with_calls

DRAWS: Final = 2_000_000
"""Cases times resamplings of one matched comparison: 200 resamplings of 10,000 cases, which know a spread to 5 %."""

_FEWEST_DRAWS, _MOST_DRAWS = 200, 1000
_MOST_ARMS: Final = 3


@dataclass(frozen=True)
class ArmScores:
    """An arm's rows of one split, and what of them may be cut across folds.

    Parameters
    ----------
    arm : str
    rows : DataFrame
        Of the analysis table.
    places : ndarray of int [rows]
        Of each row's unit among the split's units.
    pooled : ndarray [seeds, units]
        Values that one threshold may cut; NaN where there is none.
    note : str
        Why there is none.
    """

    arm: str
    rows: pd.DataFrame
    places: NDArray[np.intp]
    pooled: NDArray[np.float64]
    note: str


def arm_scores(table: AnalysisTable, split: str, units: pd.DataFrame) -> list[ArmScores]:
    """Return the arms of a split, with what comparing them with any scale needs."""
    arms = list(dict.fromkeys(table.rows.loc[table.rows["split"] == split, "arm"]))
    order = pd.Index(units["unit_id"])
    found = []
    for arm in arms:
        rows = table.part(arm, split)
        pooled, note = _pooled(rows, (arm, split) in table.calibrated, units)
        found.append(ArmScores(arm, rows, order.get_indexer(rows["unit_id"]), pooled, note))
    return found


def beside_arms(
    scale: Scale, units: pd.DataFrame, arms: list[ArmScores], study: Study
) -> dict[str, list[dict[str, Any]]]:
    """Return the paired differences of every arm's AUC, and of the leading arms' rates at matched specificity."""
    by_name = {one.arm: one for one in arms}
    leading = [by_name[name] for name in _leading(list(by_name), study)]
    return {
        "contrasts": [_contrast(scale, one, study.level) for one in arms],
        "matched": [entry for one in leading for entry in _matched(scale, units, one, study)],
    }


def _leading(arms: list[str], study: Study) -> list[str]:
    """Return the arms of the primary contrast and the reference arm; where none is named, the first ones."""
    named = [*(study.primary or {}).values(), study.reference_arm]
    return [arm for arm in dict.fromkeys(named) if arm in arms] or arms[:_MOST_ARMS]


def _contrast(scale: Scale, one: ArmScores, level: float) -> dict[str, Any]:
    """Return AUC of the arm minus AUC of the levels, on the same units with a certain level."""
    certain = (scale.low >= 0) & (scale.low == scale.high)
    rows = one.rows[certain[one.places]]
    ranks = scale.low[one.places[certain[one.places]]].astype(float)
    entry: dict[str, Any] = {"arm": one.arm, "n": int(rows["unit_id"].nunique())}
    truth = rows["truth"].to_numpy(dtype=bool)
    scores = rows["score"].to_numpy(dtype=float)
    try:
        if len(set(truth)) < 2:
            raise ValueError("a class has no case with a certain level")
        compared = auc_difference(rows, truth, scores, ranks, level)
    except ValueError as error:
        return {**entry, **_no_number(level, str(error))}
    return {**entry, **compared.as_dict()}


def _no_number(level: float, note: str) -> dict[str, Any]:
    names = ("difference", "low", "high", "statistic", "p", "estimate_a", "estimate_b")
    return {**dict.fromkeys(names), "level": level, "method": "none", "note": note}


def _matched(scale: Scale, units: pd.DataFrame, one: ArmScores, study: Study) -> list[dict[str, Any]]:
    """Return the arm's sensitivity minus that of each cut, at the cut's own specificity."""
    calls = {code: cut_calls(scale, code) for code in scale.cuts}
    if scale.suggestion is not None:
        calls["fna"] = scale.suggestion == "fna", (scale.low >= 0) & (scale.suggestion != "unknown")
    scores = one.pooled
    given = np.isfinite(scores).all(axis=0)
    found: list[dict[str, Any]] = []
    for together in _by_rows([(name, rows) for name, (_, rows) in calls.items()]):
        rows = calls[together[0]][1]
        both = rows & given
        shared = {"arm": one.arm, "n": int(both.sum())}
        truth = units["truth"].to_numpy(dtype=bool)[both]
        if len(set(truth)) < 2:
            reason = one.note or "a class has no case whose call is certain"
            found += [{**shared, "from": name, **_no_number(study.level, reason)} for name in together]
            continue
        compared = compare_with_calls(
            truth,
            scores[:, both],
            np.stack([calls[name][0][both] for name in together]),
            units["group_id"].to_numpy(dtype=str)[both],
            level=study.level,
            replicates=_draws(study.bootstrap, int(both.sum()) * len(scores)),
        )
        found += [{**shared, "from": name, **each.as_dict()} for name, each in zip(together, compared, strict=True)]
    return found


def _draws(asked: int, rows: int) -> int:
    return min(asked, _MOST_DRAWS, max(_FEWEST_DRAWS, DRAWS // rows))


def _by_rows(named: list[tuple[str, NDArray[np.bool_]]]) -> list[list[str]]:
    """Return the names whose rows are the same, together."""
    groups: dict[bytes, list[str]] = {}
    for name, rows in named:
        groups.setdefault(rows.tobytes(), []).append(name)
    return list(groups.values())


def _pooled(rows: pd.DataFrame, calibrated: bool, units: pd.DataFrame) -> tuple[NDArray[np.float64], str]:
    """Return the arm's values [seeds, units] that may be cut across folds; none where folds were not calibrated."""
    folds = bool(rows.groupby("seed")["fold"].nunique().gt(1).any())
    if folds and not calibrated:
        nothing = np.full((1, len(units)), np.nan)
        return nothing, "scores of different fold models are not pooled, and none of them is calibrated"
    name = "probability" if calibrated else "score"
    wide = rows.pivot_table(index="unit_id", columns="seed", values=name, aggfunc="mean")
    return wide.reindex(units["unit_id"]).to_numpy(dtype=float).T, ""
