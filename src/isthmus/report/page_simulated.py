"""What the page shows of simulated cohorts only: texts and cells for the templates."""

from statistics import fmean, median
from typing import Any

from isthmus.report.context import LeakDemonstration, ReportContext
from isthmus.report.nearness import ideal_tables, nearness_sentences, population_rows, who_wins
from isthmus.report.reading import count, interval, number, plural


def simulated_parts(context: ReportContext) -> dict[str, Any]:
    """Return the page's entries ``ideal``, ``leak``, ``on_calcifications`` and ``baselines``, empty without facts."""
    return {
        "ideal": _ideal(context),
        "leak": _leak(context.leak),
        "on_calcifications": _on_calcifications(context),
        "baselines": [
            f"{context.title_of(arm)}. {found.baselines}"
            for arm, found in context.localisation.items()
            if found.baselines
        ],
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
    if difference.get("high") is not None and difference["high"] < 0:
        verdict = (
            f"The difference, {interval(leak.difference)}, points the other way in this run, which does not make it "
            "right to divide pictures. "
        )
    elif leak.difference is not None and not shown:
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
