"""Where the lesion lies in the source's own pixels, for the frames that are drawn."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.imaging.clip import Box
from isthmus.imaging.clip_masks import read_clip_mask


def lesions_on_source(
    view: Mapping[Any, Any], frames: Sequence[int], shape: tuple[int, int]
) -> list[NDArray[np.bool_] | None]:
    """Return a view's lesion in these frames as masks [H, W] on the source; a box is filled, None out of plane.

    Parameters
    ----------
    view : mapping
        A row of ``Cohort.examples``: ``mask``, ``box`` and, of clips, ``frame_boxes``, the first that is there.
    frames : sequence of int
        Frames of the source, counted from 0.
    shape : tuple of int
        Height and width of the source.
    """
    if isinstance(view["mask"], str | Path):
        masks = read_clip_mask(view["mask"], list(frames))
        return [mask if mask.any() else None for mask in masks]
    boxes = view.get("frame_boxes")
    if isinstance(boxes, np.ndarray):
        return [_filled(tuple(boxes[frame]), shape) if frame < len(boxes) else None for frame in frames]
    return [_filled(as_box(view["box"]), shape)] * len(frames)


def as_box(value: Any) -> Box | None:
    """Return a table's cell as a box; None where it holds none."""
    # pandas turns None into NaN in some columns.
    return (value[0], value[1], value[2], value[3]) if isinstance(value, tuple | list) else None


def _filled(box: Sequence[float] | None, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    if box is None or not np.isfinite(box).all():
        return None
    mask = np.zeros(shape, np.bool_)
    x0, y0, x1, y1 = np.round(box).astype(int)
    mask[max(y0, 0) : y1, max(x0, 0) : x1] = True
    return mask
