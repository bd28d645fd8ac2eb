"""Views of a cohort made ready: read, their frames chosen, prepared for each of the regions that are asked for."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError, PictureError
from isthmus.imaging.clip import Box, Clip, ClipInfo, Lesion, OpenClip, check_frames
from isthmus.imaging.frames import FrameSampling, choose_frames
from isthmus.imaging.key_frames import brightest_of, choose_key_frames, frame_times
from isthmus.imaging.lesion_track import LesionTrack, track_box, track_boxes, track_mask
from isthmus.imaging.limits import Limits
from isthmus.imaging.preparation import Preparation
from isthmus.imaging.prepare import Prepared, prepare_each
from isthmus.imaging.read import open_clip, read_frames, read_mask
from isthmus.imaging.region import find_scan_area


@dataclass(frozen=True)
class CacheItem:
    """A view to be prepared.

    Parameters
    ----------
    view_id : str
        Its name in the cohort.
    path : Path
        The picture or clip: a file, or a folder of numbered frames.
    mask : Path, optional
        The lesion's mask; of a clip a page for each frame. A clip's window is cut around it.
    box : Box, optional
        The lesion's box, of a clip one for all frames. Of a still used for the window where both are given.
    scan_area : Box, optional
        The ultrasound picture on the screen; found in the picture where it is None.
    boxes : float64 array [T, 4], optional
        Of a clip the lesion's box in each frame, NaN where it is out of plane; used where there is no mask.
    frames : tuple of int, optional
        Of a clip the frames to prepare, ascending; used instead of choosing.
    frame_rate_hz : float, optional
        Of a clip whose file does not say when its frames were taken; key frames are chosen by it.
    """

    view_id: str
    path: Path
    mask: Path | None = None
    box: Box | None = None
    scan_area: Box | None = None
    boxes: NDArray[np.float64] | None = field(default=None, compare=False)
    frames: tuple[int, ...] | None = None
    frame_rate_hz: float | None = None


def prepare_views(items: Sequence[CacheItem], preparation: Preparation, limits: Limits) -> list[Prepared | InputError]:
    """Prepare one picture or clip for each of several regions; only the frames that are wanted are decoded, once.

    Parameters
    ----------
    items : sequence of CacheItem
        Of the same file and scan area.
    preparation : Preparation
        How. Without ``frames`` the file is a still; with them a clip, and a still only where one frame is wanted.
    limits : Limits
        For reading.

    Returns
    -------
    list
        For each item what was prepared, or the error that says why not.
    """
    try:
        with open_clip(items[0].path, limits) as source:
            if preparation.frames is None:
                return _prepared_still(items, source, preparation, limits)
            return _prepared_clip(items, source, preparation, preparation.frames, limits)
    except InputError as error:
        return [error] * len(items)


def _prepared_still(
    items: Sequence[CacheItem], source: OpenClip, preparation: Preparation, limits: Limits
) -> list[Prepared | InputError]:
    info = source.info
    if info.frames != 1:
        raise PictureError(
            f"it has {info.frames} frames",
            where=info.source,
            expected="a still",
            hint="prepare.frames says how a clip is read",
        )
    clip = _with_scan_area(read_frames(source, limits=limits), items[0])
    return prepare_each(clip, [_still_lesion(item, limits) for item in items], preparation)


def _still_lesion(item: CacheItem, limits: Limits) -> Lesion | InputError | None:
    try:
        mask = None if item.mask is None else read_mask(item.mask, limits)
        if mask is not None and not mask.any():
            raise PictureError("the lesion mask is empty", where=str(item.mask), expected="the lesion in white")
        return None if mask is None and item.box is None else Lesion.still(mask=mask, box=item.box)
    except InputError as error:
        return error


class _Wanted(NamedTuple):
    """The frames of a clip to prepare, ascending, some perhaps twice, and the lesion in each of the different ones."""

    frames: NDArray[np.int64]
    lesion: Lesion | None


def _prepared_clip(
    items: Sequence[CacheItem], source: OpenClip, preparation: Preparation, sampling: FrameSampling, limits: Limits
) -> list[Prepared | InputError]:
    info = source.info
    if info.frames == 1 and sampling.stored > 1:
        raise PictureError("it is a still", where=info.source, expected=f"a clip, for {sampling.stored} of its frames")
    wanted = [_wanted(item, source, sampling, limits) for item in items]
    numbers = sorted({number for one in wanted if isinstance(one, _Wanted) for number in one.frames.tolist()})
    if not numbers:
        return [one for one in wanted if isinstance(one, InputError)]
    clip = _with_scan_area(read_frames(source, frames=numbers, limits=limits), items[0])
    # Regions of the same frames are prepared together: what is cleaned for one is clean for all.
    together: dict[bytes, list[_Wanted]] = defaultdict(list)
    for one in wanted:
        if isinstance(one, _Wanted):
            together[one.frames.tobytes()].append(one)
    prepared = {frames: iter(_prepare_frames(clip, numbers, alike, preparation)) for frames, alike in together.items()}
    return [one if isinstance(one, InputError) else next(prepared[one.frames.tobytes()]) for one in wanted]


def _wanted(item: CacheItem, source: OpenClip, sampling: FrameSampling, limits: Limits) -> _Wanted | InputError:
    info = source.info
    try:
        track = _track(item, info, limits)
        if item.frames is not None:
            frames = _named_frames(item.frames, info, sampling)
        elif sampling.pick == "key_frames":
            times = frame_times(info, item.frame_rate_hz)
            boxes, areas = (None, None) if track is None else (track.boxes, track.areas)
            frames = choose_key_frames(sampling, times, boxes, areas, source.frames)
        elif track is not None:
            frames = track.choose(sampling)
        else:
            frames = choose_frames(sampling, info.frames, None)
        return _Wanted(frames, None if track is None else track.lesion(np.unique(frames), sampling))
    except InputError as error:
        return error


def _track(item: CacheItem, info: ClipInfo, limits: Limits) -> LesionTrack | None:
    if item.mask is not None:
        return track_mask(item.mask, info, limits)
    if item.boxes is not None:
        return track_boxes(item.boxes, info)
    return None if item.box is None else track_box(item.box, info)


def _named_frames(frames: Sequence[int], info: ClipInfo, sampling: FrameSampling) -> NDArray[np.int64]:
    check_frames(frames, info.frames, info.source)
    if len(frames) != sampling.stored or sorted(frames) != list(frames):
        raise PictureError(
            f"the frames {', '.join(map(str, frames))} were asked for",
            where=info.source,
            expected=f"{sampling.stored} in ascending order",
        )
    return np.array(frames, dtype=np.int64)


def _prepare_frames(
    clip: Clip, numbers: Sequence[int], alike: Sequence[_Wanted], preparation: Preparation
) -> list[Prepared | InputError]:
    """Prepare a clip of these frames for regions that all want the same of them."""
    different, places = np.unique(alike[0].frames, return_inverse=True)
    part = clip
    if len(different) < len(numbers):
        part = replace(clip, frames=clip.frames[np.searchsorted(numbers, different)], frame_times_s=None)
    if part.scan_area is None and preparation.frames is not None and preparation.frames.pick == "key_frames":
        found = find_scan_area(brightest_of(part.frames))
        part = replace(part, scan_area=found.box, panels=found.panels)
    return [
        one
        if isinstance(one, InputError)
        else replace(
            one, pixels=one.pixels[places], lesion_mask=one.lesion_mask[places], frame_indices=different[places]
        )
        for one in prepare_each(part, [wanted.lesion for wanted in alike], preparation)
    ]


def _with_scan_area(clip: Clip, item: CacheItem) -> Clip:
    return clip if item.scan_area is None else replace(clip, scan_area=item.scan_area, panels=())
