"""GIF, animated or not: counted block by block, drawn by Pillow.

- Frames are laid over each other as each one's disposal says; what stays transparent is black, as in stills.
- Always red, green and blue: a GIF has a palette.
- Times are the stored delays, in hundredths of a second. A delay of 0 says nothing, so such a file has no times
  (viewers then show ten frames a second, or as many as they can).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from isthmus.errors import PictureError
from isthmus.imaging.clip import ClipInfo, OpenClip
from isthmus.imaging.limits import Limits
from isthmus.imaging.stills import over_black, picture_decoder

_EXTENSION, _IMAGE, _TRAILER = b"\x21", b"\x2c", b"\x3b"
_GRAPHIC_CONTROL = b"\xf9"


@dataclass(frozen=True)
class _Gif:
    image: Image.Image
    info: ClipInfo

    def frames(self, wanted: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        for frame in wanted:
            with picture_decoder(Path(self.info.source)):
                self.image.seek(frame)
                pixels = over_black(np.asarray(self.image.convert("RGBA")))
            yield pixels


@contextmanager
def open_gif(path: Path, limits: Limits) -> Iterator[OpenClip]:
    """Open a GIF; its blocks are walked, no pixel is decoded before one is asked for."""
    with path.open("rb") as stream:
        info = _info(stream, str(path), limits)
    with picture_decoder(path):
        image = Image.open(path, formats=("GIF",))
    with image:
        yield _Gif(image, info)


def _info(stream: BinaryIO, where: str, limits: Limits) -> ClipInfo:
    width, height, table = _screen(stream, where)
    limits.check_header(where, width=width, height=height)
    stream.seek(table, 1)
    delays: list[int] = []
    delay = 0
    while (kind := _take(stream, 1, where)) != _TRAILER:
        if kind == _EXTENSION:
            if _take(stream, 1, where) == _GRAPHIC_CONTROL:
                # Size, flags, delay, transparent colour; the block's end is then skipped like any other.
                delay = int.from_bytes(_take(stream, 5, where)[2:4], "little")
            _skip_blocks(stream, where)
        elif kind == _IMAGE:
            _check_place(_take(stream, 8, where), width, height, len(delays), where)
            flags = _take(stream, 1, where)[0]
            stream.seek((3 << ((flags & 7) + 1) if flags & 0x80 else 0) + 1, 1)  # its palette, and the code size
            _skip_blocks(stream, where)
            delays.append(delay)
            delay = 0
            limits.check_header(where, width=width, height=height, frames=len(delays))
        else:
            raise PictureError("the GIF is damaged: a block of no known kind", where=where, hint="copy it again")
    times = [ticks / 100 for ticks in accumulate(delays, initial=0)]
    limits.check_header(where, width=width, height=height, frames=len(delays), seconds=times[-1])
    stated = all(delays) or len(delays) == 1
    return ClipInfo(
        source=where,
        format="gif",
        width=width,
        height=height,
        channels=3,
        frames=len(delays),
        frame_times_s=tuple(times[:-1]) if stated else None,
    )


def _screen(stream: BinaryIO, where: str) -> tuple[int, int, int]:
    header = _take(stream, 13, where)
    table = 3 << ((header[10] & 7) + 1) if header[10] & 0x80 else 0
    return int.from_bytes(header[6:8], "little"), int.from_bytes(header[8:10], "little"), table


def _check_place(place: bytes, width: int, height: int, frame: int, where: str) -> None:
    left, top, across, down = (int.from_bytes(place[start : start + 2], "little") for start in (0, 2, 4, 6))
    if left + across > width or top + down > height:
        # Decoders enlarge the picture for it, beyond what was checked against the limits.
        raise PictureError(
            f"frame {frame} ({across} x {down} pixels) leaves the GIF's {width} x {height} pixels", where=where
        )


def _skip_blocks(stream: BinaryIO, where: str) -> None:
    while size := _take(stream, 1, where)[0]:
        stream.seek(size, 1)


def _take(stream: BinaryIO, size: int, where: str) -> bytes:
    taken = stream.read(size)
    if len(taken) < size:
        raise PictureError("the GIF is cut short: its end is missing", where=where, hint="copy it again")
    return taken
