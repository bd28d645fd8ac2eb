"""``metadata.csv`` of the Stanford cine-clip set: one row a nodule, its descriptors as ACR TI-RADS points.

Points are turned into the cohort's codes only where one term of the ACR lexicon has them: two points of composition are
'solid', but none may be 'cystic' or 'spongiform', and two points of margin 'lobulated' or 'irregular'.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from isthmus.errors import TableError
from isthmus.tables.text import read_cells

_SEX: Final = {"f": "F", "female": "F", "m": "M", "male": "M"}
_CODES: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "ti-rads_composition": ("composition", {"1": "mixed", "2": "solid"}),
    "ti-rads_echogenicity": ("echogenicity", {"0": "anechoic", "2": "hypoechoic", "3": "very_hypoechoic"}),
    "ti-rads_shape": ("shape", {"0": "wider_than_tall", "3": "taller_than_wide"}),
    "ti-rads_margin": ("margin", {"3": "extrathyroidal_extension"}),
    "ti-rads_echogenicfoci": ("echogenic_foci", {"1": "macrocalcifications", "2": "peripheral_calcifications"}),
}
"""Column to the cohort's column, and points to the one code that has them. Foci add up: 3 may be 1 + 2 or punctate."""

_SIDES: Final = ("size_x", "size_y", "size_z")
_NEEDED: Final = ("annot_id", "histopath_diagnosis")
_LARGEST_CM: Final = 30.0


@dataclass(frozen=True)
class Nodule:
    """One row: the columns of patient and nodule, and what could not be taken over."""

    patient_id: str
    label: str
    patient: dict[str, Any]
    values: dict[str, Any]
    notes: list[str] = field(default_factory=list)


def read_nodules(path: Path) -> tuple[dict[str, Nodule], list[tuple[str, str]]]:
    """Return the nodules by ``annot_id``, and (row, reason) for each row that cannot be used.

    Raises
    ------
    TableError
        When the file cannot be read or lacks a column that is needed.
    """
    cells = read_cells(path)
    missing = [column for column in _NEEDED if column not in cells.header]
    if missing:
        raise TableError(
            f"it has no column {', '.join(missing)}", where=str(path), expected="metadata.csv as published"
        )
    nodules: dict[str, Nodule] = {}
    wrong = []
    for line, row in zip(cells.lines, cells.rows, strict=True):
        values = {name: cell.strip() for name, cell in zip(cells.header, row, strict=True)}
        annot_id = values["annot_id"]
        if not annot_id.split("_")[0]:
            wrong.append((f"line {line}", "it has no annot_id"))
        elif annot_id in nodules:
            wrong.append((f"line {line}", "its annot_id stands in an earlier line"))
        else:
            nodules[annot_id] = _nodule(annot_id, values)
    return nodules, wrong


def _nodule(annot_id: str, row: Mapping[str, str]) -> Nodule:
    notes: list[str] = []
    label = _whole(row["histopath_diagnosis"])
    if label not in ("0", "1"):
        notes.append("histopath_diagnosis is not 0 or 1: no label")
        label = ""
    age, sex = _number(row.get("age", "")), row.get("sex", "").lower()
    level = _whole(row.get("ti-rads_level", ""))
    sides = [side for name in _SIDES if (side := _number(row.get(name, ""))) and 0 < side <= _LARGEST_CM]
    values: dict[str, Any] = {
        "size_mm": round(10 * max(sides), 3) if sides else None,
        "tirads": f"TR{level}" if level in ("1", "2", "3", "4", "5") else "",
        "location": row.get("location", ""),
    }
    for name, (column, codes) in _CODES.items():
        points = _whole(row.get(name, ""))
        values[column] = codes.get(points, "")
        values[f"points_{column}"] = points
    patient = {"sex": _SEX.get(sex, ""), "age_years": age if age is not None and 0 <= age <= 130 else None}
    return Nodule(annot_id.split("_")[0], label, patient, values, notes)


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if abs(found) < 1e6 else None


def _whole(text: str) -> str:
    found = _number(text)
    return str(int(found)) if found is not None and found == int(found) and found >= 0 else ""
