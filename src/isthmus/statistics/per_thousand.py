"""What calls mean for 1,000 patients at a stated prevalence: found, missed, needlessly biopsied, spared."""

from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from isthmus.statistics.inputs import as_binary, as_groups
from isthmus.statistics.interval import Interval, undefined
from isthmus.statistics.proportions import clustered_proportion, group_influence

PER = 1000


def per_thousand(
    labels: ArrayLike,
    calls: ArrayLike,
    prevalence: float,
    groups: ArrayLike | None = None,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Return what acting on every positive call, and on no other, would mean for 1,000 patients.

    Parameters
    ----------
    labels, calls : array_like of bool [N]
        Of any sample: only sensitivity and specificity are carried over, not the sample's prevalence.
    prevalence : float
        Of the clinic, strictly between 0 and 1, taken as known.
    groups : array_like [N], optional
        Groups of dependent cases.
    level : float

    Returns
    -------
    dict
        ``found`` and ``missed`` (of 1000 prevalence cases), ``needless`` (positive calls in the others), ``positive``
        (found + needless) and ``avoided`` (1000 - positive: spared, had all been acted on).

    Notes
    -----
    ``found``, ``missed`` and ``needless`` depend on one proportion each and have its limits (Wilson with effective
    n, cluster-robust), multiplied. ``positive`` and ``avoided`` add two: their limits join the two Wilson intervals by
    their distances (G. Zou, A. Donner, Statistics in Medicine 27 (2008) 1693-1702), with the correlation that groups
    with cases of both classes bring.

    Examples
    --------
    >>> labels, calls = [1] * 10 + [0] * 20, [1] * 8 + [0] * 2 + [1] * 5 + [0] * 15
    >>> {name: round(found.estimate, 6) for name, found in per_thousand(labels, calls, 0.1).items()}
    {'positive': 305.0, 'found': 80.0, 'missed': 20.0, 'needless': 225.0, 'avoided': 695.0}
    """
    if not 0 < prevalence < 1:
        raise ValueError(f"a prevalence of {prevalence}: it must lie between 0 and 1")
    truth = as_binary(labels)
    called = as_binary(calls, "calls", truth.size)
    codes, count = as_groups(groups, truth.size)
    cases, others = PER * prevalence, PER * (1 - prevalence)
    nothing = [undefined("Wilson, effective n", f"no {name} case", level) for name in ("positive", "negative")]
    caught = clustered_proportion(called[truth], codes[truth], level) if truth.any() else nothing[0]
    alarmed = clustered_proportion(called[~truth], codes[~truth], level) if not truth.all() else nothing[1]
    found, needless = _times(caught, cases), _times(alarmed, others)
    correlation = 0.0
    if truth.any() and not truth.all():
        one, two = (
            group_influence(called[truth], codes[truth], count),
            group_influence(called[~truth], codes[~truth], count),
        )
        size = sqrt(float(np.sum(one**2) * np.sum(two**2)))
        correlation = float(np.sum(one * two)) / size if size > 0 else 0.0
    positive = _sum(found, needless, correlation, float(PER))
    return {
        "positive": positive,
        "found": found,
        "missed": _rest(found, cases),
        "needless": needless,
        "avoided": _rest(positive, float(PER)),
    }


def _times(share: Interval, of: float) -> Interval:
    return Interval(of * share.estimate, of * share.low, of * share.high, share.level, share.method, share.note)


def _rest(part: Interval, of: float) -> Interval:
    """Return what is left of a whole."""
    return Interval(of - part.estimate, of - part.high, of - part.low, part.level, part.method, part.note)


def _sum(a: Interval, b: Interval, correlation: float, most: float) -> Interval:
    method = "square-and-add of the Wilson intervals"
    if np.isnan(a.estimate) or np.isnan(b.estimate):
        return undefined(method, a.note or b.note, a.level)

    def reach(x: float, y: float) -> float:
        return sqrt(max(x**2 + y**2 + 2 * correlation * x * y, 0.0))

    estimate = a.estimate + b.estimate
    low = max(0.0, estimate - reach(a.estimate - a.low, b.estimate - b.low))
    high = min(most, estimate + reach(a.high - a.estimate, b.high - b.estimate))
    note = "; ".join(dict.fromkeys(filter(None, (a.note, b.note))))
    return Interval(estimate, min(low, estimate), max(high, estimate), a.level, method, note)
