"""The region of a clip that nobody outlined: a localiser reads frames one by one, and what it says is followed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import RegionMissing
from isthmus.imaging.clip import Box, Clip, ClipInfo, Lesion
from isthmus.imaging.frames import FrameSampling
from isthmus.imaging.limits import Limits
from isthmus.inference.clip_frames import ChosenFrames, choose, decode, key_frames, shown
from isthmus.inference.proposal import Proposal

FEWEST_LOOKS = 12
"""Frames over the whole clip that a localiser reads at least for one prediction."""

MOST_LOOKS = 24
"""Frames over the whole clip that it reads to propose a lesion's way through a cohort's clip."""

NOT_FOUND = "region not found: the localiser proposes none that it is confident of"
DRAW_IT = "draw it and give --box x0,y0,x1,y1 or --mask FILE"


class Proposer(Protocol):
    """What proposes regions: :class:`isthmus.inference.localiser.Localiser`."""

    def propose(self, clip: Clip) -> Proposal | None:
        """Return the region that the lesion seems to have in a still, or None: not found."""


def propose_frames(
    path: Path,
    info: ClipInfo,
    sampling: FrameSampling,
    localiser: Proposer,
    scan_area: Box | None,
    limits: Limits,
    *,
    frame_rate_hz: float | None = None,
) -> ChosenFrames:
    """Choose a clip's frames by what a localiser proposes in single frames.

    Frames spread over the whole clip are read first. The most confident proposal is the lesion; a proposal of another
    frame belongs to it where their boxes meet. The model's frames are then chosen between the first and the last frame
    with one, and read as well. The window holds all of these proposals; a frame without one counts as out of plane.

    Parameters
    ----------
    path : Path
        The clip.
    info : ClipInfo
        Its headers.
    sampling : FrameSampling
        The model's.
    localiser : Proposer
        Asked for each frame by itself.
    scan_area : Box, optional
        Found in each frame where it is None.
    limits : Limits
        What is refused as too large.
    frame_rate_hz : float, optional
        As for :func:`isthmus.inference.clip_frames.read_frames`.

    Raises
    ------
    RegionMissing
        When nothing was found in any frame.
    """
    looked_at = max(sampling.stored, FEWEST_LOOKS)
    looks = FrameSampling(count=looked_at, stored=looked_at)
    asked = _Asked(path, localiser, scan_area, limits)
    spread = choose(looks, info.frames, None)
    asked.ask(spread)
    lesion = _same_lesion(asked.found)
    if not lesion:
        raise RegionMissing(NOT_FOUND, where=path.name, hint=DRAW_IT)
    if sampling.pick == "key_frames":
        # How large it is between the frames that were read is not known, only where it lies.
        boxes = np.tile(_hull(proposal.box for proposal in lesion.values()), (info.frames, 1))
        frames = key_frames(path, info, sampling, boxes, None, frame_rate_hz, limits)
    else:
        frames = choose(sampling, info.frames, _areas(lesion, info.frames, looked_at))
    numbers = np.unique(frames)
    asked.ask(numbers)
    lesion = _same_lesion(asked.found)
    extent = _hull(proposal.box for proposal in lesion.values())
    if sampling.pick not in ("uniform", "key_frames") and int(numbers[0]) in lesion:
        extent = lesion[int(numbers[0])].box
    clip, first = decode(path, numbers.tolist(), limits)
    masks = np.stack([_mask(lesion.get(number), info) for number in numbers.tolist()])
    clip = replace(clip, lesion=Lesion(mask=masks, extent=extent))
    notes = _notes(lesion, len(asked.found), extent)
    return ChosenFrames(clip, frames, info.frames, shown(clip, first, sampling), notes)


@dataclass(frozen=True)
class ProposedBoxes:
    """A lesion's proposed box in the frames of a clip.

    Parameters
    ----------
    boxes : list of (int, Box)
        One for every frame from the first to the last with a proposal; between two that were read it is interpolated.
    found, asked : int
        Frames with a proposal of this lesion, and frames that were read.
    confidence, agreement : float
        The highest, and the mean, over the proposals.
    others : int
        Further regions in the frames that were read.
    """

    boxes: list[tuple[int, Box]]
    found: int
    asked: int
    confidence: float
    agreement: float
    others: int


def propose_boxes(
    path: Path, info: ClipInfo, localiser: Proposer, scan_area: Box | None, limits: Limits
) -> ProposedBoxes | None:
    """Follow a lesion through a clip by what a localiser proposes in frames spread over it.

    Parameters
    ----------
    path, info, localiser, scan_area, limits
        As for :func:`propose_frames`.

    Returns
    -------
    ProposedBoxes or None
        None where nothing was found in any frame.
    """
    asked = _Asked(path, localiser, scan_area, limits)
    asked.ask(choose(FrameSampling(count=MOST_LOOKS, stored=MOST_LOOKS), info.frames, None))
    lesion = _same_lesion(asked.found)
    if not lesion:
        return None
    numbers = np.array(sorted(lesion))
    corners = np.array([lesion[number].box for number in numbers.tolist()])
    between = np.arange(numbers[0], numbers[-1] + 1)
    boxes = np.stack([np.interp(between, numbers, corner) for corner in corners.T], axis=1).round(1)
    proposals = list(lesion.values())
    everything = [proposal for proposal in asked.found.values() if proposal is not None]
    return ProposedBoxes(
        [(int(frame), (box[0], box[1], box[2], box[3])) for frame, box in zip(between, boxes.tolist(), strict=True)],
        len(lesion),
        len(asked.found),
        max(proposal.confidence for proposal in proposals),
        float(np.mean([proposal.agreement for proposal in proposals])),
        sum(proposal.others for proposal in everything) + len(everything) - len(proposals),
    )


class _Asked:
    """Which frames were read, and what was proposed in each."""

    def __init__(self, path: Path, localiser: Proposer, scan_area: Box | None, limits: Limits) -> None:
        self.found: dict[int, Proposal | None] = {}
        self._path, self._localiser, self._scan_area, self._limits = path, localiser, scan_area, limits

    def ask(self, numbers: NDArray[np.int64]) -> None:
        new = sorted(set(numbers.tolist()) - set(self.found))
        if not new:
            return
        clip, _ = decode(self._path, new, self._limits)
        for number, frame in zip(new, clip.frames, strict=True):
            still = replace(clip, frames=frame[None], frame_times_s=None, lesion=None)
            if self._scan_area is not None:
                still = replace(still, scan_area=self._scan_area, panels=())
            self.found[number] = self._localiser.propose(still)


def _same_lesion(found: Mapping[int, Proposal | None]) -> dict[int, Proposal]:
    proposals = {number: proposal for number, proposal in sorted(found.items()) if proposal is not None}
    if not proposals:
        return {}
    best = max(proposals.values(), key=lambda proposal: proposal.confidence)
    return {number: proposal for number, proposal in proposals.items() if _meet(proposal.box, best.box)}


def _meet(a: Box, b: Box) -> bool:
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])


def _areas(lesion: Mapping[int, Proposal], total: int, looks: int) -> NDArray[np.float64]:
    """Return the lesion's area in each frame; it is seen half a step before the first frame with a proposal, too."""
    areas = np.zeros(total)
    half = total // (2 * looks)
    areas[max(0, min(lesion) - half)] = areas[min(total - 1, max(lesion) + half)] = 1.0
    for number, proposal in lesion.items():
        areas[number] = proposal.mask.sum()
    return areas


def _mask(proposal: Proposal | None, info: ClipInfo) -> NDArray[np.bool_]:
    return np.zeros((info.height, info.width), np.bool_) if proposal is None else proposal.mask


def _hull(boxes: Iterable[Box]) -> Box:
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def _notes(lesion: Mapping[int, Proposal], asked: int, extent: Box) -> tuple[str, ...]:
    box = ",".join(f"{value:g}" for value in extent)
    best = max(proposal.confidence for proposal in lesion.values())
    notes = [
        f"the region was proposed by a localiser in {len(lesion)} of {asked} frames, not drawn (box {box}, confidence "
        f"up to {best:.2f}): look at it before you use the score"
    ]
    if any(proposal.others for proposal in lesion.values()):
        notes.append("the localiser saw more regions in this clip, not scored")
    return tuple(notes)
