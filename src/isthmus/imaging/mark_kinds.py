"""What a burned-in mark is, by its shape: text, caliper, arrow, body mark; `mark` where that is not certain."""

import functools
from collections.abc import Mapping
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.imaging.clip import Box
from isthmus.imaging.region import brightest

Kind = Literal["text", "caliper", "arrow", "body mark", "mark"]
KINDS: Final[Mapping[Kind, str]] = {
    "text": "letters and digits",
    "caliper": "calipers: crosses and dotted lines",
    "arrow": "arrows and arrowheads",
    "body mark": "body marks (pictograms)",
    "mark": "marks of no certain kind",
}

_CELL = 20  # pixels that a shape is brought to
_ALIKE = 0.62  # correlation with a drawn shape
_HALO = 3
_LINE_LENGTH, _LINE_WIDTH, _LINE_GAPS = 18.0, 1.6, 0.15
_BODY_MARK, _BODY_INK = 0.07, 0.45  # share of the frame's shorter side; share of its box that is ink
_INK_PIXELS = 3  # of a small thin cross few are fully drawn; noise is seldom as bright as any
_DARKEST_INK, _PLAIN_INK = 30.0, 60.0
_SMALLEST = 4


def kind_of_mark(frame: NDArray[np.uint8], box: Box) -> Kind:
    """Return what kind of mark stands in a box.

    Parameters
    ----------
    frame : uint8 array [H, W, C]
        One frame, grey or colour.
    box : Box
        Of the mark, as :func:`isthmus.imaging.marks.find_burned_in_text` finds it.

    Notes
    -----
    Its parts are compared with drawn letters, crosses and arrowheads. Of a caliper with its letter in one box the
    answer is `caliper`.
    """
    ink = _ink(frame, box)
    if not ink.any():
        return "mark"
    if _is_dotted_line(ink):
        return "caliper"
    shorter = min(frame.shape[:2])
    parts = _parts(ink)
    whole = _cut(ink)
    kinds = {_shape(part) for part in parts}
    for kind in ("caliper", "arrow"):
        if kind in kinds:
            return kind
    if _shape(whole) == "caliper":  # four dots, or arms that do not touch
        return "caliper"
    if not _is_word(parts) and min(whole.shape) >= _BODY_MARK * shorter and whole.mean() < _BODY_INK:
        return "body mark"
    if _is_word(parts) or kinds == {"text"}:
        return "text"
    return "text" if "text" in kinds and len(parts) <= 2 else "mark"


def _ink(frame: NDArray[np.uint8], box: Box) -> NDArray[np.bool_]:
    """Return which pixels in and just around the box are drawn: far brighter or more coloured than what is around."""
    x0, y0, x1, y1 = (round(value) for value in box)
    far = 3 * _HALO + max(x1 - x0, y1 - y0) // 2
    top, left = max(0, y0 - far), max(0, x0 - far)
    part = frame[top : y1 + far, left : x1 + far]
    grey = brightest(part).astype(np.float32)
    colour = grey - part.min(axis=2)
    inner = np.s_[max(0, y0 - top - _HALO) : y1 - top + _HALO, max(0, x0 - left - _HALO) : x1 - left + _HALO]
    core = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    # Compression blurs colour more than brightness, so that colour is the second choice.
    for strength in (grey, colour):
        around = strength.copy()
        around[inner] = np.nan
        ground = float(np.nanpercentile(around, 75)) if np.isfinite(around).any() else 0.0
        peak = float(np.sort(strength[core], axis=None)[-_INK_PIXELS:].min()) if strength[core].size else 0.0
        if peak - ground > _PLAIN_INK:
            break
    level = ground + max(_DARKEST_INK, 0.5 * (peak - ground))
    drawn = (strength >= level).astype(np.uint8)
    # What does not reach into the box is another mark; what reaches out of all that is looked at is tissue, cut off.
    labels = cv2.connectedComponents(drawn, connectivity=8)[1]
    own = np.unique(labels[core])
    rim = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    near = np.zeros(drawn.shape, bool)
    near[inner] = True
    result: NDArray[np.bool_] = np.isin(labels, own[own > 0]) & (near | ~np.isin(labels, rim))
    return result


