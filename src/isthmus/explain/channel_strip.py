"""A clip whose frames are channels, on paper: its frames, their one heat map over each, and how much each counted."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.explain.frame_share import frame_shares
from isthmus.explain.legend import INK, MARK, PAPER, QUIET, Colours, font, legend
from isthmus.explain.overlay import blend
from isthmus.explain.signed_maps import EVEN, FIVE_FRAMES, SignedCase, signed_legend

_WIDTH, _GAP, _HEAD, _FOOT = 1100, 6, 22, 40
_LARGEST = 216


@dataclass(frozen=True, eq=False)
class ChannelClip:
    """A clip as a network saw it whose channels are its frames.

    Parameters
    ----------
    pictures : ndarray of uint8, shape [T, h, w, C]
        Centre crops.
    lesions : ndarray of bool, shape [T, h, w]
        The lesion, frame by frame.
    heat : ndarray of float32, shape [h, w]
        The one map of all frames: in [0, 1], or in [-1, 1] where ``signed``.
    effects : ndarray of float64, shape [T]
        From :func:`isthmus.explain.frame_share.frame_effects`.
    frames : ndarray of int64, shape [T]
        Their numbers in the recording, counted from 0.
    rate_hz : float, optional
        Frames a second of the recording.
    signed : bool
        Whether the heat is.
    """

    pictures: NDArray[np.uint8]
    lesions: NDArray[np.bool_]
    heat: NDArray[np.float32]
    effects: NDArray[np.float64]
    frames: NDArray[np.int64]
    rate_hz: float | None = None
    signed: bool = False

    @property
    def counted(self) -> int | None:
        """The place of the frame that counted most; None where none did."""
        shares = frame_shares(self.effects[None])[0]
        return None if np.isnan(shares).any() else int(shares.argmax())

    def name(self, place: int) -> str:
        """Return a frame's number and, where the rate is known, its time."""
        number = int(self.frames[place])
        return f"frame {number}" + (f", {number / self.rate_hz:.1f} s" if self.rate_hz else "")

    def words(self) -> str:
        """Return which frame counted, and how far it moved the score."""
        place = self.counted
        if place is None:
            return "Hidden one at a time, no frame changed the score."
        effect, share = self.effects[place], frame_shares(self.effects[None])[0, place]
        towards = "for" if effect > 0 else "against"
        return (
            f"{self.name(place).capitalize()} counted most: it spoke {towards} the class, {effect:+.2f} in log "
            f"odds, {share:.0%} of what all frames moved when hidden one at a time."
        )


def channel_strip(clip: ChannelClip, lines: Sequence[str], target: str, marks: Sequence[str] = ()) -> Colours:
    """Draw a clip's strip.

    Parameters
    ----------
    clip : ChannelClip
        What the network saw.
    lines : sequence of str
        Words under it, the first in full ink.
    target : str
        The class whose evidence the heat shows.
    marks : sequence of str
        Sentences that nobody may overlook, such as SMOKE.

    Returns
    -------
    ndarray of uint8, shape [H, 1100, 3]
        In columns the frames in time; from above each as it was seen, under the map, and its share. A signed map is
        drawn on the published scale and on an even one.
    """
    count = len(clip.pictures)
    side = min(_LARGEST, (_WIDTH - (count + 1) * _GAP) // count)
    gap = np.full((_column_height(side, clip.signed), _GAP, 3), 255, np.uint8)
    parts = [part for place in range(count) for part in (gap, _column(clip, place, side))]
    strip = np.hstack(parts)
    strip = np.pad(strip, ((0, 0), (0, _WIDTH - strip.shape[1]), (0, 0)), constant_values=255)
    said = [*lines, _rows_in_words(clip, target), f"{clip.words()} Frames are counted from 0."]
    under = signed_legend(_WIDTH, FIVE_FRAMES, said, marks) if clip.signed else legend(_WIDTH, said, marks)
    return np.vstack([strip, under])


def _rows_in_words(clip: ChannelClip, target: str) -> str:
    shared = f"The network gets all {len(clip.pictures)} frames at once, so that they share one map"
    line = " White line: the lesion as given, in each frame." if clip.lesions.any() else ""
    if not clip.signed:
        return f"{shared}: Grad-CAM, evidence for {target}.{line}"
    return (
        f"{shared}. Middle row: signed Grad-CAM on the published scale of {FIVE_FRAMES.words}, on which the hottest "
        f"colour is no evidence at all. Lower row: the same from {EVEN.words}, orange for {target}, blue against "
        f"it.{line}"
    )


def _column_height(side: int, signed: bool) -> int:
    rows = 3 if signed else 2
    return _HEAD + rows * side + (rows - 1) * 4 + _FOOT


def _column(clip: ChannelClip, place: int, side: int) -> Colours:
    case = SignedCase(clip.pictures[place], clip.heat, clip.lesions[place])
    plain, published, even = case.drawn(FIVE_FRAMES, side)
    if not clip.signed:
        published = case.outlined(blend(plain, cv2.resize(clip.heat, (side, side))), side)
    tiles = [plain, published, even] if clip.signed else [plain, published]
    first = place == clip.counted
    if first:
        for tile in tiles:
            cv2.rectangle(tile, (0, 0), (side - 1, side - 1), MARK, 3)
    between = np.full((4, side, 3), 255, np.uint8)
    stacked = [part for tile in tiles for part in (tile, between)][:-1]
    share = frame_shares(clip.effects[None])[0, place]
    counted = "counted for nothing" if np.isnan(share) else f"counted for {share:.0%}"
    foot = [counted, f"{clip.effects[place]:+.2f} log odds"]
    return np.vstack([_words(side, [clip.name(place)], _HEAD, first), *stacked, _words(side, foot, _FOOT, first)])


def _words(width: int, lines: Sequence[str], height: int, loud: bool) -> Colours:
    from PIL import Image, ImageDraw

    strip = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(strip)
    for row, line in enumerate(lines):
        draw.text((0, 4 + 17 * row), line, MARK if loud else (QUIET if row else INK), font=font(13))
    return np.asarray(strip, dtype=np.uint8)
