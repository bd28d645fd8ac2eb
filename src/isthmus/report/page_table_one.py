"""How Table 1 is shown: what the cases are like, by outcome and by set, and what its tests do not say."""

from math import inf, isfinite
from typing import Any

from pandas import DataFrame

from isthmus.report.context import ReportContext
from isthmus.report.page_tables import Cell, Row, Table
from isthmus.report.reading import count, interval, listed, number, p_value, plural, split_name
from isthmus.report.subject import Shown, Subject
from isthmus.report.table_one import ALL, table_one
from isthmus.statistics.standardised_difference import NOTICEABLE, UNBOUNDED

_ON_PAGE = 2
_TESTED = "p, standardised difference"
_INDENT = "\u2003"
_PAPER = (
    "Tests as published tables have them: chi-square with Yates' correction for 2 x 2, Student's t where both groups "
    "look normal, else Mann–Whitney; every case is taken as independent."
)
_DEFAULT = (
    "Tests: Welch's t where every group looks normal (Shapiro–Wilk), else Mann–Whitney; chi-square, or the exact test "
    "where an expected count lies below 5; several classes or sets: analysis of variance, Kruskal–Wallis. Where a "
    "group of patients has several cases: cluster-robust t, ranks and Rao–Scott chi-square. tables/table_one.csv names "
    "the test of each row. Intervals of standardised differences take the cases as independent."
)


def show_table_one(context: ReportContext) -> Shown | None:
    """Return Table 1 as the page shows it: the set that models were made on, the leading held-out set, and the sets."""
    found = context.evidence.get("table_one")
    if not found:
        return None
    sets = [entry for entry in found["by_outcome"] if entry["set"] != ALL]
    shown = _leading(sets)
    beside = len(found["classes"]) == 2
    tables = [_outcome_table(context, found, part) for part in ([shown] if beside else [[one] for one in shown])]
    if found["by_set"]:
        tables.append(_set_table(context, found))
    rest = [split_name(entry["set"]) for entry in sets if entry not in shown]
    notes = ["Mean ± standard deviation, median [quartiles]; count (% of those in whom it is known)."]
    notes += [_PAPER if found["mode"] == "paper" else _DEFAULT, *_patients_note(found)]
    if rest:
        notes.append(f"By outcome in the {listed(rest)}, and in all sets together: tables/table_one.csv.")
    if found["left_out"]:
        what = "; ".join(f"{entry['column']} ({entry['reason']})" for entry in found["left_out"])
        notes.append(f"Left out: {what}.")
    return Shown(sentences=_sentences(context, found, shown), tables=tables, notes=notes)


