"""How far a case's embedding lies from those of the training cases: two distances, and where among unseen cases it is.

Class-conditional Mahalanobis distance (Lee et al. 2018, "A simple unified framework for detecting out-of-distribution
samples", equation 2) with the shrunken covariance of Ledoit and Wolf (2004); distance to the k-th nearest neighbour
among embeddings of length 1 (Sun et al. 2022, "Out-of-distribution detection with deep nearest neighbors").
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from isthmus.statistics.inputs import FloatArray

NEIGHBOURS: Final = 5
_BLOCK: Final = 512
_LEAST: Final = 1e-6
"""The smallest variance in any direction, as a share of the mean variance: a direction without any has no length."""


@dataclass(frozen=True, eq=False)
class Mahalanobis:
    """Distance to the nearest class centre in units of the spread within classes.

    Parameters
    ----------
    centres : float array [K, D]
        Means of the classes.
    directions : float array [R, D]
        Orthonormal: those in which the training cases differ.
    variances : float array [R]
        Along them, shrunken.
    rest : float
        The variance in every other direction.
    """

    centres: FloatArray
    directions: FloatArray
    variances: FloatArray
    rest: float

    def distances(self, embeddings: ArrayLike) -> FloatArray:
        """Return the distance of each embedding [N, D]: float64 [N]."""
        rows, directions = np.asarray(embeddings, np.float64), self.directions.astype(np.float64)
        squared = np.full(len(rows), np.inf)
        for centre in self.centres.astype(np.float64):
            apart = rows - centre
            along = apart @ directions.T
            beside = np.maximum((apart**2).sum(axis=1) - (along**2).sum(axis=1), 0)
            squared = np.minimum(squared, (along**2 / self.variances).sum(axis=1) + beside / self.rest)
        return np.asarray(np.sqrt(squared))


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Distance to the k-th nearest training case, all embeddings scaled to length 1.

    Parameters
    ----------
    rows : float array [N, D]
        Of the training cases, of length 1.
    count : int
        k.
    """

    rows: FloatArray
    count: int

    def distances(self, embeddings: ArrayLike) -> FloatArray:
        """Return the distance of each embedding [N, D]: float64 [N]."""
        wanted, own = of_length_one(embeddings), self.rows.astype(np.float64)
        found = np.zeros(len(wanted))
        for start in range(0, len(wanted), _BLOCK):
            cosines = wanted[start : start + _BLOCK] @ own.T
            nearest = -np.partition(-cosines, self.count - 1, axis=1)[:, self.count - 1]
            found[start : start + _BLOCK] = np.sqrt(np.maximum(2 - 2 * nearest, 0))
        return found


Distance = Mahalanobis | Neighbours


def fit_mahalanobis(embeddings: ArrayLike, labels: ArrayLike) -> Mahalanobis:
    """Return the distance from embeddings [N, D] of training cases and their classes [N].

    The covariance within classes is ``(1 - s) S + s m I``, m the mean variance, s as Ledoit and Wolf (2004) have it
    (lemma 3.1 and after; as ``sklearn.covariance.ledoit_wolf`` computes it).
    """
    rows, codes = np.asarray(embeddings, np.float64), np.asarray(labels)
    if rows.ndim != 2 or len(rows) < 2 or codes.shape != rows.shape[:1]:
        raise ValueError(
            f"embeddings of shape {rows.shape} with {codes.size} labels: at least two rows, one label each"
        )
    kinds = np.unique(codes)
    centres = np.stack([rows[codes == kind].mean(axis=0) for kind in kinds])
    apart = rows - centres[np.searchsorted(kinds, codes)]
    _, lengths, directions = np.linalg.svd(apart, full_matrices=False)
    own = lengths**2 / len(rows)
    mean = float(own.sum()) / rows.shape[1]
    shrink = _shrinkage(apart, own, mean)
    floor = max(mean * _LEAST, _LEAST**2)
    variances = np.maximum((1 - shrink) * own + shrink * mean, floor)
    return Mahalanobis(centres, directions, variances, max(shrink * mean, floor))


