"""Ultrasound DICOM, single- and multi-frame, through pydicom.

- Only the elements that describe the pixels are read: none that names a patient is ever loaded, and no value of an
  element enters a message.
- Colour (palette, YBR) becomes RGB, MONOCHROME1 is inverted, more than 8 bits go through the modality and window
  (VOI) transformations to 8.
- The 2D ultrasound regions give the scan area and the spacing (PS3.3 C.8.5.5).
"""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.pixels.utils import iter_pixels

from isthmus.errors import LimitError, PictureError
from isthmus.imaging.clip import Box, Clip, ClipInfo, Spacing, check_frames
from isthmus.imaging.limits import Limits

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
_GREY = ("MONOCHROME1", "MONOCHROME2")
_COLOUR = ("RGB", "PALETTE COLOR", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_DEFLATED = "1.2.840.10008.1.2.1.99"
_JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
_LARGEST_DEFLATE_RATIO = 1032  # zlib's own bound
_FORMAT_2D = 1
_TISSUE, _COLOUR_FLOW = 1, 2
_CENTIMETRES = 3


def probe_dicom(path: Path, limits: Limits) -> ClipInfo:
    """Return what the header says, without decoding a pixel."""
    return _info(_header(path, limits), path, limits)


def read_dicom(path: Path, limits: Limits, *, frames: Sequence[int] | None, modality: str) -> Clip:
    """Decode the frames asked for, all of them by default."""
    header = _header(path, limits)
    info = _info(header, path, limits)
    wanted = list(range(info.frames)) if frames is None else list(frames)
    check_frames(wanted, info.frames, path)
    limits.check_decoded(str(path), width=info.width, height=info.height, channels=info.channels, frames=len(wanted))
    decoded = np.empty((len(wanted), info.height, info.width, info.channels), dtype=np.uint8)
    for position, frame in enumerate(_decode(path, header, info, wanted)):
        decoded[position] = frame
    times = None if info.frame_times_s is None else np.asarray(info.frame_times_s)[wanted]
    return Clip(
        frames=decoded,
        frame_times_s=times,
        spacing_mm=info.spacing_mm,
        modality=modality,
        scan_area=info.scan_area,
        panels=info.panels,
        source=str(path),
    )


def iter_dicom(path: Path, limits: Limits) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames one after another, each decoded when it is asked for."""
    header = _header(path, limits)
    info = _info(header, path, limits)
    yield from _decode(path, header, info, list(range(info.frames)))


def _header(path: Path, limits: Limits) -> FileDataset:
    with warnings.catch_warnings():
        # pydicom warns of odd values by printing them, and a value may name a patient.
        warnings.simplefilter("ignore")
        try:
            syntax = pydicom.filereader.read_file_meta_info(path).get("TransferSyntaxUID")
            if syntax == _DEFLATED and path.stat().st_size * _LARGEST_DEFLATE_RATIO > limits.bytes:
                raise LimitError(
                    "a deflated DICOM file of this size may unpack beyond the limit",
                    where=str(path),
                    expected=f"at most {limits.bytes // _LARGEST_DEFLATE_RATIO:,} bytes",
                    hint="convert it to Explicit VR Little Endian",
                )
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_ELEMENTS), force=True)
            header.decode()
        except LimitError:
            raise
        except InvalidDicomError as error:
            raise PictureError(
                "this is not a DICOM file", where=str(path), expected="the letters DICM after 128 bytes"
            ) from error
        except Exception as error:
            # The text of a parser's error may quote an element; its kind says enough.
            raise PictureError(
                f"the DICOM header is damaged ({type(error).__name__})",
                where=str(path),
                hint="send it again from the archive",
            ) from None
    return header


def _info(header: FileDataset, path: Path, limits: Limits) -> ClipInfo:
    numbers = {
        name: _number(header, name, default)
        for name, default in (
            ("Rows", 0.0), ("Columns", 0.0), ("BitsAllocated", 8.0), ("NumberOfFrames", 1.0), ("SamplesPerPixel", 1.0)
        )
    }  # fmt: skip
    photometric = str(header.get("PhotometricInterpretation", ""))
    if not numbers["Rows"] or not numbers["Columns"] or "TransferSyntaxUID" not in header.file_meta:
        raise PictureError(
            "this DICOM file holds no picture", where=str(path), expected="Rows, Columns and a transfer syntax"
        )
    if photometric not in _GREY + _COLOUR:
        raise PictureError(
            "its photometric interpretation (0028,0004) is not known",
            where=str(path),
            expected=", ".join(_GREY + _COLOUR),
        )
    width, height = int(numbers["Columns"]), int(numbers["Rows"])
    frames = int(numbers["NumberOfFrames"] or 1)
    limits.check_header(str(path), width=width, height=height, frames=frames)
    times = _frame_times(header, frames)
    limits.check_header(str(path), width=width, height=height, seconds=times[-1] if times else 0.0)
    panels, spacing = _regions(header, width, height)
    return ClipInfo(
        source=str(path),
        format="dicom",
        width=width,
        height=height,
        channels=1 if photometric in _GREY else 3,
        frames=frames,
        bits=int(numbers["BitsAllocated"]),
        frame_times_s=times,
        spacing_mm=spacing,
        scan_area=_union(panels) if panels else None,
        panels=panels,
    )


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
    spacing = header.get("PixelSpacing")
    if spacing is not None and len(spacing) == 2 and min(spacing) > 0:
        return (), (float(spacing[1]), float(spacing[0]))
    return (), None


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


def _decode(path: Path, header: FileDataset, info: ClipInfo, frames: list[int]) -> Iterator[NDArray[np.uint8]]:
    syntax = header.file_meta.TransferSyntaxUID
    # Pillow is twice as fast here as the decoder that pydicom tries first, and it refuses a truncated frame, where
    # others fill the rest with grey: so no other is asked for baseline JPEG.
    plugin = "pillow" if syntax == _JPEG_BASELINE else ""
    decoded = 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for pixels in iter_pixels(path, indices=frames, decoding_plugin=plugin):
                yield _to_eight_bits(pixels, header, info)
                decoded += 1
    except Exception as error:
        reason = "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
        name = f"{syntax.name} ({syntax})" if syntax.name != syntax else f"transfer syntax {syntax}"
        raise PictureError(
            f"its pixels, stored as {name}, cannot be decoded: {reason or type(error).__name__}",
            where=str(path) if info.frames == 1 else f"{path}, frame {frames[min(decoded, len(frames) - 1)]}",
            hint="convert it to Explicit VR Little Endian where it came from, or send it again if it was cut short",
        ) from error


def _to_eight_bits(pixels: NDArray[Any], header: FileDataset, info: ClipInfo) -> NDArray[np.uint8]:
    photometric = header.PhotometricInterpretation
    if photometric == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, header)
        return _scaled(pixels, 0, np.iinfo(pixels.dtype).max)
    if photometric not in _GREY:
        return _scaled(pixels, 0, 2 ** int(header.BitsStored) - 1)
    pixels = _grey(pixels, header)[..., None]
    return 255 - pixels if photometric == "MONOCHROME1" else pixels


def _grey(pixels: NDArray[Any], header: FileDataset) -> NDArray[np.uint8]:
    bits = int(header.BitsStored)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if header.get("PixelRepresentation") else (0, 2**bits - 1)
    ends = [float(low), float(high)]
    if header.get("ModalityLUTSequence"):
        ends = [0.0, 2.0 ** int(header.ModalityLUTSequence[0].LUTDescriptor[2]) - 1]
    elif "RescaleSlope" in header and "RescaleIntercept" in header:
        ends = [end * float(header.RescaleSlope) + float(header.RescaleIntercept) for end in ends]
    pixels = apply_modality_lut(pixels, header)
    if header.get("VOILUTSequence"):
        ends = [0.0, 2.0 ** int(header.VOILUTSequence[0].LUTDescriptor[2]) - 1]
    return _scaled(apply_voi_lut(pixels, header), min(ends), max(ends))


def _scaled(samples: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    if samples.dtype == np.uint8 and (low, high) == (0, 255):
        return samples
    scaled = (samples.astype(np.float64) - low) * (255.0 / (high - low))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
