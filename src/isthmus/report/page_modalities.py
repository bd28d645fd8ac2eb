"""What the page says of arms of several modalities: what is left without one, and how much each counted."""

from typing import Any, Final

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.arm_modalities import MODALITIES
from isthmus.report.context import ReportContext
from isthmus.report.figure_style import Drawn
from isthmus.report.figures_attribution import draw_attribution
from isthmus.report.figures_modalities import draw_subsets
from isthmus.report.modalities import KEY
from isthmus.report.page_shapley import counted_table, shares_in_words
from isthmus.report.page_tables import Cell, Row, Table, interval_cell
from isthmus.report.reading import count, in_order, interval, listed, plural, split_name
from isthmus.report.subject import Painters, Shown, Subject, from_the_run

_SUBSETS: Final = (
    "Each row: the cases that have these modalities, scored as if nothing else had been recorded. The difference is "
    "from the same cases with all that they have. One network answers for all rows; a network trained on one modality "
    "alone is an arm of its own."
)
_COUNTED: Final = (
    "Exact Shapley values in log odds, before calibration: what the score of a held-out case gains by a modality, all "
    "orders in which its modalities may come counted; from the share of the class in training, where nothing is shown. "
    "Share: of the sizes of all modalities, among cases that have it. A modality that moves the score is not thereby "
    "right: whether it helps is what the AUC without it says. Intervals count patients."
)


def show(context: ReportContext) -> Shown | None:
    """Return the section; None where no arm joins modalities in one network."""
    found = context.evidence.get(KEY)
    if not found:
        return None
    said = [sentence for arm, facts in found.items() if (sentence := _sentence(context, arm, facts))]
    tables = [_subsets(context, arm, facts) for arm, facts in found.items()]
    return Shown(said, tuple(_painters(context)), [*tables, _counted(context, found)])


def words_of(names: list[str]) -> str:
    """Return modalities as a row is called.

    Examples
    --------
    >>> words_of(["bmode", "swe"])
    'B-mode + elastography'
    """
    return " + ".join(MODALITIES.get(name, name) for name in names)


def _sets(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the sets (split, cohort) that an arm was judged on."""
    known = list(dict.fromkeys((entry["split"], entry["cohort"]) for entry in facts["subsets"]))
    order = in_order({split for split, _ in known})
    return sorted(known, key=lambda one: order.index(one[0]))


def _sentence(context: ReportContext, arm: str, facts: dict[str, Any]) -> str:
    split = _sets(facts)[0]
    without = [
        entry
        for entry in facts["subsets"]
        if (entry["split"], entry["cohort"]) == split
        and len(entry["shown"]) == len(facts["modalities"]) - 1
        and "difference" in entry
    ]
    if not without or "SMOKE" in context.marks:
        return ""
    parts = [
        f"without {words_of([name for name in facts['modalities'] if name not in entry['shown']])} its AUC is "
        f"{interval(entry['auc'])}, {interval(entry['difference'])} from that with all"
        for entry in without
    ]
    return f"{context.title_of(arm)}, {split_name(split[0])}: {'; '.join(parts)}."


def _subsets(context: ReportContext, arm: str, facts: dict[str, Any]) -> Table:
    sets, rows = _sets(facts), list[Row]()
    shown = list(dict.fromkeys(tuple(entry["shown"]) for entry in facts["subsets"]))
    several = len({cohort for _, cohort in sets}) > 1
    for names in shown:
        by_set = {(one["split"], one["cohort"]): one for one in facts["subsets"] if tuple(one["shown"]) == names}
        cells = [cell for one in sets for cell in _cells(by_set.get(one))]
        rows.append(Row(words_of(list(names)), cells, len(names) == len(facts["modalities"])))
    heads = []
    for split, cohort in sets:
        where = f"{split_name(split)}, {cohort}" if several and split == "external" else split_name(split)
        heads += [f"{context.evidence['unit'].capitalize()}s, {where}", f"AUC, {where}", "Difference from all"]
    caption = f"{context.title_of(arm)} with each subset of its modalities"
    return Table(caption, heads, rows, [_SUBSETS], first="Shown")


def _cells(entry: dict[str, Any] | None) -> list[Cell]:
    if entry is None:
        return [Cell("–")] * 3
    return [Cell(count(entry["n"])), interval_cell(entry.get("auc")), interval_cell(entry.get("difference"))]


def _counted(context: ReportContext, found: dict[str, Any]) -> Table:
    counted, unit = _attributions(found), context.evidence["unit"]
    sizes = listed(
        [
            f"{context.title_of(arm)}: {plural(facts['cases'], f'held-out {unit}')} of "
            f"{plural(facts['groups'], 'patient')}"
            for arm, facts in counted.items()
        ]
    )
    return counted_table(
        context,
        counted,
        "How much each modality counted",
        "Arm: modality",
        lambda name: words_of([name]),
        interval_cell,
        [f"{sizes}.", _COUNTED],
        units=True,
    )


def _attributions(found: dict[str, Any]) -> dict[str, Any]:
    return {arm: facts["attribution"] for arm, facts in found.items()}


def paint(context: ReportContext, table: AnalysisTable | None) -> Painters:
    """Return the painters of both figures."""
    return _painters(context)


def _painters(context: ReportContext) -> Painters:
    found = context.evidence.get(KEY)
    if not found:
        return {}
    return {"modality_subsets": lambda: _subset_figure(context), "modality_shares": lambda: _share_figure(context)}


def _subset_figure(context: ReportContext) -> Drawn | None:
    arms = {}
    for arm, facts in context.evidence[KEY].items():
        first = _sets(facts)[0]
        entries = [
            {**entry, "words": words_of(entry["shown"]), "whole": entry["shown"] == facts["modalities"]}
            for entry in facts["subsets"]
            if (entry["split"], entry["cohort"]) == first and "auc" in entry
        ]
        if entries:
            arms[f"{context.title_of(arm)}, {split_name(first[0])}"] = entries
    if not arms:
        return None
    title = "AUC with each subset of the modalities, of the cases that have them; the square is that with all."
    spoken = "; ".join(
        f"{arm}: " + ", ".join(f"{entry['words']} {interval(entry['auc'])}" for entry in entries)
        for arm, entries in arms.items()
    )
    return draw_subsets(arms), title, f"{title} {spoken}."


def _share_figure(context: ReportContext) -> Drawn | None:
    found = _attributions(context.evidence[KEY])
    titles = {arm: context.title_of(arm) for arm in found} | dict(MODALITIES)
    title = "What each modality brought to the score: a dot is a held-out case, the bar the mean of its class."
    spoken = shares_in_words(context, found, lambda name: words_of([name]))
    return draw_attribution(found, titles, "modality"), title, f"{title} {spoken}."


# The run writes its rows: modalities.csv and explanations/ARM/modalities.csv.
SUBJECT: Final = Subject(KEY, "With and without each modality", from_the_run, show, paint=paint)
