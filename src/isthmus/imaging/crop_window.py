"""Which square of a picture a network gets: around the lesion, or around the ultrasound picture."""

from typing import NamedTuple

import numpy as np

from isthmus.errors import PictureError, RegionMissing
from isthmus.imaging.clip import Box, Clip
from isthmus.imaging.denoise import BORDER
from isthmus.imaging.preparation import Preparation
from isthmus.imaging.region import ScanArea, find_scan_area

Window = tuple[int, int, int, int]
"""``x0, y0, x1, y1`` in whole source pixels; may reach outside the frame."""


class Placed(NamedTuple):
    """A clip with its lesion, the square to be cut, and what of the frame is ultrasound picture."""

    clip: Clip
    window: Window
    region: Window


def place(clip: Clip, preparation: Preparation) -> Placed:
    """Return the square that a clip's lesion, or its scan area, asks for; whole pixels, the same for all frames.

    Raises
    ------
    RegionMissing
        When a lesion crop is asked for and the clip has no lesion.
    PictureError
        When the lesion lies wholly outside the scan area, or the scan area outside the frame.
    """
    lesion = _lesion_box(clip)
    if preparation.crop == "lesion" and lesion is None:
        raise RegionMissing(
            "a lesion crop was asked for and no lesion is given",
            where=clip.source or None,
            expected="a mask or a box",
            hint="draw one, or use a model whose preparation has crop: scan_area",
        )
    region = _region(clip, lesion)
    if preparation.crop == "lesion" and lesion is not None:
        _check_overlap(lesion, region, clip.source)
        return Placed(clip, _square(lesion, 1.0 + 2.0 * preparation.margin), region)
    return Placed(clip, _square(region, 1.0), region)


def _lesion_box(clip: Clip) -> Box | None:
    bounds = None if clip.lesion is None else clip.lesion.bounds()
    if bounds is None:
        return None
    height, width = clip.frames.shape[1:3]
    x0, y0, x1, y1 = bounds
    if x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height:
        raise PictureError(
            f"the lesion {_shown((x0, y0, x1, y1))} lies outside the {width} x {height} picture",
            where=clip.source or None,
            hint="check that it is given in this picture's own pixels",
        )
    return max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height))


def _region(clip: Clip, lesion: Box | None) -> Window:
    height, width = clip.frames.shape[1:3]
    if clip.scan_area is None:
        found = find_scan_area(clip.frames[0])
    else:
        found = ScanArea(clip.scan_area, clip.panels or (clip.scan_area,))
    box = found.box if lesion is None else found.panel_at((lesion[0] + lesion[2]) / 2, (lesion[1] + lesion[3]) / 2)
    # Pixels that are only partly inside stay outside: the neighbour's share of them is not tissue.
    x0, y0 = max(0, int(np.ceil(box[0]))), max(0, int(np.ceil(box[1])))
    x1, y1 = min(width, int(np.floor(box[2]))), min(height, int(np.floor(box[3])))
    if x1 <= x0 or y1 <= y0:
        raise PictureError(
            f"the scan area {_shown(box)} holds no pixel of the {width} x {height} picture", where=clip.source or None
        )
    return x0, y0, x1, y1


def _check_overlap(lesion: Box, region: Window, source: str) -> None:
    if lesion[0] >= region[2] or lesion[2] <= region[0] or lesion[1] >= region[3] or lesion[3] <= region[1]:
        raise PictureError(
            f"the lesion {_shown(lesion)} lies outside the scan area {_shown(region)}",
            where=source or None,
            hint="check that box, mask and scan area are in this picture's own pixels",
        )


def _shown(box: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in box)


def as_box(window: Window) -> Box:
    """Return a window as a box."""
    return float(window[0]), float(window[1]), float(window[2]), float(window[3])


def _square(box: tuple[float, ...], factor: float) -> Window:
    # Whole pixels: the window is then cut, not interpolated, and the affine is exact.
    side = max(1, round(max(box[2] - box[0], box[3] - box[1]) * factor))
    x0, y0 = (round((start + end - side) / 2.0) for start, end in ((box[0], box[2]), (box[1], box[3])))
    return x0, y0, x0 + side, y0 + side


def bordered(window: Window, region: Window, preparation: Preparation) -> Window | None:
    """Return what of a region speckle reduction sees of a window; None where the two do not meet."""
    border = 0 if preparation.denoise == "none" else BORDER
    x0, y0 = max(region[0], window[0] - border), max(region[1], window[1] - border)
    x1, y1 = min(region[2], window[2] + border), min(region[3], window[3] + border)
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None
