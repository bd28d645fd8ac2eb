"""What the page says of calls in a clinic: numbers per 1,000 patients, likelihood ratios, McNemar's test."""

from typing import Any, Final

from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.context import ReportContext
from isthmus.report.decision_words import words_of
from isthmus.report.decisions import decision_evidence
from isthmus.report.figures_decisions import draw_per_thousand
from isthmus.report.page_decision_tables import (
    chosen_table,
    discordance_table,
    frames,
    main_arm,
    odds_table,
    other_prevalences_table,
    per_thousand_table,
    rounded,
)
from isthmus.report.reading import count, interval, listed, split_name, splits_of
from isthmus.report.sentences import positive_name
from isthmus.report.subject import Painters, Shown, Subject

KEY: Final = "decisions"
PANELS: Final = 15


def show(context: ReportContext) -> Shown | None:
    """Return the section; where nothing can be said per 1,000 patients it says why. None with several classes."""
    found = context.evidence.get(KEY)
    if not found or found.get("why_not") == "several classes":
        return None
    split = splits_of(context.evidence)[0]
    tables = [odds_table(context, split), discordance_table(context, split), chosen_table(context, found)]
    if split not in found.get("per_thousand", {}):
        sentences = _no_numbers(context, found, split)
        shown = [table for table in tables if table.rows]
        return Shown(sentences, (), shown, _notes(context, found, split, shown)) if sentences or shown else None
    sentences = [*_per_thousand(context, found, split), *_threshold(context, split), *_odds(context, split)]
    own = [per_thousand_table(context, found, split), other_prevalences_table(context, found, split)]
    shown = [table for table in (*own, *tables) if table.rows]
    return Shown(sentences, ("decisions",), shown, _notes(context, found, split, shown))


def _no_numbers(context: ReportContext, found: dict[str, Any], split: str) -> list[str]:
    if context.evidence.get("reference") == "tirads":
        return [
            "No biopsies avoided and no cancers missed are counted here: the label is a reader's TI-RADS grade, so a "
            "positive call that agrees with it finds a nodule that a reader calls suspicious, not a cancer. "
            "Sensitivity in this report is the share of suspicious nodules that are called, specificity that of the "
            "others that are not.",
            *_odds(context, split),
        ]
    if found.get("why_not") == "no arm has calls on cases of both classes":
        return ["No arm has calls on cases of both classes: what calls would mean for patients is not counted."]
    return [f"What calls would mean for patients is not counted for the {split_name(split)}: there are no calls."]


def _per_thousand(context: ReportContext, found: dict[str, Any], split: str) -> list[str]:
    words, arm = words_of(context.evidence), main_arm(context, found["per_thousand"][split])
    key = found["main"][split]
    numbers = found["per_thousand"][split][arm][key]
    cases = rounded(1000 * float(key))
    text = f"At a prevalence of {_percent(key)}, {cases} of 1,000 patients have {_whom(context)}. "
    if words.action:
        text += f"If those whom {context.title_of(arm)} calls positive {words.acted_on}, and nobody else, "
        text += f"{_of(numbers['positive'])} {words.would}, {_of(numbers['avoided'])} fewer than if {words.all_were}: "
        text += f"{_of(numbers['found'])} of the {cases} {words.cases} would be found, {_of(numbers['missed'])} "
        text += f"missed, and {_of(numbers['needless'])} {words.actions} would be needless."
    else:
        text += f"{context.title_of(arm)} would call {_of(numbers['positive'])} positive: {_of(numbers['found'])} of "
        text += f"the {cases}, and {_of(numbers['needless'])} false alarms; {_of(numbers['missed'])} would be missed."
    meant = "The numbers carry sensitivity and specificity over to another clinic. They hold where its patients are as "
    meant += "easy and as hard to tell as these, and where a call is followed; the prevalence is "
    if context.evidence["sampling"] == "consecutive":
        meant += "that of these consecutive cases, taken as known."
    else:
        meant += "stated, not measured: these cases are not known to be consecutive."
    return [text, meant]


def _threshold(context: ReportContext, split: str) -> list[str]:
    """Say so where the calls were cut at 0.5 for want of anything better."""
    cut = [by[split]["thresholds"] for by in context.evidence["arms"].values() if split in by]
    if any(entry["rule"] == "0.5, not chosen on data" for entries in cut for entry in entries):
        return [
            "The calls cut the probability at 0.5, which nobody chose: the numbers show what 0.5 does, not what the "
            "scores could do at a threshold chosen for a clinic."
        ]
    return []


