"""From a DICOM file to pictures of a cohort: decoded, everything outside the scan area black, nothing of the header."""

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from isthmus.cohort.draft import CohortDraft
from isthmus.cohort.fill import ViewPlace
from isthmus.cohort.join import SourcePicture
from isthmus.cohort.outlines import OutlineIndex
from isthmus.cohort.people import ViewMade
from isthmus.cohort.private_list import shown_name
from isthmus.cohort.pseudonyms import Pseudonyms
from isthmus.cohort.sources.dicom_files import DicomFile
from isthmus.cohort.table_boxes import FrameBoxes, around, box_inside, frames_inside
from isthmus.errors import PictureError
from isthmus.imaging.clip import Box, ClipInfo, OpenClip, box_of
from isthmus.imaging.dicom import open_dicom
from isthmus.imaging.limits import Limits
from isthmus.imaging.masked_screen import ScreenMask, find_screen_mask

_SQUARE: Final = 0.02  # relative difference of the two spacings that is rounding
_SPACINGS_MM: Final = (0.001, 10.0)
_RATES_HZ: Final = (0.1, 10_000.0)


@dataclass
class DicomViews:
    """Adds the views of DICOM files to a draft: what :func:`isthmus.cohort.fill.fill_cohort` calls for each picture.

    Parameters
    ----------
    draft : CohortDraft
        To be filled.
    source : Path
        The export.
    files : mapping of str to DicomFile
        By path in the export.
    outlines : OutlineIndex
        What readers drew, by SOP Instance UID or path.
    names : Pseudonyms
        Says from which day a patient's days are counted.
    limits : Limits
        What is refused as too large.
    """

    draft: CohortDraft
    source: Path
    files: Mapping[str, DicomFile]
    outlines: OutlineIndex
    names: Pseudonyms
    limits: Limits
    words: int = 0
    marked: int = 0
    _used: set[str] = field(default_factory=set)
    _written: dict[str, tuple[str, str]] = field(default_factory=dict)

    def __call__(self, picture: SourcePicture, place: ViewPlace) -> ViewMade:
        """Write one picture and add its view; see :class:`isthmus.cohort.people.ViewMade`.

        Raises
        ------
        PictureError
            When it cannot be decoded whole, or its text cannot be told from its picture.
        """
        file, path = self.files[picture.file], self.source / picture.file
        try:
            return self._made(path, file, place)
        except PictureError as error:
            # A decoder's own words may hold the path, and a path may hold a name.
            raise PictureError(error.what.replace(str(path), "the file"), expected=error.expected) from None
        except OSError as error:
            raise PictureError(f"the file cannot be read: {error.strerror}") from None

    def _made(self, source: Path, file: DicomFile, place: ViewPlace) -> ViewMade:
        with open_dicom(source, self.limits) as clip:
            burned_in, called = file.burned_in == "YES", shown_name(file.number)
            shown = find_screen_mask(clip, limits=self.limits, says_text=burned_in, where=called)
            if file.file not in self._written:
                self._written[file.file] = self._write(clip, shown, place.view_id)
                self.words += len(shown.words)
                self.marked += bool(shown.marks)
            path, digest = self._written[file.file]
            notes = self._add(clip.info, file, shown, self._counted(file, place), path)
        return ViewMade(1, digest, (*shown.notes, *notes))

    def outline_files(self) -> dict[str, str]:
        """Return the files of outlines that were used, '' beside each, or could not be, and why."""
        # What follows a colon may quote a path.
        faults = {fault.file: fault.reason.partition(":")[0] for fault in self.outlines.faults}
        return dict.fromkeys(self._used, "") | faults

    def _counted(self, file: DicomFile, place: ViewPlace) -> ViewPlace:
        if file.day is None or place.exam_day is None:
            return place
        first = file.day - timedelta(days=place.exam_day)
        return replace(place, exam_day=self.names.days_since(place.patient_id, file.day, first))

    def _write(self, clip: OpenClip, shown: ScreenMask, name: str) -> tuple[str, str]:
        digest = hashlib.sha256(f"{clip.info.width} {clip.info.height}".encode())
        frames = _clean_frames(clip, shown, digest)
        if clip.info.frames == 1:
            return self.draft.write_picture(next(frames), f"{name}.png"), digest.hexdigest()
        try:
            return self.draft.write_frames(frames, name), digest.hexdigest()
        except PictureError:
            shutil.rmtree(self.draft.folder / "pictures" / name, ignore_errors=True)
            raise

    def _add(self, info: ClipInfo, file: DicomFile, shown: ScreenMask, place: ViewPlace, path: str) -> list[str]:
        modality = place.modality
        if modality == "bmode":  # also what the map says where it says nothing; the header knows better
            modality = file.modality or shown.modality
        if modality == "bmode" and info.frames > 1:
            modality = "cine"
        spacing, notes = _spacing(info)
        drawn = self._drawn(info, file, place)
        region, panel = _region(shown, drawn)
        columns = {
            **place.columns(),
            "panel": panel,
            "spacing_mm": spacing,
            "frame_rate_hz": _rate(info) or place.frame_rate_hz,
        }
        self.draft.add_view(
            place.view_id,
            place.nodule_id,
            path,
            modality=modality,
            mask=drawn.mask,
            box=drawn.box,
            region=region,
            region_source="whole" if drawn.bounds is None else "drawn",
            **{
                name: value
                for name, value in (columns | {"device": file.device or place.device}).items()
                if value not in ("", None)
            },
        )
        self.draft.add_boxes(place.view_id, drawn.frame_boxes)
        return [*notes, *drawn.notes]

    def _drawn(self, info: ClipInfo, file: DicomFile, place: ViewPlace) -> "_Drawn":
        size, found = (info.height, info.width), list[tuple[str, str, _Drawn]]()
        for name in filter(None, (file.keys.get("SOPInstanceUID", ""), file.file)):
            if info.frames > 1:
                clips = self.outlines.clip_outlines(name, info.frames, *size)
                found += [(clip.source, clip.label, _Drawn(clip.masks)) for clip in clips]
            else:
                stills = self.outlines.outlines(name, *size)
                found += [(still.source, still.label, _Drawn(still.mask, still.box)) for still in stills]
        self._used |= {source for source, _, _ in found}
        named = [drawn for _, label, drawn in found if place.nodule and label == place.nodule]
        drawn = named or [drawn for _, _, drawn in found]
        if len(drawn) == 1:
            return drawn[0]
        notes = [f"{len(drawn)} outlines, and which is this nodule's is not said: none taken"] if drawn else []
        frame_boxes, lost = frames_inside(place.frame_boxes, info)
        box = frame_boxes[0][1] if info.frames == 1 and frame_boxes else box_inside(place.box, info)
        notes += ["the table's box lies outside the picture; left blank"] if place.box and not box else []
        notes += [lost] if lost else []
        return _Drawn(box=box, notes=tuple(notes), frame_boxes=() if info.frames == 1 else frame_boxes)


