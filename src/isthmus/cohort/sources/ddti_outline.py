"""DDTI's outlines: from a mark's svg text to at most one mask a panel, by rules that are stated and never guess.

The svg text is a JSON list of regions. The database cut it off at 2,500 characters, so a last region may have lost its
tail. The rules:

1. A region that is no freehand outline (an arrow) is not an outline.
2. An outline stored again with the same points counts once; a cut-off one that repeats the beginning of a whole one is
   that one stored again.
3. A cut-off outline counts as closed when its ends are nearer than ``CLOSED`` of its drawn length; else it is not used.
4. An outline belongs to the panel that holds at least ``INSIDE`` of its area, and is clipped to it. One that touches no
   panel at all marks no tissue and is not used; one between these is ambiguous.
5. Two outlines in one panel make the picture ambiguous: the grade of the case is not said to be of one or the other.
"""

import itertools
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.imaging.clip import Box

CLOSED: Final = 0.04  # the widest gap among DDTI's 640 whole outlines is 3.7 % of the drawn length
INSIDE: Final = 0.95  # the most that any outline of DDTI leaves its panel by is 2.1 %
FEWEST_POINTS: Final = 5
LONGEST_TEXT: Final = 200_000
MOST_POINTS: Final = 10_000

Points = list[tuple[float, float]]


@dataclass
class Drawing:
    """What the marks of one picture hold.

    Parameters
    ----------
    outlines : list of Points
        Closed outlines, no two the same.
    notes : list of str
        What was left out or taken in spite of a fault.
    repaired : bool
        Whether a rule took something in spite of a fault.
    fault : str
        Why the text gave nothing, '' when it could be read.
    """

    outlines: list[Points] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    repaired: bool = False
    fault: str = ""


@dataclass(frozen=True)
class Region:
    """One nodule's outline in one panel.

    Parameters
    ----------
    panel : int
        Index of the panel, from the left.
    mask : bool array [H, W]
        The nodule, clipped to the panel.
    """

    panel: int
    mask: NDArray[np.bool_]


def read_drawing(svg: str) -> Drawing:
    """Read a mark's svg text by rules 1 to 3."""
    drawing = Drawing()
    text = svg.strip()
    if not text:
        drawing.fault = "its mark is empty"
        return drawing
    if len(text) > LONGEST_TEXT:
        drawing.fault = f"its mark is longer than {LONGEST_TEXT} characters"
        return drawing
    regions, tail = _regions(text)
    if regions is None or tail.count('"points"') > 1:
        drawing.fault = "its mark is not a list of regions"
        return drawing
    for region in regions:
        _take_whole(drawing, region)
    if tail:
        _take_cut(drawing, tail)
    return drawing


def place(drawing: Drawing, panels: Sequence[Box], shape: tuple[int, int]) -> tuple[list[Region], str]:
    """Give each outline to its panel by rules 4 and 5; what was clipped is added to the drawing's notes.

    Parameters
    ----------
    drawing : Drawing
        Closed outlines in source pixels.
    panels : sequence of Box
        Scan panels, from left to right.
    shape : tuple of int
        Height and width of the picture.

    Returns
    -------
    regions : list of Region
        One for each panel that has an outline.
    ambiguity : str
        Why the picture is ambiguous; '' when it is not.
    """
    regions: dict[int, Region] = {}
    for number, outline in enumerate(drawing.outlines, start=1):
        whole = fill(outline, shape)
        area = int(whole.sum())
        shares = [_inside(whole, panel) for panel in panels]
        held = [int(share.sum()) for share in shares]
        best = int(np.argmax(held))
        if held[best] == 0:
            drawing.notes.append(f"outline {number} lies wholly outside the scan area: not used")
            drawing.repaired = True
            continue
        if held[best] < INSIDE * area:
            crosses = sum(count > (1 - INSIDE) * area for count in held) > 1
            where = "runs across two panels" if crosses else "lies partly outside the scan area"
            return [], f"outline {number} {where}"
        if best in regions:
            return [], f"{_name(best, panels)} holds several outlines: which of them was graded is not said"
        if held[best] < area:
            lost = area - held[best]
            drawing.notes.append(f"{_name(best, panels)}: outline clipped by {lost} px ({100 * lost / area:.1f} %)")
        regions[best] = Region(best, shares[best])
    return [regions[panel] for panel in sorted(regions)], ""


