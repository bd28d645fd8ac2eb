"""The frames of a film: the recording around the lesion, the same under its heat, and where in time the heat lies."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isthmus.explain.attention_curve import Attention, draw_curve
from isthmus.explain.legend import Colours, legend
from isthmus.explain.overlay import draw_heat, heat_on_source, marked_lines, window_on_source
from isthmus.imaging.clip import Box

WIDE, NARROW = 318, 220
"""Width of each half in pixels: of an MP4, and of a GIF, which takes several times the bytes."""

_CURVE, _GAP, _CONTROLS = 92, 4, 72
_AROUND = 0.25
"""Surroundings that are shown of what the network saw, on each side, as a share of it."""


@dataclass(frozen=True, eq=False)
class SourceClip:
    """The frames of a recording that a network saw, whole, and the way from them to what it saw.

    Parameters
    ----------
    frames : ndarray of uint8, shape [T, H, W, C]
        In the order of the heat.
    lesions : sequence of ndarray of bool [H, W] or None
        The lesion in each, None where it is out of plane.
    region : Box
        The scan area; what a scanner writes beside it, a patient's name among it, is cut off.
    source_to_prepared : ndarray of float64, shape [2, 3]
        As ``prepare`` gives it.
    prepared_size : int
        Side of the prepared pictures.
    """

    frames: NDArray[np.uint8]
    lesions: Sequence[NDArray[np.bool_] | None]
    region: Box
    source_to_prepared: NDArray[np.float64]
    prepared_size: int


def film_frames(
    clip: SourceClip,
    heat: NDArray[np.float32],
    attention: Attention,
    *,
    score: str,
    target: str,
    marks: Sequence[str] = (),
    half: int = WIDE,
) -> list[Colours]:
    """Draw a film's frames, all of one size.

    Parameters
    ----------
    clip : SourceClip
        The recording.
    heat : ndarray of float32, shape [T, crop, crop]
        In [0, 1] over the whole clip.
    attention : Attention
        Its heat by frame.
    score : str
        What stands after "model score".
    target : str
        The class whose evidence the heat shows.
    marks : sequence of str
        Sentences that nobody may overlook; on every frame.
    half : int
        Width of each half.

    Returns
    -------
    list of ndarray of uint8, shape [H', W', 3]
        White below the words: there browsers lay their buttons, which must not cover a mark.
    """
    size, shape = clip.prepared_size, (clip.frames.shape[1], clip.frames.shape[2])
    window = window_on_source(clip.source_to_prepared, size, heat.shape[1], clip.region)
    place_of_lesion = any(mask is not None for mask in clip.lesions)
    words = f"Right: heat, evidence for {target}.{marked_lines(place_of_lesion, framed=True)}"
    lines = [f"Grad-CAM, model score {score}; research use only", words, attention.words()]
    width = 2 * half + _GAP
    under = legend(width, [line for line in lines if line], marks, hottest="point of the clip")
    under = np.pad(under, ((0, _CONTROLS), (0, 0), (0, 0)), constant_values=255)
    around, nothing = _around(window, clip.region), np.zeros(shape, np.float32)
    drawn = []
    for place, (frame, mask) in enumerate(zip(clip.frames, clip.lesions, strict=True)):
        warm = heat_on_source(heat[place], clip.source_to_prepared, size, shape, clip.region)
        left = draw_heat(frame, nothing, around, width=half)
        right = draw_heat(frame, warm, around, mask, window, width=half)
        pair = np.hstack([left, np.full((len(left), _GAP, 3), 255, np.uint8), right])
        drawn.append(np.vstack([pair, draw_curve(attention, width, _CURVE, place), under]))
    return drawn


def _around(window: Box, region: Box) -> Box:
    margins = _AROUND * (window[2] - window[0]), _AROUND * (window[3] - window[1])
    x0, y0 = max(window[0] - margins[0], region[0]), max(window[1] - margins[1], region[1])
    x1, y1 = min(window[2] + margins[0], region[2]), min(window[3] + margins[1], region[3])
    return float(round(x0)), float(round(y0)), float(round(x1)), float(round(y1))
