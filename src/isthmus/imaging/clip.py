"""What every picture becomes once it is read: a clip, of which a still is the case of one frame."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import PictureError

Box = tuple[float, float, float, float]
"""``x0, y0, x1, y1`` in source pixels; ``x1`` and ``y1`` are exclusive."""

Spacing = tuple[float, float]
"""Millimetres a pixel, across (x) and down (y)."""

Modality = Literal["bmode", "cine", "ceus", "smi", "swe", "doppler"]
MODALITIES: tuple[str, ...] = get_args(Modality)


@dataclass(frozen=True, eq=False)
class Lesion:
    """Where the lesion lies in each frame.

    Parameters
    ----------
    mask : bool array [T, H, W], optional
        True inside the outline.
    box : float array [T, 4], optional
        ``x0, y0, x1, y1`` in source pixels, ends exclusive; a row of NaN where the lesion is out of plane.
    extent : Box, optional
        What holds the lesion in all frames of the file, where these frames are only some of them.

    Raises
    ------
    PictureError
        When both are absent, a shape is wrong, or a box is empty.
    """

    mask: NDArray[np.bool_] | None = None
    box: NDArray[np.float64] | None = None
    extent: Box | None = None

    def __post_init__(self) -> None:
        if self.mask is None and self.box is None:
            raise PictureError("a lesion needs a mask or a box")
        if self.mask is not None and (self.mask.ndim != 3 or self.mask.dtype != np.bool_):
            raise PictureError(
                f"a lesion mask has shape {self.mask.shape} and type {self.mask.dtype}", expected="bool [T, H, W]"
            )
        if self.box is not None:
            if self.box.ndim != 2 or self.box.shape[1] != 4:
                raise PictureError(f"lesion boxes have shape {self.box.shape}", expected="[T, 4]")
            empty = (self.box[:, 2] <= self.box[:, 0]) | (self.box[:, 3] <= self.box[:, 1]) | np.isinf(self.box).any(1)
            if empty.any():
                x0, y0, x1, y1 = self.box[int(np.argmax(empty))]
                raise PictureError(
                    f"the lesion box {x0:g}, {y0:g}, {x1:g}, {y1:g} holds no pixels", expected="x0 < x1 and y0 < y1"
                )

    @classmethod
    def still(cls, *, mask: NDArray[np.bool_] | None = None, box: Box | None = None) -> "Lesion":
        """Return the lesion of a still from one mask [H, W], one box, or both."""
        return cls(
            mask=None if mask is None else mask[None],
            box=None if box is None else np.asarray(box, dtype=np.float64)[None],
        )

    def boxes(self) -> NDArray[np.float64]:
        """Return the lesion's box in each frame [T, 4]: as given, else the mask's bounds; NaN where there is none."""
        if self.box is not None:
            return self.box
        assert self.mask is not None
        bounds = np.full((len(self.mask), 4), np.nan)
        for row, mask in zip(bounds, self.mask, strict=True):
            row[:] = box_of(mask) or np.nan
        return bounds

    def bounds(self) -> Box | None:
        """Return the box around the lesion: its extent, else what holds it in all frames; None where it is in none."""
        return self.extent or hull(self.boxes())


def box_of(mask: NDArray[np.bool_]) -> Box | None:
    """Return the box around a mask's pixels [H, W], or [T, H, W] in all frames together; None where it has none.

    Examples
    --------
    >>> mask = np.zeros((4, 6), bool)
    >>> mask[1:3, 2:5] = True
    >>> box_of(mask)
    (2.0, 1.0, 5.0, 3.0)
    """
    columns = np.flatnonzero(mask.reshape(-1, mask.shape[-1]).any(0))
    lines = np.flatnonzero(mask.any(-1).reshape(-1, mask.shape[-2]).any(0))
    if not len(columns):
        return None
    return float(columns[0]), float(lines[0]), float(columns[-1] + 1), float(lines[-1] + 1)


def hull(boxes: NDArray[np.float64]) -> Box | None:
    """Return the box around boxes [T, 4] that are not NaN; None where all are."""
    boxes = boxes[~np.isnan(boxes).any(axis=1)]
    if not len(boxes):
        return None
    (x0, y0), (x1, y1) = boxes[:, :2].min(axis=0).tolist(), boxes[:, 2:].max(axis=0).tolist()
    return x0, y0, x1, y1


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames as stored, with what is known about them. A still is a clip of one frame.

    Parameters
    ----------
    frames : uint8 array [T, H, W, C]
        C is 1 (grey) or 3 (red, green, blue).
    frame_times_s : float64 array [T], optional
        Seconds since the clip's first frame; None where the file does not say.
    spacing_mm : tuple of float, optional
        Millimetres a pixel, across and down; None where the file does not say.
    modality : str
        One of ``bmode``, ``cine``, ``ceus``, ``smi``, ``swe``, ``doppler``.
    lesion : Lesion, optional
        The lesion in each frame.
    scan_area : Box, optional
        The ultrasound picture itself inside the screen.
    source : str
        The path as the user gave it; never anything that names a patient.
    panels : tuple of Box
        The ultrasound pictures side by side in the scan area, left to right, where the file says so.

    Raises
    ------
    PictureError
        When a shape, a type or the modality is wrong: a clip is valid or does not exist.
    """

    frames: NDArray[np.uint8]
    frame_times_s: NDArray[np.float64] | None = None
    spacing_mm: Spacing | None = None
    modality: str = "bmode"
    lesion: Lesion | None = None
    scan_area: Box | None = None
    source: str = ""
    panels: tuple[Box, ...] = ()

    def __post_init__(self) -> None:
        shape = self.frames.shape
        if self.frames.dtype != np.uint8 or len(shape) != 4 or shape[3] not in (1, 3) or 0 in shape:
            raise PictureError(
                f"frames have shape {shape} and type {self.frames.dtype}",
                where=self.source or None,
                expected="uint8 [T, H, W, C] with C 1 or 3",
            )
        if self.modality not in MODALITIES:
            raise PictureError(
                f"unknown modality {self.modality!r}", where=self.source or None, expected=", ".join(MODALITIES)
            )
        if self.frame_times_s is not None and self.frame_times_s.shape != shape[:1]:
            raise PictureError(f"{len(self.frame_times_s)} times for {shape[0]} frames", where=self.source or None)
        if self.lesion is not None:
            _check_lesion(self.lesion, shape, self.source)


