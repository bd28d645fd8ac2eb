"""What lies in a folder of pictures: stills, clips, frame folders, outlines, and files that are none of these."""

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from isthmus.cohort.outlines.mask_files import is_mask_file
from isthmus.errors import CohortError
from isthmus.imaging.frame_folder import SUFFIXES

CLIP_SUFFIXES: Final = (".avi", ".mp4", ".mov", ".gif")
OUTLINE_SUFFIXES: Final = (".json", ".xml", ".nii", ".nii.gz", ".nrrd", ".seg.nrrd")
COHORT_FILE: Final = "cohort.yaml"
MOST_FILES: Final = 1_000_000
_DICOM: Final = (".dcm", ".dicom", ".ima")


@dataclass(frozen=True)
class FolderFile:
    """A file, or a folder of frames, of the source.

    Parameters
    ----------
    number : int
        Its place in the order of paths, from 1.
    file : str
        Its path in the source, with '/'.
    kind : {'picture', 'outline', 'other'}
        What its name says it is.
    why : str
        Of other files: why they are not read.
    """

    number: int
    file: str
    kind: str
    why: str = ""


def walk_folder(source: Path, skip: Collection[Path], frame_folders: str | None = None) -> list[FolderFile]:
    """List everything in a folder of pictures, sorted.

    Parameters
    ----------
    source : Path
        The folder.
    skip : collection of Path
        Files and folders that are not part of the source: the table, the map, a folder of masks.
    frame_folders : str, optional
        A regular expression: a folder in whose path it is found is one clip.

    Raises
    ------
    CohortError
        When there is no such folder, or it holds too many files.
    """
    if not source.is_dir():
        raise CohortError("no such folder", where=str(source), expected="the folder of pictures")
    left_aside = {path.resolve() for path in skip}
    clips = re.compile(frame_folders) if frame_folders else None
    found: list[tuple[str, str, str]] = []
    for relative in _walk(source, left_aside, clips):
        found.append((relative, *_kind(source, relative)))
        if len(found) > MOST_FILES:
            raise CohortError(f"the folder holds more than {MOST_FILES:,} files", where=str(source))
    return [FolderFile(number, *item) for number, item in enumerate(sorted(found, key=_natural), start=1)]


def _walk(source: Path, left_aside: set[Path], clips: re.Pattern[str] | None) -> Iterator[str]:
    for place, folders, files in os.walk(source):
        here = Path(place)
        kept = []
        for name in folders:
            relative = (here / name).relative_to(source).as_posix()
            if name.startswith(".") or (here / name).resolve() in left_aside:
                continue
            if (here / name / COHORT_FILE).is_file():
                yield f"{relative}/{COHORT_FILE}"
            elif clips is not None and clips.search(relative):
                yield relative
            else:
                kept.append(name)
        folders[:] = sorted(kept)
        for name in files:
            if not name.startswith((".", "~$")) and (here / name).resolve() not in left_aside:
                yield (here / name).relative_to(source).as_posix()


def _kind(source: Path, relative: str) -> tuple[str, str]:
    path = source / relative
    if path.name == COHORT_FILE:
        return "other", "a cohort that was made before: nothing in it is read"
    suffix = path.suffix.lower()
    if path.is_dir():
        return "picture", ""
    if relative.lower().endswith(OUTLINE_SUFFIXES) or (suffix in SUFFIXES and is_mask_file(relative)):
        return "outline", ""
    if suffix in SUFFIXES or suffix in CLIP_SUFFIXES:
        return "picture", ""
    if suffix in _DICOM:
        return "other", "DICOM; `isthmus cohort import dicom` reads it"
    return "other", "no picture by its name"


def _natural(item: tuple[str, str, str]) -> list[tuple[int, str]]:
    parts = re.findall(r"\d+|\D+", item[0])
    return [(int(part), "") if part.isdecimal() and part.isascii() else (0, part) for part in parts]
