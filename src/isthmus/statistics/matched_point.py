"""A model beside readers who only call: its ROC curve at each reader's own specificity, or sensitivity.

A call is one point, not a curve: the area of a curve through one point is less than that of the reader's true curve,
so that it must never stand beside a model's full area. What can be compared is the other coordinate, at the point where
the reader stands.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from isthmus.statistics.bootstrap import REPLICATES, group_bootstrap
from isthmus.statistics.inputs import BoolArray, FloatArray, IntArray, as_labels, as_scores
from isthmus.statistics.interval import Comparison, check_level, compare, undefined
from isthmus.statistics.matched_calls import rates_at_calls
from isthmus.statistics.weighted_curve import over_folds

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
        Whose scores are not ranked against each other (fold models): both sides are the means of the folds'.
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
    every = _folds(truth, folds)
    # The specificity at a sensitivity is the same question with the classes exchanged.
    sides = [over_folds(_of_fold(*asked), every) for asked in ((truth, values, called), (~truth, -values, ~called))]
    whole = [side(np.ones((1, truth.size)))[0] for side in sides]
    spreads = []
    for side in sides:
        drawn = group_bootstrap(side, truth.size, groups, replicates, seed)
        spreads.append(_covariance(drawn[:, ::2] - drawn[:, 1::2]))
    return MatchedPoints(whole[0][::2], whole[0][1::2], whole[1][::2], whole[1][1::2], *spreads)


def _of_fold(truth: BoolArray, scores: FloatArray, called: BoolArray) -> Callable[[IntArray, FloatArray], FloatArray]:
    return lambda rows, weights: rates_at_calls(truth[rows], scores[None, rows], called[:, rows])(weights)


def _folds(truth: BoolArray, folds: ArrayLike | None) -> list[IntArray]:
    """Return the rows of each fold that holds both classes."""
    of_row = np.zeros(truth.size) if folds is None else np.asarray(folds)
    places = [np.flatnonzero(of_row == fold) for fold in np.unique(of_row)]
    both = [rows for rows in places if truth[rows].any() and not truth[rows].all()]
    if not both:
        raise ValueError("no fold holds both classes: there is no ROC curve")
    return both


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
