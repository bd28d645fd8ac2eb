"""What a cell means in one of our columns: values by the map, lengths with their unit, codes, dates, ids."""

import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Final

from isthmus.cohort.map_parts import UNITS_MM, UNITS_YEARS, Source, TargetSource
from isthmus.tables import vocabulary

CODES: Final[Mapping[str, Mapping[str, str]]] = {
    "sex": vocabulary.SEX,
    "composition": vocabulary.COMPOSITION,
    "echogenicity": vocabulary.ECHOGENICITY,
    "shape": vocabulary.SHAPE,
    "margin": vocabulary.MARGIN,
    "echogenic_foci": vocabulary.ECHOGENIC_FOCI,
    "tirads": vocabulary.TIRADS,
    "reference": vocabulary.REFERENCE,
    "sampling": vocabulary.SAMPLING,
    "split": vocabulary.FIXED_SPLIT,
    "modality": vocabulary.MODALITY,
}
"""Columns that hold one of the vocabulary's codes."""
ID_COLUMNS = ("patient_id", "nodule_id", "exam_id", "site")
AGE_YEARS = (0.0, 120.0)
SIZE_MM = (0.5, 150.0)
"""No thyroid nodule is smaller or larger; a size outside is a slip of the unit or of the finger."""

RATE_HZ = (0.1, 10_000.0)
"""Frames a second that ``views.csv`` takes."""

_NUMBER = r"\d+(?:\.\d+)?"
_AGE = re.compile(rf"({_NUMBER})\s*(岁|周岁|月|个月|天|y|yrs?|years?|m|months?|d|days?)?", re.IGNORECASE)
_AGE_UNITS = {"岁": "years", "周岁": "years", "月": "months", "个月": "months", "天": "days"}
_AGE_LETTERS = {"y": "years", "m": "months", "d": "days"}
_PART = rf"{_NUMBER}\s*(?:mm|cm|毫米|厘米)?"
_SIZE = re.compile(rf"{_PART}(?:\s*[x×*]\s*{_PART}){{0,2}}", re.IGNORECASE)
_LENGTH = re.compile(rf"({_NUMBER})\s*(mm|cm|毫米|厘米)?", re.IGNORECASE)
_LENGTH_UNITS = {"mm": "mm", "cm": "cm", "毫米": "mm", "厘米": "cm"}
_RATE = re.compile(rf"({_NUMBER})\s*(?:fps|hz|frames/s)?", re.IGNORECASE)
_SCIENTIFIC = re.compile(r"[+-]?\d(?:[.,]\d+)?[eE]\+?\d{1,3}")
_SPREADSHEET_ERROR = re.compile(r"#(?:N/A|REF!|VALUE!|DIV/0!|NAME\?|NUM!|NULL!)", re.IGNORECASE)


class NotUnderstood(ValueError):  # noqa: N818  (a finding about a cell, not a failure of ours)
    """A cell that does not mean anything here; the message is what was expected."""


def meaning(name: str, text: str, source: Source | TargetSource) -> str:
    """Return what a cell's text means in one of our columns; '' for blank.

    Parameters
    ----------
    name : str
        Our column, e.g. ``size_mm``; labels and other names take the values of the map only.
    text : str
        What stands in the cell.
    source : Source or TargetSource
        Its entry in the map.

    Raises
    ------
    NotUnderstood
        With what was expected.

    Examples
    --------
    >>> meaning("size_mm", "1.2×0.8", Source(heading="结节大小", unit="cm"))
    '12'
    >>> meaning("sex", "女", Source(heading="性别", values={"男": "M", "女": "F"}))
    'F'
    """
    text = tidy(text)
    if not text:
        return ""
    if _SPREADSHEET_ERROR.fullmatch(text):
        raise NotUnderstood("a value, not the error of a spreadsheet's formula")
    known = {tidy(key): value for key, value in source.values.items()}
    if text in known:
        return known[text]
    if isinstance(source, TargetSource):
        return _one_of(text, source.classes, known)
    if name in _CONVERSIONS:
        return _CONVERSIONS[name](text, source)
    if name in ID_COLUMNS:
        return identifier(text)
    if name == "echogenic_foci":
        return _several(text, known)
    if name in CODES:
        return _one_of(text, CODES[name], known)
    if known:
        return _one_of(text, {}, known)
    return text


