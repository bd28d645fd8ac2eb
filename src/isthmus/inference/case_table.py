"""A table of cases to score: a row a picture or clip, with what is known of its case."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from isthmus.cohort.perfusion import dynamic_range
from isthmus.errors import InputError, TableError
from isthmus.inference.fused_case import Case, View
from isthmus.tables.cohort import PATIENTS
from isthmus.tables.text import Cells, read_cells

REQUIRED: Final = ("case_id", "modality", "path")
OF_THE_VIEW: Final = (*REQUIRED, "nodule_id", "box", "mask", "scan_area", "frame_rate_hz", "dynamic_range_db")
"""Columns of the file; every other one is known of the case, or of the nodule."""

_SHOWN: Final = 20


def read_case_table(path: Path) -> list[Case]:
    """Read cases from CSV.

    Parameters
    ----------
    path : Path
        Comma-delimited UTF-8: `case_id`, `modality` (or a member's name), `path`; optionally `box`, `mask`,
        `scan_area`, `frame_rate_hz`, `dynamic_range_db`; every other column is known of the case, and stands in one of
        its rows or is the same in all. Files are found from the table's folder. With `nodule_id` a case is a patient:
        columns of `patients.csv` (contract 1) are known of the patient, every other one of the nodule in whose rows it
        stands.

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
    cases: dict[str, _Gathered] = {}
    case_of: dict[str, str] = {}
    faults: list[str] = []
    for line, row in _rows(cells):
        try:
            nodule = _nodule(row, case_of)
            view = _view(row, path.parent)
            cases.setdefault(row["case_id"], _Gathered()).add(row, nodule, view)
        except InputError as error:
            faults.append(f"line {line}: {error}")
    if faults:
        rest = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        raise TableError("; ".join(faults[:_SHOWN]) + rest, where=path.name)
    if not cases:
        raise TableError("the table has no row", where=path.name, expected="one a picture or clip")
    return [Case(own.views, own.known, name, own.of_nodules) for name, own in cases.items()]


@dataclass
class _Gathered:
    """What the rows of a case say, row by row."""

    views: dict[str, list[View]] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)
    of_nodules: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, row: dict[str, str], nodule: str, view: View) -> None:
        other = next((one.nodule for views in self.views.values() for one in views), nodule)
        if bool(other) != bool(nodule):
            raise InputError(
                f"nodule_id is {nodule or 'empty'}, and {other or 'empty'} in another row of case {row['case_id']}"
            )
        for name, text in row.items():
            if name in OF_THE_VIEW or not text:
                continue
            of_nodule = nodule and name not in PATIENTS.columns
            own = self.of_nodules.setdefault(nodule, {}) if of_nodule else self.known
            if own.setdefault(name, text) != text:
                whose = f"nodule {nodule}" if of_nodule else f"case {row['case_id']}"
                raise InputError(f"{name} is {text!r}, and {own[name]!r} in another row of {whose}")
        self.views.setdefault(row["modality"], []).append(view)


def _nodule(row: dict[str, str], case_of: dict[str, str]) -> str:
    """Return the nodule of a row, whose case is kept; '' where it names none."""
    nodule, case = row.get("nodule_id", ""), row["case_id"]
    if not nodule:
        return ""
    if not case:
        raise InputError(f"nodule {nodule} has no patient: case_id is empty")
    if case_of.setdefault(nodule, case) != case:
        raise InputError(f"nodule {nodule} is of case {case}, and of case {case_of[nodule]} in another row")
    return nodule


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
        row.get("nodule_id", ""),
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
