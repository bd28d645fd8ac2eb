"""The readers' tables: on the page, and as CSV."""

from typing import Any, Final

from pandas import DataFrame

from isthmus.report.context import ReportContext
from isthmus.report.page_tables import Cell, Row, Table, interval_cell
from isthmus.report.reader_words import ARMS_NAMED, condition_words, group_words, named_arms
from isthmus.report.reading import MEASURES, count, number, p_in_words, split_name
from isthmus.report.reads import by_number

SET_BY_SIMULATION: Final = "set by the simulation"
_MEASURES: Final = ("auc", "macro_auc", "sensitivity", "specificity", "accuracy")
DIFFERENCES: Final = {
    "auc": "AUC",
    "sensitivity_at_specificity": "Sensitivity at the reader’s specificity",
    "specificity_at_sensitivity": "Specificity at the reader’s sensitivity",
    "sensitivity": "Sensitivity of the calls",
    "specificity": "Specificity of the calls",
    "accuracy": "Accuracy",
}
_ROWS: Final = 40
Found = dict[str, list[dict[str, Any]]]


def reader_tables(context: ReportContext, found: Found, split: str, *, simulated: bool) -> list[Table]:
    """Return the tables of one split."""
    made = [_each(context, found, split, simulated=simulated), *_arms_beside_the_mean(context, found)]
    made += [*_arms_beside_each(context, found), _conditions(found), _agreement(found), _with_arms(context, found)]
    return [table for table in [*made, _time(found)] if table.rows and table.columns]


def _each(context: ReportContext, found: Found, split: str, *, simulated: bool) -> Table:
    """Return each reader and condition, then the arms on the same units."""
    rows = found["rows"]
    measures = [name for name in _MEASURES if any((row.get(name) or {}).get("estimate") is not None for row in rows)]
    timed = any(row["seconds"] is not None for row in rows)
    columns = ["Condition", f"{context.evidence['unit'].capitalize()}s", *(MEASURES[name] for name in measures)]
    columns += [*(["Seconds, median"] if timed else []), *(["Origin"] if simulated else [])]
    shown = []
    for row in rows:
        arm = row["kind"] == "arm"
        name = context.title_of(row["name"]) if arm else f"{row['name']}, {row['experience']}".removesuffix(", ")
        condition = "the arm, same cases" if arm else condition_words(row["condition"])
        condition += f", session {row['session']}" if row["session"] else ""
        cells = [Cell(condition), Cell(count(row["n"])), *(_measured(row.get(name)) for name in measures)]
        cells += [Cell(number(row["seconds"], 0))] if timed else []
        cells += [Cell("model, simulated cases" if arm else SET_BY_SIMULATION)] if simulated else []
        shown.append(Row(name, cells, arm))
    return Table(split_name(split).capitalize(), columns, shown, first="Reader or arm")


def _measured(entry: dict[str, Any] | None) -> Cell:
    cell = interval_cell(entry)
    return Cell("–", (entry or {}).get("note", "")) if cell.main == "–" else cell


def _arms_beside_the_mean(context: ReportContext, found: Found) -> list[Table]:
    """Return a table a condition: each arm less the mean of all readers, and, of few arms, of each experience."""
    tables = []
    entries = [entry for entry in found["comparisons"] if entry["group"]]
    arms = list(dict.fromkeys(entry["a"] for entry in entries))
    for condition in dict.fromkeys(entry["condition"] for entry in entries):
        own = [entry for entry in entries if entry["condition"] == condition]
        groups = list(dict.fromkeys(entry["group"] for entry in own))
        if len(arms) > ARMS_NAMED:
            groups = groups[:1]
        named = [(context.title_of(arm), group, _pick(own, a=arm, group=group)) for arm in arms for group in groups]
        readers = max(entry["readers"] for entry in own)
        caption = f"Arms less the mean of the {readers} readers, {condition_words(condition)}"
        if len(groups) > 1:
            caption = f"Arms less the mean of readers, {condition_words(condition)}"
        rows = [
            (f"{arm} − {_mean_of(group, picked)}" if len(groups) > 1 else arm, picked)
            for arm, group, picked in named
            if picked
        ]
        tables.append(_differences(caption, rows, "Arm"))
    return tables


def _arms_beside_each(context: ReportContext, found: Found) -> list[Table]:
    """Return a table for the leading arms: the arm less each reader, under the first condition."""
    entries = [entry for entry in found["comparisons"] if entry["reader"]]
    tables = []
    primary = (context.evidence.get("primary") or {}).get("arm")
    arms = named_arms(context, found)
    for arm in [primary] if primary in arms else arms:
        own = [entry for entry in entries if (entry["a"], entry["condition"]) == (arm, entries[0]["condition"])]
        readers = list(dict.fromkeys(entry["reader"] for entry in own))
        caption = f"{context.title_of(arm)} less each reader, {condition_words(entries[0]['condition'])}"
        tables.append(_differences(caption, [(name, _pick(own, reader=name)) for name in readers], "Reader"))
    return tables


