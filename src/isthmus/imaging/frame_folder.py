"""A folder of numbered frames as one clip.

Which files are frames: pictures (:data:`SUFFIXES`) of one series ``<text><number><text>.<suffix>``, such as
``000.jpg``, ``001.jpg`` … or ``sweep_1.png`` … ``sweep_12.png``. They are ordered by number, so 2 comes before 10.
Left aside: hidden files, folders, files that are no pictures (tables, text), and pictures whose names say that they
are masks (:data:`MASK_WORDS`), unless there are no others. Two series, a number that comes twice or a picture without
a number are refused: which one is the clip would be a guess. Numbers that are left out are counted in
``ClipInfo.missing_frames``.
"""

import math
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import LimitError, PictureError
from isthmus.imaging.clip import ClipInfo, OpenClip
from isthmus.imaging.limits import Limits
from isthmus.imaging.stills import open_still, still_kind

SUFFIXES = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".tif": "tiff", ".tiff": "tiff", ".bmp": "bmp"}
"""Pictures by suffix; each file's content then says what it is."""

MASK_WORDS = ("mask", "label", "seg", "annotation", "outline", "overlay")
_NAME = re.compile(r"(?P<before>.*?)(?P<number>\d+)(?P<after>\D*)")
_MASK = re.compile(rf"(?<![a-z])({'|'.join(MASK_WORDS)})", re.IGNORECASE)


@dataclass(frozen=True)
class _FrameFolder:
    paths: tuple[Path, ...]
    info: ClipInfo
    limits: Limits

    def frames(self, wanted: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        for number in wanted:
            with _open_frame(self.paths[number], self.limits) as still:
                _check_like_first(still.info, self.info)
                yield next(iter(still.frames([0])))


@contextmanager
def open_frame_folder(path: Path, limits: Limits, *, every_header: bool = True) -> Iterator[OpenClip]:
    """Open a folder of numbered frames; no pixel is decoded before one is asked for.

    A frame that is decoded is held against the first by its header; with ``every_header`` all frames are at once.
    """
    paths, missing = _series(path, limits)
    with _open_frame(paths[0], limits) as first:
        info = replace(
            first.info, source=str(path), format="folder", frames=len(paths), frame_times_s=None, missing_frames=missing
        )
    for other in paths[1:] if every_header else ():
        with _open_frame(other, limits) as still:
            _check_like_first(still.info, info)
    yield _FrameFolder(paths, info, limits)


def frame_paths(path: Path, limits: Limits) -> tuple[Path, ...]:
    """Return the files of a frame folder in the order of their numbers.

    Raises
    ------
    PictureError
        When the folder holds no frames, or its names leave open which files are the clip.
    LimitError
        When it holds more frames, or more bytes in them, than the limits allow.
    """
    return _series(path, limits)[0]


_Series = dict[tuple[str, str, str], dict[int, Path]]


def _series(path: Path, limits: Limits) -> tuple[tuple[Path, ...], int]:
    clips: _Series = defaultdict(dict)
    masks: _Series = defaultdict(dict)
    count = size = folders = 0
    with _listing(path) as entries:
        for entry in entries:
            suffix = SUFFIXES.get(Path(entry.name).suffix.lower())
            folders += entry.is_dir()
            if entry.name.startswith(".") or suffix is None or not entry.is_file():
                continue
            _add(masks if _MASK.search(entry.name) else clips, Path(entry), suffix)
            count, size = count + 1, size + entry.stat().st_size
            if count > limits.frames or size > limits.bytes:
                raise LimitError(
                    f"it has more than {limits.frames:,} pictures or {limits.bytes:,} bytes in them", where=str(path)
                )
    frames = _only(clips or masks, path, folders)
    numbers = sorted(frames)
    step = math.gcd(*(later - earlier for earlier, later in pairwise(numbers))) or 1
    missing = (numbers[-1] - numbers[0]) // step + 1 - len(numbers)
    return tuple(frames[number] for number in numbers), missing


def _add(series: _Series, path: Path, suffix: str) -> None:
    name = _NAME.fullmatch(path.stem)
    if name is None:
        raise PictureError(f"{path.name} has no number", where=str(path.parent), expected="frames such as 000.png")
    twin = series[name["before"], name["after"], suffix].setdefault(int(name["number"]), path)
    if twin != path:
        raise PictureError(f"{twin.name} and {path.name} have the same number", where=str(path.parent))


@contextmanager
def _listing(path: Path) -> Iterator[Iterator[os.DirEntry[str]]]:
    try:
        with os.scandir(path) as entries:
            yield entries
    except OSError as error:
        raise PictureError(f"the folder cannot be read: {error.strerror}", where=str(path)) from error


def _only(series: _Series, path: Path, folders: int) -> dict[int, Path]:
    if not series:
        raise PictureError(
            "the folder holds no numbered pictures",
            where=str(path),
            expected=f"frames such as 000.png ({', '.join(SUFFIXES)})",
            hint=f"name one of the {folders} folders in it" if folders else None,
        )
    if len(series) > 1:
        shown = " and ".join(f"{next(iter(frames.values())).name} ({len(frames)})" for frames in series.values())
        raise PictureError(
            f"the folder holds {len(series)} series of numbered pictures: {shown}",
            where=str(path),
            expected="one series",
            hint="put each into a folder of its own, masks into one beside the frames",
        )
    return next(iter(series.values()))


@contextmanager
def _open_frame(path: Path, limits: Limits) -> Iterator[OpenClip]:
    limits.check_file(path)
    with path.open("rb") as stream:
        kind = still_kind(stream.read(8))
    if kind is None:
        raise PictureError("this frame's content is no picture", where=str(path), expected="PNG, JPEG, TIFF or BMP")
    with open_still(path, limits, kind=kind) as still:
        if still.info.frames != 1:
            raise PictureError(f"this frame has {still.info.frames} pages", where=str(path), expected="one")
        yield still


def _check_like_first(info: ClipInfo, first: ClipInfo) -> None:
    found, expected = ((each.width, each.height, each.channels) for each in (info, first))
    if found != expected:
        raise PictureError(
            f"this frame is {_shown(info)}, the first {_shown(first)}",
            where=info.source,
            hint="put the frames of each size into a folder of their own",
        )


def _shown(info: ClipInfo) -> str:
    return f"{info.width} x {info.height} pixels {'grey' if info.channels == 1 else 'in colour'}"
