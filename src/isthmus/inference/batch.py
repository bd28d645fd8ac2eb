"""From prepared pixels to what a network sees: the one place of the centre crop, the seen frames and normalisation.

Training and prediction both come through here, so they cannot drift apart. The arithmetic is done for each
picture or volume by itself: the others of a batch change nothing.
"""

from typing import TYPE_CHECKING, Any

from isthmus.errors import InputError
from isthmus.imaging.frames import seen_frames

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from torch import Tensor

    from isthmus.imaging.preparation import Preparation
    from isthmus.models.classifier import Classifier

PERCENTILES = (0.01, 0.99)
"""Where ``percentile_z`` clips, as fractions of a picture's pixels."""


IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of red, green and blue, 0 to 1, over ImageNet's training pictures: what every weight file of torchvision expects."""


def inputs_of(
    classifier: "Classifier",
    pixels: "np.ndarray[Any, Any] | Tensor",
    masks: "np.ndarray[Any, Any] | Tensor | None",
    preparation: "Preparation",
    centre_crop: bool = True,
) -> "dict[str, Tensor]":
    """Return the inputs of a network: the image and, where it takes one and there is one, the lesion's mask.

    Parameters
    ----------
    classifier : Classifier
        Its ``inputs`` say whether it looks at masks.
    pixels : array or tensor of uint8, shape [N, T, S, S, C]
        As in :func:`to_batch`.
    masks : array or tensor of uint8 or bool, shape [N, T, S, S], optional
        1 inside the lesion.
    preparation, centre_crop
        As in :func:`to_batch`; of a network of several modalities T are its modalities, and one whose picture is black
        is absent.

    Returns
    -------
    dict
        ``image`` and perhaps ``lesion_mask``, float32 of 0 and 1 with one channel, of the image's shape otherwise. Of
        several modalities an image under the name of each, and ``present``, float32 [N, M].
    """
    from isthmus.models.classifier import IMAGE, LESION_MASK

    if modalities := modalities_seen(classifier):
        return _of_modalities(modalities, pixels, preparation, centre_crop)
    image = to_batch(pixels, preparation, centre_crop)
    if masks is None or not takes_masks(classifier):
        return {IMAGE: image}
    return {IMAGE: image, LESION_MASK: _masks_batch(masks, preparation, centre_crop)}


def takes_masks(classifier: "Classifier") -> bool:
    """Whether the network looks at the lesion's mask where there is one."""
    from isthmus.models.classifier import LESION_MASK

    return any(spec.name == LESION_MASK for spec in classifier.inputs)