@dataclass(frozen=True)
class _Drawn:
    """A lesion as a reader drew it; the mask is [H, W] of a still, [T, H, W] of a clip."""

    mask: NDArray[np.bool_] | None = None
    box: Box | None = None
    notes: tuple[str, ...] = ()
    frame_boxes: FrameBoxes = ()

    @property
    def bounds(self) -> Box | None:
        """The box around the lesion, in all frames."""
        if self.frame_boxes:
            return around(box for _, box in self.frame_boxes)
        if self.box is not None or self.mask is None:
            return self.box
        return box_of(self.mask)


def _region(shown: ScreenMask, drawn: _Drawn) -> tuple[Box, str | None]:
    """Return the scan area, or the lesion's panel of a double picture."""
    lesion = drawn.bounds
    if lesion is not None and len(shown.panels) == 2:
        for side, (x0, y0, x1, y1) in zip(("left", "right"), shown.panels, strict=True):
            if x0 <= lesion[0] and y0 <= lesion[1] and lesion[2] <= x1 and lesion[3] <= y1:
                return (x0, y0, x1, y1), side
    return shown.area, None


def _clean_frames(clip: OpenClip, shown: ScreenMask, digest: Any) -> Iterator[NDArray[np.uint8]]:
    for frame in clip.frames(range(clip.info.frames)):
        clean = shown.on(frame)
        digest.update(clean.tobytes())
        yield clean


def _spacing(info: ClipInfo) -> tuple[float | None, list[str]]:
    if info.spacing_mm is None:
        return None, []
    across, down = info.spacing_mm
    if abs(across - down) > _SQUARE * max(across, down):
        return None, ["its pixels are not square; spacing left blank"]
    spacing = (across + down) / 2
    if not _SPACINGS_MM[0] <= spacing <= _SPACINGS_MM[1]:
        return None, ["its spacing is out of range; left blank"]
    return round(spacing, 6), []


def _rate(info: ClipInfo) -> float | None:
    times = info.frame_times_s
    if info.frames < 2 or times is None or times[-1] <= times[0]:
        return None
    rate = (info.frames - 1) / (times[-1] - times[0])
    return round(rate, 3) if _RATES_HZ[0] <= rate <= _RATES_HZ[1] else None
