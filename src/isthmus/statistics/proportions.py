"""A proportion with its interval (Wilson, exact, clustered), and differences of two proportions."""

from math import nan, sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv, stdtr, stdtrit

from isthmus.statistics.inputs import BoolArray, FloatArray, IntArray, as_binary, as_groups
from isthmus.statistics.interval import Comparison, Interval, check_level, normal_quantile, undefined


def wilson(successes: float, trials: float, level: float = 0.95, method: str = "Wilson", note: str = "") -> Interval:
    """Return the Wilson score interval of a proportion.

    Parameters
    ----------
    successes, trials : float
        Counts, or effective counts that need not be whole; 0 <= successes <= trials.
    level : float

    Source: E. Wilson, JASA 22 (1927) 209-212; R `prop.test(x, n, correct = FALSE)`.

    Examples
    --------
    >>> interval = wilson(15, 27)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.3731, 0.7241)
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials} trials: they must lie between 0 and the number of trials")
    if trials == 0:
        return undefined(method, note or "no case to count", level)
    p = successes / trials
    z2 = normal_quantile(level) ** 2
    centre = (p + z2 / (2 * trials)) / (1 + z2 / trials)
    half = sqrt(z2) * sqrt(p * (1 - p) / trials + z2 / (4 * trials**2)) / (1 + z2 / trials)
    # The limits are exactly 0 and 1 at the ends; rounding must not say otherwise.
    low = 0.0 if p == 0 else min(max(centre - half, 0.0), p)
    high = 1.0 if p == 1 else max(min(centre + half, 1.0), p)
    return Interval(p, low, high, level, method, note)


def clopper_pearson(successes: int, trials: int, level: float = 0.95) -> Interval:
    """Return the exact (Clopper-Pearson) interval of a proportion of independent cases.

    Source: C. Clopper, E. Pearson, Biometrika 26 (1934) 404-413; R `binom.test`.
    """
    check_level(level)
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials} trials: they must lie between 0 and the number of trials")
    if trials == 0:
        return undefined("Clopper-Pearson", "no case to count", level)
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, trials - successes + 1, tail))
    high = 1.0 if successes == trials else float(betaincinv(successes + 1, trials - successes, 1 - tail))
    return Interval(successes / trials, low, high, level, "Clopper-Pearson")


def clustered_proportion(successes: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95) -> Interval:
    """Return a proportion with the Wilson interval on the effective number of cases.

    The effective number is N / deff, deff = clustered variance / variance of independent cases, times
    (t quantile for N - 1 / t quantile for G - 1)^2 for few groups, and never above N. Where every group is one case it
    is N: plain Wilson. Where the proportion is 0 or 1 the design effect cannot be estimated: G is used, and said.

    Parameters
    ----------
    successes : array_like of bool [N]
    groups : array_like [N], optional
    level : float

    Source: E. Korn, B. Graubard, Survey Methodology 24 (1998) 193-201, for the effective number; limits by Wilson.
    """
    outcome = as_binary(successes, "successes")
    codes, count = as_groups(groups, outcome.size)
    if count == outcome.size:
        return wilson(int(outcome.sum()), outcome.size, level)
    effective, note = effective_number(outcome, codes, count, level)
    p = float(outcome.mean())
    return _at(wilson(p * effective, effective, level, "Wilson, effective n", note), p)


def effective_number(outcome: BoolArray, codes: IntArray, count: int, level: float = 0.95) -> tuple[float, str]:
    """Return how many independent cases tell as much as these clustered ones, and a note where that is a guess."""
    n = outcome.size
    p = float(outcome.mean())
    if p in (0.0, 1.0) or count < 2:
        return float(
            count
        ), f"design effect not estimable: {count} group{'' if count == 1 else 's'} taken as the number of cases"
    independent = p * (1 - p) / (n - 1)
    design_effect = ratio_variance(outcome, codes, count) / independent
    few = (_t_quantile(level, n - 1) / _t_quantile(level, count - 1)) ** 2
    if design_effect <= 0:
        return float(n), "no variance between groups: every case taken as independent"
    return float(min(n / design_effect * few, n)), ""


def ratio_variance(outcome: BoolArray, codes: IntArray, count: int) -> float:
    """Return the cluster-robust variance of a mean, G/(G-1) sum of squared group residuals / N^2."""
    residual = group_influence(outcome, codes, count)
    return float(np.sum(residual**2)) * count / (count - 1)


def group_influence(outcome: BoolArray, codes: IntArray, count: int) -> FloatArray:
    """Return each group's share [G] of the error of a mean: sums of (value - mean) / N."""
    values = outcome.astype(np.float64)
    return np.bincount(codes, weights=values - values.mean(), minlength=count) / values.size


def compare_paired_proportions(
    a: ArrayLike, b: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95
) -> Comparison:
    """Compare two proportions on the same cases: difference a - b, cluster-robust t interval and test over groups.

    Parameters
    ----------
    a, b : array_like of bool [N]
        For two models' sensitivities: their calls on the positives, in the same order.
    groups : array_like [N], optional
    level : float

    Notes
    -----
    With no discordant pair the difference is 0 and its limits are those of Wilson for zero discordant groups.

    Source: the one-sample t test of group sums (K.-Y. Liang, S. Zeger, Biometrika 73 (1986) 13-22), G - 1 degrees.
    """
    first = as_binary(a, "a")
    second = as_binary(b, "b", first.size)
    codes, count = as_groups(groups, first.size)
    difference = first.astype(np.float64) - second
    estimate = float(difference.mean())
    pair = (float(first.mean()), float(second.mean()))
    if not difference.any():
        reach = wilson(0, count, level).high
        interval = Interval(0.0, -reach, reach, level, "Wilson limit of discordance", "no discordant pair")
        return Comparison(interval, 0.0, 1.0, "no discordant pair", *pair)
    influence = np.bincount(codes, weights=difference - estimate, minlength=count) / first.size
    return _t_comparison(estimate, influence, count, count - 1, level, "cluster-robust paired t", pair)


