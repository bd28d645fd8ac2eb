"""The frames of a film: the source's pictures under their heat, where the clip's heat lies, and words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isthmus.explain.attention_curve import Attention, draw_curve
from isthmus.explain.overlay import Colours, draw_heat, heat_on_source, legend, marked_lines, window_on_source
from isthmus.imaging.clip import Box

_CURVE = 92


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

    Returns
    -------
    list of ndarray of uint8, shape [H', W', 3]
    """
    size, shape = clip.prepared_size, clip.frames.shape[1:3]
    window = window_on_source(clip.source_to_prepared, size, heat.shape[1], clip.region)
    words = f"Heat: evidence for {target}." + marked_lines(any(mask is not None for mask in clip.lesions), framed=True)
    lines = [f"Grad-CAM, model score {score}; research use only", words, attention.words()]
    under: Colours | None = None
    drawn = []
    for place, (frame, mask) in enumerate(zip(clip.frames, clip.lesions, strict=True)):
        warm = heat_on_source(heat[place], clip.source_to_prepared, size, (shape[0], shape[1]), clip.region)
        picture = draw_heat(frame, warm, clip.region, mask, window)
        if under is None:
            under = legend(picture.shape[1], [line for line in lines if line], marks, hottest="point of the clip")
        drawn.append(np.vstack([picture, draw_curve(attention, picture.shape[1], _CURVE, place), under]))
    return drawn
