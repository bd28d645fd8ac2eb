"""Fitting isotonic and temperature recalibration, and moving probabilities to another prevalence."""

from dataclasses import dataclass
from math import exp, isfinite, log

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import isotonic_regression, minimize_scalar
from scipy.special import log_softmax, softmax

from isthmus.statistics.calibration import LogisticCalibration, fit_intercept
from isthmus.statistics.calibrators import EDGE, IsotonicCalibration, TemperatureCalibration, safe_logit
from isthmus.statistics.inputs import FloatArray, IntArray, as_groups, as_labels, as_probabilities, count_groups

# Steps of an isotonic fit are proportions of a few cases each: below this many groups in the smaller class they are
# noise, and the note says so (A. Niculescu-Mizil, R. Caruana, ICML 2005, find it to need about 1,000 cases).
FEW_FOR_ISOTONIC = 200
# log T is sought here; a fit that ends on the edge has no inner optimum.
LOG_TEMPERATURES = (-4.0, 4.0)
ROUNDS = 10_000


def fit_isotonic(labels: ArrayLike, probabilities: ArrayLike, groups: ArrayLike | None = None) -> IsotonicCalibration:
    """Return the non-decreasing function of p that is nearest the labels in squares, by pooling adjacent violators.

    Equal probabilities are pooled first. Between two distinct probabilities the function is linear. Steps of one class
    only would be certain, 0 or 1: they are held at 1 / (2 N) from the edge, since N cases cannot show more.

    Parameters
    ----------
    labels : array_like of bool [N]
    probabilities : array_like [N]
        Of the positive class.
    groups : array_like [N], optional
        Only counted, for the note.

    Source: B. Zadrozny, C. Elkan, KDD 2002; scikit-learn `IsotonicRegression(y_min=1 / (2 * n), y_max=1 - 1 / (2
    * n), out_of_bounds="clip")`.
    """
    truth = as_labels(labels)
    p = as_probabilities(probabilities, truth.size)
    codes, _ = as_groups(groups, truth.size)
    distinct, of, size = np.unique(p, return_inverse=True, return_counts=True)
    share = np.bincount(of, weights=truth) / size
    edge = 1 / (2 * truth.size)
    fitted = np.clip(isotonic_regression(share, weights=size).x, edge, 1 - edge)
    # A point amid a flat stretch says nothing.
    corner = np.ones(distinct.size, dtype=bool)
    corner[1:-1] = (fitted[1:-1] != fitted[:-2]) | (fitted[1:-1] != fitted[2:])
    fewest = min(count_groups(codes, truth), count_groups(codes, ~truth))
    few = f": {fewest} groups in the smaller class make coarse steps" if fewest < FEW_FOR_ISOTONIC else ""
    return IsotonicCalibration(
        tuple(distinct[corner].tolist()), tuple(fitted[corner].tolist()), f"isotonic recalibration{few}"
    )


def fit_temperature(labels: ArrayLike, probabilities: ArrayLike) -> TemperatureCalibration:
    """Return the temperature of the smallest mean log loss.

    Where the classes are separated, or the probabilities rank them worse than chance, there is none: the temperature
    is held within exp(-4)..exp(4), and said.

    Parameters
    ----------
    labels : array_like [N]
        Booleans with probabilities [N] of the positive class; else class codes 0..K-1.
    probabilities : array_like [N] or [N, K]

    Source: C. Guo, G. Pleiss, Y. Sun, K. Weinberger, On calibration of modern neural networks, ICML 2017.
    """
    values = np.asarray(probabilities, dtype=np.float64)
    if values.ndim == 1:
        truth = as_labels(labels)
        x = safe_logit(as_probabilities(values, truth.size))
        logits, codes = np.stack([np.zeros_like(x), x], axis=1), truth.astype(np.intp)
    else:
        codes = class_codes(labels, values)
        logits = np.log(np.maximum(values, EDGE))
    rows = np.arange(codes.size)

    def loss(log_temperature: float) -> float:
        return -float(log_softmax(logits / exp(log_temperature), axis=1)[rows, codes].mean())

    low, high = LOG_TEMPERATURES
    grid = np.linspace(low, high, 33)
    best = int(np.argmin([loss(value) for value in grid]))
    if best in (0, len(grid) - 1):
        reason = "the classes are separated" if best == 0 else "the probabilities do not rank the classes"
        return TemperatureCalibration(exp(float(grid[best])), f"temperature scaling, held at its limit: {reason}")
    found = minimize_scalar(loss, bounds=(grid[best - 1], grid[best + 1]), method="bounded", options={"xatol": 1e-9})
    return TemperatureCalibration(exp(float(found.x)))