def mirrored(inputs: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
    """Return a network's inputs with all pictures mirrored, left for right; what is no picture stays."""
    return {name: value.flip(-1) if value.ndim > 2 else value for name, value in inputs.items()}


def modalities_seen(classifier: "Classifier") -> tuple[str, ...]:
    """Return the modalities that a network looks at side by side; none for one of a single picture."""
    from isthmus.models.classifier import PRESENT

    names = tuple(spec.name for spec in classifier.inputs)
    return tuple(name for name in names if name != PRESENT) if PRESENT in names else ()


def _of_modalities(
    modalities: tuple[str, ...],
    pixels: "np.ndarray[Any, Any] | Tensor",
    preparation: "Preparation",
    centre_crop: bool,
) -> "dict[str, Tensor]":
    import torch

    from isthmus.models.classifier import PRESENT

    tensor = pixels if isinstance(pixels, torch.Tensor) else _tensor(pixels)
    if tensor.ndim != 5 or tensor.shape[1] != len(modalities):
        raise InputError(
            f"prepared pixels have the shape {list(tensor.shape)}",
            expected=f"[N, {len(modalities)}, S, S, C]: {', '.join(modalities)}",
        )
    found = {
        name: to_batch(tensor[:, place : place + 1], preparation, centre_crop) for place, name in enumerate(modalities)
    }
    return {**found, PRESENT: tensor.flatten(2).any(dim=2).to(torch.float32)}


def to_batch(pixels: "np.ndarray[Any, Any] | Tensor", preparation: "Preparation", centre_crop: bool = True) -> "Tensor":
    """Take the seen frames and the middle of prepared pixels, normalise them and lay them out for a network.

    Parameters
    ----------
    pixels : array or tensor of uint8, shape [N, T, S, S, C]
        Prepared pixels. A tensor stays on its device.
    preparation : Preparation
        Gives ``crop_size``, ``frames``, ``normalise`` and ``layout``.
    centre_crop : bool
        False when the pixels have their final size and frames already: training draws both before it comes here.

    Returns
    -------
    Tensor of float32
        ``[N, C, crop, crop]`` of stills; of clips ``[N, C, count, crop, crop]`` with layout ``3d``,
        ``[N, count * C, crop, crop]`` with ``frames_as_channels``, the first frame's channels first, and
        ``[N * count, C, crop, crop]``, frame by frame, with ``2d``. Each picture is normalised by itself, the frames
        that a network sees at once as one volume. In channels-last memory order, which the convolutions of CPUs and
        GPUs prefer.

    Raises
    ------
    InputError
        When the pixels do not have this shape or type, or other frames than the preparation says.
    """
    import torch

    tensor = pixels if isinstance(pixels, torch.Tensor) else _tensor(pixels)
    if tensor.dtype != torch.uint8 or tensor.ndim != 5:
        raise InputError(
            f"prepared pixels are {tensor.dtype} with shape {list(tensor.shape)}", expected="uint8 [N, T, S, S, C]"
        )
    seen = _seen(tensor, preparation, centre_crop)
    if centre_crop:
        seen = centre(seen, preparation.crop_size)
    if preparation.layout == "3d":
        return normalise(seen, preparation.normalise).permute(0, 4, 1, 2, 3)
    if preparation.layout == "frames_as_channels":
        return normalise(seen, preparation.normalise).permute(0, 2, 3, 1, 4).flatten(3).permute(0, 3, 1, 2)
    return normalise(seen.flatten(0, 1), preparation.normalise).permute(0, 3, 1, 2)


def _masks_batch(masks: "np.ndarray[Any, Any] | Tensor", preparation: "Preparation", centre_crop: bool) -> "Tensor":
    """Lay masks [N, T, S, S] out as :func:`to_batch` lays pixels out; of frames that are channels, where any has it."""
    import torch

    tensor = (masks if isinstance(masks, torch.Tensor) else _tensor(masks)).unsqueeze(-1)
    seen = _seen(tensor, preparation, centre_crop)
    if centre_crop:
        seen = centre(seen, preparation.crop_size)
    if preparation.layout == "frames_as_channels":
        seen = seen.amax(1, keepdim=True)
    layers = seen.to(torch.float32).movedim(-1, 1)
    return layers if preparation.layout == "3d" else layers.transpose(1, 2).flatten(0, 1)


def _seen(tensor: "Tensor", preparation: "Preparation", choose: bool) -> "Tensor":
    """Return the frames [N, T, S, S, C] that a network sees; ``choose``: out of the stored ones."""
    sampling = preparation.frames
    stored, count = (1, 1) if sampling is None else (sampling.stored, sampling.count)
    # Training hands a 2D network one frame of each clip at a time.
    expected = {stored} if choose else {count} if preparation.sees_all_frames else {1, count}
    if tensor.shape[1] not in expected:
        reason = "prepare.frames is not set" if sampling is None else "prepare.frames says so"
        raise InputError(f"the views have {tensor.shape[1]} frames", expected=f"{max(expected)}, because {reason}")
    if not choose or count == stored:
        return tensor
    return tensor[:, seen_frames(stored, count).tolist()]


def _tensor(pixels: "np.ndarray[Any, Any]") -> "Tensor":
    import numpy as np
    import torch

    # A read-only memory map cannot be shared with torch, which has no read-only tensors.
    return torch.from_numpy(np.array(pixels, copy=None if pixels.flags.writeable else True, order="C"))


def centre(pictures: "Tensor", size: int) -> "Tensor":
    """Return the middle ``size`` x ``size`` of pictures [..., H, W, C]; an odd remainder goes to the far side.

    Raises
    ------
    InputError
        When the pictures are smaller than ``size``.
    """
    height, width = pictures.shape[-3], pictures.shape[-2]
    if size > min(height, width):
        raise InputError(f"a crop of {size} pixels does not fit into {height} x {width}", expected="crop <= picture")
    top, left = (height - size) // 2, (width - size) // 2
    return pictures[..., top : top + size, left : left + size, :]


def normalise(views: "Tensor", method: str) -> "Tensor":
    """Scale the grey values of each picture or volume.

    Parameters
    ----------
    views : Tensor of uint8, shape [N, H, W, C] or [N, T, H, W, C]
        Pictures, or volumes of frames that are normalised together, so that a change of brightness in time is kept.
        C is normalised together, so colours keep their relation.
    method : str
        ``unit``: x / 255. ``z``: each view to mean 0 and standard deviation 1. ``percentile_z``: each view
        is clipped to its own 1st and 99th percentile first. Statistics are of the pixels given, painted black
        ones too. A view of one grey value becomes 0. ``imagenet``: x / 255 less ImageNet's mean, by its deviation.

    Returns
    -------
    Tensor of float32, of the same shape
        Normalised views.
    """
    import torch

    if method == "unit":
        # A division, not a product with 1/255: x / 255 is then the same number everywhere.
        return views.to(torch.float32).div_(255.0)
    if method == "imagenet":
        mean, deviation = (views.new_tensor(v, dtype=torch.float32) for v in (IMAGENET_MEAN, IMAGENET_DEVIATION))
        return views.to(torch.float32).div_(255.0).sub_(mean).div_(deviation)
    figures = _grey_statistics(views, method)
    low, high, mean, deviation = (value.view(-1, *[1] * (views.ndim - 1)) for value in figures)
    scaled = views.to(torch.float32)
    if method == "percentile_z":
        scaled = scaled.clamp_(low, high)
    return scaled.sub_(mean).div_(deviation)


def _grey_statistics(views: "Tensor", method: str) -> "tuple[Tensor, Tensor, Tensor, Tensor]":
    """Return (low, high, mean, deviation) of each view as float32 [N], from its exact histogram of 256 values.

    A histogram of whole numbers has no order of summation, so the figures are the same on every device.
    """
    import torch

    if method not in ("z", "percentile_z"):
        raise InputError(f"unknown normalisation '{method}'", expected="unit, z, percentile_z or imagenet")
    flat = views.flatten(1)
    count, pixels = flat.shape
    histogram = torch.zeros(count, 256, dtype=torch.int64, device=views.device)
    for row, view in enumerate(flat):
        histogram[row] = torch.bincount(view, minlength=256)  # of bytes: twenty times faster than of a batch at once
    grey = torch.arange(256, dtype=torch.float64, device=views.device).expand(count, 256)
    low, high = grey[:, 0], grey[:, 255]
    if method == "percentile_z":
        low, high = (_percentile(histogram, fraction) for fraction in PERCENTILES)
        # The picture is clipped in float32 below; its mean must be that of the same numbers.
        low, high = low.float().double(), high.float().double()
        grey = grey.clamp(low.unsqueeze(1), high.unsqueeze(1))
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
