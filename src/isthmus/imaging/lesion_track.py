"""Where a lesion lies in all frames of a clip: what frames are chosen by, and what their one window is cut around."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import PictureError
from isthmus.imaging.clip import Box, ClipInfo, Lesion, hull
from isthmus.imaging.frames import FrameSampling, choose_frames
from isthmus.imaging.limits import Limits
from isthmus.imaging.read import DEFAULT_LIMITS, mask_of_frame, open_clip


class _Outline(NamedTuple):
    """A frame's mask, cut out at its bounds, eight pixels a byte: a clip's masks are held while frames are chosen."""

    left: int
    top: int
    width: int
    packed: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class LesionTrack:
    """A lesion through a whole clip.

    Parameters
    ----------
    boxes : float64 array [T, 4]
        One for each frame of the clip; NaN where the lesion is out of plane.
    areas : float64 array [T], optional
        In pixels, 0 where it is out of plane; None where no frame says, but one box for all.
    size : tuple of int
        Width and height of a frame.
    outlines : dict, optional
        The masks of the frames that have one.
    """

    boxes: NDArray[np.float64]
    areas: NDArray[np.float64] | None
    size: tuple[int, int]
    outlines: dict[int, _Outline] | None = field(default=None, repr=False)

    def choose(self, sampling: FrameSampling) -> NDArray[np.int64]:
        """Return the frames to prepare, as :func:`isthmus.imaging.frames.choose_frames`."""
        return choose_frames(sampling, len(self.boxes), self.areas)

    def lesion(self, frames: NDArray[np.int64], sampling: FrameSampling) -> Lesion:
        """Return the lesion in these frames, with its extent over the whole clip.

        Parameters
        ----------
        frames : int64 array
            Numbers of frames.
        sampling : FrameSampling
            By which they were chosen. A single frame that was picked keeps its own extent, as a still would.
        """
        own = hull(self.boxes[frames]) if sampling.pick != "uniform" else None
        extent = own or hull(self.boxes)
        if self.outlines is None:
            return Lesion(box=self.boxes[frames], extent=extent)
        width, height = self.size
        masks = np.zeros((len(frames), height, width), dtype=np.bool_)
        for mask, frame in zip(masks, frames.tolist(), strict=True):
            if frame in self.outlines:
                left, top, across, packed = self.outlines[frame]
                mask[top : top + len(packed), left : left + across] = np.unpackbits(packed, axis=1, count=across)
        return Lesion(mask=masks, extent=extent)


def track_mask(path: Path, clip: ClipInfo, limits: Limits = DEFAULT_LIMITS) -> LesionTrack:
    """Follow a lesion through a clip's masks, one page of which is held at a time.

    Parameters
    ----------
    path : Path
        A multi-page TIFF or a folder of numbered masks, see :func:`isthmus.imaging.clip_masks.read_clip_mask`.
    clip : ClipInfo
        Of the clip.
    limits : Limits
        What is refused as too large.

    Raises
    ------
    PictureError
        When the masks cannot be read, are not of this clip, or are all empty.
    """
    boxes, areas = np.full((clip.frames, 4), np.nan), np.zeros(clip.frames)
    outlines: dict[int, _Outline] = {}
    with open_clip(path, limits) as source:
        _check_same(source.info, clip, path)
        for frame, pixels in enumerate(source.frames(range(clip.frames))):
            mask = mask_of_frame(pixels, f"{path}, frame {frame}")
            columns, lines = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
            if len(columns):
                left, right, top, bottom = columns[0], columns[-1] + 1, lines[0], lines[-1] + 1
                part = mask[top:bottom, left:right]
                boxes[frame], areas[frame] = (left, top, right, bottom), np.count_nonzero(part)
                outlines[frame] = _Outline(int(left), int(top), part.shape[1], np.packbits(part, axis=1))
    if not outlines:
        raise PictureError(
            "the lesion mask is empty" if clip.frames == 1 else f"the lesion mask is empty in all {clip.frames} frames",
            where=str(path),
            expected="the lesion in white",
        )
    return LesionTrack(boxes, areas, (clip.width, clip.height), outlines)


def track_boxes(boxes: NDArray[np.float64], clip: ClipInfo) -> LesionTrack:
    """Follow a lesion through boxes, one a frame [T, 4]; frames after the last row have none.

    Raises
    ------
    PictureError
        When there are more boxes than frames, or no frame has one.
    """
    if len(boxes) > clip.frames:
        raise PictureError(
            f"a lesion box is given for frame {len(boxes) - 1}",
            where=clip.source,
            expected=f"frames from 0 to {clip.frames - 1}",
            hint="frames are counted from 0",
        )
    full = np.full((clip.frames, 4), np.nan)
    full[: len(boxes)] = boxes
    sides = full[:, 2:] - full[:, :2]
    if np.isnan(sides).all():
        raise PictureError("no frame has a lesion box", where=clip.source, expected="one in which it is seen")
    return LesionTrack(full, np.nan_to_num(sides.prod(axis=1)), (clip.width, clip.height))


def track_box(box: Box, clip: ClipInfo) -> LesionTrack:
    """Take one box for all frames: in which of them the lesion is seen is not known."""
    return LesionTrack(np.tile(np.asarray(box, np.float64), (clip.frames, 1)), None, (clip.width, clip.height))


def _check_same(mask: ClipInfo, clip: ClipInfo, path: Path) -> None:
    if mask.frames != clip.frames:
        raise PictureError(
            f"the lesion mask has {mask.frames} frames",
            where=str(path),
            expected=f"{clip.frames} like the clip",
            hint="give a page for each frame, empty where the lesion is out of plane",
        )
    if (mask.width, mask.height) != (clip.width, clip.height):
        raise PictureError(
            f"the lesion mask has {mask.width} x {mask.height} pixels",
            where=str(path),
            expected=f"{clip.width} x {clip.height} like the clip",
            hint="give the mask of this clip",
        )
