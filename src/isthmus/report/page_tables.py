"""The tables of the page: cells as text, estimates over their intervals."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from isthmus.report.context import ReportContext
from isthmus.report.reading import (
    MEASURES,
    count,
    interval,
    number,
    p_value,
    percent_interval,
    plural,
    ranking_measure,
    split_name,
    splits_of,
)
from isthmus.report.starred import starred_notes

_RANKING_AND_CALLS = (
    "auc",
    "macro_auc",
    "hand_till",
    "sensitivity",
    "specificity",
    "accuracy",
    "balanced_accuracy",
    "f1",
    "mcc",
)
_PROBABILITIES = ("ppv", "npv", "brier", "calibration_slope", "calibration_intercept")


@dataclass(frozen=True)
class Cell:
    """A cell: the estimate, and beneath it what belongs to it."""

    main: str
    small: str = ""


def cell_of(words: str) -> Cell:
    """Return an estimate with its limits in brackets as a cell: the limits beneath the estimate.

    Examples
    --------
    >>> cell_of("0.61 (0.54–0.68)")
    Cell(main='0.61', small='0.54–0.68')
    """
    main, _, limits = words.partition(" (")
    return Cell(main, limits.removesuffix(")"))


def interval_cell(entry: dict[str, Any] | None, digits: int = 2) -> Cell:
    """Return an estimate over its limits; a dash where it is not known."""
    return cell_of(interval(entry, digits))


def percent_cell(entry: dict[str, Any]) -> Cell:
    """Return a share over its limits in per cent; a dash where it is not known."""
    return cell_of(percent_interval(entry))


_SITES = 12
_SITES_CROSS_VALIDATED = (
    "AUC by site: a site's cases are held out by several fold models, whose scores are not ranked together. The AUC is "
    "the mean of the folds' own AUCs among the site's cases; – where some fold has one class only there."
)


@dataclass(frozen=True)
class Row:
    """A row of a table by arm."""

    name: str
    cells: list[Cell]
    primary: bool = False


@dataclass(frozen=True)
class Table:
    """A table by arm."""

    caption: str
    columns: list[str]
    rows: list[Row]
    notes: list[str] = field(default_factory=list)
    first: str = "Arm"


def arm_tables(context: ReportContext) -> list[Table]:
    """Return, for each split, what is measured of every arm."""
    tables = []
    for split in splits_of(context.evidence):
        facts = {arm: found[split] for arm, found in context.evidence["arms"].items() if split in found}
        head = split_name(split).capitalize()
        notes = _notes(context, facts)
        ranking = _table(context, facts, f"{head}: ranking and calls", _RANKING_AND_CALLS)
        others = _table(context, facts, f"{head}: predictive values and probabilities", _PROBABILITIES)
        others = _with_stated_prevalences(others, facts)
        made = (ranking, others, _per_class(context, facts, head), _by_site(context, facts, head))
        shown = [table for table in made if table.columns]
        if split == "cv" and made[-1].columns:
            notes = [*notes, _SITES_CROSS_VALIDATED]
        if shown:
            last = shown[-1]
            shown[-1] = Table(last.caption, last.columns, last.rows, notes)
        tables += shown
    return tables


def _by_site(context: ReportContext, facts: dict[str, Any], head: str) -> Table:
    """Return the AUC at each site; without columns where there is one site, or more than a page is wide."""
    sites = list(dict.fromkeys(site for entry in facts.values() for site in entry.get("by_site", {})))
    if len(sites) > _SITES:
        return Table("", [], [])
    sizes = {
        site: max(e["by_site"][site]["n"] for e in facts.values() if site in e.get("by_site", {})) for site in sites
    }
    rows = [
        Row(
            context.title_of(arm), [Cell(interval(entry.get("by_site", {}).get(site, {}).get("auc"))) for site in sites]
        )
        for arm, entry in facts.items()
    ]
    unit = context.evidence["unit"]
    return Table(f"{head}: AUC by site", [f"{site} ({plural(sizes[site], unit)})" for site in sites], rows)


def _table(context: ReportContext, facts: dict[str, Any], caption: str, measures: Iterable[str]) -> Table:
    present = [name for name in measures if any(_known(entry.get(name)) for entry in facts.values())]
    if any(entry.get("predictive_values") for entry in facts.values()):
        # At the sample's own prevalence they would mislead; arms.csv keeps them, marked.
        present = [name for name in present if name not in ("ppv", "npv")]
    main = {context.evidence["primary"]["arm"]} if context.evidence.get("primary") else set()
    rows = [
        Row(context.title_of(arm), [_cell(entry, name) for name in present], arm in main)
        for arm, entry in facts.items()
    ]
    return Table(caption, [MEASURES[name] for name in present], rows)


def _known(entry: dict[str, Any] | None) -> bool:
    return entry is not None and entry.get("estimate") is not None


def _cell(facts: dict[str, Any], name: str) -> Cell:
    entry = facts.get(name)
    if entry is None or entry.get("estimate") is None:
        return Cell("–", (entry or {}).get("note", ""))
    digits = 3 if name.startswith("brier") else 2
    small = interval(entry, digits).partition(" ")[2].strip("()")
    small += " *" if entry.get("note") else ""
    if name == "accuracy" and facts.get("majority_rate") is not None:
        small += f"; majority {number(facts['majority_rate'])}"
    return Cell(number(entry["estimate"], digits), small)


def _with_stated_prevalences(table: Table, facts: dict[str, Any]) -> Table:
    """Add PPV and NPV at stated prevalences, as two columns a prevalence."""
    prevalences = sorted({key for entry in facts.values() for key in entry.get("predictive_values", {})}, key=float)
    columns, rows = [], [[] for _ in table.rows]  # type: tuple[list[str], list[list[Cell]]]
    for prevalence in prevalences:
        for name in ("ppv", "npv"):
            columns.append(f"{name.upper()} at {100 * float(prevalence):.0f}\u202f%")
            for cells, entry in zip(rows, facts.values(), strict=True):
                cells.append(_cell(entry.get("predictive_values", {}).get(prevalence, {}), name))
    merged = [Row(row.name, cells + row.cells, row.primary) for row, cells in zip(table.rows, rows, strict=True)]
    return Table(table.caption, columns + table.columns, merged, table.notes)


def _per_class(context: ReportContext, facts: dict[str, Any], head: str) -> Table:
    classes = [label for entry in facts.values() for label in entry.get("one_vs_rest", {})]
    classes = list(dict.fromkeys(classes))
    names = context.class_names
    rows = [
        Row(context.title_of(arm), [_cell(entry.get("one_vs_rest", {}), label) for label in classes])
        for arm, entry in facts.items()
    ]
    return Table(f"{head}: AUC of each class against the rest", [names.get(label, label) for label in classes], rows)


def _notes(context: ReportContext, facts: dict[str, Any]) -> list[str]:
    """Return the notes of the arms, then those of the starred cells; a note that all arms share names none."""
    of_arms: dict[str, list[str]] = {}
    for arm, entry in facts.items():
        for note in entry.get("notes", []):
            of_arms.setdefault(note, []).append(arm)
    texts = []
    for text, arms in of_arms.items():
        who = "" if len(arms) == len(facts) else f"{', '.join(context.title_of(arm) for arm in arms)}: "
        sentence = who + (text if who else text[:1].upper() + text[1:])
        texts.append(sentence + ("" if text.endswith(".") else "."))
    return texts + starred_notes(_starred(context, facts), len(facts))


def _starred(context: ReportContext, facts: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield arm, column and note of what the tables show."""
    hidden = ("ppv", "npv") if any(entry.get("predictive_values") for entry in facts.values()) else ()
    for arm, entry in facts.items():
        shown = {MEASURES[name]: entry.get(name) for name in _RANKING_AND_CALLS + _PROBABILITIES if name not in hidden}
        shown |= {context.class_name(label): value for label, value in entry.get("one_vs_rest", {}).items()}
        for column, value in shown.items():
            if value and value.get("note"):
                yield context.title_of(arm), column, value["note"]


