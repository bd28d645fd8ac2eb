"""Dates as hospitals write them. Where day and month could be either, nothing is guessed."""

import re
import unicodedata
from collections.abc import Iterable
from datetime import date
from typing import Literal

Order = Literal["day_first", "month_first"]
YEARS = (1900, 2100)
WORDS = "a date such as 2023-01-31, 2023/1/31, 20230131 or 2023年1月31日"

_TIME = r"(?:[T\s]+\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?"
_YEAR_FIRST = re.compile(rf"(\d{{4}})(?:年|[-/.])(\d{{1,2}})(?:月|[-/.])(\d{{1,2}})日?{_TIME}")
_TOGETHER = re.compile(rf"(\d{{4}})(\d{{2}})(\d{{2}}){_TIME}")
_YEAR_LAST = re.compile(rf"(\d{{1,2}})[-/.](\d{{1,2}})[-/.](\d{{4}}){_TIME}")


def parse_date(text: str, order: Order | None = None) -> date | None:
    """Return a date, or None where the text is none or leaves open which number is the day.

    Examples
    --------
    >>> parse_date("2023年1月31日"), parse_date("31/01/2023"), parse_date("31/01/2023", "day_first")
    (datetime.date(2023, 1, 31), None, datetime.date(2023, 1, 31))
    """
    text = unicodedata.normalize("NFKC", text).strip()
    if match := _YEAR_FIRST.fullmatch(text) or _TOGETHER.fullmatch(text):
        return _date(*map(int, match.groups()))
    match = _YEAR_LAST.fullmatch(text)
    if match is None or order is None:
        return None
    first, second, year = map(int, match.groups())
    return _date(year, second, first) if order == "day_first" else _date(year, first, second)


def year_is_last(text: str) -> bool:
    """Return whether a text is a date that begins with day or month."""
    return _YEAR_LAST.fullmatch(unicodedata.normalize("NFKC", text).strip()) is not None


def order_of(texts: Iterable[str]) -> Order | None:
    """Return the order of day and month that a column's own dates prove; None where they prove none or both.

    Examples
    --------
    >>> order_of(["05/01/2023", "31/01/2023"]), order_of(["05/01/2023"])
    ('day_first', None)
    """
    matches = [_YEAR_LAST.fullmatch(unicodedata.normalize("NFKC", text).strip()) for text in texts]
    pairs = [(int(match[1]), int(match[2])) for match in matches if match]
    day_first, month_first = (any(pair[place] > 12 for pair in pairs) for place in (0, 1))
    if day_first == month_first:
        return None
    return "day_first" if day_first else "month_first"


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day) if YEARS[0] <= year <= YEARS[1] else None
    except ValueError:
        return None
