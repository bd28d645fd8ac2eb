"""Discrimination among several classes: one-versus-rest AUCs, their mean, Hand and Till's M, and arms compared."""

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.statistics.bootstrap import (
    REPLICATES,
    compare_replicates,
    group_bootstrap,
    percentile_interval,
    weighted_aucs,
)
from isthmus.statistics.inputs import FloatArray, as_scores
from isthmus.statistics.interval import Comparison, Interval
from isthmus.statistics.roc import auc_interval


def one_vs_rest_aucs(
    labels: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[object],
    groups: ArrayLike | None = None,
    level: float = 0.95,
) -> dict[object, Interval]:
    """Return for each class the AUC of its probability against all other classes, with the default interval of an AUC.

    Parameters
    ----------
    labels : array_like [N]
        Values of `classes`.
    probabilities : array_like [N, K]
        Columns in the order of `classes`.
    classes : sequence of K
    groups : array_like [N], optional
    level : float

    Raises
    ------
    ValueError
        When a class has no case, or a label is none of the classes.
    """
    codes, values = _checked(labels, probabilities, classes)
    return {name: auc_interval(codes == k, values[:, k], groups, level) for k, name in enumerate(classes)}


def macro_auc(
    labels: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[object],
    groups: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Interval:
    """Return the plain mean of the one-versus-rest AUCs, with the percentile interval of a group bootstrap.

    Parameters as `one_vs_rest_aucs`; a replicate that lacks a class has no answer and is counted in the note.
    """
    codes, values = _checked(labels, probabilities, classes)
    return _bootstrapped(lambda w: _macro(codes, values, w), len(codes), groups, level, replicates, seed)


def hand_till(
    labels: ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[object],
    groups: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Interval:
    """Return Hand and Till's M, the mean over pairs of classes of the AUC within the pair, with its interval.

    A pair's AUC is the mean of ranking by either class's probability; class sizes play no part. With two classes it is
    the AUC. Parameters and interval as `macro_auc`.

    Source: D. Hand, R. Till, Machine Learning 45 (2001) 171-186; R `pROC::multiclass.roc(y, matrix)`.
    """
    codes, values = _checked(labels, probabilities, classes)
    return _bootstrapped(lambda w: _hand_till(codes, values, w), len(codes), groups, level, replicates, seed)


def compare_several_classes(
    labels: ArrayLike,
    probabilities_a: ArrayLike,
    probabilities_b: ArrayLike,
    classes: Sequence[object],
    groups: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> dict[str, Comparison]:
    """Compare two models' macro AUC and Hand-Till M on the same cases: a - b, interval, z and two-sided p.

    Both models meet the same resampled groups, so that the comparison is paired.

    Parameters
    ----------
    probabilities_a, probabilities_b : array_like [N, K]
        In the same order of cases; all else as `macro_auc`.

    Returns
    -------
    dict
        ``macro_auc`` and ``hand_till``.

    Source: the test of R `pROC::roc.test(method = "bootstrap")`, here of these two measures.
    """
    pairs = [_checked(labels, values, classes) for values in (probabilities_a, probabilities_b)]
    whole = np.ones((1, len(pairs[0][0])))

    def both(weights: FloatArray) -> FloatArray:
        return np.concatenate([macro_and_hand_till(codes, values, weights) for codes, values in pairs], axis=1)

    estimates = both(whole)[0]
    drawn = group_bootstrap(both, whole.size, groups, replicates, seed)
    return {
        name: compare_replicates(float(estimates[k]), float(estimates[2 + k]), drawn[:, [k, 2 + k]], level, what)
        for k, (name, what) in enumerate((("macro_auc", "macro AUC"), ("hand_till", "Hand-Till M")))
    }


def macro_and_hand_till(codes: NDArray[np.intp], values: FloatArray, weights: FloatArray) -> FloatArray:
    """Return macro AUC and Hand-Till M [B, 2] of class codes [N] and probabilities [N, K] under weights [B, N]."""
    return np.stack([_macro(codes, values, weights), _hand_till(codes, values, weights)], axis=1)


def _checked(
    labels: ArrayLike, probabilities: ArrayLike, classes: Sequence[object]
) -> tuple[NDArray[np.intp], FloatArray]:
    truth = np.asarray(labels)
    values = np.asarray(probabilities, dtype=np.float64)
    if len(classes) < 2 or values.shape != (truth.size, len(classes)):
        raise ValueError(
            f"probabilities of shape {values.shape} for {truth.size} cases and {len(classes)} classes: [N, K], K >= 2"
        )
    as_scores(values.T, truth.size, "probabilities, by class")
    codes = np.full(truth.size, -1, dtype=np.intp)
    for k, name in enumerate(classes):
        codes[truth == name] = k
        if not (codes == k).any():
            raise ValueError(f"class {name!r} has no case: its AUC does not exist")
    unknown = np.flatnonzero(codes < 0)
    if unknown.size:
        raise ValueError(f"labels: row {unknown[0]} is {truth[unknown[0]]!r}, not one of {list(classes)}")
    return codes, values


def _macro(codes: NDArray[np.intp], values: FloatArray, weights: FloatArray) -> FloatArray:
    total = np.zeros(len(weights))
    for k in range(values.shape[1]):
        total += weighted_aucs(codes == k, values[:, k], weights)
    total /= values.shape[1]
    return total


def pairwise_aucs(codes: NDArray[np.intp], values: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the AUC within each pair of classes [B, pairs], in the order of `itertools.combinations`."""
    found = []
    for i, j in combinations(range(values.shape[1]), 2):
        rows = (codes == i) | (codes == j)
        inside = weights[:, rows]
        one, other = (weighted_aucs(codes[rows] == k, values[rows, k], inside) for k in (i, j))
        found.append((one + other) / 2)
    return np.stack(found, axis=1)


def _hand_till(codes: NDArray[np.intp], values: FloatArray, weights: FloatArray) -> FloatArray:
    found: FloatArray = pairwise_aucs(codes, values, weights).mean(axis=1)
    return found


def _bootstrapped(
    statistic: Callable[[FloatArray], FloatArray],
    length: int,
    groups: ArrayLike | None,
    level: float,
    replicates: int,
    seed: int,
) -> Interval:
    estimate = float(statistic(np.ones((1, length)))[0])
    return percentile_interval(estimate, group_bootstrap(statistic, length, groups, replicates, seed), level)
