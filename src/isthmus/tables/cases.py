"""What is known of each case beside its scores: one table, one row a unit, any columns."""

import re
from pathlib import Path
from typing import Final

import pandas as pd
import pandera.pandas as pa

from isthmus.errors import TableError
from isthmus.tables.check import BadValue, as_text, inspect_table, raise_bad_values
from isthmus.tables.cohort import NODULES, PATIENTS, identifier, text

CASES_TABLE: Final = "cases.csv"
"""Its name in a run's folder ``tables/``."""

IDENTIFIERS: Final = ("unit_id", "cohort", "nodule_id", "patient_id", "group_id", "exam_id", "site", "device", "split")
"""Columns that are names, and stay text when they look like numbers."""

_IDS = ("patient_id", "nodule_id", "group_id")
_SCHEMA = pa.DataFrameSchema(
    {
        # Columns of contract 1 keep its rules: codes of the vocabulary, ages and sizes in their ranges.
        **{name: column for name, column in PATIENTS.columns.items() if name not in _IDS},
        **{name: column for name, column in NODULES.columns.items() if name not in (*_IDS, "split")},
        **{name: identifier(required=False, nullable=True) for name in _IDS},
        "unit_id": identifier(),
        "cohort": text(),
        "site": text(),
    },
    name="cases",
)
_NUMBER = re.compile(r"[+-]?(0|[1-9]\d*)(\.\d*)?([eE][+-]?\d+)?|[+-]?\.\d+([eE][+-]?\d+)?")


def read_cases(path: Path | str) -> pd.DataFrame:
    r"""Read what is known of the cases.

    Parameters
    ----------
    path : Path
        CSV or Parquet: ``unit_id`` as in the predictions, ``cohort`` where there are several, and any other columns.
        Those of contract 1 (``age_years``, ``sex``, ``size_mm``, ``tirads``, descriptors, …) hold its codes.

    Returns
    -------
    DataFrame
        A column is numbers where all its cells are; one with a leading zero ('007'), and every identifier, is text.
        Blank cells are missing.

    Raises
    ------
    TableError
        With all bad rows: a blank or repeated ``unit_id`` (within a cohort), an unknown code, a number out of range.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "cases.csv"
    ...     _ = path.write_text("unit_id,ward,stiffness_kpa\n007,03,31\n8,11,\n")
    ...     read_cases(path).to_dict("list")
    {'unit_id': ['007', '8'], 'ward': ['03', '11'], 'stiffness_kpa': [31.0, nan]}
    """
    frame, bad = inspect_table(path, _SCHEMA)
    if frame.empty and not bad:
        raise TableError("this table has a header and no rows", where=str(path))
    raise_bad_values(sorted([*bad, *_repeated(frame, str(path))], key=lambda value: value.line))
    for name in frame.columns:
        frame[name] = as_text(frame[name]) if name in IDENTIFIERS else _numbers_or_text(frame[name])
    return frame.reset_index(drop=True)


def _repeated(frame: pd.DataFrame, file: str) -> list[BadValue]:
    if "unit_id" not in frame:
        return []
    keys = frame[["unit_id", "cohort"]] if "cohort" in frame else frame[["unit_id"]]
    repeated = keys.duplicated() & frame["unit_id"].notna()
    first = {key: line for line, key in reversed(list(zip(frame.index, _tuples(keys), strict=True)))}
    words = "a unit that stands in no other row" + (" of its cohort" if "cohort" in frame else "")
    return [
        BadValue(file, int(line), "unit_id", str(key[0]), f"{words} (also line {first[key]})")
        for line, key, again in zip(frame.index, _tuples(keys), repeated, strict=True)
        if again
    ]


def _tuples(keys: pd.DataFrame) -> list[tuple[str, ...]]:
    return [tuple(str(value) for value in row) for row in keys.itertuples(index=False)]


def _numbers_or_text(values: "pd.Series") -> "pd.Series":
    if pd.api.types.is_bool_dtype(values.dtype):
        return values.map({True: "yes", False: "no"}).astype("str")
    if pd.api.types.is_numeric_dtype(values.dtype):
        return values.astype("float64")
    cells = as_text(values)
    given = cells.dropna()
    if len(given) and given.map(lambda cell: _NUMBER.fullmatch(str(cell).strip()) is not None).all():
        return pd.to_numeric(cells.str.strip(), errors="coerce").astype("float64")
    return cells
