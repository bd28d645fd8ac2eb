"""What the page says of the size that would settle a contrast."""

from typing import Any, Final

from pandas import DataFrame

from isthmus.report.context import ReportContext
from isthmus.report.page_tables import Cell, Row, Table
from isthmus.report.patients_needed import DIFFERENCES, POWERS, patients_needed
from isthmus.report.reading import count, in_order, interval, number, split_name
from isthmus.report.subject import Shown, Subject

KEY: Final = "patients_needed"
_MOST: Final = 1_000_000
"""More patients than this are nobody's study."""


def show(context: ReportContext) -> Shown | None:
    """Return the section, None without a contrast that was named before the analysis and has a test."""
    found = context.evidence.get(KEY)
    if not found:
        return None
    split = in_order({entry["split"] for entry in found["contrasts"]})[0]
    own = sorted((entry for entry in found["contrasts"] if entry["split"] == split), key=lambda entry: entry["order"])
    notes = [
        "Sizes carry the paired difference's own standard error over to more patients like these: the same models, "
        "share of positives and nodules a patient. Training on more patients is not in them: it may change the "
        "difference itself.",
    ]
    others = [split_name(name) for name in in_order({entry["split"] for entry in found["contrasts"]}) if name != split]
    if others:
        notes.append(f"Also for the {', '.join(others)}: tables/patients_needed.csv.")
    return Shown([_sentence(context, own[0])], (), [_table(context, own, split)], notes)


def _sentence(context: ReportContext, entry: dict[str, Any]) -> str:
    names = f"{context.title_of(entry['a'])} less {context.title_of(entry['b'])}"
    text = (
        f"{names}, {split_name(entry['split'])}: {interval(entry, 3)} on {count(entry['groups'])} patients. A study of "
    )
    text += f"this size shows a true difference of {number(entry['detectable'], 3)} or more with a power of 80\u202f%. "
    smallest, observed = entry["sizes"][0], entry["sizes"][-1]
    power = f"{100 * smallest['power']:.0f}\u202f%"
    text += f"One of {smallest['difference']:g} it shows with {power}; that takes {_people(smallest, 0)} patients for "
    text += f"80\u202f% and {_people(smallest, 1)} for 90\u202f%. "
    if observed["needed"][f"{POWERS[0]:g}"] is None:
        return text + "No difference was seen at all."
    return text + (
        f"Were the difference that was seen the true one, {_people(observed, 0)} patients would show it with 80\u202f% "
        f"and {_people(observed, 1)} with 90\u202f%; but it is as uncertain as its interval is wide, and a large one "
        "is likely to be too large."
    )


def _people(size: dict[str, Any], place: int) -> str:
    needed = size["needed"][f"{POWERS[place]:g}"]
    if needed is None:
        return "–"
    return count(needed) if needed <= _MOST else f"more than {count(_MOST)}"


def _table(context: ReportContext, own: list[dict[str, Any]], split: str) -> Table:
    heads = [f"{value:g}" for value in DIFFERENCES]
    columns = ["Shown with 80\u202f%", *(f"Patients for {head}" for head in heads), "Patients for what was seen"]
    rows = [
        Row(
            f"{context.title_of(entry['a'])} − {context.title_of(entry['b'])}",
            [
                Cell(number(entry["detectable"], 3)),
                *(Cell(_people(size, 0), f"{_people(size, 1)} for 90\u202f%") for size in entry["sizes"]),
            ],
            entry["order"] == 1,
        )
        for entry in own
    ]
    return Table(f"Patients that show a true difference of AUCs with a power of 80\u202f%, {split_name(split)}",
                 columns, rows, first="Contrast")  # fmt: skip


def csv_frames(evidence: dict[str, Any]) -> dict[str, DataFrame]:
    """Return ``patients_needed``: one row a contrast, split, true difference and power."""
    rows = [
        {
            **{name: entry[name] for name in ("a", "b", "split", "order", "groups", "detectable")},
            "difference": size["difference"], "observed": size["observed"], "power_here": size["power"],
            "power": float(power), "patients_needed": needed,
        }
        for entry in (evidence.get(KEY) or {}).get("contrasts", [])
        for size in entry["sizes"]
        for power, needed in size["needed"].items()
    ]  # fmt: skip
    return {KEY: DataFrame(rows)} if rows else {}


SUBJECT: Final = Subject(KEY, "How many patients would settle it", patients_needed, show, csv_frames)
