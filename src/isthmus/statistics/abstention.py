"""Leaving the least certain cases to somebody else: accuracy against the share that is answered, and a band.

How sure a call is, is the distance of the logit of its probability from that of the threshold. A logistic
recalibration that moves the threshold along changes no order.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from isthmus.statistics.bootstrap import REPLICATES, group_bootstrap, percentile_interval
from isthmus.statistics.calibrators import safe_logit
from isthmus.statistics.inputs import BoolArray, FloatArray, IntArray, as_binary, as_groups, as_probabilities, as_scores
from isthmus.statistics.interval import Interval, normal_quantile, undefined
from isthmus.statistics.proportions import clustered_proportion

LEFT_SHARE: Final = 0.2
"""The share of cases that are left to somebody else, where nothing else is asked for."""


@dataclass(frozen=True)
class RiskCoverage:
    """Share of mistakes among the surest cases, as more and more are answered.

    Parameters
    ----------
    coverage, risk : ndarray [K]
        Share of cases answered, and the share of mistakes among them; one point for each distinct certainty.
    area : Interval
        Area under the curve (AURC): the mean of the risk over all numbers of cases answered; less is better.
    chance, best : float
        The area where certainty says nothing (the risk of all cases), and where every mistake is less certain than
        every right call.
    """

    coverage: FloatArray
    risk: FloatArray
    area: Interval
    chance: float
    best: float


@dataclass(frozen=True)
class Abstained:
    """What happens when the cases inside the band are left to somebody else.

    Parameters
    ----------
    answered, accuracy, sensitivity, specificity : Interval
        Share of cases answered, and the calls' quality among them.
    accuracy_all : Interval
        Of all cases, none left out.
    accuracy_left : Interval
        Of the calls inside the band, had they been made.
    gain : Interval
        Accuracy among the answered less that of all, cluster-robust.
    """

    answered: Interval
    accuracy: Interval
    sensitivity: Interval
    specificity: Interval
    accuracy_all: Interval
    accuracy_left: Interval
    gain: Interval


def certainty(probabilities: ArrayLike, thresholds: ArrayLike) -> FloatArray:
    """Return |logit(p) - logit(threshold)| [N].

    Parameters
    ----------
    probabilities : array_like [N]
    thresholds : array_like, scalar or [N]
        Behind the calls, 0..1.
    """
    p = as_probabilities(probabilities, np.size(probabilities))
    limits = np.broadcast_to(np.asarray(thresholds, dtype=np.float64), p.shape)
    distance: FloatArray = np.abs(safe_logit(p) - safe_logit(as_probabilities(limits, p.size)))
    return distance


def band_width(certainties: ArrayLike, share: float) -> float:
    """Return the certainty below which the given share of these cases lies: the half width of the band.

    Parameters
    ----------
    certainties : array_like [N]
        Of cases that choices may be made on, not of those that the band is shown on.
    share : float
        Of cases to be left to somebody else, 0..1.
    """
    values = np.asarray(certainties, dtype=np.float64)
    if not 0 <= share < 1 or values.size == 0:
        raise ValueError(f"a share of {share} of {values.size} cases: 0 to below 1 of at least one case")
    left = int(np.floor(share * values.size + 1e-9))
    return float(np.sort(values)[left])


def band(threshold: float, width: float) -> tuple[float, float]:
    """Return the probabilities between which nothing is called; a certainty of exactly the width is still called."""
    middle = float(safe_logit(np.array([threshold]))[0])
    return float(expit(middle - width)), float(expit(middle + width))


def refer_band(probabilities: ArrayLike, threshold: float, share: float) -> tuple[float, float]:
    """Return the band around a threshold within which the least certain share of these cases lies.

    Parameters
    ----------
    probabilities : array_like [N]
        Calibrated, of cases that choices may be made on.
    threshold : float
        On them; it lies in the band.
    share : float
        Of cases to be left to somebody else, 0..1.

    Examples
    --------
    >>> low, high = refer_band([0.1, 0.4, 0.45, 0.7, 0.9], 0.5, 0.4)
    >>> round(low, 3), round(high, 3)
    (0.3, 0.7)
    """
    low, high = band(threshold, band_width(certainty(probabilities, threshold), share))
    # At a threshold of 0 or 1, and for a width of 0, the logit there and back misses it by a rounding.
    return min(low, threshold), max(high, threshold)


def abstained(
    labels: ArrayLike,
    calls: ArrayLike,
    certainties: ArrayLike,
    width: float,
    groups: ArrayLike | None = None,
    level: float = 0.95,
) -> Abstained:
    """Return how calls do when those less certain than the band's width are not made.

    Parameters
    ----------
    labels, calls : array_like of bool [N]
    certainties : array_like [N]
    width : float
    groups : array_like [N], optional
    level : float
    """
    truth = as_binary(labels)
    called = as_binary(calls, "calls", truth.size)
    sure = as_scores(certainties, truth.size, "certainties")[0] >= width
    of, count = as_groups(groups, truth.size)
    right = truth == called

    def share(rows: BoolArray) -> Interval:
        if not rows.any():
            return undefined("Wilson, effective n", "no such case is answered", level)
        return clustered_proportion(right[rows], of[rows], level)

    return Abstained(
        answered=clustered_proportion(sure, of, level),
        accuracy=share(sure),
        sensitivity=share(sure & truth),
        specificity=share(sure & ~truth),
        accuracy_all=clustered_proportion(right, of, level),
        accuracy_left=share(~sure),
        gain=_gain(right, sure, of, count, level),
    )


def _gain(right: BoolArray, sure: BoolArray, of: IntArray, count: int, level: float) -> Interval:
    """Return the difference of two means of overlapping cases, linearised and summed by group."""
    method = "linearised difference, cluster-robust normal"
    if not sure.any():
        return undefined(method, "no case is answered", level)
    answered, everyone = float(right[sure].mean()), float(right.mean())
    if count < 2:
        return undefined(method, "one group only: no interval", level)
    residual = sure * (right - answered) / sure.sum() - (right - everyone) / right.size
    by_group = np.bincount(of, weights=residual, minlength=count)
    half = normal_quantile(level) * float(np.sqrt(np.sum(by_group**2) * count / (count - 1)))
    gain = answered - everyone
    return Interval(gain, max(-1.0, gain - half), min(1.0, gain + half), level, method)


def risk_coverage(
    right: ArrayLike,
    certainties: ArrayLike,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> RiskCoverage:
    """Return the risk-coverage curve of calls and its area, with a group-bootstrap interval.

    Among cases of equal certainty the order is left to chance, and the expected risk is taken.

    Parameters
    ----------
    right : array_like of bool [N]
        Whether each call is right.
    certainties : array_like [N]
        Higher is surer; any finite numbers.
    groups : array_like [N], optional
    level : float
    replicates, seed : int

    Source: R. El-Yaniv, Y. Wiener, JMLR 11 (2010) 1605-1641; Y. Geifman, G. Uziel, R. El-Yaniv, ICLR 2019 (AURC).
    """
    wrong = ~as_binary(right, "right calls")
    values = as_scores(certainties, wrong.size, "certainties")[0]
    order = np.argsort(-values, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(values[order]) != 0), wrong.size - 1)
    mistakes = np.cumsum(wrong[order])[ends]
    coverage, risk = (ends + 1) / wrong.size, mistakes / (ends + 1)
    estimate = _area(wrong, order, ends, np.ones((1, wrong.size)))[0]
    drawn = group_bootstrap(lambda w: _area(wrong, order, ends, w), wrong.size, groups, replicates, seed)
    share = int(wrong.sum())
    at_last = np.arange(1, share + 1) / np.arange(wrong.size - share + 1, wrong.size + 1)
    best = float(at_last.sum()) / wrong.size
    return RiskCoverage(coverage, risk, percentile_interval(float(estimate), drawn, level), share / wrong.size, best)


def _area(wrong: BoolArray, order: IntArray, ends: IntArray, weights: FloatArray) -> FloatArray:
    """Return the areas [B] under weights [B, N]: the mean over weighted cases of the risk at their place."""
    sorted_weights = weights[:, order]
    reached = np.cumsum(sorted_weights, axis=1)
    mistakes = np.cumsum(sorted_weights * wrong[order], axis=1)
    if len(ends) < len(order):  # within a tie, mistakes rise in step with the cases
        last = np.repeat(np.arange(len(ends)), np.diff(np.append(-1, ends)))
        before = np.concatenate([np.zeros((len(weights), 1)), reached[:, ends[:-1]]], axis=1)[:, last]
        made = np.concatenate([np.zeros((len(weights), 1)), mistakes[:, ends[:-1]]], axis=1)[:, last]
        tied, wrong_there = reached[:, ends][:, last] - before, mistakes[:, ends][:, last] - made
        rate = np.divide(wrong_there, tied, out=np.zeros_like(tied), where=tied > 0)
        mistakes = made + rate * (reached - before)
    risk = np.divide(mistakes, reached, out=np.zeros_like(reached), where=reached > 0)
    area: FloatArray = (sorted_weights * risk).sum(axis=1) / weights.sum(axis=1)
    return area
