"""Films of overlays: MP4 that every browser plays, and GIF for slides and mail; no text of the source is in them."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError
from isthmus.explain.legend import Colours
from isthmus.explain.overlay import to_png
from isthmus.files import atomic_path

SLOWEST, FASTEST = Fraction(2), Fraction(12)
"""Frames a second: slower is a slide show, faster lets nobody compare a frame with its heat."""

_UNKNOWN: Final = Fraction(5)
_QUALITY: Final = "24"
_COLOURS: Final = 255


def playing_rate(frames: NDArray[np.int64], rate_hz: float | None) -> tuple[Fraction, str]:
    """Return the frames a second at which seen frames are played, and how that goes with the recording, in words.

    Parameters
    ----------
    frames : ndarray of int64, shape [T]
        Their numbers in the recording, ascending.
    rate_hz : float or None
        Frames a second of the recording, where that is known.

    Examples
    --------
    >>> playing_rate(np.array([0, 4, 8, 12]), 20.0)
    (Fraction(5, 1), 'at the speed of the recording')
    >>> playing_rate(np.array([0, 1, 2, 3]), 48.0)
    (Fraction(12, 1), '4.0 times slower than the recording')
    """
    steps = np.diff(frames)
    step = float(steps.mean()) if steps.size else 0.0
    if rate_hz is None or not np.isfinite(rate_hz) or rate_hz <= 0 or step <= 0:
        return _UNKNOWN, f"at {_UNKNOWN} frames a second, not the speed of the recording"
    true = Fraction(rate_hz / step).limit_denominator(100)
    rate = min(max(true, SLOWEST), FASTEST)
    ratio = float(true / rate)
    if abs(ratio - 1) < 0.05:
        return rate, "at the speed of the recording"
    return rate, f"{max(ratio, 1 / ratio):.1f} times {'slower' if ratio > 1 else 'faster'} than the recording"


def write_mp4(frames: Sequence[Colours], path: Path, rate: Fraction) -> None:
    """Write pictures of one size as H.264 in an MP4 whose index comes first, so that playing starts at once.

    Parameters
    ----------
    frames : sequence of ndarray of uint8, shape [H, W, 3]
        At least one; odd sizes get a white line more, since the chroma of yuv420p needs even ones.
    path : Path
        Where to; the same frames give the same bytes.
    rate : Fraction
        Frames a second.

    Raises
    ------
    InputError
        When there is no frame, or they differ in size.
    OutputError
        When the disk is full, read-only or not ours.
    """
    import av

    height, width = _size(frames)
    below, right = height % 2, width % 2
    with (
        atomic_path(path) as temporary,
        av.open(str(temporary), "w", format="mp4", options={"movflags": "+faststart", "fflags": "+bitexact"}) as film,
    ):
        # Without its macroblock tree, which in small pictures reads memory that nobody wrote: other bytes each time.
        options = {"crf": _QUALITY, "preset": "fast", "x264-params": "mbtree=0"}
        stream = film.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = width + right, height + below, "yuv420p"
        stream.codec_context.thread_count = 1  # several threads cut the picture differently on each machine
        for frame in frames:
            even = np.pad(frame, ((0, below), (0, right), (0, 0)), constant_values=255)
            film.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        film.mux(stream.encode(None))


def write_gif(frames: Sequence[Colours], path: Path, rate: Fraction) -> None:
    """Write pictures of one size as an endless GIF; parameters and errors as for :func:`write_mp4`."""
    from PIL import Image

    _size(frames)
    # No dithering: it would add specks to pictures in which specks mean something.
    octree, plain = Image.Quantize.FASTOCTREE, Image.Dither.NONE
    pictures = [to_png(frame).quantize(_COLOURS, method=octree, dither=plain) for frame in frames]
    with atomic_path(path) as temporary:
        pictures[0].save(
            temporary, format="GIF", save_all=True, append_images=pictures[1:], duration=round(100 / rate) * 10, loop=0,
        )  # fmt: skip


def _size(frames: Sequence[Colours]) -> tuple[int, int]:
    sizes = {frame.shape[:2] for frame in frames}
    if len(sizes) != 1:
        raise InputError(f"a film of {len(frames)} pictures in {len(sizes)} sizes", expected="pictures of one size")
    height, width = next(iter(sizes))
    return height, width
