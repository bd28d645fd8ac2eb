"""A whole model as one torch module: prepared pixels in, calibrated probabilities out; and its TorchScript.

What leaves the house must run where Isthmus is not: the middle cut out, normalisation, the layout of frames, all fold
models, prior shift, their mean and the calibration are one graph. The arithmetic is that of
:mod:`isthmus.inference.batch` and :mod:`isthmus.inference.scores`; tests hold them together.
"""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor, nn

from isthmus.errors import BundleError
from isthmus.imaging.frames import seen_frames
from isthmus.inference.batch import IMAGENET_DEVIATION, IMAGENET_MEAN, PERCENTILES
from isthmus.inference.exported_network import ExportedNetwork
from isthmus.models.bundle_spec import BundleSpec, ClassCalibration
from isthmus.models.classifier import IMAGE, LESION_MASK, PRESENT, Classifier
from isthmus.statistics.calibration import EDGE

if TYPE_CHECKING:
    from torch.jit import ScriptModule

_TRACED, _TRIED = 2, 3
"""Pictures that are traced with, and that the trace is tried with: it must not remember how many there were."""

_EQUAL: Final = 1e-6


class WholeModel(nn.Module):
    """A bundle's fold models with everything around them.

    Parameters
    ----------
    spec : BundleSpec
        What the bundle says.
    parts : sequence of Classifier
        In evaluation mode, on the CPU.

    Attributes
    ----------
    channels : list of str
        What each channel of the input is: of each stored frame, or modality, its colours; then the masks of the frames
        where the network looks at them.
    """

    def __init__(self, spec: BundleSpec, parts: Sequence[Classifier]) -> None:
        super().__init__()
        self.parts = nn.ModuleList([ExportedNetwork(part, spec) for part in parts])
        self.names = tuple(one.name for one in parts[0].inputs)
        self.preparation = spec.prepare
        self.modalities = tuple(name for name in self.names if name != PRESENT) if PRESENT in self.names else ()
        sampling = spec.prepare.frames
        self.stored = len(self.modalities) or (1 if sampling is None else sampling.stored)
        self.seen = [0] if sampling is None else seen_frames(sampling.stored, sampling.count).tolist()
        self.channels = _channel_names(spec, self.modalities, self.stored, masks=LESION_MASK in self.names)
        shifts = [part.log_prior_shift for part in spec.parts]
        self.register_buffer("shifts", torch.tensor(shifts, dtype=torch.float64))
        self.calibration = spec.calibration

    def forward(self, pixels: Tensor) -> Tensor:
        """Return probabilities float32 [N, K] of prepared pixels, 0 to 255, float32 [N, channels, S, S]."""
        inputs = self._inputs(pixels)
        given = [inputs[name] for name in self.names]
        found = []
        for number, part in enumerate(self.parts):
            logits = part(*given)[0].double()
            found.append(torch.softmax(logits - self.shifts[number], dim=1))  # type: ignore[index]
        return self._calibrated(torch.stack(found).mean(dim=0)).float()

    def _inputs(self, pixels: Tensor) -> dict[str, Tensor]:
        size, colours = self.preparation.train_size, self.preparation.colours
        views = pixels[:, : self.stored * colours].reshape(-1, self.stored, colours, size, size)
        if self.modalities:
            found = {name: self._normalised(self._middle(views[:, at])) for at, name in enumerate(self.modalities)}
            return {**found, PRESENT: (views.flatten(2).amax(2) > 0).float()}
        found = {IMAGE: self._laid_out(self._middle(views[:, self.seen]))}
        if LESION_MASK in self.names:
            masks = pixels[:, self.stored * colours :].reshape(-1, self.stored, 1, size, size)
            found[LESION_MASK] = self._masks((self._middle(masks[:, self.seen]) > 0).float())
        return found

    def _middle(self, pictures: Tensor) -> Tensor:
        cut = self.preparation.crop_size
        start = (self.preparation.train_size - cut) // 2
        return pictures[..., start : start + cut, start : start + cut]

    def _laid_out(self, views: Tensor) -> Tensor:
        """Return frames [N, T, C, S, S] as the network takes them."""
        if self.preparation.layout == "3d":
            return self._normalised(views).transpose(1, 2)
        if self.preparation.layout == "frames_as_channels":
            return self._normalised(views).flatten(1, 2)
        return self._normalised(views.flatten(0, 1))

    def _masks(self, masks: Tensor) -> Tensor:
        if self.preparation.layout == "3d":
            return masks.transpose(1, 2)
        if self.preparation.layout == "frames_as_channels":
            return masks.amax(1)
        return masks.flatten(0, 1)

    def _normalised(self, views: Tensor) -> Tensor:
        """Scale each picture, or each volume of frames, [B, …, C, S, S]."""
        method = self.preparation.normalise
        if method in ("unit", "imagenet"):
            scaled = views / 255.0
            if method == "unit":
                return scaled
            mean, deviation = (torch.tensor(one).reshape(3, 1, 1) for one in (IMAGENET_MEAN, IMAGENET_DEVIATION))
            return (scaled - mean) / deviation
        flat = views.flatten(1)
        if method == "percentile_z":
            low, high = self._percentiles(flat)
            flat = torch.minimum(torch.maximum(flat, low), high)
        exact = flat.double()
        mean = exact.mean(dim=1, keepdim=True)
        deviation = (exact - mean).square().mean(dim=1, keepdim=True).sqrt()
        deviation = torch.where(deviation > 1e-6, deviation, torch.ones_like(deviation))
        return ((flat - mean.float()) / deviation.float()).reshape(views.shape)

    def _percentiles(self, flat: Tensor) -> list[Tensor]:
        ordered, found = flat.double().sort(dim=1).values, []
        for share in PERCENTILES:
            position = share * (flat.shape[1] - 1)
            below = int(position)
            low, high = ordered[:, below : below + 1], ordered[:, below + 1 : below + 2]
            found.append((low + (position - below) * (high - low)).float())
        return found

    def _calibrated(self, values: Tensor) -> Tensor:
        said = self.calibration
        if said is None:
            return values
        if isinstance(said, ClassCalibration):
            logs = values.clamp(min=EDGE).log()
            return torch.softmax(said.slope * logs + torch.tensor(said.intercepts, dtype=torch.float64), dim=1)
        positive = values[:, -1:].clamp(EDGE, 1 - EDGE)
        positive = torch.sigmoid(said.intercept + said.slope * (positive.log() - (1 - positive).log()))
        return torch.cat([1 - positive, positive], dim=1)


