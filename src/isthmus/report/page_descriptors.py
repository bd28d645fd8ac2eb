"""What the page says of descriptors: how well each was learnt, beside the label, on nodules never trained on."""

from typing import Any

from isthmus.report.context import ReportContext
from isthmus.report.page_tables import Cell, Row, Table
from isthmus.report.reading import count, interval
from isthmus.tables import vocabulary

_CODES = {
    "composition": vocabulary.COMPOSITION,
    "echogenicity": vocabulary.ECHOGENICITY,
    "shape": vocabulary.SHAPE,
    "margin": vocabulary.MARGIN,
    "echogenic_foci": vocabulary.ECHOGENIC_FOCI,
}


def descriptor_parts(context: ReportContext) -> dict[str, Any]:
    """Return the page's entry ``described``, empty where no arm learns descriptors."""
    rows = context.evidence.get("descriptors") or []
    if not rows:
        return {"described": {}}
    intro = (
        "These arms also learn what readers wrote of each nodule. Held-out folds: AUC of each finding against its "
        "absence, and the mean of a descriptor's findings that every fold holds often enough. What is not learnt here "
        "cannot explain a score."
    )
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    return {"described": {"intro": intro, "tables": [_table(context, arm, rows) for arm in arms]}}


def _table(context: ReportContext, arm: str, rows: list[dict[str, Any]]) -> Table:
    shown = []
    for row in (row for row in rows if row["arm"] == arm):
        words = row["descriptor"].replace("_", " ")
        mean = row["measure"] == "macro_auc"
        name = f"{words[:1].upper()}{words[1:]}" if mean else _CODES[row["descriptor"]].get(row["code"], row["code"])
        main, _, limits = interval(row).partition(" (")
        small = limits.removesuffix(")") or (row["note"] if main == "–" else "")
        counted = count(row["n"]) if mean else f"{count(row['positive'])} of {count(row['n'])}"
        shown.append(Row(name, [Cell("mean of its findings" if mean else counted), Cell(main, small)], mean))
    return Table(context.title_of(arm), ["Nodules with it", "AUC"], shown)
