"""Maps from a model's probability to a calibrated one that are no logistic line: isotonic steps and a temperature."""

from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit, softmax

from isthmus.statistics.inputs import FloatArray, as_probabilities

# Probabilities of 0 and 1 have no logit; 1e-12 (logit 27.6) is far beyond what a network's float32 softmax can mean.
EDGE = 1e-12


@dataclass(frozen=True)
class IsotonicCalibration:
    """Calibrated probability = a non-decreasing function through given points, linear between them, flat outside.

    It never turns two ranks around, but it ties what lies on one step: rank by the probability as given.

    Parameters
    ----------
    given, calibrated : tuple of float
        Points of the function, `given` rising, `calibrated` not falling, all 0..1.
    method : str
        How they were found.

    Examples
    --------
    >>> IsotonicCalibration((0.2, 0.8), (0.1, 0.5)).apply([0.0, 0.5, 0.9]).round(6).tolist()
    [0.1, 0.3, 0.5]
    """

    given: tuple[float, ...]
    calibrated: tuple[float, ...]
    method: str = "isotonic recalibration"

    def __post_init__(self) -> None:
        given, calibrated = np.asarray(self.given, dtype=np.float64), np.asarray(self.calibrated, dtype=np.float64)
        if given.ndim != 1 or given.size == 0 or given.shape != calibrated.shape:
            raise ValueError(f"an isotonic calibration of {given.shape} and {calibrated.shape} points: one row each")
        both = np.concatenate([given, calibrated])
        if not ((both >= 0) & (both <= 1)).all():
            raise ValueError("the points of an isotonic calibration must lie between 0 and 1")
        if (np.diff(given) <= 0).any() or (np.diff(calibrated) < 0).any():
            raise ValueError("the points of an isotonic calibration must rise (given) and not fall (calibrated)")

    def apply(self, probabilities: ArrayLike) -> FloatArray:
        """Return the calibrated probabilities, same shape."""
        values = np.asarray(probabilities, dtype=np.float64)
        checked = as_probabilities(values.ravel(), values.size)
        found = np.interp(checked, np.asarray(self.given), np.asarray(self.calibrated))
        # Rounding in the interpolation must not turn two ranks around.
        order = np.argsort(checked, kind="stable")
        found[order] = np.maximum.accumulate(found[order])
        calibrated: FloatArray = found.reshape(values.shape)
        return calibrated

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for JSON or YAML."""
        return {
            "kind": "isotonic",
            "given": list(self.given),
            "calibrated": list(self.calibrated),
            "method": self.method,
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "IsotonicCalibration":
        """Return the calibration that `as_dict` wrote."""
        given, calibrated = (tuple(float(value) for value in fields[name]) for name in ("given", "calibrated"))
        return cls(given, calibrated, str(fields.get("method", cls.method)))


@dataclass(frozen=True)
class TemperatureCalibration:
    """Calibrated probabilities = softmax(log p / temperature): above 1 less sure, below 1 surer.

    Of several classes the most probable stays the most probable; with two classes no rank changes.

    Parameters
    ----------
    temperature : float
        Above 0; 1 leaves p as it is.
    method : str
        How it was found.

    Examples
    --------
    >>> TemperatureCalibration(2.0).apply([0.2, 0.5]).round(4).tolist()
    [0.3333, 0.5]
    """

    temperature: float
    method: str = "temperature scaling"

    def __post_init__(self) -> None:
        if not (isfinite(self.temperature) and self.temperature > 0):
            raise ValueError(f"a temperature of {self.temperature}: it must be finite and above 0")

    def apply(self, probabilities: ArrayLike) -> FloatArray:
        """Return the calibrated probabilities of the positive class of two, same shape."""
        values = np.asarray(probabilities, dtype=np.float64)
        checked = as_probabilities(values.ravel(), values.size)
        calibrated: FloatArray = expit(safe_logit(checked) / self.temperature).reshape(values.shape)
        return calibrated

    def apply_classes(self, probabilities: ArrayLike) -> FloatArray:
        """Return the calibrated probabilities [N, K] of all classes."""
        values = np.asarray(probabilities, dtype=np.float64)
        if values.ndim != 2 or not ((values >= 0) & (values <= 1)).all():
            raise ValueError(f"probabilities of shape {values.shape}: [N, K] between 0 and 1 are needed")
        calibrated: FloatArray = softmax(np.log(np.maximum(values, EDGE)) / self.temperature, axis=1)
        return calibrated

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for JSON or YAML."""
        return {"kind": "temperature", "temperature": self.temperature, "method": self.method}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "TemperatureCalibration":
        """Return the calibration that `as_dict` wrote."""
        return cls(float(fields["temperature"]), str(fields.get("method", cls.method)))


def safe_logit(probabilities: FloatArray) -> FloatArray:
    """Return logits, probabilities of 0 and 1 first moved to 1e-12 from the edge."""
    logits: FloatArray = logit(np.clip(probabilities, EDGE, 1 - EDGE))
    return logits
