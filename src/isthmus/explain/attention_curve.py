"""How a clip's heat is spread over its frames, as a curve over ground that shows what is in plane."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from isthmus.explain.legend import INK, MARK, PAPER, QUIET, Colours, font

if TYPE_CHECKING:
    from PIL import ImageDraw

_LINE = (0, 88, 140)
_LESION, _CALCIFIED = (236, 236, 236), (190, 222, 242)
_EVEN = (150, 150, 150)
_FINER = 2
_LEFT, _RIGHT, _TOP, _BOTTOM = 54, 16, 20, 22


@dataclass(frozen=True, eq=False)
class Attention:
    """How the heat of a clip is spread over the frames that a network saw.

    Parameters
    ----------
    share : ndarray of float64, shape [T]
        Each frame's share of the heat; NaN where the clip has none.
    frames : ndarray of int64, shape [T]
        Their numbers in the recording, counted from 0.
    lesion : ndarray of bool, shape [T], optional
        Whether the lesion is in plane.
    calcified : ndarray of bool, shape [T], optional
        Whether a true calcification is in plane; known of simulated clips.
    rate_hz : float, optional
        Frames a second of the recording.
    """

    share: NDArray[np.float64]
    frames: NDArray[np.int64]
    lesion: NDArray[np.bool_] | None = None
    calcified: NDArray[np.bool_] | None = None
    rate_hz: float | None = None

    @property
    def hottest(self) -> int | None:
        """The place of the frame of most heat; None where the clip has no heat."""
        share = np.nan_to_num(self.share)
        return int(share.argmax()) if share.any() else None

    def name(self, place: int) -> str:
        """Return a frame's number, counted from 0, and its time where that is known."""
        number = int(self.frames[place])
        return f"frame {number}" + (f", {number / self.rate_hz:.1f} s" if self.rate_hz else "")

    def words(self) -> str:
        """Return how frames are counted and what the ground of the curve means."""
        said = [] if self.hottest is not None else ["No frame has heat: nothing in the clip speaks for that class."]
        said.append("Frames are counted from 0.")
        if self.lesion is not None and self.lesion.any():
            said.append("Grey ground: the lesion is in plane" + (" (in all frames)." if self.lesion.all() else "."))
        if self.calcified is not None and self.calcified.any():
            said.append("Blue ground: a true calcification is in plane, known because the clip is simulated.")
        elif self.calcified is not None:
            said.append("No frame shows a true calcification.")
        return " ".join(said)


def draw_curve(attention: Attention, width: int, height: int, current: int | None = None) -> Colours:
    """Draw each frame's share of the heat.

    Parameters
    ----------
    attention : Attention
        Of one clip.
    width, height : int
        In pixels.
    current : int, optional
        The place of the frame that a film shows now; otherwise the hottest is marked.

    Returns
    -------
    ndarray of uint8, shape [height, width, 3]
    """
    from PIL import Image, ImageDraw

    sheet = Image.new("RGB", (width * _FINER, height * _FINER), PAPER)
    draw = ImageDraw.Draw(sheet)
    count, share = len(attention.share), np.nan_to_num(attention.share)
    most = max(float(share.max()), 1.0 / count) * 1.08
    left, right = _LEFT * _FINER, (width - _RIGHT) * _FINER
    top, bottom = _TOP * _FINER, (height - _BOTTOM) * _FINER
    step = (right - left) / count
    across = left + step * (np.arange(count) + 0.5)
    up = bottom - share / most * (bottom - top)
    for shown, ground in ((attention.lesion, _LESION), (attention.calcified, _CALCIFIED)):
        for column in [] if shown is None else np.flatnonzero(shown).tolist():
            draw.rectangle((left + step * column, top, left + step * (column + 1), bottom), ground)
    even = bottom - (bottom - top) / count / most
    for start in range(left, right, 8 * _FINER):
        draw.line((start, even, start + 4 * _FINER, even), _EVEN, _FINER)
    draw.line((left, bottom, right, bottom), QUIET, _FINER)
    draw.line([(float(x), float(y)) for x, y in zip(across, up, strict=True)], _LINE, 2 * _FINER, joint="curve")
    marked = attention.hottest if current is None else current
    for place, (x, y) in enumerate(zip(across.tolist(), up.tolist(), strict=True)):
        radius = (5 if place == marked else 3) * _FINER
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), MARK if place == marked else _LINE)
    _label(draw, attention, marked, (left, top, right, bottom), (across, even, most), hottest=current is None)
    return np.asarray(sheet.resize((width, height), Image.Resampling.LANCZOS), dtype=np.uint8)


def _label(
    draw: "ImageDraw.ImageDraw",
    attention: Attention,
    marked: int | None,
    frame: tuple[int, int, int, int],
    scale: tuple[NDArray[np.floating[Any]], float, float],
    *,
    hottest: bool,
) -> None:
    left, top, right, bottom = frame
    across, even, most = scale
    small = font(12 * _FINER)
    draw.text((left, top - 4 * _FINER), "Share of the clip's heat by frame", INK, font=small, anchor="ls")
    draw.text((left - 5 * _FINER, top), f"{most / 1.08:.0%}", QUIET, font=small, anchor="rt")
    if even - top > 16 * _FINER:
        draw.text((left - 5 * _FINER, even), "even", QUIET, font=small, anchor="rm")
    words = "no heat" if marked is None else attention.name(marked)
    if marked is not None:
        words = f"hottest: {words}" if hottest else words[:1].upper() + words[1:]
    half = draw.textlength(words, font=small) / 2
    place = min(max((left + right) / 2 if marked is None else float(across[marked]), left + half), right - half)
    draw.text((place, bottom + 4 * _FINER), words, MARK, font=small, anchor="mt")
    ends = [(left, f"{attention.frames[0]}", "lt"), (right, f"{attention.frames[-1]}", "rt")]
    for x, text, anchor in ends:
        if abs(x - place) > half + 30 * _FINER:
            draw.text((x, bottom + 4 * _FINER), text, QUIET, font=small, anchor=anchor)
