"""What the page says of decision curves: who does most good where, and whether intervals show it."""

from typing import Any, Final

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.context import ReportContext
from isthmus.report.decision_curve_runs import best_runs, shown_at
from isthmus.report.decision_curves import FEWEST_GROUPS, decision_curve_evidence
from isthmus.report.decision_words import words_of
from isthmus.report.figures_decision_curves import draw_decision_curves
from isthmus.report.page_decision_curve_tables import (
    PAIRS,
    acting,
    avoided_table,
    benefit_table,
    cuts_of,
    difference_table,
    frames,
)
from isthmus.report.reading import count, listed, number, split_name, splits_of
from isthmus.report.subject import Painters, Shown, Subject

KEY: Final = "decision_curves"
PANELS: Final = 15
_RUNS: Final = 5


def show(context: ReportContext) -> Shown | None:
    """Return the section; where none is drawn it says why. None with several classes."""
    found = context.evidence.get(KEY)
    if not found or found.get("why_not") == "several classes":
        return None
    if found.get("why_not"):
        return Shown([_why_not(found["why_not"])])
    curves = leading(context)
    if curves is None or not curves["arms"]:
        return Shown(["No decision curve is drawn: no arm has probabilities on cases of both classes."])
    sentences = [_meaning(context), _best(context, curves), _above_default(context, curves)]
    sentences += [*_differences(context, curves), _prevalence(context, curves)]
    tables = [benefit_table(context, curves), avoided_table(context, curves), difference_table(context, curves)]
    return Shown(sentences, ("decision_curves",), [table for table in tables if table.rows], _notes(context, curves))


