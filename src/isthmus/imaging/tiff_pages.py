"""How many pages a TIFF has, from its chain of directories alone: Pillow would set up a decoder for each."""

import struct
from pathlib import Path

from isthmus.errors import LimitError, PictureError

_BYTE_ORDER = {b"II": "<", b"MM": ">"}
_BIG_TIFF = 43
_CLASSIC_ENTRY, _BIG_ENTRY = 12, 20


def count_pages(path: Path, limit: int) -> int:
    """Count the pages of a TIFF.

    Parameters
    ----------
    path : Path
        A file that begins as a TIFF does (TIFF 6.0, section 2; BigTIFF as of libtiff 4).
    limit : int
        Counting stops beyond it: directories are small, so a file may hold millions, and their chain may be a ring.

    Raises
    ------
    LimitError
        When there are more.
    PictureError
        When a directory lies outside the file.
    """
    pages = 0
    with path.open("rb") as stream:
        order = _BYTE_ORDER[stream.read(2)]
        big = struct.unpack(order + "H", stream.read(2))[0] == _BIG_TIFF
        number, offset = struct.Struct(order + ("Q" if big else "H")), struct.Struct(order + ("Q" if big else "I"))
        entry = _BIG_ENTRY if big else _CLASSIC_ENTRY
        stream.seek(8 if big else 4)
        try:
            while place := offset.unpack(stream.read(offset.size))[0]:
                pages += 1
                if pages > limit:
                    raise LimitError(f"it has more than {limit:,} frames", where=str(path), hint="leave it out")
                stream.seek(place)
                stream.seek(place + number.size + entry * number.unpack(stream.read(number.size))[0])
        except (struct.error, OverflowError, OSError) as error:
            raise PictureError(
                f"the picture is damaged or cut short: the directory of page {pages} is not in it",
                where=str(path),
                hint="copy it again from its source",
            ) from error
    return pages
