"""From a clip to the square pictures that a network gets, with the way back to the source's pixels.

Order: marks over the tissue filled in, grey or colour, what lies outside the view's scan area painted black, speckle
reduction at source resolution, a square window of whole source pixels, one resize. Nothing outside the scan area can
reach a network, because it is painted over before anything mixes neighbouring pixels; speckle reduction sees a border
of 32 pixels around the window, of the scan area only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError
from isthmus.imaging.cleaned_tissue import CleanedTissue
from isthmus.imaging.clip import Box, Clip, Lesion
from isthmus.imaging.crop_window import Placed, Window, as_box, place
from isthmus.imaging.preparation import Preparation
from isthmus.imaging.region import find_scan_area


@dataclass(frozen=True, eq=False)
class Prepared:
    """Pictures ready for a network.

    Parameters
    ----------
    pixels : uint8 array [T, S, S, C]
        S is ``train_size``; C is 1 (gray) or 3 (rgb).
    lesion_mask : bool array [T, S, S]
        The lesion's mask, or its filled box, carried along; all False without a lesion.
    frame_indices : int64 array [T]
        Which frames of the clip these are.
    source_to_prepared : float64 array [2, 3]
        Takes (x, y, 1) of a source pixel to the prepared picture. Whole numbers are the centres of pixels, as in
        ``cv2.warpAffine``; a corner of a :data:`Box` is half a pixel less.
    window : tuple of int
        The square in source pixels.
    region : Box
        The part of the source outside which everything was painted black.
    """

    pixels: NDArray[np.uint8]
    lesion_mask: NDArray[np.bool_]
    frame_indices: NDArray[np.int64]
    source_to_prepared: NDArray[np.float64]
    window: Window
    region: Box


def prepare(clip: Clip, preparation: Preparation) -> Prepared:
    """Cut, clean and resize a clip's frames; all of them by one window, which holds the lesion in every frame.

    Parameters
    ----------
    clip : Clip
        ``clip.scan_area`` is taken as given; where it is None it is found in the first frame. In a double picture
        only the panel that holds the lesion is used.
    preparation : Preparation
        What to do.

    Returns
    -------
    Prepared

    Raises
    ------
    RegionMissing
        When a lesion crop is asked for and the clip has no lesion.
    PictureError
        When the lesion lies wholly outside the scan area, or the scan area outside the frame.
    """
    (prepared,) = prepare_each(clip, [clip.lesion], preparation)
    if isinstance(prepared, InputError):
        raise prepared
    return prepared


def prepare_each(
    clip: Clip, lesions: Sequence[Lesion | InputError | None], preparation: Preparation
) -> list[Prepared | InputError]:
    """Prepare a clip for each of several lesions as :func:`prepare` would, cleaning its frames only once.

    Parameters
    ----------
    clip : Clip
        Its own lesion is not looked at.
    lesions : sequence of Lesion
        An error in a lesion's place is handed back.
    preparation : Preparation
        What to do.

    Returns
    -------
    list
        For each lesion what was prepared, or the error that :func:`prepare` would raise.
    """
    if clip.scan_area is None and lesions:
        found = find_scan_area(clip.frames[0])
        clip = replace(clip, scan_area=found.box, panels=found.panels)
    placed: list[Placed | InputError] = []
    for lesion in lesions:
        try:
            if isinstance(lesion, InputError):
                raise lesion
            placed.append(place(replace(clip, lesion=lesion), preparation))
        except InputError as error:
            placed.append(error)
    tissue = CleanedTissue(clip.frames, preparation, [one for one in placed if not isinstance(one, InputError)])
    return [one if isinstance(one, InputError) else _prepared(one, preparation, tissue) for one in placed]


def _prepared(placed: Placed, preparation: Preparation, tissue: CleanedTissue) -> Prepared:
    clip, window, region = placed
    size = preparation.train_size
    scale = size / (window[2] - window[0])
    shift = [scale * (0.5 - start) - 0.5 for start in window[:2]]
    return Prepared(
        pixels=np.stack([_picture(frame, window, region, tissue) for frame in range(len(clip.frames))]),
        lesion_mask=_lesion_mask(clip, window, size),
        frame_indices=np.arange(len(clip.frames)),
        source_to_prepared=np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]]),
        window=window,
        region=as_box(region),
    )


def _picture(frame: int, window: Window, region: Window, tissue: CleanedTissue) -> NDArray[np.uint8]:
    preparation = tissue.preparation
    side = window[2] - window[0]
    square = np.zeros((side, side, preparation.colours), dtype=np.uint8)
    found = tissue.around(frame, window, region)
    if found is not None:
        pixels, x0, y0 = found
        left, top = max(region[0], window[0]), max(region[1], window[1])
        right, bottom = min(region[2], window[2]), min(region[3], window[3])
        part = pixels[top - y0 : bottom - y0, left - x0 : right - x0]
        square[top - window[1] : bottom - window[1], left - window[0] : right - window[0]] = part
    size = preparation.train_size
    method = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(square, (size, size), interpolation=method), np.uint8).reshape(size, size, -1)


def _lesion_mask(clip: Clip, window: Window, size: int) -> NDArray[np.bool_]:
    """Return at each prepared pixel whether the source pixel under its centre is lesion."""
    frames, height, width = clip.frames.shape[:3]
    scale = (window[2] - window[0]) / size
    centres = (np.arange(size) + 0.5) * scale
    x, y = centres + window[0], centres + window[1]
    result = np.zeros((frames, size, size), dtype=np.bool_)
    if clip.lesion is None:
        return result
    if clip.lesion.mask is None:
        for frame, (x0, y0, x1, y1) in enumerate(clip.lesion.boxes()):
            result[frame] = ((y >= y0) & (y < y1))[:, None] & ((x >= x0) & (x < x1))[None]
        return result
    columns, lines = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
    inside = ((lines >= 0) & (lines < height))[:, None] & ((columns >= 0) & (columns < width))[None]
    taken = clip.lesion.mask[:, lines.clip(0, height - 1)][:, :, columns.clip(0, width - 1)]
    result[:] = taken & inside
    return result
