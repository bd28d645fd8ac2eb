"""The area under the ROC curve: its variance (independent and clustered cases), its interval, and comparisons."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from isthmus.statistics.inputs import (
    BoolArray,
    FloatArray,
    IntArray,
    as_groups,
    as_labels,
    as_scores,
    count_groups,
)
from isthmus.statistics.interval import Comparison, Interval, compare, logit_interval, normal_quantile

# Below this many groups in a class the variance itself is too uncertain for a normal interval (design: Newcombe).
FEWEST_GROUPS = 10


class RocPoints(NamedTuple):
    """The empirical ROC curve, from (0, 0) to (1, 1).

    `thresholds` descend from infinity; at each of them a case is called positive when score >= threshold.
    """

    fpr: FloatArray
    tpr: FloatArray
    thresholds: FloatArray


class Placements(NamedTuple):
    """For each model, what share of the other class every case ranks above (positives) or below (negatives).

    `positives` [M, m] and `negatives` [M, n] in row order; ties count half; `aucs` [M] is the mean of either.
    """

    aucs: FloatArray
    positives: FloatArray
    negatives: FloatArray


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the area under the ROC curve: P(positive scores above negative) + half P(tie).

    Parameters
    ----------
    labels : array_like of bool [N]
    scores : array_like [N]
        Higher means more probably positive.

    Examples
    --------
    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    truth = as_labels(labels)
    return float(placements(truth, as_scores(scores, truth.size)[:1]).aucs[0])


def roc_points(labels: ArrayLike, scores: ArrayLike) -> RocPoints:
    """Return the empirical ROC curve, one point for every distinct score and the origin."""
    truth = as_labels(labels)
    values = as_scores(scores, truth.size)[0]
    order = np.argsort(-values, kind="stable")
    descending = values[order]
    last_of_ties = np.append(np.flatnonzero(np.diff(descending)), truth.size - 1)
    true_positives = np.cumsum(truth[order])[last_of_ties]
    false_positives = last_of_ties + 1 - true_positives
    return RocPoints(
        np.concatenate([[0.0], false_positives / false_positives[-1]]),
        np.concatenate([[0.0], true_positives / true_positives[-1]]),
        np.concatenate([[np.inf], descending[last_of_ties]]),
    )


def placements(labels: BoolArray, scores: FloatArray) -> Placements:
    """Return the placement values of M models on N cases in O(M N log N).

    Parameters
    ----------
    labels : ndarray of bool [N]
    scores : ndarray [M, N]

    Source: E. DeLong et al., Biometrics 44 (1988) 837-845 (V10 and V01); X. Sun, W. Xu, IEEE Signal Processing
    Letters 21 (2014) 1389-1393 (by sorting).
    """
    is_positive, is_negative = np.flatnonzero(labels), np.flatnonzero(~labels)
    m, n = is_positive.size, is_negative.size
    aucs = np.empty(len(scores))
    of_positives, of_negatives = np.empty((len(scores), m)), np.empty((len(scores), n))
    in_rows = np.empty(labels.size)
    for k, row in enumerate(scores):
        order = np.argsort(row)
        truth = labels[order]
        below = _twice_below(row[order], truth)
        aucs[k] = int(below[truth].sum()) / (2 * m * n)
        in_rows[order] = below
        of_positives[k] = in_rows[is_positive] / (2 * n)
        of_negatives[k] = 1 - in_rows[is_negative] / (2 * m)
    return Placements(aucs, of_positives, of_negatives)


def _twice_below(ascending: FloatArray, truth: BoolArray) -> IntArray:
    """Return twice how many cases of the other class lie below each case, ties counted once.

    Twice, so that every count is whole and the AUC is exact to the last bit. One sort and sums over ranks; a comparison
    of one million cases is bound by the sort.
    """
    positives = np.cumsum(truth)
    differs = ascending[1:] != ascending[:-1]
    if differs.all():
        return 2 * np.where(truth, np.arange(1, truth.size + 1) - positives, positives)
    ends = np.append(np.flatnonzero(differs), truth.size - 1)
    positives = positives[ends]
    negatives = ends + 1 - positives
    sizes = np.diff(ends, prepend=-1)
    for counts in (positives, negatives):
        counts[1:] += counts[:-1].copy()  # at or below, and below
    return np.where(truth, np.repeat(negatives, sizes), np.repeat(positives, sizes))


def delong(labels: ArrayLike, scores: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the AUCs of M models on the same independent cases, and their covariance.

    Parameters
    ----------
    labels : array_like of bool [N]
    scores : array_like [N] or [M, N]

    Returns
    -------
    aucs : ndarray [M]
    covariance : ndarray [M, M]
        NaN where a class has one case.

    Source: E. DeLong, D. DeLong, D. Clarke-Pearson, Biometrics 44 (1988) 837-845; R `pROC::var`, `pROC::cov`.
    """
    truth = as_labels(labels)
    placed = placements(truth, as_scores(scores, truth.size))
    covariance = np.zeros((len(placed.aucs), len(placed.aucs)))
    for values in (placed.positives, placed.negatives):
        count = values.shape[1]
        if count < 2:
            return placed.aucs, np.full_like(covariance, np.nan)
        centred = values - placed.aucs[:, None]
        covariance += centred @ centred.T / ((count - 1) * count)
    return placed.aucs, covariance


