"""Contract 1: the tables of a cohort folder, as pandera schemas. Columns outside a schema (labels) are allowed."""

import re
from collections.abc import Mapping
from typing import Any

import pandera.pandas as pa

from isthmus.tables import vocabulary

_BOX_WORDS = "four numbers 'x0 y0 x1 y1' in source pixels with 0 <= x0 < x1 and 0 <= y0 < y1"
_PATH_WORDS = "a path inside the cohort folder, with '/' and without '..'"


def parse_box(text: object) -> tuple[float, float, float, float]:
    """Turn ``'x0 y0 x1 y1'`` into four floats; x1 and y1 are exclusive.

    Parameters
    ----------
    text : str
        Four numbers in source pixels, separated by blanks.

    Returns
    -------
    tuple of float
        ``(x0, y0, x1, y1)``.

    Raises
    ------
    ValueError
        When it is anything else, or the box is empty.

    Examples
    --------
    >>> parse_box("20 10 250 230")
    (20.0, 10.0, 250.0, 230.0)
    """
    parts = str(text).split()
    if len(parts) != 4 or not all(re.fullmatch(r"\d+(\.\d+)?", part) for part in parts):
        raise ValueError(_BOX_WORDS)
    x0, y0, x1, y1 = (float(part) for part in parts)
    if not (x0 < x1 and y0 < y1):
        raise ValueError(_BOX_WORDS)
    return x0, y0, x1, y1


def format_box(box: tuple[float, float, float, float]) -> str:
    """Write a box as a cohort table holds it; whole numbers without a decimal point.

    Examples
    --------
    >>> format_box((20.0, 10.5, 250.0, 230.0))
    '20 10.5 250 230'
    """
    return " ".join(f"{value:.6f}".rstrip("0").rstrip(".") for value in box)


def _good_box(text: object) -> bool:
    try:
        parse_box(text)
    except ValueError:
        return False
    return True


def _good_path(text: str) -> bool:
    parts = text.split("/")
    return not ("\\" in text or ":" in text or "\0" in text or any(part in {"", ".", ".."} for part in parts))


def _good_foci(text: str) -> bool:
    codes = text.split(" ")
    known = set(codes) <= set(vocabulary.ECHOGENIC_FOCI) and len(set(codes)) == len(codes)
    return known and ("none" not in codes or codes == ["none"])


def _check(function: Any, words: str) -> pa.Check:
    return pa.Check(function, element_wise=True, error=words)


_ID = _check(
    lambda text: text == text.strip() and text.isprintable() and len(text) <= 128,
    "an id of at most 128 printable characters without blanks at its ends",
)


def identifier(*, unique: bool = False, required: bool = True, nullable: bool = False) -> pa.Column:
    """Return a column of ids: text, never numbers, so that '007' stays."""
    return pa.Column(str, _ID, unique=unique, required=required, nullable=nullable, report_duplicates="exclude_first")


def coded(codes: Mapping[str, str], *, required: bool = False, nullable: bool = True) -> pa.Column:
    """Return a column that holds one of the vocabulary's codes."""
    words = "one of " + ", ".join(codes)
    check = pa.Check(lambda column: column.isin(list(codes)), error=words)
    return pa.Column(str, check, required=required, nullable=nullable)


def number(low: float, high: float, *, required: bool = False, nullable: bool = True) -> pa.Column:
    """Return a column of numbers in the closed range ``low`` … ``high``."""
    check = pa.Check(lambda column: column.between(low, high), error=f"a number from {low:g} to {high:g}")
    return pa.Column(float, check, required=required, nullable=nullable)


def probability(*, nullable: bool) -> pa.Column:
    """Return the columns ``p_<class>``."""
    check = pa.Check(lambda column: column.between(0, 1), error="a probability from 0 to 1")
    return pa.Column(float, check, required=False, nullable=nullable, regex=True)


def whole(low: int, *, required: bool = True, nullable: bool = False) -> pa.Column:
    """Return a column of whole numbers of at least ``low``; a nullable one is held as float."""
    check = _check(lambda value: value >= low and value == int(value), f"a whole number of at least {low}")
    return pa.Column(float if nullable else int, check, required=required, nullable=nullable)


def text(*, required: bool = False, nullable: bool = True) -> pa.Column:
    """Return a column of any text."""
    return pa.Column(str, required=required, nullable=nullable)


def _box(*, required: bool = False, nullable: bool = True) -> pa.Column:
    return pa.Column(str, _check(_good_box, _BOX_WORDS), required=required, nullable=nullable)


def _path(*, required: bool = False, nullable: bool = True) -> pa.Column:
    return pa.Column(str, _check(_good_path, _PATH_WORDS), required=required, nullable=nullable)


PATIENTS = pa.DataFrameSchema(
    {
        "patient_id": identifier(unique=True),
        "site": identifier(),
        "sex": coded(vocabulary.SEX),
        "age_years": number(0, 130),
    },
    name="patients",
)

NODULES = pa.DataFrameSchema(
    {
        "nodule_id": identifier(unique=True),
        "patient_id": identifier(),
        "group_id": identifier(required=False, nullable=True),
        "reference": coded(vocabulary.REFERENCE),
        "sampling": coded(vocabulary.SAMPLING),
        "size_mm": number(0, 300),
        "composition": coded(vocabulary.COMPOSITION),
        "echogenicity": coded(vocabulary.ECHOGENICITY),
        "shape": coded(vocabulary.SHAPE),
        "margin": coded(vocabulary.MARGIN),
        "echogenic_foci": pa.Column(
            str,
            _check(_good_foci, "codes separated by one blank: " + ", ".join(vocabulary.ECHOGENIC_FOCI)),
            required=False,
            nullable=True,
        ),
        "tirads": coded(vocabulary.TIRADS),
        "split": coded(vocabulary.FIXED_SPLIT),
    },
    name="nodules",
)

VIEWS = pa.DataFrameSchema(
    {
        "view_id": identifier(unique=True),
        "nodule_id": identifier(),
        "exam_id": identifier(required=False, nullable=True),
        "acquisition_id": identifier(required=False, nullable=True),
        "modality": coded(vocabulary.MODALITY, required=True, nullable=False),
        "plane": text(),
        "path": _path(required=True, nullable=False),
        "region": _box(),
        "panel": coded(vocabulary.PANEL),
        "mask": _path(),
        "box": _box(),
        "region_source": coded(vocabulary.REGION_SOURCE),
        "spacing_mm": number(0.001, 10),
        "frame_rate_hz": number(0.1, 10_000),
        "device": text(),
    },
    name="views",
)

BOXES = pa.DataFrameSchema(
    {"view_id": identifier(), "frame": whole(0), "box": _box(required=True, nullable=False)}, name="boxes"
)

READS = pa.DataFrameSchema(
    {
        "reader_id": identifier(),
        "experience": coded(vocabulary.EXPERIENCE),
        "condition": text(required=True, nullable=False),
        "session": text(),
        "order": whole(0, required=False, nullable=True),
        "target": text(required=True, nullable=False),
        "unit_id": identifier(),
        "score": number(-1e9, 1e9),
        "call": text(),
        "^p_.+$": probability(nullable=True),
        "seconds": number(0, 86_400),
    },
    name="reads",
)

EXCLUDED = pa.DataFrameSchema(
    {
        "patient_id": identifier(),
        "stage": text(required=True, nullable=False),
        "reason": text(required=True, nullable=False),
    },
    name="excluded",
)
