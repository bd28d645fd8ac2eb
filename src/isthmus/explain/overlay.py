"""Heat on the picture it came from, drawn so that it can be read with any colour vision and in grey print.

The map is *inferno*: its lightness rises evenly with the heat. Cold parts let the picture through, so that the tissue
stays visible. Words and scale stand under the picture, never on it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError
from isthmus.explain.legend import Colours, colours_of_heat, legend
from isthmus.imaging.clip import Box, Lesion

if TYPE_CHECKING:
    from PIL.Image import Image

STRONGEST = 0.65
"""Opacity of the hottest point; the tissue under it still shows."""

SMALLEST_WIDTH = 640
"""Pictures narrower than this are enlarged by a whole number, so that the words under them can be read."""

MIRRORED = "; the score is a mean with its mirror image, the heat is of the picture as it is"
"""What stands after a score that is a mean over mirror images."""

_OUTLINE, _OUTLINE_EDGE = (255, 255, 255), (0, 0, 0)
_FRAME = (150, 150, 150)


def as_colour(picture: NDArray[np.uint8]) -> Colours:
    """Return a picture [H, W, 1] or [H, W, 3] as red, green, blue."""
    return np.ascontiguousarray(np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture[:, :, :3])


def heat_on_source(
    heat: NDArray[np.float32],
    source_to_prepared: NDArray[np.float64],
    prepared_size: int,
    shape: tuple[int, int],
    region: Box | None = None,
) -> NDArray[np.float32]:
    """Carry heat on the centre crop back to the source picture.

    Parameters
    ----------
    heat : ndarray of float32, shape [crop, crop]
        Heat on the centre crop.
    source_to_prepared : ndarray of float64, shape [2, 3]
        From pixels of the source (x, y) to pixels of the prepared picture, as ``prepare`` gives it.
    prepared_size : int
        Side S of the prepared picture, of which ``heat`` is the middle.
    shape : tuple of int
        Height and width of the source picture.
    region : Box, optional
        The scan area; heat outside it is dropped, since the network saw black there.

    Returns
    -------
    ndarray of float32, shape [H, W]
        0 outside what the network saw.
    """
    offset = (prepared_size - heat.shape[0]) // 2
    to_crop = np.array(source_to_prepared, dtype=np.float64)
    to_crop[:, 2] -= offset
    # The affine maps source to crop; asking for the value at each source pixel needs just that direction.
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(np.ascontiguousarray(heat, dtype=np.float32), to_crop, shape[::-1], flags=flags)
    if region is None:
        return np.asarray(warped, dtype=np.float32)
    x0, y0, x1, y1 = (round(edge) for edge in region)
    inside = np.zeros(shape, np.float32)
    inside[max(y0, 0) : y1, max(x0, 0) : x1] = 1.0
    return np.asarray(warped * inside, dtype=np.float32)


def window_on_source(
    source_to_prepared: NDArray[np.float64], prepared_size: int, crop_size: int, region: Box | None = None
) -> Box:
    """Return the box of the centre crop in source pixels, cut to the scan area where that is given.

    Without it the box may reach outside the picture.
    """
    offset = (prepared_size - crop_size) // 2
    # Whole numbers are centres of pixels, so the crop's edges lie half a pixel before and after them.
    edges = np.array([[offset - 0.5, offset - 0.5], [offset + crop_size - 0.5] * 2])
    (x0, y0), (x1, y1) = (edges - source_to_prepared[:, 2]) / np.diag(source_to_prepared[:, :2]) + 0.5
    if region is not None:
        x0, y0, x1, y1 = max(x0, region[0]), max(y0, region[1]), min(x1, region[2]), min(y1, region[3])
    return float(x0), float(y0), float(x1), float(y1)


def blend(picture: Colours, heat: NDArray[Any]) -> Colours:
    """Lay heat [H, W] in [0, 1] over a picture [H, W, 3]; where there is no heat the picture is unchanged."""
    if picture.shape[:2] != heat.shape:
        raise InputError(f"heat {list(heat.shape)} on a picture {list(picture.shape[:2])}", expected="the same size")
    strength = np.clip(heat, 0.0, 1.0)
    # The square root lets middling heat be seen; opacity alone, not colour, so the scale beside it stays true.
    opacity = (STRONGEST * np.sqrt(strength))[..., None]
    mixed: NDArray[np.float64] = picture * (1.0 - opacity) + colours_of_heat(strength) * opacity
    return np.round(mixed).astype(np.uint8)


def draw_outline(picture: Colours, mask: NDArray[np.bool_], thickness: int = 1) -> Colours:
    """Return the picture with the lesion's outline: white with a dark edge, visible on any ground."""
    drawn = np.ascontiguousarray(picture).copy()
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(drawn, contours, -1, _OUTLINE_EDGE, thickness + 2, cv2.LINE_AA)
    cv2.drawContours(drawn, contours, -1, _OUTLINE, thickness, cv2.LINE_AA)
    return drawn


