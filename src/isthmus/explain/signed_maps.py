"""Signed heat, drawn twice: on the scale of a published figure, and on one that is even on both sides of nothing.

Source of the scales: the study of occult node metastasis (10.3389/fendo.2025.1634875, figure 5) shows one frame on 0.2
to 1 and five frames on -1 to 0, where what is positive speaks for metastasis and what is negative against it. The first
leaves out whatever speaks against and what is weak; on the second the hottest colour means nothing at all, for or
against. Both are drawn as published, and beside each the same map from -1 to 1: what speaks for the class in orange,
what speaks against it in blue, and nothing where there is nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError
from isthmus.explain.legend import INK, MARK, PAPER, QUIET, Colours, colours_of_heat, font, wrapped
from isthmus.explain.overlay import STRONGEST, as_colour, blend, draw_outline, resized

FOR, AGAINST = (213, 94, 0), (0, 114, 178)
"""Vermillion and blue, which readers of any colour vision tell apart (M. Okabe, K. Ito, 2008)."""

_MARGIN, _LINE, _BAR, _SCALE = 16, 20, 12, 240


class Scale(NamedTuple):
    """The signed heat that has the coldest and the hottest colour; what lies beyond is drawn as these."""

    low: float
    high: float

    def of(self, heat: NDArray[Any]) -> NDArray[np.float32]:
        """Return heat in [-1, 1] as its place on the scale, 0 to 1."""
        return np.asarray(np.clip((heat - self.low) / (self.high - self.low), 0.0, 1.0), np.float32)

    @property
    def words(self) -> str:
        """Return both ends; with a hyphen as minus, since the letters of pictures have no other."""
        return f"{self.low:g} to {self.high:g}"


ONE_FRAME, FIVE_FRAMES = Scale(0.2, 1.0), Scale(-1.0, 0.0)
"""As published: of one frame, and of frames that share one map."""

EVEN = Scale(-1.0, 1.0)


@dataclass(frozen=True, eq=False)
class SignedCase:
    """A view as the network saw it, with its signed heat.

    Parameters
    ----------
    picture : ndarray of uint8, shape [h, w, C]
        The centre crop.
    heat : ndarray of float32, shape [h, w]
        In [-1, 1].
    lesion : ndarray of bool, shape [h, w]
        All False without one.
    """

    picture: NDArray[np.uint8]
    heat: NDArray[np.float32]
    lesion: NDArray[np.bool_]

    def drawn(self, scale: Scale, side: int) -> tuple[Colours, Colours, Colours]:
        """Return the plain picture, the published scale on it and the even scale on it, each outlined and square."""
        size = (side, side)
        plain = np.asarray(cv2.resize(as_colour(self.picture), size, interpolation=cv2.INTER_CUBIC), np.uint8)
        heat = np.asarray(cv2.resize(self.heat, size, interpolation=cv2.INTER_LINEAR), np.float32)
        return (
            plain,
            self.outlined(blend(plain, scale.of(heat)), side),
            self.outlined(blend_signed(plain, heat), side),
        )

    def outlined(self, tile: Colours, side: int) -> Colours:
        """Return a drawn tile [side, side, 3] with the lesion's outline on it."""
        return draw_outline(tile, resized(self.lesion, (side, side))) if self.lesion.any() else tile


def colours_of_signed(heat: NDArray[Any]) -> Colours:
    """Return the colour of signed heat: uint8 [..., 3], :data:`FOR` where it is positive, :data:`AGAINST` elsewhere."""
    return np.where((np.asarray(heat) > 0)[..., None], np.asarray(FOR, np.uint8), np.asarray(AGAINST, np.uint8))


def blend_signed(picture: Colours, heat: NDArray[Any]) -> Colours:
    """Lay signed heat [H, W] in [-1, 1] over a picture [H, W, 3]: the opacity is in proportion, for and against."""
    if picture.shape[:2] != heat.shape:
        raise InputError(f"heat {list(heat.shape)} on a picture {list(picture.shape[:2])}", expected="the same size")
    opacity = (STRONGEST * np.clip(np.abs(heat), 0.0, 1.0))[..., None]
    mixed: NDArray[np.float64] = picture * (1.0 - opacity) + colours_of_signed(heat) * opacity
    return np.asarray(np.round(mixed), np.uint8)


def signed_legend(width: int, scale: Scale, lines: Sequence[str], marks: Sequence[str] = ()) -> Colours:
    """Return a white strip with both colour scales, lines of words wrapped to the width, and marks that stand out."""
    from PIL import Image, ImageDraw

    letters = font(14)
    text = [(part, INK if not row else QUIET) for row, line in enumerate(lines) for part in wrapped(line, width)]
    text += [(part, MARK) for mark in marks for part in wrapped(mark, width)]
    height = 2 * _MARGIN + 2 * _LINE + 4 + _LINE * len(text)
    strip = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(strip)
    bar = min(_SCALE, width // 2 - 2 * _MARGIN)
    ends = ((f"{scale.low:g}", f"{scale.high:g}, as published"), ("-1: against", "1: for"))
    for place, (low, high) in enumerate(ends):
        left = _MARGIN + place * (width // 2)
        steps = np.linspace(-1.0, 1.0, bar)
        colours = _even_bar(steps) if place else np.repeat(colours_of_heat((steps + 1) / 2)[None], _BAR, axis=0)
        strip.paste(Image.fromarray(colours), (left, _MARGIN))
        draw.text((left, _MARGIN + 15), low, INK, font=letters)
        draw.text((left + bar, _MARGIN + 15), high, INK, font=letters, anchor="ra")
    for row, (part, ink) in enumerate(text):
        draw.text((_MARGIN, _MARGIN + 2 * _LINE + 4 + row * _LINE), part, ink, font=letters)
    return np.asarray(strip, dtype=np.uint8)


def _even_bar(steps: NDArray[np.float64]) -> Colours:
    # Over mid grey, as tissue is.
    ground = np.full((_BAR, len(steps), 3), 128, np.uint8)
    return blend_signed(ground, np.broadcast_to(steps, (_BAR, len(steps))))
