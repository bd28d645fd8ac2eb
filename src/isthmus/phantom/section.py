"""Where the points of an image plane lie: in the neck, and against a nodule that a tilt has turned."""

import numpy as np

from isthmus.phantom.medium import Grid, Plane
from isthmus.phantom.texture import Array

Section = tuple[Array, Array, Array]
"""Positions x, y, z that broadcast to a grid; x or y is one number."""


def in_neck(grid: Grid, plane: Plane, centre: Array) -> Section:
    """Return tissue coordinates of a grid's points; ``centre`` is the nodule's."""
    along, z = grid.x_mm[None, :] + np.float32(plane.lateral_mm), grid.z_mm[:, None]
    offset = np.full((1, 1), plane.offset_mm, dtype=np.float32)
    if plane.orientation == "transverse":
        return along + centre[0], offset + centre[1], z
    return offset + centre[0], along + centre[1], z


def in_nodule(grid: Grid, plane: Plane, centre: Array) -> Section:
    """Return coordinates from the nodule's centre, turned with it."""
    x, y, z = (part - middle for part, middle in zip(in_neck(grid, plane, centre), centre, strict=True))
    turn = np.deg2rad(plane.tilt_degrees)
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    if plane.orientation == "transverse":
        return cos * x + sin * z, y, cos * z - sin * x
    return x, cos * y + sin * z, cos * z - sin * y


def seen(positions: Array, plane: Plane, depth_mm: float) -> tuple[Array, Array, Array]:
    """Return lateral position and depth in the picture, and elevation from the plane, of points [N, 3] of the nodule.

    The inverse of :func:`in_nodule`; ``depth_mm`` is the depth of the nodule's centre.
    """
    along, away = (0, 1) if plane.orientation == "transverse" else (1, 0)
    turn = np.deg2rad(plane.tilt_degrees)
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    u, w = positions[:, along], positions[:, 2]
    lateral = cos * u - sin * w - np.float32(plane.lateral_mm)
    return lateral, sin * u + cos * w + np.float32(depth_mm), positions[:, away] - np.float32(plane.offset_mm)
