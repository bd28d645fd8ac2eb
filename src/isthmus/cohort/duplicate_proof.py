"""Whether two pictures show the same: one is laid on the other and speckle compared, and the change put into words."""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.cohort.duplicate_candidates import root_descriptors
from isthmus.cohort.duplicate_features import Features, oriented_descriptors, oriented_picture, oriented_places

_ALIKE = 0.8  # Bhattacharyya coefficient of two descriptors
_FEWEST: Final = 6  # features that must agree on how the pictures lie
_LOOSE, _TIGHT = 8.0, 2.5  # pixels of the small copies
_SIZES, _STRETCH = 1.4, 1.35
_SMALLEST = 30  # pixels a side of what both show
_FINE, _COARSE = 1.0, 4.0  # speckle and tissue texture; not the layers that all necks share
_BLOCK = 20
_TEXTURE = 2.0  # grey levels


@dataclass(frozen=True, eq=False)
class Proof:
    """How two small copies agree where the second is laid on the first.

    Parameters
    ----------
    correlation : float
        Median over blocks of the correlation of fine texture: about 0 for other tissue, 1 for the same pixels.
    share : float
        Of the blocks: those that correlate by more than a half.
    matches : int
        Features that agree on how the pictures lie.
    blocks : int
        That could be compared.
    orientation : int
        The second's.
    scale, shift : (float, float)
        From the oriented second small copy to the first: x of the first = scale[0] * x of the second + shift[0].
    covered : (float, float)
        Which part of the first and of the second scan area both show.
    contrast, brightness : float
        Of the second: its grey = contrast * the first's + brightness.
    """

    correlation: float
    share: float
    matches: int
    blocks: int
    orientation: int
    scale: tuple[float, float]
    shift: tuple[float, float]
    covered: tuple[float, float]
    contrast: float
    brightness: float


def prove(first: Features, second: Features, orientation: int) -> Proof | None:
    """Lay the second picture on the first and compare them; None where no way to lay it was found.

    Parameters
    ----------
    first, second : Features
    orientation : int
        Of the second, as the search found it.
    """
    laid = _lay(first, second, orientation)
    if laid is None:
        return None
    scale, shift, matches = laid
    return _compare(first.small, oriented_picture(second.small, orientation), orientation, scale, shift, matches)


def _lay(
    first: Features, second: Features, orientation: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], int] | None:
    """Return scale [2] and shift [2] from the second small copy to the first, and how many features agree."""
    likeness = (
        root_descriptors(first.descriptors) @ root_descriptors(oriented_descriptors(second.descriptors, orientation)).T
    )
    theirs = likeness.argmax(axis=1)
    mine = np.arange(len(theirs))
    mutual = (likeness.argmax(axis=0)[theirs] == mine) & (likeness[mine, theirs] > _ALIKE)
    a, b = first.places[mutual].astype(float), oriented_places(second, orientation)[theirs[mutual]].astype(float)
    if len(a) < _FEWEST:
        return None
    # Each match alone says how the second lies; the one that most others agree with is refined by them.
    larger = a[:, 2] / b[:, 2]
    offered = a[:, :2] - larger[:, None] * b[:, :2]
    error = np.abs(larger[:, None, None] * b[None, :, :2] + offered[:, None] - a[None, :, :2]).max(axis=2)
    agree = (error < _LOOSE) & (np.abs(np.log(larger[None] / larger[:, None])) < np.log(_SIZES))
    kept = agree[agree.sum(axis=1).argmax()]
    for tolerance in (_LOOSE, _TIGHT, _TIGHT):
        if kept.sum() < _FEWEST:
            return None
        fits = [_line(b[kept, axis], a[kept, axis]) for axis in (0, 1)]
        scale, shift = (np.array(values) for values in zip(*fits, strict=True))
        kept = np.abs(scale * b[:, :2] + shift - a[:, :2]).max(axis=1) < tolerance
    if kept.sum() < _FEWEST or scale.min() <= 0.1 or scale.max() > _STRETCH * scale.min():
        return None
    return scale, shift, int(kept.sum())


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    spread = float(((x - x.mean()) ** 2).sum())
    slope = float(((x - x.mean()) * (y - y.mean())).sum()) / spread if spread > 1.0 else 1.0
    return slope, float(y.mean() - slope * x.mean())


