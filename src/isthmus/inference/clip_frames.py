"""The frames of a clip that a model wants: chosen by the lesion where it is known, and only those decoded."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError, PictureError
from isthmus.imaging.clip import Box, Clip, ClipInfo, Lesion
from isthmus.imaging.frames import FrameSampling, choose_frames
from isthmus.imaging.key_frames import brightest_of, choose_key_frames, frame_times
from isthmus.imaging.lesion_track import LesionTrack, track_box, track_boxes, track_mask
from isthmus.imaging.limits import Limits
from isthmus.imaging.read import open_clip, probe, read_clip, read_mask


@dataclass(frozen=True, eq=False)
class ChosenFrames:
    """What a model wants of a clip.

    Parameters
    ----------
    clip : Clip
        The different frames, ascending, with the lesion in each where it is known.
    frames : int64 array [stored]
        Their numbers in the whole clip, ascending; some twice where the clip is short.
    total : int
        Frames of the whole clip.
    shown : uint8 array [H, W, C]
        In it the scan area is found: the whole clip's first frame, as importers do; of key frames what is brightest in
        any of them.
    notes : tuple of str
        What a reader of the score should know of the region.
    """

    clip: Clip
    frames: NDArray[np.int64]
    total: int
    shown: NDArray[np.uint8]
    notes: tuple[str, ...] = ()


def check_kind(info: ClipInfo, sampling: FrameSampling | None, name: str) -> None:
    """Refuse a clip for a model of stills, and a still for a model of clips.

    Raises
    ------
    PictureError
        With what to give instead.
    """
    if sampling is None and info.frames != 1:
        raise PictureError(
            f"a clip of {info.frames} frames, and this model reads stills",
            where=name,
            expected="one frame",
            hint="save the frame to be scored as PNG, or take a model that was trained on clips",
        )
    if sampling is not None and sampling.stored > 1 and info.frames == 1:
        raise PictureError(
            f"a still, and this model reads clips: it looks at {sampling.count} frames",
            where=name,
            expected="a video file, a folder of numbered frames, a TIFF or DICOM of several frames",
            hint="give the sweep that the still is from, or take a model that was trained on stills",
        )


def read_frames(
    path: Path,
    info: ClipInfo,
    sampling: FrameSampling,
    *,
    box: Box | NDArray[np.float64] | None = None,
    mask: Path | None = None,
    frame_rate_hz: float | None = None,
    limits: Limits,
) -> ChosenFrames:
    """Choose a clip's frames by its lesion, or by how clearly they show it, and decode those.

    Parameters
    ----------
    path : Path
        The clip.
    info : ClipInfo
        Its headers.
    sampling : FrameSampling
        The model's.
    box : Box or float64 array [T, 4], optional
        One for the whole clip, or one a frame, NaN where the lesion is out of plane.
    mask : Path, optional
        A multi-page TIFF or a folder of masks, one a frame; or one picture, which is then taken for all frames.
    frame_rate_hz : float, optional
        Frames a second, for a model of key frames where the file does not say.
    limits : Limits
        What is refused as too large.

    Raises
    ------
    PictureError
        When clip or mask cannot be read, or do not belong together.
    InputError
        When the one mask for all frames is empty.
    """
    notes: tuple[str, ...] = ()
    track: LesionTrack | None = None
    drawn: NDArray[np.bool_] | None = None
    if mask is not None and info.frames > 1 and probe(mask, limits).frames == 1:
        drawn = _one_mask(mask, info, limits)
        notes = _one_for_all("outline", info)
    elif mask is not None:
        track = track_mask(mask, info, limits)
    elif isinstance(box, np.ndarray):
        track = track_boxes(box, info)
    elif box is not None:
        track = track_box(box, info)
        notes = _one_for_all("box", info)
    areas = None if track is None else track.areas
    if sampling.pick == "key_frames":
        boxes = None if track is None else track.boxes
        if drawn is not None:
            boxes = np.repeat(Lesion.still(mask=drawn).boxes(), info.frames, axis=0)
        frames = key_frames(path, info, sampling, boxes, areas, frame_rate_hz, limits)
    else:
        frames = choose(sampling, info.frames, areas)
    lesion = None
    numbers = np.unique(frames)
    if drawn is not None:
        lesion = Lesion(mask=np.repeat(drawn[None], len(numbers), axis=0))
    elif track is not None:
        lesion = track.lesion(numbers, sampling)
    clip, first = decode(path, numbers.tolist(), limits)
    return ChosenFrames(replace(clip, lesion=lesion), frames, info.frames, shown(clip, first, sampling), notes)


def frames_of_clip(clip: Clip, sampling: FrameSampling) -> ChosenFrames:
    """Choose frames out of a clip that is in memory whole, with its lesion set."""
    total, lesion = len(clip.frames), clip.lesion
    areas = None
    if lesion is not None:
        sides = lesion.boxes()[:, 2:] - lesion.boxes()[:, :2]
        areas = np.nan_to_num(sides.prod(axis=1)) if lesion.mask is None else lesion.mask.sum((1, 2)).astype(np.float64)
    if sampling.pick == "key_frames":
        height, width, channels = clip.frames.shape[1:]
        stated = None if clip.frame_times_s is None else tuple(clip.frame_times_s.tolist())
        info = ClipInfo(clip.source, "in memory", width, height, channels, total, frame_times_s=stated)
        boxes = None if lesion is None else lesion.boxes()
        times_s = frame_times(info, None)
        frames = choose_key_frames(sampling, times_s, boxes, areas, lambda wanted: iter(clip.frames[list(wanted)]))
    else:
        frames = choose(sampling, total, areas)
    numbers = np.unique(frames)
    own = None
    if lesion is not None:
        own = Lesion(
            mask=None if lesion.mask is None else lesion.mask[numbers],
            box=None if lesion.box is None else lesion.box[numbers],
            extent=lesion.bounds() if sampling.pick == "uniform" else None,
        )
    times = None if clip.frame_times_s is None else clip.frame_times_s[numbers]
    part = replace(clip, frames=clip.frames[numbers], frame_times_s=times, lesion=own)
    return ChosenFrames(part, frames, total, shown(part, clip.frames[0], sampling))


def key_frames(
    path: Path,
    info: ClipInfo,
    sampling: FrameSampling,
    boxes: NDArray[np.float64] | None,
    areas: NDArray[np.float64] | None,
    frame_rate_hz: float | None,
    limits: Limits,
) -> NDArray[np.int64]:
    """Return the key frames of a clip, by :func:`isthmus.imaging.key_frames.choose_key_frames`."""
    times = frame_times(info, frame_rate_hz)
    with open_clip(path, limits) as source:
        return choose_key_frames(sampling, times, boxes, areas, source.frames)


def shown(clip: Clip, first: NDArray[np.uint8], sampling: FrameSampling) -> NDArray[np.uint8]:
    """Return in what the scan area is found, of a clip of the chosen frames and the file's first frame."""
    return brightest_of(clip.frames) if sampling.pick == "key_frames" else first


