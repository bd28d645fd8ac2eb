"""Smooth random fields in three dimensions: the slow, speckle-free part of how tissue looks.

One lattice of smooth noise serves all fields; each takes its own stretch of it (``shift``) at its own scale, so that a
field is a function of position alone and neighbouring planes agree.
"""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float32]

_SIDE = 96  # voxels; the field repeats after 19 features, which no structure here is wide enough to show
_SMOOTHING = 1.5  # voxels
_FEATURE = 5.0  # voxels: full width at half maximum of the lattice's autocorrelation, 2.355 sqrt(2) _SMOOTHING


@cache
def _lattice() -> Array:
    white = np.random.Generator(np.random.PCG64(20240229)).standard_normal((_SIDE,) * 3, dtype=np.float32)
    smooth = ndimage.gaussian_filter(white, _SMOOTHING, mode="wrap")
    return ((smooth - smooth.mean()) / smooth.std()).astype(np.float32)


def draw_shift(random: np.random.Generator) -> Array:
    """Return a random stretch of the lattice, the ``shift`` of :func:`noise`."""
    return random.uniform(0, _SIDE, 3).astype(np.float32)


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
        np.mod(axis * np.float32(_FEATURE / scale) + start, np.float32(_SIDE))
        for axis, scale, start in zip((x, y, z), scale_mm, shift, strict=True)
    ]
    for axis in (0, 1):
        if steps[axis].size == 1:
            return _in_plane(axis, steps)
    together = np.broadcast_arrays(*steps)
    values = ndimage.map_coordinates(_lattice(), [part.ravel() for part in together], order=1, mode="grid-wrap")
    return values.reshape(together[0].shape)


def _in_plane(axis: int, steps: list[Array]) -> Array:
    """Sample the lattice where the coordinate ``axis`` is the same everywhere: blend two slices, then look up."""
    lattice = np.moveaxis(_lattice(), axis, 0)
    at = float(steps[axis].ravel()[0])
    below = int(at) % _SIDE
    share = at - int(at)
    section = (1 - share) * lattice[below] + share * lattice[(below + 1) % _SIDE]
    across, down = np.broadcast_arrays(steps[1 - axis], steps[2])
    flat = np.atleast_2d(across), np.atleast_2d(down)
    return cv2.remap(
        section.astype(np.float32),
        np.ascontiguousarray(flat[1]),
        np.ascontiguousarray(flat[0]),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    ).reshape(across.shape)


def fractal(x: Array, y: Array, z: Array, scale_mm: tuple[float, float, float], shift: Array) -> Array:
    """Return :func:`noise` of unit variance with features of ``scale_mm``, 0.45 and 0.2 of it: no scale of its own."""
    total = None
    for octave, (share, weight) in enumerate(((1.0, 0.74), (0.45, 0.54), (0.2, 0.4))):
        scales = (share * scale_mm[0], share * scale_mm[1], share * scale_mm[2])
        part = np.float32(weight) * noise(x, y, z, scales, shift + np.float32(31.0 * octave))
        total = part if total is None else total + part
    assert total is not None
    return total


def lines(x: Array, y: Array, z: Array, scale_mm: tuple[float, float, float], shift: Array, thinness: float) -> Array:
    """Return ridges, 1 along sheets where :func:`noise` is zero and falling to 0 away: septa, fibres, striations.

    ``thinness`` is the width of a sheet as a share of the distance between sheets, about 0.1 to 0.5.
    """
    field = noise(x, y, z, scale_mm, shift)
    return np.exp(-((field / np.float32(thinness)) ** 2))
