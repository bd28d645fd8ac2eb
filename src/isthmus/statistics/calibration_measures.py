"""How well probabilities are calibrated: Brier score and its parts, slope and intercept, bins for the plot."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from isthmus.statistics.calibration import ROUNDING_OF_LOGITS, ConvergenceError, logistic_fit, safe_logit, separated
from isthmus.statistics.inputs import (
    FloatArray,
    IntArray,
    as_binary,
    as_groups,
    as_labels,
    as_probabilities,
    count_groups,
)
from isthmus.statistics.interval import Interval, normal_quantile, undefined
from isthmus.statistics.proportions import clustered_proportion
from isthmus.statistics.roc import few_groups_note, sum_by_group


@dataclass(frozen=True)
class BrierParts:
    """The Brier score as reliability - resolution + uncertainty + within.

    `within` is what binning leaves over: variance of probabilities inside bins minus twice their covariance with the
    outcome. Source: A. Murphy, Journal of Applied Meteorology 12 (1973) 595-600; D. Stephenson et al., Weather and
    Forecasting 23 (2008) 752-757.

    Binning makes reliability and resolution too large, both by the chance of a few cases in a bin; the corrected ones
    have that bias taken out to the first order and may be negative. Source: C. Ferro, T. Fricker, Quarterly Journal of
    the Royal Meteorological Society 138 (2012) 1954-1960.
    """

    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    within: float
    reliability_corrected: float
    resolution_corrected: float
    bins: int


@dataclass(frozen=True)
class CalibrationBin:
    """One bin of a calibration plot: mean predicted probability, observed share with its interval, cases."""

    predicted: float
    observed: Interval
    count: int


def brier(
    labels: ArrayLike, probabilities: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95
) -> Interval:
    """Return the Brier score, the mean of (p - y)^2, with a cluster-robust interval.

    Parameters
    ----------
    labels : array_like of bool [N]
    probabilities : array_like [N]
        Of the positive class.
    groups : array_like [N], optional
    level : float

    Source: G. Brier, Monthly Weather Review 78 (1950) 1-3.
    """
    truth = as_binary(labels)
    p = as_probabilities(probabilities, truth.size)
    codes, count = as_groups(groups, truth.size)
    loss = (p - truth) ** 2
    estimate = float(loss.mean())
    method = "mean, cluster-robust normal"
    if count < 2:
        return Interval(estimate, 0.0, 1.0, level, method, "one group only: no interval")
    residual = np.bincount(codes, weights=loss - estimate, minlength=count) / truth.size
    half = normal_quantile(level) * float(np.sqrt(np.sum(residual**2) * count / (count - 1)))
    return Interval(estimate, max(0.0, estimate - half), min(1.0, estimate + half), level, method)


def scaled_brier(
    labels: ArrayLike, probabilities: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95
) -> Interval:
    """Return 1 - Brier / Brier of a model that says the prevalence to everybody, with a cluster-robust interval.

    1 is perfect, 0 no better than knowing the prevalence, below 0 worse than that.

    Source: E. Steyerberg et al., Epidemiology 21 (2010) 128-138; M. Kattan, T. Gerds, Diagnostic and Prognostic
    Research 2 (2018) 7 (index of prediction accuracy); variance by linearisation of the ratio.
    """
    truth = as_binary(labels)
    p = as_probabilities(probabilities, truth.size)
    codes, count = as_groups(groups, truth.size)
    method = "linearised ratio, cluster-robust normal"
    share = float(truth.mean())
    most = share * (1 - share)
    if most == 0:
        return undefined(method, "one class only: the prevalence alone predicts it", level)
    loss = (p - truth) ** 2
    ratio = float(loss.mean()) / most
    if count < 2:
        return Interval(1 - ratio, float("-inf"), 1.0, level, method, "one group only: no interval")
    residual = (loss - ratio * most - ratio * (1 - 2 * share) * (truth - share)) / (most * truth.size)
    by_group = np.bincount(codes, weights=residual, minlength=count)
    half = normal_quantile(level) * float(np.sqrt(np.sum(by_group**2) * count / (count - 1)))
    return Interval(1 - ratio, 1 - ratio - half, min(1.0, 1 - ratio + half), level, method)


def brier_parts(labels: ArrayLike, probabilities: ArrayLike, bins: int = 10) -> BrierParts:
    """Return the Brier score's parts over quantile bins; they sum to it exactly."""
    truth = as_binary(labels)
    p = as_probabilities(probabilities, truth.size)
    codes = quantile_bins(p, bins)
    size = np.bincount(codes)
    mean_p = np.bincount(codes, weights=p) / size
    mean_y = np.bincount(codes, weights=truth) / size
    share = size / truth.size
    overall = float(truth.mean())
    spread = p - mean_p[codes]
    within = float(np.mean(spread**2) - 2 * np.mean(spread * (truth - mean_y[codes])))
    reliability = float(np.sum(share * (mean_p - mean_y) ** 2))
    resolution = float(np.sum(share * (mean_y - overall) ** 2))
    uncertainty = overall * (1 - overall)
    by_chance = float(np.sum(share * mean_y * (1 - mean_y) / np.maximum(size - 1, 1)))
    return BrierParts(
        brier=float(np.mean((p - truth) ** 2)),
        reliability=reliability,
        resolution=resolution,
        uncertainty=uncertainty,
        within=within,
        reliability_corrected=reliability - by_chance,
        resolution_corrected=resolution - by_chance + uncertainty / max(truth.size - 1, 1),
        bins=len(size),
    )


