"""The strip under a picture: the colour scale of its heat, and words that wrap to its width."""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

PAPER, INK, QUIET, MARK = (255, 255, 255), (26, 26, 26), (95, 95, 95), (178, 62, 0)
_LINE = 20
_MARGIN = 16
Colours = NDArray[np.uint8]


def colours_of_heat(heat: NDArray[Any]) -> Colours:
    """Return the colour of each heat value in [0, 1]: uint8 [..., 3], red, green, blue."""
    levels = np.round(np.clip(heat, 0.0, 1.0) * 255).astype(np.uint8)
    table = cv2.applyColorMap(np.arange(256, dtype=np.uint8).reshape(-1, 1), cv2.COLORMAP_INFERNO)
    return np.asarray(np.asarray(table)[:, 0, ::-1][levels], dtype=np.uint8)


def legend(width: int, lines: Sequence[str], marks: Sequence[str] = (), hottest: str | None = "point here") -> Colours:
    """Return a white strip with the colour scale, lines of words wrapped to the width, and marks that stand out.

    The scale says where its hottest point is; with `hottest` None there is no heat, and no scale.
    """
    from PIL import Image, ImageDraw

    letters = font(14)
    inks = [INK, *[QUIET] * (len(lines) - 1), *[MARK] * len(marks)]
    text = [(part, ink) for line, ink in zip([*lines, *marks], inks, strict=True) for part in wrapped(line, width)]
    scale_width = min(240, width - 2 * _MARGIN)
    above = 0 if hottest is None else 2 * _LINE + 4
    height = 2 * _MARGIN + above + _LINE * len(text)
    strip = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(strip)
    if hottest is not None:
        bar = np.repeat(colours_of_heat(np.linspace(0, 1, scale_width))[None], 12, axis=0)
        strip.paste(Image.fromarray(bar), (_MARGIN, _MARGIN))
        draw.text((_MARGIN, _MARGIN + 15), "0: none", INK, font=letters)
        draw.text((_MARGIN + scale_width, _MARGIN + 15), f"1: hottest {hottest}", INK, font=letters, anchor="ra")
    for row, (line, ink) in enumerate(text):
        draw.text((_MARGIN, _MARGIN + above + row * _LINE), line, ink, font=letters)
    return np.asarray(strip, dtype=np.uint8)


@cache
def font(size: int) -> "FreeTypeFont | ImageFont":
    """Return the letters that Pillow brings along, the same on every machine."""
    from PIL import ImageFont

    return ImageFont.load_default(size)


@lru_cache(maxsize=1024)  # the strips of a run say much that is the same
def wrapped(text: str, width: int) -> tuple[str, ...]:
    """Return a line of words as the lines that fit a strip of this width, its margins kept free."""
    letters, room = font(14), width - 2 * _MARGIN
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and letters.getbbox(longer)[2] > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return tuple(lines)
