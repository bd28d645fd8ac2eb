"""A bundle from disk into memory: its networks on their device, its calibration, its training pictures' likeness."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from isthmus.errors import BundleError, InputError
from isthmus.inference.predictor import Predictor
from isthmus.models.bundle import load_likeness, load_parts, read_bundle
from isthmus.models.bundle_spec import BundleSpec, Calibration
from isthmus.models.training_likeness import TrainingLikeness
from isthmus.statistics.calibration import LogisticCalibration
from isthmus.statistics.out_of_distribution import Mahalanobis

if TYPE_CHECKING:
    from isthmus.models.classifier import Classifier


def load_bundle(folder: str | Path, device: str = "auto", *, own_network: Path | None = None) -> Predictor:
    """Load a bundle once, for any number of pictures.

    Parameters
    ----------
    folder : str or Path
        The bundle.
    device : str
        ``auto`` (a GPU where there is one), ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    own_network : Path, optional
        The Python file of a network of the user's own; a bundle never runs one by itself.

    Returns
    -------
    Predictor

    Raises
    ------
    BundleError
        When the folder is no bundle, is incomplete or altered, or holds what belongs to another network.
    InputError
        When the device is not there.

    Examples
    --------
    >>> predictor = load_bundle("runs/wang2025/arms/thyronet_x4/bundle")  # doctest: +SKIP
    >>> predictor.predict(["100_1.jpg"], boxes=["62,30,271,156"])[0].words  # doctest: +SKIP
    'suspicious (TI-RADS 4a or higher)'
    """
    spec, place = read_bundle(Path(folder)), device_here(device)
    parts = load_parts(Path(folder), spec, own_network=own_network)
    likeness = _likeness(Path(folder), spec, parts)
    _settle(parts, place)
    return Predictor(spec, parts, place, _calibration(spec), likeness)


def device_here(device: str) -> str:
    """Return the device that ``auto`` or a name stands for; refuse one that is not there."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"there is no device {device!r} here", expected="auto, cpu, cuda or mps") from error
    return device


def _calibration(spec: BundleSpec) -> LogisticCalibration | None:
    if not isinstance(spec.calibration, Calibration):
        return None
    return LogisticCalibration(spec.calibration.intercept, spec.calibration.slope, spec.calibration.method)


def _settle(parts: "Sequence[Classifier]", place: str) -> None:
    """Put the fold models where they compute."""
    import torch

    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    for part in parts:
        part.eval().requires_grad_(False)
        part.to(place)
        # Channels-last weights spare a reordering at every step; values are the same.
        for weight in part.parameters():
            if weight.ndim in formats:
                weight.data = weight.data.contiguous(memory_format=formats[weight.ndim])


def _likeness(folder: Path, spec: BundleSpec, parts: "Sequence[Classifier]") -> TrainingLikeness | None:
    """Load what the parts know of their training pictures, and see that it is of networks like these."""
    found = load_likeness(folder, spec)
    if found is None or spec.out_of_distribution is None:
        return None
    from isthmus.models.classifier import embedding_size

    width = embedding_size(parts[0])  # the parts are of one network
    for number, distance in enumerate(found.parts):
        own = (distance.centres if isinstance(distance, Mahalanobis) else distance.rows).shape[1]
        if own != width:
            raise BundleError(
                f"part {number} is compared with training pictures by {own} numbers each",
                where=str(folder / spec.out_of_distribution.file),
                expected=f"{width}, as the bundle's network gives of a picture",
                hint="copy the bundle again from where it came",
            )
    return found
