"""The elements of a DICOM header that are asked for, and no others, in bounded time and memory.

No element that names a patient is loaded unless it is asked for, and no value of an element enters a message.
"""

import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom.dataset import FileDataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import DeflatedExplicitVRLittleEndian

from isthmus.errors import LimitError, PictureError
from isthmus.imaging.limits import Limits

_META_GROUP = 2
_ITEM, _ITEM_BIG_ENDIAN = b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00"
_MOST_ITEMS = 1000  # of a sequence that describes the pixels
_MOST_READS = 300_000  # an enhanced multi-frame header of 2,000 frames takes 120,000
_PREAMBLE = 132  # bytes, the letters DICM among them
_INFLATED_AT_ONCE = 2**20


def read_header(path: Path, limits: Limits, elements: Sequence[str]) -> FileDataset:
    """Return these elements of a DICOM file's header, and no others; no pixel is read.

    Raises
    ------
    PictureError
        When it is no DICOM file or its header is damaged; the message quotes no element.
    LimitError
        When the file is deflated and may unpack beyond the limit.
    """
    with warnings.catch_warnings():
        # pydicom warns of odd values by printing them, and a value may name a patient.
        warnings.simplefilter("ignore")
        try:
            syntax = pydicom.filereader.read_file_meta_info(path).get("TransferSyntaxUID")
            if syntax == DeflatedExplicitVRLittleEndian:
                _check_inflated(path, limits)
            with path.open("rb") as stream:
                header = pydicom.dcmread(
                    CountedReads(stream, path), stop_before_pixels=True, specific_tags=list(elements), force=True
                )
            _check_items(header, path)
            header.decode()
            header.file_meta.decode()  # else its values are converted, and warned of, when they are asked for
        except LimitError:
            raise
        except InvalidDicomError as error:
            raise PictureError(
                "this is not a DICOM file", where=str(path), expected="the letters DICM after 128 bytes"
            ) from error
        except Exception as error:
            # The text of a parser's error may quote an element; its kind says enough.
            raise PictureError(
                f"the DICOM header is damaged ({type(error).__name__})",
                where=str(path),
                hint="send it again from the archive",
            ) from None
    return header


def _check_inflated(path: Path, limits: Limits) -> None:
    """Refuse a deflated file that would become far larger, before pydicom inflates it whole."""
    largest, inflated, items = limits.largest_of(path.stat().st_size), 0, 0
    with path.open("rb") as stream:
        stream.seek(_PREAMBLE)
        read_dataset(stream, False, True, stop_when=lambda tag, vr, length: tag.group != _META_GROUP)
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        waiting = stream.read(_INFLATED_AT_ONCE)
        while waiting and not unpacker.eof and inflated <= largest:
            part = unpacker.decompress(waiting, _INFLATED_AT_ONCE)
            inflated, items = inflated + len(part), items + part.count(_ITEM)
            waiting = unpacker.unconsumed_tail or stream.read(_INFLATED_AT_ONCE)
    if inflated > largest:
        raise LimitError(
            f"the deflated file would take more than {largest:,} bytes",
            where=str(path),
            expected=f"at most {limits.expansion} times its own",
            hint="send it as Explicit VR Little Endian, if it is a scanner's",
        )
    if items > _MOST_READS:
        raise _too_many("items of sequences", path)


class CountedReads:
    """A file that is read in a bounded number of steps: a header of a million empty items would take pydicom minutes.

    Parameters
    ----------
    stream : BinaryIO
        The file.
    path : Path
        For the message.
    """

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self._stream, self._path, self._reads = stream, path, 0
        self.seek, self.tell, self.name = stream.seek, stream.tell, str(path)

    def read(self, size: int = -1) -> bytes:
        """Read as the file does.

        Raises
        ------
        LimitError
            When the header holds more elements than any scanner writes.
        """
        self._reads += 1
        if self._reads > _MOST_READS:
            raise _too_many("elements", self._path)
        return self._stream.read(size)


def _check_items(header: FileDataset, path: Path) -> None:
    for tag in header.keys():  # noqa: SIM118  (the values would be converted)
        value = header.get_item(tag).value
        if isinstance(value, bytes) and header.get_item(tag).VR in ("SQ", None):
            items = max(value.count(_ITEM), value.count(_ITEM_BIG_ENDIAN))
        else:
            items = len(value) if isinstance(value, Items) else 0
        if items > _MOST_ITEMS:
            raise _too_many("items in one sequence", path)


def _too_many(what: str, path: Path) -> LimitError:
    return LimitError(
        f"its header holds more {what} than a scanner writes", where=str(path), hint="send it again from the archive"
    )
