"""What a scanner drew over the ultrasound picture itself: letters, ticks, calipers, arrows, coloured marks.

Speckle is smooth from column to column; what is drawn is bright, thin, and sharp from one column to the next.
"""

import functools
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.imaging.clip import Box
from isthmus.imaging.region import brightest, odd_length

# Marks drawn over tissue. On the scan areas of 480 DDTI pictures 50 levels find 1,299 grey marks, of which about 2 are
# speckle; 40 levels find 200 more, of which one in four is.
_MARK_LEVELS = 50
_MARK_STROKE = 0.02
_MARK_LARGEST = 0.15
_MARK_PIXELS, _MARK_HEIGHT = 6, 5
_COLOURED_LEVELS, _COLOURED_PIXELS = 60, 4
_MARK_HALO, _MARK_REACH = 3, 3


def find_burned_in_text(frame: NDArray[np.uint8], within: Box | None = None) -> list[Box]:
    """Find what the scanner wrote into a picture: letters, digits, calipers, arrows, coloured marks.

    Parameters
    ----------
    frame : uint8 array [H, W, C]
        One frame, grey or colour.
    within : Box, optional
        Where to look, for example a scan area or a lesion crop; the whole frame by default.

    Returns
    -------
    list of Box
        One box a mark (letters of a word may share one), top to bottom, in pixels of the whole frame. Large coloured
        areas (colour Doppler) are not marks. Grey text dimmer than 50 levels above its surroundings is not found.
    """
    height, width = frame.shape[:2]
    x0, y0, x1, y1 = (0, 0, width, height) if within is None else map(round, within)
    x0, y0, x1, y1 = max(0, x0), max(0, y0), min(width, x1), min(height, y1)
    if x1 <= x0 or y1 <= y0:
        return []
    part = frame[y0:y1, x0:x1]
    grey = brightest(part)
    # Channel by channel: NumPy's reduction over an axis of three takes ten times as long.
    coloured = grey - functools.reduce(np.minimum, np.moveaxis(part, 2, 0)) > _COLOURED_LEVELS
    marked = _sharp_strokes(grey, max(7, odd_length(_MARK_STROKE, frame.shape[:2]))) | coloured
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(cv2.dilate(marked.astype(np.uint8), np.ones((5, 5))))
    largest = _MARK_LARGEST * min(height, width)
    found = []
    for label, (x, y, w, h, _) in enumerate(statistics[1:].tolist(), start=1):
        own = labels[y : y + h, x : x + w] == label
        pixels = marked[y : y + h, x : x + w] & own
        columns, lines = np.flatnonzero(pixels.any(axis=0)), np.flatnonzero(pixels.any(axis=1))
        colour = np.count_nonzero(coloured[y : y + h, x : x + w] & own)
        drawn = np.count_nonzero(pixels) >= _MARK_PIXELS and len(lines) >= _MARK_HEIGHT
        if (drawn or colour >= _COLOURED_PIXELS) and not (colour and min(w, h) > largest):
            left, top = x0 + x + int(columns[0]), y0 + y + int(lines[0])
            found.append((float(left), float(top), float(left + np.ptp(columns) + 1), float(top + np.ptp(lines) + 1)))
    return sorted(found, key=lambda box: (box[1], box[0]))


def find_still_marks(frames: NDArray[np.uint8], within: Box) -> list[Box]:
    """Find what the scanner wrote into a clip: marks that stand still while the tissue moves.

    Parameters
    ----------
    frames : uint8 array [T, H, W, C]
        Of one clip; of a single frame everything stands still.
    within : Box
        Where to look.

    Returns
    -------
    list of Box
        As :func:`find_burned_in_text`, in what is bright in every frame. A bright speck that moves through is none, and
        neither is a mark that only some frames show.
    """
    return find_burned_in_text(frames.min(axis=0), within)


def fill_marks(frame: NDArray[np.uint8], found: Sequence[Box], within: Box) -> NDArray[np.uint8]:
    """Return a frame in which these marks are filled in from the tissue around them.

    Parameters
    ----------
    frame : uint8 array [H, W, C]
        One frame, grey or colour.
    found : sequence of Box
        The marks.
    within : Box
        Only pixels in it are looked at and changed.

    Returns
    -------
    uint8 array [H, W, C]
        The same array where there are no marks. Filled by A. Telea, Journal of Graphics Tools 9 (2004) 23-34.
    """
    if not found:
        return frame
    x0, y0, x1, y1 = (round(value) for value in within)
    x0, y0, x1, y1 = max(0, x0), max(0, y0), min(frame.shape[1], x1), min(frame.shape[0], y1)
    part = np.ascontiguousarray(frame[y0:y1, x0:x1])
    mask = np.zeros(part.shape[:2], np.uint8)
    for left, top, right, bottom in found:
        # JPEG spreads a mark's edge over its neighbours.
        columns = slice(max(0, int(left) - x0 - _MARK_HALO), int(right) - x0 + _MARK_HALO)
        mask[max(0, int(top) - y0 - _MARK_HALO) : int(bottom) - y0 + _MARK_HALO, columns] = 1
    erased = frame.copy()
    erased[y0:y1, x0:x1] = cv2.inpaint(part, mask, _MARK_REACH, cv2.INPAINT_TELEA).reshape(part.shape)
    return erased


def _sharp_strokes(grey: NDArray[np.uint8], stroke: int) -> NDArray[np.bool_]:
    thin = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, np.ones((1, stroke), np.uint8)) > _MARK_LEVELS
    step = np.abs(np.diff(grey.astype(np.int16), axis=1)) > _MARK_LEVELS
    sharp = np.pad(step, ((0, 0), (0, 1))) | np.pad(step, ((0, 0), (1, 0)))
    result: NDArray[np.bool_] = thin & sharp
    return result
