"""The tables of the decisions section, and their CSV files."""

from collections.abc import Iterable
from typing import Any

from pandas import DataFrame

from isthmus.report.context import ReportContext
from isthmus.report.decision_words import words_of
from isthmus.report.page_tables import Cell, Row, Table
from isthmus.report.reading import MEASURES, count, interval, number, p_value, split_name

ODDS = {
    "likelihood_ratio_positive": "LR+",
    "likelihood_ratio_negative": "LR−",
    "diagnostic_odds_ratio": "Diagnostic odds ratio",
    "youden_j": "Youden's J",
}
_PARTS = ("positive", "avoided", "found", "missed", "needless")
_RULES = {
    "youden": "Youden",
    "fixed_sensitivity": "Sensitivity of 0.95 or more",
    "fixed_specificity": "Specificity of 0.90 or more",
}
_COMPARISONS = 12
_CHOSEN = 3


def main_arm(context: ReportContext, arms: Iterable[str]) -> str:
    """Return the primary arm, or the first of those given."""
    known = list(arms)
    primary = (context.evidence.get("primary") or {}).get("arm")
    return str(primary) if primary in known else known[0]


def rounded(value: float | None) -> str:
    """Return a number of patients: whole from 10 on, with one decimal below."""
    if value is None:
        return "–"
    return count(round(value)) if round(value, 1) >= 10 or round(value, 1) == int(round(value, 1)) else number(value, 1)


def per_thousand_table(context: ReportContext, found: dict[str, Any], split: str) -> Table:
    """Return all arms at the prevalence that counts most."""
    key = found["main"][split]
    main = (context.evidence.get("primary") or {}).get("arm")
    rows = [
        Row(context.title_of(arm), [_people(by[key][name]) for name in _PARTS], arm == main)
        for arm, by in found["per_thousand"][split].items()
    ]
    caption = f"Per 1,000 patients at a prevalence of {100 * float(key):.3g}\u202f%, {split_name(split)}"
    return Table(caption, _columns(context), rows)


def other_prevalences_table(context: ReportContext, found: dict[str, Any], split: str) -> Table:
    """Return the main arm at the other stated prevalences."""
    arm = main_arm(context, found["per_thousand"][split])
    rows = [
        Row(f"{100 * float(key):.3g}\u202f%", [_people(entry[name]) for name in _PARTS])
        for key, entry in found["per_thousand"][split][arm].items()
        if key != found["main"][split]
    ]
    caption = f"Per 1,000 patients at other prevalences, {context.title_of(arm)}"
    return Table(caption, _columns(context), rows, first="Prevalence")


def _columns(context: ReportContext) -> list[str]:
    return list(words_of(context.evidence).columns)


def _people(entry: dict[str, Any]) -> Cell:
    if entry["estimate"] is None:
        return Cell("–", entry.get("note", ""))
    return Cell(rounded(entry["estimate"]), f"{rounded(entry['low'])}–{rounded(entry['high'])}")


def odds_table(context: ReportContext, split: str) -> Table:
    """Return likelihood ratios, odds ratio and J of all arms with calls."""
    rows = []
    for arm, by in context.evidence["arms"].items():
        facts = by.get(split, {})
        if "likelihood_ratio_positive" in facts:
            rows.append(Row(context.title_of(arm), [_ratio(facts[name]) for name in ODDS]))
    return Table(f"Likelihood ratios and odds, {split_name(split)}", list(ODDS.values()), rows)


def _ratio(entry: dict[str, Any]) -> Cell:
    if entry["estimate"] is None:
        low = entry.get("low")
        return Cell("∞", f"{number(low, 1)} or more") if low is not None else Cell("–", entry.get("note", ""))
    digits = 1 if entry["estimate"] >= 10 else 2
    return Cell(number(entry["estimate"], digits), interval(entry, digits).partition(" ")[2].strip("()"))


