"""Where the beams run, and how what they bring becomes a picture with square pixels (scan conversion)."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.phantom.devices import Device
from isthmus.phantom.medium import Field, Grid
from isthmus.phantom.pulse import Profile

MOULDED_MM: Final = 15.0
"""Depth over which the skin's fit to a curved probe fades: tissue there follows the face, deeper tissue stays."""


@dataclass(frozen=True, eq=False)
class Beams:
    """The samples of all beams, row by row of equal range.

    Parameters
    ----------
    range_mm : float64 array [D]
        From the probe's face along the beam.
    step_mm : float
        Between rows.
    pitch_mm : float64 array [D]
        Between neighbouring beams, at each range.
    maps : two float32 arrays [D, W], or None
        Column and row of each sample in the medium's grid; None where they are its own.
    """

    range_mm: Profile
    step_mm: float
    pitch_mm: Profile
    maps: tuple[Field, Field] | None

    def sample(self, field: Field) -> Field:
        """Return a field of the medium [D, W] at the beams' samples [D, W]."""
        if self.maps is None:
            return field
        return _remap(field, self.maps, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)


@dataclass(frozen=True, eq=False)
class Conversion:
    """From beams, and from the medium's grid, to the picture.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the picture.
    spacing_mm : float
        Of its square pixels.
    left_mm, top_mm : float
        Of the middle of its first pixel: lateral, and below the middle of the probe's face (negative above).
    inside : bool array [H, W]
        What the beams cover.
    """

    shape: tuple[int, int]
    spacing_mm: float
    left_mm: float
    top_mm: float
    inside: NDArray[np.bool_]
    beam_maps: tuple[Field, Field]
    field_maps: tuple[Field, Field]

    def from_beams(self, values: Field, every: int = 1) -> Field:
        """Return values at one of ``every`` row of the beams' samples [D', W] as a picture [H, W]."""
        column, row = self.beam_maps
        kept = (row - np.float32((every - 1) // 2)) / np.float32(every)
        return _remap(values, (column, kept), cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)

    def from_field(self, field: NDArray[Any], order: int = 1) -> NDArray[Any]:
        """Return a field of the medium [D, W] as it lies in the picture [H, W]; 0 outside the scanned area.

        Parameters
        ----------
        field : array [D, W] or [D, W, C]
            bool, uint8, uint16, int16, float32 or float64.
        order : int
            0 takes the nearest (masks, labels), 1 interpolates.
        """
        kind = field.dtype
        source = field.view(np.uint8) if kind == np.bool_ else field
        method = cv2.INTER_NEAREST if order == 0 else cv2.INTER_LINEAR
        column, row = self.field_maps
        result = _remap(
            source, (column * field.shape[1] - 0.5, row * field.shape[0] - 0.5), method, cv2.BORDER_REPLICATE
        )
        result[~self.inside] = 0
        return result.astype(kind, copy=False) if kind != np.bool_ else result.view(np.bool_)

    def to_pixels(self, x_mm: float, z_mm: float) -> tuple[float, float]:
        """Return the (column, row) of a place in the picture's plane: lateral, and below the middle of the face."""
        return (x_mm - self.left_mm) / self.spacing_mm, (z_mm - self.top_mm) / self.spacing_mm


@lru_cache(maxsize=16)
def beams(device: Device, grid: Grid) -> Beams:
    """Return the beams of a device over a medium's grid."""
    step = grid.depth_mm / grid.rows
    ranges = (np.arange(grid.rows) + 0.5) * step
    pitch = device.footprint_mm / grid.columns
    if device.radius_mm is None:
        return Beams(ranges, step, np.full(grid.rows, pitch), None)
    starts = (np.arange(grid.columns) + 0.5) * pitch - device.footprint_mm / 2
    x, z = _along_beams(device, starts[None, :], ranges[:, None])
    column = (x / grid.width_mm + 0.5) * grid.columns - 0.5
    row = z / grid.depth_mm * grid.rows - 0.5
    maps = (column.astype(np.float32), row.astype(np.float32))
    return Beams(ranges, step, pitch * (1 + ranges / device.radius_mm), maps)


@lru_cache(maxsize=16)
def conversion(device: Device, grid: Grid) -> Conversion:
    """Return the scan conversion of a device for a medium's grid."""
    depth, half = grid.depth_mm, device.half_width_mm(grid.depth_mm)
    top = 0.0
    if device.geometry == "curved":
        radius = device.radius_mm or 0.0
        top = radius * (np.cos(device.footprint_mm / 2 / radius) - 1.0)
    spacing = (depth - top) / device.height
    width = round(2 * half / spacing)
    x = (np.arange(width)[None, :] + 0.5 - width / 2) * spacing
    z = top + (np.arange(device.height)[:, None] + 0.5) * spacing
    start, reach = to_beams(device, x, z)
    column, row = start / device.footprint_mm + 0.5, reach / depth
    inside = (column >= 0) & (column <= 1) & (row >= 0) & (row <= 1)
    down = z + _moulding(device, x, z) if device.geometry == "curved" else np.broadcast_to(z, inside.shape)
    across = np.broadcast_to(x / grid.width_mm + 0.5, inside.shape)
    return Conversion(
        shape=(device.height, width),
        spacing_mm=spacing,
        left_mm=float(x[0, 0]),
        top_mm=float(z[0, 0]),
        inside=inside,
        beam_maps=((column * grid.columns - 0.5).astype(np.float32), (row * grid.rows - 0.5).astype(np.float32)),
        field_maps=(across.astype(np.float32), (down / depth).astype(np.float32)),
    )


def _along_beams(device: Device, start: Profile, reach: Profile) -> tuple[Profile, Profile]:
    """Where in the medium a beam that starts at ``start`` along the face is after ``reach`` mm."""
    radius = device.radius_mm or np.inf
    if device.geometry == "trapezoid":
        angle = np.arctan(start / radius)
        return start + reach * np.sin(angle), reach * np.cos(angle)
    angle = start / radius
    x, z = (radius + reach) * np.sin(angle), (radius + reach) * np.cos(angle) - radius
    return x, z + _moulding(device, x, z)


def to_beams(device: Device, x: Profile, z: Profile, *, in_tissue: bool = False) -> tuple[Profile, Profile]:
    """Return the start along the face and the range, mm, of the beam sample at a place of the picture.

    With ``in_tissue`` the place is the medium's, before a curved probe has moulded the skin.
    """
    if device.radius_mm is None:
        start, reach = np.broadcast_arrays(x, z)
        return start, reach
    radius = device.radius_mm
    if in_tissue and device.geometry == "curved":
        tissue = z
        for _ in range(12):
            z = tissue - _moulding(device, x, z)
    if device.geometry == "trapezoid":
        slope = x / (z + radius)
        return slope * radius, z * np.hypot(1.0, slope)
    return np.arctan2(x, z + radius) * radius, np.hypot(x, z + radius) - radius


def _moulding(device: Device, x: Profile, z: Profile) -> Profile:
    """How much deeper than its place in the picture the tissue was, before a curved probe was pressed on the skin."""
    radius = device.radius_mm or np.inf
    reach = np.hypot(x, z + radius) - radius
    angle = np.arctan2(x, z + radius)
    return np.asarray(radius * (1 - np.cos(angle)) * np.exp(-np.maximum(reach, 0) / MOULDED_MM))


def _remap(values: NDArray[Any], maps: tuple[Field, Field], method: int, border: int) -> NDArray[Any]:
    return np.asarray(cv2.remap(values, maps[0], maps[1], method, borderMode=border))
