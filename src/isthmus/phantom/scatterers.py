"""Scatterers fixed in the tissue, slice by slice across an image plane."""

from collections import OrderedDict
from typing import Final

import numpy as np

from isthmus.phantom.medium import Field, Grid, Orientation

PITCH_MM: Final = 0.4
"""Between slices: below half the elevational resolution (1 to 3 mm) of the finest probe."""
_KEPT: Final = 12  # slices in memory: as many as the widest beam sums, so that a sweep draws each once


class FixedScatterers:
    """Standard normal strengths, keyed by tissue, orientation, slice and grid size.

    Sections across and along the neck draw independently where they cross, and so do grids of different size or step:
    only planes of one orientation and grid see the same speckle. Moving the picture sideways rolls the slice by whole
    columns, so that speckle stays with the tissue.

    Parameters
    ----------
    seed : int
        Of the tissue.
    orientation : str
        Of the planes.
    lateral_mm : float
        Of the picture's middle.
    kept : OrderedDict
        Slices drawn so far, shared by the planes of one tissue.
    """

    pitch_mm: float = PITCH_MM

    def __init__(
        self,
        seed: int,
        orientation: Orientation,
        lateral_mm: float,
        kept: OrderedDict[tuple[object, ...], Field] | None = None,
    ) -> None:
        self._seed = seed
        self._orientation = orientation
        self._lateral_mm = lateral_mm
        self._kept = OrderedDict() if kept is None else kept

    def slice(self, index: int, grid: Grid) -> Field:
        """Return standard normal strengths [D, W] of slice ``index``, read-only."""
        key = (self._orientation, index, grid)
        strengths = self._kept.get(key)
        if strengths is None:
            strengths = self._draw(index, grid)
            self._kept[key] = strengths
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(key)
        columns = round(self._lateral_mm * grid.columns / grid.width_mm)
        return np.roll(strengths, -columns, axis=1) if columns else strengths

    def _draw(self, index: int, grid: Grid) -> Field:
        orientation = 0 if self._orientation == "transverse" else 1
        keys = [self._seed, 101, orientation, index + 1_000_000, grid.rows, grid.columns]
        random = np.random.Generator(np.random.SFC64(np.random.SeedSequence(keys)))
        strengths = random.standard_normal((grid.rows, grid.columns), dtype=np.float32)
        strengths.flags.writeable = False
        return strengths
