"""What the page says of TI-RADS beside the model, and the tables of it."""

from typing import Any, Final

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.context import ReportContext
from isthmus.report.figures_tirads import draw_levels
from isthmus.report.page_tirads_tables import cuts_table, frames, main_arm, ranking_table
from isthmus.report.reading import count, in_order, interval, listed, number, plural, split_name
from isthmus.report.sentences import positive_name
from isthmus.report.subject import Painters, Shown, Subject
from isthmus.report.tirads import tirads_evidence
from isthmus.tables.vocabulary import DESCRIPTORS

KEY: Final = "tirads"
_MOST: Final = 0.95
"""Share of described cases with a certain level from which those left out no longer matter much."""


def show(context: ReportContext) -> Shown | None:
    """Return the section, None where no case has a descriptor or a recorded level."""
    found = context.evidence.get(KEY)
    if not found:
        return None
    split = in_order(found["splits"])[0]
    entries = found["splits"][split]
    sentences = [_opening(context, found, split), *_missing(context, found, entries)]
    tables = [ranking_table(context, found, split)]
    if not found["ceilings"][split]:
        sentences += [*_ranking(context, found, entries), *_sizes(context, found, entries)]
        tables.append(cuts_table(context, found, split))
    return Shown([text for text in sentences if text], _figures(found, split), tables, _notes(context, found, split))


def _figures(found: dict[str, Any], split: str) -> tuple[str, ...]:
    return ("tirads_levels",) if any(entry["levels"] for entry in found["splits"][split].values()) else ()


def _opening(context: ReportContext, found: dict[str, Any], split: str) -> str:
    names = [about["name"] for key, about in found["scales"].items() if key in found["splits"][split]]
    text = f"Beside the {plural(len(context.evidence['arms']), 'arm')} stand {listed(names)}, on the same "
    text += f"{context.evidence['unit']}s ({split_name(split)}). "
    if found["ceilings"][split]:
        return text + (
            "The label itself is a TI-RADS grade: levels made of the same readers' descriptors are no comparator but a "
            "ceiling, which shows how far the label can be rebuilt from what the readers wrote down. No arm is "
            "compared with them, and no size rule is read."
        )
    if any("source" in about for about in found["scales"].values()):
        text += (
            "Levels are looked up in the published tables from descriptors that somebody recorded; nobody decided on "
            "them. How well they do is how well these descriptors were read, no less than how good the table is. "
        )
    if not found["malignancy"]:
        text += (
            "The levels were made to tell malignant nodules; here they are set against "
            f"“{context.evidence['target']}”, so that published risks and size rules say nothing and are left out. "
        )
    return text + "A level shows what a table suggests; it is no advice on any patient."


def _missing(context: ReportContext, found: dict[str, Any], entries: dict[str, Any]) -> list[str]:
    unit, texts = context.evidence["unit"], []
    whole = max(entry["n"] for entry in entries.values())
    described = max(entry["described"] for entry in entries.values())
    if described < whole:
        texts.append(f"{count(whole - described)} of {plural(whole, unit)} have no descriptor and no level at all.")
    parts = [
        f"{found['scales'][key]['name']} {count(entry['described'] - entry['determined'])}"
        + (f" ({', '.join(map(_open, entry['missing'].items()))})" if entry["missing"] else "")
        for key, entry in entries.items()
        if entry["determined"] < entry["described"]
    ]
    if parts:
        text = (
            f"Of the {plural(described, unit)} with descriptors, some have no certain level, since what is not known "
        )
        text += (
            f"decides it: {'; '.join(parts)}. They are left out; what the AUC could be with them stands in the table."
        )
        texts.append(text)
    if any(entry["determined"] < _MOST * entry["described"] for entry in entries.values()):
        texts.append(
            "Whose level is certain is no chance: where a descriptor is blank, mostly the highest and the lowest "
            "levels can be certain. What is said of certain levels is said of that selection, not of the system."
        )
    strange = [code for codes in found["unknown_codes"].values() for code in codes]
    if strange:
        texts.append(f"Codes that the vocabulary does not have count as not known: {', '.join(strange[:8])}.")
    return texts


def _open(missing: tuple[str, int]) -> str:
    name, times = missing
    return f"{name.replace('_', ' ') if name in DESCRIPTORS else 'a gap in the table'} {count(times)}"