def _compare(
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    orientation: int,
    scale: NDArray[np.float64],
    shift: NDArray[np.float64],
    matches: int,
) -> Proof | None:
    a, b, inside = _overlaid(first, second, scale, shift)
    if min(a.shape) < _SMALLEST or inside.sum() < _SMALLEST**2:
        return None
    values = _block_correlations(a, b, inside)
    if len(values) < 3:
        return None
    x, y = a[inside], b[inside]
    contrast = float(y.std() / max(x.std(), 1.0))
    shown = float(np.prod(scale)) * second.size
    both = _overlap(first, second, scale, shift)
    return Proof(
        correlation=float(np.median(values)),
        share=float((values > 0.5).mean()),
        matches=matches,
        blocks=len(values),
        orientation=orientation,
        scale=(float(scale[0]), float(scale[1])),
        shift=(float(shift[0]), float(shift[1])),
        covered=(both / first.size, min(1.0, both / shown)),
        contrast=contrast,
        brightness=float(y.mean() - contrast * x.mean()),
    )


def _overlap(
    first: NDArray[np.uint8], second: NDArray[np.uint8], scale: NDArray[np.float64], shift: NDArray[np.float64]
) -> float:
    size = [
        max(0.0, min(first.shape[1 - k], scale[k] * second.shape[1 - k] + shift[k]) - max(0.0, shift[k]))
        for k in (0, 1)
    ]
    return float(size[0] * size[1])


def _overlaid(
    first: NDArray[np.uint8], second: NDArray[np.uint8], scale: NDArray[np.float64], shift: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Return what both show, in the pixels of the coarser one, and where both have picture."""
    x: NDArray[Any] = first.astype(np.float32)
    y: NDArray[Any] = second.astype(np.float32)
    mean = float(np.sqrt(np.prod(scale)))
    if mean <= 1:  # the second has the finer pixels for the same tissue
        y = cv2.GaussianBlur(y, (0, 0), max(0.3, 0.5 * (1 / mean**2 - 1) ** 0.5))
        matrix = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]])
        size = first.shape[::-1]
        y, valid = (cv2.warpAffine(each, matrix, size, flags=cv2.INTER_LINEAR) for each in (y, np.ones_like(y)))
    else:
        x = cv2.GaussianBlur(x, (0, 0), max(0.3, 0.5 * (mean**2 - 1) ** 0.5))
        matrix = np.array([[1 / scale[0], 0, -shift[0] / scale[0]], [0, 1 / scale[1], -shift[1] / scale[1]]])
        size = second.shape[::-1]
        x, valid = (cv2.warpAffine(each, matrix, size, flags=cv2.INTER_LINEAR) for each in (x, np.ones_like(x)))
    inside = valid > 0.99
    lines, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(lines):
        return x[:0, :0], y[:0, :0], inside[:0, :0]
    part = np.s_[lines[0] : lines[-1] + 1, columns[0] : columns[-1] + 1]
    return x[part], y[part], inside[part]


def _block_correlations(
    a: NDArray[np.float32], b: NDArray[np.float32], inside: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the correlation of fine texture in each block that has texture."""
    fine = [cv2.GaussianBlur(each, (0, 0), _FINE) - cv2.GaussianBlur(each, (0, 0), _COARSE) for each in (a, b)]
    block = min(_BLOCK, min(a.shape) // 3)
    lines, columns = a.shape[0] // block, a.shape[1] // block

    def blocks(values: NDArray[np.float32]) -> NDArray[np.float64]:
        cut = values[: lines * block, : columns * block].reshape(lines, block, columns, block)
        return cut.transpose(0, 2, 1, 3).reshape(lines * columns, block * block).astype(np.float64)

    whole = blocks(inside.astype(np.float32)).min(axis=1) > 0
    x, y = (blocks(each)[whole] for each in fine)
    x, y = (each - each.mean(axis=1, keepdims=True) for each in (x, y))
    spread = np.sqrt((x**2).mean(axis=1)), np.sqrt((y**2).mean(axis=1))
    # Weak contrast of the whole picture is no lack of texture; a block far below its picture's others is.
    textured = np.ones(len(x), bool)
    for each in spread:
        textured &= each > min(_TEXTURE, 0.3 * float(np.median(each)) if len(each) else 0.0)
        textured &= each > 0.3
    result: NDArray[np.float64] = (x * y).mean(axis=1)[textured] / (spread[0] * spread[1])[textured]
    return result
