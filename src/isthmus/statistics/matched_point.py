"""A model beside readers who only call: its ROC curve at each reader's own specificity, or sensitivity.

A call is one point, not a curve: the area of a curve through one point is less than that of the reader's true curve,
so that it must never stand beside a model's full area. What can be compared is the other coordinate, at the point where
the reader stands.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from isthmus.statistics.bootstrap import CHUNK, REPLICATES, group_counts
from isthmus.statistics.inputs import BoolArray, FloatArray, IntArray, as_groups, as_labels, as_scores
from isthmus.statistics.interval import Comparison, check_level, compare, undefined
from isthmus.statistics.weighted_curve import ROUNDING, curve_counts

METHOD = "ROC curve at the reader's point, paired group bootstrap, z"


@dataclass(frozen=True, eq=False)
class MatchedPoints:
    """A model's curve at R readers' points.

    Parameters
    ----------
    model_sensitivity, reader_sensitivity : ndarray [R]
        At the readers' specificities: the model's, and their own.
    model_specificity, reader_specificity : ndarray [R]
        At the readers' sensitivities.
    covariance_sensitivity, covariance_specificity : ndarray [R, R]
        Of the differences model less reader, over groups of cases; NaN where no replicate had both classes.
    """

    model_sensitivity: FloatArray
    reader_sensitivity: FloatArray
    model_specificity: FloatArray
    reader_specificity: FloatArray
    covariance_sensitivity: FloatArray
    covariance_specificity: FloatArray

    def of(self, readers: ArrayLike) -> "MatchedPoints":
        """Return the points of the readers at these places alone."""
        at = np.asarray(readers, dtype=np.intp)
        coordinates = (self.model_sensitivity, self.reader_sensitivity, self.model_specificity, self.reader_specificity)
        covariances = (self.covariance_sensitivity, self.covariance_specificity)
        return MatchedPoints(*(part[at] for part in coordinates), *(part[np.ix_(at, at)] for part in covariances))

    def comparisons(self, level: float = 0.95) -> list[tuple[Comparison, Comparison]]:
        """Return for each reader model less reader: sensitivity at one specificity, specificity at one sensitivity."""
        check_level(level)
        readers = range(len(self.model_sensitivity))
        of_sensitivity = self.model_sensitivity, self.reader_sensitivity, self.covariance_sensitivity
        of_specificity = self.model_specificity, self.reader_specificity, self.covariance_specificity
        return [(_compared(*of_sensitivity, r, level), _compared(*of_specificity, r, level)) for r in readers]


class _Point(NamedTuple):
    """The four coordinates [B, R]."""

    model_sensitivity: FloatArray
    reader_sensitivity: FloatArray
    model_specificity: FloatArray
    reader_specificity: FloatArray


def matched_points(
    labels: ArrayLike,
    scores: ArrayLike,
    calls: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    folds: ArrayLike | None = None,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> MatchedPoints:
    """Return a model's ROC curve at the points of readers who called the same cases.

    Parameters
    ----------
    labels : array_like of bool [N]
    scores : array_like [N]
        The model's.
    calls : array_like of bool [R, N]
        The readers', True for positive.
    groups : array_like [N], optional
        Whole groups are resampled, curve, readers and labels together: the threshold at which the model matches a
        reader is found anew in each replicate, so that its variance counts.
    folds : array_like [N], optional
        Whose scores are not ranked against each other (fold models): the curve is the mean of the folds'.
    replicates, seed : int

    Notes
    -----
    Where the reader's specificity is a step of the empirical curve, the top of the step is taken (the greatest
    sensitivity at a specificity no less than the reader's); between two points of tied scores, the line.

    Source: M. Pepe, The Statistical Evaluation of Medical Tests (2003), section 5.2 (the curve at a false positive
    rate); R `pROC::coords(roc, x, input = "specificity")`.
    """
    truth = as_labels(labels)
    values = as_scores(scores, truth.size)[0]
    called = np.atleast_2d(np.asarray(calls)).astype(np.bool_)
    if called.shape[1] != truth.size:
        raise ValueError(f"calls has shape {np.shape(calls)} where [readers, {truth.size}] was expected")
    codes, count = as_groups(groups, truth.size)
    parts = _folds(truth, folds)
    observed = _points(np.ones((1, truth.size)), truth, values, called, parts)
    gaps: list[FloatArray] = []
    step = max(1, CHUNK // truth.size)
    for drawn in group_counts(count, replicates, seed):
        for start in range(0, len(drawn), step):
            point = _points(drawn[start : start + step][:, codes], truth, values, called, parts)
            gaps.append(
                np.stack(
                    [
                        point.model_sensitivity - point.reader_sensitivity,
                        point.model_specificity - point.reader_specificity,
                    ]
                )
            )
    covariances = [_covariance(both) for both in np.concatenate(gaps, axis=1)]
    return MatchedPoints(*(coordinate[0] for coordinate in observed), *covariances)


def _folds(truth: BoolArray, folds: ArrayLike | None) -> list[IntArray]:
    """Return the rows of each fold that holds both classes."""
    of_row = np.zeros(truth.size) if folds is None else np.asarray(folds)
    places = [np.flatnonzero(of_row == fold) for fold in np.unique(of_row)]
    both = [rows for rows in places if truth[rows].any() and not truth[rows].all()]
    if not both:
        raise ValueError("no fold holds both classes: there is no ROC curve")
    return both


def _points(
    weights: FloatArray, truth: BoolArray, scores: FloatArray, called: BoolArray, folds: list[IntArray]
) -> _Point:
    """Return the coordinates [B, R] under case weights [B, N]; NaN where a class has no weight."""
    positives, negatives = ((weights @ rows.astype(np.float64))[:, None] for rows in (truth, ~truth))
    with np.errstate(invalid="ignore", divide="ignore"):
        hits = weights @ (called & truth).T.astype(np.float64) / positives
        alarms = weights @ (called & ~truth).T.astype(np.float64) / negatives
    whole = truth.size
    curves = [
        _at_points(weights if rows.size == whole else weights[:, rows], truth[rows], scores[rows], alarms, hits)
        for rows in folds
    ]
    sensitivity, specificity = (_mean_of_known(np.stack([curve[side] for curve in curves])) for side in (0, 1))
    return _Point(sensitivity, hits, specificity, 1 - alarms)


def _at_points(
    weights: FloatArray, truth: BoolArray, scores: FloatArray, alarms: FloatArray, hits: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return one fold's sensitivity at these false positive rates, and its specificity at these sensitivities."""
    counts = curve_counts(truth, scores, weights)
    turned = counts.turned()
    sensitivity, specificity = np.full(alarms.shape, np.nan), np.full(alarms.shape, np.nan)
    positives, negatives = counts.positives[:, -1], counts.negatives[:, -1]
    for row in np.flatnonzero((positives > 0) & (negatives > 0)):
        p, n = positives[row], negatives[row]
        # np.interp takes the last of equal abscissae: the top of a step.
        false = (alarms[row] + ROUNDING) * n
        sensitivity[row] = np.interp(false, counts.negatives[row], counts.positives[row]) / p
        missed = (1 - hits[row] + ROUNDING) * p
        specificity[row] = np.interp(missed, turned.negatives[row], turned.positives[row]) / n
    return sensitivity, specificity


