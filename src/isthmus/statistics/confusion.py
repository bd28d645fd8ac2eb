"""The confusion matrix and what is read from it, each measure with its interval."""

from collections.abc import Sequence
from math import inf, nan, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.statistics.bootstrap import REPLICATES, group_counts, percentile_interval
from isthmus.statistics.diagnostic_odds import diagnostic_odds_ratio
from isthmus.statistics.inputs import BoolArray, FloatArray, IntArray, as_binary, as_groups
from isthmus.statistics.interval import Interval, log_interval, undefined
from isthmus.statistics.proportions import clustered_proportion, group_influence


def confusion_matrix(labels: ArrayLike, calls: ArrayLike, classes: Sequence[object]) -> NDArray[np.int64]:
    """Return counts [K, K]: rows are the true classes, columns the called ones, both in the order of `classes`.

    Raises
    ------
    ValueError
        For a label or call outside the classes, or arrays of different length.

    Examples
    --------
    >>> confusion_matrix(["a", "b", "b"], ["a", "a", "b"], ["a", "b"]).tolist()
    [[1, 0], [1, 1]]
    """
    truth, called = np.asarray(labels), np.asarray(calls)
    if truth.shape != called.shape or truth.ndim != 1:
        raise ValueError(f"labels of shape {truth.shape} and calls of shape {called.shape}: one of each per case")
    rows, columns = _codes(truth, classes, "labels"), _codes(called, classes, "calls")
    size = len(classes)
    return np.bincount(rows * size + columns, minlength=size * size).reshape(size, size).astype(np.int64)


def majority_class_rate(labels: ArrayLike) -> float:
    """Return the accuracy of always calling the most frequent class: what every accuracy must stand beside."""
    _, counts = np.unique(np.asarray(labels), return_counts=True)
    return float(counts.max() / counts.sum())


def accuracy(labels: ArrayLike, calls: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95) -> Interval:
    """Return the share of right calls, any number of classes, Wilson with effective n."""
    return clustered_proportion(np.asarray(labels) == np.asarray(calls), groups, level)


