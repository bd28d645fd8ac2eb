"""What a scanner draws around and upon its picture: scale, focus mark, settings, bars, calipers. It names nobody.

Nothing here knows a nodule but by its section in the picture (calipers measure it) and its lobe (named on request).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from isthmus.imaging.clip import Box, Spacing
from isthmus.phantom.colour_maps import ColourMap, coloured, is_neutral
from isthmus.phantom.consoles import Console, Rgb

SIMULATED = "SIMULATED"
_BAR_WIDTH, _BAR_SHARE, _BAR_ROOM = 10, 0.45, 58
_TICK_MM, _LONG_TICK_MM = 5.0, 10.0
_DOT_STEP = 5  # pixels between the dots of a caliper's line
_MARK = 4  # half a caliper mark's width


@dataclass(frozen=True, eq=False)
class Bar:
    """A grey or colour bar beside the picture.

    Parameters
    ----------
    colours : uint8 array [256, 3]
        From the lowest value, at the bottom, to the highest.
    top, bottom : str
        Written at its ends.
    """

    colours: ColourMap
    top: str = ""
    bottom: str = ""


class Screen:
    """The screen around one ultrasound picture; drawn once, then filled frame by frame.

    Parameters
    ----------
    console : Console
        The scanner's layout.
    shape : tuple of int
        Height and width of the ultrasound picture.
    spacing_mm : tuple of float
        Millimetres a pixel, across and down.
    annotations : bool
        False leaves the picture alone, but for the colour bar without which its colours say nothing.
    bar : Bar
        Grey or colour.
    settings : tuple of str
        Lines beside the picture.
    title : str
        Below the picture: which plane of which lobe.
    focus_mm : float
        Depth of the transmit focus.
    """

    def __init__(
        self,
        console: Console,
        shape: tuple[int, int],
        spacing_mm: Spacing,
        *,
        annotations: bool,
        bar: Bar,
        settings: tuple[str, ...],
        title: str,
        focus_mm: float,
    ) -> None:
        bare_right = 0 if _is_grey(bar) else _BAR_ROOM
        left, top, right, bottom = console.margins if annotations else (0, 0, bare_right, 0)
        height, width = shape
        self._console = console
        self._spacing_mm = spacing_mm
        self._picture = (left, top, left + width, top + height)
        # Video codecs halve the colour planes: even sides.
        size = (left + width + right + (left + width + right) % 2, top + height + bottom + (top + height + bottom) % 2)
        canvas = Image.new("RGB", size)
        draw = ImageDraw.Draw(canvas)
        if annotations:
            draw.rectangle((0, 0, size[0], max(console.letters + 4, top // 2)), fill=console.header)
            self._write(draw, (6, 1), f"{SIMULATED}   Thyroid")
            self._write(draw, (left + 6, top + height + 6), title)
            self._draw_settings(draw, settings)
            self._draw_scale(draw, focus_mm)
        if annotations or bare_right:
            self._draw_bar(draw, bar, beside=not annotations)
        self._canvas: NDArray[np.uint8] = np.asarray(canvas)

    @property
    def region(self) -> Box:
        """The ultrasound picture's place."""
        x0, y0, x1, y1 = self._picture
        return float(x0), float(y0), float(x1), float(y1)

    def box(self, x0: float, y0: float, x1: float, y1: float) -> Box:
        """Return a box of the picture as a box of the screen."""
        left, top, _, _ = self._picture
        return x0 + left, y0 + top, x1 + left, y1 + top

    def place(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return a mask of the picture [h, w] on the whole screen [H, W]."""
        placed = np.zeros(self._canvas.shape[:2], dtype=np.bool_)
        x0, y0, x1, y1 = self._picture
        placed[y0:y1, x0:x1] = mask
        return placed

    def show(self, picture: NDArray[np.uint8], clock: str = "") -> NDArray[np.uint8]:
        """Return the screen [H, W, C] with the picture [h, w] or [h, w, 3] in its place; grey where nothing has colour.

        Parameters
        ----------
        picture : uint8 array
            Grey or colour.
        clock : str
            Seconds since the injection of a contrast agent, written into the picture's corner.
        """
        x0, y0, x1, y1 = self._picture
        if picture.ndim == 2 and self._is_neutral:
            shown = self._canvas[..., :1].copy()
            shown[y0:y1, x0:x1, 0] = picture
        else:
            shown = self._canvas.copy()
            shown[y0:y1, x0:x1] = picture if picture.ndim == 3 else coloured(picture)
        if clock:
            letters = _letters(clock, self._console.letters + 2)[: y1 - y0, : x1 - x0, None]
            corner = shown[y0 : y0 + letters.shape[0], x1 - letters.shape[1] : x1]
            np.maximum(corner, letters, out=corner)
        return shown

    @property
    def _is_neutral(self) -> bool:
        flat = self._canvas
        return bool((flat[..., 0] == flat[..., 1]).all() and (flat[..., 0] == flat[..., 2]).all())

    def _write(self, draw: Any, place: tuple[float, float], text: str, colour: Rgb | None = None) -> None:
        draw.text(place, text, fill=colour or self._console.text, font=_font(self._console.letters))

    def _draw_settings(self, draw: Any, settings: tuple[str, ...]) -> None:
        _, y0, x1, _ = self._picture
        console = self._console
        x = 6 if console.text_side == "left" else x1 + _BAR_ROOM
        for number, line in enumerate(settings):
            self._write(draw, (x, y0 + 4 + number * (console.letters + 4)), line)

    def _draw_scale(self, draw: Any, focus_mm: float) -> None:
        x0, y0, x1, y1 = self._picture
        console, step = self._console, self._spacing_mm[1]
        outwards = -1 if console.scale_side == "left" else 1
        edge = x0 - 3 if console.scale_side == "left" else x1 + 2
        for number in range(int((y1 - y0) * step / _TICK_MM) + 1):
            y = y0 + number * _TICK_MM / step
            long = number % round(_LONG_TICK_MM / _TICK_MM) == 0
            draw.line((edge, y, edge + outwards * (6 if long else 3), y), fill=console.scale)
            if long and console.numbered and number:
                x = edge + outwards * (16 if outwards < 0 else 9)
                self._write(draw, (x, y - console.letters / 2 - 1), str(number // 2), console.scale)
        y = y0 + min(focus_mm / step, y1 - y0 - 1.0)
        tip = edge + outwards * 2
        draw.polygon([(tip, y), (tip + outwards * 7, y - 4), (tip + outwards * 7, y + 4)], fill=console.scale)

    def _draw_bar(self, draw: Any, bar: Bar, *, beside: bool) -> None:
        _, y0, x1, y1 = self._picture
        long = int(_BAR_SHARE * (y1 - y0))
        x = x1 + (12 if beside or self._console.scale_side == "left" else 26)
        y = y0 + self._console.letters + 8
        for row in range(long):
            level = bar.colours[255 - round(row * 255 / (long - 1))]
            draw.line((x, y + row, x + _BAR_WIDTH, y + row), fill=tuple(int(part) for part in level))
        self._write(draw, (x - 4, y - self._console.letters - 4), bar.top)
        self._write(draw, (x - 4, y + long + 1), bar.bottom)


def _is_grey(bar: Bar) -> bool:
    return bool((bar.colours == bar.colours[:, :1]).all())


@lru_cache(maxsize=8)
def _font(height: int) -> Any:
    return ImageFont.load_default(height)


@lru_cache(maxsize=256)
def _letters(text: str, height: int) -> NDArray[np.uint8]:
    font = _font(height)
    _, _, width, depth = font.getbbox(text)
    canvas = Image.new("L", (int(width) + 8, int(depth) + 6))
    ImageDraw.Draw(canvas).text((3, 2), text, fill=235, font=font)
    return np.asarray(canvas)


def draw_calipers(
    picture: NDArray[np.uint8], section: NDArray[np.bool_], console: Console, random: np.random.Generator
) -> NDArray[np.uint8]:
    """Return a picture with calipers on the longest diameter of a section and on the one across it.

    Parameters
    ----------
    picture : uint8 array [h, w] or [h, w, 3]
        Without calipers.
    section : bool array [h, w]
        What is measured; nothing is drawn where it is empty.
    console : Console
        Gives the colour.
    random : Generator
        A hand is a pixel or two beside the edge.
    """
    outline, _ = cv2.findContours(section.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outline:
        return picture
    points = max(outline, key=len)[:, 0, :].astype(np.float64)
    first, second = _longest(points)
    along = (second - first) / max(float(np.linalg.norm(second - first)), 1.0)
    across = (points - points.mean(axis=0)) @ np.array([-along[1], along[0]])
    ends = [first, second, points[int(np.argmax(across))], points[int(np.argmin(across))]]
    neutral = picture.ndim == 2 and is_neutral(console.calipers)
    drawn = picture.copy() if neutral or picture.ndim == 3 else coloured(picture)
    colour = console.calipers[:1] if neutral else console.calipers
    placed = [np.rint(end + random.normal(0.0, 1.0, 2)).astype(int) for end in ends]
    for number, (start, stop) in enumerate((placed[:2], placed[2:])):
        for x, y in _dots(start, stop):
            cv2.circle(drawn, (x, y), 0, colour, -1)
        for x, y in (start.tolist(), stop.tolist()):
            _mark(drawn, x, y, colour, upright=number == 0)
    return drawn


def _longest(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    hull = cv2.convexHull(points.astype(np.float32))[:, 0, :].astype(np.float64)
    apart = np.linalg.norm(hull[:, None] - hull[None], axis=2)
    one, other = np.unravel_index(int(np.argmax(apart)), apart.shape)
    return hull[one], hull[other]


def _dots(start: NDArray[np.int_], stop: NDArray[np.int_]) -> list[tuple[int, int]]:
    count = int(np.linalg.norm(stop - start)) // _DOT_STEP
    shares = (np.arange(1, count) / count)[:, None] if count > 1 else np.zeros((0, 1))
    return [(int(x), int(y)) for x, y in np.rint(start + shares * (stop - start))]


def _mark(drawn: NDArray[np.uint8], x: int, y: int, colour: tuple[int, ...], *, upright: bool) -> None:
    if upright:
        ends = (((x - _MARK, y), (x + _MARK, y)), ((x, y - _MARK), (x, y + _MARK)))
    else:
        ends = (((x - _MARK, y - _MARK), (x + _MARK, y + _MARK)), ((x - _MARK, y + _MARK), (x + _MARK, y - _MARK)))
    for start, stop in ends:
        cv2.line(drawn, start, stop, colour, 1)
