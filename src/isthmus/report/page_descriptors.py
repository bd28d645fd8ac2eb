"""What the page says of descriptors: how well each was learnt, beside the label, on nodules never trained on."""

from typing import Any

from isthmus.report.context import ReportContext
from isthmus.report.page_tables import Cell, Row, Table
from isthmus.report.reading import count, interval, number
from isthmus.report.sentences import positive_name
from isthmus.tables import vocabulary
from isthmus.tables.predictions import asks_for_malignancy

_CODES = {
    "composition": vocabulary.COMPOSITION,
    "echogenicity": vocabulary.ECHOGENICITY,
    "shape": vocabulary.SHAPE,
    "margin": vocabulary.MARGIN,
    "echogenic_foci": vocabulary.ECHOGENIC_FOCI,
}


_RANKED = ("macro_auc", "auc")
_MEAN = {"estimate": "", "low": "_low", "high": "_high"}
_AGREEMENT = (
    "Agreement: share of nodules with the very same finding, and kappa of the findings' ACR points with quadratic "
    "weights, intervals by patient. What nobody says counts nothing on either side (a descriptor that is not learnt; "
    "well defined, which has no points): points and levels are the fewest that agree with what is said."
)
_CALIBRATION = (
    "Calibration, each descriptor by itself, on the fold's tuning part: slope (1 is right, below 1 too sure) and Brier "
    "score of all its findings' probabilities together, beneath them as the network gave them."
)


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
    tables = [made for arm in arms for made in (_table(context, arm, rows), *_against_readers(context, arm, rows))]
    return {"described": {"intro": intro, "tables": tables}}


def _table(context: ReportContext, arm: str, rows: list[dict[str, Any]]) -> Table:
    shown = []
    for row in (row for row in rows if row["arm"] == arm and row["measure"] in _RANKED):
        mean = row["measure"] == "macro_auc"
        name = _spoken(row["descriptor"]) if mean else _CODES[row["descriptor"]].get(row["code"], row["code"])
        counted = count(row["n"]) if mean else f"{count(row['positive'])} of {count(row['n'])}"
        shown.append(Row(name, [Cell("mean of its findings" if mean else counted), _cell(row)], mean))
    return Table(context.title_of(arm), ["Nodules with it", "AUC"], shown, first="Descriptor")


def _against_readers(context: ReportContext, arm: str, rows: list[dict[str, Any]]) -> list[Table]:
    """Return agreement and calibration, and the levels beside the risk, where the run has them."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        if row["arm"] == arm and row["measure"] not in _RANKED:
            found.setdefault(row["descriptor"], {})[row["measure"]] = row
    if not found:
        return []
    title = context.title_of(arm)
    shown = [Row(_spoken(name), _descriptor_cells(own)) for name, own in found.items()]
    points: dict[str, dict[str, dict[str, Any]]] = {}
    for row in context.evidence.get("seen_tirads", []):
        if row["arm"] == arm:
            points.setdefault(row["of"], {})[row["measure"]] = row
    for of, own in points.items():
        cells = [Cell(count(own["same"]["n"])), _cell(own["same"]), _cell(own["weighted_kappa"]), Cell(""), Cell("")]
        shown.append(Row(f"ACR {of}, of all together", cells, of == "level"))
    columns = ["Nodules", "Same as readers", "Weighted kappa", "Calibration slope", "Brier score"]
    caption = f"{title}: what it sees against what readers wrote"
    agreement = Table(caption, columns, shown, [_AGREEMENT, _CALIBRATION], "Descriptor")
    levels = [row for row in context.evidence.get("seen_levels", []) if row["arm"] == arm]
    return [agreement, _levels(context, title, levels)] if levels else [agreement]


def _descriptor_cells(own: dict[str, dict[str, Any]]) -> list[Cell]:
    cells = [Cell(count(own["same_finding"]["n"])), _cell(own["same_finding"]), _cell(own["weighted_kappa"])]
    for name in ("calibration_slope", "brier"):
        before = number(own[f"{name}_uncalibrated"]["estimate"])
        cells.append(Cell(interval(own[name]), f"{before} as given"))
    return cells


def _levels(context: ReportContext, title: str, levels: list[dict[str, Any]]) -> Table:
    # As in the section on TI-RADS: published risks are of malignancy, and say nothing of a grade or another question.
    risks = context.evidence.get("reference") != "tirads" and asks_for_malignancy(str(context.evidence["target"]))
    rows = []
    for row in levels:
        mean = {of: row.get(f"mean_probability{end}") for of, end in _MEAN.items()}
        cells = [Cell(count(row["n"])), Cell(*_parted(interval(row))), Cell(*_parted(interval(mean)))]
        risk = [Cell(f"{row['published_risk_of_malignancy']:.3g}")] if risks else []
        rows.append(Row(row["tirads"], [*cells, *risk]))
    note = "By the level of the likeliest findings on held-out nodules (fewest points), first seed; limits by patient."
    note += (
        " Published risks of malignancy are Middleton's (2017), of 3,422 other nodules, not of this cohort."
        if risks
        else " The label is not malignancy by pathology: the risks published for the levels are left out."
    )
    columns = ["Nodules", f"Share that is {positive_name(context)}", "Mean probability by the model"]
    columns += ["Published risk of the level"] if risks else []
    return Table(f"{title}: ACR level that it sees, and the risk", columns, rows, [note], "ACR level")


def _cell(row: dict[str, Any]) -> Cell:
    main, limits = _parted(interval(row))
    return Cell(main, limits or (row.get("note", "") if main == "–" else ""))


def _parted(words: str) -> tuple[str, str]:
    main, _, limits = words.partition(" (")
    return main, limits.removesuffix(")")


def _spoken(descriptor: str) -> str:
    words = descriptor.replace("_", " ")
    return f"{words[:1].upper()}{words[1:]}"
