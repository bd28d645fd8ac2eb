"""What the page says of several classes: pictures beside patients, where each class's calls went, small classes."""

from typing import Any, Final

from pandas import DataFrame

from isthmus.report.classes import KEY, MEASURES, NO_CLINIC, classes_evidence
from isthmus.report.context import ReportContext
from isthmus.report.page_decision_tables import discordance_table
from isthmus.report.page_tables import Cell, Row, Table
from isthmus.report.reading import count, interval, listed, number, p_value, plural, split_name, splits_of
from isthmus.report.subject import Shown, Subject

MOST: Final = 6
"""Arms whose calls are shown in full."""

_HEADS: Final = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_auc": "Macro AUC",
    "hand_till": "Hand–Till M",
}


def show(context: ReportContext) -> Shown | None:
    """Return the section of the leading split; None with two classes."""
    found = context.evidence.get(KEY)
    if not found:
        return None
    split = splits_of(context.evidence)[0]
    tables = [
        _side_by_side(context, found, split),
        *_of_calls(context, found, split),
        discordance_table(context, split),
        _against_readers(context, found, split),
        _calibrated(context, found, split),
    ]
    sentences = ["A smoke run: no number below means anything."] if "SMOKE" in context.marks else []
    sentences += _small(context, found, split)
    shown = [table for table in tables if table.rows]
    return Shown(sentences, (), shown, _notes(context, found, split)) if shown or sentences else None


def _small(context: ReportContext, found: dict[str, Any], split: str) -> list[str]:
    """Say which classes are so small that their figures are hardly more than anecdotes."""
    few = found["small"].get(split, {})
    if not few:
        return []
    named = listed([f"“{context.class_name(label)}” ({plural(groups, 'patient')})" for label, groups in few.items()])
    whose = "Every figure of such a class rests" if len(few) == 1 else "Their figures rest"
    mean = f"and so does one part in {len(context.evidence['classes'])} of every mean over classes"
    smallest = min(few.values())
    worth = (
        f"in the smallest, one patient is worth {100 / smallest:.0f} points" if smallest else "one has nobody at all"
    )
    return [
        f"Small in the {split_name(split)}: {named}. {whose} on these few, {mean}; {worth}. The intervals say how far "
        "that carries."
    ]


def _primary_first(context: ReportContext, of_arms: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(arm, of_arms[arm]) for arm in context.evidence["arms"] if arm in of_arms]


def _side_by_side(context: ReportContext, found: dict[str, Any], split: str) -> Table:
    unit, pictures = context.evidence["unit"], found.get("pictures", {}).get(split, {})
    rows = []
    for arm, own in _primary_first(context, pictures):
        whole = context.evidence["arms"][arm][split]
        for name, facts, counted in (
            (f"{unit}s", whole, f"{count(whole['n'])} {unit}s"),
            ("single pictures", own, f"{plural(own['n'], 'picture')} of {plural(own['n_groups'], 'patient')}"),
        ):
            cells = [Cell(interval(facts.get(measure))) for measure in MEASURES]
            cells.append(Cell(number(facts.get("majority_rate"))))
            rows.append(Row(f"{context.title_of(arm)}, {name} ({counted})", cells))
    columns = [*(_HEADS[name] for name in MEASURES), "Always the largest class"]
    return Table(
        f"Pictures and {unit}s side by side, {split_name(split)}", columns, rows, first="Arm and what is counted"
    )


def _of_calls(context: ReportContext, found: dict[str, Any], split: str) -> list[Table]:
    tables = []
    for arm, classes in _primary_first(context, found["calls"].get(split, {}))[:MOST]:
        rows = [
            Row(
                f"{context.class_name(label)} ({plural(facts['n'], context.evidence['unit'])})",
                [
                    *(Cell(interval(facts["called"].get(other))) for other in classes),
                    Cell(interval(facts["right_when_called"]) if facts["right_when_called"] else "never called"),
                ],
            )
            for label, facts in classes.items()
        ]
        columns = [*(f"Called {context.class_name(label)}" for label in classes), "Right when called so"]
        caption = f"{context.title_of(arm)}, {split_name(split)}: where the calls of each class went"
        tables.append(Table(caption, columns, rows, first="Label"))
    return tables


