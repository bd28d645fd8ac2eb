"""What the page says of reclassification, its table, and its entry among the subjects."""

from typing import Any, Final

from pandas import DataFrame

from isthmus.report.context import ReportContext
from isthmus.report.page_tables import Cell, Row, Table, interval_cell
from isthmus.report.reading import count, number, split_name
from isthmus.report.reclassification import KEY, reclassification
from isthmus.report.sentences import positive_name
from isthmus.report.subject import Shown, Subject


def show(context: ReportContext) -> Shown | None:
    """Return the section, None without a named pair of two-class arms."""
    entries = context.evidence.get(KEY) or []
    if not entries:
        return None
    return Shown(_sentences(context, entries[0]), (), [*_tables(context, entries)], _notes(entries))


def _sentences(context: ReportContext, entry: dict[str, Any]) -> list[str]:
    if "SMOKE" in context.marks:
        return ["A smoke run: the numbers below show that every stage ran; they say nothing of any arm."]
    new, old, unit = context.title_of(entry["a"]), context.title_of(entry["b"]), context.evidence["unit"]
    found = []
    calls = entry.get("calls")
    if calls:
        found.append(
            f"{new} instead of {old}, {split_name(entry['split'])}: of {count(entry['events'])} {unit}s that are "
            f"{positive_name(context)}, {count(calls['up_events'])} are newly called so and "
            f"{count(calls['down_events'])} no longer; of the {count(entry['nonevents'])} others, "
            f"{count(calls['down_nonevents'])} are no longer called so and {count(calls['up_nonevents'])} newly are. "
            "With two categories these net shares are the changes of sensitivity and specificity, and nothing else: "
            "their sum weighs both classes alike, whatever a mistake in each would cost."
        )
    if "idi" in entry:
        found.append(
            "The measures without categories are shown because journals ask for them. Both can rise for a model that "
            "adds nothing, or that is only surer of itself: read them only beside the AUC and the decision curves, and "
            "where both arms are well calibrated."
        )
    return found


def _tables(context: ReportContext, entries: list[dict[str, Any]]) -> list[Table]:
    tables = []
    for split in dict.fromkeys(entry["split"] for entry in entries):
        own = [entry for entry in entries if entry["split"] == split]
        head = split_name(split).capitalize()
        parts = (
            ("calls", f"{head}: reclassified by the arms' own calls (NRI of two categories)"),
            ("categories", f"{head}: reclassified between risk categories (NRI)"),
            ("category_free", f"{head}: without categories"),
        )
        for key, caption in parts:
            known = [entry for entry in own if key in entry]
            if known and key == "category_free":
                tables.append(_free(context, known, caption))
            elif known:
                tables.append(_net(context, known, key, caption))
    return tables


def _net(context: ReportContext, entries: list[dict[str, Any]], key: str, caption: str) -> Table:
    rows = [
        Row(
            _named(context, entry),
            [
                _moves(entry[key]["up_events"], entry[key]["down_events"], entry["events"]),
                interval_cell(entry[key]["events"]),
                _moves(entry[key]["down_nonevents"], entry[key]["up_nonevents"], entry["nonevents"]),
                interval_cell(entry[key]["nonevents"]),
                interval_cell(entry[key]["total"]),
            ],
            entry["primary"],
        )
        for entry in entries
    ]
    name = positive_name(context)
    columns = [f"{name}: better, worse", "Net share", f"not {name}: better, worse", "Net share", "NRI, the sum"]
    return Table(caption, [column[:1].upper() + column[1:] for column in columns], rows, first="New against old")


def _free(context: ReportContext, entries: list[dict[str, Any]], caption: str) -> Table:
    rows = [
        Row(
            _named(context, entry),
            [
                interval_cell(entry["category_free"]["events"]),
                interval_cell(entry["category_free"]["nonevents"]),
                interval_cell(entry["category_free"]["total"]),
                interval_cell(entry["idi"]["events"], 3),
                interval_cell(entry["idi"]["nonevents"], 3),
                interval_cell(entry["idi"]["total"], 3),
                Cell(number(entry["slopes"]["a"]["estimate"]), f"old {number(entry['slopes']['b']['estimate'])}"),
            ],
            entry["primary"],
        )
        for entry in entries
    ]
    columns = ["NRI(>0), positives", "NRI(>0), others", "NRI(>0), the sum", "IDI, positives", "IDI, others"]
    return Table(caption, [*columns, "IDI, the sum", "Calibration slope, new"], rows, first="New against old")


def _named(context: ReportContext, entry: dict[str, Any]) -> str:
    return f"{context.title_of(entry['a'])} against {context.title_of(entry['b'])}"


def _moves(better: float, worse: float, of: float) -> Cell:
    return Cell(f"{count(better)}, {count(worse)}", f"of {count(of)}")


def _notes(entries: list[dict[str, Any]]) -> list[str]:
    notes = [
        "Intervals by group bootstrap. Net share: cases moved the right way less those moved the wrong way, as a share "
        "of their class. Pencina et al. 2008 and 2011 for the measures; Pepe et al. 2015, Hilden and Gerds 2014 and "
        "Kerr et al. 2014 for why no conclusion may rest on them. No test is made: with nested models its p is wrong.",
    ]
    if any(entry["events"] % 1 or entry["nonevents"] % 1 for entry in entries) or any(
        value % 1 for entry in entries for value in _counts(entry)
    ):
        notes.append("Counts are means over seeds.")
    return notes


def _counts(entry: dict[str, Any]) -> list[float]:
    names = ("up_events", "down_events", "up_nonevents", "down_nonevents")
    return [float(entry[key][name]) for key in ("calls", "categories") if key in entry for name in names]


def frames(evidence: dict[str, Any]) -> dict[str, DataFrame]:
    """Return ``reclassification.csv``, one row a pair, split and measure."""
    rows: list[dict[str, Any]] = []
    for entry in evidence.get(KEY) or []:
        shared = {name: entry[name] for name in ("a", "b", "split", "primary", "n", "events", "nonevents")}
        for key in ("calls", "categories", "category_free", "idi"):
            if key not in entry:
                continue
            row: dict[str, Any] = {**shared, "measure": key}
            for name, value in entry[key].items():
                row |= (
                    {f"{name}_{part}": field for part, field in value.items()}
                    if isinstance(value, dict)
                    else {f"moved_{name}" if name != "cuts" else name: value}
                )
            rows.append(row)
    return {"reclassification": DataFrame(rows)}


SUBJECT: Final = Subject(KEY, "Reclassification", reclassification, show, frames)
