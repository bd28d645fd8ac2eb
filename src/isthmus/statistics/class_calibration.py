"""Calibrating the probabilities of several classes: one slope for all log probabilities, and an intercept a class."""

from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_softmax, logsumexp, softmax

from isthmus.statistics.calibration import FEWEST_GROUPS_FOR_SLOPE, STEPS
from isthmus.statistics.calibrators import EDGE
from isthmus.statistics.inputs import FloatArray, IntArray, as_groups, count_groups
from isthmus.statistics.recalibration import class_codes

KIND: Final = "classes"
# Of a few groups an intercept is held towards 0 as by a normal prior of this variance (log odds). In simulated tuning
# parts of 12 to 60 patients (three classes, accuracy 0.85, 0.93 and 0.98) a variance of 1 cost a model with the right
# base rates 0.00 to 0.02 of log loss (likelihood alone: 0.01 to 0.1), and took back most of what wrong base rates
# cost: `tests/statistics/test_class_calibration.py` repeats the middle of it.
VARIANCE_OF_INTERCEPTS: Final = 1.0


@dataclass(frozen=True)
class ClassCalibration:
    """Calibrated probabilities = softmax(slope log p_k + intercept_k).

    With intercepts of 0 the most probable class stays the most probable.

    Parameters
    ----------
    slope : float
        Above 0; 1 leaves the spread as it is.
    intercepts : tuple of K floats
        Their mean is 0.
    method : str
        How they were found.

    Examples
    --------
    >>> ClassCalibration(1.0, (0.0, 0.0, 0.0)).apply([[0.2, 0.3, 0.5]]).round(6).tolist()
    [[0.2, 0.3, 0.5]]
    """

    slope: float
    intercepts: tuple[float, ...]
    method: str = "multinomial recalibration"

    def __post_init__(self) -> None:
        if not (isfinite(self.slope) and self.slope > 0 and all(isfinite(value) for value in self.intercepts)):
            raise ValueError(
                f"a calibration of slope {self.slope} and intercepts {self.intercepts}: all finite, the slope above 0"
            )

    def apply(self, probabilities: ArrayLike) -> FloatArray:
        """Return the calibrated probabilities [N, K] of all classes."""
        values = np.asarray(probabilities, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != len(self.intercepts) or not ((values >= 0) & (values <= 1)).all():
            raise ValueError(
                f"probabilities of shape {values.shape} for {len(self.intercepts)} classes: [N, K], 0 to 1"
            )
        logs = np.log(np.maximum(values, EDGE))
        calibrated: FloatArray = softmax(self.slope * logs + np.asarray(self.intercepts), axis=1)
        return calibrated

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for JSON or YAML."""
        return {"kind": KIND, "slope": self.slope, "intercepts": list(self.intercepts), "method": self.method}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "ClassCalibration":
        """Return the calibration that `as_dict` wrote."""
        intercepts = tuple(float(value) for value in fields["intercepts"])
        return cls(float(fields["slope"]), intercepts, str(fields.get("method", cls.method)))


def fit_class_calibration(
    codes: ArrayLike, probabilities: ArrayLike, groups: ArrayLike | None = None
) -> ClassCalibration:
    """Return the calibration that these out-of-fold predictions of several classes can carry.

    With 20 groups or more in every class the multinomial recalibration of one slope and K - 1 intercepts, by maximum
    likelihood. With fewer in the smallest class, where there is no maximum, or where the slope would not be above 0,
    the intercepts only, slope 1, as for two classes. They are held towards 0 (a normal prior of variance 1), so that a
    class that nobody here has, or that is always called right, has a finite one too.

    Parameters
    ----------
    codes : array_like of int [N]
        Classes, 0 to K - 1.
    probabilities : array_like [N, K]
    groups : array_like [N], optional

    Source: K. Van Hoorde et al., Assessing calibration of multinomial risk prediction models, Statistics in Medicine 33
    (2014) 2585-2596, with a slope that all classes share. It is the conditional logit of D. McFadden (1974) with log
    p_k as attribute: statsmodels `ConditionalLogit`. For the prior: S. le Cessie, J. van Houwelingen, Applied
    Statistics 41 (1992) 191-201.
    """
    values = np.asarray(probabilities, dtype=np.float64)
    truth = class_codes(codes, values)
    of, _ = as_groups(groups, truth.size)
    fewest = min(count_groups(of, truth == k) for k in range(values.shape[1]))
    logs = np.log(np.maximum(values, EDGE))
    if fewest < FEWEST_GROUPS_FOR_SLOPE:
        return _intercepts_only(truth, logs, f"{fewest} group{'' if fewest == 1 else 's'} in the smallest class")
    found = _multinomial(truth, logs)
    if found is None:
        return _intercepts_only(truth, logs, "the multinomial likelihood has no maximum")
    slope, intercepts = found
    if slope <= 0:
        return _intercepts_only(truth, logs, "the slope would not be above 0")
    return ClassCalibration(slope, tuple(float(value) for value in intercepts - intercepts.mean()))


def _intercepts_only(truth: IntArray, logs: FloatArray, why: str) -> ClassCalibration:
    """Return slope 1 and the intercepts of most likelihood less b'b / (2 variance).

    The penalised likelihood is strictly concave and falls to all sides: Newton's halved steps find its one optimum, at
    which each class's cases less its summed probability are its intercept / variance, so that the mean intercept is 0.
    """
    classes = logs.shape[1]
    observed = np.bincount(truth, minlength=classes).astype(np.float64)
    intercepts = np.zeros(classes)

    def penalised(at: FloatArray) -> float:
        return float(observed @ at - logsumexp(logs + at, axis=1).sum() - at @ at / (2 * VARIANCE_OF_INTERCEPTS))

    current = penalised(intercepts)
    for _ in range(STEPS):
        fitted = softmax(logs + intercepts, axis=1)
        gradient = observed - fitted.sum(axis=0) - intercepts / VARIANCE_OF_INTERCEPTS
        information = np.diag(fitted.sum(axis=0) + 1 / VARIANCE_OF_INTERCEPTS) - fitted.T @ fitted
        step = np.linalg.solve(information, gradient)
        size = 1.0
        while size > 1e-8 and penalised(intercepts + size * step) < current - 1e-12 * abs(current):
            size /= 2
        intercepts = intercepts + size * step
        current = penalised(intercepts)
        if np.abs(size * step).max() < 1e-10:
            break
    return ClassCalibration(1.0, tuple(float(value) for value in intercepts), f"intercepts only: {why}")


def _multinomial(truth: IntArray, logs: FloatArray) -> tuple[float, FloatArray] | None:
    """Return slope and intercepts [K] (the first 0) of most likelihood by Newton's steps; None where none is found."""
    count, classes = logs.shape
    rows = np.arange(count)
    # Of each case and class its features: log p, and which intercept it has.
    features = np.concatenate(
        [logs[:, :, None], np.broadcast_to(np.eye(classes)[:, 1:], (count, classes, classes - 1))], 2
    )
    observed = features[rows, truth].sum(axis=0)
    coefficients = np.zeros(classes)
    coefficients[0] = 1.0

    def likelihood(at: FloatArray) -> float:
        return float(log_softmax(features @ at, axis=1)[rows, truth].sum())

    current = likelihood(coefficients)
    for _ in range(STEPS):
        fitted = softmax(features @ coefficients, axis=1)
        means = np.einsum("nk,nkp->np", fitted, features)
        hessian = np.einsum("nk,nkp,nkq->pq", fitted, features, features) - means.T @ means
        try:
            step = np.linalg.solve(hessian, observed - means.sum(axis=0))
        except np.linalg.LinAlgError:
            return None
        size = 1.0
        while size > 1e-8 and likelihood(coefficients + size * step) < current - 1e-12 * abs(current):
            size /= 2
        coefficients = coefficients + size * step
        current = likelihood(coefficients)
        linear = features @ coefficients
        # Where every case is called right, larger coefficients are always likelier: there is no maximum.
        if not np.isfinite(current) or (linear.argmax(axis=1) == truth).all():
            return None
        if np.abs(size * step).max() < 1e-10 * (1 + np.abs(coefficients).max()):
            return float(coefficients[0]), np.concatenate([[0.0], coefficients[1:]])
    return None
