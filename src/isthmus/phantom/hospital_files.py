"""A recording as the file that a hospital has of it, with the masks that an annotator would draw. One pass, atomic."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from isthmus.errors import InputError
from isthmus.files import atomic_path
from isthmus.imaging.read import write_mask
from isthmus.phantom.consoles import CONSOLES
from isthmus.phantom.dicom_files import write_dicom
from isthmus.phantom.recording import Frame, Recording
from isthmus.phantom.video_files import write_video

SUFFIXES: Final = {"png": ".png", "avi": ".avi", "mp4": ".mp4", "dicom": ".dcm"}
STILL_KINDS: Final = ("png", "dicom")
CLIP_KINDS: Final = ("avi", "mp4", "dicom")


def write_recording(
    folder: Path,
    stem: str,
    recording: Recording,
    kind: str,
    *,
    patient_id: str,
    mask: Path | None = None,
    calcifications: Path | None = None,
) -> str:
    """Write a recording, and its masks where asked, while its frames are drawn once.

    Parameters
    ----------
    folder : Path
        Of the cohort; made if needed.
    stem : str
        File name without suffix, usually the view's id.
    recording : Recording
        What to write.
    kind : str
        ``png`` or ``dicom`` for a still; ``avi``, ``mp4`` or ``dicom`` for a clip.
    patient_id : str
        Goes into the DICOM header.
    mask, calcifications : Path, optional
        Where the masks of the nodule and of the calcifications go, without suffix: ``.png`` for a still, multi-page
        ``.tiff`` for a clip is added.

    Returns
    -------
    str
        The file's name inside ``folder``.

    Raises
    ------
    InputError
        When the kind is unknown or does not suit a still or a clip.
    OutputError
        When the disk is full, read-only or not ours.
    """
    clip = recording.shape[0] > 1
    kinds = CLIP_KINDS if clip else STILL_KINDS
    if kind not in kinds:
        raise InputError(
            f"a {'clip' if clip else 'still'} is not written as {kind!r}", where=stem, expected=", ".join(kinds)
        )
    path = folder / (stem + SUFFIXES[kind])
    wanted = {name: place for name, place in (("lesion", mask), ("calcifications", calcifications)) if place}
    masks = _Masks({name: place.with_name(place.name + mask_suffix(recording)) for name, place in wanted.items()})
    frames = masks.passing(recording)
    if kind == "dicom":
        write_dicom(
            path,
            frames,
            recording,
            patient_id=patient_id,
            palette=CONSOLES[recording.scene.device.layout].palette and recording.shape[3] == 1,
        )
    elif kind == "png":
        _write_png(path, frames)
    else:
        write_video(path, frames, rate_hz=recording.frame_rate_hz or 1.0, kind=kind)
    masks.write()
    return path.name


def mask_suffix(recording: Recording) -> str:
    """Return the suffix of a recording's masks: ``.png`` for a still, ``.tiff`` for a clip."""
    return ".tiff" if recording.shape[0] > 1 else ".png"


# Speckle hardly packs: level 2 takes a third of level 6's time and makes files a seventh larger.
_PNG_LEVEL: Final = 2


def _write_png(path: Path, frames: Iterable[NDArray[np.uint8]]) -> None:
    (pixels,) = frames
    with atomic_path(path) as temporary:
        Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0]).save(
            temporary, format="PNG", compress_level=_PNG_LEVEL
        )


class _Masks:
    """Masks that are kept, one bit a pixel, while the frames that they belong to pass by to their writer."""

    def __init__(self, places: dict[str, Path]) -> None:
        self._places = places
        self._packed: dict[str, list[NDArray[np.uint8]]] = {name: [] for name in places}
        self._shape = (0, 0)

    def passing(self, frames: Iterable[Frame]) -> Iterator[NDArray[np.uint8]]:
        for frame in frames:
            self._shape = frame.lesion.shape
            for name, packed in self._packed.items():
                mask = getattr(frame, name)
                packed.append(np.packbits(np.zeros(self._shape, bool) if mask is None else mask))
            yield frame.pixels

    def write(self) -> None:
        for name, place in self._places.items():
            masks = (self._unpacked(packed) for packed in self._packed[name])
            if place.suffix == ".png":
                write_mask(place, next(masks))
            else:
                _write_pages(place, masks)

    def _unpacked(self, packed: NDArray[np.uint8]) -> NDArray[np.bool_]:
        count = self._shape[0] * self._shape[1]
        return np.unpackbits(packed, count=count).reshape(self._shape).astype(np.bool_)


def _write_pages(path: Path, masks: Iterable[NDArray[np.bool_]]) -> None:
    # Image.save(save_all=True) gathers all pages before it writes the first.
    with atomic_path(path) as temporary, TiffImagePlugin.AppendingTiffWriter(temporary, new=True) as pages:
        for mask in masks:
            page = Image.fromarray(np.where(mask, np.uint8(255), np.uint8(0)))
            page.save(pages, format="TIFF", compression="tiff_adobe_deflate")
            pages.newFrame()
