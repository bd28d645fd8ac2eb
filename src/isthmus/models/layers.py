"""The layers whose class depends on the number of dimensions, so that a network is defined once for 2D and 3D.

Everywhere, 3D is ``[N, C, T, H, W]``: kernels, strides and paddings name time first.
"""

from typing import NamedTuple

from torch import nn

from isthmus.errors import ProtocolError


class Layers(NamedTuple):
    """The layers of one number of dimensions."""

    convolution: type[nn.Conv2d] | type[nn.Conv3d]
    norm: type[nn.BatchNorm2d] | type[nn.BatchNorm3d]
    max_pool: type[nn.MaxPool2d] | type[nn.MaxPool3d]
    avg_pool: type[nn.AvgPool2d] | type[nn.AvgPool3d]


_LAYERS = {
    2: Layers(nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d, nn.AvgPool2d),
    3: Layers(nn.Conv3d, nn.BatchNorm3d, nn.MaxPool3d, nn.AvgPool3d),
}


def layers_of(spatial_dims: int) -> Layers:
    """Return the layers of pictures (2) or clips (3).

    Raises
    ------
    ProtocolError
        For any other number of dimensions.
    """
    if spatial_dims not in _LAYERS:
        raise ProtocolError(f"{spatial_dims} spatial dimensions", expected="2 (pictures) or 3 (clips)")
    return _LAYERS[spatial_dims]


def extent(spatial_dims: int, time: int, height: int, width: int | None = None) -> tuple[int, ...]:
    """Return a kernel, stride or padding: ``(height, width)`` for pictures, ``(time, height, width)`` for clips.

    Examples
    --------
    >>> extent(2, 3, 7), extent(3, 3, 7), extent(3, 1, 1, 7)
    ((7, 7), (3, 7, 7), (1, 1, 7))
    """
    plane = (height, height if width is None else width)
    return plane if spatial_dims == 2 else (time, *plane)


def blocks_of(network: nn.Module, *stages: str) -> tuple[str, ...]:
    """Return the names of the blocks that the named sequences hold, in order: what is recomputed one by one."""
    return tuple(f"{stage}.{name}" for stage in stages for name, _ in network.get_submodule(stage).named_children())
