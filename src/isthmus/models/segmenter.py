"""Networks that outline: from a grey picture to one logit a pixel, "a nodule is here".

``unet`` is MONAI's U-Net with plain convolutions. ``mobilenet_v2_unet`` and ``resnet18_unet`` put MONAI's U-Net decoder
on a network of the registry, so that published ImageNet weights can start it: with a few hundred outlines that is worth
more than a larger network.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from isthmus.errors import ProtocolError
from isthmus.models.registry import create, nearest

if TYPE_CHECKING:
    from isthmus.models.classifier import Classifier
    from isthmus.models.weights import Provenance

MULTIPLE = 32
"""Sides of pictures are multiples of this: the encoders halve five times."""

_DECODER = (128, 64, 48, 32, 16)
_WIDEST = 4
"""Times the published width: a folder from elsewhere may not ask for all of the memory."""
_FEWEST = 4  # channels at full resolution


@dataclass(frozen=True)
class _Kind:
    """A segmenter by name: its builder, the option that scales it, and the registry's network that starts it."""

    build: Callable[[float], nn.Module]
    summary: str
    width: float
    encoder: str | None = None


class EncoderSegmenter(nn.Module):
    """A registry network's stages under MONAI's U-Net decoder.

    Parameters
    ----------
    name : str
        ``mobilenet_v2`` or ``resnet18``.
    width : float
        Of the encoder; the published weights need the registry's own.

    Notes
    -----
    After :meth:`start_from` the encoder's batch norm keeps the statistics of the weight file: a few hundred pictures
    estimate them worse than a million did.
    """

    def __init__(self, name: str, width: float) -> None:
        from monai.networks.nets.flexible_unet import SegmentationHead, UNetDecoder

        super().__init__()
        self.encoder = create(name, classes=2, channels=1, width=width)
        self._name = name
        self._keeps_statistics = False
        with torch.no_grad():
            self.encoder.eval()
            channels = [stage.shape[1] for stage in self._maps(torch.zeros(1, 1, MULTIPLE, MULTIPLE))]
            self.encoder.train()
        self.decoder = UNetDecoder(
            spatial_dims=2, encoder_channels=(1, *channels), decoder_channels=_DECODER, act=("relu", {"inplace": True}),
            norm=("batch", {"eps": 1e-3, "momentum": 0.1}), dropout=0.0, bias=False, upsample="nontrainable",
            pre_conv="default", interp_mode="nearest", align_corners=None, is_pad=False,
        )  # fmt: skip
        self.head = SegmentationHead(spatial_dims=2, in_channels=_DECODER[-1], out_channels=1, kernel_size=3)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return logits [N, 1, H, W] of pictures [N, 1, H, W]."""
        maps: Tensor = self.head(self.decoder(self._maps(pictures), len(_DECODER) - 1))
        return maps

    def start_from(self, weights: str) -> "Provenance":
        """Load published or own weights into the encoder; see :func:`isthmus.models.weights.load_initial_weights`."""
        from isthmus.models.weights import load_initial_weights

        origin = load_initial_weights(self.encoder, weights)
        self._keeps_statistics = True
        return self._frozen(origin)

    def train(self, mode: bool = True) -> "EncoderSegmenter":
        """Switch to training, but for the encoder's batch norm where its statistics are kept."""
        super().train(mode)
        if self._keeps_statistics:
            for module in self.encoder.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self

    def _frozen(self, origin: "Provenance") -> "Provenance":
        from dataclasses import replace

        self.train(self.training)
        return replace(origin, notes=(*origin.notes, "the encoder's batch norm keeps the statistics of the weights"))

    def _maps(self, pictures: Tensor) -> list[Tensor]:
        maps, found = pictures, []
        for stage in _STAGES[self._name](self.encoder):
            maps = stage(maps)
            found.append(maps)
        return found


