"""What the page says of misjudged nodules: only what the intervals show, and which levels are too small to tell."""

from typing import Any

from isthmus.report.context import ReportContext
from isthmus.report.error_rates import FEATURES, FEWEST, TITLES
from isthmus.report.page_tables import Cell, Row, Table, percent_cell
from isthmus.report.reading import (
    count,
    interval,
    listed,
    p_in_words,
    p_value,
    percent_interval,
    plural,
    split_name,
    splits_of,
)
from isthmus.tables.vocabulary import MULTI_VALUED

_KINDS = {
    "error": "misjudged",
    "false_negative": "missed",
    "false_positive": "called positive wrongly",
}
_LEVEL = 0.05


def error_rate_parts(context: ReportContext) -> dict[str, Any]:
    """Return the page's entry ``misjudged``, empty where nothing beside the labels is known of the cases."""
    entries = leading_errors(context)
    if not entries:
        return {"misjudged": {}}
    return {
        "misjudged": {
            "sentences": [*_sentences(context, entries), *_too_few(entries), *_circular(context, entries)],
            "tables": [_table(context, entries)],
        }
    }


def leading_errors(context: ReportContext) -> list[dict[str, Any]]:
    """Return the error rates of the primary arm (else the first) in the leading split, all measures."""
    entries = context.evidence.get("error_rates") or []
    primary = (context.evidence.get("primary") or {}).get("arm")
    for split in splits_of(context.evidence):
        own = [entry for entry in entries if entry["split"] == split]
        arms = list(dict.fromkeys(entry["arm"] for entry in own))
        if arms:
            arm = primary if primary in arms else arms[0]
            return [entry for entry in own if entry["arm"] == arm]
    return []


def _sentences(context: ReportContext, entries: list[dict[str, Any]]) -> list[str]:
    unit = context.evidence["unit"]
    if "SMOKE" in context.marks:
        return [f"A smoke run: the rates below show that every stage ran; they say nothing about {unit}s."]
    arm = context.title_of(entries[0]["arm"])
    tested = [entry for entry in _once(entries) if entry["p_holm"] is not None]
    shown = [entry for entry in tested if entry["p_holm"] < _LEVEL]
    where = f"{arm}, {split_name(entries[0]['split'])}"
    if not tested:
        return [f"{where}: no level has {FEWEST} {unit}s and as many beside it, so that nothing can be compared."]
    if not shown:
        levels = len({(entry["feature"], entry["code"]) for entry in tested})
        return [
            f"{where}: of {plural(levels, 'level')} compared, none differs in its error rates from the other {unit}s "
            "beyond what chance explains once all comparisons are counted (Holm). That is no proof that all kinds "
            "are judged alike: the intervals below say how large a difference may still be."
        ]
    found = []
    for entry in sorted(shown, key=lambda entry: float(entry["p_holm"])):
        of = {"error": f"{unit}s", "false_negative": "positives", "false_positive": "negatives"}[entry["measure"]]
        more = "more" if entry["difference"]["estimate"] > 0 else "less"
        found.append(
            f"{where}, {_in_line(entry)}: such {of} are {_KINDS[entry['measure']]} {more} often than the other {of}, "
            f"{percent_interval(entry['rate'])} of {count(entry['n'])} against {percent_interval(entry['others'])} "
            f"({p_in_words(entry['p_holm'])} after Holm's correction){_of_classes(entry, entries)}."
        )
    return found


def _of_classes(entry: dict[str, Any], entries: list[dict[str, Any]]) -> str:
    """Return a warning where all errors differ and those of neither class by itself do."""
    place = entry["feature"], entry["code"]
    own = [one for one in entries if (one["feature"], one["code"]) == place and one["measure"] != "error"]
    if entry["measure"] != "error" or any(one["p_holm"] is not None and one["p_holm"] < _LEVEL for one in own):
        return ""
    return "; within neither class alone is that shown, so that it may lie in how many of them are positive"


