"""The diagnostic odds ratio: the odds of a positive call in the diseased over those in the others."""

from math import inf

import numpy as np
from numpy.typing import ArrayLike

from isthmus.statistics.inputs import as_binary, as_groups
from isthmus.statistics.interval import Interval, log_interval, undefined
from isthmus.statistics.proportions import clustered_proportion, group_influence


def diagnostic_odds_ratio(
    labels: ArrayLike, calls: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95
) -> Interval:
    """Return the diagnostic odds ratio TP TN / (FP FN), symmetric on the log scale, cluster-robust.

    Parameters
    ----------
    labels, calls : array_like of bool [N]
    groups : array_like [N], optional
    level : float

    Notes
    -----
    Where every group is one case the variance of the log is 1/TP + 1/FN + 1/FP + 1/TN (B. Woolf, Annals of Human
    Genetics 19 (1955) 251-253). A ratio of 0 or infinity has none: its finite limit is then the odds ratio of the
    Wilson limits of sensitivity and specificity, which is conservative; no 0.5 is added to any count.

    Source: A. Glas, J. Lijmer, M. Prins, G. Bonsel, P. Bossuyt, Journal of Clinical Epidemiology 56 (2003) 1129-1135.
    """
    truth = as_binary(labels)
    called = as_binary(calls, "calls", truth.size)
    codes, count = as_groups(groups, truth.size)
    method = "log scale, cluster-robust"
    if truth.all() or not truth.any():
        return undefined(method, "an odds ratio needs both classes", level)
    right = [(called[truth], codes[truth]), (~called[~truth], codes[~truth])]
    rates = [clustered_proportion(outcome, of, level) for outcome, of in right]
    shares = [rate.estimate for rate in rates]
    if min(shares) > 0 and max(shares) < 1:
        parts = [group_influence(x, of, count) / (p * (1 - p)) for (x, of), p in zip(right, shares, strict=True)]
        estimate = float(np.prod([_odds(p) for p in shares]))
        return log_interval(estimate, float(np.sum((parts[0] + parts[1]) ** 2)), level, method)
    if min(shares) == 0 and max(shares) == 1:
        return undefined(method, "every call is alike: 0 divided by 0", level)
    low, high = (_odds(rates[0].low) * _odds(rates[1].low)), (_odds(rates[0].high) * _odds(rates[1].high))
    note = "no wrong call in one class" if max(shares) == 1 else "no right call in one class"
    note += ": limit from the two Wilson intervals"
    if max(shares) == 1:
        return Interval(inf, low, inf, level, "odds ratio of Wilson limits", note)
    return Interval(0.0, 0.0, high, level, "odds ratio of Wilson limits", note)


def _odds(share: float) -> float:
    return inf if share == 1 else share / (1 - share)