def _shrinkage(apart: FloatArray, own: FloatArray, mean: float) -> float:
    """Return Ledoit and Wolf's weight of the identity, from centred rows and the eigenvalues of their covariance."""
    count, width = apart.shape
    squares = float((own**2).sum())
    spread = (squares - width * mean**2) / width
    noise = (float(((apart**2).sum(axis=1) ** 2).sum()) / count - squares) / (width * count)
    return 0.0 if spread <= 0 else min(max(noise, 0.0), spread) / spread


def fit_neighbours(embeddings: ArrayLike, count: int = NEIGHBOURS) -> Neighbours:
    """Return the distance from embeddings [N, D] of training cases; of fewer than k cases, to the farthest."""
    rows = of_length_one(embeddings)
    if not len(rows):
        raise ValueError("no embedding to be near to")
    return Neighbours(rows, min(count, len(rows)))


def of_length_one(embeddings: ArrayLike) -> FloatArray:
    """Return embeddings [N, D] scaled to length 1; one of zeros stays."""
    rows = np.asarray(embeddings, np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1))


@dataclass(frozen=True)
class Scale:
    """Makes distances of different networks comparable: the logarithm, less ``middle``, by ``width``."""

    middle: float
    width: float

    def scores(self, distances: ArrayLike) -> FloatArray:
        """Return how unusual distances [N] are: 0 for the median unseen training case."""
        return np.asarray((_logarithm(distances) - self.middle) / self.width)


def scale_of(distances: ArrayLike) -> Scale:
    """Return the scale on which these distances, of unseen training cases, have median 0 and median deviation 0.67."""
    values = _logarithm(distances)
    if not values.size:
        raise ValueError("no distance to scale by")
    middle = float(np.median(values))
    return Scale(middle, max(1.4826 * float(np.median(np.abs(values - middle))), 1e-3))


def scores_of_unseen(distances: ArrayLike, cases: Sequence[str]) -> FloatArray:
    """Return how unusual distances [N] are, those of each case on the scale that all the others set.

    A new case has no part in the scale either. On a scale that it helps to set, each of a dozen cases comes out too
    near, and too many new ones are then called unlike.
    """
    values, own = np.asarray(distances, np.float64), np.asarray(cases, dtype=str)
    kinds, place = np.unique(own, return_inverse=True)
    if len(kinds) == 1:
        return scale_of(values).scores(values)
    found = np.zeros(len(values))
    for code in range(len(kinds)):
        inside = place == code
        found[inside] = scale_of(values[~inside]).scores(values[inside])
    return found


def _logarithm(distances: ArrayLike) -> FloatArray:
    return np.asarray(np.log(np.maximum(np.asarray(distances, np.float64), 1e-6)))


_EQUAL: Final = 1e-9


def shares_nearer(scores: ArrayLike, reference: ArrayLike, *, among: bool = False) -> FloatArray:
    """Return the share of the reference scores that lie below each score, 0..1: float64 [N].

    ``among``: the scores stand in the reference themselves, and each is left out of its own comparison.
    """
    known = np.sort(np.asarray(reference, np.float64))
    below = np.searchsorted(known, np.asarray(scores, np.float64) - _EQUAL * among, side="left")
    return np.asarray(below / max(known.size - among, 1))


def chances(scores: ArrayLike, reference: ArrayLike, *, among: bool = False) -> FloatArray:
    """Return how often a case like those of the reference would score as high: (1 + number as high) / (1 + M).

    The conformal p-value (Bates et al. 2023, "Testing for outliers with conformal p-values", equation 2): of cases like
    the reference, at most a share of ``a`` gets ``a`` or less. With M cases it is never below 1 / (1 + M).
    ``among``: the scores stand in the reference themselves, and each is left out of its own comparison.
    """
    known = np.sort(np.asarray(reference, np.float64))
    as_high = known.size - np.searchsorted(known, np.asarray(scores, np.float64) - _EQUAL * among, side="left")
    return np.asarray((1 + as_high - among) / (1 + known.size - among))