def leading(context: ReportContext) -> dict[str, Any] | None:
    """Return the curves of the leading split, at the middle one of several prevalences."""
    splits = [split for split in splits_of(context.evidence) if split in context.evidence[KEY].get("splits", {})]
    if not splits:
        return None
    entries = context.evidence[KEY]["splits"][splits[0]]
    return {**entries[len(entries) // 2], "split": splits[0], "prevalences": [e["prevalence"] for e in entries]}


def _why_not(reason: str) -> str:
    if reason == "the label is a TI-RADS grade":
        return (
            "No decision curve is drawn: it weighs cancers found against needless biopsies, and a label that is a "
            "reader's TI-RADS grade knows of neither."
        )
    if reason == "scores are no probabilities":
        return (
            "No decision curve is drawn: a threshold probability can be held only against a probability, and these "
            "scores are none."
        )
    return f"No decision curve is drawn: {reason}."


def _meaning(context: ReportContext) -> str:
    words = words_of(context.evidence)
    needless = f"needless {words.actions}"
    return (
        f"Net benefit counts {words.cases} found less {needless}, these at the rate at which they are thought to be "
        f"worth it: at a threshold of 0.1 one {words.case} missed weighs as much as nine {needless}. Which threshold "
        "is right is for patients and clinicians to say, not for these cases."
    )


def _best(context: ReportContext, curves: dict[str, Any]) -> str:
    runs = best_runs(curves)
    if len(runs) > _RUNS:
        at: dict[str, list[int]] = {}
        for k in cuts_of(curves):
            threshold = curves["thresholds"][k]
            (who,) = (name for low, high, name in runs if low <= threshold <= high)
            at.setdefault(who, []).append(k)
        parts = [f"{_name(context, who)} {_at(curves, places)}" for who, places in at.items()]
    else:
        parts = [
            f"{_name(context, who)} " + (f"from {number(low)} to {number(high)}" if low < high else f"at {number(low)}")
            for low, high, who in runs
        ]
    seen = f"On these cases the highest net benefit is that of {listed(parts)}."
    return f"{seen} What is more than chance follows."


def _at(curves: dict[str, Any], places: list[int]) -> str:
    return f"at {listed([number(curves['thresholds'][k]) for k in places])}"


def _name(context: ReportContext, who: str) -> str:
    if who in ("all", "none"):
        return f"{acting(context)} {'everybody' if who == 'all' else 'nobody'}"
    return context.title_of(who)


def _above_default(context: ReportContext, curves: dict[str, Any]) -> str:
    places = cuts_of(curves)
    shown = {arm: shown_at(entry["above_default"], places, "low") for arm, entry in curves["arms"].items()}
    parts = [f"{context.title_of(arm)} {_at(curves, where)}" for arm, where in shown.items() if where]
    default = f"both {acting(context)} everybody and {acting(context)} nobody"
    opening = f"Of the thresholds {listed([number(curves['thresholds'][k]) for k in places])}, "
    if not parts:
        return f"{opening}at none is any arm shown to do more good than {default}: the intervals reach down to 0."
    more = f"; so do {count(len(parts) - 4)} more arms somewhere" if len(parts) > 4 else ""
    return f"{opening}more good than {default} is shown, by an interval above 0, for {listed(parts[:4])}{more}."


def _differences(context: ReportContext, curves: dict[str, Any]) -> list[str]:
    places, texts, nowhere = cuts_of(curves), [], []
    for entry in curves["differences"]:
        one, two = context.title_of(entry["a"]), context.title_of(entry["b"])
        better = [(one, two, shown_at(entry, places, "low")), (two, one, shown_at(entry, places, "high"))]
        texts += [f"{a} more than {b} {_at(curves, where)}" for a, b, where in better if where]
        if not any(where for _, _, where in better):
            nowhere.append(f"{one} and {two}")
    if not curves["differences"]:
        several = "Arms are not compared two by two: there are many, and no reference arm or contrast was named."
        return [several] if len(curves["arms"]) > 1 else []
    if not texts:
        who = nowhere[0] if len(nowhere) == 1 else "any of the pairs compared"
        return [
            f"Between {who} no difference is shown: at each of these thresholds the paired interval holds 0, or too "
            "few patients are treated differently to tell."
        ]
    more = f"; {count(len(texts) - 4)} more in the table" if len(texts) > 4 else ""
    none = f" Between {listed(nowhere[:3])} none is shown." if 0 < len(nowhere) <= 3 else ""
    return [
        f"By paired intervals that leave out 0, good is done by {listed(texts[:4])}{more}.{none} The intervals are "
        "pointwise: over many arms and thresholds, one or another leaves out 0 by chance."
    ]


def _prevalence(context: ReportContext, curves: dict[str, Any]) -> str:
    share = f"{100 * curves['prevalence']:.3g}\u202f%"
    if curves["stated"]:
        return (
            f"These cases were chosen by their label (case-control), so net benefit is given for a stated prevalence "
            f"of {share}: sensitivity and specificity are weighted by it, and the probabilities were moved to it from "
            f"the sample's {100 * curves['sample_prevalence']:.3g}\u202f%."
        )
    if context.evidence["sampling"] == "consecutive":
        return f"The prevalence is that of these consecutive cases, {share}."
    return (
        f"The prevalence is that of these cases, {share}, which is not known to be that of any clinic. Where fewer "
        f"have it, net benefit is lower, and {acting(context)} everybody is worth it only at lower thresholds."
    )


def _notes(context: ReportContext, curves: dict[str, Any]) -> list[str]:
    level = f"{100 * context.evidence['level']:.0f}\u202f%"
    notes = [f"Limits ({level}) of curves: {curves['method']}; what counts is the patient (group), not the picture."]
    if curves["differences"]:
        notes.append(f"Limits of differences: {curves['difference_method']}; both arms on the same draws of patients.")
    if any(e["groups"][k] < FEWEST_GROUPS for e in curves["differences"][:PAIRS] for k in cuts_of(curves)):
        notes.append(
            f"* In fewer than {FEWEST_GROUPS} patients with, or without, the condition do the two differ: the limits "
            "are too narrow, and nothing is claimed by them."
        )
    bare = [context.title_of(arm) for arm, entry in curves["arms"].items() if not entry["calibrated"]]
    if bare:
        who = "all arms" if len(bare) == len(curves["arms"]) else listed(bare[:4])
        notes.append(f"The probabilities of {who} were taken as given: what is badly calibrated loses net benefit.")
    if curves["split"] == "cv":
        notes.append(
            "Out-of-fold probabilities, each fold's by its own model, are pooled; seeds are averaged, not stacked."
        )
    last = number(curves["thresholds"][-1])
    notes.append(
        f"Thresholds from 0.01 to {last} are shown: above 0.50 a needless act would count more than a miss"
        + ("" if last == "0.50" else ", but cases are frequent here")
        + ". tables/decision_curves.csv holds every threshold, split and prevalence."
    )
    return notes


def paint(context: ReportContext, table: AnalysisTable | None) -> Painters:
    """Return the painter of the decision curves of the leading split."""
    if not (context.evidence.get(KEY) or {}).get("splits"):
        return {}
    curves = leading(context)
    if curves is None or not curves["arms"]:
        return {}

    def draw() -> Any:
        arms = list(curves["arms"])[:PANELS]
        titles = {arm: context.title_of(arm) for arm in curves["arms"]}
        figure = draw_decision_curves(curves, arms, titles, acting(context))
        title = f"Decision curves, {split_name(curves['split'])}, at a prevalence of "
        title += f"{100 * curves['prevalence']:.3g}\u202f%. Bands are pointwise "
        title += f"{100 * context.evidence['level']:.0f}\u202f% over patients"
        if len(curves["arms"]) > PANELS:
            title += f". The first {PANELS} of {count(len(curves['arms']))} arms"
        spoken = _best(context, curves).removesuffix(" What is more than chance follows.")
        return figure, title, f"{title}. {spoken}"

    return {"decision_curves": draw}


SUBJECT: Final = Subject(KEY, "Decision curves", decision_curve_evidence, show, frames, paint)
