"""The region of a picture as DICOM coordinates, and its size in millimetres where the picture is calibrated."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.clinic.study_answers import Seen

_SQUARE: Final = 0.02  # relative difference of the two spacings that is rounding
_SPACINGS_MM: Final = (0.001, 10.0)
_SMOOTH: Final = 0.75  # pixels by which a polygon may leave the outline: half the points, nothing that is seen


@dataclass(frozen=True, eq=False)
class Outline:
    """The region in one frame.

    Parameters
    ----------
    frame : int
        Counted from 1.
    points : float64 array [N, 2]
        Column and row, closed; the picture's upper left corner is (0, 0) (PS3.3 C.18.6).
    mask : bool array [H, W]
        Its pixels.
    drawn_as : str
        ``mask`` or ``box``.
    size_mm : tuple of float, optional
        Of a mask its longest diameter and the widest extent square to it; of a box its width and height. None where
        the picture does not say how large its pixels are, or they are not square.
    """

    frame: int
    points: NDArray[np.float64]
    mask: NDArray[np.bool_]
    drawn_as: str
    size_mm: tuple[float, float] | None


def outline_of(seen: Seen) -> Outline | None:
    """Return the region that was used, of a clip in the frame where it is largest; None where there was none."""
    lesion, picture = seen.picture.clip.lesion, seen.picture
    if lesion is None:
        return None
    boxes = lesion.boxes()
    areas = np.nan_to_num((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
    if lesion.mask is not None:
        areas = lesion.mask.sum(axis=(1, 2))
    if not areas.any():
        return None
    place = int(np.argmax(areas))
    frame = int(np.unique(picture.prepared.frame_indices)[place]) + 1
    spacing = _square_spacing(picture.clip.spacing_mm)
    if lesion.mask is not None:
        return _of_mask(lesion.mask[place], frame, spacing)
    return _of_box(boxes[place], picture.clip.frames.shape[1:3], frame, spacing)


def _of_mask(mask: NDArray[np.bool_], frame: int, spacing: float | None) -> Outline | None:
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(contours, key=lambda one: cv2.contourArea(one) + len(one) / 1e6)
    corners = np.concatenate([largest[:, 0] + step for step in ((0, 0), (1, 0), (0, 1), (1, 1))])
    size = None if spacing is None else tuple(spacing * length for length in _diameters(corners))
    points = cv2.approxPolyDP(largest, _SMOOTH, closed=True)[:, 0].astype(np.float64) + 0.5
    if len(points) < 3:  # a speck: its pixels' own corners
        (x0, y0), (x1, y1) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
        points = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float64)
    return Outline(frame, np.vstack([points, points[:1]]), mask, "mask", size)  # type: ignore[arg-type]


def _of_box(box: NDArray[np.float64], shape: tuple[int, ...], frame: int, spacing: float | None) -> Outline:
    x0, y0, x1, y1 = box.tolist()
    points = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]])
    mask = np.zeros(shape[:2], np.bool_)
    mask[round(y0) : round(y1), round(x0) : round(x1)] = True
    size = None if spacing is None else (spacing * (x1 - x0), spacing * (y1 - y0))
    return Outline(frame, points, mask, "box", size)


def _diameters(corners: NDArray[np.int32]) -> tuple[float, float]:
    """Return the longest distance between two corners, and the extent square to it."""
    hull = cv2.convexHull(corners.astype(np.int32))[:, 0].astype(np.float64)
    apart = hull[:, None] - hull[None]
    distances = np.hypot(apart[..., 0], apart[..., 1])
    one, other = np.unravel_index(int(distances.argmax()), distances.shape)
    along = apart[one, other] / distances[one, other]
    across = hull @ np.array([-along[1], along[0]])
    return float(distances.max()), float(across.max() - across.min())


def _square_spacing(spacing: tuple[float, float] | None) -> float | None:
    if spacing is None:
        return None
    across, down = spacing
    mean = (across + down) / 2
    if abs(across - down) > _SQUARE * max(across, down) or not _SPACINGS_MM[0] <= mean <= _SPACINGS_MM[1]:
        return None
    return mean
