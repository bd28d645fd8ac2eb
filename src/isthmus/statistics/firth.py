"""Logistic regression by Firth's penalised likelihood: finite where classes are separated, less biased elsewhere."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import chdtrc, chdtri, expit

from isthmus.statistics.calibration import ConvergenceError
from isthmus.statistics.inputs import FloatArray, as_labels
from isthmus.statistics.interval import Interval, check_level

METHOD = "profile penalised likelihood"
_STEPS = 100
_STEPS_BY_INFORMATION = 6
"""Enough of the cheap steps where no class is separated; where one is they creep, and Newton's follow."""
_LARGEST_STEP = 5.0
"""Of a coefficient in one Newton step, as in R logistf: the first ones of separated data are wild."""
_TOLERANCE = 1e-10
"""Of the last step, relative to the largest coefficient."""
_TOLERANCE_OF_A_PROFILE = 1e-6
"""The same where only the likelihood is asked for, whose error is the square of it."""


@dataclass(frozen=True)
class FirthFit:
    """A fitted model; the intercept stands first in every array.

    Parameters
    ----------
    coefficients, standard_errors : ndarray [P + 1]
        Maximum of the penalised likelihood; roots of the diagonal of the inverse information there.
    low, high : ndarray [P + 1]
        Limits by the profile of the penalised likelihood.
    statistics, p : ndarray [P + 1]
        Penalised likelihood ratio tests that a coefficient is 0, chi-square with 1 df.
    penalised_log_likelihood : float
    level : float
    """

    coefficients: FloatArray
    standard_errors: FloatArray
    low: FloatArray
    high: FloatArray
    statistics: FloatArray
    p: FloatArray
    penalised_log_likelihood: float
    level: float

    def odds_ratio(self, place: int) -> Interval:
        """Return exp(coefficient) with its limits; place 0 is the intercept."""
        estimate, low, high = (float(np.exp(one[place])) for one in (self.coefficients, self.low, self.high))
        return Interval(estimate, low, high, self.level, METHOD)


@dataclass(frozen=True)
class JointTest:
    """A penalised likelihood ratio test that several coefficients are 0 together."""

    statistic: float
    df: int
    p: float


def firth_logistic(labels: ArrayLike, design: ArrayLike, level: float = 0.95) -> FirthFit:
    """Fit a logistic regression by Firth's penalised likelihood, with profile limits and tests.

    Parameters
    ----------
    labels : array_like of bool [N]
        Both classes present; cases are taken as independent.
    design : array_like [N, P]
        Covariates without the constant.
    level : float
        Of the intervals, 0 to 1.

    Returns
    -------
    FirthFit

    Raises
    ------
    ValueError
        When there are more coefficients than cases, or a covariate is constant or a combination of others.
    ConvergenceError
        When the maximum is not reached.

    Notes
    -----
    What is maximised is l(b) + log|I(b)| / 2 with Fisher's information I, Jeffreys' prior; its score is
    X' (y - p + h (1/2 - p)), h the diagonal of the weighted hat matrix. It has a maximum in finite distance whatever
    the data. The limits are where twice the fall from the maximum, the other coefficients fitted anew, reaches the
    quantile of chi-square; the penalty of these profiles is that of all covariates.

    Source: D. Firth, Biometrika 80 (1993) 27-38; G. Heinze, M. Schemper, Statistics in Medicine 21 (2002) 2409-2419;
    R `logistf(y ~ x, pl = TRUE)`.

    Examples
    --------
    >>> from math import log
    >>> fit = firth_logistic([1] * 33 + [1] * 22 + [0] * 225, [[1]] * 33 + [[0]] * 247)
    >>> bool(abs(fit.coefficients[1] - log(33.5 * 225.5 / (22.5 * 0.5))) < 1e-8)  # a 2 x 2 table: 1/2 in each cell
    True
    """
    check_level(level)
    likelihood = _Likelihood(labels, design)
    best = likelihood.maximise(np.ones(likelihood.size, bool), np.zeros(likelihood.size))
    top = likelihood.value(best)
    covariance = np.linalg.inv(likelihood.information(best))
    reach = float(chdtri(1, 1 - level)) / 2
    errors = np.sqrt(np.diag(covariance))
    limits = np.array([likelihood.limits(best, top - reach, place, errors[place]) for place in range(best.size)])
    falls = [2 * (top - likelihood.value(likelihood.profile(best, place, 0.0))) for place in range(best.size)]
    statistics = np.maximum(np.array(falls), 0.0)
    return FirthFit(best, errors, limits[:, 0], limits[:, 1], statistics, chdtrc(1, statistics), top, level)


def firth_coefficients(labels: ArrayLike, design: ArrayLike) -> FloatArray:
    """Return the coefficients [P + 1] of :func:`firth_logistic` alone, without their limits and tests: much faster."""
    likelihood = _Likelihood(labels, design)
    return likelihood.maximise(np.ones(likelihood.size, bool), np.zeros(likelihood.size))


def firth_joint_test(labels: ArrayLike, design: ArrayLike, places: ArrayLike) -> JointTest:
    """Test that the coefficients of some covariates are all 0.

    Parameters
    ----------
    labels, design : array_like
        As for :func:`firth_logistic`.
    places : array_like of int
        Columns of ``design``, such as all levels of a category.

    Source: R `logistf::logistftest(fit, ~ a + b)`: the penalty of both likelihoods is that of all covariates.
    """
    likelihood = _Likelihood(labels, design)
    columns = np.unique(np.asarray(places, dtype=np.intp))
    best = likelihood.maximise(np.ones(likelihood.size, bool), np.zeros(likelihood.size))
    free = np.ones(likelihood.size, bool)
    free[1 + columns] = False
    without = likelihood.maximise(free, np.where(free, best, 0.0))
    statistic = max(2 * (likelihood.value(best) - likelihood.value(without)), 0.0)
    return JointTest(statistic, columns.size, float(chdtrc(columns.size, statistic)))