def fill(outline: Points, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels [H, W] on and inside a closed outline; a loop where the line crosses itself is inside too."""
    canvas = np.zeros(shape, np.uint8)
    corners = np.rint(np.array(outline)).astype(np.int32).reshape(-1, 1, 2)
    cv2.fillPoly(canvas, [corners], 1)
    cv2.polylines(canvas, [corners], True, 1)
    contours, _ = cv2.findContours(canvas, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, contours, -1, 1, thickness=cv2.FILLED)
    return canvas.astype(bool)


def bounding_box(mask: NDArray[np.bool_]) -> Box:
    """Return the box of a mask's pixels; x1 and y1 are exclusive."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _regions(text: str) -> tuple[list[Any] | None, str]:
    """Return the whole regions of a JSON list and the text of a last one that was cut off."""
    decoder = json.JSONDecoder(parse_constant=_refuse)
    if not text.startswith("["):
        return None, ""
    regions: list[Any] = []
    position = 1
    while True:
        position += len(text[position:]) - len(text[position:].lstrip(" ,\n\r\t"))
        rest = text[position:]
        if not rest or rest.strip() == "]":
            return regions, ""
        try:
            region, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            return regions, rest
        regions.append(region)


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no coordinate")


def _take_whole(drawing: Drawing, region: Any) -> None:
    kind = region.get("regionType") if isinstance(region, dict) else None
    if kind != "freehand":
        drawing.notes.append(
            "an arrow is not an outline" if kind == "arrow" else "a region is no freehand outline: not used"
        )
        return
    points = _points(region.get("points"))
    if points is None:
        drawing.notes.append("a region without usable points: not used")
    elif points in drawing.outlines:
        drawing.notes.append("an outline stored again with the same points: taken once")
        drawing.repaired = True
    else:
        drawing.outlines.append(points)


def _points(content: Any) -> Points | None:
    if not isinstance(content, list) or not FEWEST_POINTS <= len(content) <= MOST_POINTS:
        return None
    points: Points = []
    for item in content:
        x, y = (item.get("x"), item.get("y")) if isinstance(item, dict) else (None, None)
        if not (isinstance(x, int | float) and isinstance(y, int | float) and max(abs(x), abs(y)) < 1e5):
            return None
        points.append((float(x), float(y)))
    return points


def _take_cut(drawing: Drawing, tail: str) -> None:
    whole_points = re.findall(r'\{"x":\s*(-?\d{1,5}),\s*"y":\s*(-?\d{1,5})\}', tail)
    points: Points = [(float(x), float(y)) for x, y in whole_points]
    if points and any(outline[: len(points)] == points for outline in drawing.outlines):
        drawing.notes.append("a cut-off outline repeats the beginning of a whole one: taken once")
        drawing.repaired = True
        return
    gap = closing_gap(points)
    if len(points) >= FEWEST_POINTS and gap <= CLOSED:
        drawing.outlines.append(points)
        drawing.notes.append(f"a cut-off outline was closed over a gap of {100 * gap:.1f} % of its drawn length")
        drawing.repaired = True
    elif len(points) >= FEWEST_POINTS:
        drawing.notes.append(
            f"a cut-off outline lacks too much (gap of {100 * gap:.0f} % of its drawn length): not used"
        )
    else:
        drawing.notes.append("a cut-off outline of fewer than five points: not used")
    drawing.repaired = drawing.repaired or bool(drawing.outlines)


def closing_gap(points: Points) -> float:
    """Return the distance from the last point to the first, as a share of the drawn length.

    Examples
    --------
    >>> closing_gap([(0, 0), (3, 0), (3, 4)])
    0.7142857142857143
    """
    if len(points) < 2:
        return math.inf
    length = sum(math.dist(a, b) for a, b in itertools.pairwise(points))
    return math.dist(points[-1], points[0]) / length if length else math.inf


def _inside(mask: NDArray[np.bool_], panel: Box) -> NDArray[np.bool_]:
    x0, y0, x1, y1 = (int(value) for value in panel)
    inside = np.zeros_like(mask)
    inside[y0:y1, x0:x1] = mask[y0:y1, x0:x1]
    return inside


def _name(panel: int, panels: Sequence[Box]) -> str:
    return "the scan area" if len(panels) == 1 else ("the left panel", "the right panel")[panel]
