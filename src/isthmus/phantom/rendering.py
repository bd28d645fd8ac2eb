"""One nodule's examination: every view drawn, written as its hospital's file, and its rows for the tables.

A nodule is done when its small JSON of rows exists, which is written last. Nothing here depends on other nodules.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from isthmus.errors import CohortError
from isthmus.files import make_folder, write_json
from isthmus.imaging.clip import Box, box_of
from isthmus.phantom.devices import devices
from isthmus.phantom.habits import SiteHabits
from isthmus.phantom.hospital_files import mask_suffix, write_recording
from isthmus.phantom.latents import RENDERED, Group, read_group
from isthmus.phantom.medium import Plane
from isthmus.phantom.modalities import render
from isthmus.phantom.recording import Frame, Recording, Scene
from isthmus.phantom.streams import stream
from isthmus.tables.cohort import format_box

PICTURES: Final = "pictures"
MASKS: Final = "masks"
TRUTH: Final = "truth"
CALCIFICATIONS: Final = "calcifications"
WORK: Final = "work"
"""Folder of the rows of finished nodules; it is gone once the tables are written."""


@dataclass
class _Sight:
    """What the nodule's outline and calcifications were in the frames that passed by."""

    boxes: list[Box | None] = field(default_factory=list)
    calcified: bool = False

    def passing(self, recording: Recording) -> Recording:
        """Return the recording; its frames are looked at while whoever draws them takes them."""

        def draw() -> Iterator[Frame]:
            self.boxes.clear()
            for frame in recording:
                self.boxes.append(box_of(frame.lesion))
                self.calcified |= frame.calcifications is not None and bool(frame.calcifications.any())
                yield frame

        return replace(recording, draw=draw)

    @property
    def around(self) -> Box | None:
        """The smallest box that holds the nodule in every frame."""
        seen = np.array([box for box in self.boxes if box is not None])
        if not len(seen):
            return None
        (x0, y0), (x1, y1) = seen[:, :2].min(axis=0), seen[:, 2:].max(axis=0)
        return float(x0), float(y0), float(x1), float(y1)


def render_nodule(
    folder: Path, seed: int, nodule: Mapping[str, Any], views: list[Mapping[str, Any]], habits: SiteHabits
) -> str:
    """Draw and write every view of a nodule, then its rows.

    Parameters
    ----------
    folder : Path
        Of the cohort in the making.
    seed : int
        Of the cohort.
    nodule : mapping
        Its row of :attr:`isthmus.phantom.patients.Population.nodules`.
    views : list of mapping
        Its rows of ``Population.views``.
    habits : SiteHabits
        Of its site.

    Returns
    -------
    str
        The ``nodule_id``.

    Raises
    ------
    OutputError
        When the disk is full, read-only or not ours.
    """
    rows: dict[str, list[dict[str, Any]]] = {"views": [], "boxes": [], "truth": []}
    for view in views:
        for name, found in _record(folder, seed, nodule, view, habits).items():
            rows[name] += found
    write_json(rows_file(folder, str(nodule["nodule_id"])), rows)
    return str(nodule["nodule_id"])


def rows_file(folder: Path, nodule_id: str) -> Path:
    """Return the file whose existence says that a nodule is done."""
    return folder / WORK / f"{nodule_id}.json"


def record_view(seed: int, nodule: Mapping[str, Any], view: Mapping[str, Any], habits: SiteHabits) -> Recording:
    """Return one view's recording, which is drawn when it is iterated; see :func:`render_nodule`."""
    modality = str(view["modality"])
    scene = Scene(
        patient_seed=_seed(seed, "patient", str(nodule["patient_id"])),
        nodule_seed=_seed(seed, "nodule", str(nodule["nodule_id"])),
        view_seed=_seed(seed, "view", str(view["view_id"])),
        device=devices()[str(view["device"])],
        habits=habits,
    )
    # The groups of latents that the modality shows, and nothing else of the nodule, reach its pixels.
    groups: tuple[Group, ...] = tuple(read_group(kind, nodule) for kind in RENDERED[modality])
    plane = Plane("longitudinal" if view["plane"] == "longitudinal" else "transverse")
    if np.isnan(view["seconds"]):
        return render(modality, groups, scene, plane)
    seconds, rate = float(view["seconds"]), float(view["frame_rate_hz"])
    return render(modality, groups, scene, plane, seconds=seconds, frame_rate_hz=rate)


def _record(
    folder: Path, seed: int, nodule: Mapping[str, Any], view: Mapping[str, Any], habits: SiteHabits
) -> dict[str, list[dict[str, Any]]]:
    name, patient = str(view["view_id"]), str(view["patient_id"])
    sight = _Sight()
    recording = sight.passing(record_view(seed, nodule, view, habits))
    mask = folder / MASKS / patient / name
    foci = folder / TRUTH / CALCIFICATIONS / name
    for place in (folder / PICTURES / patient, mask.parent, foci.parent):
        make_folder(place)
    file = write_recording(
        folder / PICTURES / patient,
        name,
        recording,
        str(view["kind"]),
        patient_id=patient,
        mask=mask,
        calcifications=foci,
    )
    suffix = mask_suffix(recording)
    if not sight.calcified:
        foci.with_name(name + suffix).unlink(missing_ok=True)
    if sight.around is None:
        raise CohortError(f"view {name} was drawn beside its nodule", where=str(nodule["nodule_id"]))
    row = {
        **{key: view[key] for key in ("view_id", "nodule_id", "exam_id", "acquisition_id", "modality", "plane")},
        "path": f"{PICTURES}/{patient}/{file}",
        "region": format_box(recording.region),
        "mask": f"{MASKS}/{patient}/{name}{suffix}",
        "box": format_box(sight.around),
        "region_source": "drawn",
        "spacing_mm": round(float(recording.spacing_mm[0]), 6),
        "frame_rate_hz": recording.frame_rate_hz,
        "device": view["device"],
        **({} if recording.dynamic_range_db is None else {"dynamic_range_db": recording.dynamic_range_db}),
        **({} if recording.swe_range_kpa is None else {"swe_range_kpa": "{:g} {:g}".format(*recording.swe_range_kpa)}),
    }
    moving = len(sight.boxes) > 1
    boxes = [
        {"view_id": name, "frame": number, "box": format_box(box)}
        for number, box in enumerate(sight.boxes)
        if moving and box is not None
    ]
    shown = f"{CALCIFICATIONS}/{name}{suffix}" if sight.calcified else ""
    return {
        "views": [row],
        "boxes": boxes,
        "truth": [{"view_id": name, "calcifications": shown, "plane": view["plane"]}],
    }


def _seed(seed: int, what: str, identifier: str) -> int:
    """Return the seed of what an id names: its number counts, whatever letters stand before."""
    number = int("".join(character for character in identifier if character.isdigit()))
    return int(stream(seed, f"pictures of a {what}", number).integers(2**62))
