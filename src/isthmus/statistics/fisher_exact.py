"""Fisher's exact test of a table of any size (Fisher-Freeman-Halton): exact by a network, else by random tables."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln
from scipy.stats import random_table

from isthmus.statistics.inputs import FloatArray, IntArray

TIE = 1e-7
"""Tables whose probability is at most this much above the observed one's, relatively, count as no more probable."""

REPLICATES = 10_000
_MOST_NODES = 100_000
_MOST_CELLS = 20_000_000


@dataclass(frozen=True)
class ExactTest:
    """The p-value; `replicates` random tables and their standard `error` where it was not worked out exactly."""

    p: float
    replicates: int = 0
    error: float = 0.0


def fisher_freeman_halton(counts: ArrayLike, replicates: int = REPLICATES, seed: int = 0) -> ExactTest:
    """Return the exact test of no association in a table of counts.

    The p-value is the probability, under fixed margins, of all tables that are no more probable than the observed one.
    Tables with two rows or columns are worked out exactly, column by column; a partial table is finished at once where
    every completion counts or none does. Larger tables, and those with too many partial ones, are drawn at random.

    Parameters
    ----------
    counts : array_like of int [R, C]
        No margin may be 0.
    replicates, seed : int
        Of the random tables.

    Source: G. Freeman, J. Halton, Biometrika 38 (1951) 141-149; C. Mehta, N. Patel, JASA 78 (1983) 427-434;
    R `fisher.test`, and `fisher.test(simulate.p.value = TRUE)`.

    Examples
    --------
    >>> round(fisher_freeman_halton([[1, 9], [11, 3]]).p, 6)
    0.002759
    """
    table = np.asarray(counts, dtype=np.intp)
    if table.ndim != 2 or (table < 0).any() or not (table.any(axis=0).all() and table.any(axis=1).all()):
        raise ValueError("a table of whole counts without an empty row or column was expected")
    if min(table.shape) < 2:
        return ExactTest(1.0)
    table = table if table.shape[0] <= table.shape[1] else table.T
    exact = _two_rows(table) if table.shape[0] == 2 else None
    return _random(table, replicates, seed) if exact is None else ExactTest(min(exact, 1.0))


def _two_rows(table: IntArray) -> float | None:
    """Return the exact p of a table of two rows; None where there are too many partial tables.

    A partial table is its first row's sum so far and the log of the product of binomials so far.
    """
    rows, columns = table.sum(axis=1), np.sort(table.sum(axis=0))[::-1]
    first = int(rows.min())
    if (first + 1) * (int(columns.max()) + 1) > _MOST_CELLS:
        return None
    ways = [_log_choose(int(size), np.arange(min(size, first) + 1)) for size in columns]
    longest, shortest = _bounds(ways, columns, first)
    total = _log_choose(int(columns.sum()), np.array([first]))[0]
    smaller = table[int(rows.argmin())]
    observed = float(
        sum(_log_choose(int(c), np.array([x]))[0] for x, c in zip(smaller, table.sum(axis=0), strict=True))
    )
    limit = observed + TIE
    sums, values, counts = np.zeros(1, dtype=np.intp), np.zeros(1), np.ones(1)
    p = 0.0
    for place, way in enumerate(ways):
        left = int(columns[place + 1 :].sum())
        if sums.size * way.size > _MOST_CELLS:
            return None
        next_sums = (sums[:, None] + np.arange(way.size)[None, :]).ravel()
        next_values, next_counts = (values[:, None] + way[None, :]).ravel(), np.repeat(counts, way.size)
        possible = (next_sums <= first) & (next_sums >= first - left)
        sums, values, counts = next_sums[possible], next_values[possible], next_counts[possible]
        all_count = values + longest[place + 1][sums] <= limit
        rest = _log_choose(left, first - sums[all_count])
        p += float(np.sum(counts[all_count] * np.exp(values[all_count] + rest - total)))
        open_yet = ~all_count & (values + shortest[place + 1][sums] <= limit)
        sums, values, counts = _merged(sums[open_yet], values[open_yet], counts[open_yet])
        if sums.size > _MOST_NODES:
            return None
    return p


def _bounds(ways: list[FloatArray], columns: IntArray, first: int) -> tuple[list[FloatArray], list[FloatArray]]:
    """Return, before each column and after the last, what the columns to come can add at most and at least, by sum."""
    longest = [np.where(np.arange(first + 1) == first, 0.0, -np.inf)]
    shortest = [np.where(np.arange(first + 1) == first, 0.0, np.inf)]
    for way in reversed(ways):
        most, least = np.full(first + 1, -np.inf), np.full(first + 1, np.inf)
        for taken, gain in enumerate(way):
            reach = first + 1 - taken
            most[:reach] = np.maximum(most[:reach], gain + longest[0][taken:])
            least[:reach] = np.minimum(least[:reach], gain + shortest[0][taken:])
        longest.insert(0, most)
        shortest.insert(0, least)
    return longest, shortest


def _merged(sums: IntArray, values: FloatArray, counts: FloatArray) -> tuple[IntArray, FloatArray, FloatArray]:
    """Join partial tables of one sum and one probability (to 1e-10)."""
    if sums.size < 2:
        return sums, values, counts
    order = np.lexsort((values, sums))
    sums, values, counts = sums[order], values[order], counts[order]
    starts = np.flatnonzero(np.concatenate([[True], (np.diff(sums) != 0) | (np.diff(values) > 1e-10)]))
    return sums[starts], values[starts], np.add.reduceat(counts, starts)


def _random(table: IntArray, replicates: int, seed: int) -> ExactTest:
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    drawn = random_table(rows, columns).rvs(size=replicates, random_state=np.random.default_rng(seed))
    observed = -float(gammaln(table + 1.0).sum())
    rare = sum(
        int(np.count_nonzero(-gammaln(drawn[a:b] + 1.0).sum(axis=(1, 2)) <= observed + TIE))
        for a, b in pairwise([*range(0, replicates, 5000), replicates])
    )
    p = (1 + rare) / (replicates + 1)
    return ExactTest(p, replicates, float(np.sqrt(p * (1 - p) / replicates)))


def _log_choose(n: int, k: IntArray) -> FloatArray:
    found: FloatArray = gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)
    return found
