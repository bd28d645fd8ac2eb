"""A cohort folder in the making: what an importer adds to, and what is published whole or not at all."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.cohort.cohort import load_cohort
from isthmus.cohort.description import Description, write_description
from isthmus.cohort.sources.import_report import ImportReport
from isthmus.errors import CohortError
from isthmus.files import new_folder, refuse_existing, writing
from isthmus.imaging.clip import Box, box_of
from isthmus.imaging.clip_masks import write_clip_mask
from isthmus.imaging.read import write_mask
from isthmus.manifest import Manifest
from isthmus.tables.check import write_table
from isthmus.tables.cohort import format_box

_COLUMNS = {
    "patients": ["patient_id", "site"],
    "nodules": ["nodule_id", "patient_id"],
    "views": ["view_id", "nodule_id", "modality", "path"],
    "excluded": ["patient_id", "stage", "reason"],
    "boxes": ["view_id", "frame", "box"],
    "reads": ["reader_id", "condition", "target", "unit_id"],
}


@dataclass
class CohortDraft:
    """Rows and pictures of a cohort that is being made; see :func:`new_cohort`.

    Parameters
    ----------
    folder : Path
        Where pictures are written; it is not yet the destination.
    report : ImportReport
        One line for every file of the source; the importer adds them.
    """

    folder: Path
    report: ImportReport = field(default_factory=ImportReport)
    _rows: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: {name: {} for name in _COLUMNS})

    def add_patient(self, patient_id: str, site: str, **values: Any) -> None:
        """Add a patient; the same values again change nothing, others are refused."""
        self._add("patients", patient_id, {"patient_id": patient_id, "site": site, **values})

    def add_nodule(self, nodule_id: str, patient_id: str, **values: Any) -> None:
        """Add a nodule, with its labels and descriptors; the same values again change nothing, others are refused."""
        self._add("nodules", nodule_id, {"nodule_id": nodule_id, "patient_id": patient_id, **values})

    def add_view(
        self,
        view_id: str,
        nodule_id: str,
        path: str,
        *,
        modality: str = "bmode",
        mask: NDArray[np.bool_] | None = None,
        mask_path: str = "",
        box: Box | None = None,
        region: Box | None = None,
        region_source: str = "",
        **values: Any,
    ) -> None:
        """Add a view; a still's mask [H, W] is written as PNG and gives the box where none is given, a clip's as TIFF.

        A mask that the importer wrote itself, frame by frame, is named by ``mask_path`` instead.

        Raises
        ------
        CohortError
            When the view was added before.
        """
        row: dict[str, Any] = {"view_id": view_id, "nodule_id": nodule_id, "modality": modality, "path": path}
        if mask is not None and mask.ndim == 3:
            write_clip_mask(self.folder / "masks" / f"{view_id}.tiff", mask)
            row["mask"] = f"masks/{view_id}.tiff"
        elif mask is not None:
            write_mask(self.folder / "masks" / f"{view_id}.png", mask)
            row["mask"] = f"masks/{view_id}.png"
            box = box or box_of(mask)
        elif mask_path:
            row["mask"] = mask_path
        row |= {"box": format_box(box)} if box is not None else {}
        row |= {"region": format_box(region)} if region is not None else {}
        if view_id in self._rows["views"]:
            raise CohortError(f"view {view_id!r} stands twice", expected="one name a picture")
        self._add("views", view_id, row | {"region_source": region_source, **values})

    def add_boxes(self, view_id: str, boxes: Iterable[tuple[int, Box]]) -> None:
        """Add a clip's boxes: (frame, box)."""
        for frame, box in boxes:
            self._add("boxes", f"{view_id}\0{frame}", {"view_id": view_id, "frame": frame, "box": format_box(box)})

    def add_read(self, reader_id: str, condition: str, target: str, unit_id: str, **values: Any) -> None:
        """Add one reader's reading of a unit; the same values again change nothing, others are refused."""
        row = {"reader_id": reader_id, "condition": condition, "target": target, "unit_id": unit_id, **values}
        self._add("reads", "\0".join((reader_id, condition, target, unit_id)), row)

    def exclude(self, patient_id: str, stage: str, reason: str) -> None:
        """Say that a patient is left out, and why: never in silence."""
        self._add(
            "excluded", f"{patient_id}\0{stage}\0{reason}", {"patient_id": patient_id, "stage": stage, "reason": reason}
        )

    def copy_picture(self, source: Path, name: str) -> str:
        """Copy a file into `pictures/` unchanged and return its path in the cohort."""
        target = self.folder / "pictures" / name
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
        return f"pictures/{name}"

    def write_picture(self, pixels: NDArray[np.uint8], name: str) -> str:
        """Write pixels [H, W, 1 or 3] (red, green, blue) as PNG into `pictures/` and return the path in the cohort."""
        target = self.folder / "pictures" / name
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            done, code = cv2.imencode(".png", pixels[..., ::-1] if pixels.shape[2] == 3 else pixels)
            if not done:
                raise CohortError("a picture could not be written as PNG", where=name)
            target.write_bytes(code.tobytes())
        return f"pictures/{name}"

    def write_frames(self, frames: Iterable[NDArray[np.uint8]], name: str) -> str:
        """Write a clip as a folder of PNG frames, one at a time, and return its path in the cohort."""
        for number, frame in enumerate(frames):
            self.write_picture(frame, f"{name}/{number:05d}.png")
        return f"pictures/{name}"

    def count(self, table: str) -> int:
        """Return how many rows a table has so far."""
        return len(self._rows[table])

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return a table's rows so far."""
        return list(self._rows[table].values())

    def finish(self, description: Description) -> None:
        """Write the tables, `cohort.yaml` and the import report.

        Raises
        ------
        CohortError
            When there is no view at all.
        """
        if not self._rows["views"]:
            raise CohortError("no picture here can be used", hint="the lines above say why, file by file")
        for name, found in self._rows.items():
            if found or name in ("patients", "nodules", "views"):
                frame = pd.DataFrame(list(found.values()))
                write_table(self.folder / f"{name}.csv", frame[[*_COLUMNS[name], *frame.columns.drop(_COLUMNS[name])]])
        remarks = list(dict.fromkeys([*description.remarks, *self.report.remarks]))
        self.report.remarks = remarks
        self.report.totals = self.report.totals or {
            name: len(self._rows[name]) for name in ("patients", "nodules", "views")
        }
        write_description(self.folder, description.model_copy(update={"remarks": remarks}))
        self.report.write(self.folder)

    def _add(self, table: str, key: str, row: dict[str, Any]) -> None:
        kept = {name: value for name, value in row.items() if value not in ("", None)}
        before = self._rows[table].setdefault(key, kept)
        if before != kept:
            changed = next(name for name in [*kept, *before] if kept.get(name) != before.get(name))
            raise CohortError(
                f"{table}: {key!r} has two values in {changed!r}: {before.get(changed)!r} and {kept.get(changed)!r}",
                expected="one value",
            )


@contextmanager
def new_cohort(destination: Path | str, command: str) -> Iterator[CohortDraft]:
    """Make a cohort folder: it appears whole at the end, or not at all.

    Parameters
    ----------
    destination : Path
        It may not exist.
    command : str
        For the manifest, e.g. ``"cohort import tn3k"``.

    Yields
    ------
    CohortDraft
        To be filled, and finished by :meth:`CohortDraft.finish`.

    Raises
    ------
    OutputError
        When the destination exists or cannot be written.
    TableError
        When what was added breaks the contract of a cohort.
    """
    refuse_existing(Path(destination))
    record = Manifest(command)
    with new_folder(Path(destination)) as folder:
        draft = CohortDraft(folder)
        yield draft
        load_cohort(folder)  # what we write keeps our own contract, or is not written
        record.facts |= {
            **{f"{kind}s": draft.report.counts(kind) for kind in draft.report.kinds()},
            "cohort": draft.report.totals,
        }
        record.write(folder, [path for path in folder.iterdir() if path.is_file()])
