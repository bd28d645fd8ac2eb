"""The flexible calibration curve: a restricted cubic spline on the logit, with its band, and how far it is off."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import chdtrc, expit

from isthmus.statistics.bootstrap import group_bootstrap, percentile_interval
from isthmus.statistics.calibration import ROUNDING_OF_LOGITS, ConvergenceError, logistic_fit, safe_logit, separated
from isthmus.statistics.calibration_error import calibrated_outcomes
from isthmus.statistics.inputs import FloatArray, as_groups, as_labels, as_probabilities, count_groups
from isthmus.statistics.interval import Interval, normal_quantile, undefined
from isthmus.statistics.roc import few_groups_note, sum_by_group

# Harrell, Regression Modeling Strategies (2015), table 2.3: quantiles of the knots.
QUANTILES = {3: (0.1, 0.5, 0.9), 4: (0.05, 0.35, 0.65, 0.95), 5: (0.05, 0.275, 0.5, 0.725, 0.95)}
# Groups in the smaller class from which a fourth and a fifth knot are bought: at least 25 a coefficient.
GROUPS_FOR_KNOTS = {4: 100, 5: 200}
POINTS = 41
REPLICATES = 200
STEPS = 30


@dataclass(frozen=True)
class FlexibleCurve:
    """Observed against predicted, without the assumption of a straight line.

    Parameters
    ----------
    predicted, observed, low, high : ndarray [41]
        Probabilities from the smallest to the largest that was given, the share observed there, its pointwise band.
    ici, e50, e90 : Interval
        Mean, median and 90th percentile over cases of |observed - predicted|.
    ici_expected : float
        The mean of `ici` if the probabilities were perfectly calibrated: it is above 0 by chance alone.
    p_calibrated : float
        Of the cluster-robust Wald test that the curve is the diagonal; NaN where there is none.
    knots : tuple of float
        On the logit scale; two of them: a straight line, none: a constant.
    note : str
    """

    predicted: FloatArray
    observed: FloatArray
    low: FloatArray
    high: FloatArray
    ici: Interval
    e50: Interval
    e90: Interval
    ici_expected: float
    p_calibrated: float
    knots: tuple[float, ...]
    note: str = ""


def flexible_curve(
    labels: ArrayLike,
    probabilities: ArrayLike,
    groups: ArrayLike | None = None,
    units: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = REPLICATES,
    knots: int | None = None,
    seed: int = 0,
) -> FlexibleCurve:
    """Return the flexible calibration curve with its band, ICI, E50 and E90.

    A logistic regression of the labels on a restricted cubic spline of logit(p), knots at Harrell's quantiles: 3, with
    100 groups in the smaller class 4, with 200 five; fewer where it cannot be fitted, down to a straight line, which
    the note says. The band is normal on the logit scale with the cluster-robust (sandwich) covariance, G/(G-1). The
    intervals of ICI, E50 and E90 are percentiles of group bootstraps with the knots held. These distances are never
    below 0, so that estimates and percentiles lie too high where calibration is good (`ici_expected` shows by how
    much): the lower limit is lowered by twice the bias that the bootstrap shows, and is 0 where the Wald test does not
    exclude the diagonal. Probabilities within 1 / (2 N) of 0 or
    1 are placed there: on the logit scale a single certain case would draw the whole curve.

    Parameters
    ----------
    labels : array_like of bool [N]
    probabilities : array_like [N]
        Of the positive class.
    groups : array_like [N], optional
    units : array_like [N], optional
        Whom each row is of; rows of one unit share their luck in the simulation behind `ici_expected`.
    level : float
    replicates : int
        Group bootstraps, and simulations.
    knots : int, optional
        3, 4 or 5.
    seed : int

    Source: P. Austin, E. Steyerberg, Statistics in Medicine 33 (2014) 517-535 (curve) and 38 (2019) 4051-4065 (ICI,
    E50, E90); F. Harrell, Regression Modeling Strategies (2015), 2.4.5; R `rms::lrm(y ~ rcs(qlogis(p), 3))`, `robcov`.
    """
    truth = as_labels(labels)
    p = as_probabilities(probabilities, truth.size)
    codes, count = as_groups(groups, truth.size)
    fewest = min(count_groups(codes, truth), count_groups(codes, ~truth))
    wanted = knots or max([3, *(number for number, needed in GROUPS_FOR_KNOTS.items() if fewest >= needed)])
    edge = 1 / (2 * truth.size)
    x = safe_logit(np.clip(p, edge, 1 - edge))
    places, coefficients, note = _fit(truth.astype(np.float64), x, wanted)
    grid = np.linspace(p.min(), p.max(), POINTS)
    if coefficients is None:
        nothing = undefined("restricted cubic spline", note, level)
        empty = np.full(POINTS, np.nan)
        return FlexibleCurve(grid, empty, empty, empty, nothing, nothing, nothing, float("nan"), float("nan"), (), note)
    design, shown = spline_design(x, places), spline_design(safe_logit(np.clip(grid, edge, 1 - edge)), places)
    fitted = expit(design @ coefficients)
    bread = np.linalg.pinv((design * (fitted * (1 - fitted))[:, None]).T @ design)
    scores = sum_by_group((design * (truth - fitted)[:, None]).T, codes, count)
    covariance = bread @ (scores @ scores.T) @ bread * (count / (count - 1) if count > 1 else np.nan)
    half = normal_quantile(level) * np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", shown, covariance, shown), 0))
    line = shown @ coefficients

    def resampled(weights: FloatArray) -> FloatArray:
        return _distances(_many_fits(design, truth.astype(np.float64), weights, coefficients), design, p, weights)

    drawn = group_bootstrap(resampled, truth.size, groups, replicates, seed)
    estimates = _distances(coefficients[None], design, p, np.ones((1, truth.size)))[0]
    p_calibrated = _wald(design, x, coefficients, covariance)
    few = few_groups_note(count_groups(codes, truth), count_groups(codes, ~truth))
    notes = "; ".join(filter(None, (note, few)))
    ici, e50, e90 = (
        _lowered(percentile_interval(float(value), drawn[:, place], level, notes), drawn[:, place], p_calibrated)
        for place, value in enumerate(estimates)
    )
    expected = _expected_ici(design, p, units, replicates, seed)
    bands = expit(line), expit(line - half), expit(line + half)
    return FlexibleCurve(grid, *bands, ici, e50, e90, expected, p_calibrated, places, notes)


def _wald(design: FloatArray, x: FloatArray, coefficients: FloatArray, covariance: FloatArray) -> float:
    """Return the p of the hypothesis that the curve is the diagonal, whose coefficients give x itself."""
    off = coefficients - np.linalg.lstsq(design, x, rcond=None)[0]
    # A covariance without full rank has variances that rounding makes negative: there is no test then.
    scale = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        return float("nan")
    correlation = covariance / np.outer(scale, scale)
    statistic = float(off / scale @ np.linalg.pinv(correlation, hermitian=True) @ (off / scale))
    return float(chdtrc(len(off), max(statistic, 0.0)))


def _lowered(found: Interval, drawn: FloatArray, p_calibrated: float) -> Interval:
    """Return the interval with a lower limit that a distance near 0 can stay above."""
    if np.isnan(found.estimate):
        return found
    if p_calibrated >= 1 - found.level:
        method = f"{found.method}, from 0: the diagonal is not excluded"
        return Interval(found.estimate, 0.0, found.high, found.level, method, found.note)
    bias = max(0.0, float(np.nanmean(drawn)) - found.estimate)
    low = min(max(0.0, found.low - 2 * bias), found.high)
    return Interval(found.estimate, low, found.high, found.level, f"{found.method}, lower limit less bias", found.note)


def spline_design(x: FloatArray, knots: tuple[float, ...]) -> FloatArray:
    """Return the design [N, P] of a restricted cubic spline: 1, x and K - 2 cubic pieces; 1 and x with two knots."""
    columns = [np.ones_like(x)]
    if len(knots) >= 2:
        columns.append(x)
    last, before = (knots[-1], knots[-2]) if len(knots) >= 3 else (1.0, 0.0)
    for knot in knots[:-2]:
        piece = _cube(x - knot) - _cube(x - before) * (last - knot) / (last - before)
        piece += _cube(x - last) * (before - knot) / (last - before)
        columns.append(piece / (last - knots[0]) ** 2)
    return np.stack(columns, axis=1)


def _cube(values: FloatArray) -> FloatArray:
    positive: FloatArray = np.maximum(values, 0.0) ** 3
    return positive


def _fit(targets: FloatArray, x: FloatArray, wanted: int) -> tuple[tuple[float, ...], FloatArray | None, str]:
    """Return knots and coefficients of the richest curve that can be fitted, and a note where it is a poorer one."""
    truth = targets > 0.5
    if np.ptp(x) < ROUNDING_OF_LOGITS:
        return (), logistic_fit(targets, np.ones((x.size, 1))), "all probabilities are equal: one point, no curve"
    if separated(truth, x):
        return (), None, "the classes are separated: no curve can be fitted"
    for number in range(wanted, 2, -1):
        places = tuple(np.quantile(x, QUANTILES[number]).tolist())
        if (np.diff(places) < ROUNDING_OF_LOGITS).any():
            continue
        design = spline_design(x, places)
        if np.linalg.matrix_rank(design / np.abs(design).max(axis=0)) < design.shape[1]:
            continue
        try:
            return places, logistic_fit(targets, design), "" if number == wanted else f"{number} knots only"
        except ConvergenceError:
            continue
    ends = (float(x.min()), float(x.max()))
    try:
        return ends, logistic_fit(targets, spline_design(x, ends)), "a straight line: no spline could be fitted"
    except ConvergenceError as error:
        return (), None, str(error)


def _many_fits(design: FloatArray, targets: FloatArray, weights: FloatArray, start: FloatArray) -> FloatArray:
    """Return the coefficients [B, P] of weighted fits, by Newton steps from one start; NaN where none is reached.

    Targets are [N] or [B, N], weights [B, N].
    """
    orthogonal, triangle = np.linalg.qr(design)
    orthogonal = orthogonal * np.sqrt(len(design))
    size = design.shape[1]
    products = (orthogonal[:, :, None] * orthogonal[:, None, :]).reshape(len(design), size * size)
    found = np.repeat((triangle @ start / np.sqrt(len(design)))[None], len(weights), axis=0)
    moved = np.full(len(weights), np.inf)
    for _ in range(STEPS):
        fitted = expit(found @ orthogonal.T)
        gradient = (weights * (targets - fitted)) @ orthogonal
        hessian = ((weights * fitted * (1 - fitted)) @ products).reshape(-1, size, size)
        hessian += 1e-9 * len(design) * np.eye(size)
        step = np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]
        moved = np.abs(step).max(axis=1)
        found = found + step * np.minimum(1.0, 2.0 / np.maximum(moved, 1e-300))[:, None]
        if (moved < 1e-7).all():
            break
    found[moved >= 1e-4] = np.nan
    coefficients: FloatArray = np.linalg.solve(triangle / np.sqrt(len(design)), found.T).T
    return coefficients


def _distances(coefficients: FloatArray, design: FloatArray, p: FloatArray, weights: FloatArray) -> FloatArray:
    """Return ICI, E50 and E90 [B, 3] of curves [B, P], each over its own weighted cases."""
    distance = np.abs(expit(coefficients @ design.T) - p)
    total = weights.sum(axis=1)
    mean = (weights * distance).sum(axis=1) / total
    if (weights == 1).all():
        return np.stack([mean, *np.quantile(distance, [0.5, 0.9], axis=1)], axis=1)
    order = np.argsort(distance, axis=1)
    reached = np.cumsum(np.take_along_axis(weights, order, 1), axis=1)
    ranked = np.take_along_axis(distance, order, 1)
    rows = np.arange(len(weights))
    at = [ranked[rows, (reached < share * total[:, None]).sum(axis=1)] for share in (0.5, 0.9)]
    return np.stack([mean, *at], axis=1)


def _expected_ici(design: FloatArray, p: FloatArray, units: ArrayLike | None, simulations: int, seed: int) -> float:
    """Return the mean ICI of outcomes drawn from the probabilities themselves."""
    found = []
    for outcomes in calibrated_outcomes(p, units, simulations, seed):
        ones = np.ones_like(outcomes)
        start = np.zeros(design.shape[1])
        if design.shape[1] > 1:
            start[1] = 1.0  # perfect calibration is the line through 0 with slope 1
        fits = _many_fits(design, outcomes, ones, start)
        found.append(_distances(fits, design, p, ones)[:, 0])
    drawn = np.concatenate(found)
    return float(np.nanmean(drawn)) if np.isfinite(drawn).any() else float("nan")
