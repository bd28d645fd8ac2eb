"""R(2+1)D-18 (Tran et al., CVPR 2018), with torchvision's parameter names.

Each 3 x 3 x 3 kernel of an 18-layer residual network is a 1 x 3 x 3 one in the plane, a rectifier, and a 3 x 1 x 1 one
in time; between them as many channels as keep the count of the whole kernel (section 3.5 of the paper). torchvision
counts them once a block, from the block's first kernel, and so does its published file.
"""

from itertools import pairwise

from torch import Tensor, nn

from isthmus.models.chain import Chain
from isthmus.models.classifier import image_input
from isthmus.models.layers import blocks_of

_STEM_BETWEEN = 45  # channels between the stem's two kernels at a width of 64: torchvision's, the paper gives none


class R2Plus1D(Chain):
    """A residual network of 18 layers whose kernels are split into plane and time.

    Parameters
    ----------
    classes, channels : int
        K and C.
    width : int
        Channels of the first stage; 64 as published.

    Examples
    --------
    >>> import torch
    >>> from isthmus.models.classifier import parameter_count
    >>> with torch.device("meta"):
    ...     parameter_count(R2Plus1D(classes=400, channels=3))  # torchvision's own count
    31505325
    """

    published_prefix = "net."
    stem_name = "stem.0"

    def __init__(self, *, classes: int = 2, channels: int = 1, width: int = 64) -> None:
        super().__init__(inputs=image_input(channels, 3), classes=classes)
        between = max(1, _STEM_BETWEEN * width // 64)
        stem = nn.Sequential(
            nn.Conv3d(channels, between, (1, 7, 7), stride=(1, 2, 2), padding=(0, 3, 3), bias=False),
            nn.BatchNorm3d(between),
            nn.ReLU(inplace=True),
            nn.Conv3d(between, width, (3, 1, 1), padding=(1, 0, 0), bias=False),
            nn.BatchNorm3d(width),
            nn.ReLU(inplace=True),
        )
        widths = [width, width, 2 * width, 4 * width, 8 * width]
        layers = {
            f"layer{index}": nn.Sequential(
                _Block(before, after, stride=1 if index == 1 else 2), _Block(after, after, stride=1)
            )
            for index, (before, after) in enumerate(pairwise(widths), start=1)
        }
        self.assemble({"stem": stem, **layers}, widths[-1], 0.0)
        self.stages = ("net.stem", *blocks_of(self, *(f"net.{name}" for name in layers)))


class _Block(nn.Module):
    """Two split kernels and the skip."""

    def __init__(self, before: int, after: int, *, stride: int) -> None:
        super().__init__()
        between = (before * after * 27) // (before * 9 + after * 3)
        self.conv1 = nn.Sequential(_split(before, between, after, stride), nn.BatchNorm3d(after), nn.ReLU(inplace=True))
        self.conv2 = nn.Sequential(_split(after, between, after, 1), nn.BatchNorm3d(after))
        self.downsample: nn.Sequential | None = None
        if stride > 1 or before != after:
            self.downsample = nn.Sequential(
                nn.Conv3d(before, after, 1, stride=stride, bias=False), nn.BatchNorm3d(after)
            )

    def forward(self, maps: Tensor) -> Tensor:
        """Return ``[N, after, t / stride, h / stride, w / stride]``."""
        skip = maps if self.downsample is None else self.downsample(maps)
        return nn.functional.relu(self.conv2(self.conv1(maps)) + skip, inplace=True)


def _split(before: int, between: int, after: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(before, between, (1, 3, 3), stride=(1, stride, stride), padding=(0, 1, 1), bias=False),
        nn.BatchNorm3d(between),
        nn.ReLU(inplace=True),
        nn.Conv3d(between, after, (3, 1, 1), stride=(stride, 1, 1), padding=(1, 0, 0), bias=False),
    )


def r2plus1d_18(*, classes: int, channels: int, width: int = 64) -> R2Plus1D:
    """Return R(2+1)D-18."""
    return R2Plus1D(classes=classes, channels=channels, width=width)
