"""Closed polygons as pixels: a pixel belongs to one when its centre does.

Coordinates are continuous, as drawing tools save them: the first pixel reaches from 0 to 1, its centre is 0.5.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from isthmus.cohort.outlines.outline import Drawer, OutlineUnusable, check_inside, mask_box
from isthmus.imaging.clip import Box

MOST_POINTS: Final = 5_000
"""A careful freehand outline has a few hundred."""

CROSSING_LOSS: Final = 0.02
"""Share of the area by which a crossing outline may contradict itself: the small loop where a freehand line meets its
beginning is no harm, a figure of eight has no certain inside."""


def read_points(content: Any) -> NDArray[np.float64]:
    """Turn [[x, y], …] into an array [N, 2], or refuse it."""
    if not isinstance(content, Sequence) or isinstance(content, str) or len(content) < 3:
        raise OutlineUnusable("a polygon has fewer than three points")
    if len(content) > MOST_POINTS:
        raise OutlineUnusable(f"a polygon has {len(content):,} points, more than {MOST_POINTS:,}")
    try:
        points = np.array(content, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise OutlineUnusable("a polygon's points are not pairs of numbers") from error
    if points.ndim != 2 or points.shape[1] != 2:
        raise OutlineUnusable("a polygon's points are not pairs of numbers")
    return points


def polygon(*parts: NDArray[np.float64]) -> Drawer:
    """Return a drawer of one lesion given by one polygon or several parts."""

    def draw(height: int, width: int) -> tuple[NDArray[np.bool_], Box]:
        mask = np.zeros((height, width), dtype=np.bool_)
        for points in parts:
            mask |= fill(points, height, width)
        return mask, mask_box(mask)

    return draw


def fill(points: NDArray[np.float64], height: int, width: int) -> NDArray[np.bool_]:
    """Return the pixels [H, W] inside a closed polygon.

    Raises
    ------
    OutlineUnusable
        When it is empty, leaves the picture, or crosses itself so that its inside is uncertain.
    """
    left, top = points.min(axis=0).tolist()
    right, bottom = points.max(axis=0).tolist()
    check_inside(left, top, right, bottom, height, width)
    area = abs(_signed_area(points))
    mask, inside = _scan(points, height, width)
    if inside == 0 and area < 1:
        raise OutlineUnusable("a polygon is empty: its points enclose no pixel")
    if abs(inside - area) > CROSSING_LOSS * max(inside, area) and crosses_itself(points):
        raise OutlineUnusable("a polygon crosses itself: what is inside is not certain")
    return mask


def _signed_area(points: NDArray[np.float64]) -> float:
    x, y = (points - points.mean(axis=0)).T
    return float(0.5 * np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))


def _scan(points: NDArray[np.float64], height: int, width: int) -> tuple[NDArray[np.bool_], float]:
    """Return the mask, and the area between the outermost turns of the line (non-zero winding), line by line."""
    mask = np.zeros((height, width), dtype=np.bool_)
    x, y = points.T
    next_x, next_y = np.roll(x, -1), np.roll(y, -1)
    inside = 0.0
    for line in range(max(int(np.floor(y.min())), 0), min(int(np.ceil(y.max())), height)):
        centre = line + 0.5
        down, up = (y <= centre) & (next_y > centre), (next_y <= centre) & (y > centre)
        hit = down | up
        if not hit.any():
            continue
        crossings = x[hit] + (centre - y[hit]) / (next_y[hit] - y[hit]) * (next_x[hit] - x[hit])
        order = np.argsort(crossings, kind="stable")
        winding = np.cumsum(np.where(down[hit], 1, -1)[order])
        starts, ends = crossings[order][:-1], crossings[order][1:]
        for start, end in zip(starts[winding[:-1] != 0], ends[winding[:-1] != 0], strict=True):
            inside += end - start
            mask[line, max(int(np.ceil(start - 0.5)), 0) : max(int(np.ceil(end - 0.5)), 0)] = True
    return mask, inside


def crosses_itself(points: NDArray[np.float64]) -> bool:
    """Return whether two sides of a closed polygon cross; touching and running back along a side do not count."""
    start, end = points, np.roll(points, -1, axis=0)
    for first in range(0, len(points), 256):
        a, b = start[first : first + 256, None], end[first : first + 256, None]
        apart = (_side(a, b, start) * _side(a, b, end) < 0) & (_side(start, end, a) * _side(start, end, b) < 0)
        if apart.any():
            return True
    return False


def _side(a: NDArray[np.float64], b: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    along, to = b - a, point - a
    cross: NDArray[np.float64] = along[..., 0] * to[..., 1] - along[..., 1] * to[..., 0]
    return np.sign(cross)


def ellipse(x: float, y: float, rx: float, ry: float, corners: int = 360) -> NDArray[np.float64]:
    """Return an ellipse as a polygon."""
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return np.column_stack([x + rx * np.cos(angle), y + ry * np.sin(angle)])


def turned_box(x0: float, y0: float, x1: float, y1: float, degrees: float) -> NDArray[np.float64]:
    """Return the corners of a box turned clockwise, as seen, about its centre."""
    centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]]) - centre
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turned: NDArray[np.float64] = corners @ np.array([[cos, sin], [-sin, cos]]) + centre
    return turned
