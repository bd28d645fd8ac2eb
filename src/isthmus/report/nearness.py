"""In words and cells: how near each arm comes to the best possible, and who wins. Simulated cohorts only."""

from typing import Any

from isthmus.report.arm_modalities import MODALITIES
from isthmus.report.context import ReportContext
from isthmus.report.page_tables import Cell, Row, Table, cell_of
from isthmus.report.reading import (
    interval,
    listed,
    number,
    p_in_words,
    plural,
    ranking_measure,
    split_name,
    splits_of,
)
from isthmus.report.truth import LATENTS
from isthmus.statistics.few_groups import METHOD as WITHOUT_TEST
from isthmus.statistics.roc import FEWEST_GROUPS

_COLUMNS = {
    "arm": "AUC reached",
    "observer": "AUC possible from what it is shown",
    "latents": "AUC possible, knowing all",
}
_DIFFERENCES = {"gap": "Left to gain", "efficiency": "Efficiency"}


def ideal_of(context: ReportContext, split: str) -> dict[str, dict[str, Any]]:
    """Return each arm's facts about its ideal observer in a split, arms in the order of the report."""
    found = context.evidence.get("ideal_observer", {}).get("arms", {})
    arms = [*(arm for arm in context.evidence["arms"] if arm in found), *found]
    return {arm: found[arm]["splits"][split] for arm in arms if split in found[arm]["splits"]}


def efficiency_is_told(values: dict[str, Any]) -> bool:
    """Return whether an efficiency stands on enough groups to be told: of few it is anything from 0 to many times."""
    found = values.get("efficiency") or {}
    return found.get("estimate") is not None and int(values.get("n_groups", FEWEST_GROUPS)) >= FEWEST_GROUPS


def shown_to(context: ReportContext, arm: str) -> str:
    """Return the modalities that an arm is shown, in words."""
    return in_words(context.evidence["ideal_observer"]["arms"][arm]["modalities"])


def in_words(modalities: list[str]) -> str:
    """Return modalities in words.

    Examples
    --------
    >>> in_words(["bmode", "ceus"])
    'B-mode and contrast enhancement'
    """
    return listed([MODALITIES.get(name, name) for name in modalities])


def ideal_statement(context: ReportContext) -> str:
    """Return the headline's sentence: what was possible, and how near the leading arm came; empty elsewhere."""
    splits = splits_of(context.evidence)
    facts = ideal_of(context, splits[0]) if splits else {}
    arm = _leading(context, facts)
    if arm is None or "SMOKE" in context.marks:
        return ""
    values = facts[arm]
    text = f" On the same {context.evidence['unit']}s the best possible {_auc_word(values)} "
    if values.get("observer") and values["observer"]["estimate"] is not None:
        text += f"from {shown_to(context, arm)} is {interval(values['observer'])}, and "
    else:
        text += "is "
    text += f"{interval(values['latents'])} for whoever knows every finding"
    if efficiency_is_told(values):
        text += f"; {context.title_of(arm)} reached an efficiency of {percent(values['efficiency'])}"
    return f"{text}."


def _leading(context: ReportContext, facts: dict[str, dict[str, Any]]) -> str | None:
    primary = context.evidence.get("primary") or {}
    if primary.get("arm") in facts:
        return str(primary["arm"])
    ranked = [arm for arm, values in facts.items() if values["arm"]["estimate"] is not None]
    return max(ranked, key=lambda arm: facts[arm]["arm"]["estimate"], default=None)


def _auc_word(values: dict[str, Any]) -> str:
    return "AUC" if values["measure"] == "auc" else "macro AUC"


def percent(entry: dict[str, Any]) -> str:
    """Return a ratio with its interval as percentages.

    Examples
    --------
    >>> percent({"estimate": 0.42, "low": 0.2, "high": 0.683})
    '42\u202f% (20–68)'
    """
    if entry["estimate"] is None:
        return "–"
    text = f"{100 * entry['estimate']:.0f}\u202f%"
    return text if entry["low"] is None else f"{text} ({100 * entry['low']:.0f}–{100 * entry['high']:.0f})"


def nearness_sentences(context: ReportContext) -> list[str]:
    """Return one sentence an arm: what it reached, what was possible, and whether the gap is more than chance."""
    splits = splits_of(context.evidence)
    sentences = []
    for arm, values in (ideal_of(context, splits[0]) if splits else {}).items():
        if values["arm"]["estimate"] is None:
            continue
        text = f"{context.title_of(arm)} reached {interval(values['arm'])}"
        if "gap" not in values or values["gap"]["estimate"] is None:
            sentences.append(f"{text}; its own best possible is not known.")
            continue
        text += (
            f" where {interval(values['observer'])} was possible from {shown_to(context, arm)}: {_gap(values['gap'])}"
        )
        efficiency = values["efficiency"]
        if efficiency_is_told(values):
            text += f" Efficiency {percent(efficiency)}."
        sentences.append(text)
    return sentences


