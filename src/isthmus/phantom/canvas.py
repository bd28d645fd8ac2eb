"""Painting tissues one over the other in an image plane, and the interfaces between them."""

from dataclasses import dataclass, field
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.phantom.materials import MATERIALS, Label
from isthmus.phantom.medium import Grid
from isthmus.phantom.texture import Array, Number

COARSE_MM: Final = (0.15, 0.3)
"""Pitch in depth and across of the grid on which slow fields are evaluated before they are enlarged."""
_EDGE_MM: Final = 0.25
_FACING: Final = 0.3
"""Spread (radians) of the angles at which an interface of unit roughness still reflects back to the probe."""


def coarse_grid(grid: Grid) -> Grid:
    """Return a grid of the same extent with about the coarse pitch, never finer than ``grid``."""
    rows = min(grid.rows, max(8, round(grid.depth_mm / COARSE_MM[0])))
    columns = min(grid.columns, max(8, round(grid.width_mm / COARSE_MM[1])))
    return Grid(grid.width_mm, grid.depth_mm, columns, rows)


def enlarge(values: NDArray[Any], grid: Grid, *, nearest: bool = False) -> NDArray[Any]:
    """Return a coarse field on ``grid`` (same extent, cell centres)."""
    if values.shape == (grid.rows, grid.columns):
        return values
    kind = cv2.INTER_NEAREST_EXACT if nearest else cv2.INTER_LINEAR
    return cv2.resize(values, (grid.columns, grid.rows), interpolation=kind)