def choose(sampling: FrameSampling, total: int, areas: NDArray[np.float64] | None) -> NDArray[np.int64]:
    """Return the frames that a model wants, by :func:`isthmus.imaging.frames.choose_frames`.

    Raises
    ------
    InputError
        When the model was shown frames that only the truth of a simulated cohort names.
    """
    if sampling.pick == "calcification_richest":
        if total == 1:
            return np.zeros(1, np.int64)
        raise InputError(
            "this model was shown the frame with most calcifications, which only a simulated cohort's truth names",
            expected="a still: the frame that you choose",
            hint="save that frame as PNG, or take another arm's model",
        )
    return choose_frames(sampling, total, areas)


def decode(path: Path, numbers: Sequence[int], limits: Limits) -> tuple[Clip, NDArray[np.uint8]]:
    """Return a clip of these frames, which ascend, and the file's first frame."""
    wanted = sorted({0, *numbers})
    clip = read_clip(path, frames=wanted, limits=limits)
    first = clip.frames[0]
    if len(wanted) > len(numbers):
        times = None if clip.frame_times_s is None else clip.frame_times_s[1:]
        clip = replace(clip, frames=clip.frames[1:], frame_times_s=times)
    return clip, first


def _one_mask(path: Path, info: ClipInfo, limits: Limits) -> NDArray[np.bool_]:
    mask = read_mask(path, limits)
    if mask.shape != (info.height, info.width):
        raise PictureError(
            f"the mask has {mask.shape[1]} x {mask.shape[0]} pixels",
            where=path.name,
            expected=f"{info.width} x {info.height} like the clip",
        )
    if not mask.any():
        raise InputError("the mask is empty", where=path.name, expected="the lesion in white on black")
    return mask


def _one_for_all(what: str, info: ClipInfo) -> tuple[str, ...]:
    if info.frames == 1:
        return ()
    return (f"one {what} was taken for all {info.frames} frames: in which of them the lesion is seen is not known",)
