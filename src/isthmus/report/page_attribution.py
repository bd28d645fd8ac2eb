"""What the page says of the members of fused arms: how far each moved the score."""

from typing import Any, Final

from isthmus.models.mean_head import MEAN
from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.context import ReportContext
from isthmus.report.figure_style import Drawn
from isthmus.report.figures_attribution import draw_attribution
from isthmus.report.page_shapley import counted_table, shares_in_words
from isthmus.report.page_tables import Cell
from isthmus.report.reading import count, interval, listed
from isthmus.report.subject import Painters, Shown, Subject, from_the_run

KEY: Final = "attribution"
_NOTE: Final = (
    "Shapley values (SHAP) of held-out nodules in log odds, summed over the features of each member: what the score "
    "would be without them, all orders of leaving out counted, with values of the head's own training patients in "
    "their place. Exact for classifiers that add up their features. A member that moves the score is not thereby "
    "right: whether it helps is what the comparison of the arms says. Intervals count patients."
)


def show(context: ReportContext) -> Shown | None:
    """Return the section; None where no arm was fused."""
    found = context.evidence.get(KEY)
    if not found:
        return None
    said = [_sentence(context, arm, facts) for arm, facts in found.items()]
    sizes = "; ".join(
        f"{context.title_of(arm)}: {count(facts['cases'])} nodules of {count(facts['groups'])} patients"
        for arm, facts in found.items()
    )
    notes = [f"{sizes}.", _NOTE, *_of_means(context, list(found))]
    table = counted_table(
        context,
        found,
        "What each member brought",
        "Fused arm: member",
        context.title_of,
        lambda entry: Cell(interval(entry)),
        notes,
    )
    return Shown(said, ("attribution",), [table])


def _of_means(context: ReportContext, arms: list[str]) -> list[str]:
    """Return what is said of fused arms that average their members, where there are such."""
    fusions = (context.protocol_resolved or {}).get("fusions", {})
    means = [arm for arm in arms if fusions.get(arm, {}).get("settings", {}).get("join") == MEAN]
    if not means:
        return []
    named = listed([context.title_of(arm) for arm in means])
    return [f"{named}: a mean has no head, so that members lead from even odds; one that is absent brings nothing."]


def _sentence(context: ReportContext, arm: str, facts: dict[str, Any]) -> str:
    moved = {member: entry["share"] for member, entry in facts["members"].items() if entry["share"] is not None}
    if not moved:
        return f"{context.title_of(arm)}: no member moved its score."
    order = sorted(moved, key=lambda member: -moved[member]["estimate"])
    parts = [f"{context.title_of(member)} {interval(moved[member])}" for member in order]
    return f"Of what moved the score of {context.title_of(arm)}, the share of each member was: {'; '.join(parts)}."


def paint(context: ReportContext, table: AnalysisTable | None) -> Painters:
    """Return the figure's painter."""
    return {"attribution": lambda: _figure(context)}


def _figure(context: ReportContext) -> Drawn | None:
    found = context.evidence.get(KEY)
    if not found:
        return None
    names = [*found, *(member for facts in found.values() for member in facts["members"])]
    title = "What each member brought to the fused score: a dot is a held-out nodule, the bar the mean of its class."
    spoken = shares_in_words(context, found, context.title_of)
    return draw_attribution(found, {name: context.title_of(name) for name in names}), title, f"{title} {spoken}."


# The run writes its rows: explanations/ARM/attribution.csv.
SUBJECT: Final = Subject(KEY, "What each member brought to the fused score", from_the_run, show, paint=paint)
