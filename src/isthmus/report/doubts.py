"""Which cases to distrust: whether networks that disagree, or pictures unlike the training's, go with wrong calls.

Three warnings stand beside one another: how near the probability lies to the threshold, how far the members of the
ensemble lie apart, and how unlike the training pictures the case is. Each is asked whether it finds the wrong calls.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame, merge

from isthmus.report.analysis_table import AnalysisTable, by_split_and_arm, calibrated_columns
from isthmus.report.subject import Study
from isthmus.report.uncertainty import certainty_of_calls
from isthmus.statistics.few_groups import unless_few
from isthmus.statistics.proportions import clustered_proportion
from isthmus.statistics.roc import auc_interval, compare_aucs

KEY: Final = "doubts"
NEAR, SPREAD, UNLIKE = "near the threshold", "spread", "out_of_distribution"
SIGNALS: Final = (NEAR, SPREAD, UNLIKE)
TOP: Final = 0.2
"""The share of cases that a warning singles out first."""
LEAST: Final = 20
"""Cases of a split below which nothing is singled out."""

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def doubts(table: AnalysisTable, study: Study, evidence: dict[str, Any]) -> dict[str, Any]:
    """Return ``{"splits": {split: {arm: {...}}}}`` of the first seed's calls; empty where there is but one warning.

    ``n``, ``wrong``; ``signals``: by warning the AUC with which it tells wrong calls from right ones, its difference
    from that of the nearness to the threshold, and the share of wrong calls among the fifth with most of it and among
    the others. ``unlike``: the share of cases that are called unlike the training pictures, not of held-out ones, of
    which one in twenty are by construction; and the share of wrong calls among them and among the others. The spread
    of held-out cases is over the seeds, each of whose networks never saw the case; that of opened sets over the fold
    models of the first seed.
    """
    return by_split_and_arm(table, lambda arm, split: _of_arm(table, arm, split, study))


def _of_arm(table: AnalysisTable, arm: str, split: str, study: Study) -> dict[str, Any]:
    every = table.part(arm, split)
    rows = every[every["seed"] == every["seed"].min()].reset_index(drop=True)
    signals = _signals(table, every, rows, study, split)
    if not signals:
        return {}
    wrong = (rows["call"] != rows["label"]).to_numpy() & (rows["call"] != "").to_numpy()
    groups = rows["group_id"].to_numpy(dtype=str)
    found: dict[str, Any] = {"n": len(rows), "signals": {}}
    if (rows["call"] != "").all():
        found["wrong"] = int(wrong.sum())
        near = _nearness(table, arm, split, rows)
        asked = signals if near is None else {NEAR: near, **signals}
        for name, values in asked.items():
            found["signals"][name] = _finds(wrong, values, groups, asked.get(NEAR), name, study.level)
    if (unlike := _unlike(rows, study)) is not None:
        known: dict[str, Any] = {}
        # Held-out cases are what "unlike" is measured by: of themselves a fixed share is, whatever they are.
        if split != "cv":
            known["share"] = clustered_proportion(unlike, groups, study.level).as_dict()
        if "wrong" in found:
            known |= _wrong_among(wrong, unlike, groups, study.level)
        found |= {"unlike": known} if known else {}
    return found if "wrong" in found or "unlike" in found else {}


def _signals(
    table: AnalysisTable, every: DataFrame, rows: DataFrame, study: Study, split: str
) -> dict[str, FloatArray]:
    """Return the warnings beside the probability itself, of those that every case has."""
    known = _joined(rows, study)
    found = {name: known[name].to_numpy(np.float64) for name in (SPREAD, UNLIKE) if name in known}
    if every["seed"].nunique() > 1 and split == "cv":
        found[SPREAD] = _over_seeds(every, rows, table.classes)
    return {name: values for name, values in sorted(found.items(), reverse=True) if not np.isnan(values).any()}


def _joined(rows: DataFrame, study: Study) -> DataFrame:
    if study.doubts is None or study.doubts.empty:
        return rows[["unit_id"]]
    keys = ["arm", "cohort", "unit_id"]
    own = study.doubts[study.doubts["arm"] == rows["arm"].iloc[0]]
    return merge(rows[keys], own.drop_duplicates(keys), on=keys, how="left", validate="one_to_one")


def _over_seeds(every: DataFrame, rows: DataFrame, classes: list[str]) -> FloatArray:
    """Return how far the seeds' probabilities lie apart, as the spread of fold models is defined."""
    columns = [f"p_{label}" for label in classes]
    variances = every.groupby("unit_id")[columns].var(ddof=0).sum(axis=1)
    return np.asarray(np.sqrt(variances.loc[rows["unit_id"]].to_numpy(np.float64) / 2))


def _unlike(rows: DataFrame, study: Study) -> BoolArray | None:
    known = _joined(rows, study)
    if "unlike" not in known or known["unlike"].isna().any():
        return None
    return known["unlike"].to_numpy(dtype=bool)


def _nearness(table: AnalysisTable, arm: str, split: str, rows: DataFrame) -> FloatArray | None:
    if len(table.classes) > 2:
        return -rows[calibrated_columns(table.classes)].max(axis=1).to_numpy(np.float64)
    sure = certainty_of_calls(table, arm, split, rows)
    return None if sure is None else -sure


def _finds(
    wrong: BoolArray, values: FloatArray, groups: NDArray[np.str_], near: FloatArray | None, name: str, level: float
) -> dict[str, Any]:
    """Return whether a warning finds the wrong calls."""
    found: dict[str, Any] = {}
    if 0 < wrong.sum() < len(wrong):
        found["auc"] = auc_interval(wrong, values, groups, level).as_dict()
        if near is not None and name != NEAR:
            sizes = len(set(groups[wrong])), len(set(groups[~wrong]))
            found["difference"] = unless_few(compare_aucs(wrong, values, near, groups, level), *sizes).as_dict()
    if len(wrong) >= LEAST:
        order = np.argsort(-values, kind="stable")
        top = np.zeros(len(wrong), dtype=bool)
        top[order[: round(TOP * len(wrong))]] = True
        found |= _wrong_among(wrong, top, groups, level)
    return found


def _wrong_among(wrong: BoolArray, inside: BoolArray, groups: NDArray[np.str_], level: float) -> dict[str, Any]:
    parts = {"wrong_inside": inside, "wrong_outside": ~inside}
    return {
        name: clustered_proportion(wrong[part], groups[part], level).as_dict()
        for name, part in parts.items()
        if part.any()
    }
