"""All outlines of a folder of pictures, each under the picture it belongs to."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isthmus.cohort.outlines.files import outline_files, read_entries
from isthmus.cohort.outlines.outline import (
    ClipOutline,
    Entry,
    Outline,
    OutlineEmpty,
    OutlineFault,
    OutlineUnusable,
    check_size,
)
from isthmus.cohort.outlines.picture_names import PictureNames
from isthmus.errors import CohortError
from isthmus.imaging.limits import Limits

DEFAULT_LIMITS = Limits(bytes=512 << 20)
_NO_FOLDER = "the folder of pictures, or of masks"


@dataclass
class OutlineIndex:
    """The outlines found for a folder of pictures; made by :meth:`of`.

    An outline file says itself which picture it belongs to (LabelMe, CVAT, COCO, VOC; a DICOM segmentation by SOP
    Instance UID) or is named like it (mask pictures, NIfTI, NRRD). A name that fits several pictures is a fault: none
    of them gets the outline. Nothing here stops an import; what cannot be used is one line in :attr:`faults`.
    """

    _names: PictureNames = field(default_factory=lambda: PictureNames([]))
    _entries: dict[str, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    _homeless: list[Entry] = field(default_factory=list)
    _faults: dict[OutlineFault, None] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, folder: Path, *, masks: Path | None = None, limits: Limits = DEFAULT_LIMITS) -> "OutlineIndex":
        """Look through a folder of pictures, and a folder of masks beside it.

        Parameters
        ----------
        folder : Path
            The pictures, in folders of any depth.
        masks : Path, optional
            Outlines that lie elsewhere: every picture in it is a mask.
        limits : Limits
            What is refused as too large.

        Raises
        ------
        CohortError
            When one of the folders is none.
        """
        index = cls()
        for place in (folder, masks):
            if place is not None and not place.is_dir():
                raise CohortError("no such folder", where=str(place), expected=_NO_FOLDER)
        found, pictures = outline_files(folder, masks)
        index._names = PictureNames(pictures)
        for item in found:
            try:
                entries, wrong = read_entries(item, limits)
            except OutlineUnusable as error:
                index._fault(item.source, str(error))
                continue
            except (OSError, MemoryError) as error:
                index._fault(item.source, f"it cannot be read: {type(error).__name__}")
                continue
            for reason in wrong:
                index._fault(item.source, reason)
            for entry in entries:
                index._place(entry)
        return index

    def outlines(self, picture: str, height: int, width: int) -> list[Outline]:
        """Return every outline of a still, several nodules included, in the order of their files.

        Parameters
        ----------
        picture : str
            Path relative to the folder of pictures, or a SOP Instance UID.
        height, width : int
            The picture's size; an outline of another size is a fault, not stretched.

        Returns
        -------
        list of Outline
            Empty where there is none, or none that can be used.
        """
        return self._drawn(picture, height, width, empty_is_a_fault=True)

    def _drawn(self, picture: str, height: int, width: int, *, empty_is_a_fault: bool) -> list[Outline]:
        drawn = []
        for entry in self._of(picture):
            try:
                _check_stated_size(entry, height, width)
                shapes = entry.shapes()
            except OutlineUnusable as error:
                self._fault(entry.source, str(error))
                continue
            for shape in shapes:
                try:
                    mask, box = shape.draw(height, width)
                except OutlineUnusable as error:
                    if empty_is_a_fault or not isinstance(error, OutlineEmpty):
                        self._fault(entry.source, str(error))
                else:
                    drawn.append(Outline(shape.label, mask, box, entry.source, entry.format))
        return drawn

    def clip_outlines(self, picture: str, frames: int, height: int, width: int) -> list[ClipOutline]:
        """Return every outline of a clip: files with one page or slice a frame, or outlines of its frames one by one.

        Parameters
        ----------
        picture : str
            Path of the clip (a file or a frame folder) relative to the folder of pictures, or a SOP Instance UID.
        frames, height, width : int
            The clip's size.

        Returns
        -------
        list of ClipOutline
        """
        drawn = []
        for entry in self._of(picture):
            try:
                _check_stated_size(entry, height, width)
                if entry.clip is None:
                    raise OutlineUnusable(f"{entry.format} outlines belong to stills; this is a clip")
                pairs: Sequence[tuple[str, NDArray[np.bool_]]] = entry.clip(frames, height, width)
            except OutlineUnusable as error:
                self._fault(entry.source, str(error))
            else:
                drawn += [ClipOutline(label, masks, entry.source, entry.format) for label, masks in pairs]
        return drawn or self._frame_by_frame(picture.replace("\\", "/"), frames, height, width)

    def _frame_by_frame(self, clip: str, frames: int, height: int, width: int) -> list[ClipOutline]:
        """Put a frame folder's outlines together, label by label; a frame without one does not show the lesion."""
        names = sorted(self._names.in_folder(clip), key=_by_number)
        if not any(name in self._entries for name in names):
            return []
        if len(names) != frames:
            self._fault(clip, f"{len(names)} pictures lie in it, the clip has {frames} frames: outlines are not used")
            return []
        found: dict[str, ClipOutline] = {}
        without = 0
        for number, name in enumerate(names):
            before = len(self._faults)
            drawn = self._drawn(name, height, width, empty_is_a_fault=False)
            without += name not in self._entries or len(self._faults) > before
            for outline in drawn:
                if outline.mask is None:
                    self._fault(outline.source, "a box of one frame is no outline of a clip")
                    continue
                blank = ClipOutline(
                    outline.label, np.zeros((frames, height, width), dtype=np.bool_), outline.source, outline.format
                )
                found.setdefault(outline.label, blank).masks[number] |= outline.mask
        if without:
            self._fault(clip, f"{without} of its {frames} frames have no usable outline: they count as without lesion")
        return [found[label] for label in sorted(found)]

    @property
    def faults(self) -> list[OutlineFault]:
        """Files and outlines that are not used, and why; it grows as pictures are asked for."""
        return sorted(self._faults, key=lambda fault: (fault.file, fault.reason))

    def unused(self) -> list[str]:
        """Return the files that hold an outline of no picture asked for so far, with the name they give it."""
        left = [entry for key, entries in self._entries.items() if key not in self._asked for entry in entries]
        return sorted({_where(entry) for entry in [*left, *self._homeless]})

    def files(self) -> dict[str, bool]:
        """Return every file that holds outlines of a picture here, and whether such a picture was asked for so far."""
        found: dict[str, bool] = {}
        for key, entries in self._entries.items():
            for entry in entries:
                found[entry.source] = found.get(entry.source, False) or key in self._asked
        return dict(sorted(found.items()))

    def _of(self, picture: str) -> Iterator[Entry]:
        key = picture.replace("\\", "/")
        self._asked.add(key)
        yield from self._entries.get(key, [])

    def _place(self, entry: Entry) -> None:
        if entry.uid:
            self._entries[entry.uid].append(entry)
            return
        for name in entry.names:
            fitting = self._names.fitting(name)
            if len(fitting) == 1:
                self._entries[fitting[0]].append(entry)
                return
            if fitting:
                self._fault(entry.source, f"its name fits {len(fitting)} pictures: {', '.join(fitting[:3])}")
                return
        self._homeless.append(entry)
        self._fault(entry.source, "it names no picture that is here")

    def _fault(self, file: str, reason: str) -> None:
        self._faults.setdefault(OutlineFault(file, reason))


def _check_stated_size(entry: Entry, height: int, width: int) -> None:
    if entry.size is not None:
        check_size(entry.size, height, width, "the picture it was drawn on")


def _where(entry: Entry) -> str:
    return entry.source if not entry.names else f"{entry.source}: {Path(entry.names[0]).name}"


def _by_number(name: str) -> tuple[int, str]:
    digits = re.findall(r"\d+", Path(name).stem)
    return int(digits[-1]) if digits else -1, name
