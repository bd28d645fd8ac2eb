"""The wrong calls, most confident first: the cases worth looking at."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable, analysis_table, calibrated_columns
from isthmus.report.context import ReportContext
from isthmus.report.reading import count, number, splits_of
from isthmus.statistics.calibration import safe_logit


def table_of(context: ReportContext) -> AnalysisTable | None:
    """Return the context's predictions ready for figures, or None without any."""
    if context.predictions is None:
        return None
    evidence = context.evidence
    return analysis_table(
        context.predictions,
        positive=evidence["positive"],
        frozen=context.frozen,
        target=evidence["target"],
        unit=evidence["unit"],
    )


def misclassified(table: AnalysisTable, split: str) -> DataFrame:
    """Return the wrong calls of a split, the most confident first.

    Returns
    -------
    DataFrame
        ``unit_id, arm, label, call, value, threshold, confidence, wrong, seeds``: one row a unit and arm. ``value`` is
        the mean over seeds of the positive class's probability (or the score), ``threshold`` that of the thresholds
        behind its calls (NaN where there are none), ``wrong`` in how many of ``seeds`` the call was
        wrong; ``confidence`` how far the value lies on the wrong side of the threshold that made the call: in log odds
        for probabilities (of 0.5 where no threshold was frozen), in ranks for scores; for several classes the
        probability of the class called.
    """
    rows = table.rows[(table.rows["split"] == split) & (table.rows["call"] != "")]
    column = "probability" if table.has_probabilities else "score"
    if len(table.classes) > 2 and table.has_probabilities:
        called = rows[calibrated_columns(table.classes)].max(axis=1)
        rows = rows.assign(value=called, confidence=called, threshold=np.nan)
    else:
        threshold = _threshold(table, rows, split)
        beyond = _beyond_threshold(table, rows, threshold)
        confidence = np.where(rows["truth"], -beyond, beyond)
        rows = rows.assign(value=rows[column], confidence=confidence, threshold=threshold)
    rows = rows.assign(wrong=rows["label"] != rows["call"])
    by_unit = rows.groupby(["arm", "unit_id"], sort=False)
    summary = by_unit.agg(
        label=("label", "first"),
        value=("value", "mean"),
        threshold=("threshold", "mean"),
        confidence=("confidence", "mean"),
        wrong=("wrong", "sum"),
        seeds=("wrong", "size"),
    ).reset_index()
    calls = rows[rows["wrong"]].groupby(["arm", "unit_id"])["call"].first()
    summary = summary[2 * summary["wrong"] > summary["seeds"]]
    summary["call"] = [calls[arm, unit] for arm, unit in zip(summary["arm"], summary["unit_id"], strict=True)]
    return summary.sort_values(["confidence", "unit_id"], ascending=[False, True], kind="stable", ignore_index=True)


def _threshold(table: AnalysisTable, rows: DataFrame, split: str) -> NDArray[np.float64]:
    """Return the threshold that makes each row's call: of probabilities 0.5 and of scores NaN where none is frozen."""
    limits = {
        (str(arm), entry["seed"], entry["fold"]): float(entry["value"])
        for arm in set(rows["arm"])
        for entry in table.thresholds.get((str(arm), split), [])
        if "fold" in entry  # 0.5, where nothing was frozen, stands there without a fold
    }
    places = zip(rows["arm"], rows["seed"], rows["fold"], strict=True)
    threshold = np.array([limits.get((str(arm), seed, fold), np.nan) for arm, seed, fold in places], dtype=np.float64)
    return np.where(np.isnan(threshold), 0.5, threshold) if table.has_probabilities else threshold


def _beyond_threshold(table: AnalysisTable, rows: DataFrame, threshold: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far each row lies above the threshold that makes its call: log odds, or ranks for bare scores."""
    if table.has_probabilities:
        return safe_logit(rows["probability"].to_numpy(dtype=np.float64)) - safe_logit(threshold)
    ranks = rows.groupby("arm")["score"].rank(pct=True).to_numpy()
    below = rows.assign(below=rows["score"] < threshold).groupby("arm")["below"].transform("mean").to_numpy()
    return np.asarray(ranks - np.where(np.isnan(threshold), 0.5, below), dtype=np.float64)


def _beside(value: float, threshold: float) -> dict[str, str]:
    """Return a value and the threshold behind its call, with as many digits as tell them apart: two, four at most."""
    if np.isnan(threshold):
        return {"value": number(value), "threshold": ""}
    digits = next((n for n in (2, 3) if number(value, n) != number(threshold, n)), 4)
    return {"value": number(value, digits), "threshold": number(threshold, digits)}


def misclassified_rows(context: ReportContext, limit: int = 12) -> tuple[list[dict[str, Any]], str]:
    """Return the page's rows of wrong calls, and the line beneath them."""
    table, splits = table_of(context), splits_of(context.evidence)
    if table is None or not splits:
        return [], ""
    primary = context.evidence.get("primary")
    wrong = misclassified(table, splits[0])
    if primary:
        wrong = wrong[wrong["arm"] == primary["arm"]]
    names = context.class_names
    rows = [
        {
            "unit_id": row.unit_id,
            "arm": context.title_of(str(row.arm)),
            "label": names.get(str(row.label), row.label),
            "call": names.get(str(row.call), row.call),
            **_beside(float(row.value), float(row.threshold)),  # type: ignore[arg-type]
        }
        for row in wrong.head(limit).itertuples()
    ]
    note = f"{count(len(rows))} of {count(len(wrong))} wrong calls"
    note += f" of {context.title_of(primary['arm'])}" if primary else " of all arms"
    how = "in ranks of the score" if not table.has_probabilities else "in log odds"
    if table.has_probabilities and len(table.classes) > 2:
        how = "by the probability of the class called"
    elif any(table.thresholds.get((str(arm), splits[0])) for arm in set(table.rows["arm"])):
        how = f"by how far they lie from the frozen threshold, {how}"
    else:
        how = f"by how far they lie from the middle, {how}"
    return rows, (
        f"{note}, ordered {how}; tables/misclassified.csv holds all. A unit counts as wrong when most seeds call it "
        "wrong."
    )
