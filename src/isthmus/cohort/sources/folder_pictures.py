"""From a picture or clip of a folder to a view: its lesion, its scan area, its pixels without what the file says."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from isthmus.cohort.draft import CohortDraft
from isthmus.cohort.fill import ViewMade, ViewPlace
from isthmus.cohort.join import SourcePicture
from isthmus.cohort.outlines import OutlineIndex
from isthmus.cohort.table_boxes import FrameBoxes, around, box_inside, frames_inside
from isthmus.errors import PictureError
from isthmus.imaging.bare_file import is_bare
from isthmus.imaging.burned_in import find_words, painted
from isthmus.imaging.clip import Box, ClipInfo, OpenClip, box_of
from isthmus.imaging.key_frames import brightest_of
from isthmus.imaging.limits import Limits
from isthmus.imaging.read import clip_hash, open_clip
from isthmus.imaging.region import ScanArea, find_scan_area

_RATES_HZ: Final = (0.1, 10_000.0)
_RATES_AGREE: Final = 0.05
_LOOKED_AT: Final = 9


@dataclass
class _Lesion:
    mask: NDArray[np.bool_] | None = None
    box: Box | None = None
    notes: list[str] = field(default_factory=list)
    frame_boxes: FrameBoxes = ()

    @property
    def bounds(self) -> Box | None:
        if self.frame_boxes:
            return around(box for _, box in self.frame_boxes)
        if self.box is not None or self.mask is None:
            return self.box
        return box_of(self.mask)


@dataclass
class FolderViews:
    """Adds the views of a folder's pictures: what :func:`isthmus.cohort.fill.fill_cohort` calls for each.

    Parameters
    ----------
    draft : CohortDraft
        To be filled.
    source : Path
        The folder.
    outlines : OutlineIndex
        The readers' outlines.
    black : bool
        Whether everything outside the scan area, and words inside it, are painted black.
    limits : Limits
        What is refused as too large.
    """

    draft: CohortDraft
    source: Path
    outlines: OutlineIndex
    black: bool
    limits: Limits

    def __call__(self, picture: SourcePicture, place: ViewPlace) -> ViewMade:
        """Write one picture and add its view; see :class:`isthmus.cohort.fill.ViewMade`.

        Raises
        ------
        PictureError
            When it cannot be decoded whole.
        """
        path = self.source / picture.file
        with open_clip(path, self.limits) as clip:
            first = next(iter(clip.frames([0])))
            lesion = self._lesion(picture.file, clip.info, place)
            area = find_scan_area(_brightest(clip) if place.modality == "ceus" else first)
            region, panel, note = _region(area, lesion.bounds, clip.info)
            notes = [*lesion.notes, *([note] if note else [])]
            if clip.info.frames == 1:
                digest = hashlib.sha256(repr(first.shape).encode() + first.tobytes()).hexdigest()
                target = self._write_still(path, first, place.view_id, region, note)
            else:
                digest = clip_hash(path, self.limits)
                target = self._write_clip(path, clip, place.view_id, region, note)
            rate, doubt = _rate(clip.info, place)
        values: dict[str, Any] = {**place.columns(), "frame_rate_hz": rate, "panel": panel}
        self.draft.add_view(
            place.view_id,
            place.nodule_id,
            target,
            modality="cine" if place.modality == "bmode" and clip.info.frames > 1 else place.modality,
            mask=lesion.mask,
            box=lesion.box,
            region=region,
            region_source="whole" if lesion.bounds is None else "drawn",
            **{name: value for name, value in values.items() if value not in ("", None)},
        )
        self.draft.add_boxes(place.view_id, lesion.frame_boxes)
        return ViewMade(1, digest, tuple(filter(None, (*notes, doubt))))

    def _lesion(self, file: str, info: ClipInfo, place: ViewPlace) -> _Lesion:
        if info.frames > 1:
            drawn = self.outlines.clip_outlines(file, info.frames, info.height, info.width)
            shapes = [(outline.label, _Lesion(mask=outline.masks)) for outline in drawn]
        else:
            stills = self.outlines.outlines(file, info.height, info.width)
            shapes = [(outline.label, _Lesion(outline.mask, outline.box)) for outline in stills]
        named = [shape for shape in shapes if place.nodule and shape[0] == place.nodule]
        if len(named or shapes) == 1:
            label, lesion = (named or shapes)[0]
            # A lone outline may carry another number for many reasons (a class, a volume's own count): it is told.
            doubt = place.nodule.isdigit() and label.isdigit() and label != place.nodule
            note = f"its only outline is called {label}, and the nodule {place.nodule}: taken, look at it"
            return replace(lesion, notes=[note]) if doubt else lesion
        notes = [f"{len(shapes)} outlines, and nothing says which is this nodule's: none is used"] if shapes else []
        frame_boxes, lost = frames_inside(place.frame_boxes, info)
        if frame_boxes or lost:
            # The one frame of a still is the whole picture.
            still = frame_boxes[0][1] if info.frames == 1 and frame_boxes else None
            notes += [lost] if lost else []
            return _Lesion(box=still, notes=notes, frame_boxes=() if info.frames == 1 else frame_boxes)
        box = box_inside(place.box, info)
        if place.box is not None and box is None:
            notes.append("the table's box lies outside the picture: left blank")
        return _Lesion(box=box, notes=notes)

    def _write_still(self, path: Path, frame: NDArray[np.uint8], name: str, region: Box, note: str) -> str:
        if not self.black and path.is_file() and is_bare(path):
            return self.draft.copy_picture(path, f"{name}{'.png' if path.suffix.lower() == '.png' else '.jpg'}")
        return self.draft.write_picture(self._clean(frame, region, note), f"{name}.png")

    def _clean(self, frame: NDArray[np.uint8], region: Box, note: str) -> NDArray[np.uint8]:
        if not self.black:
            return frame
        if note:
            raise PictureError("its scan area is not certain, and what stands outside may name the patient")
        return painted(frame, [region], find_words(frame, region))

    def _write_clip(self, path: Path, clip: OpenClip, name: str, region: Box, note: str) -> str:
        if not self.black and path.is_file():
            return self.draft.copy_picture(path, f"{name}{path.suffix.lower()}")

        def frames() -> Iterator[NDArray[np.uint8]]:
            for frame in clip.frames(range(clip.info.frames)):
                yield self._clean(frame, region, note)

        return self.draft.write_frames(frames(), name)


def _brightest(clip: OpenClip) -> NDArray[np.uint8]:
    """Return what is brightest in frames spread over a clip: in its first one no contrast agent may be seen."""
    spread = np.linspace(0, clip.info.frames - 1, min(clip.info.frames, _LOOKED_AT)).round().astype(int)
    return brightest_of(np.stack(list(clip.frames(spread.tolist()))))


def _region(area: ScanArea, lesion: Box | None, info: ClipInfo) -> tuple[Box, str, str]:
    """Return the scan area, or the lesion's panel of a double picture, and what is doubtful about it."""
    whole = (0.0, 0.0, float(info.width), float(info.height))
    if lesion is None:
        return area.box, "", ""
    panel = area.panel_at((lesion[0] + lesion[2]) / 2, (lesion[1] + lesion[3]) / 2)
    if _holds(panel, lesion):
        side = ("left", "right")[area.panels.index(panel)] if len(area.panels) == 2 else ""
        return panel, side, ""
    if _holds(area.box, lesion):
        return area.box, "", ""
    return whole, "", "its lesion leaves the scan area that was found: the whole frame is taken"


def _holds(outer: Box, inner: Box) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


def _rate(info: ClipInfo, place: ViewPlace) -> tuple[float | None, str]:
    """Return a clip's frames a second, and what is doubtful about them: its own times go before the table's."""
    times, stated = info.frame_times_s, place.frame_rate_hz
    if info.frames < 2:
        return None, ""
    if times is None or times[-1] <= times[0]:
        return stated, ""
    rate = (info.frames - 1) / (times[-1] - times[0])
    if not _RATES_HZ[0] <= rate <= _RATES_HZ[1]:
        return stated, ""
    differs = stated is not None and abs(stated - rate) > _RATES_AGREE * rate
    return round(rate, 3), f"the table says {stated:g} frames a second, the file {rate:.1f}: taken" if differs else ""
