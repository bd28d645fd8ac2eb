"""The parts of a picture around a lesion: its outline, a ring along it, the core within, what lies beyond."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.imaging.clip import Box

REGIONS: Final = ("lesion", "ring", "core", "tissue")
"""The whole outline; a band on both sides of it; what lies deeper; and of what lies beyond, what enhances as gland."""
OUTLINED: Final = ("lesion", "ring", "core")
RING: Final = 0.15
"""Half the width of the ring, in radii of the lesion (of the circle of its area), at least 2 pixels."""
REACH: Final = 0.6
"""How far from the outline the tissue beyond reaches, in radii: near enough to lie at the lesion's depth."""


def regions_of(lesion: NDArray[np.bool_]) -> dict[str, NDArray[np.bool_]]:
    """Return the masks [H, W] of :data:`REGIONS` around a lesion's mask [H, W]; tissue: all that is near enough."""
    inside = lesion.astype(np.uint8)
    radius = float(np.sqrt(np.count_nonzero(inside) / np.pi))
    width = max(2.0, RING * radius)
    depth = cv2.distanceTransform(cv2.copyMakeBorder(inside, 1, 1, 1, 1, cv2.BORDER_REPLICATE), cv2.DIST_L2, 5)
    depth, away = depth[1:-1, 1:-1], cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    return {
        "lesion": lesion,
        "ring": np.asarray((lesion & (depth <= width)) | (~lesion & (away <= width))),
        "core": np.asarray(lesion & (depth > width)),
        "tissue": np.asarray((away > width) & (away <= width + REACH * radius)),
    }


def ellipse_in(box: Box, width: int, height: int) -> NDArray[np.bool_]:
    """Return the ellipse in a box [H, W]: what is taken for the lesion where nobody drew its outline."""
    x0, y0, x1, y1 = box
    x = (np.arange(width) + 0.5 - (x0 + x1) / 2) / (x1 - x0)
    y = (np.arange(height) + 0.5 - (y0 + y1) / 2) / (y1 - y0)
    return np.asarray(x[None] ** 2 + y[:, None] ** 2 <= 0.25)
