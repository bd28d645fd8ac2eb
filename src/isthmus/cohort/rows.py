"""The rows of a hospital's table as the map understands them, and every cell that it does not."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import pandas as pd

from isthmus.cohort.cell_values import ID_COLUMNS, NotUnderstood, identifier, looks_scientific, meaning, tidy
from isthmus.cohort.dates import WORDS, order_of, parse_date, year_is_last
from isthmus.cohort.decimal_commas import has_decimal_commas, with_points
from isthmus.cohort.map_parts import Source, TargetSource, nearest
from isthmus.cohort.mapping import CohortMap
from isthmus.cohort.source_table import CellFault, SourceTable
from isthmus.errors import InputError
from isthmus.imaging.clip import Box
from isthmus.tables.cohort import parse_box

PATIENT_COLUMNS = ("site", "sex", "age_years")
NUMBERS = ("age_years", "size_mm", "frame_rate_hz")
AT_FIRST = ("age_years", "size_mm", "exam_id", "modality", "plane", "device", "frame_rate_hz", "frame")
"""Columns that may differ from row to row: the earliest row's stands for the patient or the nodule."""


@dataclass
class UnderstoodRows:
    """A table's rows in our columns.

    Parameters
    ----------
    values : DataFrame
        Text by our column, '' for blank, with the table's row numbers.
    table : SourceTable
        What was read.
    days : dict of int to date
        A row's day of examination, where it has one.
    boxes : dict of int to Box
        A row's box, where it has one.
    left_out : dict of int to str
        Rows that cannot be used, and why.
    faults : list of CellFault
        Every cell that could not be used, the table's own among them.
    notes : list of (str, str)
        Headings, and how their columns were read where that had to be found out.
    """

    values: pd.DataFrame
    table: SourceTable
    days: dict[int, date] = field(default_factory=dict)
    boxes: dict[int, Box] = field(default_factory=dict)
    left_out: dict[int, str] = field(default_factory=dict)
    faults: list[CellFault] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)

    def value(self, row: int, column: str) -> str:
        """Return a row's value in one of our columns; '' where there is none."""
        return str(self.values.at[row, column]) if column in self.values.columns else ""


def understand(table: SourceTable, mapping: CohortMap) -> UnderstoodRows:
    """Read a table's rows by a map.

    Returns
    -------
    UnderstoodRows

    Raises
    ------
    InputError
        When the map names a heading that the table does not have, with the nearest; all of them at once.
    """
    _check_headings(table, mapping)
    rows = UnderstoodRows(pd.DataFrame(index=table.frame.index), table, faults=list(table.faults))
    sources: dict[str, Source | TargetSource] = {**mapping.all_sources(), **mapping.targets}
    for column, source in sources.items():
        if column != "exam_date":
            rows.values[column] = _column(table, rows, column, source)
    if mapping.columns.exam_date is not None:
        _read_dates(table, rows, mapping.columns.exam_date)
    _read_boxes(table, rows, mapping)
    _check_join_ids(table, rows, mapping)
    _check_agreement(table, rows, mapping)
    rows.faults = [
        _without_names(fault, table, mapping) for fault in sorted(rows.faults, key=lambda fault: fault.order)
    ]
    return rows


def nodule_keys(rows: UnderstoodRows, mapping: CohortMap) -> list[str]:
    """Return what each row is about, its nodule, in one text a row; rows without a patient are alone."""
    keys = []
    for row in rows.values.index:
        patient = rows.value(row, "patient_id")
        own = f"row {row}" if mapping.nodules == "one_per_row" and mapping.columns.nodule_id is None else ""
        keys.append("\0".join((patient, rows.value(row, "nodule_id") or own)) if patient else f"row {row}")
    return keys


def _check_headings(table: SourceTable, mapping: CohortMap) -> None:
    known = [str(heading) for heading in table.frame.columns]
    lost = [heading for heading in [*mapping.headings(), *mapping.identifying] if heading not in known]
    if lost:
        listed = "".join(f"\n  {heading!r}: {nearest(heading, known)}" for heading in lost)
        raise InputError(f"the map names headings that are not in the table:{listed}", where=table.file)


def _column(table: SourceTable, rows: UnderstoodRows, column: str, source: Source | TargetSource) -> list[str]:
    heading = source.heading
    if heading is None:
        constant = source.constant if isinstance(source, Source) else None
        return [constant or ""] * len(table.frame)
    known = [fault for fault in table.faults if fault.heading == heading]
    broken = {fault.cell for fault in known}
    found = []
    named = {tidy(key) for key in source.values}
    unnamed = [text for text in table.frame[heading] if tidy(text) not in named]
    commas = column in NUMBERS and _commas(rows, [heading], unnamed)
    for row, text in zip(table.frame.index, table.frame[heading], strict=True):
        value = ""
        try:
            value = meaning(column, with_points(text) if commas and tidy(text) not in named else text, source)
        except NotUnderstood as error:
            is_id = column in ID_COLUMNS
            words = str(error) if is_id else f"{error}; left blank"
            rows.faults.append(table.fault(row, heading, words, hidden=is_id and not looks_scientific(tidy(text))))
        if column == "patient_id" and not value:
            cell = f"{table.letters[heading]}{row}"
            rows.left_out[row] = f"there is no patient id that can be used in {cell}"
            if not tidy(text) and cell not in broken:
                rows.faults.append(table.fault(row, heading, "the patient's id; the row is left out"))
        found.append(value)
    return found