def _leading(sets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first set, on which models are made, and the first held-out one."""
    return sets if len(sets) <= _ON_PAGE else [sets[0], next(one for one in sets[1:] if one["set"] not in _MADE_ON)]


_MADE_ON = ("train", "tune", "cv")


def _sentences(context: ReportContext, found: dict[str, Any], shown: list[dict[str, Any]]) -> list[str]:
    titles = {column["name"]: column["title"] for column in found["columns"]}
    titles["label"] = "the labels"
    sentences = []
    for entry in shown:
        compared, far, most = _apart(entry["rows"], titles)
        if compared:
            ending = f", most {most}." if most else "."
            sentences.append(
                f"{split_name(entry['set']).capitalize()}: between the outcomes {far} of "
                f"{plural(compared, 'characteristic')} differ by {NOTICEABLE} standard deviations or more{ending}"
            )
    if found["by_set"]:
        compared, far, most = _apart(found["by_set"]["rows"], titles)
        if compared:
            ending = f", most {most}; results move with the kind of case." if most else "."
            sentences.append(f"Between the sets {far} of {plural(compared, 'characteristic')} differ that much{ending}")
    if context.evidence.get("reference") == "tirads":
        sentences.append(
            "The label is made from TI-RADS, and TI-RADS from the descriptors: that these differ is how the label was "
            "made, no finding."
        )
    if sentences:
        sentences.append(
            "These are descriptions, each characteristic by itself: p-values are not corrected for their number, and a "
            "p above 0.05 is no proof that groups are alike."
        )
    return sentences


def _apart(rows: list[dict[str, Any]], titles: dict[str, str]) -> tuple[int, int, str]:
    """Return how many rows are compared, how many differ noticeably, and the three that do most in words."""
    sizes = {row["column"]: size for row in rows if (size := _size(row)) is not None}
    notes = {row["column"]: (row["smd"] or {}).get("note", "") for row in rows}
    far = sorted((name for name, size in sizes.items() if size >= NOTICEABLE), key=lambda name: -sizes[name])
    words = [f"{_in_line(titles[name])} ({_in_words(sizes[name], notes[name])})" for name in far[:3]]
    return len(sizes), len(far), listed(words)


def _in_line(title: str) -> str:
    name = title.partition(",")[0] if not title.startswith("the ") else title
    return name if name[:2].isupper() else name[:1].lower() + name[1:]


def _size(row: dict[str, Any]) -> float | None:
    """Return how far a row's groups are apart, infinitely where without bound, None where nobody knows."""
    smd = row["smd"] or {}
    if smd.get("note") in UNBOUNDED:
        return inf
    return None if smd.get("estimate") is None else abs(float(smd["estimate"]))


def _in_words(size: float, note: str) -> str:
    return number(size) if isfinite(size) else note


def _difference(row: dict[str, Any], names: dict[str, str]) -> str:
    """Return the difference in a cell; of more than two groups with the two that it lies between."""
    smd, size = row["smd"] or {}, _size(row)
    if size is None or (isfinite(size) and row["test"]["p"] is None):
        return ""
    text = interval(smd) if isfinite(size) else str(smd["note"])
    if len(row["groups"]) < 3 or not size or not smd.get("pair"):
        return text
    earlier, later = (names.get(name, name) for name in smd["pair"])
    signed = isfinite(size) and "Hedges-Olkin" not in smd["method"]
    return f"{text}: {later} less {earlier}" if signed else f"{text}: {earlier}, {later}"


def _outcome_table(context: ReportContext, found: dict[str, Any], sets: list[dict[str, Any]]) -> Table:
    """Return the outcomes of some sets side by side."""
    heads: list[str] = []
    for entry in sets:
        start = f"{split_name(entry['set']).capitalize()}: " if len(sets) > 1 else ""
        heads += [f"{start}{_label(context, label)} (n = {count(n)})" for label, n in entry["groups"].items()]
        heads.append(_TESTED)
    unit = context.evidence["unit"]
    where = listed([f"{split_name(entry['set'])} ({plural(entry['n'], unit)})" for entry in sets])
    rows = [_lines(context, found, list(entry["groups"]), entry["rows"]) for entry in sets]
    joined = [Row(lines[0].name, [cell for line in lines for cell in line.cells]) for lines in zip(*rows, strict=True)]
    return Table(f"By outcome: {where}", heads, joined, first="Characteristic")


def _set_table(context: ReportContext, found: dict[str, Any]) -> Table:
    facts = found["by_set"]
    heads = [f"{facts['names'][name].capitalize()} (n = {count(n)})" for name, n in facts["sets"].items()]
    lines = _lines(context, found, list(facts["sets"]), facts["rows"])
    return Table("The sets beside one another", [*heads, _TESTED], lines, first="Characteristic")


def _lines(context: ReportContext, found: dict[str, Any], groups: list[str], rows: list[dict[str, Any]]) -> list[Row]:
    columns = {column["name"]: column for column in found["columns"]}
    names = {**context.class_names, **((found["by_set"] or {}).get("names") or {})}
    lines: list[Row] = []
    for row in rows:
        column = columns.get(row["column"]) or _label_column(context, found["classes"])
        name = column["title"] + (" *" if column["of_patients"] else "")
        tested = Cell(p_value(row["test"]["p"]), _difference(row, names))
        described = [row["groups"][group] for group in groups]
        if column["kind"] == "numeric":
            lines.append(Row(name, [*(_number_cell(facts) for facts in described), tested]))
            continue
        levels = column["levels"]
        if [level for level, _ in levels] == ["yes", "no"]:
            lines.append(Row(name, [*(_share_cell(facts, "yes") for facts in described), tested]))
            continue
        missing = [Cell("", _missing(facts)) for facts in described]
        lines.append(Row(name, [*missing, tested]))
        for level, words in levels:
            cells = [_share_cell(facts, level, missing=False) for facts in described]
            lines.append(Row(_INDENT + words, [*cells, Cell("")]))
    return lines


def _label(context: ReportContext, label: str) -> str:
    return context.class_name(label)


def _label_column(context: ReportContext, classes: list[str]) -> dict[str, Any]:
    levels = [[name, _label(context, name)] for name in classes]
    return {"title": "Label", "kind": "categorical", "levels": levels, "of_patients": False}


def _number_cell(facts: dict[str, Any]) -> Cell:
    if facts["mean"] is None:
        return Cell("–", _missing(facts))
    spread = "" if facts["sd"] is None else f" ± {number(facts['sd'], 1)}"
    middle = f"{number(facts['median'], 1)} [{number(facts['q1'], 1)}–{number(facts['q3'], 1)}]"
    return Cell(f"{number(facts['mean'], 1)}{spread}", "; ".join(filter(None, (middle, _missing(facts)))))


def _share_cell(facts: dict[str, Any], level: str, missing: bool = True) -> Cell:
    if not facts["n"]:
        return Cell("–", _missing(facts) if missing else "")
    share = 100 * facts["counts"][level] / facts["n"]
    text = f"{count(facts['counts'][level])} ({number(share, 1)}\u202f%)"
    return Cell(text, _missing(facts) if missing else "")


def _missing(facts: dict[str, Any]) -> str:
    return f"{count(facts['missing'])} missing" if facts["missing"] else ""


def _patients_note(found: dict[str, Any]) -> list[str]:
    if not any(column["of_patients"] for column in found["columns"]):
        return []
    patients = "; ".join(
        f"{split_name(entry['set'])} {count(entry['n_patients'])}"
        for entry in found["by_outcome"]
        if entry["set"] != ALL
    )
    return [f"* Each patient counts once, under the highest class among the nodules (patients: {patients})."]


def table_one_frames(evidence: dict[str, Any]) -> dict[str, DataFrame]:
    """Return ``table_one``: one row a column, level, set and group, and one with the test of each column and set."""
    found = evidence.get("table_one")
    if not found:
        return {}
    titles = {column["name"]: column["title"] for column in found["columns"]}
    rows: list[dict[str, Any]] = []
    for entry in found["by_outcome"]:
        rows += _flat(titles, {"compared": "outcome", "set": entry["set"]}, entry["rows"])
    if found["by_set"]:
        rows += _flat(titles, {"compared": "set", "set": ""}, found["by_set"]["rows"])
    return {"table_one": DataFrame(rows)}


def _flat(titles: dict[str, str], place: dict[str, str], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    flat: list[dict[str, Any]] = []
    for row in rows:
        named = {**place, "column": row["column"], "title": titles.get(row["column"], row["column"])}
        smd = {f"smd_{name}": (row["smd"] or {}).get(name) for name in ("estimate", "low", "high", "note")}
        smd["smd_pair"] = " | ".join((row["smd"] or {}).get("pair", []))
        test = {name: row["test"].get(name) for name in ("method", "statistic", "p", "note")}
        flat.append({**named, "group": "compared", **test, **smd})
        for group, facts in row["groups"].items():
            own = {**named, "group": group, "n": facts["n"], "missing": facts["missing"]}
            if "counts" not in facts:
                flat.append({**own, **{name: facts[name] for name in ("mean", "sd", "median", "q1", "q3")}})
                continue
            flat += [
                {**own, "level": level, "count": number_of, "share": number_of / facts["n"] if facts["n"] else None}
                for level, number_of in facts["counts"].items()
            ]
    return flat


SUBJECT = Subject("table_one", "Table 1: what the cases are like", table_one, show_table_one, table_one_frames)
