"""I3D: inception for clips (Carreira and Zisserman, CVPR 2017, figure 3), with its published PyTorch files' names.

Those files are of piergiaj's ``pytorch-i3d``, converted from the authors' weights; they pad as TensorFlow does, the odd
row on the far side, and so does this. Its last layer is a 1 x 1 x 1 convolution whose logits are averaged over time,
which is the same as a linear layer over maps averaged over time, and is one here.
"""

import torch
from torch import Tensor, nn

from isthmus.models.chain import Chain
from isthmus.models.classifier import image_input
from isthmus.models.googlenet import INCEPTIONS, scaled

# The channels of each block are GoogLeNet's.
_MIXED = ("3b", "3c", "4b", "4c", "4d", "4e", "4f", "5b", "5c")
_INCEPTIONS = {f"Mixed_{name}": wanted for name, wanted in zip(_MIXED, INCEPTIONS.values(), strict=True)}
# The pooling before the block: kernel and stride.
_POOLINGS = {
    "Mixed_3b": ("MaxPool3d_3a_3x3", (1, 3, 3), (1, 2, 2)),
    "Mixed_4b": ("MaxPool3d_4a_3x3", (3, 3, 3), (2, 2, 2)),
    "Mixed_5b": ("MaxPool3d_5a_2x2", (2, 2, 2), (2, 2, 2)),
}


class I3D(Chain):
    """Inception for clips.

    Parameters
    ----------
    classes, channels : int
        K and C.
    width : int
        Channels of the first convolution, a multiple of 4; 64 as published.
    dropout : float
        Before the last linear layer, 0 to 1; 0.5 as in the published code.

    Examples
    --------
    >>> from isthmus.models.classifier import parameter_count
    >>> with torch.device("meta"):
    ...     parameter_count(I3D(classes=400, channels=3))  # the authors' 12.69 million and 7,280 scales of norms
    12697264
    """

    published_prefix = "net."
    stem_name = "Conv3d_1a_7x7.conv3d"
    head_name = "logits"

    def __init__(self, *, classes: int = 2, channels: int = 1, width: int = 64, dropout: float = 0.5) -> None:
        super().__init__(inputs=image_input(channels, 3), classes=classes)
        first, third = scaled(64, width), scaled(192, width)
        layers: dict[str, nn.Module] = {
            "Conv3d_1a_7x7": _Convolution(channels, first, 7, stride=2),
            "MaxPool3d_2a_3x3": _MaxPool((1, 3, 3), (1, 2, 2)),
            "Conv3d_2b_1x1": _Convolution(first, first, 1),
            "Conv3d_2c_3x3": _Convolution(first, third, 3),
        }
        now = third
        for name, wanted in _INCEPTIONS.items():
            if name in _POOLINGS:
                pooling, kernel, stride = _POOLINGS[name]
                layers[pooling] = _MaxPool(kernel, stride)
            block = _Inception(now, *(scaled(channel, width) for channel in wanted))
            layers[name], now = block, block.channels
        self.assemble(layers, now, dropout)
        self.stages = tuple(f"net.{name}" for name in self.body if not name.startswith("MaxPool"))

    def from_published(self, state: dict[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
        """Return the file's parameters under our names, its last convolution as a linear layer."""
        named = {name.replace("logits.conv3d.", "logits."): value for name, value in state.items()}
        last = named.get("logits.weight")
        if last is not None and last.ndim == 5:
            named["logits.weight"] = last.flatten(1)
        return super().from_published(named)


class _Convolution(nn.Module):
    def __init__(self, before: int, after: int, kernel: int, *, stride: int = 1) -> None:
        super().__init__()
        # Of an odd kernel with stride 1 both sides are padded alike, which the convolution does itself, and faster.
        self.edge = (kernel, stride) if stride > 1 else None
        self.conv3d = nn.Conv3d(
            before, after, kernel, stride=stride, padding=0 if stride > 1 else kernel // 2, bias=False
        )
        self.bn = nn.BatchNorm3d(after, eps=0.001)

    def forward(self, maps: Tensor) -> Tensor:
        if self.edge is not None:
            kernel, stride = self.edge
            maps = _padded(maps, (kernel,) * 3, (stride,) * 3)
        return nn.functional.relu(self.bn(self.conv3d(maps)), inplace=True)


class _MaxPool(nn.Module):
    """Pooling of maps that are at least 0, so that padding with 0 never wins."""

    def __init__(self, kernel: tuple[int, ...], stride: tuple[int, ...]) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, maps: Tensor) -> Tensor:
        return nn.functional.max_pool3d(_padded(maps, self.kernel, self.stride), self.kernel, self.stride)


class _Inception(nn.Module):
    """Four branches side by side: 1x1x1, two reduced 3x3x3, and pooling."""

    def __init__(self, before: int, one: int, reduce_a: int, a: int, reduce_b: int, b: int, pool: int) -> None:
        super().__init__()
        self.channels = one + a + b + pool
        self.b0 = _Convolution(before, one, 1)
        self.b1a = _Convolution(before, reduce_a, 1)
        self.b1b = _Convolution(reduce_a, a, 3)
        self.b2a = _Convolution(before, reduce_b, 1)
        self.b2b = _Convolution(reduce_b, b, 3)
        self.b3a = nn.MaxPool3d(3, stride=1, padding=1)
        self.b3b = _Convolution(before, pool, 1)

    def forward(self, maps: Tensor) -> Tensor:
        branches = [self.b0(maps), self.b1b(self.b1a(maps)), self.b2b(self.b2a(maps)), self.b3b(self.b3a(maps))]
        return torch.cat(branches, 1)


def _padded(maps: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """Return maps padded with 0 so that each side becomes ceil(size / stride), the odd row on the far side."""
    sides: list[int] = []
    for size, one, step in zip(maps.shape[:1:-1], kernel[::-1], stride[::-1], strict=True):
        over = max(one - (step if size % step == 0 else size % step), 0)
        sides += [over // 2, over - over // 2]
    return nn.functional.pad(maps, sides) if any(sides) else maps


def i3d(*, classes: int, channels: int, width: int = 64, dropout: float = 0.5) -> I3D:
    """Return I3D."""
    return I3D(classes=classes, channels=channels, width=width, dropout=dropout)
