"""What the page says of the choice among an arm's candidate networks; its figures and its table."""

from functools import partial
from typing import Any, Final

from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.candidates import KEY
from isthmus.report.context import ReportContext
from isthmus.report.figure_style import Drawn
from isthmus.report.figures_candidates import draw_candidates
from isthmus.report.page_tables import Cell, Row, Table
from isthmus.report.reading import in_order, interval, number, plural, split_name
from isthmus.report.subject import Painters, Shown, Study, Subject

ON_THE_TEST_SET: Final = (
    "The networks were chosen on the test set (select.rule: paper), as the publication did. What the test set says of "
    "them is therefore too good: it picked, out of several, the one that suits it. Such figures are shown to retrace "
    "the publication, and nothing may be concluded from them."
)


def compute(table: AnalysisTable, study: Study, evidence: dict[str, Any]) -> dict[str, Any]:
    """Return ``evidence["candidates"]``, as it was computed when the choice was made."""
    return study.candidates or {}


def show(context: ReportContext) -> Shown | None:
    """Return the section; None where no arm had candidates."""
    found = context.evidence.get(KEY)
    if not found:
        return None
    warnings = [ON_THE_TEST_SET] if found["rule"] == "paper" else []
    sentences = ["A smoke run: which candidate was chosen says nothing of it."] if "SMOKE" in context.marks else []
    sentences += [_sentence(context, found["rule"], arm) for arm in found["arms"].values()] if not sentences else []
    notes = [
        "Corrected: what choosing by cross-validation gives on patients that took no part in the choice (bootstrap "
        "bias-corrected cross-validation, Tsamardinos et al. 2018, with whole groups drawn). Chosen in: the share of "
        "those bootstraps in which the candidate was the best; near equal shares mean that the choice is chance."
    ]
    return Shown(sentences, tuple(_figures(found)), _tables(found), notes, warnings)


def _sentence(context: ReportContext, rule: str, arm: dict[str, Any]) -> str:
    chosen, others = arm["chosen"], len(arm["candidates"]) - 1
    share = arm["candidates"][arm["by_cross_validation"]]["how_often"]
    looked = arm["candidates"][arm["by_cross_validation"]]["auc"]["cv"]
    fair = arm["corrected"]
    correction = (
        f"That one's cross-validated AUC is {interval(looked)}, and "
        f"{interval(fair)} once freed from having been chosen; it would be chosen again in {100 * share:.0f}\u202f% "
        "of resamplings."
    )
    if rule == "cross_validation":
        several = f"{others + 1} {arm['kind']}s"
        return f"{arm['title']} is {chosen}, chosen among {several} on the training patients. {correction}"
    found, own = arm["candidates"][chosen]["auc"]["test"], arm["by_cross_validation"]
    instead = f"the same {arm['kind']}" if own == chosen else own
    return (
        f"{arm['title']} is {chosen}, because it has the largest of {others + 1} AUCs on the test set, "
        f"{interval(found)}. On the training patients alone {instead} would have been chosen. {correction}"
    )


def _tables(found: dict[str, Any]) -> list[Table]:
    tables = []
    splits = _splits(found)
    for arm in found["arms"].values():
        rows = [
            Row(
                name,
                [
                    *(_cell(interval(one["auc"].get(split), 3)) for split in splits),
                    Cell(f"{100 * one['how_often']:.0f}\u202f%"),
                    *([_cell(interval(arm["corrected"], 3))] if name == arm["by_cross_validation"] else [Cell("")]),
                ],
                name == arm["chosen"],
            )
            for name, one in arm["candidates"].items()
        ]
        columns = [*(f"AUC, {split_name(split)}" for split in splits), "Chosen in", "Corrected"]
        caption = f"{arm['title']}: {plural(len(arm['candidates']), 'candidate')}, the chosen one marked"
        tables.append(Table(caption, columns, rows, first=arm["kind"].capitalize()))
    return tables


def _cell(text: str) -> Cell:
    main, _, rest = text.partition(" (")
    return Cell(main, rest.removesuffix(")"))


def _splits(found: dict[str, Any]) -> list[str]:
    return in_order(
        {split for arm in found["arms"].values() for one in arm["candidates"].values() for split in one["auc"]}
    )


def _figures(found: dict[str, Any]) -> dict[str, str]:
    """Return the figures' names, each with its split."""
    return {f"candidates_{split}": split for split in _splits(found)}


def frames(evidence: dict[str, Any]) -> dict[str, DataFrame]:
    """Return ``candidates.csv``: one row an arm, candidate and split."""
    rows = [
        {
            "arm": arm,
            "candidate": name,
            "split": split,
            **{f"auc_{key}": value for key, value in auc.items() if key in ("estimate", "low", "high")},
            "chosen_in": one["how_often"],
            "chosen": name == content["chosen"],
            "rule": evidence[KEY]["rule"],
        }
        for arm, content in (evidence.get(KEY) or {"arms": {}})["arms"].items()
        for name, one in content["candidates"].items()
        for split, auc in one["auc"].items()
    ]
    return {"candidates": DataFrame(rows)}


def paint(context: ReportContext, table: AnalysisTable | None) -> Painters:
    """Return a painter a split: the ROC curves of every candidate."""
    found = context.evidence.get(KEY)
    return {name: partial(_drawn, found, split) for name, split in _figures(found).items()} if found else {}


def _drawn(found: dict[str, Any], split: str) -> Drawn:
    title = f"ROC curves of all candidates, {split_name(split)}; the chosen one in colour, the others pale."
    spoken = "; ".join(
        f"{arm['title']}: "
        + ", ".join(f"{name} {number(one['auc'][split]['estimate'])}" for name, one in arm["candidates"].items())
        for arm in found["arms"].values()
    )
    return draw_candidates(found["arms"], split), title, f"{title} AUC: {spoken}."


SUBJECT: Final = Subject(KEY, "What was chosen, and what that flatters", compute, show, frames, paint)