class _Likelihood:
    """The penalised likelihood of some labels and covariates, the constant first."""

    def __init__(self, labels: ArrayLike, design: ArrayLike) -> None:
        self.truth = as_labels(labels).astype(np.float64)
        covariates = np.asarray(design, dtype=np.float64)
        if covariates.ndim != 2 or len(covariates) != self.truth.size or not np.isfinite(covariates).all():
            raise ValueError(f"a design of shape {covariates.shape}: [{self.truth.size}, covariates], finite numbers")
        self.x = np.column_stack([np.ones(self.truth.size), covariates])
        self.size = self.x.shape[1]
        rank = int(np.linalg.matrix_rank(self.x / np.maximum(np.abs(self.x).max(axis=0), 1e-300)))
        if rank < self.size:
            raise ValueError(
                f"{self.truth.size} cases tell {rank} of {self.size} coefficients apart: a covariate is constant or a "
                "combination of others, or there are more coefficients than cases"
            )

    def information(self, coefficients: FloatArray) -> FloatArray:
        fitted = expit(self.x @ coefficients)
        found: FloatArray = (self.x * (fitted * (1 - fitted))[:, None]).T @ self.x
        return found

    def value(self, coefficients: FloatArray) -> float:
        linear = self.x @ coefficients
        sign, log_determinant = np.linalg.slogdet(self.information(coefficients))
        if sign <= 0:
            return -np.inf
        return float(np.sum(self.truth * linear - np.logaddexp(0, linear)) + log_determinant / 2)

    def score(self, coefficients: FloatArray) -> FloatArray:
        """Return the slopes of the penalised likelihood."""
        fitted = expit(self.x @ coefficients)
        hat = fitted * (1 - fitted) * np.sum((self.x @ np.linalg.inv(self.information(coefficients))) * self.x, axis=1)
        found: FloatArray = self.x.T @ (self.truth - fitted + hat * (0.5 - fitted))
        return found

    def bend(self, coefficients: FloatArray) -> FloatArray:
        """Return the negative of the matrix of second derivatives."""
        fitted = expit(self.x @ coefficients)
        weights, lean = fitted * (1 - fitted), 1 - 2 * fitted
        inverse = np.linalg.inv(self.information(coefficients))
        hat = weights * np.sum((self.x @ inverse) * self.x, axis=1)
        moved = np.empty_like(self.x)  # of the hat values, by each coefficient
        for place in range(self.size):
            change = self.x * (weights * lean * self.x[:, place])[:, None]
            inner = inverse @ (change.T @ self.x) @ inverse
            moved[:, place] = lean * hat * self.x[:, place] - weights * np.sum((self.x @ inner) * self.x, axis=1)
        found: FloatArray = self.x.T @ (self.x * (weights * (1 + hat))[:, None] - moved * (lean / 2)[:, None])
        return (found + found.T) / 2

    def step(self, coefficients: FloatArray, free: NDArray[np.bool_], *, exact: bool) -> FloatArray:
        """Return a step by the information, as in R logistf; Newton's own where asked and the likelihood is concave."""
        block = np.ix_(free, free)
        bend = self.bend(coefficients)[block] if exact else None
        if bend is None or np.linalg.eigvalsh(bend)[0] <= 0:
            bend = self.information(coefficients)[block]
        found = np.zeros_like(coefficients)
        found[free] = np.linalg.solve(bend, self.score(coefficients)[free])
        return found / max(1.0, float(np.abs(found).max()) / _LARGEST_STEP)

    def maximise(self, free: NDArray[np.bool_], start: FloatArray, tolerance: float = _TOLERANCE) -> FloatArray:
        """Return the coefficients of the maximum where some are kept as they start."""
        coefficients, current = start.copy(), self.value(start)
        if not free.any():
            return coefficients
        for turn in range(_STEPS):
            try:
                step = self.step(coefficients, free, exact=turn >= _STEPS_BY_INFORMATION)
            except np.linalg.LinAlgError:
                break
            size = 1.0
            while self.value(coefficients + size * step) < current - 1e-12 * abs(current) and size > 1e-10:
                size /= 2
            if size <= 1e-10 and np.abs(step).max() > 1e-4 * (1 + np.abs(coefficients).max()):
                break
            coefficients = coefficients + size * step
            if size * np.abs(step).max() <= tolerance * (1 + np.abs(coefficients).max()):
                return coefficients
            current = self.value(coefficients)
        raise ConvergenceError("Firth's logistic regression does not converge")

    def profile(self, start: FloatArray, place: int, at: float) -> FloatArray:
        """Return the coefficients of the maximum where one is held."""
        free, held = np.ones(self.size, bool), start.copy()
        free[place], held[place] = False, at
        return self.maximise(free, held, _TOLERANCE_OF_A_PROFILE)

    def limits(self, best: FloatArray, target: float, place: int, error: float) -> tuple[float, float]:
        """Return where the profile falls to the target on either side."""
        found = []
        for side in (-1.0, 1.0):
            start, stride = best, error
            further = self.profile(start, place, best[place] + side * stride)
            while self.value(further) > target:  # each stretch begins where the one before it ended
                start, stride = further, 1.5 * stride
                further = self.profile(start, place, start[place] + side * stride)
            found.append(self._crossing(start, further, target, place))
        return found[0], found[1]

    def _crossing(self, near: FloatArray, far: FloatArray, target: float, place: int) -> float:
        def above(at: float) -> float:
            return self.value(self.profile(near, place, at)) - target

        return float(brentq(above, float(near[place]), float(far[place]), xtol=1e-9, rtol=1e-9))
