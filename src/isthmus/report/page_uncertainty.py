"""What the page says of sets and bands, their tables and figure, and the entry among the subjects."""

from functools import partial
from typing import Any, Final

from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.context import ReportContext
from isthmus.report.figure_style import Drawn
from isthmus.report.figures_uncertainty import PANELS, draw_answered
from isthmus.report.page_probabilities import leading_arm
from isthmus.report.page_tables import Cell, Row, Table, interval_cell, percent_cell
from isthmus.report.reading import figure_endings, in_order, interval, number, percent_interval, split_name
from isthmus.report.subject import Painters, Shown, Subject
from isthmus.report.uncertainty import KEY, MAIN, uncertainty
from isthmus.statistics.abstention import LEFT_SHARE

SHOWN_SHARE: Final = LEFT_SHARE


def show(context: ReportContext) -> Shown | None:
    """Return the section, None for scores that are no probabilities."""
    splits = _splits(context)
    if not splits:
        return None
    tables = [table for split in splits for table in (_set_table(context, split), _band_table(context, split)) if table]
    figures = tuple(name for split, name in _names(context).items() if split == splits[0])
    return Shown(_sentences(context, splits[0]), figures, tables, _notes(context))


def _splits(context: ReportContext) -> list[str]:
    return in_order((context.evidence.get(KEY) or {}).get("splits", {}))


def _names(context: ReportContext) -> dict[str, str]:
    return {split: f"answered{end}" for split, end in figure_endings(context.evidence).items()}


def _entries(context: ReportContext, split: str) -> dict[str, Any]:
    return dict(context.evidence[KEY]["splits"][split])


