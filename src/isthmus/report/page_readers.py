"""What the page says of readers: their figures beside the arms', differences, agreement, time."""

from dataclasses import replace
from typing import Any, Final

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.context import ReportContext
from isthmus.report.figures_readers import paint
from isthmus.report.page_reader_tables import SET_BY_SIMULATION, frames, reader_tables
from isthmus.report.reader_words import (
    agreement_words,
    arms_words,
    conditions_words,
    crossing_words,
    experience_words,
    time_words,
)
from isthmus.report.readers import reader_evidence
from isthmus.report.reading import figure_endings, split_name, splits_of
from isthmus.report.subject import Shown, Subject

__all__ = ["SET_BY_SIMULATION", "SUBJECT", "show"]
KEY: Final = "readers"
_NO_PEOPLE: Final = (
    "Set by the simulation. These readers are no people: how well they read, how long they take and how much they rely "
    "on the model are settings. Their figures show how such a study would be laid out, and nothing about radiologists."
)


def show(context: ReportContext) -> Shown | None:
    """Return the section, None where there are no reads."""
    found = context.evidence.get(KEY)
    if not found or not found["rows"]:
        return None
    sentences = [_NO_PEOPLE] if found["simulated"] else []
    tables = []
    figures: list[str] = []
    endings = figure_endings(context.evidence)
    read = {row["split"] for row in found["rows"]}
    splits = [split for split in splits_of(context.evidence) if split in read]
    for split in splits:
        of_split = {name: _of(found, name, split) for name in found if isinstance(found[name], list)}
        # What was found is said of the split that counts most; of the others there are figures and tables.
        further = (arms_words, conditions_words, experience_words, agreement_words, time_words)
        for words in (crossing_words, *(further if split == splits[0] else ())):
            sentences += words(context, of_split, split)
        made = reader_tables(context, of_split, split, simulated=bool(found["simulated"]))
        where = f", {split_name(split)}" if len(splits) > 1 else ""
        tables += [made[0], *(replace(table, caption=table.caption + where) for table in made[1:])]
        figures += [f"{name}{endings.get(split, '')}" for name in ("readers", "reader_differences")]
    return Shown(sentences, tuple(figures), tables, _notes(found))


def _of(found: dict[str, Any], name: str, split: str) -> list[dict[str, Any]]:
    return [entry for entry in found[name] if entry["split"] == split]


def _notes(found: dict[str, Any]) -> list[str]:
    notes = [
        "Rows in bold are the arms on the units that were read. A reader who only calls is one point and never given "
        "an area: the arm is read at the reader's own specificity (or sensitivity), whose uncertainty counts."
    ]
    if found["comparisons"]:
        notes.append(
            "Differences are arm less reader. Over readers: the single-treatment test of Hillis, Obuchowski and "
            "Berbaum; p is Holm's over the arms and groups (or readers) of a condition and measure. "
            "tables/reader_comparisons.csv holds every arm, reader and condition."
        )
    if found["multi_reader"]:
        notes.append(
            "Conditions are compared by Obuchowski and Rockette's analysis with Hillis's degrees of freedom and "
            "covariances clustered by patient; tables/multi_reader.csv adds Dorfman, Berbaum and Metz's."
        )
    fixed = [entry for name in ("comparisons", "multi_reader") for entry in found[name]]
    if any(entry["readers_as"] == "fixed" and entry.get("group") for entry in fixed):
        notes.append(
            "Fewer than five readers cannot stand for others: groups of so few are taken as fixed, and what is said of "
            "them holds for these readers only."
        )
    if not found["simulated"]:
        notes.append("Nothing here says what readers would do in the clinic, or what becomes of a patient.")
    return notes


def _compute(table: AnalysisTable, study: Any, evidence: dict[str, Any]) -> dict[str, Any]:
    return reader_evidence(table, study, evidence)


SUBJECT: Final = Subject(KEY, "Readers", _compute, show, frames, paint)
