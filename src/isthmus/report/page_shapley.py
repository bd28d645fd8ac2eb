"""How much each part of an arm counted, by Shapley values: its table and what is said of its figure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from isthmus.report.context import ReportContext
from isthmus.report.page_tables import Cell, Row, Table
from isthmus.report.reading import count, interval

Found = Mapping[str, Mapping[str, Any]]
"""By arm its ``members``, each with ``share``, ``size`` and ``classes``, and how many ``cases`` and ``groups``."""


def counted_table(
    context: ReportContext,
    found: Found,
    caption: str,
    first: str,
    name: Callable[[str], str],
    cell: Callable[[dict[str, Any] | None], Cell],
    notes: Sequence[str],
    *,
    units: bool = False,
) -> Table:
    """Return one row a part: its share of what moved the score, its mean size, and its mean in each class.

    Parameters
    ----------
    context : ReportContext
    found : mapping
    caption, first : str
        Of the table and of its first column.
    name : callable
        What a part is called.
    cell : callable
        From an estimate with its interval to how it stands in a cell.
    notes : sequence of str
    units : bool
        Whether a column says how many cases have the part.
    """
    parts = [(arm, part, entry) for arm, facts in found.items() for part, entry in facts["members"].items()]
    classes = list(dict.fromkeys(label for *_, entry in parts for label in entry["classes"]))
    rows = []
    for arm, part, entry in parts:
        estimates = [entry["share"], entry["size"], *(entry["classes"].get(label) for label in classes)]
        counted = [Cell(count(entry["units"]))] if units else []
        cells = [*counted, *(cell(estimate) for estimate in estimates)]
        rows.append(Row(f"{context.title_of(arm)}: {name(part)}", cells))
    columns = ["Share of what moved the score", "Mean size, log odds", *(f"Mean in {label}" for label in classes)]
    heads = [f"{context.evidence['unit'].capitalize()}s"] if units else []
    return Table(caption, [*heads, *columns], rows, list(notes), first)


def shares_in_words(context: ReportContext, found: Found, name: Callable[[str], str]) -> str:
    """Return every part's share as the figure's alternative text names them."""
    return "; ".join(
        f"{context.title_of(arm)}, {name(part)}: share {interval(entry['share'])}"
        for arm, facts in found.items()
        for part, entry in facts["members"].items()
    )
