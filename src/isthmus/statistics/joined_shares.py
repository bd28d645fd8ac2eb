"""Limits of a sum of two shares, each with its weight, at many thresholds at once: Wilson, effective n, joined."""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from isthmus.statistics.inputs import FloatArray
from isthmus.statistics.interval import normal_quantile


@dataclass(frozen=True)
class Shares:
    """Shares [T] with Wilson limits on effective numbers, and each group's influence [G, T] on them."""

    estimate: FloatArray
    low: FloatArray
    high: FloatArray
    influence: FloatArray


def shares(called: FloatArray, of: FloatArray, level: float) -> Shares:
    """Return the shares called at T thresholds, with limits as `clustered_proportion` has them.

    Parameters
    ----------
    called : ndarray [G, T]
        Each group's weight that is called.
    of : ndarray [G]
        Each group's weight; it sums to the number of units, more than 0.
    level : float
    """
    size, groups = float(of.sum()), int(np.count_nonzero(of))
    p = np.clip(called.sum(axis=0) / size, 0, 1)
    influence = (called - p * of[:, None]) / size
    effective = np.full(p.shape, float(groups))
    inside = (p > 0) & (p < 1)
    if groups > 1 and size > 1:
        tail = (1 + level) / 2
        few = float((stdtrit(size - 1, tail) / stdtrit(groups - 1, tail)) ** 2)
        variance = np.sum(influence[:, inside] ** 2, axis=0) * groups / (groups - 1)
        alone = p[inside] * (1 - p[inside]) / (size - 1)
        ratio = np.divide(alone, variance, out=np.ones_like(variance), where=variance > 0)
        effective[inside] = np.minimum(size * ratio * few, size)
    z2 = normal_quantile(level) ** 2
    centre = (p + z2 / (2 * effective)) / (1 + z2 / effective)
    half = np.sqrt(z2 * (p * (1 - p) / effective + z2 / (4 * effective**2))) / (1 + z2 / effective)
    low = np.where(p == 0, 0.0, np.minimum(np.maximum(centre - half, 0), p))
    high = np.where(p == 1, 1.0, np.maximum(np.minimum(centre + half, 1), p))
    return Shares(p, low, high, influence)


def joined(a: Shares, b: Shares, by_a: FloatArray, by_b: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return by_a a + by_b b [T] with limits that join the distances of both, with their correlation over groups.

    Source: G. Zou, A. Donner, Statistics in Medicine 27 (2008) 1693-1702, equations 3 and 4.
    """
    size = np.sqrt(np.sum(a.influence**2, axis=0) * np.sum(b.influence**2, axis=0))
    product = np.sum(a.influence * b.influence, axis=0)
    correlation = np.divide(product, size, out=np.zeros_like(size), where=size > 0) * np.sign(by_a) * np.sign(by_b)
    (down_a, up_a), (down_b, up_b) = _reach(a, by_a), _reach(b, by_b)
    estimate = by_a * a.estimate + by_b * b.estimate
    return estimate, estimate - _distance(down_a, down_b, correlation), estimate + _distance(up_a, up_b, correlation)


def _reach(share: Shares, by: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return how far the limits lie below and above, for a factor of either sign."""
    below, above = np.abs(by) * (share.estimate - share.low), np.abs(by) * (share.high - share.estimate)
    return np.where(by < 0, above, below), np.where(by < 0, below, above)


def _distance(x: FloatArray, y: FloatArray, correlation: FloatArray) -> FloatArray:
    distance: FloatArray = np.sqrt(np.maximum(x**2 + y**2 + 2 * correlation * x * y, 0))
    return distance