def _commas(rows: UnderstoodRows, headings: Sequence[str], texts: Iterable[object]) -> bool:
    """Return whether columns have decimal commas without doubt, and note it."""
    if not has_decimal_commas([tidy(text) for text in texts]):
        return False
    rows.notes.append((", ".join(headings), "its commas are read as decimal commas: 1,5 is one and a half"))
    return True


def _check_join_ids(table: SourceTable, rows: UnderstoodRows, mapping: CohortMap) -> None:
    """Report ids that only the join uses and that have lost their digits, or are missing."""
    told = {(fault.heading, fault.cell) for fault in rows.faults}
    for heading in mapping.join.match:
        for row, text in zip(table.frame.index, table.frame[heading], strict=True):
            if (heading, f"{table.letters[heading]}{row}") in told:
                continue
            if not tidy(text):
                rows.faults.append(table.fault(row, heading, "what its pictures are found by; they cannot be found"))
                continue
            try:
                identifier(text)
            except NotUnderstood as error:
                rows.faults.append(table.fault(row, heading, str(error)))
                rows.left_out.setdefault(row, f"the id in {table.letters[heading]}{row} has lost digits")


def _read_dates(table: SourceTable, rows: UnderstoodRows, source: Source) -> None:
    if source.heading is None:
        return
    cells = {row: tidy(text) for row, text in zip(table.frame.index, table.frame[source.heading], strict=True)}
    order = source.order or order_of(cells.values())
    year_last = [row for row, text in cells.items() if year_is_last(text)]
    mixed = 0 < len(year_last) < sum(map(bool, cells.values())) and source.order is None
    for row, text in cells.items():
        day = parse_date(text, order if not mixed else None)
        if day is not None:
            rows.days[row] = day
        elif text:
            words = WORDS
            if row in year_last:
                words += ", as in the other rows" if mixed else "; day and month could be either"
                words += " (or `order: day_first` or `month_first` in the map)"
            rows.faults.append(table.fault(row, source.heading, f"{words}; left blank"))


def _read_boxes(table: SourceTable, rows: UnderstoodRows, mapping: CohortMap) -> None:
    source = mapping.columns.box
    if source is None:
        return
    texts = [str(text) for heading in source.headings for text in table.frame[heading]]
    commas = len(source.headings) > 1 and _commas(rows, source.headings, texts)
    for row, cells in zip(table.frame.index, table.frame[source.headings].itertuples(index=False), strict=True):
        joined = " ".join(map(str, cells))
        text = tidy((with_points(joined) if commas else joined).replace(",", " "))
        if not text:
            continue
        try:
            if source.form == "size":
                x, y, width, height = (float(part) for part in text.split())
                text = f"{x} {y} {x + width} {y + height}"
            rows.boxes[row] = parse_box(text)
        except ValueError:
            words = "x0, y0, width and height" if source.form == "size" else "x0, y0, x1 and y1"
            rows.faults.append(table.fault(row, source.headings[0], f"{words} of a box in pixels; left blank"))


def _check_agreement(table: SourceTable, rows: UnderstoodRows, mapping: CohortMap) -> None:
    """Blank what the rows of one patient, or of one nodule, contradict each other in, and say where."""
    of_patient = [*PATIENT_COLUMNS, *(name for name, target in mapping.targets.items() if target.unit == "patient")]
    of_patient += [name for name, extra in mapping.extra.items() if extra.table == "patients"]
    nodules, patients = nodule_keys(rows, mapping), rows.values["patient_id"].tolist()
    for column, source in mapping.all_sources().items():
        if source.heading is None or column in (*AT_FIRST, "patient_id", "nodule_id", "exam_date"):
            continue
        whole = column in of_patient
        units = patients if whole else nodules
        doubtful: set[int] = set()
        for labels in _contradicting(rows, column, units):
            first = labels[0]
            for row in labels[1:]:
                if rows.value(row, column) != rows.value(first, column):
                    words = (
                        f"as in {table.letters[source.heading]}{first}: "
                        f"one {'patient' if whole else 'nodule'}, one value; left blank"
                    )
                    fault = table.fault(row, source.heading, words)
                    rows.faults.append(replace(fault, other=str(table.frame.at[first, source.heading])))
            doubtful.update(labels)
        rows.values.loc[rows.values.index.isin(doubtful), column] = ""


def _without_names(fault: CellFault, table: SourceTable, mapping: CohortMap) -> CellFault:
    """Return a fault without the value where that holds something identifying of its row."""
    row = fault.order[0]
    if row not in table.frame.index:
        return fault
    private = [tidy(table.frame.at[row, heading]) for heading in mapping.identifying]
    if not any(part and part in f"{fault.value} {fault.other} {fault.expected}" for part in private):
        return fault
    return replace(fault, hidden=True, expected="a value that the map knows and that names nobody; left blank")


def _contradicting(rows: UnderstoodRows, column: str, units: Iterable[str]) -> list[list[int]]:
    held: dict[str, list[int]] = defaultdict(list)
    for row, unit in zip(rows.values.index, units, strict=True):
        if unit and rows.value(row, column):
            held[unit].append(row)
    return [labels for labels in held.values() if len({rows.value(row, column) for row in labels}) > 1]
