"""All outlines of a folder of pictures, each under the picture it belongs to."""

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
    OutlineFault,
    OutlineUnusable,
    check_size,
)
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
        names = _PictureNames(pictures)
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
                index._place(entry, names)
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
                    self._fault(entry.source, str(error))
                else:
                    drawn.append(Outline(shape.label, mask, box, entry.source, entry.format))
        return drawn

    def clip_outlines(self, picture: str, frames: int, height: int, width: int) -> list[ClipOutline]:
        """Return every outline of a clip: files with one page or slice a frame.

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
        return drawn

    @property
    def faults(self) -> list[OutlineFault]:
        """Files and outlines that are not used, and why; it grows as pictures are asked for."""
        return sorted(self._faults, key=lambda fault: (fault.file, fault.reason))

    def unused(self) -> list[str]:
        """Return the files that hold an outline of no picture asked for so far, with the name they give it."""
        left = [entry for key, entries in self._entries.items() if key not in self._asked for entry in entries]
        return sorted({_where(entry) for entry in [*left, *self._homeless]})

    def _of(self, picture: str) -> Iterator[Entry]:
        key = picture.replace("\\", "/")
        self._asked.add(key)
        yield from self._entries.get(key, [])

    def _place(self, entry: Entry, names: "_PictureNames") -> None:
        if entry.uid:
            self._entries[entry.uid].append(entry)
            return
        for name in entry.names:
            fitting = names.fitting(name)
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


class _PictureNames:
    """The pictures of a folder by path, by path without suffix, by file name and by stem."""

    def __init__(self, pictures: Sequence[str]) -> None:
        self._by: list[dict[str, list[str]]] = [defaultdict(list) for _ in range(4)]
        for picture in pictures:
            path = Path(picture)
            for table, key in zip(
                self._by, (picture, path.with_suffix("").as_posix(), path.name, path.stem), strict=True
            ):
                table[key].append(picture)

    def fitting(self, name: str) -> list[str]:
        """Return the pictures that a name fits, by the strictest reading that fits any."""
        path = _tidy(name)
        for table, key in zip(self._by, (path, path, Path(path).name, Path(path).name), strict=True):
            if key and table.get(key):
                return table[key]
        return []


def _tidy(name: str) -> str:
    parts: list[str] = []
    for part in name.split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in ("", ".", ".."):
            parts.append(part)
    return "/".join(parts)


def _check_stated_size(entry: Entry, height: int, width: int) -> None:
    if entry.size is not None:
        check_size(entry.size, height, width, "the picture it was drawn on")


def _where(entry: Entry) -> str:
    return entry.source if not entry.names else f"{entry.source}: {Path(entry.names[0]).name}"
