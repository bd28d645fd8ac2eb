"""Ultrasound DICOM, single- and multi-frame, through pydicom.

- Only the elements that describe the pixels are read: none that names a patient is ever loaded here, and no value
  of an element enters a message.
- Encapsulated video (MPEG-2, H.264, HEVC) is read by :mod:`isthmus.imaging.video`, which gives its frames and times;
  all other pixels by :mod:`isthmus.imaging.dicom_pixels`.
- The 2D ultrasound regions give the scan area and the spacing (PS3.3 C.8.5.5).
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset

from isthmus.errors import PictureError
from isthmus.imaging.clip import Box, ClipInfo, OpenClip, Spacing
from isthmus.imaging.dicom_header import read_header
from isthmus.imaging.dicom_pixels import (
    COLOUR,
    GREY,
    ISOLATED,
    VIDEO_SYNTAXES,
    decoded_frames,
    encapsulated_video,
    frames_in_process,
    video_container,
)
from isthmus.imaging.limits import Limits
from isthmus.imaging.video import open_video

_ELEMENTS = (
    "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPresentation",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData", "SegmentedRedPaletteColorLookupTableData",
    "SegmentedGreenPaletteColorLookupTableData", "SegmentedBluePaletteColorLookupTableData",
    "AlphaPaletteColorLookupTableData", "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "VOILUTSequence",
    "WindowCenter", "WindowWidth", "VOILUTFunction", "SequenceOfUltrasoundRegions", "PixelSpacing", "FrameTime",
    "FrameTimeVector", "CineRate",
)  # fmt: skip
_FRAGMENTABLE = ".1"  # the same video in several fragments
_TOLERATED_FRAMES = 2
_FORMAT_2D = 1
_TISSUE, _COLOUR_FLOW = 1, 2
_CENTIMETRES = 3


@contextmanager
def open_dicom(path: Path, limits: Limits) -> Iterator[OpenClip]:
    """Open a DICOM file; no frame is decoded before one is asked for."""
    header = read_header(path, limits, _ELEMENTS)
    syntax = str(header.file_meta.get("TransferSyntaxUID", ""))
    if (codec := VIDEO_SYNTAXES.get(syntax.removesuffix(_FRAGMENTABLE))) is None:
        yield _DicomClip(path, header, _info(header, path, limits))
        return
    content = encapsulated_video(path)
    demuxer = video_container(content, codec)
    with open_video(io.BytesIO(content), limits, kind="dicom", where=str(path), demuxer=demuxer) as video:
        decoded = video.info.width * video.info.height * video.info.channels
        limits.check_expansion(str(path), stored=len(content), decoded=decoded)
        # A bare stream states no times; its reader then counts 25 frames a second.
        timed = video.info.frame_times_s if demuxer != codec else None
        yield _DicomVideo(video, _video_info(header, replace(video.info, frame_times_s=timed), path))


def frames_of_isolated(path: Path, limits: Limits, frames: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
    """Yield frames as uint8 [H, W, C], decoded in this process, which a damaged frame may end or hold up; see
    :mod:`isthmus.imaging.isolated_frames`.
    """
    header = read_header(path, limits, _ELEMENTS)
    plugin = ISOLATED[header.file_meta.TransferSyntaxUID]
    return frames_in_process(path, header, _info(header, path, limits), list(frames), plugin)


@dataclass(frozen=True)
class _DicomClip:
    path: Path
    header: FileDataset
    info: ClipInfo

    def frames(self, wanted: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        return decoded_frames(self.path, self.header, self.info, list(wanted))


@dataclass(frozen=True)
class _DicomVideo:
    video: OpenClip
    info: ClipInfo

    def frames(self, wanted: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        return self.video.frames(wanted)


def _video_info(header: FileDataset, video: ClipInfo, path: Path) -> ClipInfo:
    announced = int(_number(header, "NumberOfFrames", 1.0))
    if announced > video.frames + _TOLERATED_FRAMES:
        raise PictureError(
            f"its header announces {announced:,} frames and its video holds {video.frames:,}",
            where=str(path),
            hint="send it again from the archive",
        )
    panels, spacing = _regions(header, video.width, video.height)
    return replace(
        video,
        frame_times_s=video.frame_times_s or _frame_times(header, video.frames),
        spacing_mm=spacing,
        scan_area=_union(panels) if panels else None,
        panels=panels,
    )


def _info(header: FileDataset, path: Path, limits: Limits) -> ClipInfo:
    numbers = {
        name: _number(header, name, default)
        for name, default in (
            ("Rows", 0.0), ("Columns", 0.0), ("BitsAllocated", 8.0), ("NumberOfFrames", 1.0), ("SamplesPerPixel", 1.0)
        )
    }  # fmt: skip
    photometric = str(header.get("PhotometricInterpretation", ""))
    if not numbers["Rows"] or not numbers["Columns"] or not _one_syntax(header):
        raise PictureError(
            "this DICOM file holds no picture", where=str(path), expected="Rows, Columns and a transfer syntax"
        )
    if photometric not in GREY + COLOUR:
        raise PictureError(
            "its photometric interpretation (0028,0004) is not known",
            where=str(path),
            expected=", ".join(GREY + COLOUR),
        )
    width, height = int(numbers["Columns"]), int(numbers["Rows"])
    frames = int(numbers["NumberOfFrames"] or 1)
    limits.check_header(str(path), width=width, height=height, frames=frames)
    samples, sample_bytes = max(1, int(numbers["SamplesPerPixel"])), max(1, int(numbers["BitsAllocated"]) // 8)
    decoded = width * height * samples * sample_bytes
    limits.check_expansion(str(path), stored=path.stat().st_size, decoded=decoded)
    times = _frame_times(header, frames)
    limits.check_header(str(path), width=width, height=height, seconds=times[-1] if times else 0.0)
    panels, spacing = _regions(header, width, height)
    return ClipInfo(
        source=str(path),
        format="dicom",
        width=width,
        height=height,
        channels=1 if photometric in GREY else 3,
        frames=frames,
        bits=int(numbers["BitsAllocated"]),
        frame_times_s=times,
        spacing_mm=spacing,
        scan_area=_union(panels) if panels else None,
        panels=panels,
    )


def _one_syntax(header: FileDataset) -> bool:
    return isinstance(header.file_meta.get("TransferSyntaxUID"), str)


def _number(dataset: Any, keyword: str, default: float) -> float:
    try:
        value = float(dataset.get(keyword, default))
    except (TypeError, ValueError):
        return default
    return value if np.isfinite(value) else default


def _frame_times(header: FileDataset, frames: int) -> tuple[float, ...] | None:
    if frames == 1:
        return (0.0,)
    try:
        steps = [float(step) for step in header.get("FrameTimeVector") or []]
    except (TypeError, ValueError):
        steps = []
    if len(steps) == frames:
        return tuple((np.cumsum(steps) / 1000.0 - steps[0] / 1000.0).tolist())
    step = _number(header, "FrameTime", 0.0) / 1000.0
    rate = _number(header, "CineRate", 0.0)
    if step <= 0.0 and rate > 0.0:
        step = 1.0 / rate
    return tuple(frame * step for frame in range(frames)) if step > 0.0 else None


def _regions(header: FileDataset, width: int, height: int) -> tuple[tuple[Box, ...], Spacing | None]:
    boxes: list[Box] = []
    spacings: set[Spacing] = set()
    for region in header.get("SequenceOfUltrasoundRegions") or []:
        if _number(region, "RegionSpatialFormat", -1) != _FORMAT_2D:
            continue
        if _number(region, "RegionDataType", -1) not in (_TISSUE, _COLOUR_FLOW):
            continue
        x0, y0 = _number(region, "RegionLocationMinX0", -1), _number(region, "RegionLocationMinY0", -1)
        x1, y1 = _number(region, "RegionLocationMaxX1", -1), _number(region, "RegionLocationMaxY1", -1)
        # Some scanners write the last pixel, some the first behind it. A region that leaves the frame by more
        # belongs to a picture of another size (a clip scaled down after the regions were written).
        if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
            return (), None
        boxes.append((x0, y0, min(x1 + 1, width), min(y1 + 1, height)))
        across, down = abs(_number(region, "PhysicalDeltaX", 0.0)), abs(_number(region, "PhysicalDeltaY", 0.0))
        units = {_number(region, f"PhysicalUnits{axis}Direction", -1) for axis in "XY"}
        if units == {_CENTIMETRES} and across > 0 and down > 0:
            spacings.add((across * 10.0, down * 10.0))
    if boxes:
        return _panels(boxes), spacings.pop() if len(spacings) == 1 else None
    return (), _pixel_spacing(header)


def _pixel_spacing(header: FileDataset) -> Spacing | None:
    """Return millimetres across and down as Pixel Spacing says; None where it does not say two positive numbers."""
    try:
        down, across = (float(value) for value in header.get("PixelSpacing") or ())
    except (TypeError, ValueError):
        return None
    return (across, down) if across > 0 and down > 0 else None


def _panels(boxes: list[Box]) -> tuple[Box, ...]:
    # A colour-flow region lies inside its tissue region; side by side pictures do not overlap.
    merged: list[Box] = []
    for box in sorted(boxes):
        last = merged[-1] if merged else None
        if last is not None and box[0] < last[2] and box[1] < last[3] and last[1] < box[3]:
            merged[-1] = _union((last, box))
        else:
            merged.append(box)
    return tuple(merged)


def _union(boxes: Sequence[Box]) -> Box:
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)