def shift_to_prevalence(
    prevalence: float, from_prevalence: float | None = None, probabilities: ArrayLike | None = None
) -> LogisticCalibration:
    """Return the calibration that moves probabilities to a stated prevalence.

    From a known prevalence, the odds are multiplied by the ratio of the two prevalences' odds (Bayes' rule: the scores
    are taken to lie alike within each class). Without one, the intercept is found that makes the mean of the given
    probabilities equal the prevalence.

    Parameters
    ----------
    prevalence : float
        Where the model shall be used, strictly between 0 and 1.
    from_prevalence : float, optional
        Of the data that the model was calibrated on.
    probabilities : array_like [N], optional
        Of a sample of that clinic; used where `from_prevalence` is not given.

    Source: M. Saerens, P. Latinne, C. Decaestecker, Neural Computation 14 (2002) 21-41, equation 2.4; K. Janssen et
    al., Journal of Clinical Epidemiology 61 (2008) 76-86, for the intercept.

    Examples
    --------
    >>> shift_to_prevalence(0.05, 0.5).apply([0.5]).round(6).tolist()
    [0.05]
    """
    target = _log_odds(prevalence)
    if from_prevalence is not None:
        method = f"moved from a prevalence of {from_prevalence:g} to {prevalence:g}"
        return LogisticCalibration(target - _log_odds(from_prevalence), 1.0, method)
    if probabilities is None:
        raise ValueError("a shift needs the prevalence that it starts from, or the probabilities of a sample")
    x = safe_logit(as_probabilities(probabilities, np.size(probabilities)))
    low, high = target - float(x.max()) - 1, target - float(x.min()) + 1
    for _ in range(200):  # the mean rises with the intercept: halving finds it
        middle = (low + high) / 2
        low, high = (middle, high) if float((1 / (1 + np.exp(-(x + middle)))).mean()) < prevalence else (low, middle)
    return LogisticCalibration((low + high) / 2, 1.0, f"intercept for a mean probability of {prevalence:g}")


@dataclass(frozen=True)
class EstimatedPriors:
    """Class shares [K] of a sample without labels, the probabilities [N, K] adjusted to them, and the rounds taken."""

    shares: FloatArray
    probabilities: FloatArray
    rounds: int
    converged: bool


def estimate_priors(probabilities: ArrayLike, priors: ArrayLike, tolerance: float = 1e-10) -> EstimatedPriors:
    """Estimate the class shares of a sample without labels, by expectation-maximisation.

    It trusts the probabilities: a model that is not calibrated gives wrong shares.

    Parameters
    ----------
    probabilities : array_like [N, K]
        Calibrated at the shares `priors`.
    priors : array_like [K]
        Class shares of the data that the model was calibrated on.
    tolerance : float
        Largest change of a share at which it stops.

    Source: M. Saerens, P. Latinne, C. Decaestecker, Neural Computation 14 (2002) 21-41, equation 2.9.
    """
    values, start = np.asarray(probabilities, dtype=np.float64), np.asarray(priors, dtype=np.float64)
    if values.ndim != 2 or start.shape != (values.shape[1],) or not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(f"probabilities of shape {values.shape} and priors of shape {start.shape}: [N, K] and [K]")
    if (start <= 0).any() or not isfinite(float(start.sum())) or abs(float(start.sum()) - 1) > 1e-6:
        raise ValueError(f"priors must lie above 0 and sum to 1, not {start.tolist()}")
    logs = np.log(np.maximum(values, EDGE)) - np.log(start)
    shares, adjusted = start, values
    for rounds in range(1, ROUNDS + 1):
        adjusted = softmax(logs + np.log(np.maximum(shares, EDGE)), axis=1)
        updated = adjusted.mean(axis=0)
        moved = float(np.abs(updated - shares).max())
        shares = updated
        if moved < tolerance:
            return EstimatedPriors(shares, adjusted, rounds, True)
    return EstimatedPriors(shares, adjusted, ROUNDS, False)


def refit_intercept(labels: ArrayLike, probabilities: ArrayLike) -> LogisticCalibration:
    """Return the intercept alone, fitted on labelled cases of the new place: recalibration in the large."""
    return fit_intercept(labels, probabilities, "recalibration in the large")


def class_codes(labels: ArrayLike, values: FloatArray) -> IntArray:
    """Return class codes [N] as indices, checked against probabilities [N, K].

    Raises
    ------
    ValueError
        When they are no whole numbers from 0 to K - 1, or a probability lies outside 0 and 1.
    """
    codes = np.asarray(labels)
    if codes.dtype.kind not in "iu" or values.ndim != 2 or codes.shape != (len(values),) or codes.size == 0:
        raise ValueError(f"labels {codes.shape} and probabilities {values.shape}: whole class codes [N] and [N, K]")
    if codes.min() < 0 or codes.max() >= values.shape[1]:
        raise ValueError(f"class codes {codes.min()} to {codes.max()} for {values.shape[1]} classes")
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("probabilities must lie between 0 and 1")
    return codes.astype(np.intp)


def _log_odds(prevalence: float) -> float:
    if not 0 < prevalence < 1:
        raise ValueError(f"a prevalence of {prevalence}: it must lie strictly between 0 and 1")
    return log(prevalence / (1 - prevalence))
