"""From mean squares and error terms to tests and intervals: the part that both ANOVA methods share."""

from dataclasses import dataclass
from itertools import combinations
from math import isfinite, isinf, sqrt
from typing import Final, Literal

from scipy.special import chdtrc, expit, fdtrc, logit, ndtri, stdtr, stdtrit

from isthmus.statistics.inputs import FloatArray
from isthmus.statistics.interval import Comparison, Interval, check_level, compare, undefined
from isthmus.statistics.multi_reader.components import MeanSquares, VarianceComponents
from isthmus.statistics.multi_reader.result import Factor, NamedComparison, OverallTest

Scale = Literal["logit", "plain"]
FEWEST_READERS: Final = 5
"""With fewer readers in a group the variance between readers is too uncertain: they are taken as fixed (design)."""


@dataclass(frozen=True)
class ErrorTerm:
    """Variance of a reader's figure against which a mean square is judged, and its degrees of freedom (inf: z)."""

    value: float
    degrees: float


@dataclass(frozen=True)
class ErrorTerms:
    """The error term of differences between conditions, and of each condition alone."""

    between: ErrorTerm
    within: tuple[ErrorTerm, ...]


def effective_readers(asked: Factor, count: int, fewest: int) -> tuple[Factor, str]:
    """Return what the readers are taken as, and the note that says why when it is not what was asked."""
    if asked not in ("random", "fixed"):
        raise ValueError(f"readers are random or fixed, not {asked!r}")
    if asked == "random" and count < max(fewest, 2):
        s = "" if count == 1 else "s"
        return "fixed", (
            f"{count} reader{s}: too few to stand for readers in general (at least {max(fewest, 2)} are needed), so "
            "they are taken as fixed; the result speaks of these readers only"
        )
    return asked, ""


def hillis_terms(squares: MeanSquares, shared: float, shared_within: FloatArray) -> ErrorTerms:
    """Return the error terms of random readers and random cases with Hillis's degrees of freedom.

    Parameters
    ----------
    squares : MeanSquares
    shared : float
        r max(Cov2 - Cov3, 0).
    shared_within : ndarray [conditions]
        r max(Cov2, 0) of each condition.

    Source: S. Hillis, Statistics in Medicine 26 (2007) 596-619, ddf_H and ddf_H,single.
    """
    r_1, t_1 = squares.number - 1, len(squares.readers_within) - 1
    return ErrorTerms(
        _with_hillis(squares.interaction, shared, t_1 * r_1),
        tuple(
            _with_hillis(float(ms), float(s), r_1) for ms, s in zip(squares.readers_within, shared_within, strict=True)
        ),
    )


def fixed_readers_terms(components: VarianceComponents, readers: int) -> ErrorTerms:
    """Return the error terms of fixed readers and random cases; they are judged by z and chi-square."""
    inf = float("inf")
    of_pairs = components.error - (components.cov1 if isfinite(components.cov1) else 0.0)
    within = zip(components.error_within, components.cov2_within, strict=True)
    return ErrorTerms(
        ErrorTerm(max(of_pairs, 0.0) + (readers - 1) * components.shared, inf),
        tuple(
            ErrorTerm(float(e) + ((readers - 1) * max(float(c), 0.0) if readers > 1 else 0.0), inf) for e, c in within
        ),
    )


def fixed_cases_terms(squares: MeanSquares) -> ErrorTerms:
    """Return the error terms of random readers and fixed cases: the ordinary repeated-measures ANOVA."""
    r_1, t_1 = squares.number - 1, len(squares.readers_within) - 1
    return ErrorTerms(
        ErrorTerm(squares.interaction, t_1 * r_1), tuple(ErrorTerm(float(ms), r_1) for ms in squares.readers_within)
    )


def overall_test(squares: MeanSquares, term: ErrorTerm, conditions: int) -> OverallTest:
    """Return the test of equal means: F, or chi-square where the error term's degrees are infinite."""
    nan, df1 = float("nan"), float(conditions - 1)
    method = "chi-square" if isinf(term.degrees) else "F"
    if conditions < 2:
        return OverallTest(nan, nan, nan, nan, method, "one condition: nothing to compare")
    if not isfinite(term.value) or not isfinite(squares.conditions):
        return OverallTest(nan, df1, nan, nan, method, "the data hold no error variance to judge by")
    if term.value <= 0 or squares.conditions <= 1e-28:
        same = squares.conditions <= 1e-28
        note = "the conditions have the same mean" if same else "the data hold no error variance to judge by"
        return OverallTest(0.0 if same else nan, df1, term.degrees, 1.0 if same else nan, method, note)
    f = squares.conditions / term.value
    if isinf(term.degrees):
        return OverallTest(df1 * f, df1, term.degrees, float(chdtrc(df1, df1 * f)), method)
    return OverallTest(f, df1, term.degrees, float(fdtrc(df1, term.degrees, f)), method)


