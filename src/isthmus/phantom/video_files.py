"""Clips as the video files that scanners export: Motion-JPEG in AVI, H.264 in MP4; the same frames, the same bytes."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError
from isthmus.files import atomic_path

if TYPE_CHECKING:
    from av.video.stream import VideoStream

_FULL_RANGE, _LIMITED_RANGE = 2, 1  # AVCOL_RANGE_JPEG, AVCOL_RANGE_MPEG
_BT601 = 6  # AVCOL_SPC_SMPTE170M: what decoders assume where nothing is written
_LARGEST_RATE_PART = 1001  # 30000/1001 and the like stay exact


@dataclass(frozen=True)
class _Encoding:
    container: str
    codec: str
    range: int
    options: dict[str, str]


# One thread and no version strings, so that the bytes do not depend on the machine's cores. The qualities are those
# of a scanner's export: JPEG quantiser 3 of 31, H.264 constant rate factor 18.
ENCODINGS: Final = {
    "avi": _Encoding("avi", "mjpeg", _FULL_RANGE, {"qmin": "3", "qmax": "3", "threads": "1"}),
    "mp4": _Encoding("mp4", "libx264", _LIMITED_RANGE, {"crf": "18", "preset": "veryfast", "threads": "1"}),
}


def write_video(path: Path, frames: Iterable[NDArray[np.uint8]], *, rate_hz: float, kind: str) -> None:
    """Write a clip; frames are taken one at a time.

    Parameters
    ----------
    path : Path
        Written atomically.
    frames : iterable of uint8 array [H, W, C]
        All of one even height and width; C is 1 or 3.
    rate_hz : float
        Frames a second.
    kind : str
        ``avi`` or ``mp4``.

    Raises
    ------
    InputError
        When a side is odd: both codecs halve the colour planes.
    OutputError
        When the disk is full, read-only or not ours.
    """
    import av
    from av.video.reformatter import Colorspace, VideoReformatter

    encoding = ENCODINGS[kind]
    # A frame's own conversion would start a pool of threads anew for each frame.
    converter = VideoReformatter()
    rate = Fraction(rate_hz).limit_denominator(_LARGEST_RATE_PART)
    with (
        atomic_path(path) as temporary,
        av.open(str(temporary), "w", format=encoding.container, options={"fflags": "+bitexact"}) as container,
    ):
        stream = None
        for number, pixels in enumerate(frames):
            if stream is None:
                height, width = pixels.shape[:2]
                if height % 2 or width % 2:
                    raise InputError(f"a frame has {width} x {height} pixels", where=str(path), expected="even sides")
                stream = cast("VideoStream", container.add_stream(encoding.codec, rate, dict(encoding.options)))
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
                stream.codec_context.color_range = encoding.range
                stream.codec_context.colorspace = _BT601
                stream.codec_context.flags |= av.codec.context.Flags.bitexact
                stream.codec_context.time_base = 1 / rate
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3))))
            frame = converter.reformat(
                frame, format="yuv420p", dst_colorspace=Colorspace.ITU601, dst_color_range=encoding.range, threads=1
            )
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
        if stream is None:
            raise InputError("a clip without frames cannot be written", where=str(path))
        container.mux(stream.encode())
