"""What the page says of shortcuts: pictures with other pixels, devices told by embeddings, marks in the crop."""

from typing import Any, Final

from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.context import ReportContext
from isthmus.report.figure_style import Drawn
from isthmus.report.figures_modalities import draw_subsets
from isthmus.report.page_regions import against_the_rest, percent_interval
from isthmus.report.page_tables import Cell, Row, Table
from isthmus.report.reading import count, interval, number, p_value, plural, split_name
from isthmus.report.shortcuts import KEY, MARKED, UNCHANGED
from isthmus.report.subject import Painters, Shown, Study, Subject

_PAINTED: Final = "lesion painted out"
_CHANGES_NOTE: Final = (
    "Held-out folds of the first seed; each fold's own network, calibrator and threshold. The pictures are changed as "
    "the network gets them, after marks and noise were dealt with. Painted out: the square around the lesion, a tenth "
    "larger, is as grey as what is left on average. Gain and speckle: of a display of 60 dB. Depth: the same tissue "
    "drawn as much smaller, and enlarged. Difference: paired, from the same units as they are; intervals count groups."
)
_DEVICES_NOTE: Final = (
    "A linear rule is learnt on the embeddings of a fold's training views and tried on its held-out views. By the "
    "label alone: what the classes' shares by device tell of it without any picture, so that only the difference is "
    "the network's. Label by device: how well the label is guessed when nothing but the device is known. That an "
    "embedding tells the device does not say that the score uses it; where the label goes with the device, it can."
)
_KINDS: Final = {"calipers": "calipers", "marks": "any mark"}
_MARKS_NOTE: Final = (
    "Letters, calipers, arrows in the first frame's lesion crop, found by their sharp strokes; calipers by their "
    "shape. An AUC ranks the units of its column only among themselves. The cases differ in more than their marks: who "
    "is measured is often who is suspected."
)


def compute(table: AnalysisTable, study: Study, evidence: dict[str, Any]) -> dict[str, Any]:
    """Return nothing: it takes the networks, and a run adds what it found."""
    return {}


def frames(evidence: dict[str, Any]) -> dict[str, DataFrame]:
    """Return no tables: the run writes ``shortcuts.csv``."""
    return {}


def show(context: ReportContext) -> Shown | None:
    """Return the section; None where nobody asked."""
    found = context.evidence.get(KEY)
    if not found:
        return None
    changes, devices, marks = found.get("changes") or {}, found["devices"], found["marks"]
    tables = [_changes_table(context, arm, entries) for arm, entries in changes.items()]
    if tables:
        tables[-1] = Table(tables[-1].caption, tables[-1].columns, tables[-1].rows, _notes(found), first="Change")
    tables += [_devices_table(context, devices)] if devices else []
    tables += [_marks_table(context, kind, facts) for kind, facts in marks.items()]
    said, warnings = list[str](), list[str]()
    if "SMOKE" not in context.marks:
        for arm, entries in changes.items():
            _say_painted(context, arm, entries, found, said, warnings)
            said += _say_worst(context, arm, entries)
        for arm, facts in devices.items():
            _say_device(context, arm, facts, said, warnings)
    if not devices:
        said.append(
            "Whether the device can be told was not asked: no two devices, and no two sites, have ten patients each "
            "among these views."
        )
    return Shown(said, ("shortcuts",) if changes else (), tables, warnings=warnings)