def pair_comparisons(
    figures: FloatArray, names: tuple[str, ...], term: ErrorTerm, level: float, method: str
) -> tuple[NamedComparison, ...]:
    """Return every pair of conditions with its t (or z) test on the common error term."""
    readers = len(figures)
    means = [float(mean) for mean in figures.mean(axis=0)]
    variance = 2 * term.value / readers
    return tuple(
        NamedComparison(names[a], names[b], t_comparison(means[a], means[b], variance, term.degrees, level, method))
        for a, b in combinations(range(len(names)), 2)
    )


def mean_intervals(
    figures: FloatArray, terms: tuple[ErrorTerm, ...], level: float, method: str, scale: Scale = "logit"
) -> tuple[Interval, ...]:
    """Return the mean over readers of each condition with its interval."""
    readers = len(figures)
    return tuple(
        t_interval(float(figures[:, i].mean()), term.value / readers, term.degrees, level, method, scale)
        for i, term in enumerate(terms)
    )


def reader_comparisons(
    figures: FloatArray,
    covariance: FloatArray,
    names: tuple[tuple[str, ...], tuple[str, ...]],
    level: float,
    method: str,
) -> tuple[NamedComparison, ...]:
    """Return every pair of conditions within each reader, from that reader's own variances (paired z)."""
    readers, conditions = names
    found = []
    for j, reader in enumerate(readers):
        own = covariance[j, :, j, :]
        for a, b in combinations(range(len(conditions)), 2):
            total = float(own[a, a] + own[b, b])
            variance = total - 2 * float(own[a, b])
            variance = 0.0 if variance <= 1e-14 * max(total, 0.0) else variance
            pair = compare(float(figures[j, a]), float(figures[j, b]), variance, level, method)
            found.append(NamedComparison(conditions[a], conditions[b], pair, reader))
    return tuple(found)


def t_interval(
    estimate: float, variance: float, degrees: float, level: float, method: str, scale: Scale = "logit"
) -> Interval:
    """Return the interval of a figure in 0..1 by t on the logit scale, or estimate +- t sqrt(variance) within 0 and 1.

    Figures near 1 have a skewed distribution, which the plain interval does not follow: it then covers too little.
    Without a variance the limits are 0 and 1 (it cannot be estimated) or the estimate (there is none), and noted.
    """
    method = f"{method}, {_degrees_in_words(degrees)}{', logit' if scale == 'logit' else ''}"
    if not isfinite(variance) or not degrees > 0:
        return Interval(estimate, 0.0, 1.0, level, method, "no variance can be estimated: the limits say nothing")
    if variance <= 0:
        return Interval(estimate, estimate, estimate, level, method, "the data hold no variance")
    half = _quantile(level, degrees) * sqrt(variance)
    if scale == "logit" and 0 < estimate < 1:
        centre, reach = float(logit(estimate)), half / (estimate * (1 - estimate))
        low, high = float(expit(centre - reach)), float(expit(centre + reach))
        return Interval(estimate, min(low, estimate), max(high, estimate), level, method)
    return Interval(estimate, max(0.0, estimate - half), min(1.0, estimate + half), level, method)


def t_comparison(a: float, b: float, variance: float, degrees: float, level: float, method: str) -> Comparison:
    """Return the comparison a - b of two figures in 0..1 by t, or by z where the degrees are infinite."""
    name = f"{method}, {_degrees_in_words(degrees)}"
    nan = float("nan")
    if not isfinite(variance) or not degrees > 0:
        return Comparison(undefined(name, "no variance can be estimated", level), nan, nan, name, a, b)
    if variance <= 0 or isinf(degrees):
        return compare(a, b, variance, level, name)
    error = sqrt(variance)
    t = (a - b) / error
    half = _quantile(level, degrees) * error
    interval = Interval(a - b, max(-1.0, a - b - half), min(1.0, a - b + half), level, name)
    return Comparison(interval, t, float(2 * stdtr(degrees, -abs(t))), name, a, b)


def _with_hillis(own: float, shared: float, degrees: float) -> ErrorTerm:
    if not isfinite(own) or not degrees > 0:
        return ErrorTerm(float("nan"), float("nan"))
    value = own + shared
    # Without variance between readers (a rounding error at most) what is left is the cases' own: a z test.
    found = value**2 / (own**2 / degrees) if own > 1e-14 * value else float("inf")
    return ErrorTerm(value, found)


def _quantile(level: float, degrees: float) -> float:
    check_level(level)
    return float(ndtri(0.5 + level / 2)) if isinf(degrees) else float(stdtrit(degrees, 0.5 + level / 2))


def _degrees_in_words(degrees: float) -> str:
    return "z" if isinf(degrees) else f"t on {degrees:.4g} df"
