"""GoogLeNet (Szegedy et al., CVPR 2015) with batch norm, with torchvision's parameter names.

Two things are torchvision's and not the paper's: batch norm, and 3x3 kernels where the paper has 5x5 (the published
weights were trained so). The auxiliary heads are left out: torchvision leaves them out of its trained network too, its
file's own are untrained, and nothing here adds their loss. The published file's are known and skipped, and said so.
"""

import torch
from torch import Tensor, nn

from isthmus.models.chain import Chain
from isthmus.models.classifier import image_input

INCEPTIONS = {
    "inception3a": (64, 96, 128, 16, 32, 32),
    "inception3b": (128, 128, 192, 32, 96, 64),
    "inception4a": (192, 96, 208, 16, 48, 64),
    "inception4b": (160, 112, 224, 24, 64, 64),
    "inception4c": (128, 128, 256, 24, 64, 64),
    "inception4d": (112, 144, 288, 32, 64, 64),
    "inception4e": (256, 160, 320, 32, 128, 128),
    "inception5a": (256, 160, 320, 32, 128, 128),
    "inception5b": (384, 192, 384, 48, 128, 128),
}
"""Table 1 of the paper: channels of the 1x1 branch, of the 3x3 branch (reduced, then filtered), of the "5x5" branch
(likewise), and after the pooling. A name begins with the number of its stage; stages are pooled apart."""

_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
_AUXILIARY = frozenset(
    f"aux{number}.{name}"
    for number in (1, 2)
    for name in (
        "conv.conv.weight",
        *(f"conv.bn.{part}" for part in _NORM),
        *(f"fc{layer}.{part}" for layer in (1, 2) for part in ("weight", "bias")),
    )
)


class GoogLeNet(Chain):
    """GoogLeNet.

    Parameters
    ----------
    classes, channels : int
        K and C.
    width : int
        Channels of the first convolution, a multiple of 4; 64 as published.
    dropout : float
        Before the last linear layer, 0 to 1; 0.2 as torchvision has it.

    Examples
    --------
    >>> from isthmus.models.classifier import parameter_count
    >>> parameter_count(GoogLeNet(classes=1000, channels=3))  # torchvision's own count, without auxiliary heads
    6624904
    """

    published_prefix = "net."
    stem_name = "conv1.conv"

    def __init__(self, *, classes: int = 2, channels: int = 1, width: int = 64, dropout: float = 0.2) -> None:
        super().__init__(inputs=image_input(channels), classes=classes)
        first, third = scaled(64, width), scaled(192, width)
        layers: dict[str, nn.Module] = {
            "conv1": _Convolution(channels, first, 7, stride=2),
            "maxpool1": nn.MaxPool2d(3, stride=2, ceil_mode=True),
            "conv2": _Convolution(first, first, 1),
            "conv3": _Convolution(first, third, 3),
            "maxpool2": nn.MaxPool2d(3, stride=2, ceil_mode=True),
        }
        now = third
        for name, wanted in INCEPTIONS.items():
            if name == "inception4a":
                layers["maxpool3"] = nn.MaxPool2d(3, stride=2, ceil_mode=True)
            if name == "inception5a":
                layers["maxpool4"] = nn.MaxPool2d(2, stride=2, ceil_mode=True)
            block = _Inception(now, *(scaled(channel, width) for channel in wanted))
            layers[name], now = block, block.channels
        self.assemble(layers, now, dropout)

    def from_published(self, state: dict[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
        """Return the file's parameters under our names, without its auxiliary heads."""
        kept = {name: value for name, value in state.items() if name not in _AUXILIARY}
        named, notes = super().from_published(kept)
        if len(kept) < len(state):
            notes = [*notes, "auxiliary heads: the file has them, the network does not; they were left out"]
        return named, notes


class _Convolution(nn.Module):
    def __init__(self, before: int, after: int, kernel: int, *, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, stride=stride, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(after, eps=0.001)

    def forward(self, maps: Tensor) -> Tensor:
        return nn.functional.relu(self.bn(self.conv(maps)), inplace=True)


class _Inception(nn.Module):
    """Four branches side by side: 1x1, reduced 3x3, reduced "5x5" (3x3, see above), and pooling."""

    def __init__(
        self, before: int, one: int, reduce_three: int, three: int, reduce_five: int, five: int, pool: int
    ) -> None:
        super().__init__()
        self.channels = one + three + five + pool
        self.branch1 = _Convolution(before, one, 1)
        self.branch2 = nn.Sequential(_Convolution(before, reduce_three, 1), _Convolution(reduce_three, three, 3))
        self.branch3 = nn.Sequential(_Convolution(before, reduce_five, 1), _Convolution(reduce_five, five, 3))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), _Convolution(before, pool, 1))

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat([self.branch1(maps), self.branch2(maps), self.branch3(maps), self.branch4(maps)], 1)


def scaled(channels: int, width: int) -> int:
    """Return a network's share of published channels: exact for a width that is a multiple of 8.

    Of other multiples of 4, two branches of 24 channels are rounded down.

    Examples
    --------
    >>> scaled(24, 64), scaled(24, 8), scaled(24, 4)
    (24, 3, 1)
    """
    return channels * width // 64


def googlenet(*, classes: int, channels: int, width: int = 64, dropout: float = 0.2) -> GoogLeNet:
    """Return GoogLeNet."""
    return GoogLeNet(classes=classes, channels=channels, width=width, dropout=dropout)
