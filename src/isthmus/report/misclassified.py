"""The wrong calls, most confident first: the cases worth looking at."""

from typing import Any

import numpy as np
from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable, analysis_table
from isthmus.report.context import ReportContext
from isthmus.report.reading import count, number, splits_of


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
        ``unit_id, arm, label, call, value, confidence, wrong, seeds``: one row a unit and arm. ``value`` is the mean
        over seeds of the positive class's probability (or the score), ``wrong`` in how many of ``seeds`` the call was
        wrong; ``confidence`` how far the value lies on the wrong side: from 0.5 for probabilities, in ranks for scores.
    """
    rows = table.rows[(table.rows["split"] == split) & (table.rows["call"] != "")]
    column = "probability" if table.has_probabilities else "score"
    if len(table.classes) > 2 and table.has_probabilities:
        called = rows[[f"p_{label}" for label in table.classes]].max(axis=1)
        rows = rows.assign(value=called, confidence=called)
    elif table.has_probabilities:
        rows = rows.assign(
            value=rows[column], confidence=np.where(rows["truth"], 0.5 - rows[column], rows[column] - 0.5)
        )
    else:
        ranks = rows.groupby("arm")["score"].rank(pct=True)
        rows = rows.assign(value=rows["score"], confidence=np.where(rows["truth"], 0.5 - ranks, ranks - 0.5))
    rows = rows.assign(wrong=rows["label"] != rows["call"])
    by_unit = rows.groupby(["arm", "unit_id"], sort=False)
    summary = by_unit.agg(
        label=("label", "first"),
        value=("value", "mean"),
        confidence=("confidence", "mean"),
        wrong=("wrong", "sum"),
        seeds=("wrong", "size"),
    ).reset_index()
    calls = rows[rows["wrong"]].groupby(["arm", "unit_id"])["call"].first()
    summary = summary[2 * summary["wrong"] > summary["seeds"]]
    summary["call"] = [calls[arm, unit] for arm, unit in zip(summary["arm"], summary["unit_id"], strict=True)]
    return summary.sort_values(["confidence", "unit_id"], ascending=[False, True], kind="stable", ignore_index=True)


def misclassified_rows(context: ReportContext, limit: int = 12) -> tuple[list[dict[str, Any]], str]:
    """Return the page's rows of wrong calls, and the line beneath them."""
    table, splits = table_of(context), splits_of(context.evidence)
    if table is None or not splits:
        return [], ""
    primary = context.evidence.get("primary")
    wrong = misclassified(table, splits[0])
    if primary:
        wrong = wrong[wrong["arm"] == primary["arm"]]
    names = context.cohort.label_names if context.cohort else {}
    rows = [
        {
            "unit_id": row.unit_id,
            "arm": context.title_of(str(row.arm)),
            "label": names.get(str(row.label), row.label),
            "call": names.get(str(row.call), row.call),
            "value": number(float(row.value)),  # type: ignore[arg-type]
        }
        for row in wrong.head(limit).itertuples()
    ]
    note = f"{count(len(rows))} of {count(len(wrong))} wrong calls"
    note += f" of {context.title_of(primary['arm'])}" if primary else " of all arms"
    return rows, f"{note}; tables/misclassified.csv holds all. A unit counts as wrong when most seeds call it wrong."