@dataclass(eq=False)
class Canvas:
    """Fields [d, w] on the coarse grid of one plane, painted from deep to shallow in meaning, later over earlier."""

    grid: Grid
    level_db: Array = field(init=False)
    attenuation: Array = field(init=False)
    labels: NDArray[np.uint8] = field(init=False)
    interfaces: list[tuple[Array, Array]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        shape = (self.grid.rows, self.grid.columns)
        ground = MATERIALS[Label.CONNECTIVE]
        self.level_db = np.full(shape, ground.level_db, dtype=np.float32)
        self.attenuation = np.full(shape, ground.attenuation, dtype=np.float32)
        self.labels = np.zeros(shape, dtype=np.uint8)

    def paint(
        self,
        distance: Array,
        label: Label,
        texture_db: Number = 0.0,
        attenuation: Number | None = None,
        edge_mm: float = _EDGE_MM,
    ) -> None:
        """Lay a tissue where ``distance`` is negative, blending over ``edge_mm``.

        Parameters
        ----------
        distance : float32 array [d, w]
            Signed distance to the tissue's surface, mm.
        label : Label
            The tissue.
        texture_db : float32 array [d, w] or float
            Added to the tissue's level.
        attenuation : float32 array [d, w] or float, optional
            In place of the tissue's own.
        edge_mm : float
            Width of the transition.
        """
        if float(distance.min()) > edge_mm:
            return
        material = MATERIALS[label]
        share = np.clip(0.5 - distance / np.float32(edge_mm), 0, 1)
        self.level_db += share * (np.float32(material.level_db) + texture_db - self.level_db)
        own = np.float32(material.attenuation) if attenuation is None else attenuation
        self.attenuation += share * (own - self.attenuation)
        self.labels[np.broadcast_to(distance, self.labels.shape) < 0] = label

    def brighten(self, distance: Array, width_mm: float, gain_db: Number, *, darkest_db: float = -6.0) -> None:
        """Raise the backscatter to at least ``darkest_db`` plus ``gain_db`` along a sheath, most where it faces us."""
        whole = np.ascontiguousarray(np.broadcast_to(distance, self.labels.shape), dtype=np.float32)
        share = np.exp(-((whole / np.float32(width_mm)) ** 2)) * self._facing(whole)
        target = np.maximum(self.level_db, np.float32(darkest_db)) + gain_db
        self.level_db += share * (target - self.level_db)

    def _facing(self, distance: Array) -> Array:
        """Return the squared cosine between a surface's normal and the beam: collagen reflects along its normal."""
        down = cv2.Sobel(distance, cv2.CV_32F, 0, 1, ksize=1) * np.float32(self.grid.rows / self.grid.depth_mm)
        across = cv2.Sobel(distance, cv2.CV_32F, 1, 0, ksize=1) * np.float32(self.grid.columns / self.grid.width_mm)
        return np.asarray(down**2 / (down**2 + across**2 + np.float32(1e-9)), dtype=np.float32)

    def reflect(self, distance: Array, amplitude: Number) -> None:
        """Note a smooth interface at ``distance`` zero that reflects ``amplitude`` where it faces the probe."""
        whole = np.broadcast_to(np.asarray(amplitude, dtype=np.float32), self.labels.shape)
        self.interfaces.append((np.broadcast_to(distance, self.labels.shape), whole))

    def graze(self, distance: Array, attenuation: float, width_mm: float = 0.5) -> None:
        """Weaken the sound in a thin shell about a surface: who passes along it casts the edge shadow of refraction."""
        self.attenuation += np.float32(attenuation) * np.exp(-((distance / np.float32(width_mm)) ** 2))

    def hide(self, where: NDArray[np.bool_]) -> None:
        """Drop the interfaces noted so far where ``where``: something opaque or later lies there."""
        self.interfaces = [(distance, np.where(where, np.float32(0), gain)) for distance, gain in self.interfaces]

    def backscatter(self, grid: Grid) -> Array:
        """Return the amplitude of diffuse scattering on ``grid``."""
        amplitude = np.exp(self.level_db * np.float32(np.log(10) / 20))
        return np.asarray(enlarge(amplitude, grid), dtype=np.float32)

    def specular(self, grid: Grid) -> Array:
        """Return the interfaces as thin sheets on ``grid``: each crossing shared by the two rows it falls between."""
        sheet = np.zeros(grid.rows * grid.columns, dtype=np.float32)
        for distance, gain in self.interfaces:
            _deposit(sheet, grid, self.grid, distance, gain)
        return sheet.reshape(grid.rows, grid.columns)


def _deposit(sheet: Array, grid: Grid, coarse: Grid, distance: Array, gain: Array) -> None:
    """Add one interface to ``sheet``: find where each coarse column crosses zero, and follow the slope between them."""
    above, below = distance[:-1], distance[1:]
    row, column = np.nonzero((above <= 0) != (below <= 0))
    if not row.size:
        return
    step_z, step_x = coarse.depth_mm / coarse.rows, coarse.width_mm / coarse.columns
    start, end = above[row, column], below[row, column]
    share = start / (start - end)
    steep = (end - start) / np.float32(step_z)
    left, right = np.maximum(column - 1, 0), np.minimum(column + 1, coarse.columns - 1)
    across = (distance[row, right] - distance[row, left]) / (np.maximum(right - left, 1) * np.float32(step_x))
    slope = np.clip(-across / np.where(np.abs(steep) < 1e-3, np.float32(1e-3), steep), -4, 4)
    strength = gain[row, column] * np.exp(-((np.arctan(slope) / np.float32(_FACING)) ** 2) / 2)
    keep = strength > 0.02
    row, column, share, slope, strength = row[keep], column[keep], share[keep], slope[keep], strength[keep]
    depth = (row + 0.5 + share) * step_z
    x = (column + 0.5) * step_x
    fine_x, fine_z = grid.width_mm / grid.columns, grid.depth_mm / grid.rows
    first = np.ceil((x - step_x / 2) / fine_x - 0.5).astype(np.intp)
    for offset in range(int(np.ceil(step_x / fine_x)) + 1):
        target = first + offset
        centre = (target + 0.5) * fine_x
        inside = (centre < x + step_x / 2) & (target >= 0) & (target < grid.columns)
        place = (depth + slope * (centre - x)) / fine_z - 0.5
        upper = np.floor(place).astype(np.intp)
        inside &= (upper >= 0) & (upper < grid.rows - 1)
        part = (place - upper).astype(np.float32)
        for line, weight in ((upper, 1 - part), (upper + 1, part)):
            np.add.at(sheet, line[inside] * grid.columns + target[inside], (strength * weight)[inside])