def _gap(gap: dict[str, Any]) -> str:
    shown = interval(gap)
    if gap["method"] == WITHOUT_TEST:
        return f"the gap is {shown}, and nothing can be concluded from so few."
    if gap["low"] > 0:
        return f"{shown} is left to gain."
    if gap["high"] < 0:
        return f"it ranks these cases better than the observer, by {interval(_turned(gap))}, which only chance can do."
    return f"the gap of {shown} is not told apart from none."


def _turned(entry: dict[str, Any]) -> dict[str, Any]:
    return {"estimate": -entry["estimate"], "low": -entry["high"], "high": -entry["low"]}


def who_wins(context: ReportContext) -> list[str]:
    """Return who ranks best in the leading split, with intervals; a tie is said as a tie."""
    splits, measure = splits_of(context.evidence), ranking_measure(context.evidence)
    if not splits or "SMOKE" in context.marks:
        return []
    aucs = {
        arm: found[splits[0]][measure]["estimate"]
        for arm, found in context.evidence["arms"].items()
        if found.get(splits[0], {}).get(measure, {}).get("estimate") is not None
    }
    first, *others = sorted(aucs, key=lambda arm: -aucs[arm]) or [""]
    if not others:
        return []
    compared = [_against(context, first, other, splits[0], measure) for other in others]
    beaten = [text for text, won in compared if won]
    tied = [text for text, won in compared if won is False]
    name, where = context.title_of(first), split_name(splits[0])
    sentences = []
    if not beaten and not tied:
        return [
            f"{name} has the highest AUC ({where}), but no paired comparison says whether that is more than chance."
        ]
    if beaten:
        sentences.append(f"{name} wins ({where}) against {'; '.join(beaten)}.")
    if tied:
        sentences.append(f"A tie ({where}): {name} has the higher AUC, but is not told apart from {'; '.join(tied)}.")
    return sentences


def _against(context: ReportContext, a: str, b: str, split: str, measure: str) -> tuple[str, bool | None]:
    """Return the other arm with the difference, and whether the first is better; None where nobody compared them."""
    for entry in context.evidence["comparisons"]:
        if {entry["a"], entry["b"]} != {a, b} or (entry["split"], entry["measure"]) != (split, measure):
            continue
        if entry["difference"] is None or entry["low"] is None or entry["p"] is None:
            break
        difference = {"estimate": entry["difference"], "low": entry["low"], "high": entry["high"]}
        if entry["a"] == b:
            difference = _turned(difference)
        p = entry["p"] if entry.get("p_holm") is None else entry["p_holm"]
        corrected = "" if entry.get("p_holm") is None else " after Holm's correction"
        text = f"{context.title_of(b)} (difference {interval(difference)}, {p_in_words(p)}{corrected})"
        return text, bool(difference["low"] > 0 and p < 1 - entry["level"])
    return "", None


def ideal_tables(context: ReportContext) -> list[Table]:
    """Return for each split every arm beside its ideal observers, and the observers' AUCs in the population."""
    ideal = context.evidence.get("ideal_observer")
    if not ideal:
        return []
    tables = []
    main = {context.evidence["primary"]["arm"]} if context.evidence.get("primary") else set()
    for split in splits_of(context.evidence):
        facts = ideal_of(context, split)
        rows = [
            Row(context.title_of(arm), [Cell(shown_to(context, arm)), *_cells(values)], arm in main)
            for arm, values in facts.items()
        ]
        if rows:
            any_arm = next(iter(facts.values()))
            caption = f"{split_name(split).capitalize()}: {plural(any_arm['n'], context.evidence['unit'])}"
            caption += f" of {plural(any_arm['n_groups'], 'group')}"
            notes = dict.fromkeys(f"{note}." for values in facts.values() for note in values["notes"])
            tables.append(Table(caption, ["Shown", *_COLUMNS.values(), *_DIFFERENCES.values()], rows, list(notes)))
    return tables


def _cells(values: dict[str, Any]) -> list[Cell]:
    cells = [_cell(values.get(name), interval(values.get(name))) for name in (*_COLUMNS, "gap")]
    efficiency = values.get("efficiency")
    if efficiency is None or efficiency["estimate"] is None:
        return [*cells, _cell(efficiency, "–")]
    few = f"under {FEWEST_GROUPS} groups"
    return [*cells, cell_of(percent(efficiency)) if efficiency_is_told(values) else Cell("–", few)]


def _cell(entry: dict[str, Any] | None, text: str) -> Cell:
    if entry is None or entry["estimate"] is None:
        return Cell("–", (entry or {}).get("note", ""))
    return cell_of(text)


def population_rows(context: ReportContext) -> list[list[str]]:
    """Return each observer's AUC among a million draws: what it sees, AUC, standard error."""
    rows = []
    for name, values in context.evidence.get("ideal_observer", {}).get("population", {}).items():
        shown = "every latent finding" if name == LATENTS else in_words(name.split("+"))
        rows.append([shown, number(values.get("auc"), 3), number(values.get("standard_error"), 4)])
    return rows
