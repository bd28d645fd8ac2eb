"""Differences where a class has too few groups for a test: from the two intervals, without a p-value.

A normal approximation to the variance of a difference is hopelessly optimistic with a handful of patients: with three
and two of them in a fold, a fold's AUC has seven possible values. Each AUC's own interval (Newcombe's method 5) still
holds its level there, so the difference is given the limits that follow from these two.
"""

from collections.abc import Sequence
from math import isnan, nan, sqrt

from isthmus.statistics.interval import Comparison, Interval
from isthmus.statistics.roc import few_groups_note, newcombe_interval

METHOD = "square-and-add of the two intervals, no test"
MEAN_METHOD = "mean of the limits of its parts"


def compare_by_intervals(first: Interval, second: Interval, note: str = "") -> Comparison:
    """Return the difference of two estimates by their own intervals.

    Parameters
    ----------
    first, second : Interval
        Of the same level, with limits.
    note : str
        Why there is no test.

    Returns
    -------
    Comparison
        Limits ``d - sqrt((a - low_a)^2 + (high_b - b)^2)`` and ``d + sqrt((high_a - a)^2 + (b - low_b)^2)``, which take
        the two for independent: of two models on the same patients, whose estimates go together, they are too wide
        rather than too narrow. No statistic and no p.

    Raises
    ------
    ValueError
        When the levels differ.

    Source: R. Newcombe, Statistics in Medicine 17 (1998) 873-890, method 10; G. Zou and A. Donner, Statistics in
    Medicine 27 (2008) 1693-1702.

    Examples
    --------
    >>> wilson = [Interval(0.8, 0.692, 0.877, 0.95, "Wilson"), Interval(0.6, 0.490, 0.700, 0.95, "Wilson")]
    >>> found = compare_by_intervals(*wilson).difference
    >>> round(found.low, 3), round(found.high, 3)
    (0.053, 0.334)
    """
    if first.level != second.level:
        raise ValueError(f"intervals of {first.level} and {second.level} cannot be joined: give both one level")
    a, b = first.estimate, second.estimate
    low = a - b - sqrt((a - first.low) ** 2 + (second.high - b) ** 2)
    high = a - b + sqrt((first.high - a) ** 2 + (b - second.low) ** 2)
    difference = Interval(a - b, low, high, first.level, METHOD, note)
    return Comparison(difference, nan, nan, METHOD, a, b)


def mean_by_limits(parts: Sequence[Interval], note: str = "") -> Interval:
    """Return the mean of several estimates between the means of their limits.

    Parameters
    ----------
    parts : sequence of Interval
        Of one level. One without an estimate leaves the mean without one.
    note : str
        Why no bootstrap is made.

    Notes
    -----
    The limits of a sum after Zou and Donner with all correlations taken as 1. The AUCs of several classes on the same
    cases go together, the more so the fewer the classes: without any correlation limits cover 0.85 to 0.94 of 0.95,
    with all of it 0.95 to 1, and a percentile bootstrap of few patients 0.18 to 0.93 (docs/statistics.md).

    Source: G. Zou and A. Donner, Statistics in Medicine 27 (2008) 1693-1702, equations 3 and 4.

    Examples
    --------
    >>> found = mean_by_limits([Interval(0.9, 0.6, 1.0), Interval(0.7, 0.4, 0.9)])
    >>> round(found.estimate, 2), round(found.low, 2), round(found.high, 2)
    (0.8, 0.5, 0.95)
    """
    estimate, low, high = (
        sum(values) / len(parts) for values in zip(*((one.estimate, one.low, one.high) for one in parts), strict=True)
    )
    if isnan(estimate):
        return Interval(nan, nan, nan, parts[0].level, MEAN_METHOD, note or "not defined on these data")
    return Interval(estimate, min(low, estimate), max(high, estimate), parts[0].level, MEAN_METHOD, note)


def unless_few(compared: Comparison, positive_groups: int, negative_groups: int) -> Comparison:
    """Return a comparison of two AUCs as it is, or, with fewer than 10 groups in a class, by intervals and without p.

    Parameters
    ----------
    compared : Comparison
        Of AUCs, or of means of AUCs over readers or trainings. How these differ is then not in the limits: beside what
        so few groups leave open it is little.
    positive_groups, negative_groups : int
        With a positive and with a negative case that both were ranked on.

    Examples
    --------
    >>> tested = Comparison(Interval(0.3, 0.1, 0.5), 2.9, 0.004, "paired z", 0.9, 0.6)
    >>> unless_few(tested, 40, 10).p, unless_few(tested, 40, 9).p
    (0.004, nan)
    """
    few = few_groups_note(positive_groups, negative_groups)
    if not few or isnan(compared.difference.estimate):
        return compared
    first, second = (
        newcombe_interval(estimate, positive_groups, negative_groups, compared.difference.level)
        for estimate in (compared.estimate_a, compared.estimate_b)
    )
    known = compared.difference.note
    return compare_by_intervals(first, second, known if few in known else "; ".join(filter(None, (known, few))))
