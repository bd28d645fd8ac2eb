"""From prepared pixels to what a network sees: the one place of the centre crop and of normalisation.

Training and prediction both come through here, so they cannot drift apart. The arithmetic is done for each
picture by itself: the other pictures of a batch change nothing.
"""

from typing import TYPE_CHECKING, Any

from isthmus.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from isthmus.imaging.prepare import Preparation

PERCENTILES = (0.01, 0.99)
"""Where ``percentile_z`` clips, as fractions of a picture's pixels."""


IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of red, green and blue, 0 to 1, over ImageNet's training pictures: what every weight file of torchvision expects."""


def to_batch(pixels: "np.ndarray[Any, Any] | Tensor", preparation: "Preparation", centre_crop: bool = True) -> "Tensor":
    """Crop the middle of prepared pixels, normalise each picture and lay them out for a network.

    Parameters
    ----------
    pixels : array or tensor of uint8, shape [N, T, S, S, C]
        Prepared pixels. A tensor stays on its device.
    preparation : Preparation
        Gives ``crop_size``, ``normalise`` and ``layout``.
    centre_crop : bool
        False when the pixels have their final size already: training crops at random before it comes here.

    Returns
    -------
    Tensor of float32, shape [N, C, crop, crop]
        In channels-last memory order, which the convolutions of CPUs and GPUs prefer.

    Raises
    ------
    InputError
        When the pixels do not have this shape or type, or a 2D layout is given several frames.
    """
    import torch

    tensor = pixels if isinstance(pixels, torch.Tensor) else _tensor(pixels)
    if tensor.dtype != torch.uint8 or tensor.ndim != 5:
        raise InputError(
            f"prepared pixels are {tensor.dtype} with shape {list(tensor.shape)}", expected="uint8 [N, T, S, S, C]"
        )
    if tensor.shape[1] != 1:
        raise InputError(
            f"a 2D network was given {tensor.shape[1]} frames", expected="one frame a view", hint="name one frame"
        )
    still = tensor[:, 0]
    if centre_crop:
        still = centre(still, preparation.crop_size)
    return normalise(still, preparation.normalise).permute(0, 3, 1, 2)


def _tensor(pixels: "np.ndarray[Any, Any]") -> "Tensor":
    import numpy as np
    import torch

    # A read-only memory map cannot be shared with torch, which has no read-only tensors.
    return torch.from_numpy(np.array(pixels, copy=None if pixels.flags.writeable else True, order="C"))


def centre(still: "Tensor", size: int) -> "Tensor":
    """Return the middle ``size`` x ``size`` of pictures [N, H, W, C]; an odd remainder goes to the far side.

    Raises
    ------
    InputError
        When the pictures are smaller than ``size``.
    """
    height, width = still.shape[1], still.shape[2]
    if size > min(height, width):
        raise InputError(f"a crop of {size} pixels does not fit into {height} x {width}", expected="crop <= picture")
    top, left = (height - size) // 2, (width - size) // 2
    return still[:, top : top + size, left : left + size]


def normalise(still: "Tensor", method: str) -> "Tensor":
    """Scale the grey values of each picture.

    Parameters
    ----------
    still : Tensor of uint8, shape [N, H, W, C]
        Pictures; C is normalised together, so colours keep their relation.
    method : str
        ``unit``: x / 255. ``z``: each picture to mean 0 and standard deviation 1. ``percentile_z``: each picture
        is clipped to its own 1st and 99th percentile first. Statistics are of the pixels given, painted black
        ones too. A picture of one grey value becomes 0. ``imagenet``: x / 255 less ImageNet's mean, by its deviation.

    Returns
    -------
    Tensor of float32, shape [N, H, W, C]
        Normalised pictures.
    """
    import torch

    if method == "unit":
        # A division, not a product with 1/255: x / 255 is then the same number everywhere.
        return still.to(torch.float32).div_(255.0)
    if method == "imagenet":
        mean, deviation = (still.new_tensor(v, dtype=torch.float32) for v in (IMAGENET_MEAN, IMAGENET_DEVIATION))
        return still.to(torch.float32).div_(255.0).sub_(mean).div_(deviation)
    low, high, mean, deviation = (value.view(-1, 1, 1, 1) for value in _grey_statistics(still, method))
    scaled = still.to(torch.float32)
    if method == "percentile_z":
        scaled = scaled.clamp_(low, high)
    return scaled.sub_(mean).div_(deviation)


def _grey_statistics(still: "Tensor", method: str) -> "tuple[Tensor, Tensor, Tensor, Tensor]":
    """Return (low, high, mean, deviation) of each picture as float32 [N], from its exact histogram of 256 values.

    A histogram of whole numbers has no order of summation, so the figures are the same on every device.
    """
    import torch

    if method not in ("z", "percentile_z"):
        raise InputError(f"unknown normalisation '{method}'", expected="unit, z, percentile_z or imagenet")
    count = still.shape[0]
    flat = still.flatten(1).to(torch.int64)
    offsets = 256 * torch.arange(count, device=still.device).unsqueeze(1)
    histogram = torch.bincount((flat + offsets).view(-1), minlength=256 * count).view(count, 256)
    grey = torch.arange(256, dtype=torch.float64, device=still.device).expand(count, 256)
    low, high = grey[:, 0], grey[:, 255]
    if method == "percentile_z":
        low, high = (_percentile(histogram, fraction) for fraction in PERCENTILES)
        # The picture is clipped in float32 below; its mean must be that of the same numbers.
        low, high = low.float().double(), high.float().double()
        grey = grey.clamp(low.unsqueeze(1), high.unsqueeze(1))
    pixels = flat.shape[1]
    mean = (histogram * grey).sum(1) / pixels
    deviation = ((histogram * (grey - mean.unsqueeze(1)) ** 2).sum(1) / pixels).sqrt()
    # A picture of one grey value: 0 / 1 instead of 0 / 0.
    deviation = torch.where(deviation > 1e-6, deviation, torch.ones_like(deviation))
    return low.float(), high.float(), mean.float(), deviation.float()


def _percentile(histogram: "Tensor", fraction: float) -> "Tensor":
    """Return the percentile of each histogram [N, 256], linear between order statistics as in ``numpy.percentile``."""
    import torch

    cumulative = histogram.cumsum(1)
    position = fraction * (int(cumulative[0, -1]) - 1) if len(histogram) else 0.0
    below = int(position)

    def order_statistic(rank: int) -> "Tensor":
        # The value of the pixel with this rank: the first bin whose cumulative count passes it.
        return (cumulative <= rank).sum(1).clamp_(max=255).to(torch.float64)

    low = order_statistic(below)
    return low + (position - below) * (order_statistic(below + 1) - low)
