"""What is known of the cases, joined to the table: which columns there are, of whom, and in which words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.error_rates import FEATURES, TITLES
from isthmus.tables import coded_columns
from isthmus.tables.cases import IDENTIFIERS
from isthmus.tables.coded_columns import Kind
from isthmus.tables.coded_columns import as_level as as_level
from isthmus.tables.vocabulary import MULTI_VALUED, SEX

PATIENTS_OWN: Final = ("age_years", "sex", "site")
"""Columns that belong to the patient: each patient counts once in them."""

MOST_LEVELS: Final = 20
"""A column of text with more levels is names or notes, not categories."""

MOST_COLUMNS: Final = 40
_FEWEST_VALUES = 6
"""A column of whole numbers with fewer different values is codes."""

_FIRST = ("age_years", "sex", "size_mm")
_NEVER = ("unit_id", "cohort", "nodule_id", "patient_id", "group_id", "exam_id", "split", "label", "size")
_CALIPERS: Final = {"calipers": "calipers in the crop", "no_calipers": "none in the crop"}
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {**FEATURES, "sex": SEX, "calipers": _CALIPERS}
_TITLES: Final[Mapping[str, str]] = {**TITLES, "age_years": "Age, years", "sex": "Sex", "size_mm": "Size, mm"}


@dataclass(frozen=True)
class Column:
    """A column of Table 1.

    Parameters
    ----------
    name : str
        As in the cases; a code of a multi-valued descriptor is ``echogenic_foci=punctate``.
    title : str
    kind : {'numeric', 'categorical'}
    levels : tuple of (str, str)
        Of a categorical one: value and words, in order.
    of_patients : bool
        Whether each patient counts once.
    """

    name: str
    title: str
    kind: Kind
    levels: tuple[tuple[str, str], ...]
    of_patients: bool


def units_of(table: AnalysisTable, cases: pd.DataFrame) -> pd.DataFrame:
    """Return one row a unit of each split with what is known of it.

    Returns
    -------
    DataFrame
        ``split, cohort, unit_id, patient_id, group_id, label`` and the columns of ``cases``; ``site`` of the
        predictions where the cases have none.
    """
    own = ["split", "cohort", "unit_id", "patient_id", "group_id", "label"]
    rows = table.rows
    for name in ("cohort", "patient_id"):
        if name not in rows:
            rows = rows.assign(**{name: "" if name == "cohort" else rows["unit_id"]})
    if "site" in rows and "site" not in cases:
        own.append("site")
    units = rows[own].drop_duplicates(["split", "cohort", "unit_id"]).reset_index(drop=True)
    if "site" in units:
        units["site"] = units["site"].mask(units["site"].astype(str) == "")
    keys = ["cohort", "unit_id"] if "cohort" in cases else ["unit_id"]
    more = [name for name in cases.columns if name not in (*own, *keys)]
    return units.merge(cases[[*keys, *more]].drop_duplicates(keys), on=keys, how="left")


def columns_of(units: pd.DataFrame, asked: tuple[str, ...] | None = None) -> tuple[list[Column], list[dict[str, str]]]:
    """Return the columns of Table 1, and those that were left out with the reason.

    Parameters
    ----------
    units : DataFrame
        As :func:`units_of` returns it.
    asked : tuple of str, optional
        Which, in this order; without it age, sex and size, the descriptors, and then every other column.
    """
    names = list(asked) if asked is not None else _in_order(units)
    found: list[Column] = []
    left_out: list[dict[str, str]] = []
    for name in names:
        reason = _unfit(units, name) or ("" if asked is not None else _all_alike(units, name))
        if reason:
            left_out.append({"column": name, "reason": reason})
        elif name in MULTI_VALUED and units[name].dropna().astype(str).str.contains(" ").any():
            found += _codes(units, name)
        else:
            found.append(_column(units, name))
    left_out += [{"column": one.name, "reason": f"beyond {MOST_COLUMNS} columns"} for one in found[MOST_COLUMNS:]]
    return found[:MOST_COLUMNS], left_out


def values_of(units: pd.DataFrame, column: Column) -> "pd.Series[Any]":
    """Return a column's values: numbers, or the text of its levels; missing ones stay missing."""
    return coded_columns.values_of(units, column.name, column.kind)


def title_of(name: str) -> str:
    """Return a column's name as shown."""
    words = name.replace("_", " ")
    return _TITLES.get(name, words[:1].upper() + words[1:])


def level_words(name: str, level: str) -> str:
    """Return a category in words."""
    return _WORDS.get(name, {}).get(level, level).removeprefix("TI-RADS ").removeprefix("ACR TI-RADS ")


def _in_order(units: pd.DataFrame) -> list[str]:
    known = [*_FIRST, *FEATURES]
    rest = [str(name) for name in units.columns if name not in known and name not in IDENTIFIERS]
    return [name for name in [*known, *rest] if name in units.columns and name not in _NEVER]


def _unfit(units: pd.DataFrame, name: str) -> str:
    if name not in units.columns:
        return "the cases have no such column"
    values = units[name].dropna()
    if values.empty:
        return "nothing is known of it"
    if not _is_numeric(values) and name not in MULTI_VALUED and values.nunique() > MOST_LEVELS:
        return f"{values.nunique()} different texts"
    pairs = units.loc[values.index, [name, "label"]].drop_duplicates()
    if len(pairs) > 1 and pairs[name].nunique() == len(pairs) == pairs["label"].nunique():
        return "it is the label itself"
    return ""


def _all_alike(units: pd.DataFrame, name: str) -> str:
    values = units[name]
    if values.isna().any() or values.nunique() > 1:
        return ""
    return f"{level_words(name, as_level(values.iloc[0]))} in all"


def _is_numeric(values: "pd.Series[Any]") -> bool:
    if not pd.api.types.is_numeric_dtype(values.dtype) or pd.api.types.is_bool_dtype(values.dtype):
        return False
    whole = bool((values == np.floor(values)).all())
    return values.name in _FIRST or not whole or values.nunique() >= _FEWEST_VALUES


def _column(units: pd.DataFrame, name: str) -> Column:
    values = units[name].dropna()
    if _is_numeric(values):
        return Column(name, title_of(name), "numeric", (), name in PATIENTS_OWN)
    there = {as_level(value) for value in values}
    known = [code for code in _WORDS.get(name, {}) if code in there]
    levels = [*known, *sorted(there - set(known), key=in_nature)]
    words = tuple((level, level_words(name, level)) for level in levels)
    return Column(name, title_of(name), "categorical", words, name in PATIENTS_OWN)


def in_nature(name: str) -> list[tuple[float, str]]:
    """Return a key that sorts names as people do.

    Examples
    --------
    >>> sorted(["5", "4a", "10", "4b", "Site 10", "Site 9", "3"], key=in_nature)
    ['3', '4a', '4b', '5', '10', 'Site 9', 'Site 10']
    """
    parts = re.findall(r"\d+(?:\.\d+)?|\D+", name)
    return [(float(part), "") if part[0].isdigit() else (float("inf"), part) for part in parts]


def _codes(units: pd.DataFrame, name: str) -> list[Column]:
    """Return a column for each code of a multi-valued descriptor: a case may have several."""
    there = {code for text in units[name].dropna() for code in str(text).split(" ")}
    # What stands in brackets explains the code.
    words = {code: text.partition(" (")[0] for code, text in FEATURES[name].items() if code in there}
    answers = (("yes", "yes"), ("no", "no"))
    return [Column(f"{name}={code}", f"{title_of(name)}: {text}", "categorical", answers, False)
            for code, text in words.items()]  # fmt: skip
