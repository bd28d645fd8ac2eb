"""What the page says of warnings beside the probability: their table, and the entry among the subjects."""

from typing import Any, Final

from pandas import DataFrame

from isthmus.report.context import ReportContext
from isthmus.report.doubts import KEY, NEAR, SPREAD, UNLIKE, doubts
from isthmus.report.page_probabilities import leading_arm
from isthmus.report.page_tables import Cell, Row, Table
from isthmus.report.reading import count, in_order, interval, number, split_name
from isthmus.report.subject import Shown, Subject

NAMES: Final = {
    NEAR: "nearness of the probability to the threshold",
    SPREAD: "disagreement of the networks",
    UNLIKE: "unlikeness to the training pictures",
}
_NOTE: Final = (
    "AUC: how well a warning tells wrong calls from right ones; 0.5 is no warning at all. Nearness: to the threshold "
    "behind the call, of several classes a low probability of the class called; it costs nothing, so the others must "
    "add to it. Disagreement: spread of the probability over the networks, in cross-validation over those of all "
    "seeds, elsewhere over the fold models. Unlikeness: distance of the networks' embedding from those of their "
    "training pictures, which fused models do not have. Calls of the first seed; intervals count patients."
)
_UNLIKE: Final = (
    "Called unlike: what a prediction says of such a case, set so that about one in twenty cases of the training "
    "cohort's kind are; of the held-out cases, which set it, the share says nothing and is not shown. Many more in a "
    "set mean that it differs from the training cohort, be it by device, organ or framing; it does not say that the "
    "calls are wrong. Few do not mean that it is alike: networks do not notice all that is foreign."
)


def show(context: ReportContext) -> Shown | None:
    """Return the section; None where nothing but the probability warns."""
    splits = (context.evidence.get(KEY) or {}).get("splits")
    if not splits:
        return None
    order = in_order(splits)
    tables = [_table(context, split, splits[split]) for split in order]
    has_unlike = any("unlike" in entry for own in splits.values() for entry in own.values())
    sentences = [] if "SMOKE" in context.marks else _sentences(context, order[0], splits[order[0]])
    return Shown(sentences, (), tables, [_NOTE, *([_UNLIKE] if has_unlike else [])])


def _sentences(context: ReportContext, split: str, entries: dict[str, dict[str, Any]]) -> list[str]:
    arm = leading_arm(context, entries)
    entry, said = entries[arm], list[str]()
    for name, found in entry["signals"].items():
        if name == NEAR or "auc" not in found:
            continue
        beside = f", {interval(found['difference'])} from that of nearness to the threshold" * ("difference" in found)
        said.append(f"{NAMES[name]} tells wrong calls from right ones with an AUC of {interval(found['auc'])}{beside}")
    sentences = [f"{context.title_of(arm)}, {split_name(split)}: {'; '.join(said)}."] if said else []
    if share := (entry.get("unlike") or {}).get("share"):
        units = f"{context.evidence['unit']}s"
        sentences.append(f"{_percent(share)} of the {units} are called unlike the training pictures.")
    return sentences


def _table(context: ReportContext, split: str, entries: dict[str, dict[str, Any]]) -> Table:
    main, rows = (context.evidence.get("primary") or {}).get("arm"), []
    for arm, entry in entries.items():
        signals, unlike = entry["signals"], entry.get("unlike") or {}
        cells = [Cell(count(entry.get("wrong")), f"of {count(entry['n'])}")]
        cells += [_cell((signals.get(name) or {}).get("auc")) for name in NAMES]
        top = signals.get(SPREAD) or {}
        cells += [_share(top.get("wrong_inside")), _share(top.get("wrong_outside"))]
        cells += [_share(unlike.get(name)) for name in ("share", "wrong_inside", "wrong_outside")]
        rows.append(Row(context.title_of(arm), cells, arm == main))
    columns = [
        "Wrong calls",
        "AUC, nearness",
        "AUC, disagreement",
        "AUC, unlikeness",
        "Wrong, fifth with most disagreement",
        "Wrong, the other four fifths",
        "Called unlike",
        "Wrong, called unlike",
        "Wrong, the others",
    ]
    return Table(f"{split_name(split).capitalize()}: what warns of a wrong call", columns, rows)


def _cell(entry: dict[str, Any] | None) -> Cell:
    main, _, rest = interval(entry).partition(" (")
    return Cell(main, rest.removesuffix(")"))


def _percent(entry: dict[str, Any]) -> str:
    if entry["estimate"] is None:
        return "–"
    value = f"{number(100 * entry['estimate'], 0)}\u202f%"
    if entry["low"] is None:
        return value
    return f"{value} ({number(100 * entry['low'], 0)}–{number(100 * entry['high'], 0)})"


def _share(entry: dict[str, Any] | None) -> Cell:
    if entry is None:
        return Cell("–")
    main, _, rest = _percent(entry).partition(" (")
    return Cell(main, rest.removesuffix(")"))


def frames(evidence: dict[str, Any]) -> dict[str, DataFrame]:
    """Return ``doubts.csv``: each warning, arm and split."""
    rows: list[dict[str, Any]] = []
    for split, entries in ((evidence.get(KEY) or {}).get("splits") or {}).items():
        for arm, entry in entries.items():
            named = {"arm": arm, "split": split, "n": entry["n"], "wrong": entry.get("wrong")}
            rows += [{**named, "warning": name, **_flat(found)} for name, found in entry["signals"].items()]
            if "unlike" in entry:
                rows.append({**named, "warning": "called unlike", **_flat(entry["unlike"])})
    return {"doubts": DataFrame(rows)}


def _flat(found: dict[str, Any]) -> dict[str, Any]:
    return {
        f"{name}_{part}": entry.get(part)
        for name, entry in found.items()
        for part in ("estimate", "difference", "low", "high")
        if part in entry
    }


SUBJECT: Final = Subject(KEY, "Which cases to distrust", doubts, show, frames)
"""Disagreement of the networks and unlikeness to the training pictures, beside the probability."""