def discordance_table(context: ReportContext, split: str) -> Table:
    """Return McNemar's test of the compared arms' calls."""
    tested = [e for e in context.evidence["comparisons"] if e["split"] == split and e.get("mcnemar")]
    clustered = any(entry["mcnemar"]["mid_p"] is None for entry in tested)
    rows = []
    for entry in tested[:_COMPARISONS]:
        found, seeds = entry["mcnemar"], entry["mcnemar"].get("seeds", 1)
        cells = [Cell(MEASURES[entry["measure"]]), Cell(count(found["b"] / seeds)), Cell(count(found["c"] / seeds))]
        p = [found["clustered_p"]] if clustered else [found["mid_p"], found["exact_p"]]
        rows.append(
            Row(
                f"{context.title_of(entry['a'])} against {context.title_of(entry['b'])}",
                cells + [Cell(p_value(value)) for value in p],
            )
        )
    last = ["p, McNemar over groups"] if clustered else ["McNemar mid-p", "exact p"]
    notes = ["Counts are means over the seeds."] if any(e["mcnemar"].get("seeds", 1) > 1 for e in tested) else []
    if len(tested) > _COMPARISONS:
        notes.append(f"The first {_COMPARISONS} of {count(len(tested))}; tables/mcnemar.csv holds all.")
    columns = ["Measure", "Right by the first alone", "Right by the second alone", *last]
    return Table(f"The same cases, called by both, {split_name(split)}", columns, rows, notes, first="Arms")


def chosen_table(context: ReportContext, found: dict[str, Any]) -> Table:
    """Return the operating points that the cases would choose for themselves, marked as too good."""
    rows, where, more = [], "", 0
    for split, arms in found.get("chosen_here", {}).items():
        where, more = split_name(split), len(arms) - _CHOSEN
        for arm, points in _leading(context, arms).items():
            rows += [
                Row(
                    f"{context.title_of(arm)}: {_RULES[point['rule']]}",
                    [
                        Cell(number(point["threshold"], 3)),
                        *(
                            Cell(number(point[name]), number(point[f"corrected_{name}"]) + " corrected")
                            for name in ("sensitivity", "specificity")
                        ),
                    ],
                )
                for point in points
            ]
    notes = [
        "Optimistic: each threshold was chosen on the very cases it is judged on. “Corrected” takes off what such a "
        "choice loses on average when it meets other cases (200 group bootstraps). To judge a threshold, add rows of "
        "the split “tune” to choose it on." + (" tables/operating_points.csv holds the other arms." if more > 0 else "")
    ]
    return Table(f"Operating points if they had been chosen here, {where}", ["Threshold", "Sensitivity", "Specificity"],
                 rows, notes, first="Arm and rule")  # fmt: skip


def _leading(context: ReportContext, arms: dict[str, Any]) -> dict[str, Any]:
    """Return the few arms that are shown, those of the primary contrast first."""
    named = [arm for arm in (context.evidence.get("primary") or {}).values() if arm in arms]
    return {arm: arms[arm] for arm in list(dict.fromkeys([*named, *arms]))[:_CHOSEN]}


def frames(evidence: dict[str, Any]) -> dict[str, DataFrame]:
    """Return the CSV tables: ``per_thousand``, ``calls``, ``mcnemar``, ``operating_points``."""
    found = evidence.get("decisions") or {}
    people = [
        {"arm": arm, "split": split, "prevalence": float(key), "number": name, **_limits(entry)}
        for split, arms in found.get("per_thousand", {}).items()
        for arm, by in arms.items()
        for key, numbers in by.items()
        for name, entry in numbers.items()
    ]
    tests = [
        {name: entry[name] for name in ("a", "b", "split", "measure")}
        | {f"mcnemar_{name}" if name in ("b", "c") else name: value for name, value in entry["mcnemar"].items()}
        for entry in evidence["comparisons"]
        if entry.get("mcnemar")
    ]
    points = [
        {"arm": arm, "split": split, **point, "note": "optimistic: chosen on the cases it is judged on"}
        for split, arms in found.get("chosen_here", {}).items()
        for arm, entries in arms.items()
        for point in entries
    ]
    return {
        "per_thousand": DataFrame(people),
        "calls": DataFrame(_call_rows(evidence)),
        "mcnemar": DataFrame(tests),
        "operating_points": DataFrame(points),
    }


def _call_rows(evidence: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for arm, by_split in evidence["arms"].items():
        for split, facts in by_split.items():
            for name in ("sensitivity", "specificity", "ppv", "npv", "accuracy", *ODDS):
                if isinstance(facts.get(name), dict):
                    exact = facts[name].get("exact", {})
                    row = {"arm": arm, "split": split, "measure": name, **_limits(facts[name])}
                    rows.append({**row, "exact_low": exact.get("low"), "exact_high": exact.get("high")})
    return rows


def _limits(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: entry.get(key) for key in ("estimate", "low", "high", "level", "method", "note")}
