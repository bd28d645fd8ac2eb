"""Speckle reduction at the source's resolution: median, non-local means, speckle reducing anisotropic diffusion."""

from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Denoise = Literal["none", "median", "srad", "nlm"]

_MEDIAN_WINDOW = 5
_NLM_STRENGTH = 10.0
_NLM_PATCH, _NLM_SEARCH = 7, 21
_SRAD_STEPS = 30
_SRAD_STEP_SIZE = 0.2  # below 0.25 the four-neighbour scheme is stable
_MAD_TO_SIGMA = 1.4826

BORDER = 32
"""Pixels around a window that take part in its denoising. For median and non-local means more would change nothing;
SRAD takes its speckle scale from window and border, and what diffuses in from further away is not seen."""

LOCAL: tuple[Denoise, ...] = ("none", "median", "nlm")
"""Methods of which a pixel depends on nothing further away than the border."""


def denoise(picture: NDArray[np.uint8], method: Denoise) -> NDArray[np.uint8]:
    """Reduce speckle in a picture [H, W, C], each channel by itself.

    Parameters
    ----------
    picture : uint8 array [H, W, C]
        At source resolution, before any resizing: speckle has its own size there.
    method : str
        ``none``; ``median`` (5 x 5); ``srad``; ``nlm`` (non-local means, 7 x 7 patches in 21 x 21, h = 10 grey
        levels: for speckle of about that spread, as on displays; stronger speckle stays).

    Returns
    -------
    uint8 array [H, W, C]
    """
    if method == "none":
        return picture
    channels = [np.ascontiguousarray(picture[..., channel]) for channel in range(picture.shape[2])]
    return np.stack([_METHODS[method](channel) for channel in channels], axis=-1)


def _median(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.medianBlur(grey, _MEDIAN_WINDOW), dtype=np.uint8)


def _nlm(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    smooth = cv2.fastNlMeansDenoising(
        grey, h=_NLM_STRENGTH, templateWindowSize=_NLM_PATCH, searchWindowSize=_NLM_SEARCH
    )
    return np.asarray(smooth, dtype=np.uint8)


def _srad(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    # One grey level is added because the method divides by intensity.
    smooth = srad(grey.astype(np.float32) + 1.0)
    return np.asarray(np.clip(np.rint(smooth - 1.0), 0, 255), dtype=np.uint8)


_METHODS = {"median": _median, "nlm": _nlm, "srad": _srad}


def srad(
    intensity: NDArray[np.float32], steps: int = _SRAD_STEPS, step_size: float = _SRAD_STEP_SIZE
) -> NDArray[np.float32]:
    """Speckle reducing anisotropic diffusion: smooths where speckle is fully developed, halts at edges.

    Parameters
    ----------
    intensity : float32 array [H, W]
        Positive.
    steps : int
        Explicit steps in time.
    step_size : float
        Below 0.25.

    Returns
    -------
    float32 array [H, W]

    References
    ----------
    Yu Y, Acton ST. Speckle reducing anisotropic diffusion. IEEE Trans Image Process 2002;11:1260-70 (equations 31 to
    35). The speckle scale q0, there taken from a homogeneous region that a user marks, is here the robust standard
    deviation (1.4826 MAD) of the gradient of log intensity, found anew at each step.

    Notes
    -----
    With d the neighbour differences and I the intensity, ``q^2 = (|grad I|^2 / 2 I^2 - (lap I / I)^2 / 16) /
    (1 + lap I / 4 I)^2`` and ``c = 1 / (1 + (q^2 - q0^2) / (q0^2 (1 + q0^2)))``; ``I += step/4 div(c grad I)``.
    """
    image = intensity.astype(np.float32, copy=True)
    for _ in range(steps):
        padded = np.pad(image, 1, mode="edge")
        south, east = padded[2:, 1:-1] - image, padded[1:-1, 2:] - image
        north, west = padded[:-2, 1:-1] - image, padded[1:-1, :-2] - image
        gradient = (south**2 + east**2 + north**2 + west**2) / (2.0 * image**2)
        laplacian = (south + east + north + west) / image
        variation = np.maximum(gradient / 2.0 - laplacian**2 / 16.0, 0.0) / (1.0 + laplacian / 4.0) ** 2
        conduction = _conduction(variation, _speckle_scale(image))
        below = np.pad(conduction, ((0, 1), (0, 0)), mode="edge")[1:]
        right = np.pad(conduction, ((0, 0), (0, 1)), mode="edge")[:, 1:]
        image += step_size / 4.0 * (below * south + conduction * north + right * east + conduction * west)
    return image


def _conduction(variation: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    squared = scale**2
    conduction: NDArray[np.float32] = 1.0 / (1.0 + (variation - squared) / (squared * (1.0 + squared)))
    return np.clip(conduction, 0.0, 1.0, out=conduction)


def _speckle_scale(image: NDArray[np.float32]) -> float:
    logarithm: NDArray[Any] = np.log(image)
    slope = np.hypot(*np.gradient(logarithm)) if min(image.shape) > 1 else np.abs(logarithm)
    spread = float(np.median(np.abs(slope - np.median(slope)))) * _MAD_TO_SIGMA
    return max(spread, 1e-3)
