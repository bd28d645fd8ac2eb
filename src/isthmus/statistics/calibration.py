"""Making probabilities mean what they say: undoing class weights, logistic recalibration, and reading any kind back."""

from dataclasses import asdict, dataclass
from math import isfinite, log
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logsumexp

from isthmus.statistics.calibrators import EDGE, IsotonicCalibration, TemperatureCalibration, safe_logit
from isthmus.statistics.inputs import BoolArray, FloatArray, as_groups, as_labels, as_probabilities, count_groups

__all__ = [
    "EDGE",
    "Calibration",
    "LogisticCalibration",
    "calibration_from_dict",
    "fit_calibration",
    "fit_intercept",
    "fit_logistic_calibration",
    "log_prior_shift_of_weights",
    "logistic_fit",
    "safe_logit",
    "separated",
    "undo_prior_shift",
]

# Under this many groups in the smaller class a slope is noise: the intercept alone is fitted (design).
FEWEST_GROUPS_FOR_SLOPE = 20
# Logits closer together than this cannot tell a slope.
ROUNDING_OF_LOGITS = 1e-9
STEPS = 100


@dataclass(frozen=True)
class LogisticCalibration:
    """Calibrated probability = expit(intercept + slope * logit(p)).

    With a positive slope it never changes ranks.

    Parameters
    ----------
    intercept, slope : float
        0 and 1 leave p as it is.
    method : str
        How they were found.

    Examples
    --------
    >>> LogisticCalibration(0.0, 1.0).apply([0.2, 0.7]).round(6).tolist()
    [0.2, 0.7]
    """

    intercept: float
    slope: float
    method: str = "logistic recalibration"

    def __post_init__(self) -> None:
        if not (isfinite(self.intercept) and isfinite(self.slope) and self.slope > 0):
            raise ValueError(
                f"a calibration of intercept {self.intercept} and slope {self.slope}: both finite, the slope above 0"
            )

    def apply(self, probabilities: ArrayLike) -> FloatArray:
        """Return the calibrated probabilities, same shape."""
        values = np.asarray(probabilities, dtype=np.float64)
        checked = as_probabilities(values.ravel(), values.size)
        calibrated: FloatArray = expit(self.intercept + self.slope * safe_logit(checked)).reshape(values.shape)
        return calibrated

    def as_dict(self) -> dict[str, float | str]:
        """Return the fields for JSON or YAML."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "LogisticCalibration":
        """Return the calibration that `as_dict` wrote."""
        return cls(float(fields["intercept"]), float(fields["slope"]), str(fields.get("method", cls.method)))


Calibration = LogisticCalibration | IsotonicCalibration | TemperatureCalibration
"""Any map from a probability as given to a calibrated one."""


def calibration_from_dict(fields: dict[str, Any]) -> Calibration:
    """Return the calibration that its `as_dict` wrote; without a `kind` it is a logistic one.

    Raises
    ------
    ValueError
        For an unknown kind.
    """
    kind = fields.get("kind", "logistic")
    if kind == "logistic":
        return LogisticCalibration.from_dict(fields)
    if kind == "isotonic":
        return IsotonicCalibration.from_dict(fields)
    if kind == "temperature":
        return TemperatureCalibration.from_dict(fields)
    raise ValueError(f"no calibration is of the kind {kind!r}; there are logistic, isotonic and temperature")


def log_prior_shift_of_weights(class_weights: ArrayLike) -> FloatArray:
    """Return by how much a loss weighted w_k per class moves the log odds of class k: log w_k, centred.

    A network trained with weights learns p'_k proportional to w_k p_k; `undo_prior_shift` takes that back.

    Parameters
    ----------
    class_weights : array_like [K]
        Above 0. For class-balanced sampling: the sampling rates of the classes.

    Returns
    -------
    ndarray [K]

    Source: C. Elkan, The foundations of cost-sensitive learning, IJCAI 2001.
    """
    weights = np.asarray(class_weights, dtype=np.float64)
    if weights.ndim != 1 or not np.isfinite(weights).all() or (weights <= 0).any():
        raise ValueError(f"class weights must be one row of finite numbers above 0, not {class_weights!r}")
    shift: FloatArray = np.log(weights)
    shift -= shift.mean()
    return shift


def undo_prior_shift(probabilities: ArrayLike, log_shift: ArrayLike) -> FloatArray:
    """Return probabilities [N, K] as a network without class weights would have given: p_k exp(-shift_k), normalised.

    Parameters
    ----------
    probabilities : array_like [N, K]
        Rows sum to 1.
    log_shift : array_like [K]
        From `log_prior_shift_of_weights`.

    Examples
    --------
    >>> undo_prior_shift([[0.5, 0.5]], log_prior_shift_of_weights([1.0, 3.0])).round(6).tolist()
    [[0.75, 0.25]]
    """
    values = np.asarray(probabilities, dtype=np.float64)
    shift = np.asarray(log_shift, dtype=np.float64)
    if values.ndim != 2 or shift.shape != (values.shape[1],):
        raise ValueError(f"probabilities of shape {values.shape} and a shift of shape {shift.shape}: [N, K] and [K]")
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError("probabilities must lie between 0 and 1")
    with np.errstate(divide="ignore"):
        logs = np.log(values) - shift
    unshifted: FloatArray = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
    return unshifted


def fit_calibration(
    labels: ArrayLike, probabilities: ArrayLike, groups: ArrayLike | None = None
) -> LogisticCalibration:
    """Return the calibration that the design prescribes for these out-of-fold predictions.

    Logistic recalibration with 20 groups or more in the smaller class; the intercept alone with fewer, or where the
    slope would be negative (a model that ranks worse than chance is not turned around) or cannot be found.

    Parameters
    ----------
    labels : array_like of bool [N]
    probabilities : array_like [N]
        Of the positive class.
    groups : array_like [N], optional
    """
    truth = as_labels(labels)
    codes, _ = as_groups(groups, truth.size)
    fewest = min(count_groups(codes, truth), count_groups(codes, ~truth))
    if fewest < FEWEST_GROUPS_FOR_SLOPE:
        return fit_intercept(
            truth, probabilities, f"intercept only: {fewest} group{'' if fewest == 1 else 's'} in the smaller class"
        )
    return fit_logistic_calibration(truth, probabilities)


def fit_logistic_calibration(labels: ArrayLike, probabilities: ArrayLike) -> LogisticCalibration:
    """Return intercept and slope of the logistic regression of the labels on the logit, by maximum likelihood.

    Where the two classes are separated there is no maximum: Platt's smoothed targets are fitted, and said. Where the
    slope would not be above 0, or all probabilities are equal, the intercept alone is fitted, and said.

    Source: D. Cox, Biometrika 45 (1958) 562-565; J. Platt (1999), targets (N+ + 1)/(N+ + 2) and 1/(N- + 2);
    R `glm(y ~ qlogis(p), binomial)`.
    """
    truth = as_labels(labels)
    x = safe_logit(as_probabilities(probabilities, truth.size))
    if np.ptp(x) < ROUNDING_OF_LOGITS:
        return fit_intercept(truth, probabilities, "intercept only: all probabilities are equal")
    if x[truth].max() <= x[~truth].min():
        return fit_intercept(truth, probabilities, "intercept only: the slope would not be above 0")
    method, targets = "logistic recalibration", truth.astype(np.float64)
    if x[truth].min() >= x[~truth].max():
        method = "logistic recalibration, Platt's targets: the classes are separated"
        targets = np.where(truth, (truth.sum() + 1) / (truth.sum() + 2), 1 / ((~truth).sum() + 2))
    intercept, slope = logistic_fit(targets, np.stack([np.ones_like(x), x], axis=1))
    if slope <= 0:
        return fit_intercept(truth, probabilities, "intercept only: the slope would not be above 0")
    return LogisticCalibration(float(intercept), float(slope), method)


def fit_intercept(labels: ArrayLike, probabilities: ArrayLike, method: str = "intercept only") -> LogisticCalibration:
    """Return the intercept that makes the mean probability equal the share of positives, slope 1.

    Source: R `glm(y ~ offset(qlogis(p)), binomial)`.
    """
    truth = as_labels(labels)
    x = safe_logit(as_probabilities(probabilities, truth.size))
    (intercept,) = logistic_fit(truth.astype(np.float64), np.ones((x.size, 1)), offset=x)
    return LogisticCalibration(float(intercept), 1.0, method)


class ConvergenceError(ValueError):
    """A logistic regression whose likelihood has no maximum that Newton's steps reach: the data, not the use."""


