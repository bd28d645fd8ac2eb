"""The colour bar that a scanner draws beside a picture: what its colours are, from the lowest value to the highest.

A bar is a slim rectangle of colour in which every line across is of one colour, and the colour changes along it. It is
the picture's own word on how values became colours, so nothing has to be known of the maker.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.errors import PictureError
from isthmus.imaging.clip import Box

_COLOURED: Final = 60  # largest less smallest channel; JPEG leaves up to 40 at the edges of white letters
_SAME: Final = 20  # between neighbours across; JPEG of quality 75 leaves up to 15 in a bar
_NARROWEST, _SLIMMEST = 3, 3.0  # pixels; times as long as wide
_LONGEST_WIDTH: Final = 0.1  # of the frame's shorter side
_SHORTEST: Final = 0.06  # of the side that it lies along, and 24 pixels
_SHORTEST_PIXELS: Final = 24
_FILL: Final = 0.8  # ticks and letters may cut into it
_STEP, _GREY = 12.0, 6.0  # CIELAB distance between lines of a bar; chroma of its palest end
_KNOTS: Final = 24  # places along the bar at which colours are compared
_LEAST_PATH: Final = 120.0  # CIELAB distance from end to end along the bar; the amber of contrast modes has 110
_RIM, _BLURRED = 3, 12.0  # lines at an end that JPEG mixes with the screen, and how far in CIELAB
_REPEATED, _APART = 8.0, 4  # CIELAB distance below which two knots are the same colour; how many knots may be


@dataclass(frozen=True, eq=False)
class ColourBar:
    """A colour bar.

    Parameters
    ----------
    box : Box
        Where it lies.
    colours : uint8 array [N, 3]
        Red, green, blue along it, from the foot (of a lying bar: the left end) to the head.
    """

    box: Box
    colours: NDArray[np.uint8]


def lab(colours: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the CIELAB coordinates (L 0 to 100) of sRGB colours [..., 3]."""
    flat = (colours.reshape(-1, 1, 3) / np.float32(255)).astype(np.float32)
    return np.asarray(cv2.cvtColor(flat, cv2.COLOR_RGB2LAB), np.float32).reshape(colours.shape)


def find_colour_bar(frame: NDArray[np.uint8]) -> ColourBar:
    """Find the colour bar on a screen.

    Parameters
    ----------
    frame : uint8 array [H, W, 3]
        The whole screen: a crop of the tissue alone has lost the bar.

    Raises
    ------
    PictureError
        When there is none, or its colours come twice, as those of a flow scale do: then a colour does not tell a value.
    """
    found = []
    if frame.shape[2] == 3:
        found = [*_upright(frame), *(_laid(bar, frame.shape[1]) for bar in _upright(np.rot90(frame)))]
    if not found:
        raise PictureError(
            "no colour bar is seen beside the picture",
            expected="a bar of colours from the lowest value to the highest",
            hint="export the whole screen; a bar whose ends are grey is not recognised",
        )
    longest = sorted(found, key=lambda bar: len(bar.colours), reverse=True)
    for bar in longest:
        if not _repeats(bar.colours):
            return bar
    raise PictureError(
        "the colours of its bar come twice, as those of a flow scale do", expected="a colour for each stiffness"
    )


def _upright(frame: NDArray[np.uint8]) -> list[ColourBar]:
    """Return the bars that stand, the highest value at the top."""
    height, width = frame.shape[:2]
    coloured = np.ptp(frame, axis=2) >= _COLOURED
    across = np.abs(np.diff(frame.astype(np.int16), axis=1)).max(axis=2) <= _SAME
    even = np.zeros((height, width), np.bool_)
    even[:, 1:] |= across
    even[:, :-1] |= across
    count, _, boxes, _ = cv2.connectedComponentsWithStats((coloured & even).astype(np.uint8), connectivity=4)
    shortest, widest = max(_SHORTEST_PIXELS, _SHORTEST * height), _LONGEST_WIDTH * min(height, width)
    bars = []
    for x, y, w, h, area in boxes[1:count].tolist():
        if _NARROWEST <= w <= widest and h >= max(_SLIMMEST * w, shortest) and area >= _FILL * w * h:
            top, bottom = _grown(frame, x, y, w, h)
            colours = _colours(frame[top:bottom, x : x + w])
            if colours is not None:
                bars.append(ColourBar((float(x), float(top), float(x + w), float(bottom)), colours))
    return bars


def _grown(frame: NDArray[np.uint8], x: int, y: int, w: int, h: int) -> tuple[int, int]:
    """Return the first line, and the one after the last, of a strip grown over the dark or pale colours at its ends."""
    strip = frame[:, x + w // 4 : x + w - w // 4]
    even = np.ptp(strip.astype(np.int16), axis=1).max(axis=1) <= _SAME
    places = lab(np.rint(np.median(strip, axis=1)).astype(np.uint8))
    smooth = np.linalg.norm(np.diff(places, axis=0), axis=1) < _STEP
    own = even & (np.hypot(places[:, 1], places[:, 2]) > _GREY)
    first, last = y, y + h - 1
    while first > 0 and own[first - 1] and smooth[first - 1]:
        first -= 1
    while last < len(own) - 1 and own[last + 1] and smooth[last]:
        last += 1
    return first, last + 1


def _colours(strip: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return a strip's colour at each line, from the foot up; None where lines are not even or all colours alike."""
    width = strip.shape[1]
    inner = strip[:, width // 4 : width - width // 4]
    line = np.median(inner, axis=1)
    if np.median(np.abs(inner - line[:, None]).max(axis=(1, 2))) > _SAME:
        return None
    colours = _sharp_ends(np.rint(line).astype(np.uint8)[::-1])
    steps = np.linalg.norm(np.diff(_knots(colours), axis=0), axis=1)
    return colours if steps.sum() >= _LEAST_PATH else None


def _sharp_ends(colours: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Take off half of the lines at the ends that are mixed with the screen; the others get the first pure colour."""
    places = lab(colours)
    foot, head = _mixed(places), _mixed(places[::-1])
    lines = np.arange(foot // 2, len(colours) - head // 2)
    return np.asarray(colours[np.clip(lines, foot, len(colours) - 1 - head)])


def _mixed(places: NDArray[np.float32]) -> int:
    """Return how many lines at the beginning are far from the colours that follow, as these are from one another."""
    off = np.linalg.norm(places[:_RIM] - places[_RIM], axis=1)
    usual = np.linalg.norm(places[2 * _RIM : _RIM : -1] - places[_RIM], axis=1)
    return int(((off > _BLURRED) & (off > 3 * usual)).sum())


def _knots(colours: NDArray[np.uint8]) -> NDArray[np.float32]:
    places = np.linspace(0, len(colours) - 1, _KNOTS).round().astype(int)
    return lab(colours[places])


def _repeats(colours: NDArray[np.uint8]) -> bool:
    knots = _knots(colours)
    distance = np.linalg.norm(knots[:, None] - knots[None], axis=2)
    apart = np.abs(np.subtract.outer(np.arange(_KNOTS), np.arange(_KNOTS))) > _APART
    return bool((distance[apart] < _REPEATED).any())


def _laid(bar: ColourBar, width: int) -> ColourBar:
    """Return a bar found on a screen turned a quarter to the left (``width`` wide before) as it lies: left its foot."""
    x0, y0, x1, y1 = bar.box
    return ColourBar((width - y1, x0, width - y0, x1), bar.colours)
