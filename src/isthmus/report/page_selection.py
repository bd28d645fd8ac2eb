"""What the page says of how a fused arm's features were selected."""

from functools import partial
from statistics import median
from typing import Any, Final

from isthmus.models.fused_columns import member_of
from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.context import ReportContext
from isthmus.report.figure_style import Drawn
from isthmus.report.figures_fusion import draw_selection
from isthmus.report.page_tables import Cell, Row, Table
from isthmus.report.reading import count, number
from isthmus.report.selection import recurring_in_words
from isthmus.report.subject import Painters, Shown, Subject, from_the_run

KEY: Final = "selection"
_NOTE: Final = (
    "In this order, on the same patients: z-scores, constant features dropped, of features that correlate only one "
    "kept, principal components where asked for, the LASSO with its penalty by cross-validation of whole patients. "
    "Medians over the heads, with the range. A place in an embedding stands for another thing in every network, so "
    "such features cannot be followed from head to head."
)
_IN_SAMPLE: Final = (
    "{arm} was fitted as published: its head learnt from the embeddings of the very patients that its networks were "
    "trained on. What it scores on those patients is no estimate of anything, and its selection trusted over-fitted "
    "features."
)


def show(context: ReportContext) -> Shown | None:
    """Return the section; None where no arm was fused."""
    found: dict[str, Any] = context.evidence.get(KEY, {})
    if not found:
        return None
    said = [
        " ".join(filter(None, (f"{context.title_of(arm)}. {facts['sentence']}", recurring_in_words(facts))))
        for arm, facts in found.items()
    ]
    members = list(
        dict.fromkeys(name for facts in found.values() for head in facts["heads"] for name in head["members"])
    )
    columns = ["Heads", "Features", "Constant", "Correlated", "Selected", "Penalty"]
    columns += [f"of {context.title_of(member)}" for member in members]
    rows = [_row(context.title_of(arm), facts["heads"], members) for arm, facts in found.items()]
    table = Table("Features of the fused arms, from all to those selected", columns, rows, [_NOTE], first="Fused arm")
    warnings = [
        _IN_SAMPLE.format(arm=context.title_of(arm)) for arm, facts in found.items() if facts["mode"] == "paper"
    ]
    return Shown(said, tuple(_figures(found)), [table], warnings=warnings)


def paint(context: ReportContext, table: AnalysisTable | None) -> Painters:
    """Return a painter for each fused arm that selected by LASSO."""
    found: dict[str, Any] = context.evidence.get(KEY, {})
    return {name: partial(_figure, context, arm) for name, arm in _figures(found).items()}


def _figures(found: dict[str, Any]) -> dict[str, str]:
    """Return the name of each figure and the arm it is of."""
    chosen = [arm for arm, facts in found.items() if any(head["fallback"] is not None for head in facts["heads"])]
    return {f"selection{place or ''}": arm for place, arm in enumerate(chosen)}


def _figure(context: ReportContext, arm: str) -> Drawn | None:
    shown = context.evidence[KEY][arm]["shown"]
    members = {name for path in shown["pairs"].values() for name in _members(path["lasso"])}
    drawn = draw_selection(shown["pairs"], {name: context.title_of(name) for name in members}, context.title_of(arm))
    if drawn is None:
        return None
    figure, title, spoken = drawn
    which = f"Seed {shown['seed']}, fold {shown['fold'] + 1}" + (", both halves" if len(shown["pairs"]) > 1 else "")
    return figure, f"{title}. {which}.", f"{which}. {spoken}"


def _members(lasso: dict[str, Any] | None) -> list[str]:
    return [] if lasso is None else [member_of(name) for name in (*lasso["entered"], *lasso["selected"])]


def _row(name: str, heads: list[dict[str, Any]], members: list[str]) -> Row:
    chosen = [head for head in heads if head["fallback"] is not None]
    cells = [Cell(count(len(heads)))]
    cells += [_spread([head[key] for head in heads]) for key in ("features", "constant", "correlated")]
    empty = sum(head["fallback"] for head in chosen)
    selected = _spread([head["selected"] for head in heads])
    cells.append(Cell(selected.main, f"none in {count(empty)}") if empty else selected)
    alphas = [head["alpha"] for head in chosen]
    cells.append(Cell(number(median(alphas), 3), f"{min(alphas):.2g}–{max(alphas):.2g}") if alphas else Cell("–"))
    cells += [_spread([head["members"].get(member, 0) for head in chosen]) for member in members]
    return Row(name, cells)


def _spread(values: list[int]) -> Cell:
    if not values:
        return Cell("–")
    low, high = min(values), max(values)
    return Cell(f"{median(values):g}", "" if low == high else f"{count(low)}–{count(high)}")


# The run writes its rows: path.json of each fold.
SUBJECT: Final = Subject(KEY, "Which features of its members a fused arm kept", from_the_run, show, paint=paint)
