"""What a JPEG, JPEG-LS or JPEG 2000 codestream announces of its size, read from its first markers.

A decoder makes room for what the codestream says, whatever the file around it says.
"""

from typing import Final, NamedTuple

_FRAME_HEADERS: Final = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
"""SOF0 … SOF15 (ISO/IEC 10918-1, table B.1) and JPEG-LS's SOF55; C4, C8 and CC are other markers."""

_SIZ: Final = b"\xff\x4f\xff\x51"
"""JPEG 2000's start marker and the SIZ marker that must follow it (ISO/IEC 15444-1, A.4.1 and A.5.1)."""

_JP2: Final = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
"""The box that a JP2 file begins with (ISO/IEC 15444-1, I.5.1); the codestream stands in its box ``jp2c``."""

_MOST_BOXES: Final = 64
_SIZ_BYTES: Final = 42


class Announced(NamedTuple):
    """Columns, lines and samples a pixel that a codestream announces."""

    width: int
    height: int
    samples: int


def announced_size(codestream: bytes) -> Announced | None:
    """Return what a codestream announces, or None where the bytes do not say.

    Parameters
    ----------
    codestream : bytes
        One compressed frame from its beginning; JPEG 2000 also inside a JP2 file.

    Returns
    -------
    Announced or None

    Examples
    --------
    >>> announced_size(bytes.fromhex("ffd8 ffc0 000b 08 0168 0230 01 011100"))
    Announced(width=560, height=360, samples=1)
    """
    start = _jp2_codestream(codestream) if codestream.startswith(_JP2) else 0
    if start is None or codestream.startswith(_SIZ, start):
        return None if start is None else _jpeg_2000(codestream[start : start + _SIZ_BYTES])
    return _jpeg(codestream) if codestream.startswith(b"\xff\xd8") else None


def _jpeg_2000(head: bytes) -> Announced | None:
    if len(head) < _SIZ_BYTES:
        return None
    x1, y1, x0, y0 = (int.from_bytes(head[place : place + 4], "big") for place in range(8, 24, 4))
    return Announced(x1 - x0, y1 - y0, int.from_bytes(head[40:42], "big"))


def _jp2_codestream(content: bytes) -> int | None:
    place = 0
    for _ in range(_MOST_BOXES):
        length, kind = int.from_bytes(content[place : place + 4], "big"), content[place + 4 : place + 8]
        head = 16 if length == 1 else 8  # 1: the length follows in eight bytes
        if kind == b"jp2c":
            return place + head
        if length == 1:
            length = int.from_bytes(content[place + 8 : place + 16], "big")
        if length < head:  # 0: it reaches to the end, and is no codestream
            return None
        place += length
    return None


def _jpeg(codestream: bytes) -> Announced | None:
    place = 2
    while place + 10 <= len(codestream) and codestream[place] == 0xFF:
        marker = codestream[place + 1]
        if marker in _FRAME_HEADERS:
            height, width = (int.from_bytes(codestream[at : at + 2], "big") for at in (place + 5, place + 7))
            return Announced(width, height, codestream[place + 9])
        # A fill byte stands alone; every other marker before the frame header states its length.
        place += 1 if marker == 0xFF else 2 + int.from_bytes(codestream[place + 2 : place + 4], "big")
    return None
