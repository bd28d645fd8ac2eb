"""Where on a scanner's screen the ultrasound picture lies, without the text, bars and rulers around it.

A screen is background, thin things (text, ticks, a grey bar, a body mark) and one or two solid pictures. Solid is what
survives an opening by a square larger than any letter is wide. Side by side pictures are told by their seam: speckle is
smooth from column to column, and at a seam it is not.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.imaging.clip import Box

# All lengths below are shares of the frame's shorter side, so that they hold for any screen size.
_DENSITY_WINDOW = 0.047
_SOLID = 0.07  # a scanner's grey bar is 0.03 wide, its largest letters are 0.04
_ABOVE_BACKGROUND = 4  # grey levels; JPEG leaves up to 4 around letters on black
_DENSE = 0.5
_EDGE_FILL = 0.1  # a row of ticks fills less of its line than this, the edge of a sector more
_EDGE_LIGHT = 0.3  # JPEG leaves a shine of up to 0.15 of the picture's light on the black block beside it
_JPEG_BLOCK = 8
_BACKGROUND_SHARE = 0.25
_SECOND_PANEL = 0.4  # of the first one's area
_FLATTEST = 5  # times as wide as high: a header bar, not a picture
# A seam is a jump between two columns, in nearly every part of their height, that is no thin line (its two sides differ
# as well). On 480 DDTI screens: single pictures jump <= 1.7, part <= 1.6, sides <= 1.1; double >= 2.7, 1.7, 1.2.
_SEAM_JUMP = 2.2
_SEAM_JUMP_IN_PARTS = 1.6
_SEAM_SIDES = 1.15
_SEAM_PARTS = 8
_SEAM_PARTS_WITHOUT = 2  # black tissue or an empty corner shows no jump
_SEAM_MIDDLE = (0.4, 0.6)
_SEAM_NEIGHBOURS = 15


@dataclass(frozen=True)
class ScanArea:
    """The ultrasound picture on a screen.

    Parameters
    ----------
    box : Box
        Around all panels.
    panels : tuple of Box
        One, or two side by side from left to right.
    """

    box: Box
    panels: tuple[Box, ...]

    def panel_at(self, x: float, y: float) -> Box:
        """Return the panel that holds a point, or the nearest one."""

        def distance(panel: Box) -> float:
            x0, y0, x1, y1 = panel
            return max(x0 - x, 0.0, x - x1) + max(y0 - y, 0.0, y - y1)

        return min(self.panels, key=distance)


def find_scan_area(frame: NDArray[np.uint8]) -> ScanArea:
    """Find the ultrasound picture on a screen capture, and its two panels in a double picture.

    Parameters
    ----------
    frame : uint8 array [H, W, C]
        One frame, grey or colour.

    Returns
    -------
    ScanArea
        Whole pixels. A frame that is all ultrasound, or has no solid picture in it, gives the whole frame.

    Examples
    --------
    >>> screen = np.zeros((200, 300, 1), np.uint8)
    >>> screen[20:180, 40:260] = np.random.default_rng(0).integers(30, 200, (160, 220, 1))
    >>> find_scan_area(screen).box
    (40.0, 20.0, 260.0, 180.0)
    """
    grey = brightest(frame)
    height, width = grey.shape
    light = _light(grey)
    solids = _solid_boxes(light > _ABOVE_BACKGROUND)
    if not solids:
        whole = (0.0, 0.0, float(width), float(height))
        return ScanArea(whole, (whole,))
    reach = odd_length(_DENSITY_WINDOW, light.shape) // 2
    panels = tuple(sorted(_tight(light, solid, reach) for solid in solids))
    if len(panels) == 1:
        # Each panel has its own depth: a mark above the shallower one is not tissue.
        panels = tuple(_tight(light, panel, 0) for panel in _split_at_seam(grey, panels[0]))
    x0, y0, x1, y1 = zip(*panels, strict=True)
    boxes = tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in panels)
    return ScanArea((float(min(x0)), float(min(y0)), float(max(x1)), float(max(y1))), boxes)


_Pixels = tuple[int, int, int, int]


def brightest(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the brightest channel of each pixel [H, W]."""
    if frame.shape[2] == 1:
        return frame[..., 0]
    result: NDArray[np.uint8] = np.maximum(np.maximum(frame[..., 0], frame[..., 1]), frame[..., 2])
    return result


