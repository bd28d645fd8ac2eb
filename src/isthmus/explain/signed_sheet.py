"""Stills under their signed heat on one sheet: as seen, on the published scale, on an even one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from isthmus.errors import InputError
from isthmus.explain.legend import INK, PAPER, QUIET, Colours, font
from isthmus.explain.overlay import to_png
from isthmus.explain.signed_maps import EVEN, ONE_FRAME, SignedCase, signed_legend
from isthmus.files import atomic_path

_SIDE, _GAP, _ROW = 176, 4, 24
_TILES = 3 * _SIDE + 2 * _GAP
WIDTH = 2 * _TILES + 3 * 16
"""Two cases side by side."""


@dataclass(frozen=True, eq=False)
class SheetCase:
    """A case of the sheet, with two short lines under it."""

    case: SignedCase
    caption: tuple[str, str]


def signed_sheet(
    cases: Sequence[SheetCase], path: Path, *, title: str = "", target: str = "", marks: Sequence[str] = ()
) -> Path:
    """Draw cases as one PNG.

    Parameters
    ----------
    cases : sequence of SheetCase
        In reading order.
    path : Path
        The PNG to write.
    title, target, marks
        As for :func:`isthmus.explain.gallery.gallery`.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    InputError
        When there is no case.
    """
    if not cases:
        raise InputError("no case to draw", where=Path(path).name, expected="at least one")
    blocks = [_words(WIDTH, [title], 18)] if title else []
    blocks += [_pair(cases[at : at + 2]) for at in range(0, len(cases), 2)]
    said = (
        f"Left: what the network saw. Middle: signed Grad-CAM on the published scale of {ONE_FRAME.words}, which "
        f"leaves out what is weak and what speaks against. Right: the same from {EVEN.words}, orange for {target}, "
        "blue against it. White line: the lesion as given. Research use only."
    )
    blocks.append(signed_legend(WIDTH, ONE_FRAME, [said], marks))
    with atomic_path(path) as temporary:
        to_png(np.vstack(blocks)).save(temporary, format="PNG")
    return path


def _pair(cases: Sequence[SheetCase]) -> Colours:
    gap = np.full((_SIDE, _GAP, 3), 255, np.uint8)
    line = np.full((_SIDE + 2 * _ROW, WIDTH, 3), 255, np.uint8)
    for place, one in enumerate(cases):
        left = 16 + place * (_TILES + 16)
        plain, published, even = one.case.drawn(ONE_FRAME, _SIDE)
        line[:_SIDE, left : left + _TILES] = np.hstack([plain, gap, published, gap, even])
        line[_SIDE:, left : left + _TILES] = _words(_TILES, one.caption, 13)
    return line


def _words(width: int, lines: Sequence[str], size: int) -> Colours:
    from PIL import Image, ImageDraw

    strip = Image.new("RGB", (width, _ROW * len(lines)), PAPER)
    draw = ImageDraw.Draw(strip)
    for row, line in enumerate(lines):
        draw.text((0 if size < 18 else 16, _ROW * row + 3), line, QUIET if row else INK, font=font(size))
    return np.asarray(strip, dtype=np.uint8)