def _whom(context: ReportContext) -> str:
    return words_of(context.evidence).whom or f"a {context.evidence['unit']} that is {positive_name(context)}"


def _of(entry: dict[str, Any]) -> str:
    return f"{rounded(entry['estimate'])} ({rounded(entry['low'])}–{rounded(entry['high'])})"


def _percent(key: str) -> str:
    return f"{100 * float(key):.3g}\u202f%"


def _odds(context: ReportContext, split: str) -> list[str]:
    """Say in words what a call does to the odds."""
    facts = {arm: by[split] for arm, by in context.evidence["arms"].items() if split in by}
    with_ratios = [arm for arm, entry in facts.items() if "likelihood_ratio_positive" in entry]
    if not with_ratios:
        return []
    arm = main_arm(context, with_ratios)
    up, down = (facts[arm][f"likelihood_ratio_{name}"] for name in ("positive", "negative"))
    if up["estimate"] is None or down["estimate"] is None:
        return []
    text = f"A positive call of {context.title_of(arm)} multiplies the odds of {_being(context)} by "
    text += f"{interval(up, 1)}, a negative call by {interval(down)}."
    if up["low"] is not None and up["low"] <= 1:
        text += " As the first reaches down to 1, a positive call is not shown to tell anything."
    return [text]


def _being(context: ReportContext) -> str:
    return words_of(context.evidence).whom or f"“{positive_name(context).removeprefix('of class ')}”"


def _notes(context: ReportContext, found: dict[str, Any], split: str, shown: list[Any]) -> list[str]:
    notes = []
    level = f"{100 * context.evidence['level']:.0f}\u202f%"
    if found.get("per_thousand"):
        notes.append(
            f"Per 1,000: limits ({level}) come from Wilson intervals with effective n, which count patients, not "
            "pictures; where two proportions add up, their distances are joined by square-and-add."
        )
        others = [name for name in found["per_thousand"] if name != split]
        more = f" and for the {listed([split_name(name) for name in others])}" if others else ""
        notes.append(f"tables/per_thousand.csv holds all arms at all stated prevalences{more}.")
    exact = any("exact" in by.get(split, {}).get("sensitivity", {}) for by in context.evidence["arms"].values())
    if exact:
        notes.append("Exact (Clopper–Pearson) limits of the proportions stand in tables/calls.csv.")
    if any(table.caption.startswith("The same") for table in shown):
        notes.append(
            "McNemar's test looks only at the cases where the two arms differ. Mid-p is given where every case is "
            "independent; otherwise the test of Obuchowski (1998) over groups. The test beside the paired difference "
            "among the comparisons is another, a t test over groups, so the two may differ a little."
        )
    return notes


def paint(context: ReportContext, table: AnalysisTable | None) -> Painters:
    """Return the painter of the figure per 1,000 patients."""
    found = context.evidence.get(KEY) or {}
    splits = splits_of(context.evidence)
    if not splits or splits[0] not in found.get("per_thousand", {}):
        return {}
    split = splits[0]

    def draw() -> Any:
        key, words = found["main"][split], words_of(context.evidence)
        entries = dict(list(found["per_thousand"][split].items())[:PANELS])
        numbers = {context.title_of(arm): by[key] for arm, by in entries.items()}
        figure = draw_per_thousand(numbers, float(key), words)
        title = f"Of 1,000 patients at a prevalence of {_percent(key)}: {words.cases} missed and {words.needless}, "
        title += f"{split_name(split)}"
        if len(found["per_thousand"][split]) > PANELS:
            title += f". The first {PANELS} of {count(len(found['per_thousand'][split]))} arms"
        spoken = "; ".join(
            f"{name}: missed {_of(entry['missed'])}, {words.needless} {_of(entry['needless'])}"
            for name, entry in numbers.items()
        )
        return figure, title, f"{title}. {spoken}."

    return {"decisions": draw}


def csv_frames(evidence: dict[str, Any]) -> dict[str, DataFrame]:
    """Return ``per_thousand``, ``calls``, ``mcnemar`` and ``operating_points``."""
    return frames(evidence)


SUBJECT: Final = Subject(KEY, "What the calls mean in a clinic", decision_evidence, show, csv_frames, paint)
