"""Which cases are shown: not the prettiest ones, but by a rule, and failures among them."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.statistics.calibration import safe_logit

RIGHT, WRONG, NEAR = "Most confident and right", "Most confident and wrong", "Nearest to the threshold"
HEADINGS = (RIGHT, WRONG, NEAR)


def choose_cases(rows: pd.DataFrame, count: int, positive: str) -> list[tuple[str, int]]:
    """Choose the cases to show.

    Parameters
    ----------
    rows : DataFrame
        ``group_id``, ``label``, ``call``, ``probability`` and ``threshold`` (both on one scale), one row a view.
    count : int
        How many in all; a third under each heading, the right ones first to get what does not divide.
    positive : str
        The positive class; each heading takes turns between calls of the two classes.

    Returns
    -------
    list of (heading, row number)
        In reading order. No two cases of one group, so that no patient is shown twice; a heading that has too few
        (a model that is hardly ever wrong) stays short.

    Examples
    --------
    >>> rows = pd.DataFrame({"group_id": ["a", "b", "c"], "label": ["1", "1", "0"], "call": ["1", "0", "0"],
    ...                      "probability": [0.9, 0.1, 0.4], "threshold": 0.5})
    >>> choose_cases(rows, 3, "1")
    [('Most confident and right', 0), ('Most confident and wrong', 1), ('Nearest to the threshold', 2)]
    """
    confidence = confidence_of(rows)
    right = (rows["label"] == rows["call"]).to_numpy()
    called = (rows["call"] == positive).to_numpy()
    groups = rows["group_id"].astype(str).to_numpy()
    shares = [count // 3 + (place < count % 3) for place in range(3)]
    used: set[str] = set()
    chosen: list[tuple[str, int]] = []
    for heading, share in zip(HEADINGS, shares, strict=True):
        order = np.argsort(confidence if heading == NEAR else -confidence, kind="stable")
        wanted = {RIGHT: right, WRONG: ~right, NEAR: np.ones_like(right)}[heading]
        ranked = [int(row) for row in order if wanted[row]]
        # The class of the first case starts, so that the most confident one is always shown.
        start = bool(called[ranked[0]]) if ranked else True
        sides = [[row for row in ranked if called[row] == side] for side in (start, not start)]
        for row in _in_turns(sides[0], sides[1]):
            if sum(title == heading for title, _ in chosen) == share:
                break
            if groups[row] not in used:
                used.add(groups[row])
                chosen.append((heading, row))
    return chosen


def confidence_of(rows: pd.DataFrame) -> NDArray[np.float64]:
    """Return how far each score lies from its threshold in log odds, so that both classes compare."""
    probability, threshold = (rows[name].to_numpy(np.float64) for name in ("probability", "threshold"))
    return np.asarray(np.abs(safe_logit(probability) - safe_logit(threshold)), np.float64)


def wrong_cases(rows: pd.DataFrame) -> list[int]:
    """Return the row numbers of all wrong calls, the most confident first.

    Examples
    --------
    >>> rows = pd.DataFrame({"label": ["1", "1", "0"], "call": ["1", "0", "1"], "probability": [0.9, 0.4, 0.9],
    ...                      "threshold": 0.5})
    >>> wrong_cases(rows)
    [2, 1]
    """
    wrong = (rows["label"] != rows["call"]).to_numpy()
    return [int(row) for row in np.argsort(-confidence_of(rows), kind="stable") if wrong[row]]


def _in_turns(first: list[int], second: list[int]) -> list[int]:
    turns = [row for pair in zip(first, second, strict=False) for row in pair]
    shorter = min(len(first), len(second))
    return turns + first[shorter:] + second[shorter:]
