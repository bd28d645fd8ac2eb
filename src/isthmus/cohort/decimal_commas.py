"""Numbers written with a decimal comma, as most of Europe writes them: read where a whole column leaves no doubt."""

import re
from collections.abc import Iterable
from typing import Final

_COMMA: Final = re.compile(r"(?<![\d.,])(\d+),(\d+)(?![\d.,])")
_POINT: Final = re.compile(r"\d\.\d")
_SIGNS: Final = re.compile(r"\d,")
_THOUSANDS: Final = 3
"""Digits after a comma that could be thousands: 1,500 is one and a half, or fifteen hundred."""


def has_decimal_commas(texts: Iterable[str]) -> bool:
    """Return whether the commas in a column can only be decimal commas.

    Some number has one; none has a point; no comma stands before three digits, which could be thousands, and none
    stands for anything else, as between the numbers of a list.

    Examples
    --------
    >>> has_decimal_commas(["1,5", "12", "0,8×1,2"]), has_decimal_commas(["1,500"]), has_decimal_commas(["1,5", "0.8"])
    (True, False, False)
    """
    found = 0
    for text in texts:
        numbers = _COMMA.findall(text)
        if _POINT.search(text) or len(numbers) != len(_SIGNS.findall(text)):
            return False
        if any(len(after) == _THOUSANDS for _, after in numbers):
            return False
        found += len(numbers)
    return found > 0


def with_points(text: str) -> str:
    """Return a text with its decimal commas as points.

    Examples
    --------
    >>> with_points("1,5×0,8 cm")
    '1.5×0.8 cm'
    """
    return _COMMA.sub(r"\1.\2", text)
