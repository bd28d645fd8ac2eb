"""A confidence band around the ROC curve, for figures."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from isthmus.statistics.bootstrap import REPLICATES, group_bootstrap
from isthmus.statistics.inputs import FloatArray, as_groups, as_labels, as_scores, count_groups
from isthmus.statistics.interval import check_level, normal_quantile
from isthmus.statistics.weighted_curve import curve_counts, sensitivities

Kind = Literal["pointwise", "simultaneous"]
_NO_VARIANCE = 1e-24  # of replicates that differ by rounding alone


@dataclass(frozen=True)
class RocBand:
    """Sensitivity at a grid of false positive rates, with its band.

    Parameters
    ----------
    fpr, sensitivity, low, high : ndarray [P]
    level : float
    method : str
        Which band it is, for the legend.
    """

    fpr: FloatArray
    sensitivity: FloatArray
    low: FloatArray
    high: FloatArray
    level: float
    method: str


def roc_band(
    labels: ArrayLike,
    scores: ArrayLike,
    groups: ArrayLike | None = None,
    kind: Kind = "pointwise",
    level: float = 0.95,
    points: int = 101,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> RocBand:
    """Return the vertical confidence band of a ROC curve from a group bootstrap.

    Parameters
    ----------
    labels : array_like of bool [N]
    scores : array_like [N]
    groups : array_like [N], optional
    kind : {'pointwise', 'simultaneous'}
        Pointwise: at any one false positive rate the sensitivity lies inside with the confidence stated (Wilson's
        limits on the replicates' variance: see `pointwise_limits`).
        Simultaneous: the whole curve does (rank envelope of the bootstrapped curves, nowhere inside the pointwise
        band), so it is wider.
    level : float
    points : int
        Of the grid of false positive rates, from 0 to 1.
    replicates, seed : int
        Replicates without both classes are left out.

    Source: vertical averaging, T. Fawcett, Pattern Recognition Letters 27 (2006) 861-874; the rank envelope,
    M. Myllymäki et al., JRSS B 79 (2017) 381-404.
    """
    check_level(level)
    if kind not in ("pointwise", "simultaneous"):
        raise ValueError(f"no band {kind!r}; there are 'pointwise' and 'simultaneous'")
    if points < 2:
        raise ValueError(f"{points} points: a band needs at least 2")
    truth = as_labels(labels)
    values = as_scores(scores, truth.size)[0]
    grid = np.linspace(0.0, 1.0, points)

    def curves(weights: FloatArray) -> FloatArray:
        return sensitivities(curve_counts(truth, values, weights), grid)

    observed = curves(np.ones((1, truth.size)))[0]
    drawn = group_bootstrap(curves, truth.size, groups, replicates, seed)
    drawn = drawn[~np.isnan(drawn).any(axis=1)]
    if len(drawn) == 0:
        raise ValueError("no bootstrap replicate held both classes: too few groups for a band")
    codes, _ = as_groups(groups, truth.size)
    low, high = pointwise_limits(observed, drawn, int(truth.sum()), count_groups(codes, truth), level)
    if kind == "simultaneous":
        below, above = _envelope(drawn, level)
        low, high = np.minimum(low, below), np.maximum(high, above)
    low[-1] = high[-1] = 1.0  # at a rate of 1 the sensitivity is 1
    method = f"{kind} {level:.0%} band, vertical, {replicates} group bootstraps"
    return RocBand(grid, observed, np.minimum(low, observed), np.maximum(high, observed), level, method)


def pointwise_limits(
    observed: FloatArray, drawn: FloatArray, cases: int, groups: int, level: float
) -> tuple[FloatArray, FloatArray]:
    """Return Wilson's limits [P] on the number of cases that would have the variance of the replicates [B, P].

    Quantiles of the replicates close on a sensitivity of 1, of which few cases are no proof. Where it is 0 or 1, or the
    replicates do not vary, the number is that of the groups.

    Parameters
    ----------
    cases, groups : int
        Positive ones: the number is at most the first.
    """
    known = drawn[np.isfinite(drawn).all(axis=1)]
    variance = known.var(axis=0, ddof=1) if len(known) > 1 else np.zeros(observed.shape)
    binomial = observed * (1 - observed)
    number = np.full(observed.shape, float(groups))
    np.divide(binomial, variance, out=number, where=(binomial > 0) & (variance > _NO_VARIANCE))
    number = np.minimum(number, cases)
    z2 = normal_quantile(level) ** 2
    centre = (observed + z2 / (2 * number)) / (1 + z2 / number)
    half = np.sqrt(z2 * (binomial / number + z2 / (4 * number**2))) / (1 + z2 / number)
    return np.clip(centre - half, 0.0, observed), np.clip(centre + half, observed, 1.0)


def _envelope(drawn: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Return the narrowest pair of order statistics, the same at all points, that holds `level` of whole curves."""
    ordered = np.sort(drawn, axis=0)
    count = len(drawn)
    depth = np.full(count, count)
    for column, ranked in zip(drawn.T, ordered.T, strict=True):
        from_below = np.searchsorted(ranked, column, side="right")
        from_above = count - np.searchsorted(ranked, column, side="left")
        depth = np.minimum(depth, np.minimum(from_below, from_above))
    # A curve of depth d lies inside the band of the k-th lowest and highest values for every k <= d.
    k = int(np.sort(depth)[int(np.floor((1 - level) * count))])
    return ordered[k - 1], ordered[count - k]
