"""Make a cohort of TN5000: 5,000 stills with boxes in Pascal VOC; parts as published (3,500, 500, 1,000)."""

from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element

from isthmus.cohort.description import Description
from isthmus.cohort.draft import CohortDraft, new_cohort
from isthmus.cohort.outlines.outline import OutlineUnusable
from isthmus.cohort.outlines.text_files import number, read_xml_file
from isthmus.cohort.sources import Progress
from isthmus.cohort.sources.cards import DATA_SETS
from isthmus.cohort.sources.import_report import ImportReport
from isthmus.cohort.sources.labelled_pictures import (
    MALIGNANT,
    NO_PATIENT_IDS,
    Still,
    add_stills,
    listed,
    note_rows,
    require,
)
from isthmus.imaging.clip import Box

_FOLDER: Final = "TN5000_forReview"
_PARTS: Final = {"test": "test", "val": "tune", "train": "train"}


def import_tn5000(source: Path | str, destination: Path | str, progress: Progress | None = None) -> ImportReport:
    """Read TN5000's folder and write a cohort folder.

    Parameters
    ----------
    source : Path
        ``TN5000_forReview`` itself, or the folder that holds it.
    destination : Path
        The cohort folder to make; it may not exist.
    progress : callable, optional
        Called as ``progress(done, total, what)``.

    Raises
    ------
    CohortError
        When the folder lacks a part of the set, or nothing in it can be used.
    OutputError
        When the destination exists or cannot be written.
    """
    source = Path(source)
    source = source / _FOLDER if (source / _FOLDER).is_dir() else source
    lists = [f"ImageSets/Main/{part}.txt" for part in _PARTS]
    require(source, "JPEGImages", "Annotations", *lists, name="TN5000")
    card = DATA_SETS["tn5000"]
    with new_cohort(destination, "cohort import tn5000") as draft:
        pictures = listed(source / "JPEGImages")
        parts = _published_parts(source, {path.stem for path in pictures}, draft)
        stills = [still for path in pictures for still in _stills(source, path, parts)]
        add_stills(draft, stills, site="TN5000", progress=progress)
        draft.finish(
            Description(
                name=card.title,
                licence=card.terms,
                citation=card.citation,
                patient_ids="absent",
                targets={"malignant": MALIGNANT},
                remarks=[
                    NO_PATIENT_IDS,
                    "Labels were confirmed by biopsy, by its authors; cytology and histology are not told apart.",
                    "Boxes only, no outlines: corners are read as Pascal VOC defines them, counted from 1.",
                    "The published 'val' part is 'tune' here.",
                ],
            )
        )
    return draft.report


def _published_parts(source: Path, pictures: set[str], draft: CohortDraft) -> dict[str, str]:
    """Return stem to part; a name in several lists goes to the one nearest to test, and is reported."""
    parts: dict[str, str] = {}
    for part, code in _PARTS.items():
        path = source / "ImageSets" / "Main" / f"{part}.txt"
        names = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
        wrong = []
        for line, name in enumerate(names, start=1):
            if name and name not in pictures:
                wrong.append((f"line {line}", "it names no picture that is here"))
            elif name and parts.setdefault(name, code) != code:
                wrong.append((f"line {line}", f"the picture stands in the {parts[name]} part too, and stays there"))
        note_rows(draft, path.name, wrong)
    return parts


def _stills(source: Path, path: Path, parts: dict[str, str]) -> list[Still]:
    """Return one still for each nodule of a picture: two boxes of one picture are two nodules."""
    notes = [] if path.stem in parts else ["no list of the published split names it"]
    try:
        objects = _objects(read_xml_file(source / "Annotations" / f"{path.stem}.xml"))
    except FileNotFoundError:
        return [_still(path, "", path.stem, parts, notes, fault="it has no annotation file")]
    except OutlineUnusable as error:
        return [_still(path, "", path.stem, parts, notes, fault=f"its annotation file: {error}")]
    if len(objects) > 1:
        notes.append(f"it has {len(objects)} boxes: a nodule each")
    return [
        _still(path, label, path.stem if index == 1 else f"{path.stem}_{index}", parts, list(notes), box=box)
        for index, (label, box) in enumerate(objects, start=1)
    ]


def _objects(root: Element) -> list[tuple[str, Box]]:
    found = []
    for item in root.findall("object"):
        label = (item.findtext("name") or "").strip()
        if label not in MALIGNANT.classes:
            raise OutlineUnusable("an object's name is not 0 or 1")
        x0, y0, x1, y1 = (number(item.findtext(f"bndbox/{key}"), key) for key in ("xmin", "ymin", "xmax", "ymax"))
        found.append((label, (max(x0 - 1, 0.0), max(y0 - 1, 0.0), x1, y1)))
    if not found:
        raise OutlineUnusable("it holds no object")
    return found


def _still(
    path: Path,
    label: str,
    name: str,
    parts: dict[str, str],
    notes: list[str],
    *,
    box: Box | None = None,
    fault: str = "",
) -> Still:
    return Still(
        file=f"JPEGImages/{path.name}",
        path=path,
        picture_name=path.stem,
        view_id=name,
        nodule_id=name,
        patient_id=path.stem,
        label=label,
        split=parts.get(path.stem, ""),
        boxes=(box,) if box else (),
        notes=notes,
        fault=fault,
    )