def _once(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the entries without the second level of a pair, which is the first one's comparison turned round."""
    codes: dict[tuple[str, str], list[str]] = {}
    for entry in entries:
        codes.setdefault((entry["measure"], entry["feature"]), []).append(entry["code"])
    pairs = {key: own for key, own in codes.items() if len(own) == 2 and key[1] not in MULTI_VALUED}
    return [entry for entry in entries if entry["code"] not in pairs.get((entry["measure"], entry["feature"]), [])[1:]]


def _in_line(entry: dict[str, Any]) -> str:
    title, words = TITLES[entry["feature"]], FEATURES[entry["feature"]].get(entry["code"], entry["code"])
    return f"{title if title == 'TI-RADS' else title.lower()} “{words.removeprefix('TI-RADS ')}”"


def _too_few(entries: list[dict[str, Any]]) -> list[str]:
    few: dict[str, list[str]] = {}
    for entry in entries:
        if entry["measure"] == "error" and entry["few"]:
            words = FEATURES[entry["feature"]].get(entry["code"], entry["code"])
            few.setdefault(TITLES[entry["feature"]], []).append(words.partition(" (")[0].removeprefix("TI-RADS "))
    parts = "; ".join(f"{title}: {listed(words)}" for title, words in few.items())
    return [f"Too few to tell (under {FEWEST} cases, here or beside). {parts}."] if few else []


def _circular(context: ReportContext, entries: list[dict[str, Any]]) -> list[str]:
    if context.evidence.get("reference") != "tirads" or any(entry["feature"] == "tirads" for entry in entries):
        return []
    return [
        "Error rates by TI-RADS category are left out: the labels are themselves TI-RADS categories, so that how often "
        "a category is misjudged says only how near it lies to the cut between the classes."
    ]


def _table(context: ReportContext, entries: list[dict[str, Any]]) -> Table:
    by_level: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for entry in entries:
        by_level.setdefault((entry["feature"], entry["code"]), {})[entry["measure"]] = entry
    rows, several = [], len(context.evidence["classes"]) > 2
    for (feature, code), measures in by_level.items():
        whole = measures.get("error")
        if whole is None:
            continue
        few = bool(whole["few"])
        cells = [Cell(count(whole["n"])), percent_cell(whole["rate"]), percent_cell(whole["others"])]
        cells += [Cell("too few to tell" if few else _points(whole["difference"])), Cell(p_value(whole["p_holm"]))]
        if not several:
            cells += [_of(measures.get("false_negative")), _of(measures.get("false_positive"))]
        words = FEATURES[feature].get(code, code).removeprefix("TI-RADS ")
        rows.append(Row(f"{TITLES[feature]}: {words}", cells))
    arm, split = context.title_of(entries[0]["arm"]), entries[0]["split"]
    columns = ["Cases", "Error rate", "of the others", "Difference, points", "p, Holm"]
    columns += [] if several else ["Missed positives", "Negatives called positive"]
    apart = "" if several else "; the last two columns keep the classes apart"
    over = "" if several else " and all three kinds of error"
    note = (
        "Calls of all seeds together, groups of patients as clusters. The others: cases in which the feature is known "
        f"and has another level. A kind that is mostly of one class has the errors of that class{apart}. Holm's "
        f"correction is over all levels{over}. tables/error_rates.csv holds all arms and splits."
    )
    return Table(f"{arm}, {split_name(split)}: wrong calls by what the {context.evidence['unit']} is like", columns,
                 rows, [note])  # fmt: skip


def _points(entry: dict[str, Any]) -> str:
    scaled = {name: None if entry[name] is None else 100 * entry[name] for name in ("estimate", "low", "high")}
    return interval(scaled, 0)


def _of(entry: dict[str, Any] | None) -> Cell:
    if entry is None:
        return Cell("–")
    cell = percent_cell(entry["rate"])
    return Cell(cell.main, f"{cell.small} of {count(entry['n'])}")