def tidy(text: object) -> str:
    """Return a text trimmed, full-width signs as plain ones, every run of blanks one blank."""
    return " ".join(unicodedata.normalize("NFKC", str(text)).split())


def identifier(text: str) -> str:
    """Return an id as text.

    Raises
    ------
    NotUnderstood
        When its digits are lost, or it is no id.
    """
    text = tidy(text)
    if looks_scientific(text):
        raise NotUnderstood(
            "every digit of the id: the spreadsheet shortened it and digits are lost; format the column as text, "
            "export it again. The row is left out, for it could join another patient's pictures"
        )
    if not text.isprintable() or len(text) > 128:
        raise NotUnderstood("an id of at most 128 printable characters")
    return text


def looks_scientific(text: str) -> bool:
    """Return whether a text is a long number that a spreadsheet shortened, such as 1.23E+11.

    Examples
    --------
    >>> looks_scientific("1.23E+11"), looks_scientific("20231234"), looks_scientific("1E5")
    (True, False, False)
    """
    return bool(_SCIENTIFIC.fullmatch(text)) and ("+" in text or "." in text or "," in text)


def _one_of(text: str, codes: Mapping[str, str], known: Mapping[str, str]) -> str:
    found = {code.lower(): code for code in codes}.get(text.lower())
    found = found or {key.lower(): value for key, value in known.items()}.get(text.lower())
    if found is None:
        words = ", ".join(dict.fromkeys([*known, *codes]))
        raise NotUnderstood(f"one of {words}; or name it under `values` in the map")
    return found


def _several(text: str, known: Mapping[str, str]) -> str:
    parts = [part for part in re.split(r"[,;、+/\s]+", text) if part]
    found = dict.fromkeys(_one_of(part, vocabulary.ECHOGENIC_FOCI, known) for part in parts)
    found.pop("", None)
    if "none" in found and len(found) > 1:
        raise NotUnderstood("'none' alone, or the foci that there are")
    return " ".join(code for code in vocabulary.ECHOGENIC_FOCI if code in found)


def _age(text: str, source: Source) -> str:
    match = _AGE.fullmatch(text)
    if match is None:
        raise NotUnderstood("an age: a number")
    written = match[2] or ""
    unit = _AGE_UNITS.get(written) or _AGE_LETTERS.get(written[:1].lower()) or source.unit or "years"
    return _in_range(float(match[1]) * UNITS_YEARS[unit], AGE_YEARS, "years")


def _size(text: str, source: Source) -> str:
    if not _SIZE.fullmatch(text):
        raise NotUnderstood("a length with a decimal point, or two or three as 12×8×10")
    lengths = _LENGTH.findall(text)
    written = {_LENGTH_UNITS[unit.lower()] for _, unit in lengths if unit}
    if len(written) > 1 or (written and source.unit and written != {source.unit}):
        raise NotUnderstood(f"lengths in {source.unit or 'one unit'}, as the map says")
    unit = written.pop() if written else source.unit
    if unit is None:
        raise NotUnderstood("a unit: name it in the map, `unit: mm` or `unit: cm`")
    return _in_range(max(float(number) for number, _ in lengths) * UNITS_MM[unit], SIZE_MM, "mm")


def _in_range(value: float, limits: tuple[float, float], unit: str) -> str:
    if not (math.isfinite(value) and limits[0] <= value <= limits[1]):
        raise NotUnderstood(f"a value from {limits[0]:g} to {limits[1]:g} {unit}")
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _rate(text: str, source: Source) -> str:
    match = _RATE.fullmatch(text)
    if match is None:
        raise NotUnderstood("frames a second: a number")
    return _in_range(float(match[1]), RATE_HZ, "frames a second")


def _frame(text: str, source: Source) -> str:
    if not re.fullmatch(r"[0-9]{1,6}", text):
        raise NotUnderstood("the number of a frame, counted from 0")
    return str(int(text))


_CONVERSIONS: Final[Mapping[str, Callable[[str, Source], str]]] = {
    "age_years": _age,
    "size_mm": _size,
    "frame_rate_hz": _rate,
    "frame": _frame,
}
