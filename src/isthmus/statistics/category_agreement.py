"""Agreement of readers who put the same cases into categories: percent, Cohen, Fleiss, Gwet AC1/AC2, Krippendorff.

Every measure is a function of means over cases, so that its error is the sum of the cases' linearised values: sums
over a group of patients are the group's value, and the limits are those of a t over groups. Where every group is one
case this is the variance of K. Gwet (Handbook of Inter-Rater Reliability, 4th edition, 2014; R `irrCAC`).
"""

from collections.abc import Sequence
from math import sqrt
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from isthmus.statistics.inputs import FloatArray, IntArray, as_groups
from isthmus.statistics.interval import Interval, check_level, undefined
from isthmus.statistics.proportions import wilson

Weights = Literal["none", "linear", "quadratic"]
Measure = Literal["percent agreement", "Fleiss kappa", "Gwet AC", "Krippendorff alpha"]
FEW_GROUPS = 10
"""Below this many groups the limits of an agreement are a guide at best, and say so."""


class _Rated(NamedTuple):
    """Counts [N, q] of readings in each category, groups, how far two categories agree [q, q], and whether in full."""

    counts: FloatArray
    codes: IntArray
    groups: int
    weights: FloatArray


def cohen_kappa(
    a: ArrayLike,
    b: ArrayLike,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    weights: Weights = "none",
    categories: Sequence[object] | None = None,
) -> Interval:
    """Return Cohen's kappa of two readers, weighted or not.

    Parameters
    ----------
    a, b : array_like [N]
        Both readers' categories of the same cases; a case that one of them did not read (None, NaN, '') is left out.
    groups : array_like [N], optional
        Whom each case belongs to.
    level : float
    weights : {'none', 'linear', 'quadratic'}
        How far unlike categories agree: not at all, or by their distance in `categories`.
    categories : sequence, optional
        All of them, in order; default those that were used, sorted.

    Returns
    -------
    Interval
        Without numbers where both readers put all cases into one category.

    Source: J. Cohen, Educational and Psychological Measurement 20 (1960) 37-46; Psychological Bulletin 70 (1968)
    213-220; variance of J. Fleiss, J. Cohen, B. Everitt, Psychological Bulletin 72 (1969) 323-327, times G/(G - 1).

    Examples
    --------
    >>> round(cohen_kappa([0, 0, 1, 1, 1], [0, 1, 1, 1, 1]).estimate, 4)
    0.5455
    """
    first, second = np.asarray(a, dtype=object), np.asarray(b, dtype=object)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"two readers rated {first.size} and {second.size} cases: give the cases that both rated")
    table, names = _category_codes(np.stack([first, second], axis=1), categories)
    kept = (table >= 0).all(axis=1)
    if not kept.any():
        return undefined("kappa", "no case was read by both", level)
    codes, count = as_groups(None if groups is None else np.asarray(groups)[kept], int(kept.sum()))
    matrix = agreement_weights(len(names), weights)
    x, y = table[kept].T
    p, q = (np.bincount(side, minlength=len(names)) / kept.sum() for side in (x, y))
    observed, expected = matrix[x, y], float(p @ matrix @ q)
    if expected >= 1 - 1e-12:
        return undefined("kappa", "both readers put all cases into one category", level)
    by_chance = (matrix @ q)[x] + (p @ matrix)[y] - 2 * expected
    mean = float(observed.mean())
    kappa = (mean - expected) / (1 - expected)
    values = (observed - mean) / (1 - expected) - (1 - mean) / (1 - expected) ** 2 * by_chance
    return _interval(kappa, values, codes, count, expected, level)


