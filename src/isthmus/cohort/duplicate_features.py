"""What a picture is recognised by: a small grey copy of its scan area and local features on it, also as mirrored.

Features are SIFT (D. Lowe, IJCV 60 (2004) 91-110) with a fixed upright direction: a scanner's pictures are mirrored and
cropped, not turned by a few degrees, and a free direction would make speckle alike. Mirroring and quarter turns permute
the numbers of an upright descriptor, so that features are computed once for all eight orientations.
"""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.imaging.clip import Box
from isthmus.imaging.region import brightest, find_scan_area

SIDE: Final = 200  # of a square as large as the small copy, in its pixels
FEATURES: Final = 300
ORIENTATIONS: Final = tuple(range(8))
"""Bit 1: left and right exchanged; bit 2: upside down; bit 4: rows and columns exchanged, before the others."""

_LONGEST = 8  # times as wide as high: a line of a bar, not a picture
_SQUARE = 0.03
_SQUEEZED = 1.4  # screens are 1.33 to 1.6 times as wide as high; features bear the rest
_SPREAD_WIDTH = 16.0
_FLAT = 4.0  # grey levels; what varies less, noise of a black picture, is not made to look like tissue
_CONTRAST, _EDGE = 0.005, 12.0


@dataclass(frozen=True, eq=False)
class Features:
    """A picture's small copy and its features.

    Parameters
    ----------
    small : uint8 array [h, w]
        The scan area, grey, about ``SIDE`` x ``SIDE`` pixels large.
    area : Box
        Of the picture, in its pixels, what the small copy shows.
    places : float32 array [N, 3]
        Column, line and size of each feature in the small copy.
    descriptors : uint8 array [N, 128]
    """

    small: NDArray[np.uint8]
    area: Box
    places: NDArray[np.float32]
    descriptors: NDArray[np.uint8]


def features_of(frame: NDArray[np.uint8]) -> list[Features]:
    """Return a frame's features; none where there is too little picture to recognise.

    Parameters
    ----------
    frame : uint8 array [H, W, C]
        One frame, grey or colour. A square one may be a wider picture that was squeezed for a network: it is also taken
        as that, and gives two.
    """
    area = find_scan_area(frame).box
    x0, y0, x1, y1 = (int(value) for value in area)
    grey = np.ascontiguousarray(brightest(frame[y0:y1, x0:x1]))
    height, width = grey.shape
    if max(height, width) > _LONGEST * min(height, width):
        return []
    square = abs(frame.shape[0] - frame.shape[1]) <= _SQUARE * frame.shape[0]
    return [_stretched(grey, area, stretch) for stretch in ((1.0, _SQUEEZED) if square else (1.0,))]


def _stretched(grey: NDArray[np.uint8], area: Box, stretch: float) -> Features:
    height, width = grey.shape
    factor = SIDE / (height * width) ** 0.5
    size = max(1, round(width * factor * stretch**0.5)), max(1, round(height * factor / stretch**0.5))
    resized = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    small = np.asarray(resized, np.uint8)
    places, descriptors = _sift(_evened(small))
    return Features(small, area, places, descriptors)


def oriented_descriptors(descriptors: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return the descriptors [N, 128] that the picture's features would have in another orientation.

    Parameters
    ----------
    descriptors : uint8 array [N, 128]
        4 lines by 4 columns of cells, 8 directions each.
    orientation : int
        One of :data:`ORIENTATIONS`.
    """
    cells = descriptors.reshape(-1, 4, 4, 8)
    directions = np.arange(8)  # times 45 degrees, counted upwards from the right
    if orientation & 4:
        cells = cells.transpose(0, 2, 1, 3)[..., (6 - directions) % 8]
    if orientation & 1:
        cells = cells[:, :, ::-1][..., (4 - directions) % 8]
    if orientation & 2:
        cells = cells[:, ::-1][..., -directions % 8]
    return np.ascontiguousarray(cells).reshape(-1, 128)


def oriented_places(features: Features, orientation: int) -> NDArray[np.float32]:
    """Return where the features [N, 3] lie in the small copy of another orientation."""
    x, y, size = features.places.T
    height, width = features.small.shape
    if orientation & 4:
        x, y, height, width = y, x, width, height
    if orientation & 1:
        x = width - 1 - x
    if orientation & 2:
        y = height - 1 - y
    return np.stack([x, y, size], axis=1)


def oriented_picture(picture: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return a picture [H, W] or [H, W, C] in another orientation."""
    if orientation & 4:
        picture = picture.swapaxes(0, 1)
    if orientation & 1:
        picture = picture[:, ::-1]
    if orientation & 2:
        picture = picture[::-1]
    return np.ascontiguousarray(picture)


def _evened(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the small copy with the same brightness and contrast everywhere: gain and gamma are no difference."""
    values = small.astype(np.float32)
    mean = cv2.GaussianBlur(values, (0, 0), _SPREAD_WIDTH)
    spread = np.sqrt(cv2.GaussianBlur((values - mean) ** 2, (0, 0), _SPREAD_WIDTH))
    result: NDArray[np.uint8] = np.clip(128 + 45 * (values - mean) / (spread + _FLAT), 0, 255).astype(np.uint8)
    return result


def _sift(evened: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    sift = cv2.SIFT.create(0, 3, _CONTRAST, _EDGE, 1.6, True)  # True: no shift of its enlarged copy
    distinct: dict[tuple[float, float, float], Any] = {}
    for point in sift.detect(evened, None):
        # One place may have several directions; all are upright here.
        distinct.setdefault((round(point.pt[0], 1), round(point.pt[1], 1), round(point.size, 1)), point)
    # Larger features outlast compression and rescaling.
    points = sorted(distinct.values(), key=lambda point: (-point.response * point.size, point.pt))[:FEATURES]
    for point in points:
        point.angle = 0.0
    if not points:
        return np.zeros((0, 3), np.float32), np.zeros((0, 128), np.uint8)
    kept, descriptors = sift.compute(evened, points)
    places = np.array([(*point.pt, point.size) for point in kept], np.float32)
    return places, np.asarray(descriptors).clip(0, 255).astype(np.uint8)