def _channel_names(spec: BundleSpec, modalities: Sequence[str], stored: int, *, masks: bool) -> list[str]:
    colours = ["grey"] if spec.prepare.colours == 1 else ["red", "green", "blue"]
    views = list(modalities) or ([""] if spec.prepare.frames is None else [f"frame {at + 1}" for at in range(stored)])
    named = [f"{view}, {colour}".removeprefix(", ") for view in views for colour in colours]
    return named + [f"{view}, lesion mask".removeprefix(", ") for view in views] if masks else named


def example_pixels(model: WholeModel, count: int, seed: int = 0) -> Tensor:
    """Return pixels of noise, whole numbers of 0 to 255, of the shape that a bundle's prepared pictures have."""
    size = model.preparation.train_size
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, len(model.channels), size, size), generator=generator).float()
    masks = len(model.channels) - model.stored * model.preparation.colours
    if masks:
        pixels[:, -masks:] = 0.0
        pixels[:, -masks:, size // 4 : -size // 4, size // 4 : -size // 4] = 255.0
    return pixels


def traced(model: WholeModel, name: str) -> "ScriptModule":
    """Return a model's TorchScript, after it was tried on other pictures, and on another number of them.

    Raises
    ------
    BundleError
        When the network cannot be traced, or its trace does not answer as it does: it then decides by what it sees
        which way to go, and only its own code can run it.
    """
    model.eval()
    with warnings.catch_warnings(), torch.no_grad():
        # What torch says of Python numbers in a trace is what the trial below tries; and it calls TorchScript old.
        warnings.simplefilter("ignore")
        try:
            script = torch.jit.trace(model, example_pixels(model, _TRACED), check_trace=False)  # type: ignore[no-untyped-call]
            for count in (_TRIED, 1):
                tried = example_pixels(model, count, seed=count)
                if float((script(tried) - model(tried)).abs().max()) > _EQUAL:
                    raise RuntimeError("its TorchScript gives other probabilities")
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0]
            raise BundleError(
                f"this model's network cannot leave Isthmus as TorchScript: {reason}",
                where=name,
                hint="isthmus bundle pack hands it on as it is",
            ) from error
    return script  # type: ignore[no-any-return]