def _ranking(context: ReportContext, found: dict[str, Any], entries: dict[str, Any]) -> list[str]:
    """Say how the leading arm's AUC stands to each scale's; nothing is called shown that Holm takes back."""
    arm = main_arm(context, entries)
    if arm is None:
        return []
    if "SMOKE" in context.marks:
        return ["A smoke run: the comparisons below show that every stage ran; they say nothing about models."]
    better: list[str] = []
    worse: list[str] = []
    open_ones: list[str] = []
    for key, entry in entries.items():
        own = next((one for one in entry["contrasts"] if one["arm"] == arm), None)
        if own is None or own["difference"] is None:
            continue
        name = f"{found['scales'][key]['name']} {interval(own)}"
        shown = own["p_holm"] is not None and own["p_holm"] < 0.05
        (open_ones if not shown else better if own["difference"] > 0 else worse).append(name)
    title, parts = context.title_of(arm), []
    if better:
        parts.append(f"{title} ranked better than the levels of {listed(better)}.")
    if worse:
        parts.append(f"{title} ranked worse than the levels of {listed(worse)}.")
    if open_ones:
        parts.append(f"No difference is shown between {title} and {listed(open_ones)}.")
    if parts:
        parts.append("(Differences in AUC, arm minus level; shown means after Holm's correction over arms and scales.)")
    return [" ".join(parts)]


def _sizes(context: ReportContext, found: dict[str, Any], entries: dict[str, Any]) -> list[str]:
    parts = [
        f"{found['scales'][key]['name']} suggests aspiration for {count(sizes['counts']['fna'])} of "
        f"{plural(sizes['n'], context.evidence['unit'])}, and so for {count(sizes['positives_suggested'])} of "
        f"{count(sizes['positives'])} that are {positive_name(context)}"
        for key, entry in entries.items()
        if (sizes := entry.get("sizes")) and sizes["n"]
    ]
    if not parts:
        return []
    return [f"The tables' size rules, where level and size give a certain answer: {'; '.join(parts)}."]


def _notes(context: ReportContext, found: dict[str, Any], split: str) -> list[str]:
    notes = []
    risks = found["malignancy"] and not found["ceilings"][split]
    if risks and any("risks" in found["scales"][key] for key in found["splits"][split]):
        gathered = (
            "these were consecutive" if context.evidence.get("sampling") == "consecutive" else
            "these are not known to be consecutive, so that the two cannot be set against each other"
        )  # fmt: skip
        notes.append(
            "Published risks of malignancy are those of their sources' patients, the share here follows how these "
            f"cases were gathered: {gathered}. tables/tirads_levels.csv has both, tables/tirads.csv all arms."
        )
    for key in found["splits"][split]:
        about = found["scales"][key]
        text = f"{about['name']}: {about['source']}" if "source" in about else about["name"]
        if about.get("risk_source") and risks:
            text += f"; risks {about['risk_source']}"
        if about["notes"]:
            text += f"; {'; '.join(about['notes'])}"
        if ":" in text or ";" in text:
            notes.append(f"{text}.")
    return notes


def paint(context: ReportContext, table: AnalysisTable | None) -> Painters:
    """Return the painter of the shares by level."""
    found = context.evidence.get(KEY)
    if not found:
        return {}
    split = in_order(found["splits"])[0]
    if not _figures(found, split):
        return {}
    entries, name = found["splits"][split], positive_name(context)
    title = f"Share that is {name} by level, {split_name(split)}, with {100 * context.evidence['level']:.0f}\u202f% "
    title += "intervals and the number of cases"
    risks = found["malignancy"] and not found["ceilings"][split]
    title += "." if not risks else "; pale: the risk of malignancy that was published for the level."
    spoken = "; ".join(
        f"{found['scales'][key]['name']} {level['level']} {number(level['rate']['estimate'])}"
        for key, entry in entries.items()
        for level in entry["levels"]
    )

    def draw() -> Any:
        shown = {key: entry["levels"] for key, entry in entries.items() if entry["levels"]}
        return draw_levels(shown, found["scales"], risks=risks, name=name), title, f"{title} {spoken}."

    return {"tirads_levels": draw}


SUBJECT: Final = Subject(
    key=KEY,
    heading="TI-RADS beside the model",
    compute=tirads_evidence,
    show=show,
    frames=frames,
    paint=paint,
)
