"""Binned measures of calibration and their bias: expected calibration error, Hosmer-Lemeshow; Spiegelhalter's z."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import isfinite, sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc, ndtr

from isthmus.statistics.bootstrap import CHUNK
from isthmus.statistics.calibration_measures import quantile_bins
from isthmus.statistics.inputs import FloatArray, IntArray, as_binary, as_groups, as_probabilities
from isthmus.statistics.interval import Interval, check_level, normal_quantile

BINS = 10
SIMULATIONS = 500


@dataclass(frozen=True)
class CalibrationError:
    """An expected calibration error beside what chance alone would give.

    Parameters
    ----------
    estimate : float
        Mean over cases of |observed share - mean probability| of their bin.
    expected : float
        Its mean if the probabilities were perfectly calibrated: the bias that binning a finite sample brings.
    high : float
        What 95 % of perfectly calibrated samples stay below.
    debiased : float
        estimate - expected, at least 0. The bias is largest under perfect calibration, so that this corrects too much
        where calibration is poor: a lower bound in spirit.
    p : float
        Share of perfectly calibrated samples with an error at least as large.
    bins : int
        Bins that hold cases.
    binning : str
        ``width`` or ``mass``.
    """

    estimate: float
    expected: float
    high: float
    debiased: float
    p: float
    bins: int
    binning: str

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for JSON; a number that does not exist is None."""
        return _plain(asdict(self))


