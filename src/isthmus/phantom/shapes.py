"""First-order signed distances (negative inside) to simple bodies: exact on the surface, good near it."""

import numpy as np

from isthmus.phantom.texture import Array, Number


def united(first: Array, second: Array, blend_mm: float) -> Array:
    """Return the distance to two bodies joined with a fillet of about ``blend_mm``."""
    share = np.clip(0.5 + (first - second) / np.float32(2 * blend_mm), 0, 1)
    return first + (second - first) * share - np.float32(blend_mm) * share * (1 - share)


def ellipse(u: Array, v: Array, a: float, b: float) -> Array:
    """Return the first-order signed distance to an ellipse with half axes ``a`` and ``b``."""
    level = np.sqrt((u / a) ** 2 + (v / b) ** 2) + np.float32(1e-6)
    slope = np.sqrt((u / a**2) ** 2 + (v / b**2) ** 2) + np.float32(1e-7)
    return np.asarray((level * (level - 1) / slope), dtype=np.float32)


def ellipsoid(u: Array, v: Array, w: Array, axes: tuple[float, float, float]) -> Array:
    """Return the first-order signed distance to an ellipsoid."""
    a, b, c = axes
    level = np.sqrt((u / a) ** 2 + (v / b) ** 2 + (w / c) ** 2) + np.float32(1e-6)
    slope = np.sqrt((u / a**2) ** 2 + (v / b**2) ** 2 + (w / c**2) ** 2) + np.float32(1e-7)
    return np.asarray((level * (level - 1) / slope), dtype=np.float32)


def stadium(u: Array, v: Array, length: float, half: Number) -> Array:
    """Return the distance to a flat band with tapering ends, of half length ``length`` and half thickness ``half``."""
    taper = np.sqrt(np.clip(1 - np.abs(u / length) ** 3, 0, 1))
    side = np.abs(v) - np.float32(half) * taper
    return np.asarray(np.maximum(side, np.abs(u) - np.float32(length)), dtype=np.float32)
