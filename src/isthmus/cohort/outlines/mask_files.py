"""Mask pictures: beside their pictures as ``<name>_mask.png``, or under the same name in a folder of masks."""

import re
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from isthmus.cohort.outlines.outline import Entry, OutlineUnusable, Shape, check_size, mask_box
from isthmus.errors import PictureError
from isthmus.imaging.clip import Box
from isthmus.imaging.clip_masks import read_clip_mask
from isthmus.imaging.limits import Limits
from isthmus.imaging.read import probe, read_mask

MASK_SUFFIXES: Final = (".png", ".tif", ".tiff", ".bmp", ".gif", ".jpg", ".jpeg")
FOLDERS: Final = ("mask", "masks", "seg", "segmentation", "segmentations", "outlines", "annotations", "labels")
"""A folder of such a name among the pictures holds masks."""
_NAME: Final = re.compile(
    r"(?P<picture>.+?)(?:[_\-. ](?:mask|seg|segmentation|outline|label)s?(?:[_\-. ]?(?P<number>\d{1,3}))?)",
    re.IGNORECASE,
)


def strip_mask_words(name: str) -> str:
    """Return the picture's name from that of its mask.

    Examples
    --------
    >>> strip_mask_words("case7/masks/left_mask2"), strip_mask_words("right-seg"), strip_mask_words("plain")
    ('case7/left', 'right', 'plain')
    """
    *folders, stem = name.split("/")
    match = _NAME.fullmatch(stem)
    return "/".join([*(part for part in folders if part.lower() not in FOLDERS), match["picture"] if match else stem])


def is_mask_file(relative: str) -> bool:
    """Return whether a picture among pictures says by its name, or its folder's, that it is a mask."""
    path = Path(relative)
    in_folder = any(part.lower() in FOLDERS for part in path.parts[:-1])
    return path.suffix.lower() in MASK_SUFFIXES and (in_folder or _NAME.fullmatch(path.stem) is not None)


def mask_entry(path: Path, source: str, relative: str, limits: Limits) -> Entry:
    """Return the entry of a mask picture; ``relative`` is its path without suffix in the folder it lies in."""
    match = _NAME.fullmatch(relative.split("/")[-1])
    label = (match["number"] or "") if match else ""

    def draw(height: int, width: int) -> tuple[NDArray[np.bool_], Box]:
        try:
            mask = read_mask(path, limits)
        except PictureError as error:
            raise OutlineUnusable(_without_path(error)) from error
        check_size(mask.shape, height, width, "the mask")
        return mask, mask_box(mask)

    def clip(frames: int, height: int, width: int) -> list[tuple[str, NDArray[np.bool_]]]:
        try:
            info = probe(path, limits)
            if (info.frames, info.height, info.width) != (frames, height, width):
                raise OutlineUnusable(
                    f"the mask has {info.frames} pages of {info.width} x {info.height} pixels, "
                    f"the clip {frames} frames of {width} x {height}"
                )
            return [(label, read_clip_mask(path, limits=limits))]
        except PictureError as error:
            raise OutlineUnusable(_without_path(error)) from error

    return Entry(source, "png", (strip_mask_words(relative), relative), lambda: [Shape(label, draw)], clip=clip)


def _without_path(error: PictureError) -> str:
    return f"{error.what}" + (f"; expected {error.expected}" if error.expected else "")
