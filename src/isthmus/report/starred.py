"""What the stars of a table mean: one note a cause, with the arms and columns that it holds for."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from isthmus.report.reading import count, listed, plural

_UNANSWERED = re.compile(r"(\d+) replicates? had no answer")


@dataclass
class _Cause:
    arms: dict[str, None] = field(default_factory=dict)
    columns: dict[str, None] = field(default_factory=dict)
    numbers: list[int] = field(default_factory=list)


def starred_notes(notes: Iterable[tuple[str, str, str]], arms: int) -> list[str]:
    """Return the notes of a table's starred cells, one for each cause.

    Parameters
    ----------
    notes : iterable of (arm, column, note)
        As shown; a note may name several causes with a semicolon between them.
    arms : int
        How many the table has: what holds for all of them names none.

    Examples
    --------
    >>> cells = [("A", "MCC", "only 1 group; 43 replicates had no answer"), ("B", "F1", "1 replicate had no answer")]
    >>> starred_notes(cells, 2)
    ['* Only 1 group: A (MCC).', '* 1 to 43 replicates had no answer: MCC and F1.']
    """
    causes: dict[str, _Cause] = {}
    for arm, column, note in notes:
        for text in note.rstrip(".").split("; "):
            found = _UNANSWERED.fullmatch(text)
            cause = causes.setdefault("" if found else text, _Cause())
            cause.arms[arm] = cause.columns[column] = None
            cause.numbers += [int(found[1])] if found else []
    return [f"* {_words(text, cause)}: {_where(cause, arms)}." for text, cause in causes.items()]


def _words(text: str, cause: _Cause) -> str:
    if not cause.numbers:
        return text[:1].upper() + text[1:]
    low, high = min(cause.numbers), max(cause.numbers)
    return f"{'' if low == high else f'{count(low)} to '}{plural(high, 'replicate')} had no answer"


def _where(cause: _Cause, arms: int) -> str:
    columns = listed(list(cause.columns))
    return columns if len(cause.arms) == arms else f"{listed(list(cause.arms))} ({columns})"
