"""The blocks of Inception-ResNet-v2 (Szegedy et al., AAAI 2017, figures 3 and 15 to 19), for pictures and for clips.

Channels are written as the authors' code writes them (their figures round some) and shared out by :class:`Shape`.

For clips a k x k kernel becomes 3 x k x k: it sees the frame before and the frame after and never more, since frames
are sampled far apart and are not neighbours as pixels are. Of a pair 1 x 7, 7 x 1 only the second gets the three
frames: each pair then sees time once, as it sees height once and width once. So every parameter has its namesake in
the network of pictures, whose weights inflate name by name. Time is halved by the two reductions and nowhere else.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from isthmus.models.layers import extent, layers_of

_PUBLISHED_WIDTH = 32


@dataclass(frozen=True)
class Shape:
    """What the blocks of one network share.

    Parameters
    ----------
    spatial_dims : int
        2 or 3.
    width : int
        Channels of the first convolution; 32 as published.
    same : bool
        Whether convolutions and poolings that reduce are padded; the published ones are not.
    """

    spatial_dims: int
    width: int
    same: bool

    def channels(self, published: int) -> int:
        """Return this network's share of a published number of channels: exact for an even width."""
        return published * self.width // _PUBLISHED_WIDTH

    def convolution(
        self,
        before: int,
        after: int,
        kernel: int | tuple[int, int] = 1,
        *,
        stride: int = 1,
        same: bool = True,
        halve_time: bool = False,
    ) -> "Convolution":
        """Return a convolution of published channels with its norm."""
        return self._raw(self.channels(before), self.channels(after), kernel, stride, same, halve_time)

    def stem(self, channels: int) -> "Convolution":
        """Return the first convolution, of ``channels`` channels of the picture."""
        return self._raw(channels, self.width, 3, 2, self.same, False)

    def max_pool(self, stride: int, *, time: int = 1) -> nn.Module:
        """Return a 3 x 3 pooling; ``time`` 2 also halves time, over three frames."""
        edge = int(self.same)
        pool = layers_of(self.spatial_dims).max_pool
        return pool(
            extent(self.spatial_dims, 2 * time - 1, 3),
            stride=extent(self.spatial_dims, time, stride),
            padding=extent(self.spatial_dims, time - 1, edge),
        )

    def _raw(
        self, before: int, after: int, kernel: int | tuple[int, int], stride: int, same: bool, halve_time: bool
    ) -> "Convolution":
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        frames = 3 if height > 1 else 1
        plane = (height // 2, width // 2) if same else (0, 0)
        return Convolution(
            self.spatial_dims,
            before,
            after,
            kernel=extent(self.spatial_dims, frames, height, width),
            stride=extent(self.spatial_dims, 2 if halve_time else 1, stride),
            padding=extent(self.spatial_dims, frames // 2, *plane),
        )


class Convolution(nn.Module):
    """Convolution without bias, batch norm and rectifier, with the published code's names and epsilon."""

    def __init__(
        self,
        spatial_dims: int,
        before: int,
        after: int,
        *,
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
        padding: tuple[int, ...],
    ) -> None:
        super().__init__()
        layers = layers_of(spatial_dims)
        self.conv = layers.convolution(before, after, kernel, stride=stride, padding=padding, bias=False)  # type: ignore[arg-type]
        self.bn = layers.norm(after, eps=0.001)

    def forward(self, maps: Tensor) -> Tensor:
        """Return ``[N, after, …]``."""
        return nn.functional.relu(self.bn(self.conv(maps)), inplace=True)


class Mixed(nn.Module):
    """Branches side by side, concatenated."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.names = [f"branch{index}" for index in range(len(branches))]
        for name, branch in zip(self.names, branches, strict=True):
            self.add_module(name, branch)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the branches' maps, one after the other."""
        return torch.cat([self.get_submodule(name)(maps) for name in self.names], 1)


class Residual(Mixed):
    """Branches, a 1 x 1 convolution without norm back to the input's channels, scaled and added to the input.

    Parameters
    ----------
    *branches : Module
        Side by side.
    shape : Shape
        Of the network.
    inner, channels : int
        Published channels of the branches together, and of the input.
    scale : float
        Of what is added; section 3.3 of the paper: without it training became unstable.
    rectify : bool
        False for the network's last block.
    """

    def __init__(
        self, *branches: nn.Module, shape: Shape, inner: int, channels: int, scale: float, rectify: bool = True
    ) -> None:
        super().__init__(*branches)
        self.scale, self.rectify = scale, rectify
        convolution = layers_of(shape.spatial_dims).convolution
        self.conv2d = convolution(shape.channels(inner), shape.channels(channels), 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of the input's shape."""
        maps = torch.add(maps, self.conv2d(super().forward(maps)), alpha=self.scale)
        return nn.functional.relu(maps, inplace=True) if self.rectify else maps


def mixed_5b(shape: Shape) -> Mixed:
    """Return the first inception block, 192 to 320 channels."""
    conv, dims = shape.convolution, shape.spatial_dims
    # Within each frame: torch refuses to average over more frames than there are, padded or not.
    pool = layers_of(dims).avg_pool(
        extent(dims, 1, 3), stride=1, padding=extent(dims, 0, 1), count_include_pad=False  # type: ignore[arg-type]
    )  # fmt: skip
    return Mixed(
        conv(192, 96),
        nn.Sequential(conv(192, 48), conv(48, 64, 5)),
        nn.Sequential(conv(192, 64), conv(64, 96, 3), conv(96, 96, 3)),
        nn.Sequential(pool, conv(192, 64)),
    )


def inception_a(shape: Shape) -> Residual:
    """Return a block of the finest grid, 320 channels."""
    conv = shape.convolution
    return Residual(
        conv(320, 32),
        nn.Sequential(conv(320, 32), conv(32, 32, 3)),
        nn.Sequential(conv(320, 32), conv(32, 48, 3), conv(48, 64, 3)),
        shape=shape, inner=128, channels=320, scale=0.17,
    )  # fmt: skip


def reduction_a(shape: Shape) -> Mixed:
    """Return the first reduction, 320 to 1088 channels."""
    conv, last = shape.convolution, {"stride": 2, "same": shape.same, "halve_time": True}
    return Mixed(
        conv(320, 384, 3, **last),  # type: ignore[arg-type]
        nn.Sequential(conv(320, 256), conv(256, 256, 3), conv(256, 384, 3, **last)),  # type: ignore[arg-type]
        shape.max_pool(2, time=2),
    )


def inception_b(shape: Shape) -> Residual:
    """Return a block of the middle grid, 1088 channels."""
    conv = shape.convolution
    return Residual(
        conv(1088, 192),
        nn.Sequential(conv(1088, 128), conv(128, 160, (1, 7)), conv(160, 192, (7, 1))),
        shape=shape, inner=384, channels=1088, scale=0.10,
    )  # fmt: skip


def reduction_b(shape: Shape) -> Mixed:
    """Return the second reduction, 1088 to 2080 channels."""
    conv, last = shape.convolution, {"stride": 2, "same": shape.same, "halve_time": True}
    return Mixed(
        nn.Sequential(conv(1088, 256), conv(256, 384, 3, **last)),  # type: ignore[arg-type]
        nn.Sequential(conv(1088, 256), conv(256, 288, 3, **last)),  # type: ignore[arg-type]
        nn.Sequential(conv(1088, 256), conv(256, 288, 3), conv(288, 320, 3, **last)),  # type: ignore[arg-type]
        shape.max_pool(2, time=2),
    )


def inception_c(shape: Shape, *, rectify: bool = True) -> Residual:
    """Return a block of the coarsest grid, 2080 channels; the last one is neither scaled nor rectified."""
    conv = shape.convolution
    return Residual(
        conv(2080, 192),
        nn.Sequential(conv(2080, 192), conv(192, 224, (1, 3)), conv(224, 256, (3, 1))),
        shape=shape, inner=448, channels=2080, scale=0.20 if rectify else 1.0, rectify=rectify,
    )  # fmt: skip