def main_sets(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the sets that the page shows: by class, at 90 %."""
    return next(dict(sets) for sets in entry["sets"] if sets["by_class"] and sets["promised"] == MAIN)


def _sentences(context: ReportContext, split: str) -> list[str]:
    if "SMOKE" in context.marks:
        return ["A smoke run: the numbers below show that every stage ran; they say nothing of any patient."]
    entries = _entries(context, split)
    arm = leading_arm(context, entries)
    entry, sets, unit = entries[arm], main_sets(entries[arm]), context.evidence["unit"]
    text = (
        f"An arm may say that it cannot tell. {context.title_of(arm)}, {split_name(split)}: sets of classes made so "
        f"that they hold the true class of {_share(MAIN)} of new {unit}s of each class held it for "
        f"{percent_interval(sets['coverage'])}. {percent_interval(sets['single'])} of the sets name one class"
    )
    if sets["right_when_single"]["estimate"] is not None:
        text += f", which is right in {percent_interval(sets['right_when_single'])} of them"
    text += f"; {percent_interval(sets['full'])} name all classes: the arm cannot tell."
    if len(context.evidence["classes"]) > 2:
        text += f" A set holds {number(sets['size']['estimate'], 1)} classes on average."
    if sets["empty"]["estimate"]:
        text += f" {percent_interval(sets['empty'])} are empty: such a {unit} resembles neither class."
    found = [text]
    shown = [row for row in entry.get("bands", []) if row["share"] == SHOWN_SHARE]
    if shown and shown[0]["gain"]["estimate"] is not None:
        found.append(_band_words(context, shown[0], context.evidence["arms"][arm][split].get("majority_rate")))
    elif entry.get("note"):
        found.append(f"{entry['note'][:1].upper()}{entry['note'][1:]}.")
    return found


def _band_words(context: ReportContext, row: dict[str, Any], majority: float | None) -> str:
    unit = context.evidence["unit"]
    text = "If the least certain fifth were left to somebody else"
    if "low" in row:
        text += f" (probabilities between {number(row['low'])} and {number(row['high'])})"
    text += f", {percent_interval(row['answered'])} of the {unit}s would be answered, with an accuracy of "
    text += f"{percent_interval(row['accuracy'])} instead of {percent_interval(row['accuracy_all'])}"
    text += "" if majority is None else f"; the commoner class alone, called for all, is right in {_share(majority)}"
    text += ". "
    gain = row["gain"]
    if gain["low"] is not None and gain["low"] > 0:
        text += f"The gain of {_points(gain)} points is above 0. "
    else:
        text += "Whether that is a gain, these data do not show. "
    return text + (
        f"Easy {unit}s are called better than hard ones, so that some gain is expected of any arm; what becomes of the "
        "others depends on who judges them, which is not measured here."
    )


def _notes(context: ReportContext) -> list[str]:
    entries = [entry for split in _splits(context) for entry in _entries(context, split).values()]
    chosen = list(dict.fromkeys(entry["chosen_on"] for entry in entries))
    notes = [
        f"Sets: split conformal prediction on 1 − probability, a limit for each class of its own; {_promise(context)}, "
        "not at another hospital or with another device. Limits and bands were chosen on "
        + "; ".join(chosen)
        + ". Where several networks gave the probabilities (folds), the promise holds about, not exactly.",
        f"Certainty is {_certainty_words(context)}. Area: mean share of wrong calls as more and more of the surest "
        "cases are answered (AURC, less is better); beneath it what certainty without meaning, and the best possible "
        "order, would give.",
    ]
    if context.evidence["sampling"] != "consecutive":
        notes.append(
            "The share of cases that a set or band leaves open is that of this sample; where the classes are mixed in "
            "other proportions it is another."
        )
    return notes


def _promise(context: ReportContext) -> str:
    """Return whom the sets' promise is for: where patients are judged, a share of them and nobody by name."""
    unit = context.evidence["unit"]
    if unit == "patient":
        return (
            "a group of patients counts once (Lee, Barber and Willett 2023). The promise is for that share of new "
            "patients like those that the limits come from: not for every kind of patient"
        )
    return (
        f"a patient counts once, however many {unit}s there are (Lee, Barber and Willett 2023). The promise is for one "
        f"{unit} of a new patient like those that the limits come from: not for a single patient"
    )


def _certainty_words(context: ReportContext) -> str:
    if len(context.evidence["classes"]) > 2:
        return "the probability of the most probable class"
    return "the distance of the logit from that of the threshold behind the call"


def _set_table(context: ReportContext, split: str) -> Table:
    classes = context.evidence["classes"]
    main = (context.evidence.get("primary") or {}).get("arm")
    rows = []
    for arm, entry in _entries(context, split).items():
        sets = main_sets(entry)
        cells = [percent_cell(sets["coverage"])] + [percent_cell(sets["coverage_by_class"][label]) for label in classes]
        cells += [percent_cell(sets[name]) for name in ("single", "right_when_single", "full", "empty")]
        rows.append(Row(context.title_of(arm), cells, arm == main))
    columns = ["Held the class", *(f"of: {context.class_name(label)}" for label in classes)]
    columns += ["One class", "Right when one", "All classes", "No class"]
    return Table(f"{split_name(split).capitalize()}: sets made to hold {_share(MAIN)} of each class", columns, rows)


def _band_table(context: ReportContext, split: str) -> Table | None:
    main = (context.evidence.get("primary") or {}).get("arm")
    rows = []
    for arm, entry in _entries(context, split).items():
        if "risk_coverage" not in entry:
            continue
        area = entry["risk_coverage"]
        limits = interval_cell(area["area"], 3).small
        small = f"{limits}; {number(area['chance'], 3)} without meaning, best {number(area['best'], 3)}"
        cells = []
        if len(context.evidence["classes"]) == 2:
            row = next((row for row in entry.get("bands", []) if row["share"] == SHOWN_SHARE), None)
            names = ("answered", "accuracy", "accuracy_all", "accuracy_left", "sensitivity", "specificity")
            cells = [percent_cell(row[name]) if row else Cell("–") for name in names]
        rows.append(Row(context.title_of(arm), [*cells, Cell(number(area["area"]["estimate"], 3), small)], arm == main))
    if not rows:
        return None
    columns = ["Answered", "Accuracy", "of all", "of those left out", "Sensitivity", "Specificity"]
    columns = columns if len(context.evidence["classes"]) == 2 else []
    head = f"{split_name(split).capitalize()}: "
    head += "the least certain fifth left to somebody else" if columns else "certainty and mistakes"
    return Table(head, [*columns, "Area (AURC)"], rows)


def _share(value: float) -> str:
    return f"{number(100 * value, 0)}\u202f%"


def _points(entry: dict[str, Any]) -> str:
    middle, low, high = (number(100 * entry[name], 0) for name in ("estimate", "low", "high"))
    return f"{middle} ({low} to {high})"


def frames(evidence: dict[str, Any]) -> dict[str, DataFrame]:
    """Return ``prediction_sets.csv``, ``abstention.csv`` and ``risk_coverage.csv``."""
    sets: list[dict[str, Any]] = []
    bands: list[dict[str, Any]] = []
    areas: list[dict[str, Any]] = []
    for split, entries in ((evidence.get(KEY) or {}).get("splits") or {}).items():
        for arm, entry in entries.items():
            named = {"arm": arm, "split": split, "chosen_on": entry["chosen_on"]}
            sets += [{**named, **_flat(row)} for row in entry["sets"]]
            bands += [{**named, **_flat(row)} for row in entry.get("bands", [])]
            if area := entry.get("risk_coverage"):
                areas.append({**named, **_flat({name: area[name] for name in ("area", "chance", "best")})})
    return {"prediction_sets": DataFrame(sets), "abstention": DataFrame(bands), "risk_coverage": DataFrame(areas)}


def _flat(row: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        flat |= _flat(value, f"{prefix}{name}_") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def paint(context: ReportContext, table: AnalysisTable | None) -> Painters:
    """Return the painter of the accuracy-coverage curves of the leading split."""
    splits = _splits(context)
    return {_names(context)[splits[0]]: partial(_paint, context, splits[0])} if splits else {}


def _paint(context: ReportContext, split: str) -> Drawn | None:
    entries = {arm: entry for arm, entry in _entries(context, split).items() if "risk_coverage" in entry}
    if not entries:
        return None
    shown = dict(list(entries.items())[:PANELS])
    titles = {arm: context.title_of(arm) for arm in shown}
    title = f"Accuracy when only the surest calls are made, {split_name(split)}"
    if any(entry.get("bands") for entry in shown.values()):
        title += f"; dots: bands chosen on other cases, with {_share(context.evidence['level'])} intervals"
    title += "; dashed: all calls made."
    if len(entries) > len(shown):
        title += f" The first {len(shown)} of {len(entries)} arms."
    spoken = "; ".join(f"{titles[arm]} {interval(entry['risk_coverage']['area'], 3)}" for arm, entry in shown.items())
    return draw_answered(shown, titles), title, f"{title} Area under the risk-coverage curve: {spoken}."


SUBJECT: Final = Subject(KEY, "When the arm is not sure", uncertainty, show, frames, paint)
