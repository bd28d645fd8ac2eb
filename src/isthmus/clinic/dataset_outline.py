"""Whether an encoded data set is whole, and which object it says it is, without reading any of its values.

What arrives from a network is walked before it is acknowledged: element by element, by their lengths alone (PS3.5
section 7), so that neither memory nor time depends on what a length or a nesting claims. Values are never decoded but
for four identifiers.
"""

import os
import re
import struct
from dataclasses import dataclass
from typing import BinaryIO, Final

IMPLICIT_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2"
UID_PATTERN: Final = re.compile(r"(?=.{1,64}$)[0-9]+(\.[0-9]+)*")

_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)
_LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"))
_DEEPEST = 16
_MOST_ELEMENTS = 200_000  # a cine in single fragments has one for each of its at most 20,000 frames
_WANTED = {
    (0x0008, 0x0016): "sop_class", (0x0008, 0x0018): "sop_instance", (0x0020, 0x000D): "study",
    (0x0020, 0x000E): "series",
}  # fmt: skip


class DamagedDataSet(Exception):  # noqa: N818  (what it is)
    """A data set that ends early, nests without end, or lacks an identifier; says which, and quotes nothing."""


@dataclass(frozen=True)
class Outline:
    """Which object a data set says it is: its class, itself, its study and series."""

    sop_class: str
    sop_instance: str
    study: str
    series: str


def outline_of(stream: BinaryIO, transfer_syntax: str) -> Outline:
    """Walk a data set from the stream's position to its end.

    Raises
    ------
    DamagedDataSet
        When it is not whole, or does not say which object it is.
    """
    walk = _Walk(stream, implicit=transfer_syntax == IMPLICIT_LITTLE_ENDIAN)
    walk.elements(walk.implicit, depth=0)
    for name in _WANTED.values():
        if name not in walk.found:
            raise DamagedDataSet(f"the data set has no {name.replace('_', ' ')} UID")
        if not UID_PATTERN.fullmatch(walk.found[name]):
            raise DamagedDataSet(f"the data set's {name.replace('_', ' ')} UID is no UID")
    return Outline(**walk.found)


class _Walk:
    def __init__(self, stream: BinaryIO, *, implicit: bool) -> None:
        self._stream = stream
        self._at = stream.tell()
        self._end = os.fstat(stream.fileno()).st_size
        self._count = 0
        self.implicit = implicit
        self.found: dict[str, str] = {}

    def elements(self, implicit: bool, depth: int) -> None:
        """Walk the elements of a data set, or of an item of undefined length up to its end."""
        while depth or not self._at_the_end():
            tag = self._tag()
            if tag == _ITEM_END and depth:
                self._skip(4)
                return
            representation, length = (b"", self._number()) if implicit else self._explicit_length()
            if length == _UNDEFINED:
                self._items(implicit or representation == b"UN", depth + 1)
            elif depth == 0 and tag in _WANTED and length <= 66:
                self.found[_WANTED[tag]] = self._read(length).rstrip(b"\0 ").decode("ascii", "replace")
            else:
                self._skip(length)

    def _items(self, implicit: bool, depth: int) -> None:
        # Of a sequence, or the fragments of encapsulated pixel data, which have defined lengths.
        if depth > _DEEPEST:
            raise DamagedDataSet(f"sequences are nested more than {_DEEPEST} deep")
        while (tag := self._tag()) != _SEQUENCE_END:
            if tag != _ITEM:
                raise DamagedDataSet("a sequence holds something that is no item")
            length = self._number()
            if length == _UNDEFINED:
                self.elements(implicit, depth)
            else:
                self._skip(length)
        self._skip(4)

    def _at_the_end(self) -> bool:
        left = self._end - self._at
        return left == 0 or (left < 8 and not self._stream.read(left).strip(b"\0"))

    def _tag(self) -> tuple[int, int]:
        self._count += 1
        if self._count > _MOST_ELEMENTS:
            raise DamagedDataSet(f"the data set has more than {_MOST_ELEMENTS:,} elements")
        group, element = struct.unpack("<HH", self._read(4))
        return group, element

    def _explicit_length(self) -> tuple[bytes, int]:
        representation = self._read(2)
        if representation in _LONG:
            self._skip(2)
            return representation, self._number()
        if not representation.isalpha():
            raise DamagedDataSet("an element has no value representation")
        (length,) = struct.unpack("<H", self._read(2))
        return representation, length

    def _number(self) -> int:
        (number,) = struct.unpack("<L", self._read(4))
        return int(number)

    def _read(self, count: int) -> bytes:
        found = self._stream.read(count)
        self._at += len(found)
        if len(found) < count:
            raise DamagedDataSet("the data set ends in the middle of an element")
        return found

    def _skip(self, count: int) -> None:
        self._at += count
        if self._at > self._end:
            raise DamagedDataSet("the data set ends in the middle of an element")
        if count:
            self._stream.seek(self._at)
