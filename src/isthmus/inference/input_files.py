"""Which files a prediction is asked for: those named, and what lies in the folders named."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from isthmus.cohort.outlines.picture_names import PICTURE_FOLDERS
from isthmus.errors import InputError, PictureError, did_you_mean
from isthmus.imaging.frame_folder import frame_paths
from isthmus.imaging.limits import Limits

STILL_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", ".dicom", ".ima")
CLIP_SUFFIXES = (".avi", ".mp4", ".mov", ".gif", ".tif", ".tiff", ".npy", ".dcm", ".dicom", ".ima")


def find_pictures(inputs: Sequence[Path]) -> list[Path]:
    """Return the files named, and those in the folders named that look like pictures, sorted.

    Raises
    ------
    InputError
        When an input does not exist, or a folder holds no picture.
    """
    found: list[Path] = []
    for given in _there(inputs):
        inside = [given] if given.is_file() else _like(given, STILL_SUFFIXES)
        if not inside:
            raise InputError(
                "no picture in this folder", where=str(given), expected="PNG, JPEG, TIFF, BMP or DICOM files"
            )
        found += inside
    return found


def find_clips(inputs: Sequence[Path]) -> list[Path]:
    """Return the files named and the clips in the folders named, sorted.

    A folder that holds numbered frames is one clip. In any other folder its video files, and the folders of frames at
    any depth, are clips each; a folder of masks beside the frames is none.

    Raises
    ------
    InputError
        When an input does not exist, or a folder holds no clip.
    """
    found: list[Path] = []
    for given in _there(inputs):
        inside = [given] if given.is_file() or _is_clip(given) else _clips_in(given)
        if not inside:
            raise InputError(
                "no clip in this folder",
                where=str(given),
                expected="AVI, MP4, MOV, GIF, NumPy, TIFF or DICOM files, or folders of numbered frames",
            )
        found += inside
    return found


def name_of(path: Path | str) -> str:
    """Return what results call a file: its name; of a folder of frames called `images` or the like its parent's too.

    Examples
    --------
    >>> name_of("a/b/c.avi"), name_of("a/case_7/images")
    ('c.avi', 'case_7/images')
    """
    path = Path(path)
    return f"{path.parent.name}/{path.name}" if path.name.lower() in PICTURE_FOLDERS and path.parent.name else path.name


def not_there(path: Path) -> InputError:
    """Return the refusal of a path where nothing is: where it ceases to exist, and what is called nearly so there."""
    last = next((folder for folder in path.absolute().parents if folder.is_dir()), Path(path.absolute().anchor))
    missing = path.absolute().relative_to(last).parts[0]
    with contextlib.suppress(OSError):
        if near := did_you_mean(missing, [inside.name for inside in last.iterdir()], alike=0.75):
            return InputError("no such file or folder", where=str(path), hint=near)
    return InputError("no such file or folder", where=str(path), hint=f"there is no {missing!r} in {last}")


def _there(inputs: Sequence[Path]) -> list[Path]:
    for given in map(Path, inputs):
        if not given.exists():
            raise not_there(given)
    return [Path(given) for given in inputs]


def _clips_in(folder: Path) -> list[Path]:
    frames = [path for path in folder.rglob("*") if path.is_dir() and path.name.lower() != "masks" and _is_clip(path)]
    return sorted([*frames, *(path for path in _like(folder, CLIP_SUFFIXES) if path.parent not in frames)])


def _is_clip(folder: Path) -> bool:
    try:
        return len(frame_paths(folder, Limits())) > 1
    except PictureError:
        return False


def _like(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and _looks_like(path, suffixes))


def _looks_like(path: Path, suffixes: Sequence[str]) -> bool:
    if path.suffix.lower() in suffixes:
        return True
    with path.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"