def _by_change(entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {entry["change"]: entry for entry in entries}


def _say_painted(
    context: ReportContext,
    arm: str,
    entries: list[dict[str, Any]],
    found: dict[str, Any],
    said: list[str],
    warn: list[str],
) -> None:
    hidden = _by_change(entries).get(_PAINTED, {})
    if "auc" not in hidden:
        return
    share = (found.get("left") or {}).get(arm)
    left = "" if share is None else f" ({number(100 * share, 0)}\u202f% of the picture is left)"
    text = (
        f"{context.title_of(arm)}: with the lesion painted out{left} its AUC{against_the_rest(context)} is "
        f"{interval(hidden['auc'])}"
    )
    if (hidden["auc"]["low"] or 0.0) > 0.5:
        warn.append(
            f"{text}, above chance: something beside the lesion goes with the label, and a share of this arm's AUC may "
            "rest on it."
        )
        return
    high = hidden["auc"]["high"]
    said.append(f"{text}: not shown to be above chance" + (f", and up to {number(high)} is possible." if high else "."))


def _say_worst(context: ReportContext, arm: str, entries: list[dict[str, Any]]) -> list[str]:
    # Marks are found in few pictures at times: what has no AUC has too few units to be called the worst.
    harmless = [one for one in entries if one["change"] not in (UNCHANGED, _PAINTED) and "difference" in one]
    if not harmless:
        return []
    worst = max(harmless, key=lambda entry: entry["flips"]["estimate"])
    if worst["flips"]["estimate"] == 0:
        return [f"{context.title_of(arm)}: no call changes under changes that change nothing of the disease."]
    text = (
        f"{context.title_of(arm)}: of the changes that change nothing of the disease, “{worst['change']}” changes most "
        f"calls, {percent_interval(worst['flips'])}; the AUC then differs by {interval(worst['difference'])}."
    )
    return [text]


def _say_device(context: ReportContext, arm: str, facts: dict[str, Any], said: list[str], warn: list[str]) -> None:
    what = facts["by"]
    text = (
        f"{context.title_of(arm)}: its embedding tells the {what} with a macro AUC of {interval(facts['told'])}, "
        f"{interval(facts['difference'])} from what the label alone tells of it"
    )
    label = facts["label_by_device"]
    told = (facts["difference"]["low"] or 0.0) > 0
    if told and label and (label["low"] or 0.0) > 0.5:
        warn.append(
            f"{text}; and the {what} alone tells the label with an AUC of {interval(label)}. Both halves of a shortcut "
            "are there: look at the results within each."
        )
    else:
        said.append(f"{text}.")


def _notes(found: dict[str, Any]) -> list[str]:
    asked = (
        f"{plural(found['views'], 'view')} of {count(found['groups'])} of {plural(found['of_groups'], 'patient')}, "
        f"classes in turn (at most {count(found['limit'])}, a clip as four: the protocol's shortcuts.views)."
    )
    return [asked, _CHANGES_NOTE]


def _changes_table(context: ReportContext, arm: str, entries: list[dict[str, Any]]) -> Table:
    rows = []
    for entry in entries:
        same = entry["change"] == UNCHANGED
        difference = "–" if same else interval(entry.get("difference"))
        flips = "–" if same else percent_interval(entry["flips"])
        cells = [Cell(count(entry["n"])), *(_cell(text) for text in (interval(entry.get("auc")), difference, flips))]
        rows.append(Row(entry["change"][:1].upper() + entry["change"][1:], cells, same))
    columns = ["Units", f"AUC{against_the_rest(context)}", "Difference", "Calls that change"]
    return Table(f"{context.title_of(arm)}, the same units with other pixels", columns, rows, first="Change")


def _devices_table(context: ReportContext, devices: dict[str, Any]) -> Table:
    rows = [
        Row(
            context.title_of(arm),
            [
                Cell(count(len(facts["devices"])), facts["by"] + "s"),
                Cell(count(facts["n"]), f"{count(facts['groups'])} patients"),
                *(_cell(interval(facts[name])) for name in ("told", "by_label", "difference", "label_by_device")),
            ],
        )
        for arm, facts in devices.items()
    ]
    columns = ["Told apart", "Views", "By the embedding", "By the label alone", "Difference", "Label by device"]
    return Table("Can the embedding tell the device? (AUC, of several the macro AUC)", columns, rows, [_DEVICES_NOTE])


def _marks_table(context: ReportContext, kind: str, marks: dict[str, Any]) -> Table:
    rows = [
        Row(
            f"{context.title_of(arm)}, {split_name(split)}",
            [
                *(_cell(interval(facts[code])) for code in MARKED[kind]),
                Cell("few patients" if facts["few"] else p_value(facts["p"])),
            ],
        )
        for arm in sorted(marks["arms"], key=[*context.evidence["arms"]].index)
        for split, facts in marks["arms"][arm].items()
    ]
    units = context.evidence["unit"]
    positive = context.class_name(context.evidence["positive"])
    sizes = [
        f"{plural(total, units)} {words} {_KINDS[kind]} in the crop, {count(own)} of them “{positive}”"
        for (total, own), words in zip(
            (marks["counts"][code] for code in MARKED[kind]), ("with", "without"), strict=True
        )
    ]
    columns = ["With", "Without", "p of the difference"]
    caption = f"AUC{against_the_rest(context)} with and without {_KINDS[kind]} in the crop"
    return Table(caption, columns, rows, [f"{'; '.join(sizes)}.", _MARKS_NOTE])


def _cell(text: str) -> Cell:
    main, _, rest = text.partition(" (")
    return Cell(main, rest.removesuffix(")"))


def paint(context: ReportContext, table: AnalysisTable | None) -> Painters:
    """Return the figure's painter."""
    changes = (context.evidence.get(KEY) or {}).get("changes")
    return {"shortcuts": lambda: _figure(context, changes)} if changes else {}


def _figure(context: ReportContext, changes: dict[str, Any]) -> Drawn | None:
    arms = {
        context.title_of(arm): [
            {**entry, "words": entry["change"], "whole": entry["change"] == UNCHANGED}
            for entry in entries
            if "auc" in entry
        ]
        for arm, entries in changes.items()
    }
    arms = {title: entries for title, entries in arms.items() if entries}
    if not arms:
        return None
    title = (
        f"AUC{against_the_rest(context)} of the same held-out units with other pixels; the square is as they are. "
        "Painted out, a model without shortcuts is at the dashed line; all others should stay where the square is."
    )
    spoken = "; ".join(
        f"{arm}: " + ", ".join(f"{entry['words']} {interval(entry['auc'])}" for entry in entries)
        for arm, entries in arms.items()
    )
    return draw_subsets(arms), title, f"{title} {spoken}."


SUBJECT: Final = Subject(KEY, "Does it read something else than the disease?", compute, show, frames, paint)
