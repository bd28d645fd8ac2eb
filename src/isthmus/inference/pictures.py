"""One picture or clip made ready for a model: read, its region checked, its scan area found, prepared."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError, RegionMissing
from isthmus.imaging.clip import Box, Clip, Lesion
from isthmus.imaging.frames import FrameSampling, seen_frames
from isthmus.imaging.limits import Limits
from isthmus.imaging.preparation import Preparation
from isthmus.imaging.prepare import Prepared, prepare
from isthmus.imaging.read import probe, read_clip, read_mask
from isthmus.imaging.region import find_scan_area
from isthmus.inference.boxes import BoxLike, parse_box
from isthmus.inference.clip_frames import ChosenFrames, check_kind, frames_of_clip, read_frames
from isthmus.inference.clip_proposal import DRAW_IT, NOT_FOUND, Proposer, propose_frames
from isthmus.inference.input_files import name_of
from isthmus.inference.proposal import Proposal

DEFAULT_LIMITS = Limits()
MUCH_ENLARGED = 4.0
"""From this factor on a note says that the network sees mostly interpolation."""

SMALLEST_INSIDE = 0.5
"""A region of which less than this share lies inside the ultrasound picture is refused."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture or clip that a model can score.

    Parameters
    ----------
    source : str
        File name, without its folders.
    clip : Clip
        As read, with its lesion and the scan area that was used; of a clip the different frames that were prepared,
        ascending (``np.unique(prepared.frame_indices)``).
    prepared : Prepared
        What the network gets; ``frame_indices`` count in the whole clip.
    region_source : str
        ``drawn`` (a box or mask was given), ``proposed`` (by a localiser) or ``whole`` (the model needs none).
    notes : tuple of str
        What a reader of the score should know.
    frames : tuple of int
        Of a clip the frames that the network looks at, counted from 0; empty for a model of stills.
    """

    source: str
    clip: Clip
    prepared: Prepared
    region_source: str
    notes: tuple[str, ...] = ()
    frames: tuple[int, ...] = ()


def read_picture(
    path: str | Path,
    preparation: Preparation,
    requires: str,
    *,
    box: BoxLike | None = None,
    mask: str | Path | None = None,
    scan_area: BoxLike | None = None,
    localiser: Proposer | None = None,
    frame_rate_hz: float | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Picture:
    """Read a still, or the frames of a clip that a model looks at, and make them ready.

    Parameters
    ----------
    path : str or Path
        Anything that :func:`isthmus.imaging.read.probe` knows: of one frame for a model of stills, of several for one
        of clips (``preparation.frames``).
    preparation : Preparation
        The model's.
    requires : str
        The model's ``requires.region``: ``none``, ``box`` or ``mask``.
    box : str or sequence of four numbers, optional
        ``x0,y0,x1,y1`` around the lesion in the picture's own pixels, ends exclusive; one for all frames of a clip, or
        an array [T, 4] with one a frame.
    mask : str or Path, optional
        A picture of the same size, 0 outside the lesion; of a clip a multi-page TIFF or a folder of such pictures, one
        a frame, or one picture for all frames.
    scan_area : str or sequence of four numbers, optional
        Where the ultrasound picture lies on the screen; found in the first frame when it is not given.
    localiser : Proposer, optional
        Asked for a region where the model needs one and neither box nor mask is given; the picture says so.
    frame_rate_hz : float, optional
        Of a clip whose file does not say, for a model of key frames.
    limits : Limits
        What is refused as too large.

    Returns
    -------
    Picture

    Raises
    ------
    PictureError
        When the file cannot be read, or is a clip for a model of stills, or the other way round.
    InputError
        When a box is empty, inverted or reaches outside, a mask is empty or of another size, or the region lies mostly
        outside the ultrasound picture.
    RegionMissing
        When the model needs a region and none was given, or the localiser finds none.
    """
    path, name = Path(path), name_of(path)
    info, sampling = probe(path, limits), preparation.frames
    check_kind(info, sampling, name)
    if box is not None and mask is not None:
        raise InputError("both a box and a mask were given", where=name, expected="one of the two")
    width, height = info.width, info.height
    area = None if scan_area is None else parse_box(scan_area, width, height, where=name, what="scan area")
    drawn = None if box is None else _box(box, width, height, name)
    propose = localiser is not None and drawn is None and mask is None and requires != "none"
    if sampling is None:
        clip, notes = _still(path, drawn, mask, area, localiser if propose else None, limits)
        picture = picture_of_clip(clip, preparation, requires)
    else:
        if localiser is not None and propose:
            chosen = propose_frames(path, info, sampling, localiser, area, limits, frame_rate_hz=frame_rate_hz)
        else:
            own_mask = None if mask is None else Path(mask)
            chosen = read_frames(
                path, info, sampling, box=drawn, mask=own_mask, frame_rate_hz=frame_rate_hz, limits=limits
            )
        clip, notes = _with_scan_area(chosen.clip, area), list(chosen.notes)
        picture = _ready(replace(chosen, clip=clip), preparation, requires)
    source = "proposed" if propose else picture.region_source
    return replace(picture, source=name, region_source=source, notes=(*notes, *picture.notes))


def _box(box: BoxLike, width: int, height: int, name: str) -> Box | NDArray[np.float64]:
    if not isinstance(box, np.ndarray) or box.ndim != 2:
        return parse_box(box, width, height, where=name)
    for number in np.flatnonzero(~np.isnan(box).any(axis=1)):
        parse_box(box[number], width, height, where=name, what=f"box of frame {number}")
    return box


def _still(
    path: Path,
    box: Box | NDArray[np.float64] | None,
    mask: str | Path | None,
    scan_area: Box | None,
    localiser: Proposer | None,
    limits: Limits,
) -> tuple[Clip, list[str]]:
    """Read a still with its lesion, as drawn or proposed; and what is to be said of the proposal."""
    if isinstance(box, np.ndarray):
        raise InputError(
            f"a box a frame was given ({len(box)} of them)", where=path.name, expected="one box: the model reads stills"
        )
    clip = _with_scan_area(read_clip(path, limits=limits), scan_area)
    if box is not None:
        return replace(clip, lesion=Lesion.still(box=box)), []
    if mask is not None:
        pixels = read_mask(mask, limits)
        if not pixels.any():
            raise InputError("the mask is empty", where=Path(mask).name, expected="the lesion in white on black")
        return replace(clip, lesion=Lesion.still(mask=pixels)), []
    if localiser is None:
        return clip, []
    proposal = localiser.propose(clip)
    if proposal is None:
        raise RegionMissing(NOT_FOUND, where=path.name, hint=DRAW_IT)
    return replace(clip, lesion=Lesion.still(mask=proposal.mask)), _said_of(proposal)


def _with_scan_area(clip: Clip, area: Box | None) -> Clip:
    return clip if area is None else replace(clip, scan_area=area, panels=())


def _said_of(proposal: Proposal) -> list[str]:
    box = ",".join(f"{value:g}" for value in proposal.box)
    notes = [
        f"the region was proposed by a localiser, not drawn (box {box}, confidence {proposal.confidence:.2f}): "
        "look at it before you use the score"
    ]
    if proposal.others:
        more = "one more region" if proposal.others == 1 else f"{proposal.others} more regions"
        notes.append(f"the localiser saw {more} in this picture, not scored")
    return notes


def picture_of_clip(clip: Clip, preparation: Preparation, requires: str) -> Picture:
    """Make a still, or a clip of all its frames, ready that is in memory already; errors as :func:`read_picture`."""
    if preparation.frames is not None:
        return _ready(frames_of_clip(clip, preparation.frames), preparation, requires)
    numbers = np.zeros(1, np.int64)
    return _ready(ChosenFrames(clip, numbers, len(clip.frames), clip.frames[0]), preparation, requires)


def _ready(chosen: ChosenFrames, preparation: Preparation, requires: str) -> Picture:
    """Check the region of chosen frames, find their scan area and prepare them."""
    clip, name = chosen.clip, name_of(chosen.clip.source)
    lesion = clip.lesion
    if requires != "none" and lesion is None:
        raise RegionMissing(
            "this model was trained on lesion crops and scores no picture without a region",
            where=name,
            expected="the lesion's box or mask",
            hint="give --box x0,y0,x1,y1 or --mask FILE (in Python: boxes=, masks=)",
        )
    if requires == "mask" and lesion is not None and lesion.mask is None:
        raise RegionMissing(
            "this model needs the lesion's outline, not only a box", where=name, hint="give --mask FILE"
        )
    notes: list[str] = []
    if clip.scan_area is None:
        clip = replace(clip, scan_area=_scan_area(chosen.shown, lesion, name, notes))
    prepared = prepare(clip, preparation)
    enlarged = float(prepared.source_to_prepared[0, 0])
    if enlarged > MUCH_ENLARGED:
        notes.append(f"the region is small: its pixels were enlarged {enlarged:.1f} times")
    seen: tuple[int, ...] = ()
    if preparation.frames is not None:
        places = np.searchsorted(np.unique(chosen.frames), chosen.frames)
        prepared = replace(
            prepared,
            pixels=prepared.pixels[places],
            lesion_mask=prepared.lesion_mask[places],
            frame_indices=chosen.frames,
        )
        count = preparation.frames.count
        seen = tuple(chosen.frames[seen_frames(preparation.frames.stored, count)].tolist())
        if len(set(seen)) < count:
            notes.append(_repeated(len(set(seen)), preparation.frames, chosen.total))
    return Picture(name, clip, prepared, "whole" if lesion is None else "drawn", tuple(notes), seen)


def _repeated(different: int, sampling: FrameSampling, total: int) -> str:
    frames = "one frame" if different == 1 else f"{different} different frames"
    among = f"the clip's {total}"
    if sampling.every_s is not None:
        among = f"those every {sampling.every_s:g} s of {among} that show the lesion"
    return f"the model looks at {sampling.count} frames, and found {frames} among {among}: some are seen more than once"


def _scan_area(frame: NDArray[np.uint8], lesion: Lesion | None, name: str, notes: list[str]) -> Box:
    found = find_scan_area(frame)
    bounds = None if lesion is None else lesion.bounds()
    if bounds is None:
        return found.box
    panel = found.panel_at((bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2)
    width = min(bounds[2], panel[2]) - max(bounds[0], panel[0])
    height = min(bounds[3], panel[3]) - max(bounds[1], panel[1])
    inside = max(width, 0.0) * max(height, 0.0) / ((bounds[2] - bounds[0]) * (bounds[3] - bounds[1]))
    if inside < SMALLEST_INSIDE:
        # Painting most of a lesion black because box or finder erred would be a silent wrong answer.
        raise InputError(
            f"{1 - inside:.0%} of the region lies outside the ultrasound picture that was found",
            where=name,
            expected=f"a region inside {','.join(f'{value:g}' for value in panel)}",
            hint="check that box or mask is in this picture's own pixels; --scan-area (in Python scan_areas=) names it",
        )
    if inside < 1.0:
        notes.append(f"{1 - inside:.0%} of the region lies outside the ultrasound picture and was painted black")
    return panel
