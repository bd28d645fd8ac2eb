"""Smooth random fields in three dimensions: the slow, speckle-free part of how tissue looks.

One lattice of smooth noise serves all fields; each takes its own stretch of it (``shift``) at its own scale, so that a
field is a function of position alone and neighbouring planes agree.
"""

from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.floating[Any]]
"""Real fields: float32 throughout, though operators with Python numbers lose sight of it."""
Number = Array | np.floating[Any] | float

_SIDE = 96  # voxels; the field repeats after 19 features, which no structure here is wide enough to show
_SMOOTHING = 1.5  # voxels
_FEATURE = 5.0  # voxels: full width at half maximum of the lattice's autocorrelation, 2.355 sqrt(2) _SMOOTHING


@cache
def _lattice() -> Array:
    white = np.random.Generator(np.random.PCG64(20240229)).standard_normal((_SIDE,) * 3, dtype=np.float32)
    smooth = ndimage.gaussian_filter(white, _SMOOTHING, mode="wrap")
    return np.asarray((smooth - smooth.mean()) / smooth.std(), dtype=np.float32)


def draw_shift(random: np.random.Generator) -> Array:
    """Return a random stretch of the lattice, the ``shift`` of :func:`noise`."""
    return np.asarray(random.uniform(0, _SIDE, 3), dtype=np.float32)


def noise(x: Array, y: Array, z: Array, scale_mm: tuple[float, float, float], shift: Array) -> Array:
    """Return smooth noise of mean 0 and variance about 1 at positions in space.

    Parameters
    ----------
    x, y, z : float32 arrays
        Positions in mm that broadcast against each other. Quick where ``x`` or ``y`` is one number, as in an image
        plane.
    scale_mm : tuple of three floats
        Width of a feature (full width at half maximum of the autocorrelation) along x, y and z.
    shift : float32 array [3]
        Of :func:`draw_shift`.
    """
    steps = [
        axis * np.float32(_FEATURE / scale) + start
        for axis, scale, start in zip((x, y, z), scale_mm, shift, strict=True)
    ]
    for axis in (0, 1):
        if steps[axis].size == 1:
            return _in_plane(axis, steps)
    together = np.broadcast_arrays(*steps)
    values = ndimage.map_coordinates(_lattice(), [part.ravel() for part in together], order=1, mode="grid-wrap")
    return np.asarray(values.reshape(together[0].shape), dtype=np.float32)


def _in_plane(axis: int, steps: list[Array]) -> Array:
    """Sample the lattice where the coordinate ``axis`` is the same everywhere: blend two slices, then look up."""
    lattice = np.moveaxis(_lattice(), axis, 0)
    at = float(steps[axis].ravel()[0]) % _SIDE
    below = int(at) % _SIDE
    share = np.float32(at - int(at))
    section = (1 - share) * lattice[below] + share * lattice[(below + 1) % _SIDE]
    across, down = np.broadcast_arrays(steps[1 - axis], steps[2])
    places, repeats = [], []
    for part in (down, across):  # repeating the slice itself is quicker than looking up beyond its border
        start = np.float32(np.floor(part.min() / _SIDE) * _SIDE)
        places.append(np.ascontiguousarray(np.atleast_2d(part - start), dtype=np.float32))
        repeats.append(int((part.max() - start + 1) // _SIDE) + 1)
    values = cv2.remap(np.tile(section, repeats[::-1]), places[0], places[1], cv2.INTER_LINEAR)
    return np.asarray(values.reshape(across.shape), dtype=np.float32)


def fractal(x: Array, y: Array, z: Array, scale_mm: tuple[float, float, float], shift: Array) -> Array:
    """Return :func:`noise` of unit variance with features of ``scale_mm``, 0.45 and 0.2 of it: no scale of its own."""

    def octave(number: int, share: float) -> Array:
        scales = (share * scale_mm[0], share * scale_mm[1], share * scale_mm[2])
        return noise(x, y, z, scales, shift + np.float32(31 * number))

    weighted = np.float32(0.74) * octave(0, 1.0) + np.float32(0.54) * octave(1, 0.45)
    return np.asarray(weighted + np.float32(0.4) * octave(2, 0.2), dtype=np.float32)


def glints(x: Array, y: Array, z: Array, shift: Array) -> Array:
    """Return sparse short streaks along the layers, 0 in six of seven places and up to about 2.

    Fibres, colloid and clustered follicles: they skew the grey of real glands towards bright.
    """
    return np.asarray(np.maximum(noise(x, y, z, (0.9, 1.2, 0.4), shift) - np.float32(1.0), 0), dtype=np.float32)


def lines(x: Array, y: Array, z: Array, scale_mm: tuple[float, float, float], shift: Array, thinness: float) -> Array:
    """Return ridges, 1 along sheets where :func:`noise` is zero and falling to 0 away: septa, fibres, striations.

    ``thinness`` is the width of a sheet as a share of the distance between sheets, about 0.1 to 0.5.
    """
    field = noise(x, y, z, scale_mm, shift)
    return np.asarray(np.exp(-((field / np.float32(thinness)) ** 2)))
