"""What a file of outlines gives: shapes that belong to a picture, or a reason why not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from isthmus.imaging.clip import Box, box_of

OVERHANG: Final = 1.0
"""How far, in pixels, a shape may leave its picture and is clipped: tools round, and let the cursor end on the border.
What leaves it further belongs to another picture, or to this one at another size."""

MOST_SHAPES: Final = 200
"""A picture has a few nodules; a file with more outlines of one picture is something else."""


Drawer = Callable[[int, int], tuple[NDArray[np.bool_] | None, Box | None]]
"""Given height and width of the picture, draws a shape: its mask and its box; or raises :class:`OutlineUnusable`."""


class OutlineUnusable(Exception):  # noqa: N818  (inner to these readers; it ends as a fault with its file)
    """An outline, or a file of outlines, that cannot be used, in words."""


class OutlineEmpty(OutlineUnusable):
    """A mask without a pixel: wrong for a still, 'not seen here' for a frame of a clip."""


@dataclass(frozen=True)
class OutlineFault:
    """Why a file, or one outline of it, is not used.

    Parameters
    ----------
    file : str
        Relative to the folder it was looked for in.
    reason : str
        In words; never a copy of a free-text field.
    """

    file: str
    reason: str


@dataclass(frozen=True)
class Outline:
    """One outline of a picture.

    Parameters
    ----------
    label : str
        What the tool calls it; '' where the format has no names.
    mask : bool array [H, W], optional
        The lesion; None where only a box was drawn.
    box : Box, optional
        The box drawn, or that of the mask.
    source : str
        The file it comes from, relative to the folder it was looked for in.
    format : str
        ``png``, ``labelme``, ``cvat``, ``coco``, ``voc``, ``nifti``, ``nrrd`` or ``dicom-seg``.
    """

    label: str
    mask: NDArray[np.bool_] | None
    box: Box | None
    source: str
    format: str


@dataclass(frozen=True)
class ClipOutline:
    """One lesion's outline in every frame of a clip; ``masks`` is [T, H, W], all false where it is not seen."""

    label: str
    masks: NDArray[np.bool_]
    source: str
    format: str


@dataclass(frozen=True)
class Shape:
    """One shape of a file, and how it is drawn."""

    label: str
    draw: Drawer


@dataclass(frozen=True)
class Entry:
    """What one file says of one picture.

    Parameters
    ----------
    source : str
        The file.
    format : str
        As in :class:`Outline`.
    names : sequence of str
        Names the picture may have, relative to the pictures' folder, the likeliest first; empty for a UID.
    shapes : callable
        Returns the shapes; called when the picture is asked for.
    uid : str
        SOP Instance UID of the picture, for formats that name it so.
    size : tuple of int, optional
        Height and width that the file states for the picture.
    clip : callable, optional
        ``clip(frames, height, width)`` gives (label, masks) pairs, for formats that hold clips.
    """

    source: str
    format: str
    names: Sequence[str]
    shapes: Callable[[], Sequence[Shape]]
    uid: str = ""
    size: tuple[int, int] | None = None
    clip: Callable[[int, int, int], Sequence[tuple[str, NDArray[np.bool_]]]] | None = None


def drawn_box(x0: float, y0: float, x1: float, y1: float) -> Drawer:
    """Return a drawer of a box given by its corners in any order, in continuous pixels (the first pixel is 0 to 1)."""

    def draw(height: int, width: int) -> tuple[None, Box]:
        left, right = sorted((x0, x1))
        top, bottom = sorted((y0, y1))
        check_inside(left, top, right, bottom, height, width)
        left, top = max(left, 0.0), max(top, 0.0)
        right, bottom = min(right, float(width)), min(bottom, float(height))
        if right - left <= 0 or bottom - top <= 0:
            raise OutlineUnusable("a box is empty")
        return None, (left, top, right, bottom)

    return draw


def check_inside(left: float, top: float, right: float, bottom: float, height: int, width: int) -> None:
    """Refuse what leaves a picture by more than :data:`OVERHANG`, or is no number."""
    if not np.isfinite([left, top, right, bottom]).all():
        raise OutlineUnusable("a coordinate is no finite number")
    if min(left, top) < -OVERHANG or right > width + OVERHANG or bottom > height + OVERHANG:
        raise OutlineUnusable(
            f"it reaches from ({left:g}, {top:g}) to ({right:g}, {bottom:g}): outside the picture of {width} x {height}"
        )


def refused(reason: str) -> Drawer:
    """Return a drawer of a shape that cannot be used: it says so when the picture is asked for."""

    def draw(height: int, width: int) -> tuple[None, None]:
        raise OutlineUnusable(reason)

    return draw


def laid_mask(part: NDArray[np.bool_], left: int, top: int) -> Drawer:
    """Return a drawer of a small mask whose first pixel lies at ``left``, ``top`` of the picture."""

    def draw(height: int, width: int) -> tuple[NDArray[np.bool_], Box]:
        check_inside(left, top, left + part.shape[1], top + part.shape[0], height, width)
        mask = np.zeros((height, width), dtype=np.bool_)
        shown = part[max(-top, 0) : height - top, max(-left, 0) : width - left]
        mask[max(top, 0) : max(top, 0) + shown.shape[0], max(left, 0) : max(left, 0) + shown.shape[1]] = shown
        return mask, mask_box(mask)

    return draw


def mask_box(mask: NDArray[np.bool_]) -> Box:
    """Return the box of a mask's pixels; x1 and y1 are exclusive; an empty mask is refused."""
    box = box_of(mask)
    if box is None:
        raise OutlineEmpty("the mask is empty")
    return box


def check_size(found: tuple[int, int], height: int, width: int, what: str) -> None:
    """Refuse a mask of another size than the picture."""
    if found != (height, width):
        raise OutlineUnusable(f"{what} is {found[1]} x {found[0]} pixels, the picture {width} x {height}")
