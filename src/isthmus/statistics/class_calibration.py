"""Calibrating the probabilities of several classes: one slope for all log probabilities, and an intercept a class."""

from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import log_softmax, softmax

from isthmus.statistics.calibration import FEWEST_GROUPS_FOR_SLOPE, STEPS
from isthmus.statistics.calibrators import EDGE
from isthmus.statistics.inputs import FloatArray, IntArray, as_groups, count_groups
from isthmus.statistics.recalibration import class_codes, fit_temperature

KIND: Final = "classes"


@dataclass(frozen=True)
class ClassCalibration:
    """Calibrated probabilities = softmax(slope log p_k + intercept_k).

    With intercepts of 0 it is a temperature (1 / slope) and the most probable class stays the most probable.

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
    likelihood. With fewer in the smallest class, or where there is no maximum, a temperature alone: one number that
    all cases tell together, the analogue of the two-class rule that fits one number too.

    Parameters
    ----------
    codes : array_like of int [N]
        Classes, 0 to K - 1.
    probabilities : array_like [N, K]
    groups : array_like [N], optional

    Source: K. Van Hoorde et al., Assessing calibration of multinomial risk prediction models, Statistics in Medicine 33
    (2014) 2585-2596, with a slope that all classes share; C. Guo et al., ICML 2017, for the temperature. It is the
    conditional logit of D. McFadden (1974) with log p_k as attribute: statsmodels `ConditionalLogit`.
    """
    values = np.asarray(probabilities, dtype=np.float64)
    truth = class_codes(codes, values)
    of, _ = as_groups(groups, truth.size)
    fewest = min(count_groups(of, truth == k) for k in range(values.shape[1]))
    if fewest < FEWEST_GROUPS_FOR_SLOPE:
        return _temperature(truth, values, f"{fewest} groups in the smallest class")
    found = _multinomial(truth, np.log(np.maximum(values, EDGE)))
    if found is None:
        return _temperature(truth, values, "the multinomial likelihood has no maximum")
    slope, intercepts = found
    if slope <= 0:
        return _temperature(truth, values, "the slope would not be above 0")
    return ClassCalibration(slope, tuple(float(value) for value in intercepts - intercepts.mean()))


def _temperature(truth: IntArray, values: FloatArray, why: str) -> ClassCalibration:
    found = fit_temperature(truth, values)
    held = found.method.partition("held at its limit")
    more = f", held at its limit{held[2]}" if held[1] else ""
    return ClassCalibration(1 / found.temperature, (0.0,) * values.shape[1], f"temperature alone{more}: {why}")


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