def compare_unpaired_proportions(
    a: ArrayLike,
    b: ArrayLike,
    groups_a: ArrayLike | None = None,
    groups_b: ArrayLike | None = None,
    level: float = 0.95,
) -> Comparison:
    """Compare two proportions on different cases: difference a - b, cluster-robust t interval and test.

    A group that has cases on both sides (two nodules of one patient) is one group: give both sides its name.

    Parameters
    ----------
    a : array_like of bool [N]
    b : array_like of bool [K]
    groups_a, groups_b : array_like, optional
        Both or neither.
    level : float

    Notes
    -----
    Where a side does not vary (0 of 10), its own variance would count as none and the t test find too much: then the
    limits join both Wilson intervals (R. Newcombe, Statistics in Medicine 17 (1998) 873-890, method 10), and the test
    takes the variance that both sides together have under no difference, on effective numbers of cases. Where neither
    varies there is no test.
    """
    first, second = as_binary(a, "a"), as_binary(b, "b")
    if (groups_a is None) != (groups_b is None):
        raise ValueError("give the groups of both sides, or of neither")
    together: ArrayLike | None = None
    if groups_a is not None and groups_b is not None:
        together = np.concatenate([np.asarray(groups_a), np.asarray(groups_b)])
    codes, count = as_groups(together, first.size + second.size)
    codes_a, codes_b = codes[: first.size], codes[first.size :]
    count_a, count_b = np.unique(codes_a).size, np.unique(codes_b).size
    pair = (float(first.mean()), float(second.mean()))
    difference = pair[0] - pair[1]
    influence = _scaled(first, codes_a, count, count_a) - _scaled(second, codes_b, count, count_b)
    sides_vary = [0.0 < p < 1.0 for p in pair]
    if all(sides_vary) and influence.any() and min(count_a, count_b) > 1:
        degrees = min(count_a, count_b) - 1
        return _t_comparison(difference, influence, 0, degrees, level, "cluster-robust t", pair)
    one, two = (clustered_proportion(x, codes_x, level) for x, codes_x in ((first, codes_a), (second, codes_b)))
    low = difference - sqrt((one.estimate - one.low) ** 2 + (two.high - two.estimate) ** 2)
    high = difference + sqrt((one.high - one.estimate) ** 2 + (two.estimate - two.low) ** 2)
    note = f"{'the first' if sides_vary[1] else 'the second'} side does not vary" if any(sides_vary) else ""
    interval = Interval(difference, low, high, level, "Newcombe 1998 method 10", note or "no variance to test with")
    if sum(sides_vary) != 1 or min(count_a, count_b) < 2:
        return Comparison(interval, nan, nan, "no test", *pair)
    sizes = [_effective(x, codes_x, level) for x, codes_x in ((first, codes_a), (second, codes_b))]
    pooled = sum(p * size for p, size in zip(pair, sizes, strict=True)) / sum(sizes)
    t = difference / sqrt(pooled * (1 - pooled) * sum(1 / size for size in sizes))
    p_value = float(2 * stdtr(min(count_a, count_b) - 1, -abs(t)))
    return Comparison(interval, t, p_value, "score t, effective n", *pair)


def _effective(outcome: BoolArray, groups: IntArray, level: float) -> float:
    codes, count = as_groups(groups, outcome.size)
    return float(count) if count == outcome.size else effective_number(outcome, codes, count, level)[0]


def _scaled(outcome: BoolArray, codes: IntArray, count: int, groups: int) -> FloatArray:
    correction = sqrt(groups / (groups - 1)) if groups > 1 else 1.0
    return group_influence(outcome, codes, count) * correction


def _t_comparison(
    estimate: float,
    influence: FloatArray,
    groups: int,
    degrees: int,
    level: float,
    method: str,
    pair: tuple[float, float],
) -> Comparison:
    """Return the t comparison from group influence values; `groups` > 0 asks for the G/(G-1) correction."""
    variance = float(np.sum(influence**2)) * (groups / (groups - 1) if groups > 1 else 1.0)
    if degrees < 1 or variance <= 1e-30:
        note = "one group only" if degrees < 1 else "every group differs alike: no variance to test with"
        return Comparison(Interval(estimate, -1.0, 1.0, level, method, note), nan, nan, "no test", *pair)
    t = estimate / sqrt(variance)
    half = _t_quantile(level, degrees) * sqrt(variance)
    interval = Interval(estimate, max(-1.0, estimate - half), min(1.0, estimate + half), level, method)
    return Comparison(interval, t, float(2 * stdtr(degrees, -abs(t))), method, *pair)


def _t_quantile(level: float, degrees: int) -> float:
    check_level(level)
    return float(stdtrit(degrees, 0.5 + level / 2))


def _at(interval: Interval, estimate: float) -> Interval:
    """Return the interval with its estimate freed from the rounding of effective counts."""
    low, high = min(interval.low, estimate), max(interval.high, estimate)
    return Interval(estimate, low, high, interval.level, interval.method, interval.note)
