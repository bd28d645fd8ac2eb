"""How a table's rows and a source's pictures seem to belong together: a guess, for a draft map alone."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from isthmus.cohort.join import SourcePicture, join_rows, key_text, with_keys
from isthmus.cohort.mapping import JoinRule
from isthmus.cohort.source_table import SourceTable

_PARTS = 4
"""How many parts of a file's name, between _ - . and blanks, are looked at."""
_STEM_PART = r"(?:^|/)(?:[^/_\-. ]+[_\-. ]+){%d}(?P<%s>[^/_\-. ]+)[^/]*$"
_ENOUGH = 0.2
_LOOKED_AT = 5_000


@dataclass(frozen=True)
class JoinGuess:
    """A rule, and how much of the source it joins.

    Parameters
    ----------
    rule : JoinRule
        For the map.
    pictures : int
        How many pictures find a row.
    """

    rule: JoinRule
    pictures: int


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
    looked_at = list(pictures)[:_LOOKED_AT]
    likely = [columns[name] for name in ("file", "exam_id", "patient_id", "nodule_id") if name in columns]
    others = [heading for heading in table.frame.columns if heading not in likely and heading not in columns.values()]
    best, most = None, (math.ceil(_ENOUGH * len(looked_at)), 0)
    for heading in [*likely, *others]:
        for rule in _rules(heading, looked_at):
            fitting = _fitting(table, looked_at, rule)
            if fitting > most:
                best, most = JoinGuess(rule, fitting[0]), fitting
    return _with_nodule(best, table, looked_at, columns.get("nodule_id")) if best else None


def _rules(heading: str, pictures: Sequence[SourcePicture]) -> list[JoinRule]:
    headers = list(dict.fromkeys(key for picture in pictures[:50] for key in picture.keys))
    preferred = [key for key in ("AccessionNumber", "PatientID", "StudyInstanceUID") if key in headers]
    rules = [JoinRule(match={heading: key}) for key in [*preferred, "file", "name", "stem", "folder"]]
    rules += [JoinRule(match={heading: "number"}, pattern=_STEM_PART % (part, "number")) for part in range(_PARTS)]
    return rules + [rule.model_copy(update={"leading_zeros": "ignore"}) for rule in rules]


def _fitting(table: SourceTable, pictures: Sequence[SourcePicture], rule: JoinRule) -> tuple[int, int]:
    """Return how many pictures find a row, and how many values do, where the column tells rows apart at all."""
    wanted = [_wanted(row, rule) for row in table.frame[list(rule.match)].itertuples(index=False)]
    filled = [key for key in wanted if all(key)]
    if len(set(filled)) < max(2, len(filled) // 20):
        return 0, 0
    known = set(filled)
    found = [key for picture in pictures if (key := _found(picture, rule)) in known]
    return len(found), len(set(found))


def _with_nodule(
    guess: JoinGuess, table: SourceTable, pictures: Sequence[SourcePicture], heading: str | None
) -> JoinGuess:
    """Add the nodule's number in the file's name where the rows of one patient would otherwise share pictures."""
    number = re.search(r"\{(\d)\}\(\?P<number>", guess.rule.pattern or "")
    if heading is None or number is None or not join_rows(table.frame, pictures, guess.rule).ambiguous:
        return guess
    part = int(number[1])
    for between in range(_PARTS - 1 - part):
        pattern = _STEM_PART % (part, "number")
        inner = r"[_\-. ]+(?:[^/_\-. ]+[_\-. ]+)" + f"{{{between}}}" + r"(?P<nodule>[^/_\-. ]+)[^/]*$"
        rule = guess.rule.model_copy(
            update={"match": {**guess.rule.match, heading: "nodule"}, "pattern": pattern.removesuffix("[^/]*$") + inner}
        )
        fitting, _ = _fitting(table, pictures, rule)
        if fitting >= guess.pictures / 2:
            return JoinGuess(rule, fitting)
    return guess


def _wanted(cells: tuple[object, ...], rule: JoinRule) -> tuple[str, ...]:
    return tuple(key_text(cell, key, rule) for cell, key in zip(cells, rule.match.values(), strict=True))


def _found(picture: SourcePicture, rule: JoinRule) -> tuple[str, ...]:
    keys = with_keys(picture, rule).keys
    return tuple(key_text(keys.get(key, ""), key, rule) for key in rule.match.values())
