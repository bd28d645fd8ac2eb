"""DICOM files made to crash a reader or to fill its memory: none is larger than about a megabyte.

Each function writes one file; what it attacks is its name. ``benchmarks/hostile_files.py`` measures what they cost.
"""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLossless,
    JPEGLSLossless,
    RLELossless,
    UltrasoundImageStorage,
)

BASE = "1.2.826.0.1.3680043.8.498.1"
LYING = 60_000  # columns and lines that a codestream announces
BIG = 4096  # columns and lines that are really there, all black: 48 MB


def dataset(rows: int = 64, columns: int = 64, *, grey: bool = False, **elements: object) -> Dataset:
    """Return a header of an ultrasound picture."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.SOPClassUID, made.SOPInstanceUID = UltrasoundImageStorage, f"{BASE}.1"
    made.StudyInstanceUID, made.SeriesInstanceUID, made.Modality = f"{BASE}.2", f"{BASE}.3", "US"
    made.Rows, made.Columns, made.BitsAllocated, made.BitsStored, made.HighBit = rows, columns, 8, 8, 7
    made.SamplesPerPixel, made.PixelRepresentation = (1 if grey else 3), 0
    made.PhotometricInterpretation = "MONOCHROME2" if grey else "RGB"
    if not grey:
        made.PlanarConfiguration = 0
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def written(made: Dataset, path: Path, pixels: bytes, syntax: str = ExplicitVRLittleEndian) -> Path:
    """Write a data set with these pixels, encapsulated where the syntax says so."""
    made.file_meta.TransferSyntaxUID = syntax
    made.PixelData = encapsulate([pixels]) if syntax.is_encapsulated else pixels
    if syntax.is_encapsulated:
        made["PixelData"].is_undefined_length = True
    made["PixelData"].VR = "OB"
    made.save_as(path, enforce_file_format=True)
    return path


def picture(kind: str, side: int = 64, **options: object) -> bytes:
    """Return a black picture as Pillow encodes it."""
    stream = io.BytesIO()
    Image.new("RGB", (side, side)).save(stream, format=kind, **options)
    return stream.getvalue()


def deflate_bomb(path: Path, megabytes: int = 900) -> Path:
    """A private element of zeros without end, deflated a thousandfold."""
    made = dataset(grey=True)
    made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    made.PixelData = bytes(64 * 64)
    made["PixelData"].VR = "OB"
    made.save_as(path, enforce_file_format=True)
    content = path.read_bytes()
    meta = 132 + 12 + int.from_bytes(content[140:144], "little")
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    parts = [packer.compress(zlib.decompress(content[meta:], -zlib.MAX_WBITS))]
    parts += [packer.compress(struct.pack("<HH2sHI", 0x7FE1, 0x1010, b"OB", 0, megabytes * 2**20))]
    parts += [packer.compress(bytes(2**20)) for _ in range(megabytes)]
    path.write_bytes(content[:meta] + b"".join(parts) + packer.flush())
    return path


def _relabelled(codestream: bytes, at: int, size: int) -> bytes:
    return codestream[:at] + LYING.to_bytes(size, "big") * 2 + codestream[at + 2 * size :]


def jpeg_that_lies(path: Path) -> Path:
    """A JPEG of 60,000 x 60,000 in a header of 64 x 64."""
    frame = picture("JPEG")
    return written(dataset(), path, _relabelled(frame, frame.index(b"\xff\xc0") + 5, 2), JPEGBaseline8Bit)


def lossless_jpeg_that_lies(path: Path) -> Path:
    """The same in the syntax that another decoder takes."""
    frame = picture("JPEG")
    return written(dataset(), path, _relabelled(frame, frame.index(b"\xff\xc0") + 5, 2), JPEGLossless)


def jpeg_ls_that_lies(path: Path) -> Path:
    """A JPEG-LS frame of 60,000 x 60,000 in a header of 64 x 64."""
    made = dataset(grey=True)
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.PixelData = bytes(64 * 64)
    made.compress(JPEGLSLossless)
    frame = next(pydicom.encaps.generate_frames(made.PixelData, number_of_frames=1))
    return written(dataset(grey=True), path, _relabelled(frame, frame.index(b"\xff\xf7") + 5, 2), JPEGLSLossless)


def jpeg_2000_that_lies(path: Path) -> Path:
    """A JPEG 2000 codestream of 60,000 x 60,000 in a header of 64 x 64."""
    frame = picture("JPEG2000", no_jp2=True)
    return written(dataset(), path, _relabelled(frame, frame.index(b"\xff\x51") + 6, 4), JPEG2000Lossless)


def jpeg_2000_behind_a_decoy(path: Path) -> Path:
    """A JP2 file that shows an honest size in a box of comment, and another one in its codestream."""
    honest, lying = picture("JPEG2000", no_jp2=True), picture("JPEG2000", no_jp2=True)
    lying = _relabelled(lying, lying.index(b"\xff\x51") + 6, 4)
    whole = picture("JPEG2000")
    start = whole.index(b"jp2c") - 4
    decoy = (8 + len(honest)).to_bytes(4, "big") + b"uuid" + honest
    content = whole[:start] + decoy + (8 + len(lying)).to_bytes(4, "big") + b"jp2c" + lying
    return written(dataset(), path, content, JPEG2000)


def jpeg_2000_of_many_samples(path: Path) -> Path:
    """A JPEG 2000 codestream that announces 16,384 samples a pixel."""
    frame = picture("JPEG2000", no_jp2=True)
    at = frame.index(b"\xff\x51") + 38
    samples = 16_384
    grown = (38 + 3 * samples).to_bytes(2, "big")
    size = frame.index(b"\xff\x51") + 2
    content = frame[:size] + grown + frame[size + 2 : at] + samples.to_bytes(2, "big") + b"\x07\x01\x01" * samples
    return written(dataset(), path, content + frame[at + 11 :], JPEG2000)


def black_jpeg_2000(path: Path) -> Path:
    """4,096 x 4,096 black pixels, honestly announced, in a few kilobytes."""
    return written(dataset(BIG, BIG), path, picture("JPEG2000", BIG, no_jp2=True), JPEG2000Lossless)


def black_jpeg(path: Path) -> Path:
    """4,096 x 4,096 black pixels as JPEG."""
    made = dataset(BIG, BIG, PhotometricInterpretation="YBR_FULL_422")
    return written(made, path, picture("JPEG", BIG), JPEGBaseline8Bit)


def run_lengths(path: Path) -> Path:
    """The largest black colour frame that a megabyte of run lengths holds: 4,600 x 4,600."""
    side = 4600
    runs = b"\x81\x00" * (side * side // 128 + 1)
    offsets = [64 + number * len(runs) for number in range(3)]
    header = struct.pack("<16I", 3, *offsets, *([0] * 12))
    return written(dataset(side, side), path, header + runs * 3, RLELossless)


def run_lengths_that_lie(path: Path) -> Path:
    """Segments of run lengths that begin behind the end of the file, or in one another."""
    header = struct.pack("<16I", 3, 64, 2**31, 2**32 - 1, *([0] * 12))
    return written(dataset(), path, header + b"\x81\x00" * 64, RLELossless)


def many_segments_of_run_lengths(path: Path) -> Path:
    """A header that announces four thousand million segments."""
    return written(dataset(), path, struct.pack("<16I", 2**32 - 1, *([64] * 15)) + b"\x81\x00" * 64, RLELossless)


def sizes_that_overflow(path: Path) -> Path:
    """65,535 x 65,535 x 3 x 2,147,483,647 samples: beyond 2**63 in bits."""
    return written(dataset(65_535, 65_535, NumberOfFrames=str(2**31 - 1)), path, bytes(4096))


def a_frame_that_overflows(path: Path) -> Path:
    """65,535 x 32,768 samples of 64 bits: 2**34 bytes in one frame."""
    made = dataset(65_535, 32_768, grey=True, BitsAllocated=64, BitsStored=64, HighBit=63)
    return written(made, path, bytes(4096))


def frames_without_end(path: Path) -> Path:
    """10**18 frames."""
    return written(dataset(NumberOfFrames="1000000000000000000"), path, bytes(64 * 64 * 3))


def twenty_thousand_frames(path: Path) -> Path:
    """As many frames as the limits let through, announced of one."""
    frame = picture("JPEG")
    made = dataset(NumberOfFrames="20000", PhotometricInterpretation="YBR_FULL_422", FrameTime="40")
    return written(made, path, frame, JPEGBaseline8Bit)


def empty_fragments(path: Path) -> Path:
    """Thirty thousand empty fragments."""
    made = dataset(NumberOfFrames="2", PhotometricInterpretation="YBR_FULL_422")
    written(made, path, picture("JPEG"), JPEGBaseline8Bit)
    content = path.read_bytes()
    path.write_bytes(content[:-8] + b"\xfe\xff\x00\xe0\0\0\0\0" * 30_000 + content[-8:])
    return path


def _palette(path: Path, entries: int, plain: bytes | None, segmented: bytes | None = None, bits: int = 16) -> Path:
    made = dataset(grey=True, PhotometricInterpretation="PALETTE COLOR")
    for colour in ("Red", "Green", "Blue"):
        setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [entries, 0, bits])
        if plain is not None:
            setattr(made, f"{colour}PaletteColorLookupTableData", plain)
        if segmented is not None:
            setattr(made, f"Segmented{colour}PaletteColorLookupTableData", segmented)
    return written(made, path, bytes(range(64)) * 64)


def palette_of_none(path: Path) -> Path:
    """Descriptor 0, which means 65,536 entries, with four."""
    return _palette(path, 0, bytes(8))


def segmented_palette_bomb(path: Path) -> Path:
    """Three numbers of a segmented palette stand for 65,535 entries; here are 170,000 numbers a colour."""
    slopes = np.tile(np.array([1, 65_535, 7], np.uint16), 56_000)
    return _palette(path, 0, None, np.concatenate([np.array([0, 1, 0], np.uint16), slopes]).tobytes())


def segmented_palette_that_repeats_itself(path: Path) -> Path:
    """A segment that repeats the segment that repeats it."""
    return _palette(path, 0, None, np.array([0, 1, 0, 2, 65_535, 6, 0, 2, 65_535, 6, 0], np.uint16).tobytes())


def nested_sequences(path: Path, depth: int = 20_000) -> Path:
    """Ultrasound regions inside ultrasound regions, 20,000 deep, without lengths."""
    written(dataset(grey=True), path, bytes(64 * 64))
    content = path.read_bytes()
    opened = struct.pack("<HH2sHI", 0x0018, 0x6011, b"SQ", 0, 2**32 - 1) + struct.pack(
        "<HHI", 0xFFFE, 0xE000, 2**32 - 1
    )
    closed = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    place = content.index(struct.pack("<HH2s", 0x0020, 0x000D, b"UI"))
    path.write_bytes(content[:place] + opened * depth + closed * depth + content[place:])
    return path


def many_regions(path: Path) -> Path:
    """A hundred thousand ultrasound regions with nothing in them."""
    written(dataset(grey=True), path, bytes(64 * 64))
    content = path.read_bytes()
    items = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 100_000
    opened = struct.pack("<HH2sHI", 0x0018, 0x6011, b"SQ", 0, len(items))
    place = content.index(struct.pack("<HH2s", 0x0020, 0x000D, b"UI"))
    path.write_bytes(content[:place] + opened + items + content[place:])
    return path


def many_items(path: Path) -> Path:
    """A hundred thousand items without lengths in a sequence that nobody asked for."""
    written(dataset(grey=True), path, bytes(64 * 64))
    content = path.read_bytes()
    items = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 100_000
    opened = struct.pack("<HH2sHI", 0x0018, 0x6011, b"SQ", 0, 2**32 - 1).replace(b"\x18\0\x11", b"\x18\0\x12")
    place = content.index(struct.pack("<HH2s", 0x0020, 0x000D, b"UI"))
    closed = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    path.write_bytes(content[:place] + opened + items + closed + content[place:])
    return path


def numbers_that_are_none(path: Path) -> Path:
    """Frame times, rates and regions of NaN, infinity and a thousand digits."""
    made = dataset(grey=True)
    for tag, text in ((0x00181063, "1e400"), (0x00180040, "9" * 1000), (0x00280008, "nan"), (0x00281050, "inf\\x")):
        made.add_new(tag, "LO", text)
    written(made, path, bytes(64 * 64))
    content = path.read_bytes()
    for tag, text_type in ((0x00181063, b"DS"), (0x00180040, b"IS"), (0x00280008, b"IS"), (0x00281050, b"DS")):
        where = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
        content = content.replace(where + b"LO", where + text_type)
    path.write_bytes(content)
    return path


def path_tricks(path: Path) -> Path:
    """UIDs, names and a transfer syntax that are paths."""
    tricks = {"SOPInstanceUID": "../../../../tmp/x", "StudyInstanceUID": "/etc/passwd", "SeriesInstanceUID": "a\0b"}
    made = dataset(grey=True, PatientID="..\\..\\x", PatientName="%s%n{0.__class__}")
    written(made, path, bytes(64 * 64))
    read = pydicom.dcmread(path)
    for keyword, value in tricks.items():
        read.add_new(keyword, "LO", value)
    read.save_as(path)
    return path


HOSTILE: tuple[Callable[[Path], Path], ...] = (
    deflate_bomb, jpeg_that_lies, lossless_jpeg_that_lies, jpeg_ls_that_lies, jpeg_2000_that_lies,
    jpeg_2000_behind_a_decoy, jpeg_2000_of_many_samples, black_jpeg_2000, black_jpeg, run_lengths,
    run_lengths_that_lie, many_segments_of_run_lengths, sizes_that_overflow, a_frame_that_overflows,
    frames_without_end, twenty_thousand_frames, empty_fragments, palette_of_none, segmented_palette_bomb,
    segmented_palette_that_repeats_itself, nested_sequences, many_regions, many_items, numbers_that_are_none,
    path_tricks,
)  # fmt: skip
