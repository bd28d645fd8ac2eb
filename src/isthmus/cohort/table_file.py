"""Read a hospital's table, a workbook or CSV, as text with the names of its cells."""

from collections import defaultdict
from pathlib import Path

import pandas as pd
from openpyxl.utils import get_column_letter

from isthmus.cohort.cell_values import tidy
from isthmus.cohort.delimited_text import read_delimited
from isthmus.cohort.map_parts import TableRule
from isthmus.cohort.raw_cells import MOST_COLUMNS, RawCells
from isthmus.cohort.source_table import CellFault, SourceTable
from isthmus.cohort.workbook import is_workbook, read_sheet
from isthmus.errors import TableError

_FIRST_ROWS = 20


def read_source_table(path: Path | str, rule: TableRule | None = None) -> SourceTable:
    """Read a table.

    Parameters
    ----------
    path : Path
        .xlsx, or text with commas, semicolons or tabs in UTF-8 or GB18030. The content decides, not the suffix.
    rule : TableRule, optional
        The map's ``table``; what it leaves out is found out.

    Returns
    -------
    SourceTable
        Ids are text: '007' stays, and 20231234 has no '.0'. Cells that cannot be read are blank, each a fault. Blank
        rows are passed over, columns of the same heading are told apart as ``病理 (column F)``.

    Raises
    ------
    TableError
        When it cannot be read as a whole, or has no rows.
    """
    path, rule = Path(path), rule or TableRule()
    cells = read_cells_of(path, rule)
    return table_of(cells, path.name, rule.header_row)


def read_cells_of(path: Path, rule: TableRule) -> RawCells:
    """Read a table's cells, before it is known which row holds the headings; errors as :func:`read_source_table`."""
    try:
        with path.open("rb") as stream:
            head = stream.read(8)
    except FileNotFoundError as error:
        raise TableError("no such table", where=str(path)) from error
    except IsADirectoryError as error:
        raise TableError("this is a folder, not a table", where=str(path)) from error
    except OSError as error:
        raise TableError(f"the table cannot be opened: {error.strerror}", where=str(path)) from error
    if is_workbook(head):
        return read_sheet(path, rule.sheet)
    return read_delimited(path, encoding=rule.encoding, delimiter=rule.delimiter)


def guess_header_row(cells: RawCells) -> int:
    """Return the row that holds the headings: the first of the widest ones, for a title above fills one cell or two."""
    filled = [sum(1 for cell in row if tidy(cell)) for row in cells.rows[:_FIRST_ROWS]]
    return next((number for number, count in enumerate(filled, start=1) if 2 * count > max(filled)), 1)


def table_of(cells: RawCells, file: str, header_row: int = 1) -> SourceTable:
    """Give a table's cells their headings."""
    if len(cells.rows) <= header_row:
        raise TableError(
            f"the table has {len(cells.rows)} rows and its headings stand in row {header_row}",
            where=file,
            expected="rows below them",
        )
    texts = [tidy(text) for text in cells.rows[header_row - 1]]
    while texts and not texts[-1]:
        texts.pop()
    if not any(texts):
        raise TableError(f"row {header_row} is blank", where=file, expected="headings", hint="table.header_row")
    if len(texts) > MOST_COLUMNS:
        raise TableError(f"the table has {len(texts)} columns", where=file, expected=f"at most {MOST_COLUMNS}")
    headings, faults = _headings(texts, cells, file, header_row)
    rows, labels = [], []
    for number, row in enumerate(cells.rows[header_row:], start=header_row + 1):
        found = [tidy(cell) for cell in row]
        if not any(found):
            continue
        if any(found[len(headings) :]):
            words = f"at most {len(headings)} cells, as there are headings; the row is left out"
            faults.append(CellFault(file, cells.sheet, f"row {number}", f"{len(found)} cells", words))
            continue
        rows.append((found + [""] * len(headings))[: len(headings)])
        labels.append(number)
    if not rows:
        raise TableError("the table has headings and no row", where=file)
    frame = pd.DataFrame(rows, columns=headings, index=labels, dtype=object)
    letters = {heading: get_column_letter(place + 1) for place, heading in enumerate(headings)}
    table = SourceTable(frame, file, cells.sheet, letters, faults, cells.origin)
    for (row_number, place), expected in sorted(cells.wrong.items()):
        if row_number in frame.index and place < len(headings):
            faults.append(table.fault(row_number, headings[place], expected))
            frame.at[row_number, headings[place]] = ""
    return table


def _headings(texts: list[str], cells: RawCells, file: str, row: int) -> tuple[list[str], list[CellFault]]:
    places: dict[str, list[int]] = defaultdict(list)
    for place, text in enumerate(texts):
        places[text].append(place)
    headings, faults = [], []
    for place, text in enumerate(texts):
        letter = get_column_letter(place + 1)
        if text and len(places[text]) == 1:
            headings.append(text)
            continue
        headings.append(f"{text} (column {letter})" if text else f"(column {letter})")
        if text and place != places[text][0]:
            first = get_column_letter(places[text][0] + 1)
            words = (
                f"a heading that stands once: it is in {first}{row} too; the map tells them apart as {headings[-1]!r}"
            )
            faults.append(CellFault(file, cells.sheet, f"{letter}{row}", text, words))
    return headings, faults