def calibration_slope(
    labels: ArrayLike, probabilities: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95
) -> Interval:
    """Return the slope of the logistic regression of the labels on the logit of p; 1 is right, below 1 overconfident.

    The interval is normal with the cluster-robust (sandwich) variance, G/(G-1).

    Source: D. Cox 1958; R `sandwich::vcovCL(glm(y ~ qlogis(p), binomial), cluster, type = "HC0")`.
    """
    method = "logistic regression on the logit, cluster-robust normal"
    truth = as_labels(labels)
    x = safe_logit(as_probabilities(probabilities, truth.size))
    if np.ptp(x) < ROUNDING_OF_LOGITS:
        return undefined(method, "all probabilities are equal", level)
    if separated(truth, x):
        return undefined(method, "the classes are separated: the slope has no finite estimate", level)
    return _regression_interval(
        truth.astype(np.float64), np.stack([x, np.ones_like(x)], 1), None, groups, level, method
    )


def calibration_in_the_large(
    labels: ArrayLike, probabilities: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95
) -> Interval:
    """Return the calibration intercept with the slope held at 1; 0 is right, below 0 the probabilities are too high.

    The interval is normal with the cluster-robust (sandwich) variance, G/(G-1).

    Source: R `glm(y ~ offset(qlogis(p)), binomial)`.
    """
    truth = as_labels(labels)
    x = safe_logit(as_probabilities(probabilities, truth.size))
    method = "logistic regression, slope 1, cluster-robust normal"
    return _regression_interval(truth.astype(np.float64), np.ones((x.size, 1)), x, groups, level, method)


def calibration_bins(
    labels: ArrayLike, probabilities: ArrayLike, groups: ArrayLike | None = None, bins: int = 10, level: float = 0.95
) -> list[CalibrationBin]:
    """Return quantile bins for a calibration plot, lowest first; equal probabilities never part, so bins may be fewer.

    Each bin's observed share has a Wilson interval with effective n.
    """
    truth = as_binary(labels)
    p = as_probabilities(probabilities, truth.size)
    group_codes, _ = as_groups(groups, truth.size)
    codes = quantile_bins(p, bins)
    return [
        CalibrationBin(
            float(p[rows].mean()), clustered_proportion(truth[rows], group_codes[rows], level), int(rows.sum())
        )
        for rows in (codes == k for k in range(int(codes.max()) + 1))
    ]


def quantile_bins(values: FloatArray, bins: int) -> IntArray:
    """Return bin codes 0..B-1 (B <= bins) of about equal size; equal values share a bin, no bin is empty."""
    if bins < 1:
        raise ValueError(f"{bins} bins: at least 1 is needed")
    inner = np.quantile(values, np.arange(1, bins) / bins)
    _, codes = np.unique(np.searchsorted(inner, values, side="left"), return_inverse=True)
    return codes.reshape(values.shape).astype(np.intp)


def _regression_interval(
    targets: FloatArray,
    design: FloatArray,
    offset: FloatArray | None,
    groups: ArrayLike | None,
    level: float,
    method: str,
) -> Interval:
    """Return the first coefficient with its sandwich interval."""
    try:
        coefficients = logistic_fit(targets[:], design[:, ::-1], offset)[::-1]
    except ConvergenceError as error:
        return undefined(method, str(error), level)
    codes, count = as_groups(groups, targets.size)
    base = 0.0 if offset is None else offset
    fitted = expit(base + design @ coefficients)
    bread = np.linalg.inv((design * (fitted * (1 - fitted))[:, None]).T @ design)
    scores = sum_by_group((design * (targets - fitted)[:, None]).T, codes, count)
    truth = targets > 0.5
    note = few_groups_note(count_groups(codes, truth), count_groups(codes, ~truth))
    covariance = bread @ (scores @ scores.T) @ bread * (count / (count - 1) if count > 1 else np.nan)
    half = normal_quantile(level) * float(np.sqrt(covariance[0, 0]))
    estimate = float(coefficients[0])
    return Interval(estimate, estimate - half, estimate + half, level, method, note)
