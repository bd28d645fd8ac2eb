"""Pixels of a DICOM file: the encoded frames it holds, and the 8-bit grey or RGB they become.

- pydicom and its plug-ins decode; a codestream that announces another size than the header is refused before they do.
- Colour (palette, YBR) becomes RGB, MONOCHROME1 is inverted, more than 8 bits go through the modality and window
  (VOI) transformations to 8.
"""

import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.encaps import generate_fragments, generate_frames, get_frame, parse_basic_offsets, parse_fragments
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import (
    HTJ2K,
    UID,
    DeflatedExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSTransferSyntaxes,
    RLELossless,
)

from isthmus.errors import PictureError
from isthmus.imaging.clip import ClipInfo
from isthmus.imaging.codestream import announced_size
from isthmus.imaging.isolated_frames import FrameLostError, frames_of_process
from isthmus.imaging.palette import PaletteError, coloured, palette_of

GREY = ("MONOCHROME1", "MONOCHROME2")
COLOUR = ("RGB", "PALETTE COLOR", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")

_JPEG_FAMILY = "1.2.840.10008.1.2.4."
VIDEO_SYNTAXES = {
    **{f"{_JPEG_FAMILY}{last}": "mpegvideo" for last in (100, 101)},
    **{f"{_JPEG_FAMILY}{last}": "h264" for last in (102, 103, 104, 105, 106)},
    **{f"{_JPEG_FAMILY}{last}": "hevc" for last in (107, 108)},
}
"""Transfer syntaxes of video (PS3.6, A), each with PyAV's name of its bare stream."""

_PLUGINS = {
    # Pillow is twice as fast here as the decoder that pydicom tries first, and it refuses a truncated frame, where
    # others fill the rest with grey: so no other is asked for baseline JPEG.
    JPEGBaseline8Bit: "pillow",
    # Of the others, one each: pydicom would go on to GDCM where it fails, and GDCM ends the process on damaged frames.
    **dict.fromkeys([*JPEG2000TransferSyntaxes, HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL], "pylibjpeg"),
    RLELossless: "pylibjpeg",
}
_JPEG_LS = tuple(JPEGLSTransferSyntaxes)
ISOLATED = {
    **dict.fromkeys((JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1), "gdcm"),
    **dict.fromkeys(_JPEG_LS, "pyjpegls"),
}
"""What is decoded in a process of its own (:mod:`isthmus.imaging.isolated_frames`), and by which plug-in: on a damaged
frame GDCM ends the process, and CharLS computes for seconds on 64 x 64 pixels."""

_HINT = "convert it to Explicit VR Little Endian where it came from, or send it again if it was cut short"
_PANIC = "PanicException"  # of a decoder written in Rust, which is no Exception
_CONTAINERS = (
    # Where in the file, what stands there, PyAV's name.
    (4, b"ftyp", "mp4"),
    (0, b"\x00\x00\x01\xba", "mpeg"),
    (0, b"\x47", "mpegts"),
)
_ELEMENT_HEADER = 12  # tag, value representation, reserved, length: encapsulated pixels are in Explicit VR always
_ITEM_TAG = 4  # bytes before an item's length
_MOST_SAMPLES = 4
_JPEG_2000_START, _END, _END_WITHIN = b"\xff\x4f", b"\xff\xd9", 16
_LINES_AT_ONCE = 256  # numbers of eight bytes for a whole frame would be eight times the frame
_OFFSET_TABLES = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")


class _OtherSizeError(Exception):
    """A codestream is of another size than the header says."""


def encapsulated_video(path: Path) -> bytes:
    """Return the video that a DICOM file encapsulates, its fragments joined."""
    with path.open("rb") as stream:
        _go_to_pixels(stream)
        try:
            parse_basic_offsets(stream)
            return b"".join(generate_fragments(stream))
        except Exception as error:
            raise PictureError(
                "its encapsulated video is damaged or cut short", where=str(path), hint="send it again from the archive"
            ) from error


def video_container(content: bytes, codec: str) -> str:
    """Return PyAV's name of the container that the bytes begin with; that of the bare stream where there is none."""
    return next((name for place, mark, name in _CONTAINERS if content[place : place + len(mark)] == mark), codec)


def decoded_frames(path: Path, header: FileDataset, info: ClipInfo, frames: list[int]) -> Iterator[NDArray[np.uint8]]:
    """Yield these frames as uint8 [H, W, C], each decoded when it is asked for."""
    syntax = header.file_meta.TransferSyntaxUID
    if syntax in ISOLATED:
        yield from _isolated(path, info, frames, syntax)
        return
    yield from frames_in_process(path, header, info, frames, _PLUGINS.get(syntax, ""))


def _isolated(path: Path, info: ClipInfo, frames: list[int], syntax: UID) -> Iterator[NDArray[np.uint8]]:
    seen = decoded = 0
    try:
        # What can be told without a decoder is told here: starting a process takes half a second.
        table = {} if len(frames) == info.frames else _fragments(path, info.frames)
        for codestream in _codestreams(path, frames, info.frames, table):
            _check_size(codestream, info, syntax)
            seen += 1
        if seen < len(frames):
            raise ValueError("frames are missing")
    except Exception as error:
        raise _not_decoded(path, syntax, _reason(error, _frame_name(info, frames, seen))) from error
    try:
        for frame in frames_of_process(path, info, frames):
            yield frame
            decoded += 1
    except PictureError as error:
        raise PictureError(error.what, where=str(path), hint=_HINT) from None
    except FrameLostError:
        raise _not_decoded(path, syntax, f"{_frame_name(info, frames, decoded)} is cut short or damaged") from None


def frames_in_process(
    path: Path, header: FileDataset, info: ClipInfo, frames: list[int], plugin: str
) -> Iterator[NDArray[np.uint8]]:
    """Yield frames as :func:`decoded_frames`, by one of pydicom's plug-ins, in this process."""
    syntax = header.file_meta.TransferSyntaxUID
    # Without indices pydicom walks the fragments once; with them and without a table of offsets, once for each frame.
    indices = None if len(frames) == info.frames else frames
    decoded = 0
    try:
        with warnings.catch_warnings():
            # A warning prints the value it warns of, and a value may name a patient.
            warnings.simplefilter("ignore")
            get_decoder(syntax)
            # A deflated file has no place to go to: it is inflated whole; its size was checked for that.
            source = pydicom.dcmread(path) if syntax == DeflatedExplicitVRLittleEndian else path
            table = _fragments(path, info.frames) if indices and syntax.is_encapsulated else {}
            pixels = iter_pixels(source, indices=indices, decoding_plugin=plugin, **table)
        codestreams = _codestreams(path, frames, info.frames, table) if syntax.startswith(_JPEG_FAMILY) else None
        while decoded < len(frames):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if codestreams is not None:
                    _check_size(next(codestreams), info, syntax)
                frame = _to_eight_bits(next(pixels), header)
            yield frame
            decoded += 1
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != _PANIC:
            raise
        place = _frame_name(info, frames, decoded)
        raise _not_decoded(path, syntax, _reason(error, place)) from error


def _frame_name(info: ClipInfo, frames: list[int], decoded: int) -> str:
    return "the picture" if info.frames == 1 else f"frame {frames[min(decoded, len(frames) - 1)]}"


def _not_decoded(path: Path, syntax: UID, reason: str) -> PictureError:
    name = f"{syntax.name} ({syntax})" if syntax.name != syntax else f"transfer syntax {syntax}"
    return PictureError(
        f"its pixels, stored as {name}, cannot be decoded: {reason}",
        where=str(path),
        hint=_HINT,
    )


def _reason(error: BaseException, place: str) -> str:
    """Return why a frame is not decoded. What a decoder says is its program's own, and may print memory."""
    said = str(error).lower()
    if isinstance(error, NotImplementedError) or "missing dependencies" in said:
        return "no decoder is installed for it"
    if isinstance(error, _OtherSizeError):
        return f"{place} {error}"
    if isinstance(error, PaletteError):
        return str(error)
    if "not supported" in said or "unsupported" in said:
        return f"{place} is of a kind that the decoders here do not take"
    return f"{place} is cut short or damaged"


def _to_eight_bits(pixels: NDArray[Any], header: FileDataset) -> NDArray[np.uint8]:
    photometric = header.PhotometricInterpretation
    if photometric == "PALETTE COLOR":
        return coloured(pixels, *palette_of(header))
    if photometric not in GREY:
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
    result = np.empty(samples.shape, np.uint8)
    for top in range(0, len(samples), _LINES_AT_ONCE):
        scaled = (samples[top : top + _LINES_AT_ONCE].astype(np.float64) - low) * (255.0 / (high - low))
        result[top : top + _LINES_AT_ONCE] = np.clip(np.rint(scaled), 0, 255)
    return result


_Table = dict[str, Any]  # what pydicom takes: `extended_offsets`, or nothing


def _fragments(path: Path, available: int) -> _Table:
    """Return where each frame lies and its length, of a file without a table of offsets and with a fragment a frame."""
    with path.open("rb") as stream:
        header = _go_to_pixels(stream)
        if parse_basic_offsets(stream) or all(name in header for name in _OFFSET_TABLES):
            return {}
        start = stream.tell()
        count, places = parse_fragments(stream)
        if count != available:
            return {}
        lengths = []
        for place in places:
            stream.seek(place + _ITEM_TAG)
            lengths.append(int.from_bytes(stream.read(4), "little"))
    return {"extended_offsets": ([place - start for place in places], lengths)}


def _codestreams(path: Path, frames: list[int], available: int, table: _Table) -> Iterator[bytes]:
    with path.open("rb") as stream:
        header = _go_to_pixels(stream)
        stored = [header[name].value for name in _OFFSET_TABLES if name in header]
        known: dict[str, Any] = {
            "number_of_frames": available,
            "extended_offsets": tuple(stored) if len(stored) == len(_OFFSET_TABLES) else None,
            **table,
        }
        if len(frames) == available:
            yield from islice(generate_frames(stream, **known), available)
            return
        start = stream.tell()
        for frame in frames:
            stream.seek(start)
            yield get_frame(stream, frame, **known)


def _go_to_pixels(stream: BinaryIO) -> FileDataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        header = pydicom.dcmread(stream, stop_before_pixels=True, specific_tags=list(_OFFSET_TABLES), force=True)
    stream.seek(_ELEMENT_HEADER, 1)
    return header


def _check_size(codestream: bytes, info: ClipInfo, syntax: UID) -> None:
    announced = announced_size(codestream)
    if announced is None:
        raise ValueError("no size is announced")  # cut short, or no such codestream
    if announced[:2] != (info.width, info.height):
        raise _OtherSizeError(f"announces {announced[:2]} pixels, the header {(info.width, info.height)}")
    ends = syntax in _JPEG_LS or codestream.startswith(_JPEG_2000_START)
    if ends and not codestream[-_END_WITHIN:].rstrip(b"\0").endswith(_END):
        # Cut short: the decoders would print it, or take very long to notice.
        raise ValueError("no end is marked")
    if announced.samples > _MOST_SAMPLES:
        raise _OtherSizeError(f"announces {announced.samples:,} samples a pixel")