def fold_table(context: ReportContext) -> Table:
    """Return fold and seed spread of the cross-validated arms, and the pooled AUC as often published."""
    rows, columns = [], ["Lowest fold", "Highest fold", "SD of folds", "SD of seeds", "Pooled AUC, as often published"]
    for arm, by_split in context.evidence["arms"].items():
        facts = by_split.get("cv", {})
        folds = facts.get("folds")
        if not folds or len(folds.get("auc", [])) < 2:
            continue
        values = [entry["auc"] for entry in folds["auc"]]
        cells = [Cell(number(min(values))), Cell(number(max(values))), Cell(number(folds["fold_sd"], 3))]
        cells += [Cell(number(folds["seed_sd"], 3)), Cell(interval(facts.get("pooled_auc")))]
        rows.append(Row(context.title_of(arm), cells))
    return Table("Cross-validation: spread of the AUC", columns, rows)


def comparison_rows(context: ReportContext, limit: int = 30) -> list[dict[str, Any]]:
    """Return the comparisons as text, at most ``limit``: see :func:`leading_comparisons`."""
    return [
        {
            "name": f"{context.title_of(entry['a'])} − {context.title_of(entry['b'])}",
            "split": split_name(entry["split"]),
            "measure": MEASURES.get(entry["measure"], entry["measure"]),
            "difference": interval(entry, 3),
            "p": p_value(entry["p"]),
            "holm": _role(entry) if entry.get("order") else p_value(entry.get("p_holm")),
            "primary": bool(entry.get("primary")),
        }
        for entry in leading_comparisons(context.evidence["comparisons"], limit)
    ]


def _role(entry: dict[str, Any]) -> str:
    """Return what stands in the place of Holm's p for a contrast that was named before the analysis."""
    if entry["order"] == 1:
        return "primary"
    return "secondary" if entry["confirmatory"] else "secondary, exploratory"


def leading_comparisons(entries: list[dict[str, Any]], limit: int) -> list[dict[str, Any]]:
    """Return all comparisons in their order, or, of too many, the named ones and then those with the smallest p."""
    if len(entries) <= limit:
        return entries
    named = [entry for entry in entries if entry.get("order")]
    others = sorted(
        (entry for entry in entries if not entry.get("order")),
        key=lambda entry: 1.0 if entry["p"] is None else entry["p"],
    )
    return (named + others)[:limit]


def comparisons_of_ranking(evidence: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the comparisons that the forest figure is about: ranking measure, leading split, with a difference."""
    splits, measure = splits_of(evidence), ranking_measure(evidence)
    found = [entry for entry in evidence["comparisons"] if splits and entry["split"] == splits[0]]
    return [entry for entry in found if entry["measure"] == measure and entry["difference"] is not None]


def pointing_rows(context: ReportContext) -> list[list[str]]:
    """Return where the heat maps point, one row an arm."""
    from statistics import median

    return [
        [
            context.title_of(arm),
            count(len(found.heat_in_lesion)),
            number(median(found.heat_in_lesion)),
            number(median(found.baseline)),
            number(found.pointing_game),
            number(found.pointing_baseline),
        ]
        for arm, found in context.localisation.items()
        if found.heat_in_lesion
    ]
