"""Label volumes as ITK-SNAP, 3D Slicer and scripts write them, turned back into the picture's columns and rows.

A picture has no place in a body, so one is agreed on: ITK, and all tools on it, read a PNG or JPEG as if columns ran to
the patient's left and rows to the back (LPS, identity). A volume that states another direction was flipped by its
writer and is flipped back; one that states none (no codes, or exactly the identity that scripts put in) is taken as it
is stored, columns first. Nothing is resampled: directions within 1 degree of an axis or a fault.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from isthmus.cohort.outlines.outline import Drawer, OutlineUnusable, Shape, mask_box
from isthmus.imaging.clip import Box
from isthmus.imaging.limits import Limits

MOST_LABELS: Final = 32
"""More values than this are grey values of a picture, not labels."""
_ORIENTATIONS: Final[Any] = nib.orientations  # a module without types
_ALONG: Final = 0.9998  # cosine of 1 degree


def check_volume(shape: Sequence[int], limits: Limits) -> None:
    """Refuse a volume beyond the limits before it is decoded."""
    if not 2 <= len(shape) <= 4 or min(shape) < 1:
        raise OutlineUnusable(f"it has the shape {tuple(shape)}, not that of slices")
    voxels = int(np.prod([int(side) for side in shape]))
    if shape[0] * shape[1] > limits.pixels or voxels > limits.bytes or voxels // (shape[0] * shape[1]) > limits.frames:
        raise OutlineUnusable(f"it has {voxels:,} voxels, more than are read")


def as_pages(stored: NDArray[Any], affine: NDArray[np.float64] | None) -> NDArray[np.uint16]:
    """Turn labels [column, row, slice] as stored into pages [T, H, W] as the picture stands.

    Parameters
    ----------
    stored : array [I, J], [I, J, K] or [I, J, K, 1]
        As the file holds it, its fastest axis first.
    affine : array [4, 4], optional
        From indices to RAS; None where the file states no directions.
    """
    while stored.ndim > 3 and stored.shape[-1] == 1:
        stored = stored[..., 0]
    if stored.ndim == 2:
        stored = stored[..., None]
    if stored.ndim != 3:
        raise OutlineUnusable(f"it has the shape {stored.shape}, not that of slices")
    labels = _whole(stored)
    if affine is not None:
        _check_directions(affine)
        turn = _ORIENTATIONS.ornt_transform(
            _ORIENTATIONS.io_orientation(affine), _ORIENTATIONS.axcodes2ornt(("L", "P", "S"))
        )
        labels = np.asarray(_ORIENTATIONS.apply_orientation(labels, turn))
    return labels.transpose(2, 1, 0)


def volume_shapes(
    pages: Callable[[], NDArray[np.uint16]], names: Mapping[int, str]
) -> tuple[Callable[[], list[Shape]], Callable[[int, int, int], list[tuple[str, NDArray[np.bool_]]]]]:
    """Return how an entry's stills and clips are drawn from pages of labels; each label is a lesion of its own."""

    def stills() -> list[Shape]:
        found = pages()
        if len(found) != 1:
            raise OutlineUnusable(f"it has {len(found)} slices, the picture is one")
        values = _values(found)
        if not values:
            raise OutlineUnusable("the mask is empty")
        return [Shape(_name(value, names, values), _one(found[0], value)) for value in values]

    def clips(frames: int, height: int, width: int) -> list[tuple[str, NDArray[np.bool_]]]:
        found = pages()
        if found.shape != (frames, height, width):
            _refuse_size(found.shape[1:], height, width)
            raise OutlineUnusable(f"it has {len(found)} slices, the clip {frames} frames")
        values = _values(found)
        return [(_name(value, names, values), found == value) for value in values]

    return stills, clips


def _one(page: NDArray[np.uint16], value: int) -> Drawer:
    def draw(height: int, width: int) -> tuple[NDArray[np.bool_], Box]:
        _refuse_size(page.shape, height, width)
        mask = page == value
        return mask, mask_box(mask)

    return draw


def _refuse_size(found: tuple[int, ...], height: int, width: int) -> None:
    if found == (height, width):
        return
    swapped = ": it was saved rows first; save it columns first" if found == (width, height) else ""
    raise OutlineUnusable(f"its slices are {found[1]} x {found[0]} pixels, the picture {width} x {height}{swapped}")


def _whole(stored: NDArray[Any]) -> NDArray[np.uint16]:
    if stored.dtype.kind not in "uifb":
        raise OutlineUnusable(f"its voxels are of type {stored.dtype}, not labels")
    low, high = stored.min(), stored.max()
    if not (low >= 0 and high <= 65_535) or (stored.dtype.kind == "f" and not np.array_equal(stored, np.rint(stored))):
        raise OutlineUnusable("its voxels are not labels: whole numbers from 0 are")
    return stored.astype(np.uint16)


def _values(pages: NDArray[np.uint16]) -> list[int]:
    values = [int(value) for value in np.flatnonzero(np.bincount(pages.ravel())) if value]
    if len(values) > MOST_LABELS:
        raise OutlineUnusable(f"it has {len(values)} values: a picture, not labels")
    return values


def _name(value: int, names: Mapping[int, str], values: Sequence[int]) -> str:
    return names.get(value, str(value) if len(values) > 1 else "")


def _check_directions(affine: NDArray[np.float64]) -> None:
    steps = affine[:3, :3]
    lengths = np.linalg.norm(steps, axis=0)
    if not np.isfinite(affine).all() or (lengths == 0).any():
        raise OutlineUnusable("its directions are damaged")
    along = np.abs(steps / lengths)
    if (along.max(axis=0) < _ALONG).any() or sorted(along.argmax(axis=0)) != [0, 1, 2]:
        raise OutlineUnusable("its slices lie oblique: it is no outline of a flat picture")
    if along.argmax(axis=0)[2] != 2:
        raise OutlineUnusable("its slices do not lie in the plane of the picture")
