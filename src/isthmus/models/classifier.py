"""What every network is to the rest of Isthmus: named inputs, last maps, and a head.

Training, Grad-CAM, fusion and export rely on :class:`Classifier` and on nothing else of a network.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from isthmus.errors import InputError

IMAGE = "image"
"""Name of the main input, float32 ``[N, C, H, W]`` or ``[N, C, T, H, W]``, and of its last maps."""

LESION_MASK = "lesion_mask"
"""Name of the input that outlines the lesion, 0 or 1, of the main input's shape with one channel."""

PRESENT = "present"
"""Name of the input that says which modalities are there: 1 or 0, ``[N, M]``."""


@dataclass(frozen=True)
class InputSpec:
    """One named input of a network.

    Parameters
    ----------
    name : str
        Key in the dictionary of inputs; the main one is ``'image'``.
    channels : int
        C.
    spatial_dims : int
        2 for ``[N, C, H, W]``, 3 for ``[N, C, T, H, W]``, 0 for ``[N, C]``.
    required : bool
        False for an input that an example may lack.
    """

    name: str
    channels: int
    spatial_dims: int
    required: bool = True


class Outputs(NamedTuple):
    """What a head returns.

    Parameters
    ----------
    logits : Tensor
        ``[N, K]``, before softmax.
    embedding : Tensor
        ``[N, D]``, what the last linear layer sees.
    auxiliary : dict
        Anything else that a network offers, such as attention weights; usually empty.
    """

    logits: Tensor
    embedding: Tensor
    auxiliary: dict[str, Tensor]


class Classifier(nn.Module, ABC):
    """Base of every network.

    A subclass passes its inputs on, names its stem and head, and writes :meth:`features` and :meth:`head`.

    Attributes
    ----------
    inputs : tuple of InputSpec
        What ``forward`` takes.
    classes : int
        K.
    network, options
        The name and the options that :func:`isthmus.models.registry.create` built it from.
    minimum_size : int
        The smallest height and width in pixels that leave the last maps at least one pixel at full stride.
    minimum_frames : int
        The smallest T of a network of clips.
    stages : tuple of str
        Names of submodules, in the order in which they run, whose outputs alone need to be kept when activations are
        computed anew in the backward pass (gradient checkpointing). None of them contains another.
    own_parts : tuple of str
        Beginnings of the names of parameters that no published file has; they start from random weights.
    published_prefix : str
        What stands before the names of published weight files in our own parameter names.
    stem_name, head_name : str
        Our names, without that prefix, of the first convolution (its input channels may differ from a published
        file's) and of the last linear layer (its classes may).
    """

    minimum_size: int = 32
    minimum_frames: int = 1
    stages: tuple[str, ...] = ()
    own_parts: ClassVar[tuple[str, ...]] = ()
    published_prefix: ClassVar[str] = ""
    stem_name: ClassVar[str] = "conv1"
    head_name: ClassVar[str] = "fc"

    def __init__(self, *, inputs: tuple[InputSpec, ...], classes: int) -> None:
        super().__init__()
        self.inputs = inputs
        self.classes = classes
        self.network = type(self).__name__
        self.options: dict[str, Any] = {}

    @abstractmethod
    def features(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the last maps of each input: ``{'image': [N, D, h, w]}``, of clips ``[N, D, t, h, w]``."""

    @abstractmethod
    def head(self, features: dict[str, Tensor], inputs: dict[str, Tensor]) -> Outputs:
        """Return logits and embedding from the last maps; Grad-CAM differentiates this and nothing below it."""

    def forward(self, inputs: dict[str, Tensor]) -> Outputs:
        """Return ``head(features(inputs), inputs)``.

        Raises
        ------
        InputError
            When a required input is absent, has other dimensions or channels, or is too small.
        """
        self.check(inputs)
        return self.head(self.features(inputs), inputs)

    def from_published(self, state: dict[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
        """Return a published file's parameters under our own names, and a note for anything of it left out.

        Names that are not known pass through, so that loading them strictly fails and says which.
        """
        return {self.published_prefix + name: value for name, value in state.items()}, []

    def check(self, inputs: dict[str, Tensor]) -> None:
        """Refuse inputs that this network cannot take.

        Raises
        ------
        InputError
            Naming the input, what it is and what was expected.
        """
        for spec in self.inputs:
            value = inputs.get(spec.name)
            if value is None:
                if spec.required:
                    raise InputError(f"the network needs the input {spec.name!r}", expected=self._shape(spec))
                continue
            shape = tuple(value.shape)
            if len(shape) != spec.spatial_dims + 2 or shape[1] != spec.channels:
                raise InputError(f"input {spec.name!r} is {list(shape)}", expected=self._shape(spec))
            if spec.spatial_dims and min(shape[-2:]) < self.minimum_size:
                raise InputError(
                    f"input {spec.name!r} is {shape[-2]}x{shape[-1]} pixels",
                    expected=f"at least {self.minimum_size}x{self.minimum_size}",
                    hint="raise prepare.train_size and prepare.crop_size",
                )
            if spec.spatial_dims == 3 and value.shape[2] < self.minimum_frames:
                raise InputError(
                    f"input {spec.name!r} has {value.shape[2]} frames",
                    expected=f"at least {self.minimum_frames}",
                    hint="raise prepare.frames.count",
                )

    @staticmethod
    def _shape(spec: InputSpec) -> str:
        return f"[N, {spec.channels}{('', '', ', H, W', ', T, H, W')[spec.spatial_dims]}]"


def image_input(channels: int, spatial_dims: int = 2) -> tuple[InputSpec, ...]:
    """Return the inputs of a network that sees one picture, or one clip, of ``channels`` channels."""
    return (InputSpec(IMAGE, channels, spatial_dims),)


def pooled(maps: Tensor) -> Tensor:
    """Return the mean over height and width, of clips over time too: ``[N, D, h, w]`` to ``[N, D]``."""
    functional = nn.functional
    pool = functional.adaptive_avg_pool3d if maps.ndim == 5 else functional.adaptive_avg_pool2d
    return torch.flatten(pool(maps, 1), 1)


def parameter_count(classifier: nn.Module) -> int:
    """Return the number of trainable values."""
    return sum(parameter.numel() for parameter in classifier.parameters())


def embedding_size(network: Classifier) -> int:
    """Return D of the embedding, asked of the network itself: its layers' names are its own business."""
    side, was_training = network.minimum_size, network.training
    sizes = {0: (), 2: (side, side), 3: (network.minimum_frames, side, side)}
    blank = {
        spec.name: torch.zeros(1, spec.channels, *sizes[spec.spatial_dims]) for spec in network.inputs if spec.required
    }
    with torch.no_grad():
        size = network.eval()(blank).embedding.shape[1]
    network.train(was_training)
    return int(size)


def last_linear(network: Classifier) -> tuple[nn.Module, str] | None:
    """Return what holds a network's last linear layer, and its name there; None where the network names none."""
    path, _, name = f"{network.published_prefix}{network.head_name}".rpartition(".")
    holder = dict(network.named_modules()).get(path)
    return None if holder is None or not isinstance(getattr(holder, name, None), nn.Linear) else (holder, name)


def initialise(network: nn.Module) -> None:
    """Draw initial weights in place: He et al. 2015 (normal, fan out) for convolutions, 1 and 0 for batch norm."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