def _check_lesion(lesion: Lesion, shape: tuple[int, ...], source: str) -> None:
    if lesion.mask is not None and lesion.mask.shape != shape[:3]:
        raise PictureError(
            f"the lesion mask has shape {lesion.mask.shape}",
            where=source or None,
            expected=f"{shape[:3]} like the picture",
            hint="give the mask of this picture",
        )
    if lesion.box is not None and len(lesion.box) != shape[0]:
        raise PictureError(f"{len(lesion.box)} lesion boxes for {shape[0]} frames", where=source or None)


@dataclass(frozen=True)
class ClipInfo:
    """What a file's header says, without decoding a pixel.

    Parameters
    ----------
    source : str
        The path as given.
    format : str
        ``png``, ``jpeg``, ``tiff``, ``bmp``, ``gif``, ``avi``, ``mp4``, ``mov``, ``npy``, ``dicom`` or ``folder`` (of
        numbered frames).
    width, height : int
        Of one frame as :func:`isthmus.imaging.read.read_clip` gives it, in pixels.
    channels : int
        1 or 3, as ``read_clip`` gives it.
    frames : int
        Number of frames.
    bits : int
        Bits stored a sample.
    frame_times_s : tuple of float, optional
        Seconds since the first frame, as stored for each frame; None where the file does not say.
    spacing_mm : tuple of float, optional
        Millimetres a pixel, across and down.
    scan_area : Box, optional
        From the DICOM ultrasound regions.
    panels : tuple of Box
        The regions themselves, left to right; two in a double picture, none where the file does not say.
    missing_frames : int
        How many numbers a folder's numbering leaves out between its first and its last frame.
    """

    source: str
    format: str
    width: int
    height: int
    channels: int
    frames: int = 1
    bits: int = 8
    frame_times_s: tuple[float, ...] | None = None
    spacing_mm: Spacing | None = None
    scan_area: Box | None = None
    panels: tuple[Box, ...] = ()
    missing_frames: int = 0


class OpenClip(Protocol):
    """A file or folder whose headers were read; its frames are decoded when they are asked for."""

    @property
    def info(self) -> ClipInfo:
        """Return what the headers say."""

    def frames(self, wanted: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        """Yield the frames [H, W, C] of these numbers, which ascend; never more than one is held in memory."""


def check_frames(frames: Sequence[int], available: int, where: str | Path) -> None:
    """Refuse an empty request and frame numbers that a file does not have.

    Raises
    ------
    PictureError
        When no frame is asked for, or one outside 0 to ``available - 1``.
    """
    wrong = [frame for frame in frames if not 0 <= frame < available]
    if wrong or not len(frames):
        raise PictureError(
            f"frame {wrong[0]} was asked for" if wrong else "no frame was asked for",
            where=str(where),
            expected=f"frame numbers from 0 to {available - 1}",
        )
