"""What a model of several classes says of a case: calibrated probability of each, and the most probable one called."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.bundle_spec import ClassCalibration as Said
from isthmus.statistics.class_calibration import ClassCalibration


@dataclass(frozen=True)
class ClassCall:
    """One case among several classes.

    Parameters
    ----------
    calibrated : dict
        Class code to calibrated probability; empty where the bundle has no calibration.
    call : str or None
        The most probable class; None where the bundle has no calibration.
    probability : float
        Of the class called.
    member_range : tuple of float
        Smallest and largest probability of that class among the single parts.
    notes : tuple of str
        Whether the parts disagree.
    """

    calibrated: dict[str, float]
    call: str | None
    probability: float
    member_range: tuple[float, float]
    notes: tuple[str, ...]


def class_call(spec: BundleSpec, members: NDArray[np.float64]) -> ClassCall:
    """Return the call on a case, from the uncalibrated probabilities [parts, K] of a bundle's parts."""
    said, classes = spec.calibration, list(spec.classes)
    mean, each = members.mean(axis=0, keepdims=True), members
    if isinstance(said, Said):
        calibration = ClassCalibration(said.slope, tuple(said.intercepts), said.method)
        mean, each = calibration.apply(mean), calibration.apply(each)
    place = int(mean[0].argmax())
    own = each[:, place]
    called = isinstance(said, Said)
    agreeing = int((each.argmax(axis=1) == place).sum())
    notes: tuple[str, ...] = ()
    if called and agreeing < len(each):
        notes = (f"{agreeing} of {len(each)} fold models call it {spec.classes[classes[place]]}, the others otherwise",)
    return ClassCall(
        calibrated={name: float(value) for name, value in zip(classes, mean[0], strict=True)} if called else {},
        call=classes[place] if called else None,
        probability=float(mean[0, place]),
        member_range=(float(own.min()), float(own.max())),
        notes=notes,
    )