def _mean_of_known(values: FloatArray) -> FloatArray:
    """Return the mean over those folds [F, B, R] in which both classes were drawn."""
    known = np.isfinite(values)
    number = known.sum(axis=0)
    mean = np.full(number.shape, np.nan)
    np.divide(np.where(known, values, 0.0).sum(axis=0), number, out=mean, where=number > 0)
    return mean


def _covariance(gaps: FloatArray) -> FloatArray:
    """Return the covariance [R, R] of replicates [B, R]; those without an answer are left out."""
    known = gaps[np.isfinite(gaps).all(axis=1)]
    if len(known) < 2:
        return np.full((gaps.shape[1],) * 2, np.nan)
    centred = known - known.mean(axis=0)
    return np.asarray(centred.T @ centred / (len(known) - 1), dtype=np.float64)


def _compared(model: FloatArray, reader: FloatArray, covariance: FloatArray, place: int, level: float) -> Comparison:
    variance = float(covariance[place, place])
    a, b = float(model[place]), float(reader[place])
    if not np.isfinite(variance):
        nothing = undefined(METHOD, "no replicate had both classes", level)
        return Comparison(nothing, float("nan"), float("nan"), METHOD, a, b)
    return compare(a, b, variance if variance > 1e-16 else 0.0, level, METHOD)
