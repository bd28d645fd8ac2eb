"""What each member brought to a fused score, drawn as bars: for the class to the right, against it to the left."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from isthmus.explain.legend import INK, MARK, PAPER, QUIET, Colours, font, wrapped
from isthmus.explain.signed_maps import AGAINST, FOR
from isthmus.inference.prediction import Brought

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

_WIDTH, _MARGIN, _LINE, _ROW, _BAR = 640, 16, 20, 30, 14
_FIRST, _LAST = 210, 560
"""Where the longest bar may begin and end; names stand to the left, and the numbers reach beyond."""

_SHORTEST: Final = 0.5
"""Log odds that fill a side at least: small ones shall look small."""


def member_bars(brought: Brought, lines: Sequence[str], target: str, marks: Sequence[str] = ()) -> Colours:
    """Draw a row a member, and words under them.

    Parameters
    ----------
    brought : Brought
        What each member brought.
    lines : sequence of str
        Words under the bars, the first in full ink.
    target : str
        The class that the score speaks for.
    marks : sequence of str
        Sentences that nobody may overlook, such as SMOKE.

    Returns
    -------
    ndarray of uint8, shape [H, 640, 3]
    """
    from PIL import Image, ImageDraw

    said = [
        *lines,
        f"Orange: for {target}; blue: against it. In log odds, before calibration: the bars lead from "
        f"{brought.average:+.2f}, {brought.start}, to {brought.log_odds:+.2f}.",
    ]
    inks = [INK, *[QUIET] * (len(said) - 1), *[MARK] * len(marks)]
    text = [(part, ink) for line, ink in zip([*said, *marks], inks, strict=True) for part in wrapped(line, _WIDTH)]
    under = 2 * _MARGIN + _ROW * len(brought.members)
    picture = Image.new("RGB", (_WIDTH, under + _LINE * len(text) + _MARGIN), PAPER)
    draw = ImageDraw.Draw(picture)
    middle, scale = (_FIRST + _LAST) / 2, max(_SHORTEST, *map(abs, brought.members.values()))
    for row, (member, value) in enumerate(brought.members.items()):
        length = (_LAST - _FIRST) / 2 * value / scale
        _bar(draw, _MARGIN + _ROW * row, member, brought.shown(member), length)
    draw.line((middle, _MARGIN, middle, under - _MARGIN), INK)
    for row, (line, ink) in enumerate(text):
        draw.text((_MARGIN, under + _LINE * row), line, ink, font=font(14))
    return np.asarray(picture, dtype=np.uint8)


def _bar(draw: "ImageDraw", top: int, member: str, value: str, length: float) -> None:
    middle, letters = (_FIRST + _LAST) / 2, font(14)
    centre, edge = top + _ROW / 2, middle + length
    draw.rectangle(
        (min(middle, edge), centre - _BAR / 2, max(middle, edge), centre + _BAR / 2), FOR if length > 0 else AGAINST
    )
    name = member if letters.getlength(member) < _FIRST - 2 * _MARGIN else f"{member[:20]}.."
    draw.text((_MARGIN, centre), name, INK, font=letters, anchor="lm")
    beside = (edge + 6, "lm") if length >= 0 else (edge - 6, "rm")
    draw.text((beside[0], centre), value, INK, font=letters, anchor=beside[1])
