"""What the page says of the ranking in detail, its table, its figure and its CSV tables."""

from functools import partial
from typing import Any, Final

from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.context import ReportContext
from isthmus.report.curves import precision_recall_summary
from isthmus.report.figure_style import Drawn
from isthmus.report.figures_discrimination import draw_precision_recall
from isthmus.report.page_tables import Cell, Row, Table
from isthmus.report.ranking_detail import LOW, ranking_detail
from isthmus.report.reading import in_order, interval, number, p_value, split_name
from isthmus.report.sentences import positive_name
from isthmus.report.starred import starred_notes
from isthmus.report.subject import Painters, Shown, Subject
from isthmus.statistics.few_groups import METHOD as WITHOUT_TEST

KEY: Final = "discrimination"
_COLUMNS = {
    "partial_auc_specificity": f"Partial AUC, specificity {LOW:g}–1",
    "partial_auc_sensitivity": f"Partial AUC, sensitivity {LOW:g}–1",
    "sensitivity_at_specificity_0.90": "Sensitivity at specificity 0.90",
    "specificity_at_sensitivity_0.90": "Specificity at sensitivity 0.90",
    "specificity_at_sensitivity_0.95": "Specificity at sensitivity 0.95",
    "average_precision": "Average precision",
}
_FIXED = "sensitivity_at_specificity_0.90"
_DIFFERENCES, _PANELS = 5, 15


def show(context: ReportContext) -> Shown | None:
    """Return the section of the leading split; None with several classes or where nothing can be ranked."""
    split = _leading(context.evidence)
    if split is None:
        return None
    facts = _facts(context.evidence, split)
    return Shown(
        _sentences(context, facts, split),
        ("precision_recall",),
        [_table(context, facts, split)],
        _notes(context, facts),
    )


def frames(evidence: dict[str, Any]) -> dict[str, DataFrame]:
    """Return ``ranking_detail``, every arm, split and measure, and ``ranking_detail_differences``."""
    found = evidence.get(KEY) or {"arms": {}, "comparisons": []}
    rows = [
        {"arm": arm, "split": split, "measure": name, **entry}
        for arm, by_split in found["arms"].items()
        for split, entries in by_split.items()
        for name, entry in entries.items()
    ]
    return {"ranking_detail": DataFrame(rows), "ranking_detail_differences": DataFrame(found["comparisons"])}


def paint(context: ReportContext, table: AnalysisTable | None) -> Painters:
    """Return the painter of ``precision_recall``."""
    split = _leading(context.evidence)
    if table is None or split is None:
        return {}
    return {"precision_recall": partial(_precision_recall, context, table, split)}


def _leading(evidence: dict[str, Any]) -> str | None:
    """Return the first split in which an arm has been measured."""
    found = (evidence.get(KEY) or {}).get("arms", {})
    known = {split for of in found.values() for split, entries in of.items() if _is_known(entries)}
    return next(iter(in_order(known)), None)


def _is_known(entries: dict[str, Any]) -> bool:
    return entries["average_precision"]["estimate"] is not None


def _facts(evidence: dict[str, Any], split: str) -> dict[str, dict[str, Any]]:
    arms = evidence[KEY]["arms"]
    return {arm: arms[arm][split] for arm in evidence["arms"] if split in arms.get(arm, {})}


def _sentences(context: ReportContext, facts: dict[str, dict[str, Any]], split: str) -> list[str]:
    unit = context.evidence["unit"]
    texts = [
        "The AUC averages over all thresholds; these measures look at the part where a test would be used. They are "
        f"read off the curves of these very {unit}s, each arm at whatever threshold gives the specificity or "
        "sensitivity stated: they compare arms on equal terms, and promise nothing for a threshold that was set "
        "beforehand, whose calls are counted elsewhere in this report."
    ]
    if "SMOKE" in context.marks:
        return [*texts, "A smoke run: no number below means anything."]
    contrasts = [entry for entry in _differences(context, split) if entry["measure"] == _FIXED and entry["primary"]]
    chances = sorted({round(entry["average_precision"]["chance"], 2) for entry in facts.values() if _is_known(entry)})
    texts.append(_contrast(context, facts, contrasts[0]) if contrasts else _range(context, facts))
    texts.append(
        f"A score that knows nothing has a partial AUC of 0.50 and an average precision of "
        f"{' to '.join(number(value) for value in dict.fromkeys((chances[0], chances[-1])))}, which is the share "
        f"of the {unit}s here that are {positive_name(context)}; at another prevalence every average precision is "
        "another."
    )
    return [text for text in texts if text]


def _contrast(context: ReportContext, facts: dict[str, dict[str, Any]], entry: dict[str, Any]) -> str:
    a, b = entry["a"], entry["b"]
    text = (
        f"At a specificity of 0.90, {context.title_of(a)} has a sensitivity of {interval(facts[a][_FIXED])} and "
        f"{context.title_of(b)} of {interval(facts[b][_FIXED])}"
    )
    if entry["difference"] is None or entry["low"] is None:
        return f"{text}; their difference cannot be estimated from these data."
    text += f": a difference of {interval(entry)}"
    if entry["method"] == WITHOUT_TEST:
        return f"{text}, without a test: nothing can be concluded from so few."
    if entry["low"] > 0 or entry["high"] < 0:
        return f"{text}, so that {context.title_of(a if entry['low'] > 0 else b)} found more at equal specificity here."
    reach = max(abs(entry["low"]), abs(entry["high"]))
    return f"{text}, which shows neither to be better; differences of up to {number(reach)} stay compatible."