def clustered_auc(
    labels: ArrayLike, scores: ArrayLike, groups: ArrayLike | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return the AUCs of M models on cases that belong to groups, and their covariance.

    Equal to `delong` where every group is one case. A group may hold both classes.

    Parameters
    ----------
    labels : array_like of bool [N]
    scores : array_like [N] or [M, N]
    groups : array_like [N], optional
        The patient or group of each case; None: every case is one.

    Returns
    -------
    aucs : ndarray [M]
    covariance : ndarray [M, M]
        NaN where a class lies in a single group.

    Source: N. Obuchowski, Biometrics 53 (1997) 567-578.
    """
    if groups is None:
        return delong(labels, scores)
    truth = as_labels(labels)
    codes, count = as_groups(groups, truth.size)
    placed = placements(truth, as_scores(scores, truth.size))
    m, n = placed.positives.shape[1], placed.negatives.shape[1]
    groups_p, groups_n = count_groups(codes, truth), count_groups(codes, ~truth)
    if groups_p < 2 or groups_n < 2:
        return placed.aucs, np.full((len(placed.aucs),) * 2, np.nan)
    # Sums over a group of the centred placements, as shares of the class.
    a = sum_by_group(placed.positives - placed.aucs[:, None], codes[truth], count) / m
    b = sum_by_group(placed.negatives - placed.aucs[:, None], codes[~truth], count) / n
    covariance = a @ a.T * (groups_p / (groups_p - 1)) + b @ b.T * (groups_n / (groups_n - 1))
    return placed.aucs, covariance + (a @ b.T + b @ a.T) * (count / (count - 1))


def sum_by_group(values: FloatArray, codes: IntArray, count: int) -> FloatArray:
    """Return the sums [M, G] of values [M, N] over groups 0..G-1."""
    return np.stack([np.bincount(codes, weights=row, minlength=count) for row in values])


def newcombe_interval(estimate: float, positives: int, negatives: int, level: float = 0.95, note: str = "") -> Interval:
    """Return Newcombe's method 5 interval of an AUC: it exists for few cases and for an AUC of 0 or 1.

    The limits are the AUCs theta with abs(estimate - theta) = z sqrt(V(theta)), where
    V = theta (1 - theta) [1 + k (1 - theta)/(2 - theta) + k theta/(1 + theta)] / (m n), k = (m + n)/2 - 1.

    Parameters
    ----------
    estimate : float
        AUC, 0..1.
    positives, negatives : int
        m and n: cases, or groups where cases are clustered.

    Source: R. Newcombe, Statistics in Medicine 25 (2006) 559-573.
    """
    if estimate <= 0:
        mirrored = newcombe_interval(1.0, positives, negatives, level)
        return Interval(estimate, 0.0, 1 - mirrored.low, level, mirrored.method, note)
    z = normal_quantile(level)
    k = (positives + negatives) / 2 - 1

    def excess(theta: float) -> float:
        spread = 1 + k * (1 - theta) / (2 - theta) + k * theta / (1 + theta)
        reach = z**2 * theta * spread / (positives * negatives)
        # At an estimate of 1 both sides carry a factor 1 - theta: without it the root below 1 is the only one.
        return float(1 - theta - reach if estimate >= 1 else (theta - estimate) ** 2 - reach * (1 - theta))

    low = float(brentq(excess, 0.0, estimate, xtol=1e-14))
    high = 1.0 if estimate >= 1 else float(brentq(excess, estimate, 1.0, xtol=1e-14))
    return Interval(estimate, low, high, level, "Newcombe 2006 method 5", note)


def auc_interval(
    labels: ArrayLike, scores: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95
) -> Interval:
    """Return the AUC with its default interval.

    Clustered variance (Obuchowski; DeLong where every group is one) on the logit scale. With fewer than 10 groups in
    a class, with an AUC of 0 or 1, or without variance (constant scores), Newcombe's method 5 on the numbers of
    groups, flagged in `note`.

    Parameters
    ----------
    labels : array_like of bool [N]
    scores : array_like [N]
    groups : array_like [N], optional
    level : float

    Examples
    --------
    >>> auc_interval([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).method
    'Newcombe 2006 method 5'
    """
    truth = as_labels(labels)
    codes, count = as_groups(groups, truth.size)
    aucs, covariance = clustered_auc(truth, as_scores(scores, truth.size)[:1], groups)
    method = "DeLong, logit" if count == truth.size else "Obuchowski clustered, logit"
    groups_p, groups_n = count_groups(codes, truth), count_groups(codes, ~truth)
    return interval_of_auc(float(aucs[0]), float(covariance[0, 0]), groups_p, groups_n, level, method)


def interval_of_auc(
    estimate: float, variance: float, positive_groups: int, negative_groups: int, level: float, method: str
) -> Interval:
    """Return the logit interval of an AUC, or Newcombe's method 5 where the logit interval cannot be trusted."""
    note = few_groups_note(positive_groups, negative_groups)
    if estimate in (0.0, 1.0):
        note = f"an AUC of {estimate:.0f} has no variance" + (f"; {note}" if note else "")
    elif variance <= 0:
        note = "the scores have no variance" + (f"; {note}" if note else "")
    if note:
        return newcombe_interval(estimate, positive_groups, negative_groups, level, note)
    return logit_interval(estimate, variance, level, method)


def few_groups_note(positive_groups: int, negative_groups: int) -> str:
    """Return the flag of an analysis with fewer than 10 groups in a class, or nothing."""
    fewest = min(positive_groups, negative_groups)
    if fewest >= FEWEST_GROUPS:
        return ""
    which = "positive" if positive_groups == fewest else "negative"
    return f"only {fewest} group{'' if fewest == 1 else 's'} with a {which} case"


def compare_aucs(
    labels: ArrayLike, scores_a: ArrayLike, scores_b: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95
) -> Comparison:
    """Compare two models on the same cases: difference a - b, interval, z and two-sided p.

    Parameters
    ----------
    labels : array_like of bool [N]
    scores_a, scores_b : array_like [N]
        In the same order of cases.
    groups : array_like [N], optional
    level : float

    Source: DeLong 1988 for independent cases, Obuchowski 1997 for clustered ones; R `pROC::roc.test(paired = TRUE)`.
    """
    truth = as_labels(labels)
    both = np.concatenate(
        [as_scores(s, truth.size, name)[:1] for s, name in ((scores_a, "scores_a"), (scores_b, "scores_b"))]
    )
    codes, count = as_groups(groups, truth.size)
    aucs, covariance = clustered_auc(truth, both, groups)
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    method = "DeLong, paired z" if count == truth.size else "Obuchowski clustered, paired z"
    note = few_groups_note(count_groups(codes, truth), count_groups(codes, ~truth))
    # Identical rankings leave a variance of rounding errors; it must read as none.
    negligible = variance <= 1e-14 * max(float(covariance[0, 0] + covariance[1, 1]), 0.0)
    return compare(float(aucs[0]), float(aucs[1]), 0.0 if negligible else variance, level, method, note)


def compare_unpaired_aucs(
    labels_a: ArrayLike,
    scores_a: ArrayLike,
    labels_b: ArrayLike,
    scores_b: ArrayLike,
    groups_a: ArrayLike | None = None,
    groups_b: ArrayLike | None = None,
    level: float = 0.95,
) -> Comparison:
    """Compare two AUCs on different patients: difference a - b, interval, z and two-sided p.

    Source: R `pROC::roc.test(paired = FALSE)`, there with Welch's t instead of z.
    """
    aucs_a, covariance_a = clustered_auc(labels_a, scores_a, groups_a)
    aucs_b, covariance_b = clustered_auc(labels_b, scores_b, groups_b)
    truths = (as_labels(labels_a), as_labels(labels_b))
    codes = (as_groups(groups_a, truths[0].size)[0], as_groups(groups_b, truths[1].size)[0])
    positive = min(count_groups(c, t) for c, t in zip(codes, truths, strict=True))
    negative = min(count_groups(c, ~t) for c, t in zip(codes, truths, strict=True))
    variance = float(covariance_a[0, 0] + covariance_b[0, 0])
    note = few_groups_note(positive, negative)
    return compare(float(aucs_a[0]), float(aucs_b[0]), variance, level, "clustered, unpaired z", note)