def _mean_of(group: str, picked: dict[str, dict[str, Any]]) -> str:
    readers = max(entry["readers"] for entry in picked.values())
    return f"all {readers} readers" if group == "all" else f"{readers} {group}"


def _general(note: str) -> bool:
    """Tell whether a note says what the section says once for all its tables."""
    return any(words in note for words in ("taken as fixed", "the result speaks of", "judged are left out"))


def _pick(entries: list[dict[str, Any]], **wanted: str) -> dict[str, dict[str, Any]]:
    return {entry["measure"]: entry for entry in entries if all(entry[name] == value for name, value in wanted.items())}


def _differences(caption: str, rows: list[tuple[str, dict[str, dict[str, Any]]]], first: str) -> Table:
    """Return a table of differences: beneath each its interval and Holm's p."""
    measures = [
        name
        for name in DIFFERENCES
        if any((picked.get(name) or {}).get("difference") is not None for _, picked in rows)
    ]
    units = {entry["n"] for _, picked in rows for entry in picked.values()}
    shown = []
    for name, picked in rows[:_ROWS]:
        cells = [_difference(picked.get(measure)) for measure in measures]
        sizes = sorted({entry["n"] for entry in picked.values()})
        own = [Cell(count(sizes[-1]) if sizes else "–")] if len(units) > 1 else []
        shown.append(Row(name, [*own, *cells]))
    columns = [*(["Cases"] if len(units) > 1 else []), *(DIFFERENCES[name] for name in measures)]
    said = (str(e["note"]) for _, picked in rows for e in picked.values() if e.get("note"))
    notes = [note for note in dict.fromkeys(part for text in said for part in text.split("; ")) if not _general(note)]
    more = [f"{len(rows) - _ROWS} more rows stand in tables/reader_comparisons.csv."] if len(rows) > _ROWS else []
    return Table(caption, columns, shown, [f"{note[:1].upper()}{note[1:]}." for note in notes[:4]] + more, first)


def _difference(entry: dict[str, Any] | None) -> Cell:
    if entry is None or entry["difference"] is None:
        return Cell("–", (entry or {}).get("note", ""))
    cell = interval_cell(entry)
    p = entry.get("p_holm", entry["p"])
    return Cell(cell.main, f"{cell.small}; {p_in_words(p)}" if cell.small else "no interval")


def _conditions(found: Found) -> Table:
    """Return the differences between conditions, of groups and of each reader."""
    entries = [entry for entry in found["multi_reader"] if entry["analysis"] == "OR" and entry["a"]]
    pairs = list(dict.fromkeys((entry["a"], entry["b"]) for entry in entries))
    rows: list[tuple[str, dict[str, dict[str, Any]]]] = []
    for a, b in pairs:
        own = [entry for entry in entries if (entry["a"], entry["b"]) == (a, b)]
        for group, reader in dict.fromkeys((entry["group"], entry["reader"]) for entry in own):
            picked = _pick(own, group=group, reader=reader)
            sample = next(iter(picked.values()))
            name = reader or f"{group_words(group)} ({sample['readers']})"
            rows.append((f"{name}: {a} − {b}" if len(pairs) > 1 else name, picked))
    caption = "Between conditions"
    if len(pairs) == 1:
        caption = f"{pairs[0][0].capitalize()} less {pairs[0][1]}, same readers and cases"
    table = _differences(caption, rows, "Readers")
    notes = [n for n in dict.fromkeys(note for entry in entries for note in entry["notes"]) if not _general(n)]
    return Table(table.caption, table.columns, table.rows, [f"{n[:1].upper()}{n[1:]}." for n in notes[:4]], "Readers")


def _agreement(found: Found) -> Table:
    """Return the agreement of groups of readers, a row a condition and group."""
    entries = [entry for entry in found["agreement"] if entry["kind"] == "readers"]
    measures = list(dict.fromkeys(entry["measure"] for entry in entries))
    rows = []
    for condition, group in dict.fromkeys((entry["condition"], entry["group"]) for entry in entries):
        own = [entry for entry in entries if (entry["condition"], entry["group"]) == (condition, group)]
        by_measure = {entry["measure"]: entry for entry in own}
        name = f"{group_words(group)} ({max(entry['readers'] for entry in own)}), {condition_words(condition)}"
        rows.append(Row(name, [_measured(by_measure.get(measure)) for measure in measures]))
    columns = [f"{measure[:1].upper()}{measure[1:]}" for measure in measures]
    warned = list(dict.fromkeys(entry["note"] for entry in entries if entry.get("note")))
    notes = [f"{note[:1].upper()}{note[1:]}." for note in warned[:3]]
    return Table("Agreement among readers", columns, rows, notes, "Readers")