def _light(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the distance of each pixel from the screen's background, which is black unless the rim says otherwise."""
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    counts = np.bincount(border, minlength=256)
    commonest = int(counts.argmax())
    if commonest == 0 or counts[commonest] < _BACKGROUND_SHARE * len(border):
        return grey
    return np.abs(grey.astype(np.int16) - commonest).astype(np.uint8)


def odd_length(share: float, shape: tuple[int, ...]) -> int:
    """Return a share of the shorter side as an odd number of pixels, at least 3."""
    return max(3, 2 * round(share * min(shape) / 2) + 1)


def _solid_boxes(foreground: NDArray[np.bool_]) -> list[_Pixels]:
    window, solid = (odd_length(share, foreground.shape) for share in (_DENSITY_WINDOW, _SOLID))
    # Reflection would count a picture that fills the frame to its rim as one, and a letter at the rim as two.
    density = cv2.boxFilter(foreground.astype(np.float32), -1, (window, window), borderType=cv2.BORDER_REPLICATE)
    dense = (density > _DENSE).astype(np.uint8)
    opened = cv2.morphologyEx(dense, cv2.MORPH_OPEN, np.ones((solid, solid), np.uint8))
    _, _, statistics, _ = cv2.connectedComponentsWithStats(opened)
    solids = [row for row in statistics[1:].tolist() if row[cv2.CC_STAT_WIDTH] < _FLATTEST * row[cv2.CC_STAT_HEIGHT]]
    found = sorted(solids, key=lambda row: -row[cv2.CC_STAT_AREA])
    if not found:
        return []
    boxes = [_corners(found[0])]
    if len(found) > 1 and _is_second_panel(found[0], found[1]):
        return [*boxes, _corners(found[1])]
    for other in map(_corners, found[1:]):
        # A cyst or a shadow as wide as the picture parts it: what lies below is still the picture.
        if boxes[0][0] <= other[0] and other[2] <= boxes[0][2]:
            boxes[0] = (boxes[0][0], min(boxes[0][1], other[1]), boxes[0][2], max(boxes[0][3], other[3]))
    return boxes


def _corners(component: list[int]) -> _Pixels:
    x, y, w, h, _ = component
    return x, y, x + w, y + h


def _is_second_panel(first: list[int], second: list[int]) -> bool:
    x, y, w, h, area = first
    x2, y2, w2, h2, area2 = second
    beside = x2 >= x + w or x2 + w2 <= x
    level = min(y + h, y2 + h2) - max(y, y2) > 0.7 * max(h, h2)
    return beside and level and area2 > _SECOND_PANEL * area


def _tight(light: NDArray[np.uint8], box: _Pixels, reach: int) -> _Pixels:
    x0, y0, x1, y1 = box
    top, left = max(0, y0 - reach), max(0, x0 - reach)
    lines, columns = light[top : y1 + reach, x0:x1], light[y0:y1, left : x1 + reach].T
    y0, y1 = _ends(lines, y0 - top, y1 - top)
    x0, x1 = _ends(columns, x0 - left, x1 - left)
    return left + x0, top + y0, left + x1, top + y1


def _ends(lines: NDArray[np.uint8], start: int, stop: int) -> tuple[int, int]:
    # From the coarse box outwards to the first unfilled line, so that text beyond a gap stays outside; then back
    # over lines that only shine.
    filled = (lines > _ABOVE_BACKGROUND).mean(axis=1) > _EDGE_FILL
    inside = np.flatnonzero(filled[start:stop]) + start
    first, last = int(inside[0]), int(inside[-1])
    while first > 0 and filled[first - 1]:
        first -= 1
    while last + 1 < len(filled) and filled[last + 1]:
        last += 1
    mean = lines.mean(axis=1)
    return first + _shine(mean[first : last + 1]), last + 1 - _shine(mean[first : last + 1][::-1])


def _shine(mean: NDArray[np.float64]) -> int:
    rim = mean[: 3 * _JPEG_BLOCK]
    if len(rim) <= _JPEG_BLOCK:
        return 0
    beside = np.median(np.lib.stride_tricks.sliding_window_view(rim[1:], _JPEG_BLOCK), axis=1)
    dark = np.flatnonzero(rim[: len(beside)] < _EDGE_LIGHT * beside)
    return int(dark[-1]) + 1 if len(dark) else 0


def _split_at_seam(grey: NDArray[np.uint8], box: _Pixels) -> tuple[_Pixels, ...]:
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    if width < 4 * _SEAM_NEIGHBOURS or height < _SEAM_PARTS:
        return (box,)
    low, high = (int(share * width) for share in _SEAM_MIDDLE)
    start = x0 + low - _SEAM_NEIGHBOURS
    columns = grey[y0:y1, start : x0 + high + _SEAM_NEIGHBOURS + 4].astype(np.float32)
    jump = _jump(columns, 1)
    place = _SEAM_NEIGHBOURS + int(np.argmax(jump[_SEAM_NEIGHBOURS : _SEAM_NEIGHBOURS + high - low]))
    if jump[place] < _SEAM_JUMP:
        return (box,)
    parts = sorted(float(_jump(part, 1)[place]) for part in np.array_split(columns, _SEAM_PARTS))
    sides = float(_jump(columns, 4)[place - 2 : place].min())
    if parts[_SEAM_PARTS_WITHOUT] < _SEAM_JUMP_IN_PARTS or sides < _SEAM_SIDES:
        return (box,)
    seam = start + place - x0
    return (x0, y0, x0 + seam + 1, y1), (x0 + seam + 1, y0, x1, y1)


def _jump(columns: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Return how much more each column differs from the one ``step`` further than is ordinary around it."""
    jump = np.abs(columns[:, step:] - columns[:, :-step]).mean(axis=0)
    padded = np.pad(jump, _SEAM_NEIGHBOURS, mode="reflect")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * _SEAM_NEIGHBOURS + 1)
    result: NDArray[np.float32] = jump / (np.median(around, axis=1) + 1.0)
    return result
