"""A sheet of an .xlsx workbook as text: stored values, not formulas; numbers without '.0'; under limits."""

import math
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from isthmus.cohort.map_parts import nearest
from isthmus.cohort.raw_cells import MOST_CELLS, RawCells
from isthmus.errors import TableError

MOST_UNPACKED_BYTES: Final = 1 << 30
MOST_PARTS: Final = 5_000
_EXACT: Final = 10**15
"""From here on a workbook's numbers are rounded: it stores 15 digits."""
_ZEROS = re.compile(r"0+")
_NO_VALUE = "its value: it holds a formula that was never calculated; open the workbook, save it, or paste values"
_ROUNDED = (
    "every digit of the id: a number of more than 15 digits is rounded by the spreadsheet; format the column as "
    "text and enter it again"
)
_OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = b"PK\x03\x04"


def is_workbook(head: bytes) -> bool:
    """Return whether a file that begins so is a workbook, or one of the old kind that will be refused."""
    return head.startswith((_ZIP, _OLD))


def read_sheet(path: Path, name: str | None = None) -> RawCells:
    """Read one sheet.

    Parameters
    ----------
    path : Path
        An .xlsx or .xlsm file.
    name : str, optional
        The sheet; by default the first that holds a table, or the first.

    Returns
    -------
    RawCells

    Raises
    ------
    TableError
        When it is no workbook, encrypted, of the old .xls kind, beyond the limits, or has no such sheet.
    """
    with _workbook(path) as book:
        known = [sheet.title for sheet in book.worksheets]
        if name is not None and name not in known:
            raise TableError(f"no sheet {name!r}", where=path.name, hint=nearest(name, known))
        cells = RawCells()
        for title in [name] if name is not None else known:
            found = RawCells(title, origin="workbook", several=len(known) > 1)
            _take(found, book[title], path)
            cells = found if not cells.sheet or _is_table(found) else cells
            if _is_table(cells):
                break
        if name is None and cells.several:
            cells.origin = f"workbook, sheet {cells.sheet!r}, the first of {len(known)} that holds a table"
    with _workbook(path, values=False) as book:
        _find_uncalculated(cells, book[cells.sheet])
    return cells


def _is_table(cells: RawCells) -> bool:
    """Return whether a sheet holds two rows of two cells: a page of remarks does not."""
    return sum(sum(map(bool, row)) > 1 for row in cells.rows) > 1


def _take(cells: RawCells, sheet: Any, path: Path) -> None:
    count = 0
    sheet.reset_dimensions()  # exports often state a size that is not theirs
    for number, row in enumerate(sheet.iter_rows(), start=1):
        texts = []
        for column, cell in enumerate(row):
            text, wrong = _text(cell.value, getattr(cell, "number_format", "General"))
            texts.append(text)
            if wrong:
                cells.wrong[number, column] = wrong
        count += len(texts)
        if count > MOST_CELLS:
            raise TableError(f"the sheet has more than {MOST_CELLS:,} cells", where=path.name)
        cells.rows.append(texts)


def _find_uncalculated(cells: RawCells, sheet: Any) -> None:
    sheet.reset_dimensions()
    for number, row in enumerate(sheet.iter_rows(), start=1):
        for column, cell in enumerate(row):
            formula = getattr(cell, "data_type", "n") == "f" and cell.value is not None
            if formula and not cells.rows[number - 1][column]:
                cells.wrong[number, column] = _NO_VALUE


def _text(value: object, form: str) -> tuple[str, str]:
    """Return a cell's text, and what is wrong with it."""
    if value is None:
        return "", ""
    if isinstance(value, bool):
        return ("TRUE" if value else "FALSE"), ""
    if isinstance(value, int | float):
        return _number_text(value, form)
    if isinstance(value, datetime):
        return (value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ")), ""
    if isinstance(value, date | time | timedelta):
        return str(value), ""
    return str(value), ""


def _number_text(value: float, form: str) -> tuple[str, str]:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value), "a number"
    if value != int(value):
        return repr(value), ""
    if abs(value) >= _EXACT:
        return f"{value:.14E}", _ROUNDED
    text = str(int(value))
    # A column of the form 00000 shows 7 as 00007, and so it stands on the pictures.
    return (text.zfill(len(form)) if _ZEROS.fullmatch(form) and value >= 0 else text), ""


@contextmanager
def _workbook(path: Path, *, values: bool = True) -> Iterator[Any]:
    _check_package(path)
    book = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about drawings, styles and filters, which are not read
            book = load_workbook(path, read_only=True, data_only=values, keep_links=False)
            if not book.worksheets:
                raise TableError("the workbook has no sheet of cells", where=path.name)
            yield book
    except TableError:
        raise
    except (InvalidFileException, KeyError, ValueError, TypeError, AttributeError, IndexError, OSError) as error:
        raise _damaged(path) from error
    except (zipfile.BadZipFile, SyntaxError, EOFError, NotImplementedError) as error:
        raise _damaged(path) from error
    finally:
        if book is not None:
            book.close()


def _damaged(path: Path) -> TableError:
    return TableError(
        "this workbook is damaged, or no workbook", where=path.name, hint="open it and save it again as .xlsx"
    )


def _check_package(path: Path) -> None:
    """Refuse what would fill the memory before any of it is parsed; entities are refused by openpyxl's defusedxml."""
    with path.open("rb") as stream:
        if stream.read(8).startswith(_OLD):
            raise TableError(
                "this is an old .xls workbook, or one with a password",
                where=path.name,
                expected=".xlsx",
                hint="save it as .xlsx without a password",
            )
    try:
        with zipfile.ZipFile(path) as package:
            parts = package.infolist()
            size = sum(part.file_size for part in parts)
            if size > MOST_UNPACKED_BYTES or len(parts) > MOST_PARTS:
                raise TableError(
                    f"the workbook unpacks to {size:,} bytes in {len(parts):,} parts",
                    where=path.name,
                    expected=f"at most {MOST_UNPACKED_BYTES:,} bytes",
                    hint="keep the sheet alone and save it again, or save it as CSV",
                )
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise _damaged(path) from error