def overlay(
    picture: NDArray[np.uint8],
    heat: NDArray[np.float32],
    *,
    score: str,
    target: str,
    region: Box,
    mask: NDArray[np.bool_] | None = None,
    window: Box | None = None,
    marks: Sequence[str] = (),
) -> Colours:
    """Draw heat over the ultrasound picture, with outline, scale and words.

    What a scanner writes beside the picture, a patient's name among it, is cut off.

    Parameters
    ----------
    picture : ndarray of uint8, shape [H, W, C]
        The source picture.
    heat : ndarray of float32, shape [H, W]
        Heat in [0, 1] on the source picture, from :func:`heat_on_source`.
    score : str
        What stands after "model score", e.g. ``0.73, suspicious (TI-RADS 4a or higher)``.
    target : str
        The class whose evidence the heat shows.
    region : Box
        The scan area, or the panel of it that holds the lesion; nothing outside it is drawn.
    mask : ndarray of bool, shape [H, W], optional
        The lesion as drawn or boxed.
    window : Box, optional
        What the networks saw, from :func:`window_on_source`; framed.
    marks : sequence of str
        Sentences that nobody may overlook, such as SMOKE.

    Returns
    -------
    ndarray of uint8, shape [H', W', 3]
        Picture with a strip of words under it.
    """
    drawn = draw_heat(picture, heat, region, mask, window)
    warm = bool((heat > 0).any())
    lines = [f"Grad-CAM, model score {score}; research use only"]
    lines.append(f"Heat: evidence for {target}." if warm else f"No heat: nothing spoke for {target}.")
    lines[1] += marked_lines(mask is not None and bool(mask.any()), window is not None)
    return np.vstack([drawn, legend(drawn.shape[1], lines, marks, "point here" if warm else None)])


def marked_lines(outlined: bool, framed: bool) -> str:
    """Return the words for what is drawn over a picture."""
    words = " White line: the lesion as given to the model." if outlined else ""
    return words + (" Grey frame: all that the model saw." if framed else "")


def draw_heat(
    picture: NDArray[np.uint8],
    heat: NDArray[np.float32],
    region: Box,
    mask: NDArray[np.bool_] | None = None,
    window: Box | None = None,
    width: int | None = None,
) -> Colours:
    """Return the scan area under its heat, outline and frame, without words; parameters as for :func:`overlay`.

    It is ``width`` pixels wide, or enlarged by a whole number to at least :data:`SMALLEST_WIDTH`.
    """
    (left, top), (right, bottom) = (int(edge) for edge in region[:2]), (round(edge) for edge in region[2:])
    picture, heat = picture[top:bottom, left:right], heat[top:bottom, left:right]
    mask = None if mask is None else mask[top:bottom, left:right]
    factor = max(1, -(-SMALLEST_WIDTH // picture.shape[1])) if width is None else width / picture.shape[1]
    size = (round(picture.shape[1] * factor), round(picture.shape[0] * factor))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    large = cv2.resize(as_colour(picture), size, interpolation=method)
    warm = cv2.resize(heat, size, interpolation=cv2.INTER_LINEAR)
    drawn = blend(np.asarray(large, np.uint8), warm)
    if window is not None:
        starts = (left, top, left, top)
        corners = [round((edge - start) * factor) for edge, start in zip(window, starts, strict=True)]
        cv2.rectangle(drawn, (corners[0], corners[1]), (corners[2] - 1, corners[3] - 1), _FRAME, 1)
    if mask is not None and mask.any():
        drawn = draw_outline(drawn, resized(mask, size))
    return drawn


def lesion_on_source(lesion: Lesion | None, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    """Return a still's lesion as a mask [H, W] on the source picture; a box is filled. None without a lesion."""
    if lesion is None:
        return None
    if lesion.mask is not None:
        return np.asarray(lesion.mask[0], dtype=np.bool_)
    mask = np.zeros(shape, np.bool_)
    x0, y0, x1, y1 = np.round(lesion.boxes()[0]).astype(int)
    mask[y0:y1, x0:x1] = True
    return mask


def crop_panel(
    picture: NDArray[np.uint8], heat: NDArray[np.float32], mask: NDArray[np.bool_] | None = None, side: int = 224
) -> Colours:
    """Draw what the network saw beside the same with heat: crop | crop and heat.

    Parameters
    ----------
    picture : ndarray of uint8, shape [h, w, C]
        The centre crop.
    heat : ndarray of float32, shape [h, w]
        Heat in [0, 1].
    mask : ndarray of bool, shape [h, w], optional
        The lesion on the crop; outlined on the right.
    side : int
        Height and width of each half in pixels.

    Returns
    -------
    ndarray of uint8, shape [side, 2 * side + 4, 3]
        The two halves with a white gap.
    """
    left = np.asarray(cv2.resize(as_colour(picture), (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)
    right = blend(left, cv2.resize(heat, (side, side), interpolation=cv2.INTER_LINEAR))
    if mask is not None and mask.any():
        right = draw_outline(right, resized(mask, (side, side)))
    return np.hstack([left, np.full((side, 4, 3), 255, np.uint8), right])


def resized(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return a mask enlarged to this width and height, its edge smoothed."""
    grey = cv2.resize(mask.astype(np.uint8) * 255, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(grey > 127, dtype=np.bool_)


def to_png(pixels: Colours) -> "Image":
    """Return a Pillow picture, ready to be saved."""
    from PIL import Image

    return Image.fromarray(pixels)
