"""Which rows of a table and which pictures belong together: what fits twice is listed, not taken."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import pandas as pd

from isthmus.cohort.dates import parse_date
from isthmus.cohort.map_parts import PICTURE_KEYS, JoinRule, nearest
from isthmus.errors import InputError

ONE_PICTURE_KEYS = ("file", "name", "stem")
"""A row that names a file means one picture; two of that name are one too many."""
DATE_KEYS = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")


@dataclass(frozen=True)
class SourcePicture:
    """A picture or clip of the source.

    Parameters
    ----------
    file : str
        Its path in the source folder, with '/'; a frame folder's own path.
    keys : mapping of str to str
        What it can be joined by: of DICOM ``PatientID``, ``AccessionNumber``, ``StudyInstanceUID``, ``StudyDate`` …;
        ``file``, ``name``, ``stem``, ``folder`` and the groups of the map's pattern are added by the join.
    """

    file: str
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ambiguous:
    """Rows and pictures that fit each other in more than one way.

    Parameters
    ----------
    rows : tuple of int
        Labels of the rows.
    pictures : tuple of SourcePicture
        The pictures.
    why : str
        In words, without any id.
    """

    rows: tuple[int, ...]
    pictures: tuple[SourcePicture, ...]
    why: str


@dataclass(frozen=True)
class Joined:
    """What the join found; every row and every picture stands in exactly one of the four.

    Parameters
    ----------
    pairs : list of (int, list of SourcePicture)
        The row's label and its pictures, in the order of the table.
    rows_without_pictures : list of int
        Labels of rows that no picture fits.
    pictures_without_row : list of SourcePicture
        Pictures that no row fits, or that lack a key.
    ambiguous : list of Ambiguous
        What is left out because it fits twice.
    fitting : mapping of int to sequence of int
        For the row of each pair all rows of its unit that fit the same pictures, itself first: one row a frame of a
        clip, for example.
    """

    pairs: list[tuple[int, list[SourcePicture]]]
    rows_without_pictures: list[int]
    pictures_without_row: list[SourcePicture]
    ambiguous: list[Ambiguous]
    fitting: Mapping[int, Sequence[int]] = field(default_factory=dict)


def join_rows(
    rows: pd.DataFrame,
    pictures: Sequence[SourcePicture],
    rule: JoinRule,
    *,
    unit: Sequence[str] | None = None,
) -> Joined:
    """Join the rows of a table with pictures.

    Parameters
    ----------
    rows : DataFrame
        The table as text; its index labels the rows.
    pictures : sequence of SourcePicture
        All pictures of the source.
    rule : JoinRule
        The map's ``join``.
    unit : sequence of str, optional
        What each row is about (its nodule): rows of one unit that fit the same picture do not contradict each other,
        the first of them takes it. By default each row is a unit of its own.

    Returns
    -------
    Joined

    Raises
    ------
    InputError
        When a heading of the rule is no column, or a key is one that no picture has.

    Examples
    --------
    >>> table = pd.DataFrame({"number": ["007", "8"]}, index=[2, 3])
    >>> rule = JoinRule(match={"number": "id"}, pattern="(?P<id>[0-9]+)_")
    >>> found = join_rows(table, [SourcePicture("007_a.png"), SourcePicture("9_a.png")], rule)
    >>> [(row, [picture.file for picture in taken]) for row, taken in found.pairs], found.rows_without_pictures
    ([(2, ['007_a.png'])], [3])
    """
    pictures = [with_keys(picture, rule) for picture in pictures]
    check_rule(rows, pictures, rule)
    units = dict(zip(rows.index, rows.index if unit is None else unit, strict=True))
    by_key: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for label, cells in zip(rows.index, rows[list(rule.match)].itertuples(index=False), strict=True):
        wanted = tuple(key_text(cell, key, rule) for cell, key in zip(cells, rule.match.values(), strict=True))
        if all(wanted):
            by_key[wanted].append(label)
    taken: dict[tuple[str, ...], list[SourcePicture]] = defaultdict(list)
    without: list[SourcePicture] = []
    for picture in pictures:
        found = tuple(key_text(picture.keys.get(key, ""), key, rule) for key in rule.match.values())
        (taken[found] if found in by_key else without).append(picture)
    return _sort_out(rows, by_key, taken, without, units, rule)


def _sort_out(
    rows: pd.DataFrame,
    by_key: Mapping[tuple[str, ...], list[int]],
    taken: Mapping[tuple[str, ...], list[SourcePicture]],
    without: list[SourcePicture],
    units: Mapping[int, object],
    rule: JoinRule,
) -> Joined:
    pairs: dict[int, list[SourcePicture]] = {}
    fitting: dict[int, Sequence[int]] = {}
    ambiguous: list[Ambiguous] = []
    used: set[int] = set()
    names_one = any(key in ONE_PICTURE_KEYS for key in rule.match.values())
    for key, found in taken.items():
        labels = by_key[key]
        if len({units[label] for label in labels}) > 1:
            why = f"{len(labels)} rows of different nodules fit {_count(len(found), 'picture')}"
            ambiguous.append(Ambiguous(tuple(labels), tuple(found), why))
        elif names_one and len(found) > 1:
            ambiguous.append(Ambiguous(tuple(labels), tuple(found), f"the row names one file; {len(found)} fit it"))
        else:
            pairs[labels[0]] = found
            fitting[labels[0]] = labels
        used.update(labels)
    missing = [label for label in rows.index if label not in used]
    order = [label for label in rows.index if label in pairs]
    return Joined([(label, pairs[label]) for label in order], missing, without, ambiguous, fitting)


def with_keys(picture: SourcePicture, rule: JoinRule) -> SourcePicture:
    """Return a picture with the keys that its path gives: file, name, stem, folder and the pattern's groups."""
    path = PurePosixPath(picture.file)
    keys = {"file": picture.file, "name": path.name, "stem": path.stem}
    keys["folder"] = path.parts[0] if len(path.parts) > 1 else ""
    match = re.search(rule.pattern, picture.file) if rule.pattern else None
    groups = {name: value or "" for name, value in match.groupdict().items()} if match else {}
    return SourcePicture(picture.file, {**keys, **picture.keys, **groups})


def check_rule(rows: pd.DataFrame, pictures: Sequence[SourcePicture], rule: JoinRule) -> None:
    """Refuse a rule that names a heading or a key that is not there.

    Raises
    ------
    InputError
        With the nearest one.
    """
    for heading, key in rule.match.items():
        if heading not in rows.columns:
            raise InputError(
                f"no column {heading!r} to join by", where="join.match", hint=nearest(heading, map(str, rows.columns))
            )
        known = dict.fromkeys([*PICTURE_KEYS, *rule.groups(), *(name for item in pictures for name in item.keys)])
        if key not in known:
            raise InputError(f"pictures have no key {key!r}", where=f"join.match.{heading}", hint=nearest(key, known))


def key_text(value: object, key: str, rule: JoinRule) -> str:
    """Return a value as it is compared: trimmed, full-width digits as plain ones, dates in one form; '' where blank."""
    if value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value)):
        return ""
    text = unicodedata.normalize("NFKC", str(value)).strip()
    if key in DATE_KEYS:
        day = parse_date(text)
        return day.strftime("%Y%m%d") if day else text
    if key in ("file", "name", "stem"):
        text = text.replace("\\", "/").removeprefix("./").lower()
    return (text.lstrip("0") or "0") if rule.leading_zeros == "ignore" and text else text


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
