"""NumPy's ``.npy``: grey ``[T, H, W]`` or ``[T, H, W, C]``, memory-mapped, so that only the frames asked for are read.

Samples of other types than ``uint8`` are refused, because nothing in the file says which value is white; so are objects
(a pickle may run code) and ``.npz``.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import PictureError
from isthmus.imaging.clip import ClipInfo, OpenClip
from isthmus.imaging.limits import Limits

_EXPECTED = "uint8 [T, H, W] or [T, H, W, C] with C 1 or 3"
_NARROWEST = 5
"""A [T, H, W] narrower than this is taken for an [H, W, C] whose frames are not counted, and refused."""


@dataclass(frozen=True)
class _NumpyClip:
    array: NDArray[np.uint8]
    info: ClipInfo

    def frames(self, wanted: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        shape = (self.info.height, self.info.width, self.info.channels)
        for frame in wanted:
            yield np.array(self.array[frame]).reshape(shape)


@contextmanager
def open_numpy(path: Path, limits: Limits) -> Iterator[OpenClip]:
    """Open an ``.npy`` file; its header is checked against the limits and the file's size before it is mapped."""
    shape, kind, start = _header(path)
    # Python's whole numbers do not overflow, so a shape that lies about its size is seen.
    announced, there = math.prod(shape) * kind.itemsize, path.stat().st_size - start
    if kind != np.uint8 or len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] not in (1, 3)):
        raise PictureError(f"the array is {kind} {list(shape)}", where=str(path), expected=_EXPECTED)
    if len(shape) == 3 and shape[2] < _NARROWEST:
        raise PictureError(
            f"the array's shape {list(shape)} could be one colour picture or {shape[0]} narrow frames",
            where=str(path),
            expected=_EXPECTED,
            hint="save one picture as [1, H, W, C]",
        )
    channels = shape[3] if len(shape) == 4 else 1
    limits.check_header(str(path), width=shape[2], height=shape[1], frames=shape[0])
    if announced != there:
        raise PictureError(
            f"its header announces {announced:,} bytes of samples and {there:,} are there",
            where=str(path),
            hint="copy it again from its source",
        )
    info = ClipInfo(source=str(path), format="npy", width=shape[2], height=shape[1], channels=channels, frames=shape[0])
    yield _NumpyClip(np.load(path, mmap_mode="r", allow_pickle=False), info)


def _header(path: Path) -> tuple[tuple[int, ...], np.dtype[np.generic], int]:
    try:
        with path.open("rb") as stream:
            version = np.lib.format.read_magic(stream)
            read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
            shape, _, kind = read(stream)
            return shape, kind, stream.tell()
    except (ValueError, KeyError, SyntaxError, TypeError) as error:
        # NumPy's own text may quote the header; its kind says enough.
        raise PictureError(
            f"the NumPy header is damaged ({type(error).__name__})", where=str(path), expected=_EXPECTED
        ) from None
