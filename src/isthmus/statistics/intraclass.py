"""Intraclass correlations: how far one reader's rating, or the mean of all, stands for another's."""

from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import fdtri

from isthmus.statistics.bootstrap import REPLICATES, group_counts, percentile_interval
from isthmus.statistics.category_agreement import few_groups
from isthmus.statistics.inputs import FloatArray, as_groups
from isthmus.statistics.interval import Interval, check_level, undefined

Form = Literal["1,1", "2,1", "3,1", "1,k", "2,k", "3,k"]
"""Shrout and Fleiss: (1) other readers for each case, (2) the same readers, drawn by chance, (3) these readers only;
of (1) one reader's rating or of (k) the mean of all."""


class MeanSquares(NamedTuple):
    """Mean squares [B] of cases, of readings within a case, of readers, and of what is left; cases [B] and readers."""

    cases: FloatArray
    within: FloatArray
    readers: FloatArray
    rest: FloatArray
    n: FloatArray
    k: int


def intraclass_correlation(
    ratings: ArrayLike,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = REPLICATES,
    form: Form = "2,1",
) -> Interval:
    """Return an intraclass correlation.

    Parameters
    ----------
    ratings : array_like [N, K]
        N cases, each rated by the same K readers.
    groups : array_like [N], optional
        Whom each case belongs to. Where every group is one case the limits are those of the F distribution; else
        whole groups are resampled.
    level : float
    replicates : int
        Of the resampling.
    form : {'1,1', '2,1', '3,1', '1,k', '2,k', '3,k'}

    Returns
    -------
    Interval
        Without numbers where all ratings are alike.

    Source: P. Shrout, J. Fleiss, Psychological Bulletin 86 (1979) 420-428; limits of K. McGraw, S. Wong, Psychological
    Methods 1 (1996) 30-46; R `psych::ICC(lmer = FALSE)`.

    Examples
    --------
    >>> round(intraclass_correlation([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6]], form="3,1").estimate, 3)
    0.769
    """
    table = np.asarray(ratings, dtype=np.float64)
    if table.ndim != 2 or min(table.shape) < 2 or not np.isfinite(table).all():
        raise ValueError("ratings must be a full table of at least two cases by two readers")
    if form not in get_args(Form):
        raise ValueError(f"no intraclass correlation ({form}); there are {', '.join(get_args(Form))}")
    check_level(level)
    table = table - table.mean()
    codes, count = as_groups(groups, len(table))
    sums = _sums(table, codes, count)
    found = _mean_squares(sums.sum(axis=0, keepdims=True), table.shape[1])
    estimate = float(_coefficient(found, form)[0])
    if np.isnan(estimate):
        return undefined("ICC", "all ratings are alike", level)
    if count < 2:  # every replicate would be the sample itself: an interval of no width
        return Interval(estimate, float("-inf"), float("inf"), level, "group bootstrap", few_groups(count))
    if count == len(table):
        return _by_f(estimate, found, form, level)
    drawn = [
        _coefficient(_mean_squares(counts @ sums, table.shape[1]), form) for counts in group_counts(count, replicates)
    ]
    return percentile_interval(estimate, np.concatenate(drawn), level, few_groups(count))


def _sums(table: FloatArray, codes: "np.ndarray[tuple[int], np.dtype[np.intp]]", count: int) -> FloatArray:
    """Return each group's cases, squared case means, squared ratings, and sum of each reader [G, 3 + K]."""
    parts = [np.ones(len(table)), table.mean(axis=1) ** 2, (table**2).sum(axis=1), *table.T]
    return np.stack([np.bincount(codes, weights=part, minlength=count) for part in parts], axis=1)


def _mean_squares(sums: FloatArray, k: int) -> MeanSquares:
    cases = sums[:, 0]
    of_readers = sums[:, 3:] / cases[:, None]
    grand = of_readers.mean(axis=1)
    correction = k * cases * grand**2
    between = k * sums[:, 1] - correction
    readers = cases * ((of_readers - grand[:, None]) ** 2).sum(axis=1)
    total = sums[:, 2] - correction
    scale = np.maximum(sums[:, 2], 1e-300) * 1e-13  # rounding leaves a trace where all ratings are alike
    between, readers, rest = (
        np.where(part < scale, 0.0, part) for part in (between, readers, total - between - readers)
    )
    with np.errstate(invalid="ignore", divide="ignore"):  # a replicate of one case only has no answer
        return MeanSquares(
            between / (cases - 1),
            (readers + rest) / (cases * (k - 1)),
            readers / (k - 1),
            rest / ((cases - 1) * (k - 1)),
            cases,
            k,
        )


def _coefficient(of: MeanSquares, form: Form) -> FloatArray:
    noise = of.within if form[0] == "1" else of.rest
    extra = (of.readers - of.rest) / of.n if form[0] == "2" else np.zeros_like(of.n)
    below = of.cases + of.k * extra + (of.k - 1) * noise if form[2] == "1" else of.cases + extra
    found = np.full(below.shape, np.nan)
    np.divide(of.cases - noise, below, out=found, where=np.isfinite(below) & (np.abs(below) > 1e-300))
    return found


def _by_f(estimate: float, of: MeanSquares, form: Form, level: float) -> Interval:
    """Return the limits of McGraw and Wong, where every case is a group."""
    n, k = int(of.n[0]), of.k
    tail = (1 + level) / 2
    cases, noise = float(of.cases[0]), float((of.within if form[0] == "1" else of.rest)[0])
    note = few_groups(n)
    method = f"F, ICC({form})"
    if noise <= 0 or (form[0] == "2" and cases <= 0):
        said = "; ".join(filter(None, (note, "no error to judge by")))
        return Interval(estimate, float("-inf"), float("inf"), level, "none", said)
    if form[0] == "2":
        low, high = _two_way(of, tail)
    else:
        freedom = n * (k - 1) if form[0] == "1" else (n - 1) * (k - 1)
        ratio = cases / noise
        low = _single(ratio / float(fdtri(n - 1, freedom, tail)), k)
        high = _single(ratio * float(fdtri(freedom, n - 1, tail)), k)
    if form[2] == "k":  # Spearman and Brown: the mean of k readings
        low, high = (limit * k / (1 + limit * (k - 1)) for limit in (low, high))
    return Interval(estimate, min(low, estimate), max(high, estimate), level, method, note)


def _single(f: float, k: int) -> float:
    return (f - 1) / (f + k - 1)


def _two_way(of: MeanSquares, tail: float) -> tuple[float, float]:
    """Return the limits of ICC(2,1), by Satterthwaite's degrees of freedom."""
    n, k = int(of.n[0]), of.k
    cases, readers, rest = (float(part[0]) for part in (of.cases, of.readers, of.rest))
    correlation = (cases - rest) / (cases + (k - 1) * rest + k * (readers - rest) / n)
    ratio = readers / rest
    part = n * (1 + (k - 1) * correlation) - k * correlation
    above = (k - 1) * (n - 1) * (k * correlation * ratio + part) ** 2
    freedom = above / ((n - 1) * k**2 * correlation**2 * ratio**2 + part**2)
    up, down = float(fdtri(n - 1, freedom, tail)), float(fdtri(freedom, n - 1, tail))
    rest_of = k * readers + (k * n - k - n) * rest
    low = n * (cases - up * rest) / (up * rest_of + n * cases)
    high = n * (down * cases - rest) / (rest_of + n * down * cases)
    return low, high
