"""The size that a JPEG, JPEG-LS or JPEG 2000 codestream announces, read from its first markers.

A decoder makes room for what the codestream says, whatever the file around it says.
"""

_FRAME_HEADERS = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
"""SOF0 … SOF15 (ISO/IEC 10918-1, table B.1) and JPEG-LS's SOF55; C4, C8 and CC are other markers."""

_SIZ = b"\xff\x4f\xff\x51"
"""JPEG 2000's start marker and the SIZ marker that must follow it (ISO/IEC 15444-1, A.4.1 and A.5.1)."""

_FARTHEST_SIZ = 4096


def announced_size(codestream: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels, or None where the bytes do not say.

    Parameters
    ----------
    codestream : bytes
        One compressed frame from its beginning; JPEG 2000 also inside a JP2 file.

    Returns
    -------
    tuple of int or None

    Examples
    --------
    >>> announced_size(bytes.fromhex("ffd8 ffc0 000b 08 0168 0230 01 011100"))
    (560, 360)
    """
    start = codestream.find(_SIZ, 0, _FARTHEST_SIZ)
    if start >= 0:
        x1, y1, x0, y0 = (
            int.from_bytes(codestream[place : place + 4], "big") for place in range(start + 8, start + 24, 4)
        )
        return x1 - x0, y1 - y0
    place = 2
    while place + 9 <= len(codestream) and codestream[place] == 0xFF:
        marker = codestream[place + 1]
        if marker in _FRAME_HEADERS:
            height, width = (int.from_bytes(codestream[at : at + 2], "big") for at in (place + 5, place + 7))
            return width, height
        # A fill byte stands alone; every other marker before the frame header states its length.
        place += 1 if marker == 0xFF else 2 + int.from_bytes(codestream[place + 2 : place + 4], "big")
    return None
