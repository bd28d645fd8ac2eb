"""What is known of a case, checked against what a fused model was fitted on."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Final

from isthmus.errors import InputError
from isthmus.models.fused_bundle_spec import ColumnFacts
from isthmus.tables.coded_columns import as_level
from isthmus.tables.vocabulary import DESCRIPTORS, MULTI_VALUED, SEX, TIRADS

Given = Mapping[str, str | float | None]
_CODES: Final[Mapping[str, Mapping[str, str]]] = {**DESCRIPTORS, "sex": SEX, "tirads": TIRADS}


def checked_columns(
    columns: Sequence[ColumnFacts], given: Given, where: str
) -> tuple[dict[str, str | float | None], list[str]]:
    """Return the value of each column of the model, None where it is not known, and notes for the reader.

    Parameters
    ----------
    columns : sequence of ColumnFacts
        The model's.
    given : mapping
        Column to value, as text or number.
    where : str
        The case, for messages.

    Raises
    ------
    InputError
        When the model knows no such column, a number is none, or a code is outside the vocabulary.
    """
    names = [column.name for column in columns]
    for name in given:
        if name not in names:
            expected = ", ".join(names) or "none: this model looks at pictures only"
            raise InputError(f"this model knows no column {name!r}", where=where, expected=expected)
    values: dict[str, str | float | None] = {}
    notes: list[str] = []
    for column in columns:
        value = given.get(column.name)
        if column.kind == "unused":
            values[column.name] = None
            notes += [] if value is None else [f"{column.name} is of no effect in this model"]
            continue
        if value is None or str(value).strip() == "":
            values[column.name] = None
            notes.append(f"{column.name} is not known: it counts as {column.missing}")
            continue
        found, note = (_number if column.kind == "numeric" else _code)(column, str(value).strip(), where)
        values[column.name] = found
        notes += [note] if note else []
    return values, notes


def _number(column: ColumnFacts, text: str, where: str) -> tuple[float, str]:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        low, high = column.low or 0.0, column.high or 0.0
        raise InputError(
            f"column {column.name} holds {text!r}", where=where, expected=f"a number, such as {(low + high) / 2:.4g}"
        )
    if column.low is not None and column.high is not None and not column.low <= number <= column.high:
        return number, f"{column.name} {number:g} lies outside the training cases' {column.low:g} to {column.high:g}"
    return number, ""


def _code(column: ColumnFacts, text: str, where: str) -> tuple[str, str]:
    level = text if text in column.values else _as_level(text)
    codes = level.split(" ") if column.name in MULTI_VALUED else [level]
    legal = {*column.values, *_CODES.get(column.name, {})}
    unknown = [code for code in codes if code not in legal]
    if unknown and level not in legal:
        raise InputError(
            f"column {column.name} holds {text!r}, which is no code of it", where=where,
            expected=" or ".join(dict.fromkeys([*column.values, *_CODES.get(column.name, {})])),
        )  # fmt: skip
    if level not in column.values and any(code not in column.values for code in codes):
        return level, f"{column.name} {level} stood in no training case: it counts as the reference level"
    return level, ""


def _as_level(text: str) -> str:
    """Return a code as the heads name it: a table of numbers writes 1.0 for 1."""
    try:
        return as_level(float(text)) if float(text).is_integer() else text
    except (ValueError, OverflowError):
        return text