def binary_measures(
    labels: ArrayLike,
    calls: ArrayLike,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return the measures of binary calls with their intervals.

    Parameters
    ----------
    labels, calls : array_like of bool [N]
    groups : array_like [N], optional
    level : float
    replicates, seed : int
        Of the group bootstrap behind F1 and MCC.

    Returns
    -------
    dict
        sensitivity, specificity, ppv, npv, accuracy (Wilson with effective n); balanced_accuracy and youden_j, which is
        twice that less one (square-and-add of the two Wilson intervals); f1, mcc (group bootstrap);
        likelihood_ratio_positive, likelihood_ratio_negative, diagnostic_odds_ratio (log scale, cluster-robust). `ppv`
        and `npv` are at the sample's prevalence. A measure whose denominator is 0 is NaN and says why.
    """
    truth = as_binary(labels)
    called = as_binary(calls, "calls", truth.size)
    codes, count = as_groups(groups, truth.size)
    sensitivity = _among(called, truth, codes, level, "no positive case")
    specificity = _among(~called, ~truth, codes, level, "no negative case")
    f1, mcc = _bootstrapped(truth, called, codes, count, level, replicates, seed)
    positive, negative = likelihood_ratios(truth, called, groups, level)
    balanced = _balanced(truth, called, codes, count, sensitivity, specificity)
    return {
        "sensitivity": sensitivity,
        "specificity": specificity,
        "ppv": _among(truth, called, codes, level, "no case was called positive"),
        "npv": _among(~truth, ~called, codes, level, "no case was called negative"),
        "accuracy": accuracy(truth, called, groups, level),
        "balanced_accuracy": balanced,
        "youden_j": _youden(balanced),
        "f1": f1,
        "mcc": mcc,
        "likelihood_ratio_positive": positive,
        "likelihood_ratio_negative": negative,
        "diagnostic_odds_ratio": diagnostic_odds_ratio(truth, called, groups, level),
    }


def likelihood_ratios(
    labels: ArrayLike, calls: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95
) -> tuple[Interval, Interval]:
    """Return LR+ = sensitivity / (1 - specificity) and LR- = (1 - sensitivity) / specificity.

    Parameters
    ----------
    labels, calls : array_like of bool [N]
    groups : array_like [N], optional
    level : float

    Notes
    -----
    Symmetric on the log scale with the cluster-robust variance of the log ratio. A ratio of 0 or infinity has no such
    variance: its finite limit is then the ratio of the two Wilson limits, which is conservative.

    Source: D. Simel, G. Samsa, D. Matchar, Journal of Clinical Epidemiology 44 (1991) 763-770, clustered.
    """
    truth = as_binary(labels)
    called = as_binary(calls, "calls", truth.size)
    codes, count = as_groups(groups, truth.size)
    if truth.all() or not truth.any():
        nothing = undefined("log scale, cluster-robust", "a likelihood ratio needs both classes", level)
        return nothing, nothing
    return (
        _ratio(called, truth, codes, count, level),
        _ratio(~called, truth, codes, count, level),
    )


def predictive_values_at(
    likelihood_positive: Interval, likelihood_negative: Interval, prevalence: float
) -> tuple[Interval, Interval]:
    """Return PPV and NPV at a stated prevalence, taken as known.

    Bayes' rule is monotone in the likelihood ratio, so the limits are those of the ratios, mapped.

    Parameters
    ----------
    likelihood_positive, likelihood_negative : Interval
        From `likelihood_ratios`.
    prevalence : float
        Strictly between 0 and 1.
    """
    if not 0 < prevalence < 1:
        raise ValueError(f"a prevalence of {prevalence}: it must lie between 0 and 1")
    odds = prevalence / (1 - prevalence)

    def probability(ratio: float) -> float:
        return 1.0 if ratio == inf else ratio * odds / (1 + ratio * odds)

    method = f"Bayes' rule at prevalence {prevalence:g}, limits of the likelihood ratio"
    up, down = likelihood_positive, likelihood_negative
    ppv = Interval(probability(up.estimate), probability(up.low), probability(up.high), up.level, method, up.note)
    npv = Interval(
        1 - probability(down.estimate),
        1 - probability(down.high),
        1 - probability(down.low),
        down.level,
        method,
        down.note,
    )
    return ppv, npv


def _codes(values: NDArray[np.generic], classes: Sequence[object], name: str) -> IntArray:
    codes = np.full(values.shape, -1, dtype=np.intp)
    for k, value in enumerate(classes):
        codes[values == value] = k
    unknown = np.flatnonzero(codes < 0)
    if unknown.size:
        raise ValueError(f"{name}: row {unknown[0]} is {values[unknown[0]]!r}, not one of {list(classes)}")
    return codes


def _among(outcome: BoolArray, rows: BoolArray, codes: IntArray, level: float, nobody: str) -> Interval:
    if not rows.any():
        return undefined("Wilson, effective n", nobody, level)
    return clustered_proportion(outcome[rows], codes[rows], level)


def _ratio(called: BoolArray, truth: BoolArray, codes: IntArray, count: int, level: float) -> Interval:
    """Return P(called | positive) / P(called | negative)."""
    among_positive = clustered_proportion(called[truth], codes[truth], level)
    among_negative = clustered_proportion(called[~truth], codes[~truth], level)
    top, bottom = among_positive.estimate, among_negative.estimate
    method = "log scale, cluster-robust"
    if top == 0 and bottom == 0:
        return undefined(method, "no such call in either class", level)
    if top == 0 or bottom == 0:
        note = "no such call in one class: limit from the two Wilson intervals"
        low = among_positive.low / among_negative.high
        high = inf if bottom == 0 else among_positive.high / among_negative.low
        return Interval(inf if bottom == 0 else 0.0, low, high, level, "ratio of Wilson limits", note)
    influence = (
        group_influence(called[truth], codes[truth], count) / top
        - group_influence(called[~truth], codes[~truth], count) / bottom
    )
    return log_interval(top / bottom, float(np.sum(influence**2)), level, method)


def _balanced(
    truth: BoolArray, called: BoolArray, codes: IntArray, count: int, sensitivity: Interval, specificity: Interval
) -> Interval:
    method = "square-and-add of the Wilson intervals"
    level = sensitivity.level
    if np.isnan(sensitivity.estimate) or np.isnan(specificity.estimate):
        return undefined(method, "needs both classes", level)
    # Groups with cases of both classes tie the two; without such groups the correlation is 0.
    one = group_influence(called[truth], codes[truth], count)
    two = group_influence(~called[~truth], codes[~truth], count)
    size = sqrt(float(np.sum(one**2) * np.sum(two**2)))
    correlation = float(np.sum(one * two)) / size if size > 0 else 0.0

    def reach(x: float, y: float) -> float:
        return sqrt(max(x**2 + y**2 + 2 * correlation * x * y, 0.0)) / 2

    estimate = (sensitivity.estimate + specificity.estimate) / 2
    down = reach(sensitivity.estimate - sensitivity.low, specificity.estimate - specificity.low)
    up = reach(sensitivity.high - sensitivity.estimate, specificity.high - specificity.estimate)
    return Interval(estimate, max(0.0, estimate - down), min(1.0, estimate + up), level, method)


def _youden(balanced: Interval) -> Interval:
    """Return sensitivity + specificity - 1 from their mean."""
    low, estimate, high = (2 * x - 1 for x in (balanced.low, balanced.estimate, balanced.high))
    return Interval(estimate, low, high, balanced.level, balanced.method, balanced.note)


def _bootstrapped(
    truth: BoolArray, called: BoolArray, codes: IntArray, count: int, level: float, replicates: int, seed: int
) -> tuple[Interval, Interval]:
    """Return F1 and MCC from bootstrapped sums of the groups' own 2x2 tables."""
    cell = np.where(truth, np.where(called, 0, 1), np.where(called, 2, 3))
    table = np.bincount(codes * 4 + cell, minlength=4 * count).reshape(count, 4).astype(np.float64)
    cells = np.concatenate([drawn @ table for drawn in group_counts(count, replicates, seed)])
    observed = table.sum(axis=0, keepdims=True)
    smaller = min(int(np.count_nonzero(table[:, :2].any(axis=1))), int(np.count_nonzero(table[:, 2:].any(axis=1))))
    f1 = percentile_interval(float(f1_of(observed)[0]), f1_of(cells), level, groups=smaller)
    mcc = percentile_interval(float(mcc_of(observed)[0]), mcc_of(cells), level, groups=smaller)
    return f1, mcc


def f1_of(cells: FloatArray) -> FloatArray:
    """Return F1 [B] of tables [B, 4] (TP, FN, FP, TN); NaN where there is nothing but true negatives."""
    tp, fn, fp, _ = cells.T
    return _divide(2 * tp, 2 * tp + fn + fp)


def mcc_of(cells: FloatArray) -> FloatArray:
    """Return Matthews' correlation [B] of tables [B, 4] (TP, FN, FP, TN); NaN where a margin is empty."""
    tp, fn, fp, tn = cells.T
    return _divide(tp * tn - fp * fn, np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))


def _divide(top: FloatArray, bottom: FloatArray) -> FloatArray:
    ratio = np.full(top.shape, nan)
    np.divide(top, bottom, out=ratio, where=bottom > 0)
    return ratio
