"""Statistics of speckle, by which simulated pictures are held against physics and against real ones.

In full speckle the echo's envelope is Rayleigh: its mean over its standard deviation is sqrt(pi / (4 - pi)) = 1.913,
and its Nakagami parameter is 1 (less: few or uneven scatterers; more: smoothing or a fixed echo).

Sources: C. Burckhardt, IEEE Transactions on Sonics and Ultrasonics 25 (1978) 1-6 (signal to noise);
P. Shankar, IEEE Transactions on Medical Imaging 19 (2000) 28-34 (Nakagami law of echoes);
R. Haralick, K. Shanmugam, I. Dinstein, IEEE Transactions on Systems, Man and Cybernetics 3 (1973) 610-621 (texture).
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import digamma

Numbers = NDArray[np.float64]

RAYLEIGH_SNR: Final = float(np.sqrt(np.pi / (4 - np.pi)))
_LARGEST_M: Final = 1e6


def decompressed(grey: NDArray[Any], dynamic_range_db: float) -> Numbers:
    """Return the envelope that a grey level stands for, under the assumption of linear log compression.

    Parameters
    ----------
    grey : array
        Grey levels, 0 to 255.
    dynamic_range_db : float
        Of the display: 255 lies this far above 0, in dB of amplitude.

    Returns
    -------
    float64 array
        Amplitude; level 255 is 1.

    Examples
    --------
    >>> decompressed(np.array([0, 255]), 60).round(4).tolist()
    [0.001, 1.0]
    """
    return np.asarray(10.0 ** ((np.asarray(grey, dtype=np.float64) / 255 - 1) * dynamic_range_db / 20))


def without_trend(grey: NDArray[Any]) -> Numbers:
    """Return grey levels [H, W] with their least-squares plane replaced by its mean: gain that rises is no speckle."""
    values = np.asarray(grey, dtype=np.float64)
    y, x = np.indices(values.shape)
    plane = np.stack([np.ones(values.size), y.ravel() - y.mean(), x.ravel() - x.mean()], axis=1)
    slopes = np.linalg.lstsq(plane, values.ravel(), rcond=None)[0]
    slopes[0] = 0.0
    return np.asarray(values - (plane @ slopes).reshape(values.shape))


def signal_to_noise(envelope: NDArray[Any]) -> float:
    """Return the mean over the standard deviation; 1.913 in full speckle, NaN without spread."""
    values = np.asarray(envelope, dtype=np.float64)
    spread = float(values.std())
    return float(values.mean()) / spread if spread > 0 else float("nan")


def nakagami_by_moments(envelope: NDArray[Any]) -> float:
    """Return the Nakagami parameter m = E[A^2]^2 / Var(A^2) of an envelope; NaN without spread.

    Source: P. Shankar, IEEE Transactions on Medical Imaging 19 (2000) 28-34, equation 4.
    """
    power = np.square(np.asarray(envelope, dtype=np.float64))
    variance = float(power.var())
    return float(power.mean()) ** 2 / variance if variance > 0 else float("nan")


def nakagami_by_likelihood(envelope: NDArray[Any]) -> float:
    """Return the maximum-likelihood Nakagami parameter of a positive envelope; NaN without spread.

    A^2 is then gamma distributed with shape m, so that ln m - digamma(m) = ln E[A^2] - E[ln A^2].

    Source: J. Cheng, N. Beaulieu, IEEE Communications Letters 5 (2001) 101-103.
    """
    power = np.square(np.asarray(envelope, dtype=np.float64))
    power = power[power > 0]
    gap = float(np.log(power.mean()) - np.log(power).mean())
    if gap <= 1 / (2 * _LARGEST_M):
        return float("nan")
    return float(brentq(lambda m: np.log(m) - digamma(m) - gap, 1e-6, _LARGEST_M))


def autocorrelation_width(values: NDArray[Any], axis: int) -> float:
    """Return the full width at half maximum of the autocovariance along an axis, in samples.

    Parameters
    ----------
    values : array [H, W]
        A patch; its mean is taken off.
    axis : int
        0: down (axial), 1: across (lateral).

    Returns
    -------
    float
        Twice the lag at which the covariance first falls to half the variance, linear between lags; NaN where it does
        not within half the patch, or without spread.

    Source: R. Wagner et al., IEEE Transactions on Sonics and Ultrasonics 30 (1983) 156-163 (speckle's cell size).
    """
    centred = np.moveaxis(np.asarray(values, dtype=np.float64), axis, 0)
    centred = centred - centred.mean()
    variance = float(np.mean(centred**2))
    if variance <= 0:
        return float("nan")
    before = 1.0
    for lag in range(1, len(centred) // 2 + 1):
        after = float(np.mean(centred[lag:] * centred[:-lag])) / variance
        if after <= 0.5:
            return 2 * (lag - 1 + (before - 0.5) / (before - after))
        before = after
    return float("nan")


def cooccurrence(levels: NDArray[Any], offset: tuple[int, int], count: int) -> Numbers:
    """Return the symmetric, normalised grey-level co-occurrence matrix.

    Parameters
    ----------
    levels : integer array [H, W]
        0 to ``count`` - 1.
    offset : tuple of int
        Rows down (0 or more) and columns across to the neighbour.
    count : int
        Number of levels.

    Returns
    -------
    float64 array [count, count]
        Sums to 1.

    Source: R. Haralick et al. (1973), section 3.
    """
    rows, columns = offset
    height, width = levels.shape
    first = levels[: height - rows, max(0, -columns) : width - max(0, columns)]
    second = levels[rows:, max(0, columns) : width - max(0, -columns)]
    pairs = first.astype(np.int64).ravel() * count + second.astype(np.int64).ravel()
    matrix = np.bincount(pairs, minlength=count * count).reshape(count, count).astype(np.float64)
    matrix += matrix.T
    return np.asarray(matrix / matrix.sum())


def texture(matrix: Numbers) -> dict[str, float]:
    """Return contrast, homogeneity, energy, correlation and entropy (nats) of a co-occurrence matrix.

    ``energy`` is the root of the angular second moment, ``homogeneity`` the inverse difference moment, as in
    scikit-image's ``graycoprops``; the correlation of a matrix without spread is 1.

    Source: R. Haralick et al. (1973), features 1, 2, 3, 5 and 9.
    """
    i, j = np.indices(matrix.shape)
    mean = float(np.sum(i * matrix))
    variance = float(np.sum((i - mean) ** 2 * matrix))
    seen = matrix[matrix > 0]
    return {
        "contrast": float(np.sum((i - j) ** 2 * matrix)),
        "homogeneity": float(np.sum(matrix / (1 + (i - j) ** 2))),
        "energy": float(np.sqrt(np.sum(matrix**2))),
        "correlation": float(np.sum((i - mean) * (j - mean) * matrix)) / variance if variance > 0 else 1.0,
        "entropy": float(-np.sum(seen * np.log(seen))),
    }
