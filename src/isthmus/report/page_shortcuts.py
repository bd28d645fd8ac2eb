"""What the page says of shortcuts: pictures with other pixels, devices told by embeddings, marks in the crop."""

from typing import Any, Final

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.context import ReportContext
from isthmus.report.figure_style import Drawn
from isthmus.report.figures_modalities import draw_subsets
from isthmus.report.page_regions import against_the_rest
from isthmus.report.page_tables import Cell, Row, Table, cell_of, interval_cell
from isthmus.report.reading import count, interval, number, p_value, percent_interval, plural, split_name
from isthmus.report.shortcuts import KEY, MARKED, UNCHANGED
from isthmus.report.subject import Painters, Shown, Subject, from_the_run

_PAINTED: Final = "lesion painted out"
_BY_FOLDS: Final = "Held-out folds of the first seed; each fold's own network, calibrator and threshold."
_CHANGES_NOTE: Final = (
    "The pictures are changed as "
    "the network gets them, after marks and noise were dealt with. Painted out: the square around the lesion, a tenth "
    "larger, is as grey as what is left on average. A crop is enlarged to a fixed size whatever the lesion's, so that "
    "the grain of its rim still tells how large it was; columns of the tables that a fusion reads stay as they are. "
    "Gain and speckle: of a display of 60 dB. Depth: the same tissue drawn as much smaller, and enlarged. Difference: "
    "paired, from the same units as they are; intervals count groups, and none is corrected for the number of changes."
)
_NOT_ITS_INSIDE: Final = "tissue around it, its size by magnification, or an artefact"
_DEVICES_NOTE: Final = (
    "A linear rule is learnt on the embeddings of a fold's training views and tried on its held-out views; AUCs are "
    "means over the folds, and their intervals are widened for training parts that overlap (Nadeau–Bengio). By the "
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


def show(context: ReportContext) -> Shown | None:
    """Return the section; None where nobody asked."""
    found = context.evidence.get(KEY)
    if not found:
        return None
    # A validation has no training views that a rule could learn devices from: its devices are None.
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
        for arm, facts in (devices or {}).items():
            _say_device(context, arm, facts, said, warnings)
    if devices is not None and not devices:
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
    title = context.title_of(arm)
    if "untested" in hidden:
        said.append(
            f"{title}: with the lesion painted out nothing is left to test ({hidden['untested']}): whether it reads "
            "something other than the lesion’s inside is not known."
        )
    if "auc" not in hidden:
        return
    share = (found.get("left") or {}).get(arm)
    left = "" if share is None else f" ({number(100 * share, 0)}\u202f% of the picture is left)"
    text = f"{title}: with the lesion painted out{left} its AUC{against_the_rest(context)} is {interval(hidden['auc'])}"
    if (hidden["auc"]["low"] or 0.0) > 0.5:
        warn.append(
            f"{text}, above chance: it reads something other than the lesion’s inside: {_NOT_ITS_INSIDE}. A share of "
            "this arm’s AUC may rest on it."
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
        f"calls, {percent_interval(worst['flips'])}; the AUC then differs by {interval(worst['difference'])}. It is "
        f"the largest of {len(harmless)}, looked for afterwards: the intervals are not those of a change named before."
    )
    return [text]


def _say_device(context: ReportContext, arm: str, facts: dict[str, Any], said: list[str], warn: list[str]) -> None:
    what = facts["by"]
    if facts["difference"]["estimate"] is None:
        why = facts["difference"].get("note") or "not defined"
        said.append(f"{context.title_of(arm)}: whether its embedding tells the {what} cannot be judged ({why}).")
        return
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
    split = found.get("split", "cv")
    whose = _BY_FOLDS if split == "cv" else f"{split_name(split).capitalize()}; each model as it was frozen."
    return [asked, f"{whose} {_CHANGES_NOTE}"]


def _changes_table(context: ReportContext, arm: str, entries: list[dict[str, Any]]) -> Table:
    rows = []
    for entry in entries:
        same = entry["change"] == UNCHANGED
        difference = "–" if same else interval(entry.get("difference"))
        flips = "–" if same or "flips" not in entry else percent_interval(entry["flips"])
        cells = [Cell(count(entry["n"])), *(cell_of(text) for text in (interval(entry.get("auc")), difference, flips))]
        if "untested" in entry:
            cells[1] = Cell("–", f"nothing to test: {entry['untested']}")
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
                *(interval_cell(facts[name]) for name in ("told", "by_label", "difference", "label_by_device")),
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
                *(_with_counts(context, facts, code) for code in MARKED[kind]),
                *([Cell("few patients"), Cell("–")] if facts["few"] else _both_p(facts)),
            ],
        )
        for arm in sorted(marks["arms"], key=[*context.evidence["arms"]].index)
        for split, facts in marks["arms"][arm].items()
    ]
    columns = ["With", "Without", "p of the difference", "p, Holm"]
    caption = f"AUC{against_the_rest(context)} with and without {_KINDS[kind]} in the crop"
    tests = plural(marks["tests"], "test")
    holm = f" Holm’s correction is over all {tests}: arms, parts of the data, calipers and any mark."
    return Table(caption, columns, rows, [_MARKS_NOTE + (holm if marks["tests"] else "")])


def _with_counts(context: ReportContext, facts: dict[str, Any], code: str) -> Cell:
    """Return an AUC over its limits, how many units it is of, and how many of them are positive."""
    units, positives = facts["counts"][code]
    main, _, limits = interval(facts[code]).partition(" (")
    positive = context.class_name(context.evidence["positive"])
    sizes = f"{plural(units, context.evidence['unit'])}, {count(positives)} “{positive}”"
    return Cell(main, "; ".join(filter(None, (limits.removesuffix(")"), sizes))))


def _both_p(facts: dict[str, Any]) -> list[Cell]:
    return [Cell(p_value(facts[name])) for name in ("p", "p_holm")]


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
        f"AUC{against_the_rest(context)} of the same units with other pixels; the square is as they are, the dashed "
        f"line is chance. Painted out, an interval wholly to the right of it says that something other than "
        f"the lesion’s inside is read: {_NOT_ITS_INSIDE}. All others should stay where the square is."
    )
    spoken = "; ".join(
        f"{arm}: " + ", ".join(f"{entry['words']} {interval(entry['auc'])}" for entry in entries)
        for arm, entries in arms.items()
    )
    return draw_subsets(arms), title, f"{title} {spoken}."


# The run writes its rows: shortcuts.csv.
SUBJECT: Final = Subject(KEY, "Does it read something else than the disease?", from_the_run, show, paint=paint)
