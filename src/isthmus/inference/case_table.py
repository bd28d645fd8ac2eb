"""A table of cases to score: a row a picture or clip, with what is known of its case."""

from pathlib import Path
from typing import Final

from isthmus.cohort.perfusion import dynamic_range
from isthmus.errors import InputError, TableError
from isthmus.inference.fused_case import Case, View
from isthmus.tables.text import Cells, read_cells

REQUIRED: Final = ("case_id", "modality", "path")
OF_THE_VIEW: Final = (*REQUIRED, "box", "mask", "scan_area", "frame_rate_hz", "dynamic_range_db")
"""Columns of the file; every other one is known of the case."""

_SHOWN: Final = 20


def read_case_table(path: Path) -> list[Case]:
    """Read cases from CSV.

    Parameters
    ----------
    path : Path
        Comma-delimited UTF-8: `case_id`, `modality` (or a member's name), `path`; optionally `box`, `mask`,
        `scan_area`, `frame_rate_hz`, `dynamic_range_db`; every other column is known of the case, and stands in one of
        its rows or is the same in all. Files are found from the table's folder.

    Returns
    -------
    list of Case
        In the order in which they first stand.

    Raises
    ------
    TableError
        With every bad row.
    """
    path = Path(path)
    cells = read_cells(path)
    missing = [name for name in REQUIRED if name not in cells.header]
    if missing or len(set(cells.header)) < len(cells.header):
        what = f"no column {missing[0]!r}" if missing else "a column stands twice"
        raise TableError(what, where=path.name, expected=", ".join(OF_THE_VIEW) + " and what is known of the cases")
    views: dict[str, dict[str, list[View]]] = {}
    known: dict[str, dict[str, str]] = {}
    faults: list[str] = []
    for line, row in _rows(cells):
        try:
            view = _view(row, path.parent)
            _add(known.setdefault(row["case_id"], {}), row)
        except InputError as error:
            faults.append(f"line {line}: {error}")
            continue
        views.setdefault(row["case_id"], {}).setdefault(row["modality"], []).append(view)
    if faults:
        rest = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        raise TableError("; ".join(faults[:_SHOWN]) + rest, where=path.name)
    if not views:
        raise TableError("the table has no row", where=path.name, expected="one a picture or clip")
    return [Case(own, dict(known[name]), name) for name, own in views.items()]


def _rows(cells: Cells) -> list[tuple[int, dict[str, str]]]:
    return [
        (line, {name: text.strip() for name, text in zip(cells.header, row, strict=True)})
        for line, row in zip(cells.lines, cells.rows, strict=True)
    ]


def _view(row: dict[str, str], folder: Path) -> View:
    for name in REQUIRED:
        if not row[name]:
            raise InputError(f"{name} is empty")
    mask, rate, decibels = row.get("mask"), row.get("frame_rate_hz"), row.get("dynamic_range_db")
    return View(
        _there(folder / row["path"]),
        row.get("box") or None,
        _there(folder / mask) if mask else None,
        row.get("scan_area") or None,
        _rate(rate) if rate else None,
        dynamic_range(decibels) if decibels else None,
    )


def _there(path: Path) -> Path:
    if not path.exists():
        raise InputError(f"no file {path.name}", expected="a path from the table's folder")
    return path


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < float("inf"):
        raise InputError(f"frame_rate_hz is {text!r}", expected="a number above 0")
    return rate


def _add(known: dict[str, str], row: dict[str, str]) -> None:
    """Add what a row knows of its case."""
    for name, text in row.items():
        if name in OF_THE_VIEW or not text:
            continue
        if known.setdefault(name, text) != text:
            raise InputError(f"{name} is {text!r}, and {known[name]!r} in another row of case {row['case_id']}")
