"""What the page says of where in the lesion the heat lies, by class, and of which frame of a clip counted."""

from typing import Any, Final

from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.context import ReportContext
from isthmus.report.figure_style import Drawn
from isthmus.report.figures_edges import draw_edges
from isthmus.report.page_tables import Cell, Row, Table
from isthmus.report.reading import count, interval, number, plural
from isthmus.report.subject import Painters, Shown, Study, Subject

KEY: Final = "edges"
_COUNTED: Final = {"heat_at_edge": "for", "against_at_edge": "against"}
_NOTE: Final = (
    "A lesion's pixels are ordered by their distance to its outline and cut into two halves of equal area; the share "
    "is that of the outer half in the heat inside the lesion, so that even heat scores 0.50. Intervals and differences "
    "count patients, not views. The halves on the maps' grid: what the inner and the outer half score "
    "when they are drawn as coarsely as the network's maps. The classes are those of the label, not of the call."
)
_FRAMES_NOTE: Final = (
    "Frames that are channels of one picture share one heat map. What each brought is asked of the score: the frame is "
    "replaced by the mean of the others, and the change of the log odds, without its sign, is shared out among them. "
    "Frames that show the same take each other's place, and then none counts much."
)


def compute(table: AnalysisTable, study: Study, evidence: dict[str, Any]) -> dict[str, Any]:
    """Return nothing: heat maps are no function of the predictions; a run adds them to its evidence afterwards."""
    return {}


def frames(evidence: dict[str, Any]) -> dict[str, DataFrame]:
    """Return no tables: each arm's ``explanations/ARM/localisation.csv`` has the rows."""
    return {}


def show(context: ReportContext) -> Shown | None:
    """Return the section; None where no arm's heat was held against an outline and none has frames that count."""
    edges, counted = _edge_rows(context), _frame_rows(context)
    if not edges and not counted:
        return None
    said = [
        f"{context.title_of(arm)}. {facts['sentence']}"
        for arm, found in context.localisation.items()
        for facts in (*found.edges.values(), found.frames.get("counted"))
        if facts
    ]
    tables = []
    if edges:
        names = list(dict.fromkeys(name for _, facts in _facts(context) for name in facts["classes"]))
        columns = ["Evidence", *names, "Difference", "A centred Gaussian", "The halves on the maps' grid"]
        tables.append(Table("Share of the heat in the outer half of the lesion", columns, edges, [_NOTE]))
    if counted:
        most = max(len(row.cells) for row in counted) - 1
        columns = ["Clips; patients", *(f"Frame {place + 1}" for place in range(most))]
        tables.append(Table("Which frame counted, in the order of time", columns, counted, [_FRAMES_NOTE]))
    return Shown(said, ("edges",) if edges else (), tables)


def paint(context: ReportContext, table: AnalysisTable | None) -> Painters:
    """Return the figure's painter."""
    return {"edges": lambda: _figure(context)}


def _facts(context: ReportContext) -> list[tuple[str, dict[str, Any]]]:
    return [(arm, facts) for arm, found in context.localisation.items() for facts in found.edges.values()]


def _edge_rows(context: ReportContext) -> list[Row]:
    names = list(dict.fromkeys(name for _, facts in _facts(context) for name in facts["classes"]))
    rows = []
    for arm, found in context.localisation.items():
        for column, facts in found.edges.items():
            cells = [Cell(_COUNTED[column])]
            for name in names:
                own = facts["classes"].get(name)
                patients = "" if own is None else f"{plural(own['views'], 'view')}, {plural(own['groups'], 'patient')}"
                cells.append(Cell(interval(own and own["share"]), patients))
            cells += [Cell(interval(facts["difference"])), Cell(number(facts["gaussian"]))]
            cells.append(Cell(f"{number(facts['centre_on_grid'])}–{number(facts['edge_on_grid'])}"))
            rows.append(Row(context.title_of(arm), cells))
    return rows


def _frame_rows(context: ReportContext) -> list[Row]:
    rows = []
    for arm, found in context.localisation.items():
        if facts := found.frames.get("counted"):
            size = f"{count(facts['clips'])}; {count(facts['groups'])}"
            rows.append(Row(context.title_of(arm), [Cell(size), *(Cell(interval(share)) for share in facts["shares"])]))
    return rows


def _figure(context: ReportContext) -> Drawn | None:
    found = {
        arm: entry.edges["heat_at_edge"] for arm, entry in context.localisation.items() if "heat_at_edge" in entry.edges
    }
    if not found:
        return None
    title = (
        "Share of the heat in the outer half of the lesion, mean by class with its interval. Dashed: even heat; grey: "
        "from the inner to the outer half themselves, drawn as coarsely as the network's maps."
    )
    spoken = "; ".join(
        f"{context.title_of(arm)}: "
        + ", ".join(f"{name} {interval(own['share'])}" for name, own in facts["classes"].items())
        for arm, facts in found.items()
    )
    return draw_edges(found, {arm: context.title_of(arm) for arm in found}), title, f"{title} {spoken}."


SUBJECT: Final = Subject(KEY, "At the lesion's edge or in its middle", compute, show, frames, paint)
