"""Decision curves: the net benefit of acting on a probability, against acting on everybody and on nobody."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, stdtrit

from isthmus.statistics.bootstrap import REPLICATES, group_counts
from isthmus.statistics.inputs import BoolArray, FloatArray, IntArray, as_binary, as_groups, as_probabilities
from isthmus.statistics.interval import check_level

GRID: FloatArray = np.round(np.arange(1, 100) / 100, 2)
"""Threshold probabilities 0.01 to 0.99."""


@dataclass(frozen=True)
class Band:
    """Values at each threshold [T] between their pointwise limits; NaN where there is no answer.

    ``groups`` [T] counts the groups that tell the two compared rules apart (for a curve: from acting on nobody). Where
    they are few, under about 10, a bootstrap cannot see what it has not drawn, and the limits are too narrow.
    """

    estimate: FloatArray
    low: FloatArray
    high: FloatArray
    groups: IntArray


@dataclass(frozen=True)
class DecisionCurves:
    """Net benefit of M models on the same cases, at T thresholds.

    Parameters
    ----------
    thresholds : ndarray [T]
        Threshold probabilities: at t a missed case counts (1 - t) / t needless actions.
    prevalence : float
        Of the sample, or the stated one; NaN where a class has no case.
    net_benefit : tuple of Band
        Of each model, in true positives per patient.
    treat_all : ndarray [T]
        Net benefit of acting on everybody; that of acting on nobody is 0.
    method : str
    note : str
        Why there are no numbers, if so.
    models, all_of : ndarray [B, M, T], [B, T]
        The bootstrap replicates behind the bands.
    called : tuple of ndarray [G, 2 T]
        Of each model: each group's weight of cases, then of others, called at each threshold.
    totals : ndarray [G, 2]
        Each group's weight of cases and of others.
    tail : float
        Left out of the replicates on each side.
    """

    thresholds: FloatArray
    prevalence: float
    net_benefit: tuple[Band, ...]
    treat_all: FloatArray
    level: float
    method: str
    models: FloatArray
    all_of: FloatArray
    called: tuple[FloatArray, ...]
    totals: FloatArray
    tail: float
    note: str = ""

    def standardised(self, model: int) -> Band:
        """Return net benefit as a share of the greatest possible one, which is the prevalence; 1 is perfect."""
        return _scaled(self.net_benefit[model], 1 / self.prevalence)

    def difference(self, model: int, other: int) -> Band:
        """Return the net benefit of a model minus that of another, paired over the same groups."""
        a, b = self.net_benefit[model].estimate, self.net_benefit[other].estimate
        groups = _telling(self.called[model], self.called[other])
        return _band(a - b, self.models[:, model] - self.models[:, other], self.tail, groups)

    def above_default(self, model: int) -> Band:
        """Return the net benefit of a model minus the greater of acting on everybody and on nobody."""
        best, best_of = np.maximum(self.treat_all, 0), np.maximum(self.all_of, 0)
        groups = np.minimum(_telling(self.called[model], self._everybody()), self.net_benefit[model].groups)
        return _band(self.net_benefit[model].estimate - best, self.models[:, model] - best_of, self.tail, groups)

    def avoided(self, model: int) -> Band:
        """Return actions avoided per 100 patients against acting on everybody, at the same number of cases found.

        Source: A. Vickers, A. Cronin, E. Elkin, M. Gonen, BMC Medical Informatics 8 (2008) 53.
        """
        odds = self.thresholds / (1 - self.thresholds)
        more, groups = self.models[:, model] - self.all_of, _telling(self.called[model], self._everybody())
        return _scaled(_band(self.net_benefit[model].estimate - self.treat_all, more, self.tail, groups), 100 / odds)

    def _everybody(self) -> FloatArray:
        return np.repeat(self.totals, self.thresholds.size, axis=1)


def net_benefit(
    labels: ArrayLike,
    probabilities: ArrayLike,
    thresholds: ArrayLike = GRID,
    prevalence: float | None = None,
    weights: ArrayLike | None = None,
) -> FloatArray:
    """Return the net benefit [T] of acting where the probability reaches the threshold.

    TP / N - FP / N t / (1 - t); with a stated prevalence, prevalence sensitivity - (1 - prevalence) (1 - specificity)
    t / (1 - t). NaN where a class is needed that has no case.

    Parameters
    ----------
    labels : array_like of bool [N]
    probabilities : array_like [N]
    thresholds : array_like [T]
        Ascending, strictly between 0 and 1.
    prevalence : float, optional
        For samples whose share of cases is that of no clinic (case-control); default the sample's.
    weights : array_like [N], optional
        Of the rows; a unit predicted by several seeds has its weight shared between them.

    Source: A. Vickers, E. Elkin, Medical Decision Making 26 (2006) 565-574; Python and R ``dcurves``.

    Examples
    --------
    >>> net_benefit([1, 1, 0, 0], [0.9, 0.3, 0.6, 0.1], [0.2, 0.5]).round(4).tolist()
    [0.4375, 0.0]
    """
    curves = decision_curves(
        labels, np.asarray(probabilities, float), thresholds, prevalence, weights=weights, replicates=1
    )
    return curves.net_benefit[0].estimate


def decision_curves(
    labels: ArrayLike,
    probabilities: ArrayLike,
    thresholds: ArrayLike = GRID,
    prevalence: float | None = None,
    groups: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> DecisionCurves:
    """Return the decision curves of models on the same cases, with pointwise bands from one group bootstrap.

    Parameters
    ----------
    labels : array_like of bool [N]
    probabilities : array_like [M, N]
        One row a model.
    thresholds, prevalence, weights
        As for `net_benefit`. The probabilities are taken as they are: for another prevalence shift them first.
    groups : array_like [N], optional
        Groups of dependent cases: the unit of the bootstrap.
    level : float
    replicates, seed : int
        All models are weighed on the same replicates, so that differences are paired.

    Notes
    -----
    The percentiles are widened for few groups of the smaller class as a t interval is (T. Hesterberg, The American
    Statistician 69 (2015) 371-386, section 5.2).
    """
    truth = as_binary(labels)
    models = [as_probabilities(values, truth.size) for values in np.atleast_2d(np.asarray(probabilities, float))]
    cuts = _checked_thresholds(thresholds)
    check_level(level)
    if prevalence is not None and not 0 < prevalence < 1:
        raise ValueError(f"a prevalence of {prevalence}: it must lie between 0 and 1")
    weight = np.ones(truth.size) if weights is None else np.asarray(weights, dtype=np.float64)
    if weight.shape != truth.shape or (weight < 0).any():
        raise ValueError(f"weights has shape {weight.shape}: one weight of 0 or more for each of {truth.size} rows")
    method = f"percentile of {replicates} group bootstraps, widened for few groups, pointwise"
    if truth.all() or not truth.any():
        return _nothing(cuts, len(models), level, method)
    codes, count = as_groups(groups, truth.size)
    totals: FloatArray = np.stack([np.bincount(codes, weight * of, count) for of in (truth, ~truth)], axis=1).astype(
        float
    )
    tables = [_called(truth, values, weight, codes, count, cuts) for values in models]  # M of [G, 2 T]
    whole = np.ones((1, count))
    observed = _net_benefits(whole @ totals, [whole @ table for table in tables], cuts, prevalence)
    parts = [
        _net_benefits(drawn @ totals, [drawn @ table for table in tables], cuts, prevalence)
        for drawn in group_counts(count, replicates, seed)
    ]
    drawn_models, drawn_all = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    share = float(totals[:, 0].sum() / totals.sum())
    tail = _widened((1 - level) / 2, int((totals > 0).sum(axis=0).min()))
    nobody = np.zeros_like(tables[0])
    return DecisionCurves(
        cuts,
        share if prevalence is None else prevalence,
        tuple(
            _band(observed[0][0, m], drawn_models[:, m], tail, _telling(tables[m], nobody)) for m in range(len(models))
        ),
        observed[1][0],
        level,
        method,
        drawn_models,
        drawn_all,
        tuple(tables),
        totals,
        tail,
    )


def _called(
    truth: BoolArray, values: FloatArray, weight: FloatArray, codes: IntArray, count: int, cuts: FloatArray
) -> FloatArray:
    """Return each group's weight of cases, then of others, that are called positive at each threshold [G, 2 T]."""
    size = cuts.size + 1
    reached = np.searchsorted(cuts, values, side="right")  # how many thresholds the value reaches
    halves = []
    for of in (truth, ~truth):
        each = np.bincount(codes * size + reached, weight * of, count * size).reshape(count, size)
        halves.append(np.cumsum(each[:, :0:-1], axis=1)[:, ::-1])
    return np.concatenate(halves, axis=1)