def reader_agreement(
    measure: Measure,
    ratings: ArrayLike,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    weights: Weights = "none",
    categories: Sequence[object] | None = None,
) -> Interval:
    """Return an agreement among two or more readers; each may have skipped cases.

    Parameters
    ----------
    measure : {'percent agreement', 'Fleiss kappa', 'Gwet AC', 'Krippendorff alpha'}
        ``Gwet AC`` is AC1 without weights and AC2 with them.
    ratings : array_like [N, R]
        Each reader's category of each case; None, NaN or '' where there is none.
    groups : array_like [N], optional
    level, weights, categories
        As :func:`cohen_kappa`. Gwet's AC depends on how many categories there are: name them all.

    Returns
    -------
    Interval
        Without numbers where no case has two readings, or (but for percent agreement and AC) all are alike.

    Source: J. Fleiss, Psychological Bulletin 76 (1971) 378-382; K. Gwet, British Journal of Mathematical and
    Statistical Psychology 61 (2008) 29-48; A. Hayes, K. Krippendorff, Communication Methods and Measures 1 (2007)
    77-89; all with weights, skipped cases and variances as in K. Gwet's Handbook (2014), chapters 2 to 5.
    """
    if measure not in get_args(Measure):
        raise ValueError(f"no agreement {measure!r}; there are {', '.join(get_args(Measure))}")
    rated = _rated(ratings, groups, weights, categories)
    if not (rated.counts.sum(axis=1) >= 2).any():
        return undefined(measure, "no case was read by two readers", level)
    if measure == "Krippendorff alpha":
        return _krippendorff(rated, level)
    number = rated.counts.sum(axis=1)  # of readings of each case, at least one
    both = number >= 2
    agreeing = np.zeros(len(number))
    pairs = (rated.counts * (rated.counts @ rated.weights - 1)).sum(axis=1)
    np.divide(pairs, number * (number - 1), out=agreeing, where=both)
    observed = float(agreeing[both].mean())
    # Cases with one reading tell how common the categories are, and nothing of agreement.
    scaled = len(number) / both.sum() * both
    if measure == "percent agreement":
        values = scaled * (agreeing - observed)
        return _interval(observed, values, rated.codes, rated.groups, 0.0, level)
    share = (rated.counts / number[:, None]).mean(axis=0)
    if measure == "Fleiss kappa":
        expected = float(share @ rated.weights @ share)
        chance = (rated.counts @ (rated.weights @ share)) / number
    else:
        size = len(share)
        if size < 2:
            return undefined(measure, "one category only: name all of them", level)
        factor = rated.weights.sum() / (size * (size - 1))
        expected = float(factor * (share * (1 - share)).sum())
        chance = factor * (rated.counts @ (1 - share)) / number
    if expected >= 1 - 1e-12:
        return undefined(measure, "all readings are alike", level)
    estimate = (observed - expected) / (1 - expected)
    values = scaled * (agreeing - expected) / (1 - expected) - estimate
    values -= 2 * (1 - estimate) * (chance - expected) / (1 - expected)
    return _interval(estimate, values, rated.codes, rated.groups, expected, level)


def _krippendorff(rated: _Rated, level: float) -> Interval:
    """Return alpha, of the cases with two readings or more."""
    number = rated.counts.sum(axis=1)
    kept = number >= 2
    counts, number = rated.counts[kept], number[kept]
    codes, groups = as_groups(rated.codes[kept], int(kept.sum()))
    mean = float(number.mean())
    agreeing = (counts * (counts @ rated.weights - 1)).sum(axis=1) / (mean * (number - 1))
    observed = float(agreeing.mean())
    share = counts.mean(axis=0) / mean
    expected = float(share @ rated.weights @ share)
    if expected >= 1 - 1e-12:
        return undefined("Krippendorff alpha", "all readings are alike", level)
    small = 1 / float(number.sum())
    estimate = ((1 - small) * observed + small - expected) / (1 - expected)
    plain = (observed - expected) / (1 - expected)
    uneven = (number - mean) / mean
    values = (agreeing - observed * uneven - expected) / (1 - expected) - plain
    chance = (counts @ (rated.weights @ share)) / mean - expected * uneven
    values -= 2 * (1 - plain) * (chance - expected) / (1 - expected)
    return _interval(estimate, values, codes, groups, expected, level)


