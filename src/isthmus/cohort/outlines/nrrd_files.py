"""NRRD (``.nrrd``, ``.seg.nrrd``): named like the picture; one slice for a still, one a frame for a clip.

3D Slicer's segmentations name their segments and may hold overlapping ones in layers; one that was cut down to the
segments' extent has another size than the picture, which is a fault. Data in a file of their own are refused: a name in
a header could point anywhere.
"""

import gzip
import zlib
from pathlib import Path
from typing import IO, Any, Final

import nrrd
import numpy as np
from numpy.typing import NDArray

from isthmus.cohort.outlines.mask_files import strip_mask_words
from isthmus.cohort.outlines.outline import Entry, OutlineUnusable, Shape
from isthmus.cohort.outlines.volumes import as_pages, check_volume, volume_shapes
from isthmus.imaging.limits import Limits

_TO_RAS: Final = {
    "left-posterior-superior": (-1.0, -1.0, 1.0),
    "lps": (-1.0, -1.0, 1.0),
    "right-anterior-superior": (1.0, 1.0, 1.0),
    "ras": (1.0, 1.0, 1.0),
    "left-anterior-superior": (-1.0, 1.0, 1.0),
    "las": (-1.0, 1.0, 1.0),
}
_BYTES: Final = 8  # of the widest type


def nrrd_entry(path: Path, source: str, stem: str, limits: Limits) -> Entry:
    """Return the entry of an NRRD file; ``stem`` is its path without suffix in the folder it lies in."""

    def stills() -> list[Shape]:
        return [shape for layer, names in _layers(path, limits) for shape in volume_shapes(_given(layer), names)[0]()]

    def clips(frames: int, height: int, width: int) -> list[tuple[str, NDArray[np.bool_]]]:
        layers = _layers(path, limits)
        return [
            pair for layer, names in layers for pair in volume_shapes(_given(layer), names)[1](frames, height, width)
        ]

    return Entry(source, "nrrd", (strip_mask_words(stem), stem), stills, clip=clips)


def _given(pages: NDArray[np.uint16]) -> Any:
    return lambda: pages


def _layers(path: Path, limits: Limits) -> list[tuple[NDArray[np.uint16], dict[int, str]]]:
    try:
        with path.open("rb") as stream:
            header = nrrd.read_header(stream)
            shape = [int(side) for side in header["sizes"]]
            layered = len(shape) > 2 and list(header.get("kinds", []))[:1] == ["list"]
            check_volume(shape[1:] if layered else shape, limits)
            _check_data(header, stream, int(np.prod(shape)) * _BYTES)
            stored = nrrd.read_data(header, stream)
        directions = np.asarray(header.get("space directions", np.empty((0, 0))), dtype=float)
        affine = _affine(header, directions[1:] if layered else directions)
        layers = list(stored) if layered else [stored]
        return [(as_pages(layer, affine), _names(header, number)) for number, layer in enumerate(layers)]
    except OutlineUnusable:
        raise
    except Exception as error:  # pynrrd raises many kinds on damaged files; here each means the same
        raise OutlineUnusable(f"it is no NRRD file that can be read ({type(error).__name__})") from error


def _check_data(header: Any, stream: IO[bytes], most: int) -> None:
    """Refuse data elsewhere, and compressed data that open to more than the header announces."""
    if "data file" in header or "datafile" in header:
        raise OutlineUnusable("its data lie in another file: save it as one .nrrd")
    encoding = str(header.get("encoding", ""))
    if encoding not in ("raw", "gzip", "gz"):
        raise OutlineUnusable(f"its data are encoded as {encoding[:20]!r}: save it raw or gzip")
    if encoding != "raw":
        start, opened = stream.tell(), 0
        try:
            with gzip.GzipFile(fileobj=stream) as data:
                while chunk := data.read(1 << 20):
                    opened += len(chunk)
                    if opened > most:
                        raise OutlineUnusable("its compressed data are larger than its header announces")
        except (OSError, EOFError, zlib.error) as error:
            raise OutlineUnusable("its compressed data are damaged") from error
        stream.seek(start)


def _affine(header: Any, directions: NDArray[np.float64]) -> NDArray[np.float64] | None:
    signs = _TO_RAS.get(str(header.get("space", "")).lower())
    if signs is None or directions.shape != (3, 3):
        return None  # flat pictures have no space; their rows and columns are as stored
    affine = np.eye(4)
    affine[:3, :3] = directions.T * np.array(signs)[:, None]
    return affine


def _names(header: Any, layer: int) -> dict[int, str]:
    names = {}
    for number in range(64):
        value, name = header.get(f"Segment{number}_LabelValue"), header.get(f"Segment{number}_Name")
        if name and str(value).isdigit() and int(header.get(f"Segment{number}_Layer", 0)) == layer:
            names[int(value)] = str(name)
    return names
