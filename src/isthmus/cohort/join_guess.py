"""How a table's rows and a source's pictures seem to belong together: a guess, for a draft map alone."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from isthmus.cohort.cell_values import tidy
from isthmus.cohort.join import DATE_KEYS, ONE_PICTURE_KEYS, SourcePicture, join_rows, key_text, with_keys
from isthmus.cohort.map_parts import JoinRule
from isthmus.cohort.source_table import SourceTable

_PARTS = 4
"""How many parts of a file's name, between _ - . and blanks, are looked at."""
_PART = r"[^/_\-. ]+"
_SIGN = r"[_\-. ]+"
_ENOUGH = 0.2
_LOOKED_AT = 2_000


@dataclass(frozen=True)
class JoinGuess:
    """A rule, and how much of the source it joins.

    Parameters
    ----------
    rule : JoinRule
        For the map.
    pictures : int
        How many of the pictures that were looked at find a row.
    looked_at : int
        How many were looked at.
    ambiguous : int
        How many of the pictures that find a row find rows of several nodules, and would be left out.
    """

    rule: JoinRule
    pictures: int
    looked_at: int
    ambiguous: int = 0


def guess_join(table: SourceTable, pictures: Sequence[SourcePicture], columns: Mapping[str, str]) -> JoinGuess | None:
    """Return the rule that joins most pictures; None where none joins a fifth of them.

    Parameters
    ----------
    table : SourceTable
        The hospital's table.
    pictures : sequence of SourcePicture
        The source's pictures.
    columns : mapping of str to str
        Our column to the heading that seems to be it: a guess at ids and file names goes before other columns.
    """
    looked_at = list(pictures)[:: max(1, len(pictures) // _LOOKED_AT)]
    sides = _Sides(table, looked_at)
    likely = [columns[name] for name in ("file", "exam_id", "patient_id", "nodule_id") if name in columns]
    others = [heading for heading in table.frame.columns if heading not in likely and heading not in columns.values()]
    best, most = None, (math.ceil(_ENOUGH * len(looked_at)), 0)
    for heading in [*likely, *others]:
        for rule in _rules(heading, looked_at):
            fitting = sides.fitting(rule)
            if fitting > most:
                best, most = JoinGuess(rule, fitting[0], len(looked_at)), fitting
    nodule = columns.get("nodule_id")
    return _with_ambiguous(_with_nodule(best, sides, nodule), sides, columns) if best and nodule else best


def _rules(heading: str, pictures: Sequence[SourcePicture]) -> list[JoinRule]:
    headers = list(dict.fromkeys(key for picture in pictures[:50] for key in picture.keys))
    preferred = [key for key in ("AccessionNumber", "PatientID", "StudyInstanceUID") if key in headers]
    rules = [JoinRule(match={heading: key}) for key in [*preferred, "file", "name", "stem", "folder"]]
    rules += [JoinRule(match={heading: "number"}, pattern=_pattern(number=part)) for part in range(_PARTS)]
    return rules + [rule.model_copy(update={"leading_zeros": "ignore"}) for rule in rules]


class _Sides:
    """The texts of both sides of a join, each worked out once for all rules that are tried."""

    def __init__(self, table: SourceTable, pictures: Sequence[SourcePicture]) -> None:
        self.table, self.pictures = table, pictures
        self._cells: dict[tuple[str, str, str], list[str]] = {}
        self._keys: dict[tuple[str | None, str, str], list[str]] = {}

    def fitting(self, rule: JoinRule) -> tuple[int, int]:
        """Return how many pictures find a row, and how many values do, where the columns tell rows apart at all."""
        rows = zip(*(self._column(heading, key, rule) for heading, key in rule.match.items()), strict=True)
        filled = [texts for texts in rows if all(texts)]
        known = set(filled)
        if len(known) < max(2, len(filled) // 20):
            return 0, 0
        pictures = zip(*(self._key(key, rule) for key in rule.match.values()), strict=True)
        found = [texts for texts in pictures if texts in known]
        return len(found), len(set(found))

    def _column(self, heading: str, key: str, rule: JoinRule) -> list[str]:
        place = heading, key if key in (*ONE_PICTURE_KEYS, *DATE_KEYS) else "", rule.leading_zeros
        if place not in self._cells:
            self._cells[place] = [key_text(cell, key, rule) for cell in self.table.frame[heading]]
        return self._cells[place]

    def _key(self, key: str, rule: JoinRule) -> list[str]:
        place = rule.pattern, key, rule.leading_zeros
        if place not in self._keys:
            found = (with_keys(picture, rule).keys.get(key, "") for picture in self.pictures)
            self._keys[place] = [key_text(text, key, rule) for text in found]
        return self._keys[place]


def _pattern(**groups: int) -> str:
    """Return an expression that gives parts of a file's name, by their place, to named groups."""
    names = {place: name for name, place in groups.items()}
    parts = [f"(?P<{names[place]}>{_PART})" if place in names else _PART for place in range(max(names) + 1)]
    return "(?:^|/)" + _SIGN.join(parts) + "[^/]*$"


def _with_nodule(guess: JoinGuess, sides: _Sides, heading: str) -> JoinGuess:
    """Add the nodule's number in the file's name where the rows of one patient would otherwise share pictures."""
    part = next((part for part in range(_PARTS) if guess.rule.pattern == _pattern(number=part)), None)
    if part is None or not join_rows(sides.table.frame, sides.pictures, guess.rule).ambiguous:
        return guess
    for other in range(part + 1, _PARTS):
        changes = {"match": {**guess.rule.match, heading: "nodule"}, "pattern": _pattern(number=part, nodule=other)}
        rule = guess.rule.model_copy(update=changes)
        fitting, _ = sides.fitting(rule)
        if fitting >= guess.pictures / 2:
            return JoinGuess(rule, fitting, guess.looked_at)
    return guess


def _with_ambiguous(guess: JoinGuess, sides: _Sides, columns: Mapping[str, str]) -> JoinGuess:
    named = [columns[name] for name in ("patient_id", "nodule_id") if name in columns]
    units = ["\0".join(map(tidy, cells)) for cells in sides.table.frame[named].itertuples(index=False)]
    found = join_rows(sides.table.frame, sides.pictures, guess.rule, unit=units).ambiguous
    return replace(guess, ambiguous=sum(len(one.pictures) for one in found))
