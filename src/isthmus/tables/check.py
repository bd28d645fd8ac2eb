"""Read a table against its schema and report every bad value at once, with file, line, column and expectation."""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

from isthmus.errors import TableError
from isthmus.files import atomic_path
from isthmus.tables.text import read_cells

SHOWN = 20
_NUMBERS = {"float64": "a number", "int64": "a whole number"}


@dataclass(frozen=True)
class BadValue:
    """One cell, or one missing column, that breaks a contract.

    Parameters
    ----------
    file : str
        The table's file.
    line : int
        The line of a CSV file (the header is line 1), or the row of a Parquet file counted the same way.
    column : str
        Column name.
    value : str
        What stands there; empty for a blank cell or a missing column.
    expected : str
        What would have been right.
    """

    file: str
    line: int
    column: str
    value: str
    expected: str

    def __str__(self) -> str:
        shown = repr(self.value) if self.value else "blank"
        return f"{self.file}, line {self.line}, column {self.column!r}: {shown}; expected {self.expected}"


def bad_cells(file: str, cells: pd.Series, expected: str) -> list[BadValue]:
    """Return each cell of a column (named, indexed by line) as a bad value with one expectation."""
    return [
        BadValue(file, line, str(cells.name), "" if pd.isna(value) else str(value), expected)
        for line, value in zip(cells.index.tolist(), cells.tolist(), strict=True)
    ]


def raise_bad_values(bad: Sequence[BadValue]) -> None:
    """Raise one :class:`TableError` that lists the first 20 of ``bad`` and counts the rest; nothing when empty."""
    if not bad:
        return
    listed = "".join(f"\n  {value}" for value in bad[:SHOWN])
    rest = f"\n  and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
    raise TableError(f"{len(bad)} bad value{'s' if len(bad) > 1 else ''}:{listed}{rest}")


def read_table(path: Path | str, schema: pa.DataFrameSchema) -> pd.DataFrame:
    """Read a CSV or Parquet table and check it whole.

    Parameters
    ----------
    path : Path
        ``*.parquet``, or comma-delimited UTF-8 text under any other name.
    schema : pandera.pandas.DataFrameSchema
        Columns with dtype ``str``, ``float`` or ``int``; a check's ``error`` says what is expected.

    Returns
    -------
    DataFrame
        Text stays text ('007'), blank cells are missing values, columns outside the schema are kept as text. The
        index is each row's line in the file.

    Raises
    ------
    TableError
        When the file cannot be read, or with all its bad values.
    """
    frame, bad = inspect_table(path, schema)
    raise_bad_values(bad)
    return frame


def inspect_table(path: Path | str, schema: pa.DataFrameSchema) -> tuple[pd.DataFrame, list[BadValue]]:
    """Do what :func:`read_table` does, but return the bad values beside the frame (bad numbers are missing in it)."""
    path = Path(path)
    frame = _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
    bad = [
        BadValue(str(path), 1, name, "", _missing_column(name, frame.columns))
        for name, column in schema.columns.items()
        if column.required and not column.regex and name not in frame.columns
    ]
    bad += _convert(frame, schema, str(path))
    bad += _validate(frame, schema, str(path), skip={(value.line, value.column) for value in bad})
    return frame, sorted(bad, key=lambda value: value.line)


def write_table(path: Path | str, frame: pd.DataFrame) -> None:
    r"""Write a table atomically, as Parquet or CSV by its suffix.

    CSV is UTF-8 with ``\n`` line ends and the shortest digits that read back to the same float; the index is not
    written.

    Raises
    ------
    OutputError
        When the disk is full, read-only or not ours.
    """
    path = Path(path)
    with atomic_path(path) as temporary:
        if path.suffix == ".parquet":
            frame.to_parquet(temporary, index=False)
        else:
            frame.to_csv(temporary, index=False, lineterminator="\n", encoding="utf-8")


def _read_csv(path: Path) -> pd.DataFrame:
    cells = read_cells(path)
    columns: Iterable[Sequence[str]] = zip(*cells.rows, strict=True) if cells.rows else [()] * len(cells.header)
    data = {
        name: pd.array([cell or None for cell in column], dtype="str")
        for name, column in zip(cells.header, columns, strict=True)
    }
    return pd.DataFrame(data, index=pd.Index(cells.lines, dtype="int64"))


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path)
    except FileNotFoundError as error:
        raise TableError("no such file", where=str(path)) from error
    except (OSError, ValueError) as error:
        raise TableError("this is not a readable Parquet file", where=str(path)) from error
    frame.index = pd.RangeIndex(2, len(frame) + 2)
    return frame


def _missing_column(name: str, found: pd.Index) -> str:
    near = difflib.get_close_matches(name, [str(column) for column in found], n=1)
    return f"a column named {name!r}" + (f" (there is {near[0]!r})" if near else "")


def _named(schema: pa.DataFrameSchema, frame: pd.DataFrame) -> list[tuple[str, Any]]:
    pairs = []
    for name, column in schema.columns.items():
        names = [str(found) for found in frame.columns if re.match(name, str(found))] if column.regex else [name]
        pairs += [(found, column) for found in names if found in frame.columns]
    return pairs


def _convert(frame: pd.DataFrame, schema: pa.DataFrameSchema, file: str) -> list[BadValue]:
    bad = []
    for name, column in _named(schema, frame):
        kind = str(column.dtype)
        values = frame[name]
        if kind not in _NUMBERS:
            frame[name] = as_text(values)
            continue
        numbers = pd.to_numeric(values, errors="coerce").astype("float64")
        wrong = values.notna() & ~np.isfinite(numbers)
        if kind == "int64":
            wrong |= values.notna() & (numbers != np.floor(numbers))
        bad += bad_cells(file, values[wrong], _NUMBERS[kind])
        numbers[wrong] = np.nan
        frame[name] = numbers.astype("int64") if kind == "int64" and not numbers.isna().any() else numbers
    return bad


def as_text(values: pd.Series) -> pd.Series:
    """Return a column as text: 7 and 7.0 become '7', an empty text becomes a missing value."""
    if not pd.api.types.is_string_dtype(values.dtype):
        values = values.map(_one_as_text, na_action="ignore").astype("str")
    return values.mask(values == "")


def _one_as_text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _validate(frame: pd.DataFrame, schema: pa.DataFrameSchema, file: str, skip: set[tuple[int, str]]) -> list[BadValue]:
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as errors:
        failures = errors.failure_cases
    else:
        return []
    bad = []
    for failure in failures.itertuples(index=False):
        name, line = str(failure.column), failure.index
        if line is None or pd.isna(line) or (int(line), name) in skip or str(failure.check).startswith("dtype("):
            continue  # whole-column failures (absent, not yet converted) are reported by the steps before
        value = "" if failure.failure_case is None or pd.isna(failure.failure_case) else str(failure.failure_case)
        bad.append(BadValue(file, int(line), name, value, _expectation(str(failure.check))))
    return bad


def _expectation(check: str) -> str:
    return {"not_nullable": "a value", "field_uniqueness": "a value that stands in no other row"}.get(check, check)
