"""Make a cohort of the Stanford Thyroid Ultrasound Cine-clip set: 192 clips with an outline in every frame.

``dataset.hdf5`` holds all frames of all clips in one array; it is read frame by frame, so a file of 36 GB needs the
memory of a few frames. A clip becomes a folder of PNG frames and a multi-page TIFF of masks.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from isthmus.cohort.description import Description
from isthmus.cohort.draft import CohortDraft, new_cohort
from isthmus.cohort.sources import Progress
from isthmus.cohort.sources.cards import DATA_SETS
from isthmus.cohort.sources.import_report import ImportReport, ReportLine
from isthmus.cohort.sources.labelled_pictures import MALIGNANT, note_rows, require, totals
from isthmus.cohort.sources.stanford_table import Nodule, read_nodules
from isthmus.errors import CohortError, IsthmusError, OutputError, PictureError
from isthmus.imaging.clip_masks import write_clip_mask

_CHUNKS_BYTES: Final = 64 << 20  # HDF5 keeps this much opened, so that a chunk of several frames is opened once
_TABLES: Final = ("image", "mask", "annot_id", "frame_num")
_MOST_FRAMES: Final = 20_000


@dataclass(frozen=True)
class _Clip:
    """The places of a clip's frames in the file's arrays, in the order of their numbers."""

    annot_id: str
    places: tuple[int, ...]
    fault: str = ""


def import_stanford_cine(source: Path | str, destination: Path | str, progress: Progress | None = None) -> ImportReport:
    """Read ``dataset.hdf5`` and ``metadata.csv`` and write a cohort folder.

    Parameters
    ----------
    source : Path
        The folder with both files.
    destination : Path
        The cohort folder to make; it may not exist.
    progress : callable, optional
        Called as ``progress(done, total, what)``.

    Raises
    ------
    CohortError
        When a file is missing or is not what it should be, or nothing in it can be used.
    OutputError
        When the destination exists or cannot be written.
    """
    source = Path(source)
    require(source, *("dataset.hdf5", "metadata.csv"), name="the Stanford cine-clip set")
    nodules, wrong = read_nodules(source / "metadata.csv")
    with new_cohort(destination, "cohort import stanford-cine") as draft, _opened(source / "dataset.hdf5") as data:
        note_rows(draft, "metadata.csv", wrong)
        clips = _clips(data)
        for done, clip in enumerate(clips, start=1):
            _add(draft, data, clip, nodules.get(clip.annot_id))
            if progress is not None:
                progress(done, len(clips), clip.annot_id)
        without = sorted(set(nodules) - {clip.annot_id for clip in clips})
        note_rows(draft, "metadata.csv", [(annot_id, "dataset.hdf5 has no frames of it") for annot_id in without])
        _finish(draft)
    return draft.report


@contextmanager
def _opened(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        stream = h5py.File(path, "r", rdcc_nbytes=_CHUNKS_BYTES)
    except OSError as error:
        raise CohortError(
            "this is no HDF5 file that can be read",
            where=str(path),
            hint="download it again: it may have been cut short",
        ) from error
    with stream:
        _check_layout(stream, path)
        yield {name: stream[name] for name in _TABLES}


def _check_layout(stream: Any, path: Path) -> None:
    expected = "image and mask [N, H, W] of 8 bits, annot_id [N], frame_num [N]"
    try:
        shapes = {name: stream[name].shape for name in _TABLES}
        types = {name: stream[name].dtype for name in _TABLES}
    except (KeyError, AttributeError) as error:
        raise CohortError(
            f"it holds {', '.join(sorted(stream)) or 'nothing'}", where=str(path), expected=expected
        ) from error
    flat = len(shapes["image"]) == 3 and shapes["mask"] == shapes["image"]
    counted = {shapes[name] for name in ("annot_id", "frame_num")} == {shapes["image"][:1]}
    if not (flat and counted and types["image"] == types["mask"] == np.uint8):
        raise CohortError(f"its arrays have shapes {shapes}", where=str(path), expected=expected)


def _clips(data: Mapping[str, Any]) -> list[_Clip]:
    """Group the frames by clip; a frame number that comes twice leaves the order open, and is a fault."""
    places: dict[str, list[tuple[int, int]]] = defaultdict(list)
    numbers = np.asarray(data["frame_num"][:]).astype(np.int64)
    for place, raw in enumerate(data["annot_id"][:]):
        annot_id = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
        places[annot_id].append((int(numbers[place]), place))
    clips = []
    for annot_id, found in sorted(places.items()):
        ordered = sorted(found)
        fault = "a frame number comes twice" if len({number for number, _ in ordered}) < len(ordered) else ""
        fault = f"it has {len(ordered):,} frames" if len(ordered) > _MOST_FRAMES else fault
        clips.append(_Clip(annot_id, tuple(place for _, place in ordered), fault))
    return clips


def _add(draft: CohortDraft, data: Mapping[str, Any], clip: _Clip, nodule: Nodule | None) -> None:
    name = clip.annot_id.rstrip("_").replace("_", "-")
    file = f"dataset.hdf5/{clip.annot_id}"
    if nodule is None or clip.fault:
        fault = clip.fault or "metadata.csv has no row of it"
        draft.report.lines.append(ReportLine(file, "picture", name, "unreadable", 0, "", fault))
        draft.exclude(nodule.patient_id if nodule else name, "import", fault)
        return
    folder = draft.folder / "pictures" / name
    try:
        mask = f"masks/{name}.tiff"
        write_clip_mask(draft.folder / mask, _masks(data["mask"], clip.places))
        path = draft.write_frames(_frames(data["image"], clip.places), name)
    except OutputError:
        raise
    except (IsthmusError, OSError) as error:
        _forget(folder, draft.folder / "masks" / f"{name}.tiff")
        fault = error.what if isinstance(error, IsthmusError) else "its frames cannot be read: the file is damaged"
        draft.report.lines.append(ReportLine(file, "picture", name, "unreadable", 0, nodule.label, fault))
        draft.exclude(nodule.patient_id, "import", fault)
        return
    if not any(row["patient_id"] == nodule.patient_id for row in draft.rows("patients")):
        # Of a patient with several nodules the first row's age stays: rows may come from different years.
        draft.add_patient(nodule.patient_id, "Stanford", **nodule.patient)
    draft.add_nodule(name, nodule.patient_id, malignant=nodule.label, sampling="selected", **nodule.values)
    draft.add_view(name, name, path, modality="cine", region_source="drawn", acquisition_id=name)
    draft.rows("views")[-1]["mask"] = mask
    status = "labelled" if nodule.label else "unlabelled"
    detail = "; ".join([f"{len(clip.places)} frames", *nodule.notes])
    draft.report.lines.append(ReportLine(file, "picture", nodule.patient_id, status, 1, nodule.label, detail))


def _frames(images: Any, places: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
    for place in places:
        yield np.asarray(images[place])[..., None]


def _masks(masks: Any, places: Sequence[int]) -> Iterator[NDArray[np.bool_]]:
    for place in places:
        mask = np.asarray(masks[place])
        if not np.isin(mask, (0, 255)).all():
            raise PictureError("a frame's mask holds other values than 0 and 255")
        yield mask == 255


def _forget(folder: Path, mask: Path) -> None:
    for frame in folder.glob("*.png") if folder.is_dir() else ():
        frame.unlink()
    if folder.is_dir():
        folder.rmdir()
    mask.unlink(missing_ok=True)


def _finish(draft: CohortDraft) -> None:
    card = DATA_SETS["stanford-cine"]
    told = draft.count("patients") < draft.count("nodules")
    draft.report.totals = totals(draft)
    who = (
        "The part of annot_id before its underscore is taken as the patient: nodules that share it are one patient's."
        if told
        else "annot_id names clips, not patients: by its authors 192 clips are of 167 patients, but not which. Every "
        "clip is taken as a patient of its own, so one patient may stand on two sides of a split."
    )
    draft.finish(
        Description(
            name=card.title,
            licence=card.terms,
            citation=card.citation,
            patient_ids="real" if told else "absent",
            targets={"malignant": MALIGNANT},
            remarks=[
                who,
                "All nodules were biopsied; the label is histopath_diagnosis, whether by cytology or histology.",
                "There is no published split. Few nodules are malignant (17 of 192 as published): intervals are wide.",
                "TI-RADS descriptors are published as ACR points; a code is given where points leave one term, and the "
                "points stay in the columns points_*.",
                "Sizes are the longest of three, in millimetres; frame rate and pixel size are not given.",
            ],
        )
    )