def _cut(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    lines, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return ink[lines[0] : lines[-1] + 1, columns[0] : columns[-1] + 1]


def _parts(ink: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    count, labels = cv2.connectedComponents(ink.astype(np.uint8), connectivity=8)
    parts = [_cut(labels == label) for label in range(1, count)]
    return sorted((part for part in parts if max(part.shape) >= _SMALLEST), key=lambda part: -part.size)


def _is_dotted_line(ink: NDArray[np.bool_]) -> bool:
    y, x = np.nonzero(ink)
    if len(x) < 6:
        return False
    points = np.stack([x, y], axis=1) - np.array([x.mean(), y.mean()])
    _, spread, axes = np.linalg.svd(points, full_matrices=False)
    along = points @ axes[0]
    length = float(np.ptp(along))
    filled = len(np.unique(along.round())) / (length + 1)
    return length >= _LINE_LENGTH and spread[1] / len(x) ** 0.5 < _LINE_WIDTH and filled < 1 - _LINE_GAPS


def _is_word(parts: list[NDArray[np.bool_]]) -> bool:
    """Return whether these are several letters of about one height."""
    letters = [part for part in parts if part.shape[0] >= _SMALLEST]
    if len(letters) < 3:
        return False
    heights = np.array([part.shape[0] for part in letters])
    narrow = np.mean([part.shape[1] <= 1.6 * part.shape[0] for part in letters])
    return bool(np.mean(np.abs(heights / np.median(heights) - 1) < 0.35) >= 0.6 and narrow >= 0.6)


def _shape(part: NDArray[np.bool_]) -> Kind:
    height, width = part.shape
    if max(height, width) < _SMALLEST + 1 or max(height, width) > 4 * min(height, width):
        return "mark"
    kinds, drawn = _drawn()
    scores = drawn @ _cell(part)
    best = int(scores.argmax())
    return kinds[best] if scores[best] >= _ALIKE else "mark"


def _cell(shape: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return a shape brought to one size, its proportions kept, as numbers of mean 0 and length 1."""
    height, width = shape.shape
    factor = _CELL / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    inner = cv2.resize(shape.astype(np.float32), size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    cell = np.zeros((_CELL + 6, _CELL + 6), np.float32)
    top, left = (cell.shape[0] - size[1]) // 2, (cell.shape[1] - size[0]) // 2
    cell[top : top + size[1], left : left + size[0]] = inner
    blurred = cv2.GaussianBlur(cell, (0, 0), 1.2).astype(np.float32)
    values = (blurred - blurred.mean()).ravel()
    result: NDArray[np.float32] = values / max(float(np.linalg.norm(values)), 1e-9)
    return result


@functools.lru_cache(maxsize=1)
def _drawn() -> tuple[list[Kind], NDArray[np.float32]]:
    """Return drawn shapes of each kind, and what each looks like as numbers."""
    shapes: list[tuple[Kind, NDArray[np.bool_]]] = []
    shapes += [("text", shape) for shape in _letters()]
    shapes += [("caliper", shape) for shape in _crosses()]
    shapes += [("arrow", shape) for shape in _arrows()]
    shapes += [("mark", shape) for shape in _ticks()]
    return [kind for kind, _ in shapes], np.stack([_cell(_cut(shape)) for _, shape in shapes])


def _letters() -> list[NDArray[np.bool_]]:
    found = []
    # Without those that are crosses, arrowheads or strokes.
    for letter in "ABCDEFGHJKMNPRSTUWZabdefghkmnprstu0234567890%":
        for font in (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_PLAIN, cv2.FONT_HERSHEY_TRIPLEX):
            for thickness in (2, 5):
                canvas = np.zeros((80, 80), np.uint8)
                size = 1.6 if font != cv2.FONT_HERSHEY_PLAIN else 3.0
                cv2.putText(canvas, letter, (12, 62), font, size, (255,), thickness)
                found.append(canvas > 127)
    return found


def _crosses() -> list[NDArray[np.bool_]]:
    found = []
    for thickness in (3, 6, 9):
        for gap in (0, 5, 9):
            for turned in (False, True):
                canvas = np.zeros((60, 60), np.uint8)
                for dx, dy in ((1, 1), (1, -1), (-1, 1), (-1, -1)) if turned else ((1, 0), (-1, 0), (0, 1), (0, -1)):
                    ends = (30 + dx * gap, 30 + dy * gap), (30 + dx * 25, 30 + dy * 25)
                    cv2.line(canvas, *ends, (255,), thickness)
                found.append(canvas > 127)
    return found


def _arrows() -> list[NDArray[np.bool_]]:
    found = []
    for quarter in range(8):
        angle = quarter * np.pi / 4
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        for wide in (14, 20, 26):
            corners = np.array([[-15, -wide], [-15, wide], [18, 0]]) @ turn.T + 50
            canvas = np.zeros((100, 100), np.uint8)
            cv2.fillPoly(canvas, [corners.round().astype(np.int32)], (255,))
            found.append(canvas > 127)
        for thickness in (3, 7):
            for head in (0.3, 0.45):
                canvas = np.zeros((100, 100), np.uint8)
                tail, tip = ((np.array([[-32, 0], [32, 0]]) @ turn.T) + 50).round().astype(int).tolist()
                cv2.arrowedLine(canvas, tail, tip, (255,), thickness, tipLength=head)
                found.append(canvas > 127)
    return found


def _ticks() -> list[NDArray[np.bool_]]:
    """Return diamonds, dots and squares of depth scales."""
    y, x = np.mgrid[-20:21, -20:21]
    diamond = np.abs(x) + np.abs(y) <= 18
    return [diamond, x**2 + y**2 <= 18**2, (np.abs(x) <= 15) & (np.abs(y) <= 15), (np.abs(x) <= 8) & (np.abs(y) <= 18)]