def _range(context: ReportContext, facts: dict[str, dict[str, Any]]) -> str:
    known = {arm: entry[_FIXED] for arm, entry in facts.items() if entry[_FIXED]["estimate"] is not None}
    ranked = sorted(known, key=lambda arm: (known[arm]["estimate"], arm))
    if not ranked:
        return ""
    text = "At a specificity of 0.90, the sensitivity is"
    lowest, highest = (f"{interval(known[arm])} for {context.title_of(arm)}" for arm in (ranked[0], ranked[-1]))
    if len(ranked) == 1:
        return f"{text} {lowest}."
    return f"{text} from {lowest} to {highest}; the best of several is flattered by having been picked."


def _differences(context: ReportContext, split: str) -> list[dict[str, Any]]:
    return [entry for entry in context.evidence[KEY]["comparisons"] if entry["split"] == split]


def _table(context: ReportContext, facts: dict[str, dict[str, Any]], split: str) -> Table:
    main = {context.evidence["primary"]["arm"]} if context.evidence.get("primary") else set()
    rows = [
        Row(context.title_of(arm), [_cell(entries[name]) for name in _COLUMNS], arm in main)
        for arm, entries in facts.items()
    ]
    by_pair: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for entry in _differences(context, split):
        if entry["primary"] or entry["b"] == context.evidence.get("reference_arm"):
            by_pair.setdefault((entry["a"], entry["b"]), {})[entry["measure"]] = entry
    if len(by_pair) <= _DIFFERENCES:
        rows += [
            Row(f"{context.title_of(a)} − {context.title_of(b)}", [_difference(entries[name]) for name in _COLUMNS])
            for (a, b), entries in by_pair.items()
        ]
    return Table(f"{split_name(split).capitalize()}: the ranking in detail", list(_COLUMNS.values()), rows)


def _cell(entry: dict[str, Any]) -> Cell:
    if entry["estimate"] is None:
        return Cell("–")
    small = interval(entry).partition(" ")[2].strip("()")
    return Cell(number(entry["estimate"]), f"{small}{' *' if entry.get('note') else ''}")


def _difference(entry: dict[str, Any]) -> Cell:
    if entry["difference"] is None or entry["low"] is None:
        return Cell("–")
    limits = interval(entry).partition(" ")[2].strip("()")
    if entry["p"] is None:
        return Cell(number(entry["difference"]), f"{limits}; no test")
    p = p_value(entry["p"] if entry["primary"] else entry["p_holm"])
    return Cell(number(entry["difference"]), f"{limits}; p {p}{'' if entry['primary'] else ' (Holm)'}")


def _notes(context: ReportContext, facts: dict[str, dict[str, Any]]) -> list[str]:
    notes = [
        "Partial AUCs are McClish-corrected, 0.5 is chance and 1 perfect. Thresholds are chosen anew in every "
        "resampling of the groups, so that the intervals count their uncertainty; differences are tested on paired "
        "resamplings. In cross-validation all is read within folds, then averaged. tables/ranking_detail.csv has every "
        "split and the points 0.80, 0.90 and 0.95, ranking_detail_differences.csv all differences with Holm's "
        "correction."
    ]
    starred = [
        (context.title_of(arm), title, entries[name]["note"])
        for arm, entries in facts.items()
        for name, title in _COLUMNS.items()
        if entries[name].get("note")
    ]
    return notes + starred_notes(starred, len(facts))


def _precision_recall(context: ReportContext, table: AnalysisTable, split: str) -> Drawn | None:
    facts = {arm: entries for arm, entries in _facts(context.evidence, split).items() if _is_known(entries)}
    arms = list(facts)[:_PANELS]
    level = context.evidence["level"]
    curves = {arm: precision_recall_summary(table.part(arm, split), level=level) for arm in arms}
    texts = {arm: interval(facts[arm]["average_precision"]) for arm in arms}
    folds = "Thin lines are folds, the thick line their mean; the" if any(c.folds for c in curves.values()) else "The"
    title = (
        f"Precision and recall, {split_name(split)}. {folds} band is pointwise {100 * level:.0f}\u202f% from 400 "
        "resamplings of the groups; dashed is the prevalence, which chance reaches. AP is the average precision."
    )
    if len(facts) > len(arms):
        title += f" The first {len(arms)} of {len(facts)} arms."
    spoken = "; ".join(f"{context.title_of(arm)} {text}" for arm, text in texts.items())
    figure = draw_precision_recall(curves, {arm: context.title_of(arm) for arm in arms}, texts)
    return figure, title, f"Precision-recall curves. Average precision: {spoken}."


SUBJECT: Final = Subject(KEY, "Ranking in detail", ranking_detail, show, frames, paint)
