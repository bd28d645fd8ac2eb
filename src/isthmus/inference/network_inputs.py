"""What a network sees, computed without torch: an exported network starts in a fraction of the time that torch does.

The arithmetic is that of :mod:`isthmus.inference.batch`, number for number; a test holds the two together.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError
from isthmus.imaging.frames import seen_frames
from isthmus.imaging.preparation import Preparation
from isthmus.inference.batch import IMAGENET_DEVIATION, IMAGENET_MEAN, PERCENTILES

IMAGE: Final = "image"
LESION_MASK: Final = "lesion_mask"
PRESENT: Final = "present"
"""As in :mod:`isthmus.models.classifier`, whose import needs torch."""

Float32 = NDArray[np.float32]


def network_inputs(
    names: "tuple[str, ...]",
    pixels: "np.ndarray[Any, Any]",
    masks: "np.ndarray[Any, Any] | None",
    preparation: Preparation,
) -> dict[str, Float32]:
    """Return the inputs of a network by name, as :func:`isthmus.inference.batch.inputs_of` does.

    Parameters
    ----------
    names : tuple of str
        Which inputs it takes: ``image`` and perhaps ``lesion_mask``, or modalities and ``present``.
    pixels : uint8 array [N, T, S, S, C]
        Prepared.
    masks : uint8 or bool array [N, T, S, S], optional
        1 inside the lesion; needed where the network takes it.
    preparation : Preparation
        The one the network was trained with.

    Raises
    ------
    InputError
        When the pixels have another shape or type than the preparation says, or the masks are lacking.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 5:
        raise InputError(
            f"prepared pixels are {pixels.dtype} with shape {list(pixels.shape)}", expected="uint8 [N, T, S, S, C]"
        )
    if PRESENT in names:
        return _of_modalities(tuple(name for name in names if name != PRESENT), pixels, preparation)
    found = {IMAGE: _laid_out(pixels, preparation)}
    if LESION_MASK in names:
        if masks is None:
            raise InputError("the network needs the lesion's mask", expected="masks [N, T, S, S]")
        found[LESION_MASK] = _masks(masks, preparation)
    return found


def _of_modalities(
    modalities: tuple[str, ...], pixels: "np.ndarray[Any, Any]", preparation: Preparation
) -> dict[str, Float32]:
    if pixels.shape[1] != len(modalities):
        raise InputError(
            f"prepared pixels have the shape {list(pixels.shape)}",
            expected=f"[N, {len(modalities)}, S, S, C]: {', '.join(modalities)}",
        )
    found = {name: _laid_out(pixels[:, place : place + 1], preparation) for place, name in enumerate(modalities)}
    shown = pixels.reshape(*pixels.shape[:2], -1).any(axis=2)
    return {**found, PRESENT: np.asarray(shown, np.float32)}


def _laid_out(pixels: "np.ndarray[Any, Any]", preparation: Preparation) -> Float32:
    seen = _centre(_seen(pixels, preparation), preparation.crop_size)
    if preparation.layout == "3d":
        return np.ascontiguousarray(_normalised(seen, preparation.normalise).transpose(0, 4, 1, 2, 3))
    if preparation.layout == "frames_as_channels":
        scaled = _normalised(seen, preparation.normalise).transpose(0, 1, 4, 2, 3)
        return np.ascontiguousarray(scaled.reshape(len(scaled), -1, *scaled.shape[3:]))
    flat = seen.reshape(-1, *seen.shape[2:])
    return np.ascontiguousarray(_normalised(flat, preparation.normalise).transpose(0, 3, 1, 2))


def _masks(masks: "np.ndarray[Any, Any]", preparation: Preparation) -> Float32:
    seen = _centre(_seen(masks[..., None], preparation), preparation.crop_size)
    if preparation.layout == "frames_as_channels":
        seen = seen.max(axis=1, keepdims=True)
    layers = np.moveaxis(seen.astype(np.float32), -1, 1)
    if preparation.layout == "3d":
        return np.ascontiguousarray(layers)
    apart = layers.transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(apart.reshape(-1, *apart.shape[2:]))


def _seen(pixels: "np.ndarray[Any, Any]", preparation: Preparation) -> "np.ndarray[Any, Any]":
    """Return the frames [N, T, S, S, C] that a network sees, out of the stored ones."""
    sampling = preparation.frames
    stored, count = (1, 1) if sampling is None else (sampling.stored, sampling.count)
    if pixels.shape[1] != stored:
        reason = "prepare.frames is not set" if sampling is None else "prepare.frames says so"
        raise InputError(f"the views have {pixels.shape[1]} frames", expected=f"{stored}, because {reason}")
    return pixels if count == stored else pixels[:, seen_frames(stored, count)]


def _centre(pictures: "np.ndarray[Any, Any]", size: int) -> "np.ndarray[Any, Any]":
    height, width = pictures.shape[-3], pictures.shape[-2]
    if size > min(height, width):
        raise InputError(f"a crop of {size} pixels does not fit into {height} x {width}", expected="crop <= picture")
    top, left = (height - size) // 2, (width - size) // 2
    return pictures[..., top : top + size, left : left + size, :]


def _normalised(views: "np.ndarray[Any, Any]", method: str) -> Float32:
    """Scale the grey values of each picture or volume; see :func:`isthmus.inference.batch.normalise`."""
    scaled: Float32 = views.astype(np.float32)
    if method in ("unit", "imagenet"):
        scaled /= np.float32(255)
        if method == "imagenet":
            scaled -= np.asarray(IMAGENET_MEAN, np.float32)
            scaled /= np.asarray(IMAGENET_DEVIATION, np.float32)
        return scaled
    if method not in ("z", "percentile_z"):
        raise InputError(f"unknown normalisation '{method}'", expected="unit, z, percentile_z or imagenet")
    for row, view in enumerate(views):
        low, high, mean, deviation = _grey_statistics(view, method)
        if method == "percentile_z":
            np.clip(scaled[row], low, high, out=scaled[row])
        scaled[row] -= mean
        scaled[row] /= deviation
    return scaled


def _grey_statistics(view: "np.ndarray[Any, Any]", method: str) -> "tuple[np.float32, ...]":
    histogram = np.bincount(view.ravel(), minlength=256)
    grey = np.arange(256, dtype=np.float64)
    low, high = grey[0], grey[255]
    if method == "percentile_z":
        low, high = (np.float64(np.float32(_percentile(histogram, share))) for share in PERCENTILES)
        grey = grey.clip(low, high)
    mean = (histogram * grey).sum() / view.size
    deviation = np.sqrt((histogram * (grey - mean) ** 2).sum() / view.size)
    # A picture of one grey value: 0 / 1 instead of 0 / 0.
    return np.float32(low), np.float32(high), np.float32(mean), np.float32(deviation if deviation > 1e-6 else 1.0)


def _percentile(histogram: "np.ndarray[Any, Any]", share: float) -> float:
    cumulative = histogram.cumsum()
    position = share * (int(cumulative[-1]) - 1)
    below = int(position)
    low, high = (float(min((cumulative <= rank).sum(), 255)) for rank in (below, below + 1))
    return low + (position - below) * (high - low)
