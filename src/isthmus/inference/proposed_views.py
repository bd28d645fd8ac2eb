"""What a localiser proposes for one view of a cohort, a still or a clip, and what is said of it."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from isthmus.cohort.cohort import Cohort
from isthmus.errors import IsthmusError, PictureError
from isthmus.imaging.clip import Clip
from isthmus.imaging.limits import Limits
from isthmus.imaging.read import probe, read_clip, write_mask
from isthmus.inference.clip_proposal import propose_boxes
from isthmus.inference.localiser import Localiser, scan_areas
from isthmus.inference.proposal import Proposal
from isthmus.tables.cohort import format_box, parse_box

MASKS = "proposed_masks"
ASKED = ("bmode", "cine")
"""Modalities that a localiser reads: stills, and clips of them frame by frame."""


@dataclass(frozen=True)
class ProposedView:
    """What became of a view.

    Parameters
    ----------
    view_id : str
        As in the cohort.
    outcome : str
        ``proposed``, ``not found``, ``kept`` (a region was there), ``not asked`` (another modality than B-mode) or
        ``unreadable``.
    before : str
        The region's source before: ``drawn``, ``proposed``, ``whole`` or nothing.
    confidence, agreement : float or None
        Of a proposal.
    parts : str
        Which parts were asked, e.g. ``0 2``; fewer than all where some saw the group in training.
    others : int or None
        Further components that were not proposed.
    detail : str
        Why, where there is no proposal.
    """

    view_id: str
    outcome: str
    before: str
    confidence: float | None = None
    agreement: float | None = None
    parts: str = ""
    others: int | None = None
    detail: str = ""


def source_of(row: pd.Series) -> str:
    """Return a view's region source; '' where it says nothing."""
    return "" if pd.isna(row["region_source"]) else str(row["region_source"])


def propose_still(
    localiser: Localiser, cohort: Cohort, folder: Path, views: pd.DataFrame, index: Any, parts: Sequence[int]
) -> ProposedView:
    """Propose a still's mask, written into ``folder``, in its row of ``views``."""
    row = views.loc[index]
    name, before = str(row["view_id"]), source_of(row)
    asked = " ".join(map(str, parts))
    try:
        clip = _clip(cohort, row)
        if len(clip.frames) != 1:
            return ProposedView(name, "not asked", before, detail=f"{len(clip.frames)} frames, called bmode")
        proposal = localiser.propose(clip, parts=parts)
    except PictureError as error:
        return ProposedView(name, "unreadable", before, detail=str(IsthmusError(error.what, expected=error.expected)))
    # Whatever was drawn is gone now: a view is never half drawn and half proposed.
    views.loc[index, ["mask", "box"]] = None
    views.loc[index, "region_source"] = "whole" if before == "whole" else None
    if proposal is None:
        why = "nothing found above the least confidence" if parts else "every part saw a picture of this group"
        return ProposedView(name, "not found", before, parts=asked, detail=why)
    mask = f"{MASKS}/{views.index.get_loc(index):06d}.png"  # a view's id need not be a file name
    write_mask(folder / mask, proposal.mask)
    views.loc[index, ["mask", "box", "region_source"]] = [mask, format_box(proposal.box), "proposed"]
    return ProposedView(
        name, "proposed", before, round(proposal.confidence, 6), round(proposal.agreement, 6), asked, proposal.others
    )


def propose_clip(
    localiser: Localiser,
    cohort: Cohort,
    views: pd.DataFrame,
    index: Any,
    parts: Sequence[int],
    boxes: list[dict[str, Any]],
) -> ProposedView:
    """Propose a clip's boxes, frame by frame, into ``boxes``."""
    row = views.loc[index]
    name, before, path = str(row["view_id"]), source_of(row), cohort.folder / str(row["path"])
    asked = " ".join(map(str, parts))
    area = parse_box(row["region"]) if "region" in row and not pd.isna(row["region"]) else None
    try:
        found = propose_boxes(path, probe(path), _OfParts(localiser, parts), area, Limits()) if parts else None
    except PictureError as error:
        return ProposedView(name, "unreadable", before, detail=str(IsthmusError(error.what, expected=error.expected)))
    views.loc[index, ["mask", "box"]] = None
    views.loc[index, "region_source"] = "whole" if before == "whole" else None
    if found is None:
        why = "nothing found above the least confidence" if parts else "every part saw a picture of this group"
        return ProposedView(name, "not found", before, parts=asked, detail=why)
    views.loc[index, "region_source"] = "proposed"
    boxes += [{"view_id": name, "frame": frame, "box": format_box(box)} for frame, box in found.boxes]
    detail = f"in {found.found} of {found.asked} frames that were read; boxes between them are interpolated"
    return ProposedView(
        name, "proposed", before, round(found.confidence, 6), round(found.agreement, 6), asked, found.others, detail
    )


@dataclass(frozen=True)
class _OfParts:
    """A localiser of which only some parts may read."""

    localiser: Localiser
    parts: Sequence[int]

    def propose(self, clip: Clip) -> Proposal | None:
        return self.localiser.propose(clip, parts=self.parts)


def _clip(cohort: Cohort, row: pd.Series) -> Clip:
    clip = read_clip(cohort.folder / str(row["path"]))
    if "region" in row and not pd.isna(row["region"]):
        return dataclasses.replace(clip, scan_area=parse_box(row["region"]), panels=())
    areas = scan_areas(clip)
    if "panel" in row and row["panel"] in ("left", "right") and len(areas) == 2:
        return dataclasses.replace(clip, scan_area=areas[0 if row["panel"] == "left" else 1], panels=())
    return clip