@dataclass(frozen=True)
class GoodnessOfFit:
    """A test of calibration: statistic, degrees of freedom (None for a z), two-sided p, how, and what to know."""

    statistic: float
    df: int | None
    p: float
    method: str
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for JSON; a number that does not exist is None."""
        return _plain(asdict(self))


def expected_calibration_error(
    labels: ArrayLike,
    probabilities: ArrayLike,
    units: ArrayLike | None = None,
    binning: Literal["width", "mass"] = "mass",
    bins: int = BINS,
    simulations: int = SIMULATIONS,
    seed: int = 0,
) -> CalibrationError:
    """Return the expected calibration error with the bias it has under perfect calibration.

    Parameters
    ----------
    labels : array_like of bool [N]
    probabilities : array_like [N]
        Of the positive class (or of the class that was called, with labels that say whether it was right).
    units : array_like [N], optional
        Whom each row is of; rows of one unit (several seeds) are given the same luck in the simulation.
    binning : {'mass', 'width'}
        Bins of about equal numbers of cases, or of equal width on 0..1 (closed above).
    bins, simulations, seed : int
        Outcomes are drawn `simulations` times from the probabilities themselves.

    Source: M. Naeini, G. Cooper, M. Hauskrecht, AAAI 2015; drawing outcomes from the predictions: J. Broecker, L.
    Smith, Weather and Forecasting 22 (2007) 651-661; the bias: R. Roelofs et al., AISTATS 2022.
    """
    truth = as_binary(labels)
    p = as_probabilities(probabilities, truth.size)
    codes = quantile_bins(p, bins) if binning == "mass" else width_bins(p, bins)
    number = int(codes.max()) + 1
    inside = np.zeros((truth.size, number))
    inside[np.arange(truth.size), codes] = 1 / truth.size
    predicted = p @ inside
    estimate = float(np.abs(truth @ inside - predicted).sum())
    drawn = np.concatenate(
        [
            np.abs(outcomes @ inside - predicted).sum(axis=1)
            for outcomes in calibrated_outcomes(p, units, simulations, seed)
        ]
    )
    expected = float(drawn.mean())
    share = (1 + int(np.sum(drawn >= estimate - 1e-12))) / (1 + len(drawn))
    high = float(np.quantile(drawn, 0.95))
    return CalibrationError(estimate, expected, high, max(0.0, estimate - expected), share, number, binning)


def calibrated_outcomes(
    probabilities: FloatArray, units: ArrayLike | None, simulations: int, seed: int
) -> Iterator[FloatArray]:
    """Yield chunks [B, N] of outcomes 0 or 1 drawn from the probabilities: what perfect calibration could look like."""
    codes, count = as_groups(units, probabilities.size)
    generator = np.random.default_rng(seed)
    step = max(1, CHUNK // probabilities.size)
    for start in range(0, simulations, step):
        luck = generator.random((min(step, simulations - start), count))
        yield ((luck if units is None else luck[:, codes]) < probabilities).astype(np.float64)


def width_bins(values: FloatArray, bins: int) -> IntArray:
    """Return codes 0..B-1 of those of `bins` equally wide bins on 0..1 that hold a value; bins are closed above."""
    if bins < 1:
        raise ValueError(f"{bins} bins: at least 1 is needed")
    # R cut(p, 0:10/10, include.lowest = TRUE)
    _, codes = np.unique(np.searchsorted(np.arange(1, bins) / bins, values, side="left"), return_inverse=True)
    return codes.reshape(values.shape).astype(np.intp)


def hosmer_lemeshow(
    labels: ArrayLike, probabilities: ArrayLike, bins: int = BINS, *, developed_here: bool = False
) -> GoodnessOfFit:
    """Return Hosmer and Lemeshow's chi-squared over quantile bins, as often published.

    It is no main result: it takes cases for independent (nodules of one patient are not), its p hangs on the bins, it
    has little power in small samples and rejects every model in large ones, and says nothing of size or direction.

    Parameters
    ----------
    labels : array_like of bool [N]
    probabilities : array_like [N]
    bins : int
    developed_here : bool
        Whether the model was fitted on these very cases: bins - 2 degrees of freedom, else bins.

    Source: D. Hosmer, S. Lemeshow, Communications in Statistics A9 (1980) 1043-1069; D. Hosmer, S. Lemeshow, R.
    Sturdivant, Applied Logistic Regression (2013), 5.2.2; R `ResourceSelection::hoslem.test(y, p, g)` with g - 2 (where
    more than a g-th of the cases share the smallest probability, that one joins them with the next bin).
    """
    truth = as_binary(labels)
    p = as_probabilities(probabilities, truth.size)
    codes = quantile_bins(p, bins)
    size, expected, observed = np.bincount(codes), np.bincount(codes, p), np.bincount(codes, truth)
    number = len(size)
    df = number - 2 if developed_here else number
    method = f"Hosmer-Lemeshow, {number} quantile bins"
    if df < 1:
        return GoodnessOfFit(float("nan"), df, float("nan"), method, "too few distinct probabilities for bins")
    variance = expected * (1 - expected / size)
    difference = (observed - expected) ** 2
    if ((variance <= 0) & (difference > 0)).any():
        return GoodnessOfFit(float("nan"), df, float("nan"), method, "a bin of certain probabilities holds a mistake")
    statistic = float(np.sum(np.divide(difference, variance, out=np.zeros(number), where=variance > 0)))
    thin = int(np.sum(np.minimum(expected, size - expected) < 5))
    note = f"{thin} of {number} bins expect fewer than 5 cases of a class" if thin else ""
    return GoodnessOfFit(statistic, df, float(chdtrc(df, statistic)), method, note)


def spiegelhalter(labels: ArrayLike, probabilities: ArrayLike, groups: ArrayLike | None = None) -> GoodnessOfFit:
    """Return Spiegelhalter's z: whether the Brier score is what it would be if the probabilities were true.

    With groups, the variance is multiplied by the design effect of the summands, so that it is the plain test where
    every group is one. It sees a wrong level and wrong spread; errors that cancel in the sum stay unseen.

    Source: D. Spiegelhalter, Statistics in Medicine 5 (1986) 421-433, equation 4; R `rms::val.prob`, S:z.
    """
    truth = as_binary(labels)
    p = as_probabilities(probabilities, truth.size)
    codes, count = as_groups(groups, truth.size)
    method = "Spiegelhalter z" + ("" if count == truth.size else ", design effect of groups")
    summands = (truth - p) * (1 - 2 * p)
    variance = float(np.sum((1 - 2 * p) ** 2 * p * (1 - p)))
    alone = float(np.sum(summands**2))
    if variance <= 0 or alone <= 0:
        return GoodnessOfFit(float("nan"), None, float("nan"), method, "the probabilities leave no variance to test")
    effect = float(np.sum(np.bincount(codes, summands, count) ** 2)) / alone
    if effect <= 0:
        return GoodnessOfFit(float("nan"), None, float("nan"), method, "no variance between groups")
    z = float(summands.sum()) / sqrt(variance * effect)
    return GoodnessOfFit(z, None, float(2 * ndtr(-abs(z))), method)


def several_class_brier(
    labels: ArrayLike, probabilities: ArrayLike, groups: ArrayLike | None = None, level: float = 0.95
) -> Interval:
    """Return the Brier score of several classes, the mean of the sum over classes of (p_k - y_k)^2, from 0 to 2.

    With two classes it is twice the Brier score of the positive class.

    Parameters
    ----------
    labels : array_like of int [N]
        Class codes 0..K-1.
    probabilities : array_like [N, K]

    Source: G. Brier, Monthly Weather Review 78 (1950) 1-3.
    """
    check_level(level)
    codes, values = as_class_probabilities(labels, probabilities)
    loss = ((values - np.eye(values.shape[1])[codes]) ** 2).sum(axis=1)
    of, count = as_groups(groups, codes.size)
    estimate = float(loss.mean())
    method = "sum over classes, mean, cluster-robust normal"
    if count < 2:
        return Interval(estimate, 0.0, 2.0, level, method, "one group only: no interval")
    residual = np.bincount(of, weights=loss - estimate, minlength=count) / codes.size
    half = normal_quantile(level) * float(np.sqrt(np.sum(residual**2) * count / (count - 1)))
    return Interval(estimate, max(0.0, estimate - half), min(2.0, estimate + half), level, method)


def top_label_error(
    labels: ArrayLike,
    probabilities: ArrayLike,
    units: ArrayLike | None = None,
    binning: Literal["width", "mass"] = "mass",
    bins: int = BINS,
) -> CalibrationError:
    """Return the expected calibration error of the most probable class: whether it is right as often as it says.

    Source: C. Guo et al., ICML 2017, equation 3.
    """
    codes, values = as_class_probabilities(labels, probabilities)
    best = values.argmax(axis=1)
    return expected_calibration_error(best == codes, np.clip(values.max(axis=1), 0, 1), units, binning, bins)


def as_class_probabilities(labels: ArrayLike, probabilities: ArrayLike) -> tuple[IntArray, FloatArray]:
    """Return class codes [N] and probabilities [N, K], checked.

    Raises
    ------
    ValueError
        For other shapes, a code that is no class, or a value outside 0..1; names its row.
    """
    codes, values = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    if codes.dtype.kind not in "iu" or values.ndim != 2 or codes.shape != (len(values),) or codes.size == 0:
        raise ValueError(f"labels {codes.shape} and probabilities {values.shape}: whole class codes [N] and [N, K]")
    if codes.min() < 0 or codes.max() >= values.shape[1]:
        raise ValueError(f"class codes {codes.min()} to {codes.max()} for {values.shape[1]} classes")
    wrong = np.argwhere(~((values >= 0) & (values <= 1)))
    if wrong.size:
        row, column = wrong[0]
        raise ValueError(
            f"probabilities: row {row} is {values[row, column]}, outside 0 to 1 ({len(wrong)} such values)"
        )
    return codes.astype(np.intp), values


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    plain = {key: None if isinstance(value, float) and not isfinite(value) else value for key, value in fields.items()}
    return {key: value for key, value in plain.items() if not (key == "note" and not value)}
