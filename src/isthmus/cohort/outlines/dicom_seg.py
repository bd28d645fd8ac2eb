"""DICOM segmentations: every frame says by SOP Instance UID (and frame number) which picture it was drawn on."""

import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from isthmus.cohort.outlines.outline import Drawer, Entry, OutlineUnusable, Shape, check_size, mask_box
from isthmus.imaging.clip import Box
from isthmus.imaging.limits import Limits

SEG_CLASSES: Final = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""Segmentation Storage and Label Map Segmentation Storage."""


def is_segmentation(path: Path) -> bool:
    """Return whether a file is a DICOM segmentation; reads its first bytes and one tag."""
    try:
        with path.open("rb") as stream:
            if stream.read(132)[128:] != b"DICM":
                return False
        found = _read(path, stop_before_pixels=True, specific_tags=["SOPClassUID"])
        return found.get("SOPClassUID", "") in SEG_CLASSES
    except Exception:  # a damaged DICOM file is the importer's to report, not an outline
        return False


def seg_entries(path: Path, source: str, limits: Limits) -> list[Entry]:
    """Return an entry for each picture or clip that a segmentation was drawn on."""
    try:
        header = _read(path, stop_before_pixels=True)
        return _entries(header, path, source, limits)
    except OutlineUnusable:
        raise
    except Exception as error:  # an object that lacks what the standard asks for fails in many ways
        raise OutlineUnusable(f"it is no DICOM segmentation that can be read ({type(error).__name__})") from error


def _read(path: Path, **options: Any) -> Dataset:
    with warnings.catch_warnings():
        # pydicom warns of odd values by printing them, and a value may name a patient.
        warnings.simplefilter("ignore")
        return pydicom.dcmread(path, **options)


def _entries(header: Dataset, path: Path, source: str, limits: Limits) -> list[Entry]:
    kind = str(header.get("SegmentationType", ""))
    if kind not in ("BINARY", "LABELMAP"):
        raise OutlineUnusable(f"its type is {kind or 'not stated'}: export it as a binary segmentation")
    rows, columns, frames = int(header.Rows), int(header.Columns), int(header.get("NumberOfFrames", 1))
    if rows * columns > limits.pixels or frames > limits.frames or rows * columns * frames > limits.bytes:
        raise OutlineUnusable(f"it has {frames:,} frames of {columns} x {rows} pixels, more than are read")
    names = {int(item.SegmentNumber): str(item.get("SegmentLabel", "")) for item in header.SegmentSequence}
    parts: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for number, groups in enumerate(header.PerFrameFunctionalGroupsSequence):
        segment = _segment(groups, header, kind)
        for uid, frame in _drawn_on(groups):
            parts[uid].append((number, segment, frame))
    if not parts:
        raise OutlineUnusable("it does not say by SOP Instance UID which picture it was drawn on")
    return [
        _entry(_Segmentation(path, names, tuple(found)), source, uid, (rows, columns)) for uid, found in parts.items()
    ]


def _segment(groups: Dataset, header: Dataset, kind: str) -> int:
    if kind == "LABELMAP":
        return 0  # the pixels themselves are segment numbers
    found = groups if "SegmentIdentificationSequence" in groups else header.SharedFunctionalGroupsSequence[0]
    return int(found.SegmentIdentificationSequence[0].ReferencedSegmentNumber)


def _drawn_on(groups: Dataset) -> list[tuple[str, int]]:
    """Return the pictures a frame was derived from, with the frame's number in them from 0."""
    found = []
    for derivation in groups.get("DerivationImageSequence") or []:
        for picture in derivation.get("SourceImageSequence") or []:
            numbers: Any = picture.get("ReferencedFrameNumber", 1)
            uid = str(picture.ReferencedSOPInstanceUID)
            found += [(uid, int(frame) - 1) for frame in ([numbers] if isinstance(numbers, int) else numbers)]
    return found


class _Segmentation:
    """The frames of a segmentation that were drawn on one picture; pixels are read when they are asked for."""

    def __init__(self, path: Path, names: dict[int, str], parts: tuple[tuple[int, int, int], ...]) -> None:
        self.path, self.names, self.parts = path, names, parts

    def stills(self) -> list[Shape]:
        if any(frame for _, _, frame in self.parts):
            raise OutlineUnusable("it was drawn on frames of a clip")
        return [Shape(label, _drawn(masks)) for label, masks in self._masks(1)]

    def clips(self, frames: int, height: int, width: int) -> list[tuple[str, NDArray[np.bool_]]]:
        if max(frame for _, _, frame in self.parts) >= frames:
            raise OutlineUnusable(f"it was drawn on frames beyond the clip's {frames}")
        found = self._masks(frames)
        for _, masks in found:
            check_size((masks.shape[1], masks.shape[2]), height, width, "the segmentation")
        return found

    def _masks(self, frames: int) -> list[tuple[str, NDArray[np.bool_]]]:
        try:
            pixels = _read(self.path).pixel_array
        except Exception as error:  # decoders raise many kinds on damaged pixels
            raise OutlineUnusable(f"its pixels cannot be read ({type(error).__name__})") from error
        pixels = pixels[None] if pixels.ndim == 2 else pixels
        masks: dict[int, NDArray[np.bool_]] = {}
        for number, segment, frame in self.parts:
            for value in [segment] if segment else np.unique(pixels[number][pixels[number] > 0]).tolist():
                drawn = pixels[number] > 0 if segment else pixels[number] == value
                kept = masks.setdefault(int(value), np.zeros((frames, *pixels.shape[1:]), dtype=np.bool_))
                kept[frame] |= drawn
        return [(self.names.get(segment, ""), masks[segment]) for segment in sorted(masks)]


def _drawn(masks: NDArray[np.bool_]) -> Drawer:
    def draw(height: int, width: int) -> tuple[NDArray[np.bool_], Box]:
        check_size((masks.shape[1], masks.shape[2]), height, width, "the segmentation")
        return masks[0], mask_box(masks[0])

    return draw


def _entry(found: _Segmentation, source: str, uid: str, size: tuple[int, int]) -> Entry:
    return Entry(source, "dicom-seg", (), found.stills, uid=uid, size=size, clip=found.clips)
