"""Make a cohort of the training part of TN-SCUI 2020: stills with outlines, benign or malignant."""

from pathlib import Path
from typing import Final

from isthmus.cohort.description import Description
from isthmus.cohort.draft import CohortDraft, new_cohort
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
from isthmus.errors import TableError
from isthmus.tables.text import read_cells

_COLUMNS: Final = ("ID", "CATE")


def import_tnscui(source: Path | str, destination: Path | str, progress: Progress | None = None) -> ImportReport:
    """Read TN-SCUI's training folder and write a cohort folder.

    Parameters
    ----------
    source : Path
        The folder with ``image/``, ``mask/`` and ``train.csv``.
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
    require(source, "image", "mask", "train.csv", name="TN-SCUI 2020's training part")
    card = DATA_SETS["tnscui"]
    with new_cohort(destination, "cohort import tnscui") as draft:
        pictures = listed(source / "image")
        labels = _labels(source / "train.csv", {path.stem for path in pictures}, draft)
        masks = {path.stem: path for path in listed(source / "mask")}
        stills = [
            Still(
                file=f"image/{path.name}",
                path=path,
                picture_name=path.stem,
                view_id=path.stem,
                nodule_id=path.stem,
                patient_id=path.stem,
                label=labels.get(path.stem, ""),
                split="train",
                mask=masks.get(path.stem, source / "mask" / path.name),
                notes=[] if path.stem in labels else ["train.csv has no label of it"],
            )
            for path in pictures
        ]
        add_stills(draft, stills, site="TN-SCUI", progress=progress)
        draft.finish(
            Description(
                name=card.title,
                licence=card.terms,
                citation=card.citation,
                patient_ids="absent",
                targets={"malignant": MALIGNANT},
                remarks=[
                    NO_PATIENT_IDS,
                    "Only the challenge's training part has labels: all of it is 'train', there is no test part.",
                    "Whether a label comes from cytology or histology is not said picture by picture.",
                ],
            )
        )
    return draft.report


def _labels(path: Path, pictures: set[str], draft: CohortDraft) -> dict[str, str]:
    cells = read_cells(path)
    if not set(_COLUMNS) <= set(cells.header):
        raise TableError(f"its columns are {', '.join(cells.header)}", where=str(path), expected=", ".join(_COLUMNS))
    name_at, label_at = (cells.header.index(column) for column in _COLUMNS)
    labels: dict[str, str] = {}
    wrong = []
    for line, row in zip(cells.lines, cells.rows, strict=True):
        stem, label = Path(row[name_at].strip()).stem, row[label_at].strip()
        if label not in MALIGNANT.classes:
            wrong.append((f"line {line}", "CATE is not 0 or 1"))
        elif stem not in pictures:
            wrong.append((f"line {line}", "it names no picture that is here"))
        elif labels.setdefault(stem, label) != label:
            wrong.append((f"line {line}", "it contradicts an earlier line: the picture has no label"))
            labels[stem] = ""
    note_rows(draft, path.name, wrong)
    return {stem: label for stem, label in labels.items() if label}