def logistic_fit(targets: FloatArray, design: FloatArray, offset: FloatArray | None = None) -> FloatArray:
    """Return the coefficients [P] of a logistic regression by Newton steps that are halved until they help.

    Parameters
    ----------
    targets : ndarray [N]
        0..1.
    design : ndarray [N, P]
    offset : ndarray [N], optional

    Raises
    ------
    ConvergenceError
        When it does not, as with separated classes.
    """
    base = np.zeros(len(targets)) if offset is None else offset
    # The share of positives under a mean offset is a start close enough for any slope.
    share = float(targets.mean())
    coefficients = np.zeros(design.shape[1])
    coefficients[0] = log(share / (1 - share)) - float(base.mean())
    current = _log_likelihood(targets, base + design @ coefficients)
    for _ in range(STEPS):
        fitted = expit(base + design @ coefficients)
        gradient = design.T @ (targets - fitted)
        hessian = (design * (fitted * (1 - fitted))[:, None]).T @ design
        try:
            step = np.linalg.solve(hessian, gradient)
        except np.linalg.LinAlgError:
            break
        size, reached = 1.0, -np.inf
        while size > 1e-8:
            reached = _log_likelihood(targets, base + design @ (coefficients + size * step))
            if reached >= current - 1e-12 * abs(current):
                break
            size /= 2
        coefficients = coefficients + size * step
        if np.abs(size * step).max() < 1e-10 * (1 + np.abs(coefficients).max()):
            return coefficients
        current = reached
    raise ConvergenceError("the logistic regression does not converge: are the classes separated?")


def _log_likelihood(targets: FloatArray, linear: FloatArray) -> float:
    return float(np.sum(targets * linear - np.logaddexp(0, linear)))


def separated(truth: BoolArray, x: FloatArray) -> bool:
    """Return whether one cut of x parts the classes, so that a logistic slope has no finite estimate."""
    return bool(x[truth].min() >= x[~truth].max() or x[truth].max() <= x[~truth].min())
