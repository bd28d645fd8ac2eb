"""Pages for a reading room: the picture beside its heat, what the model says under it, and whose word it is not above.

Only masked frames are drawn: what a scanner writes into a picture may name the patient.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from isthmus.clinic.study_answers import Seen
from isthmus.explain.attention_curve import Attention, draw_curve
from isthmus.explain.clip_localisation import frame_attention
from isthmus.explain.clip_video import playing_rate
from isthmus.explain.legend import Colours, colours_of_heat, font, wrapped
from isthmus.explain.overlay import MIRRORED, draw_heat, heat_on_source, marked_lines, window_on_source
from isthmus.explain.prediction_drawing import rate_of, source_clip
from isthmus.explain.prepared_heat import frames_share_a_map
from isthmus.imaging.clip import Box
from isthmus.imaging.masked_screen import ScreenMask

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

NOTICE: Final = "Research use only, not for diagnosis"
_WIDE, _HIGH, _CLIP_WIDE, _CLIP_HIGH = 640, 600, 440, 440
"""Most pixels of each half: of a still, and of a clip, whose frames are many."""

_WORDS_WIDE, _FEWEST = 960, 720
_GAP, _CURVE, _MARGIN, _LINE, _AFTER, _HEADLINE, _SCALE = 4, 92, 16, 22, 6, 46, 240
_BLACK, _DARK, _WHITE, _INK, _ORANGE = (12, 14, 18), (38, 46, 58), (255, 255, 255), (205, 210, 216), (255, 176, 88)


@dataclass(frozen=True, eq=False)
class Pages:
    """A page, or the frames of one for a clip, all of one size.

    Parameters
    ----------
    frames : uint8 array [T, H, W, 3]
        Red, green, blue.
    rate_hz : float, optional
        At which a clip's are played.
    """

    frames: NDArray[np.uint8]
    rate_hz: float | None = None


def picture_pages(
    seen: Seen, mask: ScreenMask, title: str, lines: Sequence[str], target: str, marks: Sequence[str] = ()
) -> Pages:
    """Draw a picture beside its heat, of a clip frame by frame.

    Parameters
    ----------
    seen : Seen
        What the network saw.
    mask : ScreenMask
        Of its file.
    title : str
        Which model, at the top.
    lines : sequence of str
        What it says.
    target : str
        The class that the heat is evidence for.
    marks : sequence of str
        Sentences that nobody may overlook, such as SIMULATED.
    """
    clip, heat = source_clip(seen.predictor, seen.picture), seen.heat
    count = len(clip.frames)
    shared = frames_share_a_map(seen.predictor.spec.prepare)
    warm = np.broadcast_to(heat, (count, *heat.shape[1:])) if shared else heat
    shape = (clip.frames.shape[1], clip.frames.shape[2])
    most = (_WIDE, _HIGH) if count == 1 else (_CLIP_WIDE, _CLIP_HIGH)
    half = _width(clip.region, *most)
    window = window_on_source(clip.source_to_prepared, clip.prepared_size, heat.shape[-1], clip.region)
    attention = None if count == 1 or shared else _attention(seen, heat)
    lesion = any(one is not None for one in clip.lesions)
    words = _heat_words(seen, target, heat, lesion, shared and count > 1)
    hottest = None if not (heat > 0).any() else "point here" if count == 1 else "point of the clip"
    width = max(2 * half + _GAP, _FEWEST)
    under = _under(width, [*lines, *words], hottest)
    above, nothing, drawn = _banner(width, title, marks), np.zeros(shape, np.float32), []
    for place, (frame, outline) in enumerate(zip(clip.frames, clip.lesions, strict=True)):
        clean = mask.on(frame)
        hot = heat_on_source(warm[place], clip.source_to_prepared, clip.prepared_size, shape, clip.region)
        left = draw_heat(clean, nothing, clip.region, width=half)
        right = draw_heat(clean, hot, clip.region, outline, window, width=half)
        pair = np.hstack([left, np.full((len(left), _GAP, 3), _DARK, np.uint8), right])
        rows = [above, _centred(pair, width)]
        rows += [] if attention is None else [255 - draw_curve(attention, width, _CURVE, place)]
        drawn.append(np.vstack([*rows, under]))
    rate = None if count == 1 else float(playing_rate(_numbers(seen), rate_of(seen.picture))[0])
    return Pages(_even(np.stack(drawn)), rate)


def words_page(title: str, lines: Sequence[str], marks: Sequence[str] = ()) -> Pages:
    """Return a page without a picture: the first line stands out."""
    above, under = _banner(_WORDS_WIDE, title, marks), _under(_WORDS_WIDE, lines, None)
    return Pages(_even(np.vstack([above, under])[None]))


def _heat_words(seen: Seen, target: str, heat: NDArray[np.float32], lesion: bool, one_map: bool) -> list[str]:
    whose = f" of {seen.part}" if seen.part else ""
    found = f"Right: Grad-CAM{whose}, evidence for {target}." if heat.any() else f"No heat: nothing spoke for {target}."
    moves = " Its frames are channels of one picture and have one map, which does not move." if one_map else ""
    mirrored = f"{MIRRORED[2:].capitalize()}." if seen.predictor.spec.flips else ""
    return [f"{found}{marked_lines(lesion, framed=True)}{moves} {mirrored}".strip()]


def _attention(seen: Seen, heat: NDArray[np.float32]) -> Attention:
    return Attention(frame_attention(heat[None])[0], _numbers(seen))


def _numbers(seen: Seen) -> NDArray[np.int64]:
    """Return the frames seen, counted from 1 as DICOM viewers count them."""
    return np.asarray(seen.picture.frames, np.int64) + 1


def _width(region: Box, wide: int, high: int) -> int:
    across, down = region[2] - region[0], region[3] - region[1]
    return max(1, round(min(wide, high * across / down)))


def _centred(pair: Colours, width: int) -> Colours:
    left = (width - pair.shape[1]) // 2
    return np.pad(pair, ((0, 0), (left, width - pair.shape[1] - left), (0, 0)), constant_values=0)


def _even(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return frames with even sides, which the chroma of JPEG needs."""
    down, across = frames.shape[1] % 2, frames.shape[2] % 2
    return np.pad(frames, ((0, 0), (0, down), (0, across), (0, 0)), constant_values=0)


