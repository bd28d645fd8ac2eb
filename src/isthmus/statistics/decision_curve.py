"""Decision curves: the net benefit of acting on a probability, against acting on everybody and on nobody."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from isthmus.statistics.bootstrap import REPLICATES, group_counts, widened_tail
from isthmus.statistics.inputs import BoolArray, FloatArray, IntArray, as_binary, as_groups, as_probabilities
from isthmus.statistics.interval import check_level
from isthmus.statistics.joined_shares import joined, shares

GRID: FloatArray = np.round(np.arange(1, 100) / 100, 2)
"""Threshold probabilities 0.01 to 0.99."""


@dataclass(frozen=True)
class Band:
    """Values at each threshold [T] between their pointwise limits; NaN where there is no answer.

    ``groups`` [T]: of a difference of two models, in how many groups they treat cases differently, or others, the
    smaller of both: under about 5, a bootstrap cannot see what it has not drawn, and the limits are too narrow. Of a
    curve, all groups.
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
    net_benefit, against_all : tuple of Band
        Of each model, in true positives per patient; and less that of acting on everybody.
    treat_all : ndarray [T]
        Net benefit of acting on everybody; that of acting on nobody is 0.
    method, difference_method : str
        How the limits of curves, and those of differences between models, were made.
    models : ndarray [B, M, T]
        The bootstrap replicates behind the differences between models.
    called : tuple of ndarray [G, 2 T]
        Of each model: each group's weight of cases, then of others, called at each threshold.
    tail : float
        Left out of the replicates on each side.
    note : str
        Why there are no numbers, if so.
    """

    thresholds: FloatArray
    prevalence: float
    net_benefit: tuple[Band, ...]
    against_all: tuple[Band, ...]
    treat_all: FloatArray
    level: float
    method: str
    difference_method: str
    models: FloatArray
    called: tuple[FloatArray, ...]
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
        """Return the net benefit of a model minus the greater of acting on everybody and on nobody.

        The limits are the lower ones of both comparisons: above 0 only where the model is shown to beat both.
        """
        one, two = self.net_benefit[model], self.against_all[model]
        low, high = np.minimum(one.low, two.low), np.minimum(one.high, two.high)
        return Band(np.minimum(one.estimate, two.estimate), low, high, one.groups)

    def avoided(self, model: int) -> Band:
        """Return actions avoided per 100 patients against acting on everybody, missed cases taken off at their worth.

        Source: A. Vickers, A. Cronin, E. Elkin, M. Gonen, BMC Medical Informatics 8 (2008) 53.
        """
        return _scaled(self.against_all[model], 100 * (1 - self.thresholds) / self.thresholds)


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
    """Return the decision curves of models on the same cases, with pointwise bands.

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
    A curve is a sum of two shares: cases and others that are called. Its limits join those of both (Wilson, effective
    n, cluster-robust), which also hold where a model misses no case. Differences between models have the percentiles
    of a paired bootstrap of groups, widened for few groups in the smaller class as a t interval is (T. Hesterberg, The
    American Statistician 69 (2015) 371-386, section 5.2).
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
    method = "Wilson limits of two shares, effective n, joined, pointwise"
    paired = f"percentile of {replicates} group bootstraps, widened for few groups, pointwise"
    if truth.all() or not truth.any():
        return _nothing(cuts, len(models), level, method, paired)
    codes, count = as_groups(groups, truth.size)
    totals: FloatArray = np.stack(
        [np.bincount(codes, weight * of, count) for of in (truth, ~truth)], axis=1, dtype=np.float64
    )
    tables = [_called(truth, values, weight, codes, count, cuts) for values in models]  # M of [G, 2 T]
    drawn_models = np.concatenate(
        [
            _net_benefits(drawn @ totals, [drawn @ table for table in tables], cuts, prevalence)
            for drawn in group_counts(count, replicates, seed)
        ]
    )
    everybody = np.repeat(totals, cuts.size, axis=1)
    return DecisionCurves(
        cuts,
        float(totals[:, 0].sum() / totals.sum()) if prevalence is None else prevalence,
        tuple(_summed(table, totals, cuts, prevalence, level) for table in tables),
        tuple(_negative(_summed(everybody - table, totals, cuts, prevalence, level)) for table in tables),
        _summed(everybody, totals, cuts, prevalence, level).estimate,
        level,
        method,
        paired,
        drawn_models,
        tuple(tables),
        widened_tail((1 - level) / 2, int((totals > 0).sum(axis=0).min())),
    )