def _with_arms(context: ReportContext, found: Found) -> Table:
    """Return each reader's kappa with the other readers, on the mean, and with the named arms."""
    entries = [entry for entry in found["agreement"] if entry["measure"] == "Cohen kappa"]
    conditions = list(dict.fromkeys(entry["condition"] for entry in entries if entry["kind"] in ("pair", "arm")))
    arms = [arm for arm in named_arms(context, found) if any(e["kind"] == "arm" and e["b"] == arm for e in entries)]
    rows = []
    for condition in conditions:
        own = [entry for entry in entries if entry["condition"] == condition]
        readers = {entry["a"] for entry in own} | {entry["b"] for entry in own if entry["kind"] == "pair"}
        for reader in sorted(readers, key=by_number):
            others = [e["estimate"] for e in own if e["kind"] == "pair" and reader in (e["a"], e["b"])]
            known = [value for value in others if value is not None]
            middle = Cell(number(sum(known) / len(known)), _range(known)) if known else Cell("–")
            again = next((e for e in own if e["kind"] == "sessions" and e["a"] == reader), None)
            beside = [
                next((e for e in own if (e["kind"], e["a"], e["b"]) == ("arm", reader, arm)), None) for arm in arms
            ]
            cells = [middle, *([_measured(again)] if _again(entries) else []), *map(_measured, beside)]
            rows.append(Row(f"{reader}, {condition_words(condition)}" if len(conditions) > 1 else reader, cells))
    columns = ["With the other readers, mean (lowest–highest)", *(["With themselves"] if _again(entries) else [])]
    columns += [f"With {context.title_of(arm)}" for arm in arms]
    return Table("Cohen’s kappa of each reader’s calls", columns, rows, first="Reader")


def _again(entries: list[dict[str, Any]]) -> bool:
    return any(entry["kind"] == "sessions" for entry in entries)


def _range(values: list[float]) -> str:
    return f"{number(min(values))}–{number(max(values))}" if len(values) > 1 else ""


def _time(found: Found) -> Table:
    medians = [entry for entry in found["time"] if entry["kind"] == "median"]
    ratios = [entry for entry in found["time"] if entry["kind"] == "ratio"]
    conditions = list(dict.fromkeys(entry["condition"] for entry in medians))
    others = list(dict.fromkeys(entry["condition"] for entry in ratios))
    rows = []
    for group in dict.fromkeys(entry["group"] for entry in medians):
        by_condition = {entry["condition"]: entry for entry in medians if entry["group"] == group}
        cells = [_quarters(by_condition.get(condition)) for condition in conditions]
        for condition in others:
            asked = (e for e in ratios if (e["condition"], e["group"], e["reader"]) == (condition, group, ""))
            cells.append(_measured(next(asked, None)))
        rows.append(Row(group_words(group), cells))
    columns = [f"Seconds, {condition_words(condition)}: median (quartiles)" for condition in conditions]
    columns += [f"Ratio, {condition} to unaided" for condition in others]
    return Table("Time per case", columns, rows, first="Readers")


def _quarters(entry: dict[str, Any] | None) -> Cell:
    if entry is None:
        return Cell("–")
    return Cell(number(entry["median"], 0), f"{number(entry['lower'], 0)}–{number(entry['upper'], 0)}")


def frames(evidence: dict[str, Any]) -> dict[str, DataFrame]:
    """Return ``readers``, ``reader_comparisons``, ``multi_reader``, ``agreement`` and ``reading_time``."""
    found = evidence.get("readers")
    if not found:
        return {}
    return {
        "readers": DataFrame(_reader_rows(found)),
        "reader_comparisons": DataFrame(found["comparisons"]),
        "multi_reader": DataFrame([_flat(entry) for entry in found["multi_reader"]]),
        "agreement": DataFrame(found["agreement"]),
        "reading_time": DataFrame(found["time"]),
    }


def _reader_rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for row in found["rows"]:
        named = {name: value for name, value in row.items() if not isinstance(value, dict)}
        if found["simulated"]:
            named["origin"] = SET_BY_SIMULATION if row["kind"] == "reader" else "model"
        limits = ("estimate", "low", "high", "level", "method", "note")
        rows += [
            {**named, "measure": name, **{key: value.get(key) for key in limits}}
            for name, value in row.items()
            if isinstance(value, dict)
        ]
    return rows


def _flat(entry: dict[str, Any]) -> dict[str, Any]:
    """Return an entry as one row: its notes as text, its overall test as columns."""
    overall = {f"overall_{name}": value for name, value in entry.get("overall", {}).items()}
    plain = {name: value for name, value in entry.items() if name not in ("notes", "overall")}
    return {**plain, **overall, "notes": "; ".join(entry["notes"])}
