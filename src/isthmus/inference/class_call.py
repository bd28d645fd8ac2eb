"""What a model calls a case: of two classes at its frozen threshold, of several the most probable one."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isthmus.models.bundle_spec import BundleSpec
from isthmus.models.bundle_spec import ClassCalibration as Said
from isthmus.models.fused_bundle_spec import FusedBundleSpec
from isthmus.statistics.calibration import LogisticCalibration
from isthmus.statistics.class_calibration import ClassCalibration


@dataclass(frozen=True)
class Call:
    """One case called.

    Parameters
    ----------
    probability : float
        Of the positive class of two, of several of the class called; calibrated where the bundle has a calibration.
    call : str or None
        Class code; None where the bundle has no threshold, or of several classes no calibration.
    threshold : float or None
        On ``probability``.
    member_range : tuple of float
        Smallest and largest probability of that class among the single parts.
    notes : tuple of str
        Whether the parts disagree.
    calibrated : dict
        Class code to calibrated probability; empty where the bundle has no calibration.
    """

    probability: float
    call: str | None
    threshold: float | None
    member_range: tuple[float, float]
    notes: tuple[str, ...]
    calibrated: dict[str, float] = field(default_factory=dict)


def call_at_threshold(
    spec: BundleSpec | FusedBundleSpec,
    calibration: LogisticCalibration | None,
    mean: NDArray[np.float64],
    members: NDArray[np.float64],
    who: str,
) -> Call:
    """Return the call on a case of two classes.

    Parameters
    ----------
    spec : BundleSpec or FusedBundleSpec
        With the threshold, where there is one.
    calibration : LogisticCalibration or None
        Of the positive class.
    mean, members : float64 arrays [1] and [parts]
        Its uncalibrated probability, of the mean and of each part.
    who : str
        What the parts are called.
    """
    probability = float((mean if calibration is None else calibration.apply(mean))[0])
    each = members if calibration is None else calibration.apply(members)
    between = (float(each.min()), float(each.max()))
    calibrated: dict[str, float] = {}
    if calibration is not None:
        calibrated = {next(iter(spec.classes)): 1.0 - probability, spec.positive: probability}
    if spec.thresholds is None:
        return Call(probability, None, None, between, (), calibrated)
    threshold, notes = spec.thresholds.value, tuple[str, ...]()
    above = int((each >= threshold).sum())
    if 0 < above < len(each):
        notes = (f"{above} of {len(each)} {who} lie at or above the threshold, the others below",)
    call = spec.positive if probability >= threshold else next(iter(spec.classes))
    return Call(probability, call, threshold, between, notes, calibrated)


def call_among_classes(spec: BundleSpec, members: NDArray[np.float64]) -> Call:
    """Return the call on a case of several classes, from the uncalibrated probabilities [parts, K]."""
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
    return Call(
        probability=float(mean[0, place]),
        call=classes[place] if called else None,
        threshold=None,
        member_range=(float(own.min()), float(own.max())),
        notes=notes,
        calibrated={name: float(value) for name, value in zip(classes, mean[0], strict=True)} if called else {},
    )
