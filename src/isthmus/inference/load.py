"""A bundle from disk into memory: its networks on their device, its calibration, its training pictures' likeness."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.errors import BundleError, InputError
from isthmus.inference.engine_choice import choose_engine
from isthmus.inference.engines import AUTO, TORCH, GraphEngine
from isthmus.inference.predictor import Predictor
from isthmus.models.bundle import load_likeness, load_parts, read_bundle
from isthmus.models.bundle_spec import BundleSpec, Calibration
from isthmus.models.training_likeness import TrainingLikeness
from isthmus.statistics.calibration import LogisticCalibration
from isthmus.statistics.out_of_distribution import Mahalanobis

if TYPE_CHECKING:
    from isthmus.models.classifier import Classifier


def load_bundle(
    folder: str | Path, device: str = "auto", *, own_network: Path | None = None, engine: str = AUTO
) -> Predictor:
    """Load a bundle once, for any number of pictures.

    Parameters
    ----------
    folder : str or Path
        The bundle.
    device : str
        ``auto`` (a GPU where there is one), ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    own_network : Path, optional
        The Python file of a network of the user's own; a bundle never runs one by itself.
    engine : str
        ``auto``: on a processor the engine that `isthmus accelerate` chose, PyTorch where it chose none; ``torch``; or
        another of :data:`isthmus.inference.engines.ENGINES`. On a named device PyTorch computes.

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
    folder = Path(folder)
    spec = read_bundle(folder)
    chosen = choose_engine(folder, spec, {"": (folder, spec)}, engine_for(device, engine))
    return load_with(folder, spec, device, own_network=own_network, engine=chosen.engines.get(""))


def engine_for(device: str, engine: str) -> str:
    """Return the engine that is asked for on a device: exported graphs run on the processor, PyTorch wherever it can.

    Raises
    ------
    InputError
        When an engine of the processor is asked for on another device.
    """
    if device in ("auto", "cpu"):
        return engine
    if engine not in (AUTO, TORCH):
        raise InputError(f"{engine} runs on the processor, not on {device!r}", expected="device auto or cpu")
    return TORCH


def load_with(
    folder: Path, spec: BundleSpec, device: str, *, own_network: Path | None = None, engine: GraphEngine | None = None
) -> Predictor:
    """Load a bundle whose specification is read and whose engine is open already; without one PyTorch computes."""

    def settled() -> "list[Classifier]":
        parts = load_parts(folder, spec, own_network=own_network)
        _settle(parts, device)
        return parts

    if engine is not None:
        # Without PyTorch's own networks, which only explanations need, a bundle is ready in a fraction of the time.
        likeness = _likeness(folder, spec, engine.facts.embedding)
        return Predictor(spec, WhenAsked(settled, len(spec.parts)), "cpu", _calibration(spec), likeness, engine)
    from isthmus.models.classifier import embedding_size

    device = device_here(device)
    parts = settled()
    likeness = None if spec.out_of_distribution is None else _likeness(folder, spec, embedding_size(parts[0]))
    return Predictor(spec, parts, device, _calibration(spec), likeness)


class WhenAsked(Sequence["Classifier"]):
    """Fold models that are loaded when the first of them is asked for.

    Parameters
    ----------
    load : callable
        Loads them.
    count : int
        How many there are.
    """

    def __init__(self, load: "Callable[[], list[Classifier]]", count: int) -> None:
        self._load, self._count = load, count
        self._lock = threading.Lock()
        self._parts: list[Classifier] | None = None

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, place: Any) -> Any:
        with self._lock:
            if self._parts is None:
                self._parts = self._load()
        return self._parts[place]


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


def _likeness(folder: Path, spec: BundleSpec, width: int) -> TrainingLikeness | None:
    """Load what the parts know of their training pictures, and see that it is of networks of embeddings this wide."""
    found = load_likeness(folder, spec)
    if found is None or spec.out_of_distribution is None:
        return None
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
