"""Attention to microcalcifications: where bright specks smaller than a structuring element lie, maps are raised.

Qian et al., Cancer Imaging 2025, add a "calcification attention module" to a 3D Inception-ResNet-v2 and do not draw it.
This one is the plainest that its name and its heat maps allow:

(a) a white top-hat of each frame (Serra 1982: the picture less its opening) with flat squares of several sides: what is
    brighter than its surroundings and smaller than the square stays, everything else goes, smooth bright areas too;
(b) a gate: the sigmoid of a 3D convolution over [channel mean, channel max, top-hats], times a squeeze-and-excitation
    gate of the channels (Hu et al., CVPR 2018; the spatial part after Woo et al., ECCV 2018);
(c) ``maps * (1 + gate)``: nothing is taken away, so a network whose gate is wrong is still the plain one.
"""

import torch
from torch import Tensor, nn

SIDES = (3, 5, 9)
"""Sides in pixels of the structuring elements in a picture of 64 pixels, odd: the largest speck that each keeps is one
smaller. Larger pictures show the same lesion larger, and the elements grow with them."""

_OF_PICTURE = 64
_SPREAD_FLOOR = 1e-6
# In clips of the virtual cohort the largest top-hat of a cell of 8 x 8 pixels, meant over the sides, has a median of 1
# spread in speckle and of 2.3 over a calcification. At the start these gates are 0.12 and 0.65.
_START_BIAS, _START_WEIGHT = -4.0, 2.0
_START_CHANNELS = 2.0


def white_top_hat(image: Tensor, mask: Tensor | None = None, sides: tuple[int, ...] = SIDES) -> Tensor:
    """Return the bright specks of each frame at several scales.

    Parameters
    ----------
    image : Tensor
        ``[N, C, T, H, W]``; channels are averaged.
    mask : Tensor, optional
        ``[N, 1, T, H, W]``, 1 inside the lesion: specks elsewhere are left out. A mask that is empty in all frames of
        a clip outlines nothing, and the whole clip is looked at.
    sides : tuple of int
        Sides of the flat square structuring elements in a picture of 64 pixels, odd.

    Returns
    -------
    Tensor
        ``[N, len(sides), T, H, W]``, at least 0, in units of the frame's own spread (the mean absolute deviation of
        its grey values), so that neither gain nor offset nor normalisation changes it.
    """
    grey = image.mean(1).float()
    n, frames, height, width = grey.shape
    # Frames take the place of channels, all of the batch together and last in memory: torch then pools them side by
    # side, twelve times faster than one after the other.
    planes = grey.reshape(1, n * frames, height, width).contiguous(memory_format=torch.channels_last)
    deviation = (planes - planes.mean((2, 3), keepdim=True)).abs().mean((2, 3), keepdim=True)
    planes = planes / deviation.clamp_min(_SPREAD_FLOOR)
    scales = [planes - _opening(planes, _scaled(side, min(height, width))) for side in sides]
    hats = torch.stack([hat.reshape(n, frames, height, width) for hat in scales], 1)
    if mask is None:
        return hats
    outlined = mask.flatten(1).amax(1).view(-1, 1, 1, 1, 1) > 0
    return hats * torch.where(outlined, mask.to(hats.dtype), torch.ones_like(mask, dtype=hats.dtype))


def _scaled(side: int, picture: int) -> int:
    """Return the odd number nearest to the side's share of a picture, at least 3."""
    # While a network is traced for TorchScript, sizes come as tensors.
    return max(3, 2 * round((side * int(picture) / _OF_PICTURE - 1) / 2) + 1)


def _opening(planes: Tensor, side: int) -> Tensor:
    return _maximum(-_maximum(-planes, side), side)


def _maximum(planes: Tensor, side: int) -> Tensor:
    # Over a square: rows, then columns. torch pads poolings with what never wins.
    pool = nn.functional.max_pool2d
    rows = pool(planes, (1, side), stride=1, padding=(0, side // 2))
    return pool(rows, (side, 1), stride=1, padding=(side // 2, 0))


def to_grid(hats: Tensor, grid: tuple[int, ...]) -> Tensor:
    """Return the largest value in each cell of a coarser grid: a mean would wash a speck of one pixel out.

    Parameters
    ----------
    hats : Tensor
        ``[N, S, T, H, W]``.
    grid : tuple of int
        ``(t, h, w)``.
    """
    sizes, grid = tuple(map(int, hats.shape[2:])), tuple(map(int, grid))
    if all(size % cells == 0 for size, cells in zip(sizes, grid, strict=True)):
        steps = [size // cells for size, cells in zip(sizes, grid, strict=True)]
        return nn.functional.max_pool3d(hats, steps, stride=steps)
    return nn.functional.adaptive_max_pool3d(hats, list(grid))


class CalcificationAttention(nn.Module):
    """The gate over one stage's maps.

    Parameters
    ----------
    channels : int
        D of the maps.
    scales : int
        Structuring elements of the top-hat.

    Notes
    -----
    It starts out listening to the top-hats alone: the spatial convolution begins with a positive weight at its centre
    for each of them, none for channel mean and maximum, and a bias that keeps the gate shut where nothing is bright.
    """

    def __init__(self, channels: int, scales: int = len(SIDES)) -> None:
        super().__init__()
        squeezed = max(8, channels // 16)
        self.spatial = nn.Conv3d(2 + scales, 1, 3, padding=1)
        self.squeeze = nn.Linear(channels, squeezed)
        self.excite = nn.Linear(squeezed, channels)
        self.start(scales)

    def start(self, scales: int) -> None:
        """Draw the initial weights."""
        nn.init.zeros_(self.spatial.weight)
        nn.init.constant_(self.spatial.bias, _START_BIAS)  # type: ignore[arg-type]
        with torch.no_grad():
            self.spatial.weight[0, 2:, 1, 1, 1] = _START_WEIGHT / scales
        nn.init.normal_(self.excite.weight, 0, 0.01)
        nn.init.constant_(self.excite.bias, _START_CHANNELS)

    def forward(self, maps: Tensor, hats: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gated maps, and the spatial gate ``[N, 1, t, h, w]``.

        Parameters
        ----------
        maps : Tensor
            ``[N, D, t, h, w]``.
        hats : Tensor
            ``[N, S, T, H, W]``, of :func:`white_top_hat`.
        """
        seen = to_grid(hats, tuple(maps.shape[2:])).to(maps.dtype)
        seen = torch.cat([maps.mean(1, keepdim=True), maps.amax(1, keepdim=True), seen], 1)
        spatial = torch.sigmoid(self.spatial(seen))
        squeezed = nn.functional.relu(self.squeeze(maps.mean((2, 3, 4))))
        channel = torch.sigmoid(self.excite(squeezed))[:, :, None, None, None]
        return maps * (1 + spatial * channel), spatial
