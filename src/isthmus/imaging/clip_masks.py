"""Masks of clips: one page a frame of a multi-page TIFF, or a folder of numbered mask pictures beside the frames'."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from isthmus.errors import PictureError
from isthmus.files import atomic_path
from isthmus.imaging.clip import check_frames
from isthmus.imaging.limits import Limits
from isthmus.imaging.read import DEFAULT_LIMITS, mask_of_frame, open_clip

_COMPRESSION = "tiff_adobe_deflate"


def read_clip_mask(
    path: str | Path, frames: Sequence[int] | None = None, limits: Limits = DEFAULT_LIMITS
) -> NDArray[np.bool_]:
    """Read the lesion's mask in each frame.

    Parameters
    ----------
    path : str or Path
        A multi-page TIFF, or a folder of numbered pictures (or any clip without loss), 0 outside and one other value
        inside; a frame without lesion is all 0. A picture of one frame is the mask of a still.
    frames : sequence of int, optional
        Which frames, counted from 0, in this order; all of them by default.
    limits : Limits
        What is refused as too large.

    Returns
    -------
    bool array [T, H, W]

    Raises
    ------
    PictureError
        When it cannot be read, or a frame holds more than two values.
    LimitError
        When it is beyond the limits.
    """
    with open_clip(path, limits) as source:
        info = source.info
        wanted = list(range(info.frames)) if frames is None else list(frames)
        check_frames(wanted, info.frames, path)
        limits.check_decoded(str(path), width=info.width, height=info.height, channels=1, frames=len(wanted))
        masks = np.zeros((len(wanted), info.height, info.width), dtype=np.bool_)
        ordered = sorted(set(wanted))
        for frame, pixels in zip(ordered, source.frames(ordered), strict=True):
            masks[np.asarray(wanted) == frame] = mask_of_frame(pixels, f"{path}, frame {frame}")
    return masks


def write_clip_mask(path: str | Path, masks: NDArray[np.bool_] | Iterable[NDArray[np.bool_]]) -> None:
    """Write the lesion's mask in each frame as a multi-page TIFF of 8 bits, 0 outside and 255 inside; atomic.

    Parameters
    ----------
    path : str or Path
        Where to; read back by :func:`read_clip_mask`.
    masks : bool array [T, H, W], or an iterable of bool arrays [H, W]
        At least one frame, all of one size; of an iterable one frame is held at a time.

    Raises
    ------
    PictureError
        When these are no masks.
    OutputError
        When the disk is full, read-only or not ours.
    """
    shape: tuple[int, ...] | None = None
    with (
        atomic_path(Path(path)) as temporary,
        temporary.open("w+b") as stream,
        TiffImagePlugin.AppendingTiffWriter(stream, new=True) as pages,
    ):
        for mask in masks:
            shape = shape or mask.shape
            if mask.dtype != np.bool_ or mask.ndim != 2 or mask.shape != shape or 0 in shape:
                raise PictureError(
                    f"a frame's mask has shape {mask.shape} and type {mask.dtype}", expected="bool [H, W], all alike"
                )
            Image.fromarray(np.where(mask, np.uint8(255), np.uint8(0))).save(
                pages, format="TIFF", compression=_COMPRESSION
            )
            pages.newFrame()
        if shape is None:
            raise PictureError("there are no frames", where=str(path), expected="bool [T, H, W]")
