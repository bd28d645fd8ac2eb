"""What a scanner wrote around and into a picture is painted black: it may name the patient.

Outside the scan area everything goes. Inside it whatever looks like a word goes, a box a word: names are typed there
too, and no program here reads letters. Calipers, arrows and body marks stand alone, and stay.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.imaging.clip import Box
from isthmus.imaging.marks import find_burned_in_text
from isthmus.imaging.region import brightest

_LOWEST, _HIGHEST = 7, 0.08  # a letter's height: pixels; share of the frame's shorter side
# Shares of a letter's height.
_WIDE = 1.5  # letters that touch are one mark, wider than high
_TALL = 0.8
_NARROW = 0.15  # the letter I
_GAP = 1.0
_LEVEL = 0.35
_COLOURED_LEVELS, _COLOURED_SHARE = 60, 0.1
_HALO = 0.35  # descenders, accents and the shine of JPEG around letters


def find_words(frame: NDArray[np.uint8], within: Box, *, colour_is_signal: bool = False) -> list[Box]:
    """Find what looks like words or numbers in a picture: marks of one height, side by side.

    Parameters
    ----------
    frame : uint8 array [H, W, C]
        One frame, grey or colour.
    within : Box
        Where to look.
    colour_is_signal : bool
        Whether coloured marks are flow or stiffness, and no letters.

    Returns
    -------
    list of Box
        One box a word, with a rim around it, inside the frame. As in
        :func:`isthmus.imaging.marks.find_burned_in_text`, grey text dimmer than 50 levels above its surroundings is
        not found.
    """
    height, width = frame.shape[:2]
    marks = find_letters(frame, within, colour_is_signal=colour_is_signal)
    letters = [mark for mark in marks if _is_word(frame, mark) or any(_beside(mark, other) for other in marks)]
    # Two lines whose letters touch are one high mark; what stands in line with a word belongs to it.
    letters += [mark for mark in marks if mark not in letters and any(_in_line(mark, word) for word in letters)]
    return [_with_rim(mark, height, width) for mark in letters]


def find_letters(frame: NDArray[np.uint8], within: Box, *, colour_is_signal: bool = False) -> list[Box]:
    """Find marks of the size of letters, which calipers and arrows have too; arguments as :func:`find_words`."""
    highest = _HIGHEST * min(frame.shape[:2])
    marks = [
        box
        for box in find_burned_in_text(frame, within)
        if _LOWEST <= box[3] - box[1] <= highest and box[2] - box[0] >= _NARROW * (box[3] - box[1])
    ]
    return [box for box in marks if not (colour_is_signal and _is_coloured(frame[_part(box)]))]


def _is_coloured(part: NDArray[np.uint8]) -> bool:
    levels = part.astype(np.int16)
    return bool(np.mean(levels.max(axis=2) - levels.min(axis=2) > _COLOURED_LEVELS) > _COLOURED_SHARE)


def _is_word(frame: NDArray[np.uint8], mark: Box) -> bool:
    x0, y0, x1, y1 = map(int, mark)
    if x1 - x0 >= _WIDE * (y1 - y0):
        return True
    # Two narrow letters, such as LI, are no wider than a caliper; but they are two.
    grey = brightest(frame[y0:y1, x0:x1]).astype(np.int16)
    _, _, strokes, _ = cv2.connectedComponentsWithStats((2 * grey > grey.min() + grey.max()).astype(np.uint8))
    return int(np.count_nonzero(strokes[1:, cv2.CC_STAT_HEIGHT] >= _TALL * (y1 - y0))) > 1


def _beside(mark: Box, other: Box) -> bool:
    high = max(mark[3] - mark[1], other[3] - other[1])
    level = abs(mark[1] - other[1]) <= _LEVEL * high and abs(mark[3] - other[3]) <= _LEVEL * high
    letters = all(box[2] - box[0] >= _NARROW * high for box in (mark, other))
    return mark is not other and level and letters and 0 <= _gap(mark, other) <= _GAP * high


def _in_line(mark: Box, word: Box) -> bool:
    shared = min(mark[3], word[3]) - max(mark[1], word[1])
    return 2 * shared >= word[3] - word[1] and _gap(mark, word) <= 2 * _GAP * (word[3] - word[1])


def _gap(mark: Box, other: Box) -> float:
    return max(other[0] - mark[2], mark[0] - other[2])


def _with_rim(mark: Box, height: int, width: int) -> Box:
    rim = _HALO * (mark[3] - mark[1])
    x0, y0, x1, y1 = (int(value) for value in (mark[0] - rim, mark[1] - rim, mark[2] + rim + 1, mark[3] + rim + 1))
    return float(max(0, x0)), float(max(0, y0)), float(min(width, x1)), float(min(height, y1))


def painted(frame: NDArray[np.uint8], keep: Sequence[Box], words: Sequence[Box]) -> NDArray[np.uint8]:
    """Return a frame of the same size, black outside the boxes to keep and in the words.

    Parameters
    ----------
    frame : uint8 array [H, W, C]
        One frame.
    keep : sequence of Box
        The scan area, or its panels.
    words : sequence of Box
        From :func:`find_words`.

    Returns
    -------
    uint8 array [H, W, C]

    Examples
    --------
    >>> painted(np.full((2, 4, 1), 9, np.uint8), [(1, 0, 4, 2)], [(3, 0, 4, 1)])[..., 0].tolist()
    [[0, 9, 9, 0], [0, 9, 9, 9]]
    """
    result = np.zeros_like(frame)
    for box in keep:
        part = _part(box)
        result[part] = frame[part]
    for box in words:
        result[_part(box)] = 0
    return result


def _part(box: Box) -> tuple[slice, slice]:
    x0, y0, x1, y1 = (round(max(0.0, value)) for value in box)
    return slice(y0, y1), slice(x0, x1)