def agreement_weights(categories: int, weights: Weights) -> FloatArray:
    """Return how far two of the ordered categories agree [q, q]: 1 on the diagonal, 0 at the far corners.

    Examples
    --------
    >>> agreement_weights(3, "linear").tolist()
    [[1.0, 0.5, 0.0], [0.5, 1.0, 0.5], [0.0, 0.5, 1.0]]
    """
    if weights not in get_args(Weights):
        raise ValueError(f"no weights {weights!r}; there are {', '.join(get_args(Weights))}")
    if weights == "none" or categories < 2:
        return np.eye(categories)
    steps = np.abs(np.subtract.outer(np.arange(categories), np.arange(categories))) / (categories - 1)
    return np.asarray(1 - steps ** (1 if weights == "linear" else 2), dtype=np.float64)


def _rated(
    ratings: ArrayLike, groups: ArrayLike | None, weights: Weights, categories: Sequence[object] | None
) -> _Rated:
    table = np.asarray(ratings, dtype=object)
    if table.ndim != 2 or table.shape[1] < 2 or not len(table):
        raise ValueError(f"ratings must be cases by two or more readers, not of shape {table.shape}")
    coded, names = _category_codes(table, categories)
    read = (coded >= 0).any(axis=1)
    counts = np.stack([(coded[read] == place).sum(axis=1) for place in range(len(names))], axis=1).astype(np.float64)
    length = int(read.sum())
    codes, number = as_groups(None if groups is None else np.asarray(groups)[read], length)
    return _Rated(counts, codes, number, agreement_weights(len(names), weights))


def _category_codes(table: NDArray[np.object_], categories: Sequence[object] | None) -> tuple[IntArray, list[object]]:
    """Return each reading's place among the categories [N, R], -1 where there is none, and the categories."""
    none = np.array([[value is None or value == "" or value != value for value in row] for row in table], dtype=bool)
    used = sorted(set(table[~none].tolist()))
    names = used if categories is None else list(categories)
    unknown = [value for value in used if value not in names]
    if unknown:
        raise ValueError(f"a reading of {unknown[0]!r}, which is none of the categories {names}")
    place = {value: index for index, value in enumerate(names)}
    coded = np.full(table.shape, -1, dtype=np.intp)
    coded[~none] = [place[value] for value in table[~none].tolist()]
    return coded, names


def _interval(
    estimate: float, values: FloatArray, codes: IntArray, groups: int, expected: float, level: float
) -> Interval:
    """Return the t limits over groups from the cases' linearised values, which sum to nothing."""
    check_level(level)
    method = "linearised, t" if groups == len(values) else "linearised, t over groups"
    note = few_groups(groups)
    if groups < 2:
        return Interval(estimate, float("-inf"), float("inf"), level, method, note)
    sums = np.bincount(codes, weights=values, minlength=groups) / len(values)
    error = sqrt(float(sums @ sums) * groups / (groups - 1))
    if error < 1e-12:
        return _without_variance(estimate, groups, expected, level, note)
    half = float(stdtrit(groups - 1, 0.5 + level / 2)) * error
    return Interval(estimate, max(-1.0, estimate - half), min(1.0, estimate + half), level, method, note)


def _without_variance(estimate: float, groups: int, expected: float, level: float, note: str) -> Interval:
    """Return an agreement without variance: where it is full, its low limit is Wilson's for no group that disagrees."""
    if estimate < 1 - 1e-9:
        said = "; ".join(filter(None, (note, "every group agrees alike: no variance to judge by")))
        return Interval(estimate, float("-inf"), float("inf"), level, "none", said)
    least = wilson(groups, groups, level).low
    low = (least - expected) / (1 - expected)
    said = "; ".join(filter(None, (note, f"not one disagreement in {groups} groups")))
    return Interval(estimate, min(max(-1.0, low), estimate), 1.0, level, "Wilson limit of agreement", said)


def few_groups(groups: int) -> str:
    """Return the warning of an agreement that rests on few groups of patients, or nothing."""
    if groups < 2:
        return "one group only: no interval"
    return f"{groups} groups only: the interval is a guide at best" if groups < FEW_GROUPS else ""
