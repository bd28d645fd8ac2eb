"""Which files of a folder are outlines, which are pictures, and the reader of each kind."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from isthmus.cohort.outlines.labelme import is_labelme, labelme_entries
from isthmus.cohort.outlines.mask_files import MASK_SUFFIXES, is_mask_file, mask_entry
from isthmus.cohort.outlines.outline import Entry, OutlineUnusable
from isthmus.cohort.outlines.text_files import read_json_file
from isthmus.errors import CohortError
from isthmus.imaging.limits import Limits

MOST_FILES: Final = 1_000_000


@dataclass(frozen=True)
class OutlineFile:
    """A file that may hold outlines: ``source`` names it in messages, ``relative`` in its own folder."""

    path: Path
    source: str
    relative: str
    kind: str


def outline_files(folder: Path, masks: Path | None) -> tuple[list[OutlineFile], list[str]]:
    """Return the files that may hold outlines and the paths of what may be a picture or clip, both sorted."""
    found, pictures = [], set[str]()
    for path in _walk(folder):
        if masks is not None and path.is_relative_to(masks):
            continue
        relative = path.relative_to(folder).as_posix()
        kind = _kind(path, relative, all_masks=False)
        if kind:
            found.append(OutlineFile(path, relative, relative, kind))
        else:
            pictures.add(relative)
            parent = path.parent.relative_to(folder).as_posix()
            pictures |= {parent} - {"."}  # a frame folder is a clip
    for path in _walk(masks) if masks is not None else []:
        relative = path.relative_to(masks or folder).as_posix()
        kind = _kind(path, relative, all_masks=True)
        if kind:
            found.append(OutlineFile(path, f"{(masks or folder).name}/{relative}", relative, kind))
    return found, sorted(pictures)


def read_entries(file: OutlineFile, limits: Limits) -> list[Entry]:
    """Return what a file says of which pictures; empty where its content is nothing of the kind.

    Raises
    ------
    OutlineUnusable
        When the file cannot be read.
    """
    size = file.path.stat().st_size
    if size == 0:
        raise OutlineUnusable("the file is empty")
    if size > limits.bytes:
        raise OutlineUnusable(f"it has {size:,} bytes, more than the {limits.bytes:,} that are read")
    if file.kind == "png":
        return [mask_entry(file.path, file.source, Path(file.relative).with_suffix("").as_posix(), limits)]
    return _json(file)


def _json(file: OutlineFile) -> list[Entry]:
    content = read_json_file(file.path)
    if is_labelme(content):
        return labelme_entries(content, file.source, file.relative)
    return []


def _kind(path: Path, relative: str, *, all_masks: bool) -> str:
    suffix = path.suffix.lower()
    if suffix == ".json":
        return "json"
    if suffix in MASK_SUFFIXES and (all_masks or is_mask_file(relative)):
        return "png"
    return ""


def _walk(folder: Path) -> list[Path]:
    paths: list[Path] = []
    for path in folder.rglob("*"):
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts):
            paths.append(path)
        if len(paths) > MOST_FILES:
            raise CohortError(f"the folder holds more than {MOST_FILES:,} files", where=str(folder))
    return sorted(paths)
