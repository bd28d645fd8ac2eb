"""The last look before a pseudonymous cohort is published: no id, name or date of the source may stand in a cell."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from isthmus.cohort.cell_values import CODES, tidy
from isthmus.cohort.draft import CohortDraft
from isthmus.errors import CohortError

_TABLES: Final = ("patients", "nodules", "views", "excluded")
_MADE_HERE: Final = {
    *("patient_id", "nodule_id", "group_id", "view_id", "exam_id", "acquisition_id", "path", "mask", "stage"),
    *("region", "box", "frame", "region_source", "spacing_mm", "frame_rate_hz", "exam_day", "panel", "device"),
    *("size_mm", "age_years"),
    *CODES,
}
"""Columns whose cells are numbers, codes, pseudonyms or (the device) of the header's kept elements."""
SHORTEST: Final = 4  # '12' stands in many a cell by chance
_SHORTEST_CHINESE, _LONGEST_CHINESE = 2, 4
_CHINESE: Final = re.compile(r"[\u3400-\u9fff]+")
_WORDS: Final = re.compile(r"[^\s,;:|()\[\]，；：、。]+")
_DATES: Final = re.compile(
    r"(?<!\d)(?:19|20)\d\d\s?[-/.年]\s?\d{1,2}\s?[-/.月]\s?\d{1,2}(?!\d)"
    r"|(?<!\d)\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)\d\d(?!\d)"
    r"|(?<!\d)(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)"
)
_LETTERS: Final = re.compile(r"[^\W_]+")


def identifying_parts(texts: Iterable[str]) -> set[str]:
    """Return what tells a person in ids and names: the whole of each, and each part of a name; small letters.

    Examples
    --------
    >>> sorted(identifying_parts(["Zhang^San=张三", "00712345", "7"]))
    ['00712345', 'zhang', 'zhang^san=张三', '张三']
    """
    found = set()
    for text in texts:
        whole = tidy(text).lower()
        found |= {part for part in [whole, *re.split(r"[\^=\s]+", whole)] if _tells(part)}
    return found


def refuse_identifiers(draft: CohortDraft, parts: set[str]) -> None:
    """Refuse to go on when a cell that was copied from the source names somebody or holds a date.

    Parameters
    ----------
    draft : CohortDraft
        Filled, not yet finished.
    parts : set of str
        From :func:`identifying_parts`.

    Raises
    ------
    CohortError
        With the columns and how many of their cells; never with a cell.
    """
    counts: dict[str, int] = {}
    for table in _TABLES:
        for row in draft.rows(table):
            for column, why in _found(row, parts):
                name = f"{table}.{column}: {why}"
                counts[name] = counts.get(name, 0) + 1
    if counts:
        listed = "".join(f"\n  {name} in {count:,} cell{'s' if count > 1 else ''}" for name, count in counts.items())
        raise CohortError(
            f"the cohort would carry what tells a patient:{listed}",
            hint="in the map, take the column out of `extra`, or name its values, and import again",
        )


def _found(row: Mapping[str, Any], parts: set[str]) -> Iterator[tuple[str, str]]:
    for column, value in row.items():
        if column in _MADE_HERE or not isinstance(value, str):
            continue
        text = tidy(value).lower()
        if not parts.isdisjoint(_words(text)):
            yield column, "an id or a name"
        elif _DATES.search(text):
            yield column, "a date"


def _words(text: str) -> Iterator[str]:
    yield text
    for word in _WORDS.findall(text):
        yield word
        yield from _LETTERS.findall(word)
    for run in _CHINESE.findall(text):
        # Chinese writes no blanks: a name stands anywhere in a sentence.
        for length in range(_SHORTEST_CHINESE, _LONGEST_CHINESE + 1):
            yield from (run[place : place + length] for place in range(len(run) - length + 1))


def _tells(part: str) -> bool:
    return len(part) >= (_SHORTEST_CHINESE if _CHINESE.search(part) else SHORTEST)
