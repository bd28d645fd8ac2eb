"""Videos for tests: encoded by PyAV, or AVI files written byte by byte so that one thing in them can be wrong."""

import io
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .speckle import speckle

WIDTH, HEIGHT = 64, 48
STORED = Path(__file__).parent / "files"
"""Videos whose encoder is not trusted inside the tests; see the README beside them."""


def moving(frames: int) -> list[NDArray[np.uint8]]:
    """Return colour frames [48, 64, 3] of speckle that moves, so that each differs from all others."""
    still = speckle(HEIGHT, WIDTH, seed=1, brightness=90.0)
    tint = np.array([1.0, 0.8, 0.6])
    return [(np.roll(still, 7 * number, axis=1)[..., None] * tint).astype(np.uint8) for number in range(frames)]


def encode(
    path: Path,
    codec: str,
    layout: str = "yuv420p",
    frames: int = 30,
    *,
    gop: int = 10,
    b_frames: int = 0,
    options: dict[str, str] | None = None,
    container: str | None = None,
    container_options: dict[str, str] | None = None,
    milliseconds: list[int] | None = None,
    title: str | None = None,
) -> Path:
    """Write ``moving(frames)`` at 25 frames a second, or at the times given."""
    with av.open(str(path), "w", format=container, options=container_options or {}) as output:
        if title is not None:
            output.metadata["title"] = title
        stream = output.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, layout
        stream.codec_context.gop_size = gop
        if b_frames:
            stream.codec_context.max_b_frames = b_frames
        if milliseconds:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number, pixels in enumerate(moving(frames)):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            if milliseconds:
                frame.pts, frame.time_base = milliseconds[number], Fraction(1, 1000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def in_order(path: Path) -> NDArray[np.uint8]:
    """Return every frame [T, H, W, 3], decoded from the first to the last without a seek."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def jpeg(pixels: NDArray[np.uint8]) -> bytes:
    stored = io.BytesIO()
    Image.fromarray(pixels).save(stored, format="JPEG")
    return stored.getvalue()


def write_avi(
    path: Path,
    chunks: list[bytes],
    *,
    announced: int | None = None,
    codec: bytes = b"MJPG",
    bits: int = 24,
    palette: bytes = b"",
    size: tuple[int, int] = (WIDTH, HEIGHT),
    riff_size: int | None = None,
    index: bool = True,
) -> Path:
    """Write an AVI of 25 frames a second (Microsoft, "AVI RIFF File Reference") with these frames in it."""
    (width, height), count = size, len(chunks) if announced is None else announced
    header = _chunk(b"avih", struct.pack("<14I", 40_000, 0, 0, 0x10, count, 0, 1, 0, width, height, 0, 0, 0, 0))
    kind = struct.pack(
        "<4s4sIHHIIIIIIIIHHHH", b"vids", codec, 0, 0, 0, 0, 1, 25, 0, count, 0, 0, 0, 0, 0, width, height
    )
    form = struct.pack("<IiiHH4sIIIII", 40, width, height, 1, bits, codec, 0, 0, 0, len(palette) // 4, 0) + palette
    header += _chunk(b"LIST", b"strl" + _chunk(b"strh", kind) + _chunk(b"strf", form))
    frames, entries = b"movi", b""
    for data in chunks:
        entries += struct.pack("<4sIII", b"00dc", 0x10, len(frames), len(data))
        frames += _chunk(b"00dc", data)
    body = b"AVI " + _chunk(b"LIST", b"hdrl" + header) + _chunk(b"LIST", frames)
    body += _chunk(b"idx1", entries) if index else b""
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body) if riff_size is None else riff_size) + body)
    return path


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
