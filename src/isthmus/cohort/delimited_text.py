"""CSV as hospitals export it: UTF-8 or GB18030, with comma, semicolon or tab; what it is is decided, and said."""

import csv
import io
from itertools import islice
from pathlib import Path
from statistics import median_low
from typing import Final

from isthmus.cohort.raw_cells import MOST_CELLS, RawCells
from isthmus.errors import TableError

MOST_BYTES: Final = 256 << 20
DELIMITERS: Final = {",": "commas", ";": "semicolons", "\t": "tabs"}
_LOOKED_AT: Final = 50
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def read_delimited(path: Path, *, encoding: str | None = None, delimiter: str | None = None) -> RawCells:
    """Read a text table.

    Parameters
    ----------
    path : Path
        The file.
    encoding : {'utf-8', 'gb18030'}, optional
        By default UTF-8 where every byte of the file is, else GB18030 where every byte is, else it is refused.
    delimiter : {',', ';', tab}, optional
        By default the one that parts the first rows into most columns.

    Raises
    ------
    TableError
        When it is too large, empty, of another encoding, or no CSV.
    """
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise TableError(f"the table has {size:,} bytes", where=path.name, expected=f"at most {MOST_BYTES:,}")
    content = path.read_bytes()
    if not content.strip():
        raise TableError("the table is empty", where=path.name, expected="a row of headings and rows below")
    text, found = _decode(content, path, encoding)
    sign = delimiter or _delimiter(text, path)
    cells = RawCells(origin=f"text, {found}, parted by {DELIMITERS[sign]}")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=sign, strict=True)
    count = 0
    try:
        for row in reader:
            cells.rows.append(row)
            count += len(row)
            if count > MOST_CELLS:
                raise TableError(f"the table has more than {MOST_CELLS:,} cells", where=path.name)
    except csv.Error as error:
        raise TableError(
            f"a row cannot be taken apart: {error}",
            where=f"{path.name}, line {reader.line_num}",
            hint="an unclosed quotation mark is the usual cause",
        ) from error
    return cells


def _decode(content: bytes, path: Path, encoding: str | None) -> tuple[str, str]:
    if content.startswith(_UTF_16):
        kinds = {"utf-16": "UTF-16"}
    elif b"\0" in content:
        raise TableError("this is no text", where=path.name, expected=".xlsx, or CSV in UTF-8 or GB18030")
    else:
        kinds = {"utf-8-sig": "UTF-8", "gb18030": "GB18030"}
    if encoding is not None:
        kinds = {kind: name for kind, name in kinds.items() if kind.startswith(encoding)} or kinds
    for kind, name in kinds.items():
        try:
            return content.decode(kind), name
        except UnicodeDecodeError:
            continue
    raise TableError(
        f"its bytes are not {' and not '.join(kinds.values())}",
        where=path.name,
        expected="text in UTF-8 or GB18030",
        hint="save it as 'CSV UTF-8'",
    )


def _delimiter(text: str, path: Path) -> str:
    """Return the delimiter that parts the first rows into most columns."""
    widths = {sign: _widths(text, sign) for sign in DELIMITERS}
    best = max(widths, key=lambda sign: widths[sign])
    rivals = [sign for sign in widths if sign != best and widths[sign] == widths[best] and widths[best] > 1]
    if rivals:
        raise TableError(
            f"{DELIMITERS[best]} and {DELIMITERS[rivals[0]]} part the rows alike",
            where=path.name,
            hint="name the right one in the map: `table: {delimiter: ...}`",
        )
    return best


def _widths(text: str, sign: str) -> int:
    try:
        rows = [row for row in islice(csv.reader(io.StringIO(text, newline=""), delimiter=sign), _LOOKED_AT) if row]
    except csv.Error:
        return 0
    return median_low([len(row) for row in rows]) if rows else 0
