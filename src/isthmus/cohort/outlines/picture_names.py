"""Which picture a name means: the strictest reading that fits any picture decides, and it must fit exactly one."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Final

PICTURE_FOLDERS: Final = ("image", "images", "img", "imgs", "picture", "pictures", "frames")
"""A folder of such a name says nothing: ``case7/images/3.jpg`` has its mask in ``case7/masks/3.png``."""


def _plain(path: PurePosixPath) -> str:
    return "/".join(part for part in path.with_suffix("").parts if part.lower() not in PICTURE_FOLDERS)


_READINGS: Final[tuple[Callable[[PurePosixPath], str], ...]] = (
    lambda path: path.as_posix(),
    lambda path: path.with_suffix("").as_posix(),
    _plain,
    lambda path: path.name,
    lambda path: path.stem,
)
"""A picture by its path, without suffix, without folders that say nothing, by file name, by stem."""


class PictureNames:
    """The pictures and clips of a folder, to be found by the names that outline files give them.

    Parameters
    ----------
    pictures : sequence of str
        Paths relative to the folder, with ``/``.
    """

    def __init__(self, pictures: Sequence[str]) -> None:
        self._by: list[dict[str, list[str]]] = [defaultdict(list) for _ in _READINGS]
        self._frames: dict[str, list[str]] = defaultdict(list)
        for picture in pictures:
            path = PurePosixPath(picture)
            for table, reading in zip(self._by, _READINGS, strict=True):
                table[reading(path)].append(picture)
            self._frames[path.parent.as_posix()].append(picture)

    def fitting(self, name: str) -> list[str]:
        """Return the pictures that a name fits, by the strictest reading that fits any."""
        path = _tidy(name)
        last = PurePosixPath(path).name
        for table, key in zip(self._by, (path, path, path, last, last), strict=True):
            if key and table.get(key):
                return table[key]
        return []

    def in_folder(self, folder: str) -> list[str]:
        """Return the pictures that lie in a folder itself."""
        return self._frames.get(folder, [])


def _tidy(name: str) -> str:
    parts: list[str] = []
    for part in name.split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in ("", ".", ".."):
            parts.append(part)
    return "/".join(parts)
