"""Folders of pictures numbered one after another, which may be clips: a hint for a draft map, never taken by itself."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

_FEWEST_FRAMES = 8
_FEWEST_FOLDERS = 2
"""One folder of numbered pictures is more likely a folder of numbered patients."""
_NAME = re.compile(r"(?P<before>.*?)(?P<number>\d+)(?P<after>\D*)")


@dataclass(frozen=True)
class NumberedFolders:
    """Folders that may be clips.

    Parameters
    ----------
    pattern : str
        A regular expression that is found in their paths and in those of no other folder with pictures.
    folders : int
        How many.
    frames : tuple of int
        Fewest and most pictures in one.
    """

    pattern: str
    folders: int
    frames: tuple[int, int]


def numbered_folders(pictures: Sequence[str]) -> NumberedFolders | None:
    """Return the folders whose pictures are numbered without a gap; None where there are fewer than two.

    Parameters
    ----------
    pictures : sequence of str
        Paths in the source, with ``/``.

    Examples
    --------
    >>> sweeps = [f"{case}/images/{frame:03d}.jpg" for case in "ab" for frame in range(20)]
    >>> numbered_folders(sweeps)
    NumberedFolders(pattern='(?:^|/)images$', folders=2, frames=(20, 20))
    """
    held: dict[str, list[PurePosixPath]] = defaultdict(list)
    for picture in map(PurePosixPath, pictures):
        held[picture.parent.as_posix()].append(picture)
    found = {folder: len(names) for folder, names in held.items() if folder != "." and _one_series(names)}
    if len(found) < _FEWEST_FOLDERS:
        return None
    last = {PurePosixPath(folder).name for folder in found}
    parents = {PurePosixPath(folder).parent.as_posix() for folder in found}
    if len(last) == 1:
        pattern = f"(?:^|/){re.escape(last.pop())}$"
    elif len(parents) == 1:
        parent = parents.pop()
        pattern = "^[^/]+$" if parent == "." else f"^{re.escape(parent)}/[^/]+$"
    else:
        return None
    others = [folder for folder in held if folder not in found]
    if any(re.search(pattern, folder) for folder in others):
        return None
    return NumberedFolders(pattern, len(found), (min(found.values()), max(found.values())))


def _one_series(paths: Sequence[PurePosixPath]) -> bool:
    matches = [_NAME.fullmatch(path.stem) for path in paths]
    named = [match for match in matches if match is not None]
    numbers = sorted(int(match["number"]) for match in named)
    series = {(match["before"], match["after"]) for match in named}
    whole = len(named) == len(paths) >= _FEWEST_FRAMES and len(series) == 1
    return whole and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
