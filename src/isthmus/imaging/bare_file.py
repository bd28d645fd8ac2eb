"""Whether a picture file holds its pixels and nothing else: no comment, no camera's notes, nothing after its end."""

from pathlib import Path
from typing import Final

_JPEG_SEGMENTS: Final = {*range(0xC0, 0xD0), 0xDB, 0xDD}  # frames, tables, restart interval
_JPEG_APPLICATION: Final = {0xE0: b"JFIF\0", 0xEE: b"Adobe"}
_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNKS: Final = {b"IHDR", b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"sBIT", b"bKGD", b"IDAT", b"IEND"}


def is_bare(path: Path) -> bool:
    """Return whether a JPEG or PNG can be copied as it is without telling more than its pixels; others are not."""
    content = path.read_bytes()
    if content.startswith(b"\xff\xd8"):
        return _bare_jpeg(content)
    return content.startswith(_PNG_SIGNATURE) and _bare_png(content)


def _bare_jpeg(content: bytes) -> bool:
    place = 2
    while place + 4 <= len(content) and content[place] == 0xFF:
        marker, length = content[place + 1], int.from_bytes(content[place + 2 : place + 4], "big")
        start = content[place + 4 : place + 2 + length]
        if marker == 0xDA:
            # One scan and its end; a progressive picture has more, with tables between them.
            end = content.find(b"\xff\xd9", place)
            return end == len(content) - 2 and b"\xff\xfe" not in content[place:] and not _applications(content[place:])
        known = marker in _JPEG_SEGMENTS or start.startswith(_JPEG_APPLICATION.get(marker, b"\0none"))
        if not known or (marker == 0xE0 and length > 16):
            return False
        place += 2 + length
    return False


def _applications(scan: bytes) -> bool:
    return any(bytes([0xFF, marker]) in scan for marker in range(0xE0, 0xF0))


def _bare_png(content: bytes) -> bool:
    place = len(_PNG_SIGNATURE)
    while place + 12 <= len(content):
        length, kind = int.from_bytes(content[place : place + 4], "big"), content[place + 4 : place + 8]
        if kind not in _PNG_CHUNKS:
            return False
        place += 12 + length
        if kind == b"IEND":
            return place == len(content)
    return False
