"""A clip on paper: frames as the network saw them, the same under their heat, and the heat's course in time."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.explain.attention_curve import Attention, draw_curve
from isthmus.explain.legend import INK, MARK, PAPER, Colours, font, legend
from isthmus.explain.overlay import as_colour, blend, draw_outline, resized

COLUMNS = 8
"""Frames shown: evenly spaced, with the hottest, and one that shows a calcification, in place of their neighbours."""

_SIDE, _GAP, _HEAD, _CURVE = 136, 6, 22, 124
_TRUTH = (86, 180, 233)


@dataclass(frozen=True, eq=False)
class SeenClip:
    """A clip as a network saw it, with its heat.

    Parameters
    ----------
    pictures : ndarray of uint8, shape [T, h, w, C]
        Centre crops.
    heat : ndarray of float32, shape [T, h, w]
        In [0, 1] over the whole clip.
    lesions : ndarray of bool, shape [T, h, w]
        The lesion, frame by frame.
    attention : Attention
        Its heat by frame.
    calcifications : ndarray of bool, shape [T, h, w], optional
        The pixels that true calcifications touch.
    """

    pictures: NDArray[np.uint8]
    heat: NDArray[np.float32]
    lesions: NDArray[np.bool_]
    attention: Attention
    calcifications: NDArray[np.bool_] | None = None


def shown_places(count: int, wanted: Sequence[int], columns: int = COLUMNS) -> list[int]:
    """Return which of ``count`` frames a strip shows, ascending; the ``wanted`` ones are among them.

    Examples
    --------
    >>> shown_places(16, [6], 4)
    [2, 6, 10, 14]
    >>> shown_places(16, [0, 1], 4)
    [0, 1, 10, 14]
    """
    columns = min(columns, count)
    places = [(2 * column + 1) * count // (2 * columns) for column in range(columns)]
    for one in wanted:
        if one not in places:
            free = [place for place in places if place not in wanted]
            places.remove(min(free, key=lambda place: abs(place - one)))
            places.append(one)
    return sorted(places)


def _wanted(attention: Attention) -> list[int]:
    """Return the hottest frame and, where no such frame would be shown, the hottest that shows a calcification."""
    calcified, hottest = attention.calcified, [] if attention.hottest is None else [attention.hottest]
    if calcified is None or not calcified.any():
        return hottest
    if calcified[shown_places(len(calcified), hottest)].any():
        return hottest
    return [*hottest, int(np.where(calcified, np.nan_to_num(attention.share), -1.0).argmax())]


def filmstrip(clip: SeenClip, lines: Sequence[str], target: str, marks: Sequence[str] = ()) -> Colours:
    """Draw a clip's strip.

    Parameters
    ----------
    clip : SeenClip
        What the network saw.
    lines : sequence of str
        Words under it, the first in full ink.
    target : str
        The class whose evidence the heat shows.
    marks : sequence of str
        Sentences that nobody may overlook, such as SMOKE.

    Returns
    -------
    ndarray of uint8, shape [H, W, 3]
    """
    places = shown_places(len(clip.pictures), _wanted(clip.attention))
    width = COLUMNS * _SIDE + (COLUMNS + 1) * _GAP
    cells = [_column(clip, place) for place in places]
    gap = np.full((cells[0].shape[0], _GAP, 3), 255, np.uint8)
    strip = np.hstack([gap, *(part for cell in cells for part in (cell, gap))])
    strip = np.pad(strip, ((0, 0), (0, width - strip.shape[1]), (0, 0)), constant_values=255)
    words = "Above: frames as the network saw them. Below: the same with Grad-CAM, evidence for " + target + "."
    if clip.lesions.any():
        words += " White line: the lesion as given."
    if clip.calcifications is not None and clip.calcifications.any():
        words += " Light blue line: true calcifications."
    notes = [words, clip.attention.words()]
    return np.vstack(
        [
            strip,
            draw_curve(clip.attention, width, _CURVE),
            legend(width, [*lines, *filter(None, notes)], marks, hottest="point of the clip"),
        ]
    )


def _column(clip: SeenClip, place: int) -> Colours:
    size = (_SIDE, _SIDE)
    plain = np.asarray(cv2.resize(as_colour(clip.pictures[place]), size, interpolation=cv2.INTER_CUBIC), np.uint8)
    warm = blend(plain, cv2.resize(clip.heat[place], size, interpolation=cv2.INTER_LINEAR))
    if clip.lesions[place].any():
        lesion = resized(clip.lesions[place], size)
        plain, warm = draw_outline(plain, lesion), draw_outline(warm, lesion)
    if clip.calcifications is not None and clip.calcifications[place].any():
        plain = _with_truth(plain, resized(clip.calcifications[place], size))
    hottest = place == clip.attention.hottest
    if hottest:
        for picture in (plain, warm):
            cv2.rectangle(picture, (0, 0), (_SIDE - 1, _SIDE - 1), MARK, 3)
    return np.vstack(
        [_heading(clip.attention.name(place), hottest), plain, np.full((4, _SIDE, 3), 255, np.uint8), warm]
    )


def _with_truth(picture: Colours, mask: NDArray[np.bool_]) -> Colours:
    drawn = np.ascontiguousarray(picture).copy()
    # One pixel further out, so that the speck itself stays visible.
    around = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8))
    contours, _ = cv2.findContours(around, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(drawn, contours, -1, _TRUTH, 1, cv2.LINE_AA)
    return drawn


def _heading(words: str, hottest: bool) -> Colours:
    from PIL import Image, ImageDraw

    strip = Image.new("RGB", (_SIDE, _HEAD), PAPER)
    text = f"{words}: hottest" if hottest else words
    ImageDraw.Draw(strip).text((0, _HEAD - 5), text, MARK if hottest else INK, font=font(12), anchor="ls")
    return np.asarray(strip, dtype=np.uint8)
