"""Prepared pictures made into what no ultrasound of the trained kind looks like, each from its own pixels.

They stand in for pictures from elsewhere where none may be looked at: a rule is chosen on them, never on a test set.
A picture that is all black (a modality that is absent) stays black.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

_SIDE: Final = 4
_COARSE: Final = 6


def blocks_shuffled(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Return pictures [T, S, S, C] cut into 4 x 4 blocks that change places: the texture stays, the anatomy goes."""
    size = pixels.shape[1] // _SIDE
    changed = pixels.copy()
    for place, source in enumerate(rng.permutation(_SIDE**2)):
        (row, column), (from_row, from_column) = divmod(place, _SIDE), divmod(int(source), _SIDE)
        changed[:, row * size : (row + 1) * size, column * size : (column + 1) * size] = pixels[
            :, from_row * size : (from_row + 1) * size, from_column * size : (from_column + 1) * size
        ]
    return changed


def inverted(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Return pictures with bright and dark exchanged: fluid is white, calcifications are black."""
    shown = pixels.reshape(len(pixels), -1).any(axis=1)
    changed = pixels.copy()
    changed[shown] = 255 - pixels[shown]
    return changed


def noise(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Return noise of no scale (1/f) with each picture's own grey values: no picture at all."""
    frames, height, width, channels = pixels.shape
    down, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    strength = 1 / np.maximum(np.hypot(down, across), 1 / max(height, width))
    waves = np.fft.rfft2(rng.normal(size=(height, width))) * strength
    order = np.argsort(np.fft.irfft2(waves, s=(height, width)).ravel(), kind="stable")
    flat = np.sort(pixels.reshape(frames, height * width, channels), axis=1)
    changed = np.empty_like(flat)
    changed[:, order] = flat
    return changed.reshape(pixels.shape)


def coarsened(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Return pictures of which only every sixth pixel is left: a device without fine speckle."""
    size = pixels.shape[1]
    places = np.minimum(np.arange(size) // _COARSE * _COARSE + _COARSE // 2, size - 1)
    return pixels[:, places][:, :, places]


ALTERATIONS: Final[dict[str, Callable[[Pixels, np.random.Generator], Pixels]]] = {
    "blocks shuffled": blocks_shuffled,
    "bright and dark exchanged": inverted,
    "noise": noise,
    "coarsened": coarsened,
}
