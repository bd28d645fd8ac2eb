"""Which files of a folder are outlines, which are pictures, and the reader of each kind."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from isthmus.cohort.outlines.coco import coco_entries, is_coco
from isthmus.cohort.outlines.cvat import cvat_entries
from isthmus.cohort.outlines.dicom_seg import is_segmentation, seg_entries
from isthmus.cohort.outlines.labelme import is_labelme, labelme_entries
from isthmus.cohort.outlines.mask_files import MASK_SUFFIXES, is_mask_file, mask_entry
from isthmus.cohort.outlines.nifti import nifti_entry
from isthmus.cohort.outlines.nrrd_files import nrrd_entry
from isthmus.cohort.outlines.outline import Entry, OutlineUnusable
from isthmus.cohort.outlines.text_files import read_json_file, read_xml_file
from isthmus.cohort.outlines.voc import voc_entries
from isthmus.errors import CohortError
from isthmus.imaging.limits import Limits

MOST_FILES: Final = 1_000_000
_DICOM_SUFFIXES: Final = (".dcm", ".dicom", ".ima", "")
_VOLUMES: Final = {".nii": "nifti", ".nii.gz": "nifti", ".nrrd": "nrrd"}


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


def read_entries(file: OutlineFile, limits: Limits) -> tuple[list[Entry], list[str]]:
    """Return what a file says of which pictures, and what is wrong in it; nothing where it is nothing of the kind.

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
    if file.kind in _BY_NAME:
        stem = file.relative.lower().removesuffix(".gz")
        stem = file.relative[: len(stem)].rsplit(".", 1)[0]
        return [_BY_NAME[file.kind](file.path, file.source, stem, limits)], []
    if file.kind == "seg":
        return seg_entries(file.path, file.source, limits), []
    if file.kind == "json":
        return _json(file)
    return _xml(file), []


_BY_NAME: Final = {"png": mask_entry, "nifti": nifti_entry, "nrrd": nrrd_entry}


def _json(file: OutlineFile) -> tuple[list[Entry], list[str]]:
    content = read_json_file(file.path)
    if is_labelme(content):
        return labelme_entries(content, file.source, file.relative), []
    if is_coco(content):
        return coco_entries(content, file.source, file.relative)
    return [], []


def _xml(file: OutlineFile) -> list[Entry]:
    root = read_xml_file(file.path)
    if root.tag == "annotations":
        return cvat_entries(root, file.source, file.relative)
    return voc_entries(root, file.source, file.relative) if root.tag == "annotation" else []


def _kind(path: Path, relative: str, *, all_masks: bool) -> str:
    suffix = path.suffix.lower()
    if suffix in (".json", ".xml"):
        return suffix[1:]
    for ends, kind in _VOLUMES.items():
        if relative.lower().endswith(ends):
            return kind
    if suffix in _DICOM_SUFFIXES and is_segmentation(path):
        return "seg"
    if suffix in MASK_SUFFIXES and (all_masks or is_mask_file(relative)):
        return "png"
    return ""


def _walk(folder: Path) -> list[Path]:
    paths: list[Path] = []
    # What an earlier import made is no source of outlines.
    made = {path.parent for path in folder.rglob("cohort.yaml")} - {folder}
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden and made.isdisjoint(path.parents):
            paths.append(path)
        if len(paths) > MOST_FILES:
            raise CohortError(f"the folder holds more than {MOST_FILES:,} files", where=str(folder))
    return sorted(paths)