def _net_benefits(
    totals: FloatArray, called: list[FloatArray], cuts: FloatArray, prevalence: float | None
) -> tuple[FloatArray, FloatArray]:
    """Return net benefits [B, M, T] and those of acting on everybody [B, T]; NaN where a class has no weight."""
    odds = cuts / (1 - cuts)
    cases, others = totals[:, :1], totals[:, 1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        if prevalence is None:
            of_case, of_other = 1 / (cases + others), 1 / (cases + others)
        else:
            of_case, of_other = prevalence / cases, (1 - prevalence) / others
        both = np.stack(
            [table[:, : cuts.size] * of_case - table[:, cuts.size :] * of_other * odds for table in called], 1
        )
        everybody = cases * of_case - others * of_other * odds
    for values in (both, everybody):
        values[~np.isfinite(values)] = np.nan
    return both, everybody


def _band(estimate: FloatArray, replicates: FloatArray, tail: float, groups: IntArray) -> Band:
    """Return the percentile limits of replicates [B, T]; those without an answer are left out."""
    answered = replicates[~np.isnan(replicates).any(axis=1)]
    if not len(answered):
        nothing = np.full(estimate.shape, np.nan)
        return Band(estimate, nothing, nothing, groups)
    low, high = np.quantile(np.ascontiguousarray(answered.T), [tail, 1 - tail], axis=1)
    return Band(estimate, low, high, groups)


def _widened(tail: float, groups: int) -> float:
    """Return the share to leave out on each side so that a percentile interval is as wide as a t interval."""
    if groups < 2:
        return tail
    return float(ndtr(stdtrit(groups - 1, tail) * sqrt(groups / (groups - 1))))


def _telling(one: FloatArray, two: FloatArray) -> IntArray:
    """Return how many groups two rules [G, 2 T] treat differently at each threshold."""
    size = one.shape[1] // 2
    other = one != two
    groups: IntArray = (other[:, :size] | other[:, size:]).sum(axis=0, dtype=np.intp)
    return groups


def _scaled(band: Band, factor: FloatArray | float) -> Band:
    return Band(band.estimate * factor, band.low * factor, band.high * factor, band.groups)


def _nothing(cuts: FloatArray, models: int, level: float, method: str) -> DecisionCurves:
    empty, none = np.full(cuts.shape, np.nan), np.zeros((1, 2 * cuts.size))
    replicates = np.full((1, models, cuts.size), np.nan)
    return DecisionCurves(
        cuts,
        np.nan,
        (Band(empty, empty, empty, np.zeros(cuts.shape, dtype=np.intp)),) * models,
        empty,
        level,
        method,
        replicates,
        replicates[:, 0],
        (none,) * models,
        np.zeros((1, 2)),
        (1 - level) / 2,
        "a class has no case: there is no benefit to weigh",
    )


def _checked_thresholds(thresholds: ArrayLike) -> FloatArray:
    cuts: FloatArray = np.asarray(thresholds, dtype=np.float64)
    if cuts.ndim != 1 or not cuts.size or not ((cuts > 0) & (cuts < 1)).all() or (np.diff(cuts) <= 0).any():
        raise ValueError("thresholds must be ascending probabilities strictly between 0 and 1")
    return cuts