def _banner(width: int, title: str, marks: Sequence[str]) -> Colours:
    rows = [(title, _INK), *((line, _ORANGE) for mark in marks for line in wrapped(mark, width))]
    picture, draw = _strip(width, _HEADLINE + _LINE * len(rows) + _MARGIN // 2, _DARK)
    draw.text((_MARGIN, _HEADLINE / 2), NOTICE, _WHITE, font=font(22), anchor="lm")
    for row, (text, ink) in enumerate(rows):
        draw.text((_MARGIN, _HEADLINE + _LINE * row), text, ink, font=font(14))
    return np.asarray(picture, dtype=np.uint8)


def _under(width: int, lines: Sequence[str], hottest: str | None) -> Colours:
    """Return the words under a picture, light on dark as a reading room needs it, and the scale of its heat."""
    first, *others = lines
    rows = [(part, _WHITE, 17) for part in wrapped(first, round(width * 14 / 17))]
    rows += [(part, _INK, 14) for line in others for part in wrapped(line, width)]
    above = 0 if hottest is None else 2 * _LINE + 4
    picture, draw = _strip(width, 2 * _MARGIN + above + _LINE * len(rows) + _AFTER, _BLACK)
    if hottest is not None:
        across = min(_SCALE, width - 2 * _MARGIN)
        picture.paste(_scale(across), (_MARGIN, _MARGIN))
        draw.text((_MARGIN, _MARGIN + 15), "0: none", _INK, font=font(14))
        draw.text((_MARGIN + across, _MARGIN + 15), f"1: hottest {hottest}", _INK, font=font(14), anchor="ra")
    for row, (text, ink, size) in enumerate(rows):
        down = _AFTER if ink == _INK else 0
        draw.text((_MARGIN, _MARGIN + above + down + _LINE * row), text, ink, font=font(size))
    return np.asarray(picture, dtype=np.uint8)


def _strip(width: int, height: int, ground: tuple[int, int, int]) -> "tuple[Image, ImageDraw]":
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (width, height), ground)
    return picture, ImageDraw.Draw(picture)


def _scale(width: int) -> "Image":
    from PIL import Image

    return Image.fromarray(np.repeat(colours_of_heat(np.linspace(0, 1, width))[None], 12, axis=0))