def _against_readers(context: ReportContext, found: dict[str, Any], split: str) -> Table:
    own = [entry for entry in found.get("readers", []) if entry["split"] == split]
    leading = (context.evidence.get("primary") or {}).get("arm")
    own = [entry for entry in own if leading is None or entry["arm"] == leading]
    rows = [
        Row(
            f"{entry['name']}{', ' + entry['condition'] if entry['condition'] else ''}",
            [
                Cell(count(entry["n"])),
                *(Cell(count(entry[name])) for name in ("both_right", "b", "c")),
                Cell(p_value(entry["p"])),
                Cell(p_value(entry["p_holm"])),
            ],
        )
        for entry in own[:12]
    ]
    unit = context.evidence["unit"]
    columns = [f"{unit.capitalize()}s", "Both right", "The arm alone", "The reader alone", "p, McNemar", "p, Holm"]
    who = context.title_of(own[0]["arm"]) if own else ""
    return Table(f"{who} against each reader’s calls, {split_name(split)}", columns, rows, first="Reader")


def _calibrated(context: ReportContext, found: dict[str, Any], split: str) -> Table:
    rows = [
        Row(context.title_of(arm), [Cell(interval(own["calibrated"])), Cell(interval(own["as_given"]))])
        for arm, own in _primary_first(context, found["brier"].get(split, {}))
    ]
    columns = ["Calibrated", "As the networks gave them"]
    return Table(f"Brier score of the probabilities of all classes (0 to 2), {split_name(split)}", columns, rows)


def _notes(context: ReportContext, found: dict[str, Any], split: str) -> list[str]:
    unit = context.evidence["unit"]
    notes = []
    if found.get("pictures", {}).get(split):
        notes.append(
            f"A {unit}'s probabilities are those of its pictures joined; a picture is called by the same calibration. "
            "Pictures of one patient are no independent cases: both lines have the patients as clusters, so that more "
            "pictures of the same patients do not narrow the intervals. A figure that counts pictures answers for "
            "pictures, and patients with many weigh more in it."
        )
    if found["calls"].get(split):
        shares = "at the class shares of these consecutive cases"
        if context.evidence.get("sampling") != "consecutive":
            shares = NO_CLINIC.replace("'", "’")
        notes.append(
            f"Shares of each label's calls, and of each call how often it is right: {shares}; Wilson intervals with "
            "the patients as clusters. tables/calls_by_class.csv holds all arms and splits."
        )
    if any(entry["split"] == split for entry in found.get("readers", [])):
        notes.append(
            "McNemar’s mid-p, over groups where a patient has several cases; Holm’s correction over all arms, readers "
            "and conditions. It asks whether arm and reader are right equally often; few on whom they differ cannot "
            "tell. tables/mcnemar_readers.csv holds all arms."
        )
    return notes


def frames(evidence: dict[str, Any]) -> dict[str, DataFrame]:
    """Return ``calls_by_class``, ``pictures_and_units`` and ``mcnemar_readers``."""
    found = evidence.get(KEY)
    if not found:
        return {}
    calls = [
        {
            "arm": arm,
            "split": split,
            "label": label,
            "call": call,
            "n": facts["n"],
            "groups": facts["n_groups"],
            **share,
        }
        for split, arms in found["calls"].items()
        for arm, classes in arms.items()
        for label, facts in classes.items()
        for call, share in facts["called"].items()
    ]
    pictures = [
        {"arm": arm, "split": split, "unit": unit, "n": facts["n"], "measure": measure, **facts[measure]}
        for split, arms in found.get("pictures", {}).items()
        for arm, own in arms.items()
        for unit, facts in (("picture", own), (evidence["unit"], evidence["arms"][arm][split]))
        for measure in MEASURES
    ]
    readers = DataFrame(found.get("readers", []))
    return {"calls_by_class": DataFrame(calls), "pictures_and_units": DataFrame(pictures), "mcnemar_readers": readers}


SUBJECT: Final = Subject(KEY, "Several classes", classes_evidence, show, frames)
