"""From palette indices to red, green and blue: the DICOM Palette Color Lookup Tables (PS3.3 C.7.6.3.1.5, C.7.9).

Segmented tables are expanded to as many entries as their descriptor announces and no more: three numbers of such a
table may stand for 65,535 entries, and one may repeat others.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

_COLOURS: Final = ("Red", "Green", "Blue")
_MOST_ENTRIES: Final = 2**16  # what 0 in a descriptor means: the standard's own bound
_DISCRETE, _LINEAR, _INDIRECT = range(3)


class PaletteError(ValueError):
    """A palette that contradicts itself, in words that quote no element."""


def palette_of(header: Dataset) -> tuple[NDArray[np.uint8], int]:
    """Return a header's palette as 8-bit colours [N, 3], and the pixel value of its first entry.

    Raises
    ------
    PaletteError
        When tables are absent, of different lengths, or shorter than their descriptor says.
    """
    order = ">" if header.original_encoding[1] is False else "<"
    columns = []
    for colour in _COLOURS:
        name = f"{colour}PaletteColorLookupTable"
        descriptor, data = header.get(f"{name}Descriptor"), header.get(f"{name}Data")
        if descriptor is None or len(descriptor) != 3:
            raise PaletteError("its palette has no descriptor")
        entries, bits = int(descriptor[0]) % _MOST_ENTRIES or _MOST_ENTRIES, int(descriptor[2])
        if isinstance(data, bytes):
            table = _plain(data, bits, entries, order)
        else:
            table = _expanded(header.get(f"Segmented{name}Data"), bits, entries, order)
        if len(table) < entries:
            raise PaletteError("its palette is shorter than its descriptor says")
        columns.append(table)
    if len({len(column) for column in columns}) > 1:
        raise PaletteError("its palette's red, green and blue have different lengths")
    first = header[f"{_COLOURS[0]}PaletteColorLookupTableDescriptor"].value[1]
    return np.stack(columns, axis=1), int(first)


def coloured(indices: NDArray[Any], palette: NDArray[np.uint8], first: int) -> NDArray[np.uint8]:
    """Return the colours [H, W, 3] of palette indices [H, W]; what lies outside the palette takes its nearest end."""
    result: NDArray[np.uint8] = palette[np.clip(indices.astype(np.int32) - first, 0, len(palette) - 1)]
    return result


def _plain(data: bytes, bits: int, entries: int, order: str) -> NDArray[np.uint8]:
    # Entries of 8 bits may be stored in 16, and entries of 16 announced as 8: the number of bytes tells.
    if len(data) < 2 * entries:
        return np.frombuffer(data[:entries], np.uint8)
    samples = np.frombuffer(data[: 2 * entries], f"{order}u2")
    return np.minimum(samples, 255).astype(np.uint8) if bits == 8 and samples.max() < 256 else _eight_bits(samples)


def _eight_bits(samples: NDArray[Any]) -> NDArray[np.uint8]:
    return np.rint(samples * (255 / 65535)).astype(np.uint8)


def _expanded(data: Any, bits: int, entries: int, order: str) -> NDArray[np.uint8]:
    if not isinstance(data, bytes) or bits not in (8, 16):
        raise PaletteError("its palette has no table of 8 or 16 bits")
    wide = bits == 16
    numbers = np.frombuffer(data[: len(data) // 2 * 2], f"{order}u2") if wide else np.frombuffer(data, np.uint8)
    table, filled = np.zeros(entries, np.uint16), 0
    for kind, length, place in _segments(numbers, wide):
        length = min(length, entries - filled)
        found: NDArray[Any] = numbers[place : place + length]
        if kind == _LINEAR:
            if not filled:
                raise PaletteError("its segmented palette begins with a slope")
            found = np.rint(np.linspace(float(table[filled - 1]), float(numbers[place]), length + 1)[1:])
        table[filled : filled + len(found)] = found
        filled += len(found)
        if filled >= entries:
            break
    return (_eight_bits(table) if wide else table.astype(np.uint8))[:filled]


def _segments(numbers: NDArray[Any], wide: bool) -> Iterator[tuple[int, int, int]]:
    """Yield each segment's kind, length and where its numbers begin; those that are repeated as well (C.7.9.2.3)."""
    place, words = 0, 2 if wide else 4
    while place + 2 < len(numbers):
        kind, length = int(numbers[place]), int(numbers[place + 1])
        if kind == _INDIRECT and place + 2 + words <= len(numbers):
            # The least significant part first, in bytes.
            parts = numbers[place + 2 : place + 2 + words].tolist()
            offset = sum(part << ((16 if wide else 8) * index) for index, part in enumerate(parts))
            yield from _simple(numbers, offset // (2 if wide else 1), length)
            place += 2 + words
        else:
            yield from _simple(numbers, place, 1)
            place += 2 + (length if kind == _DISCRETE else 1)


def _simple(numbers: NDArray[Any], place: int, count: int) -> Iterator[tuple[int, int, int]]:
    for _ in range(count):
        if place + 2 >= len(numbers):
            return
        kind, length = int(numbers[place]), int(numbers[place + 1])
        if kind not in (_DISCRETE, _LINEAR):
            # A repeated segment may not repeat others in turn.
            raise PaletteError("its segmented palette holds a segment of an unknown kind")
        yield kind, length, place + 2
        place += 2 + (length if kind == _DISCRETE else 1)
