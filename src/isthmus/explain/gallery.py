"""Many cases on one sheet: what the network saw, the heat on it, and a line of words under each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError
from isthmus.explain.legend import Colours, font, legend
from isthmus.explain.overlay import crop_panel, to_png
from isthmus.files import atomic_path

COLUMNS = 4
_SIDE = 168
_GAP = 16
_LINE = 18
_HEADING = 34
_INK, _QUIET = (26, 26, 26), (95, 95, 95)


@dataclass(frozen=True, eq=False)
class GalleryCase:
    """One case of the sheet.

    Parameters
    ----------
    heading : str
        The group of cases it stands in; consecutive cases with the same heading share it.
    picture : ndarray of uint8, shape [h, w, C]
        The centre crop that the network saw.
    heat : ndarray of float32, shape [h, w]
        Heat in [0, 1].
    mask : ndarray of bool, shape [h, w], optional
        The lesion on the crop.
    caption : tuple of str
        A few short lines.
    """

    heading: str
    picture: NDArray[np.uint8]
    heat: NDArray[np.float32]
    mask: NDArray[np.bool_] | None = None
    caption: tuple[str, ...] = ()


def gallery(
    rows: Sequence[GalleryCase], path: Path, *, title: str = "", target: str = "", marks: Sequence[str] = ()
) -> Path:
    """Draw the cases as one PNG.

    Parameters
    ----------
    rows : sequence of GalleryCase
        The cases in reading order.
    path : Path
        The PNG to write.
    title : str
        Heading of the sheet.
    target : str
        The class whose evidence the heat shows.
    marks : sequence of str
        Sentences that nobody may overlook, such as SMOKE.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    InputError
        When there is no case.
    """
    if not rows:
        raise InputError("no case to draw", where=Path(path).name, expected="at least one")
    groups = _by_heading(rows)
    columns = max(2, min(COLUMNS, max(len(cases) for _, cases in groups)))
    width = columns * (2 * _SIDE + 4) + (columns + 1) * _GAP
    blocks = [_words(width, title, 20, _HEADING)] if title else []
    for heading, cases in groups:
        blocks.append(_words(width, heading, 15, _HEADING))
        blocks += [_line_of_cases(cases[at : at + columns], width) for at in range(0, len(cases), columns)]
    text = "Left: what the network saw. Right: Grad-CAM. White line: the lesion as given. Research use only."
    blocks.append(legend(width, [text, *([f"Heat: evidence for {target}."] if target else [])], marks))
    with atomic_path(path) as temporary:
        to_png(np.vstack(blocks)).save(temporary, format="PNG")
    return path


def _by_heading(rows: Sequence[GalleryCase]) -> list[tuple[str, list[GalleryCase]]]:
    groups: list[tuple[str, list[GalleryCase]]] = []
    for row in rows:
        if not groups or groups[-1][0] != row.heading:
            groups.append((row.heading, []))
        groups[-1][1].append(row)
    return groups


def _words(width: int, text: str, size: int, height: int) -> Colours:
    from PIL import Image, ImageDraw

    strip = Image.new("RGB", (width, height), (255, 255, 255))
    ImageDraw.Draw(strip).text((_GAP, height - 8), text, _INK, font=font(size), anchor="ls")
    return np.asarray(strip, dtype=np.uint8)


def _line_of_cases(cases: Sequence[GalleryCase], width: int) -> Colours:
    from PIL import Image, ImageDraw

    lines = max(len(case.caption) for case in cases)
    strip = Image.new("RGB", (width, _SIDE + lines * _LINE + _GAP), (255, 255, 255))
    draw = ImageDraw.Draw(strip)
    letters = font(13)
    for place, case in enumerate(cases):
        left = _GAP + place * (2 * _SIDE + 4 + _GAP)
        strip.paste(to_png(crop_panel(case.picture, case.heat, case.mask, _SIDE)), (left, 0))
        for row, line in enumerate(case.caption):
            colour = _INK if row == 0 else _QUIET
            draw.text((left, _SIDE + 3 + row * _LINE), _shortened(line), colour, font=letters)
    return np.asarray(strip, dtype=np.uint8)


def _shortened(line: str) -> str:
    room = 2 * _SIDE
    letters = font(13)
    while letters.getbbox(line)[2] > room:
        line = line.rstrip("…")[:-1] + "…"
    return line
