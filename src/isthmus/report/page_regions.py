"""What the page says of the regions: how far the scores hang on where the box was drawn, and who drew it."""

from typing import Any

from isthmus.report.context import ReportContext
from isthmus.report.page_tables import Cell, Row, Table, interval_cell, percent_cell
from isthmus.report.reading import count, interval, number, percent_interval, plural, split_name

_NOTICEABLE = 0.1
"""Share of calls that flip under boxes moved by a tenth, by the interval's lower end, from which the page warns."""


def region_parts(context: ReportContext) -> dict[str, Any]:
    """Return the page's entry ``regions``, empty where no arm looks at lesion crops and no source is known."""
    regions = context.evidence.get("regions") or {}
    moved, sources = regions.get("moved") or {}, regions.get("sources") or []
    if not moved and not sources:
        return {"regions": {}}
    return {
        "regions": {
            "sentences": _sentences(context, moved),
            "moved": _moved_tables(context, moved),
            "sources": _source_table(sources),
        }
    }


def _sentences(context: ReportContext, moved: dict[str, Any]) -> list[str]:
    found = []
    for arm in _leading(context, moved):
        flips = {entry["change"]: entry["flips"] for entry in moved[arm]}
        worst = max(moved[arm], key=lambda entry: entry["flips"]["estimate"])
        small = flips.get("moved by 10 %")
        if worst["flips"]["estimate"] == 0:
            found.append(
                f"{context.title_of(arm)}: none of its {plural(worst['n'], 'call')} changes under any of these changes "
                f"of the box; up to {_high(worst['flips'])} of others may."
            )
            continue
        sentence = f"{context.title_of(arm)}: "
        if small is not None:
            sentence += f"a box moved by 10 % changes {percent_interval(small)} of its calls"
        if worst["change"] != "moved by 10 %":
            sentence += f"; most, {percent_interval(worst['flips'])}, change when the box is {_spoken(worst['change'])}"
        difference = worst.get("difference")
        if difference is not None:
            sentence += f"; the AUC then differs by {interval(difference)} from that of the boxes as drawn"
        sentence += "."
        if small is not None and (small["low"] or 0.0) > _NOTICEABLE:
            sentence += " Two readers would not draw the same box: take a call near the threshold with this in mind."
        found.append(sentence)
    return found


def _high(entry: dict[str, Any]) -> str:
    return f"{number(100 * (entry.get('high') or 0.0), 0)}\u202f%"


def _leading(context: ReportContext, moved: dict[str, Any]) -> list[str]:
    primary = context.evidence.get("primary") or {}
    named = [arm for arm in (primary.get("arm"), primary.get("against")) if arm in moved]
    return named or list(moved)[:2]


def _spoken(change: str) -> str:
    return change if change.startswith("moved") else f"drawn {change}"


def _moved_tables(context: ReportContext, moved: dict[str, Any]) -> list[Table]:
    if not moved:
        return []
    changes = list(dict.fromkeys(entry["change"] for entries in moved.values() for entry in entries))
    main = (context.evidence.get("primary") or {}).get("arm")
    rows: dict[str, list[Row]] = {"difference": [], "flips": []}
    for arm, entries in moved.items():
        by_change = {entry["change"]: entry for entry in entries}
        cells = [interval_cell(by_change.get(change, {}).get("difference")) for change in changes]
        rows["difference"].append(Row(context.title_of(arm), cells, arm == main))
        cells = [percent_cell(by_change[change]["flips"]) if change in by_change else Cell("–") for change in changes]
        rows["flips"].append(Row(context.title_of(arm), cells, arm == main))
    heads = [change[:1].upper() + change[1:] for change in changes]
    nodules = max(entry["n"] for entries in moved.values() for entry in entries)
    splits = {entry.get("split", "cv") for entries in moved.values() for entry in entries}
    whose = (
        "held-out folds of the first seed; each fold's own networks, calibrator and threshold as in the main analysis"
        if splits == {"cv"}
        else f"{split_name(min(splits))}; each model with its calibrator and threshold as frozen"
    )
    note = (
        f"{plural(nodules, context.evidence['unit'])}, {whose}. Each view is moved in one direction of its own. "
        "Only crops of lesions change: what a model sees of whole scan areas, columns of the tables and measured "
        "perfusion stay as they were."
    )
    return [
        Table(
            f"Difference of AUC{against_the_rest(context)}, boxes changed minus boxes as drawn",
            heads,
            rows["difference"],
        ),
        Table("Calls that change", heads, rows["flips"], [note]),
    ]


def against_the_rest(context: ReportContext) -> str:
    """Return of which class an AUC is, where there are several."""
    several = len(context.evidence.get("classes", [])) > 2
    return f" of “{context.class_name(context.evidence['positive'])}” against the rest" if several else ""


def _source_table(sources: list[dict[str, Any]]) -> list[Table]:
    rows = [
        Row(
            f"{entry['class']}: {entry['source']}",
            [Cell(f"{count(entry['views'])} of {count(entry['of'])}"), percent_cell(entry["share"])],
        )
        for entry in sources
        if entry["share"] is not None
    ]
    return [Table("Where the regions of each class come from", ["Views", "Share"], rows)] if rows else []
