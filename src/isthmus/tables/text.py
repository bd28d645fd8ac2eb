"""Take a CSV file apart into cells of text, each with its line; refuse another encoding or delimiter in one line."""

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from isthmus.errors import TableError

LARGEST_TABLE_BYTES = 1 << 30
_BYTE_ORDER_MARKS = {b"\xff\xfe\x00\x00": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_SAVE_AS = "save it as 'CSV UTF-8 (comma delimited)'"


@dataclass(frozen=True)
class Cells:
    """A CSV file as text.

    Parameters
    ----------
    header : list[str]
        Column names.
    rows : list[list[str]]
        One list of cells a row, each as long as the header.
    lines : list[int]
        The line of the file on which each row ends.
    """

    header: list[str]
    rows: list[list[str]]
    lines: list[int]


def read_cells(path: Path) -> Cells:
    """Read a comma-delimited UTF-8 file (a byte order mark is tolerated) as text.

    Parameters
    ----------
    path : Path
        The file; at most 1 GiB.

    Returns
    -------
    Cells
        Header, rows and line numbers; blank lines are passed over.

    Raises
    ------
    TableError
        When there is no such file, it is empty, too large, of another encoding or delimiter, or its rows are uneven.
    """
    text = read_text(path)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        header = next(reader, [])
        _check_header(header, text, path)
        for row in reader:
            if row:
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise TableError(f"this is not CSV: {error}", where=f"{path}, line {reader.line_num}") from error
    uneven = [(line, len(row)) for line, row in zip(lines, rows, strict=True) if len(row) != len(header)]
    if uneven:
        shown = ", ".join(f"line {line} has {count}" for line, count in uneven[:20])
        rest = f" and {len(uneven) - 20} more" if len(uneven) > 20 else ""
        raise TableError(
            f"rows of another length than the header: {shown}{rest}",
            where=str(path),
            expected=f"{len(header)} cells in every row",
            hint="quote cells that hold a comma",
        )
    return Cells(header, rows, lines)


def read_text(path: Path) -> str:
    """Return a UTF-8 file of at most 1 GiB as text; raise TableError where it is absent, empty or of another kind."""
    return _decode(_read_bytes(path), path)


def _read_bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > LARGEST_TABLE_BYTES:
            raise TableError(
                f"this table has {size} bytes", where=str(path), expected=f"at most {LARGEST_TABLE_BYTES} bytes"
            )
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise TableError("no such file", where=str(path)) from error
    except IsADirectoryError as error:
        raise TableError("this is a folder, not a table", where=str(path)) from error
    except PermissionError as error:
        raise TableError("no permission to read this file", where=str(path)) from error
    if not content.strip():
        raise TableError("this file is empty", where=str(path), expected="a header line and rows")
    return content


def _decode(content: bytes, path: Path) -> str:
    for mark, name in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            raise TableError(f"this file is {name}", where=str(path), expected="UTF-8", hint=_SAVE_AS)
    if b"\x00" in content:
        raise TableError(
            "this file holds NUL bytes: UTF-16 without a mark, or no text at all",
            where=str(path),
            expected="UTF-8",
            hint=_SAVE_AS,
        )
    if content.startswith(b"PK\x03\x04"):
        raise TableError("this is a ZIP container, such as an XLSX workbook", where=str(path), hint=_SAVE_AS)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TableError(
            f"this file is not UTF-8; its bytes look like {_likely_encoding(content)}",
            where=f"{path}, line {line}",
            expected="UTF-8",
            hint=_SAVE_AS,
        ) from error


def _likely_encoding(content: bytes) -> str:
    # Chinese text in GB18030 is nearly all pairs of high bytes; accented Latin letters stand alone among ASCII.
    runs = re.findall(rb"[\x81-\xfe]+", content)
    if runs and all(len(run) % 2 == 0 for run in runs):
        return "GB18030"
    return "a single-byte encoding such as Windows-1252"


def _check_header(header: list[str], text: str, path: Path) -> None:
    first = text.split("\n", 1)[0]
    commas = first.count(",")
    for sign, name in _DELIMITERS.items():
        if first.count(sign) > commas:
            raise TableError(
                f"the columns are separated by {name}", where=f"{path}, line 1", expected="commas", hint=_SAVE_AS
            )
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise TableError(f"columns named twice: {', '.join(map(repr, twice))}", where=f"{path}, line 1")