def _summed(table: FloatArray, totals: FloatArray, cuts: FloatArray, prevalence: float | None, level: float) -> Band:
    """Return the net benefit of what a table [G, 2 T] calls, with the limits of its two shares joined."""
    of = (totals.sum(axis=1),) * 2 if prevalence is None else (totals[:, 0], totals[:, 1])
    worth = (1.0, 1.0) if prevalence is None else (prevalence, 1 - prevalence)
    cases, others = shares(table[:, : cuts.size], of[0], level), shares(table[:, cuts.size :], of[1], level)
    found = joined(cases, others, np.full(cuts.shape, worth[0]), -worth[1] * cuts / (1 - cuts))
    return Band(*found, np.full(cuts.shape, len(totals), dtype=np.intp))


def _negative(band: Band) -> Band:
    return Band(-band.estimate, -band.high, -band.low, band.groups)


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
) -> FloatArray:
    """Return net benefits [B, M, T] of replicates; NaN where a class has no weight that is needed."""
    odds = cuts / (1 - cuts)
    cases, others = totals[:, :1], totals[:, 1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        if prevalence is None:
            of_case, of_other = 1 / (cases + others), 1 / (cases + others)
        else:
            of_case, of_other = prevalence / cases, (1 - prevalence) / others
        found: FloatArray = np.stack(
            [table[:, : cuts.size] * of_case - table[:, cuts.size :] * of_other * odds for table in called], 1
        )
    found[~np.isfinite(found)] = np.nan
    return found


def _band(estimate: FloatArray, replicates: FloatArray, tail: float, groups: IntArray) -> Band:
    """Return the percentile limits of replicates [B, T]; those without an answer are left out."""
    answered = replicates[~np.isnan(replicates).any(axis=1)]
    if not len(answered):
        nothing = np.full(estimate.shape, np.nan)
        return Band(estimate, nothing, nothing, groups)
    low, high = np.quantile(np.ascontiguousarray(answered.T), [tail, 1 - tail], axis=1)
    return Band(estimate, low, high, groups)


def _telling(one: FloatArray, two: FloatArray) -> IntArray:
    """Return in how many groups two rules [G, 2 T] call other numbers of cases, or of others: the smaller of both."""
    # Weights of repetitions (a fifth for each of five seeds) add up to a call with a rounding error.
    differing = (np.abs(one - two) > 1e-9).sum(axis=0, dtype=np.intp).reshape(2, -1)
    groups: IntArray = differing.min(axis=0)
    return groups


def _scaled(band: Band, factor: FloatArray | float) -> Band:
    return Band(band.estimate * factor, band.low * factor, band.high * factor, band.groups)


def _nothing(cuts: FloatArray, models: int, level: float, method: str, paired: str) -> DecisionCurves:
    empty, none = np.full(cuts.shape, np.nan), np.zeros((1, 2 * cuts.size))
    bands = (Band(empty, empty, empty, np.zeros(cuts.shape, dtype=np.intp)),) * models
    drawn = np.full((1, models, cuts.size), np.nan)
    note = "a class has no case: there is no benefit to weigh"
    tail = (1 - level) / 2
    return DecisionCurves(cuts, np.nan, bands, bands, empty, level, method, paired, drawn, (none,) * models, tail, note)


def _checked_thresholds(thresholds: ArrayLike) -> FloatArray:
    cuts: FloatArray = np.asarray(thresholds, dtype=np.float64)
    if cuts.ndim != 1 or not cuts.size or not ((cuts > 0) & (cuts < 1)).all() or (np.diff(cuts) <= 0).any():
        raise ValueError("thresholds must be ascending probabilities strictly between 0 and 1")
    return cuts
