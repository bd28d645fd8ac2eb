"""The curves behind the ROC, precision-recall and calibration figures."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame

from isthmus.statistics.bootstrap import group_counts
from isthmus.statistics.calibration_measures import calibration_bins
from isthmus.statistics.roc_band import pointwise_limits
from isthmus.statistics.weighted_curve import CurveCounts, curve_counts, precisions, sensitivities

FloatArray = NDArray[np.float64]
_GRID = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True)
class RocSummary:
    """A ROC curve on a fixed grid of false positive rates, all arrays of shape [101] and in 0..1.

    Parameters
    ----------
    folds : list of ndarray
        Sensitivity inside each fold of each seed; empty where there is one model only.
    mean, low, high : ndarray
        The vertical mean over folds and seeds, and its pointwise band.
    auc_text : str
        AUC with its interval, as printed inside the panel.
    """

    false_positive_rate: FloatArray
    folds: list[FloatArray]
    mean: FloatArray
    low: FloatArray
    high: FloatArray
    auc_text: str = ""


@dataclass(frozen=True)
class PrecisionRecallSummary:
    """A precision-recall curve on a fixed grid of recalls, all arrays of shape [101] and in 0..1.

    Parameters
    ----------
    folds : list of ndarray
        Precision inside each fold of each seed; empty where there is one model only.
    mean, low, high : ndarray
        The vertical mean over folds and seeds, and its pointwise band.
    chance : float
        Precision of a score that knows nothing: the prevalence.
    """

    recall: FloatArray
    folds: list[FloatArray]
    mean: FloatArray
    low: FloatArray
    high: FloatArray
    chance: float


@dataclass(frozen=True)
class CalibrationCurve:
    """Observed frequency in bins of equal size, with the interval of each, and how the predictions lie.

    Parameters
    ----------
    predicted, observed, low, high : ndarray [bins]
        Mean prediction, observed frequency and its Wilson limits, 0 to 1.
    histogram_positive, histogram_negative : ndarray [20]
        Cases of the positive and of the other classes in twentieths of 0..1.
    slope : float or None
        The calibration slope of the evidence.
    """

    predicted: FloatArray
    observed: FloatArray
    low: FloatArray
    high: FloatArray
    histogram_positive: FloatArray
    histogram_negative: FloatArray
    slope: float | None = None


def roc_summary(
    rows: DataFrame, *, auc_text: str = "", level: float = 0.95, resamples: int = 400, seed: int = 0
) -> RocSummary:
    """Return an arm's ROC curve with a pointwise band from resampling its groups.

    Parameters
    ----------
    rows : DataFrame
        One arm and split, with ``seed``, ``fold``, ``group_id``, ``truth`` (bool) and ``score``.
    level : float
        Of the pointwise band, 0 to 1.
    resamples : int
        Group bootstraps behind the band.
    seed : int
        Of the resampling.

    Returns
    -------
    RocSummary
        Scores of different fold models are never ranked against each other: the curve is the mean of the folds'.
    """
    shown, mean, drawn = _resampled(rows, sensitivities, resamples, seed)
    positives = rows[rows["truth"]]
    units = len(positives) // rows["seed"].nunique()
    low, high = pointwise_limits(mean, drawn, units, int(positives["group_id"].nunique()), level)
    low[-1] = high[-1] = 1.0  # where all is called, all are found
    return RocSummary(_GRID, shown, mean, low, high, auc_text)


def precision_recall_summary(
    rows: DataFrame, *, level: float = 0.95, resamples: int = 400, seed: int = 0
) -> PrecisionRecallSummary:
    """Return an arm's precision-recall curve with a pointwise band; parameters as :func:`roc_summary`."""
    shown, mean, drawn = _resampled(rows, precisions, resamples, seed)
    tail = 100 * (1 - level) / 2
    low, high = np.nanpercentile(drawn, [tail, 100 - tail], axis=0)
    low, high = np.minimum(low, mean), np.maximum(high, mean)
    return PrecisionRecallSummary(_GRID, shown, mean, low, high, float(rows["truth"].mean()))


def _resampled(
    rows: DataFrame, reading: Callable[[CurveCounts, FloatArray], FloatArray], resamples: int, seed: int
) -> tuple[list[FloatArray], FloatArray, FloatArray]:
    """Return the folds' curves (none where there is one), their mean, and its replicates [resamples, grid]."""
    groups = rows["group_id"].astype("category")
    codes, count = groups.cat.codes.to_numpy(), len(groups.cat.categories)
    places = rows.reset_index(drop=True).groupby(["seed", "fold"], sort=True).groups.values()
    truth, score = rows["truth"].to_numpy(dtype=bool), rows["score"].to_numpy(dtype=np.float64)
    folds = [index.to_numpy() for index in places if 0 < truth[index.to_numpy()].sum() < len(index)]
    if not folds:
        raise ValueError("no fold holds both classes: there is no curve")

    def curves(fold: NDArray[np.intp], weights: FloatArray) -> FloatArray:
        return reading(curve_counts(truth[fold], score[fold], weights), _GRID)

    observed = [curves(fold, np.ones((1, len(fold))))[0] for fold in folds]
    drawn = [
        _mean_of_known(np.stack([curves(fold, weights[:, codes[fold]]) for fold in folds]))
        for weights in group_counts(count, resamples, seed)
    ]
    return observed if len(observed) > 1 else [], np.mean(observed, axis=0), np.concatenate(drawn)


def _mean_of_known(curves: FloatArray) -> FloatArray:
    """Return the mean [resamples, grid] over those folds [folds, resamples, grid] in which both classes were drawn."""
    known = np.isfinite(curves)
    total = np.where(known, curves, 0.0).sum(axis=0)
    number = known.sum(axis=0)
    mean = np.full(total.shape, np.nan)
    np.divide(total, number, out=mean, where=number > 0)
    return mean


def calibration_curve(rows: DataFrame, *, slope: float | None = None, level: float = 0.95) -> CalibrationCurve:
    """Return observed against predicted frequency of one arm and split.

    Parameters
    ----------
    rows : DataFrame
        With ``truth`` (bool) and ``probability`` (calibrated where the arm has a calibration).
    slope : float, optional
        Printed beside the curve.
    level : float
        Of the Wilson limits of each bin, 0 to 1.
    """
    probability = rows["probability"].to_numpy(dtype=np.float64)
    truth = rows["truth"].to_numpy(dtype=bool)
    number = int(np.clip(len(rows) // 20, 2, 10))
    bins = calibration_bins(truth, probability, rows["group_id"], number, level)
    edges = np.linspace(0, 1, 21)
    return CalibrationCurve(
        np.array([entry.predicted for entry in bins]),
        np.array([entry.observed.estimate for entry in bins]),
        np.array([entry.observed.low for entry in bins]),
        np.array([entry.observed.high for entry in bins]),
        np.histogram(probability[truth], edges)[0].astype(np.float64),
        np.histogram(probability[~truth], edges)[0].astype(np.float64),
        slope,
    )