def _mobilenet_stages(encoder: "Classifier") -> list[Callable[[Tensor], Tensor]]:
    layers: Any = encoder.get_submodule("net.features")
    # The last layer before each halving, and the last before the classifier's widening.
    ends = (2, 4, 7, 14, 18)
    return [layers[start:end] for start, end in zip((0, *ends), ends, strict=False)]


def _resnet_stages(encoder: "Classifier") -> list[Callable[[Tensor], Tensor]]:
    net: Any = encoder.get_submodule("net")
    return [
        lambda maps: net.act(net.bn1(net.conv1(maps))),
        lambda maps: net.layer1(net.maxpool(maps)),
        net.layer2,
        net.layer3,
        net.layer4,
    ]


_STAGES: Mapping[str, Callable[["Classifier"], list[Callable[[Tensor], Tensor]]]] = {
    "mobilenet_v2": _mobilenet_stages,
    "resnet18": _resnet_stages,
}


def _unet(width: float) -> nn.Module:
    from monai.networks.nets.basic_unet import BasicUNet

    base = round(width)
    features = (base, base, 2 * base, 4 * base, 8 * base, base)
    network: nn.Module = BasicUNet(spatial_dims=2, in_channels=1, out_channels=1, features=features)
    return network


SEGMENTERS: Mapping[str, _Kind] = {
    "mobilenet_v2_unet": _Kind(
        lambda width: EncoderSegmenter("mobilenet_v2", width), "MobileNetV2 under a U-Net decoder", 1.0, "mobilenet_v2"
    ),
    "resnet18_unet": _Kind(
        lambda width: EncoderSegmenter("resnet18", round(width)), "ResNet18 under a U-Net decoder", 64, "resnet18"
    ),
    "unet": _Kind(_unet, "MONAI's BasicUNet, from random weights", 32),
}
"""Name to what it is; ``width`` is the published one: a multiplier for MobileNetV2, channels for the others."""


def create_segmenter(name: str, width: float | None = None) -> nn.Module:
    """Build a segmenter with fresh random weights.

    Parameters
    ----------
    name : str
        One of :data:`SEGMENTERS`.
    width : float, optional
        Its width; the published one by default.

    Returns
    -------
    Module
        From float32 [N, 1, H, W] to logits of the same shape; H and W are multiples of :data:`MULTIPLE`.

    Raises
    ------
    ProtocolError
        When there is no such segmenter, the width is not above 0 or more than four times the published one, or it
        counts channels and is no whole number.

    Examples
    --------
    >>> create_segmenter("unet", 8)(torch.zeros(1, 1, 32, 32)).shape
    torch.Size([1, 1, 32, 32])
    """
    if name not in SEGMENTERS:
        near = nearest(name, SEGMENTERS)
        raise ProtocolError(
            f"no segmenter {name!r}", expected=", ".join(SEGMENTERS), hint=f"did you mean {near!r}?" if near else None
        )
    kind = SEGMENTERS[name]
    wanted = kind.width if width is None else width
    if not 0 < wanted <= _WIDEST * kind.width:
        raise ProtocolError(f"width {wanted:g}", where=name, expected=f"above 0, at most {_WIDEST * kind.width:g}")
    if kind.width > 1 and (wanted < _FEWEST or wanted != round(wanted)):
        raise ProtocolError(
            f"width {wanted:g}",
            where=name,
            expected=f"a whole number of channels, at least {_FEWEST}",
            hint=f"{kind.width:g} is the published one; only MobileNetV2 takes a share of its own",
        )
    return kind.build(wanted)


def load_encoder(segmenter: nn.Module, weights: str) -> "Provenance":
    """Start a segmenter's encoder from published or own weights.

    Raises
    ------
    ProtocolError
        When this segmenter has no encoder that published weights fit.
    WeightsError
        When the weights are absent or do not fit.
    """
    if not isinstance(segmenter, EncoderSegmenter):
        fitting = ", ".join(name for name, kind in SEGMENTERS.items() if kind.encoder)
        raise ProtocolError("this segmenter starts from random weights only", expected=f"for weights: {fitting}")
    return segmenter.start_from(weights)
