"""What the page shows of simulated cohorts only, and of readers: texts and cells for the templates."""

from statistics import fmean, median
from typing import Any

from isthmus.report.context import LeakDemonstration, ReportContext
from isthmus.report.nearness import ideal_tables, nearness_sentences, population_rows, who_wins
from isthmus.report.page_tables import Cell, Row, Table
from isthmus.report.reading import MEASURES, count, interval, number, plural, split_name, splits_of

SET_BY_SIMULATION = "set by the simulation"
_READER_MEASURES = ("auc", "macro_auc", "sensitivity", "specificity", "accuracy")


def simulated_parts(context: ReportContext) -> dict[str, Any]:
    """Return the page's entries ``ideal``, ``leak``, ``on_calcifications`` and ``readers``, empty without facts."""
    return {
        "ideal": _ideal(context),
        "leak": _leak(context.leak),
        "on_calcifications": _on_calcifications(context),
        "readers": _readers(context),
    }


def _ideal(context: ReportContext) -> dict[str, Any]:
    tables = ideal_tables(context)
    if not tables:
        return {}
    return {
        "sentences": nearness_sentences(context),
        "wins": who_wins(context),
        "tables": tables,
        "population": population_rows(context),
        "draws": count(context.evidence["ideal_observer"].get("draws")),
    }


def _leak(leak: LeakDemonstration | None) -> dict[str, Any]:
    if leak is None or leak.picture_level["estimate"] is None or leak.honest["estimate"] is None:
        return {}
    difference = leak.difference or {}
    shown = difference.get("low") is not None and difference["low"] > 0
    verdict = f"The difference, {interval(leak.difference)}, is the error. " if shown else ""
    if leak.difference is not None and not shown:
        verdict = (
            f"The difference, {interval(leak.difference)}, is not told apart from none in this small run; "
            "the fault is one all the same. "
        )
    return {
        "wrong": interval(leak.picture_level),
        "right": interval(leak.honest),
        "verdict": verdict,
        "how": (
            f"Both figures are of {leak.title}: the same network, training, {plural(leak.views, leak.unit)} of "
            f"{plural(leak.patients, 'patient')} and {leak.folds} folds. Only what was dealt into the folds differs."
        ),
    }


def _on_calcifications(context: ReportContext) -> list[list[str]]:
    """Return the heat on calcifications, one row an arm."""
    rows = []
    for arm, found in context.localisation.items():
        heat, area = found.heat_in_calcifications, found.calcification_share
        if heat:
            cells = [count(len(heat)), number(median(heat), 3), number(median(area), 3)]
            cells += [
                f"{number(fmean(heat) / fmean(area), 1)} ×",
                number(found.calcification_pointing),
                number(fmean(area)),
            ]
            rows.append([context.title_of(arm), *cells])
    return rows


def _readers(context: ReportContext) -> dict[str, Any]:
    """Return a table a split: each reader and condition, then the arms on the same units."""
    readers = context.evidence.get("readers")
    if not readers:
        return {}
    simulated = bool(readers["simulated"])
    tables = []
    for split in splits_of(context.evidence):
        rows = [row for row in readers["rows"] if row["split"] == split]
        if not rows:
            continue
        measures = [name for name in _READER_MEASURES if any(row.get(name) for row in rows)]
        columns = ["Condition", f"{context.evidence['unit'].capitalize()}s", *(MEASURES[name] for name in measures)]
        columns += ["Seconds, median", *(["Origin"] if simulated else [])]
        named = [_reader_row(context, row, measures, simulated) for row in rows]
        tables.append(Table(split_name(split).capitalize(), columns, named))
    return {"simulated": simulated, "tables": tables} if tables else {}


def _reader_row(context: ReportContext, row: dict[str, Any], measures: list[str], simulated: bool) -> Row:
    arm = row["kind"] == "arm"
    name = context.title_of(row["name"]) if arm else f"{row['name']}, {row['experience']}".removesuffix(", ")
    condition = "the arm, same cases" if arm else row["condition"]
    condition += f", session {row['session']}" if row["session"] not in ("", "1") else ""
    cells = [Cell(condition), Cell(count(row["n"]))]
    for measure in measures:
        entry = row.get(measure)
        main, _, rest = interval(entry).partition(" (")
        cells.append(Cell(main, rest.removesuffix(")") or ((entry or {}).get("note", "") if main == "–" else "")))
    cells.append(Cell(number(row["seconds"], 0)))
    origin = [Cell("model, simulated cases" if arm else SET_BY_SIMULATION)] if simulated else []
    return Row(name, [*cells, *origin], arm)
