"""Make a cohort of TN3K: 3,493 stills with outlines; parts as published (train 2,879, test 614).

Its five folds are published by position in a directory listing, which no file fixes; the position in the order of
names is taken, kept in ``nodules.csv`` as ``published_fold``, and said so.
"""

import csv
import io
from pathlib import Path
from typing import Final

from isthmus.cohort.description import Description
from isthmus.cohort.draft import CohortDraft, new_cohort
from isthmus.cohort.outlines.outline import OutlineUnusable
from isthmus.cohort.outlines.text_files import read_json_file
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
from isthmus.errors import CohortError

_PARTS: Final = {"trainval": "train", "test": "test"}
_FOLDS: Final = 5


def import_tn3k(source: Path | str, destination: Path | str, progress: Progress | None = None) -> ImportReport:
    """Read TN3K's folder and write a cohort folder.

    Parameters
    ----------
    source : Path
        The folder with ``trainval-image/``, ``trainval-mask/``, ``test-image/``, ``test-mask/`` and the label tables.
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
    needed = [f"{part}-{kind}" for part in _PARTS for kind in ("image", "mask")]
    require(source, *needed, *(f"label4{part}.csv" for part in _PARTS), name="TN3K")
    card = DATA_SETS["tn3k"]
    with new_cohort(destination, "cohort import tn3k") as draft:
        stills = [still for part in _PARTS for still in _part(source, part, draft)]
        add_stills(draft, stills, site="TN3K", progress=progress)
        draft.finish(
            Description(
                name=card.title,
                licence=card.terms,
                citation=card.citation,
                patient_ids="absent",
                targets={"malignant": MALIGNANT},
                remarks=[
                    NO_PATIENT_IDS,
                    "The labels were published after the pictures, by other authors; whether by cytology or histology "
                    "is not said picture by picture.",
                    "Masks are JPEG and read as black and white; a mask may hold several nodules, of which one label "
                    "is given for the picture.",
                    "published_fold is the fold whose validation part names the picture's position among the sorted "
                    "training pictures; the publication leaves the order of positions open.",
                ],
            )
        )
    return draft.report


def _part(source: Path, part: str, draft: CohortDraft) -> list[Still]:
    pictures = listed(source / f"{part}-image", (".jpg", ".jpeg", ".png"))
    labels = read_labels(source / f"label4{part}.csv", {path.name for path in pictures}, draft)
    folds = _folds(source, len(pictures), draft) if part == "trainval" else {}
    stills = []
    for position, path in enumerate(pictures):
        name = f"{part}_{path.stem}"
        stills.append(
            Still(
                file=f"{part}-image/{path.name}",
                path=path,
                picture_name=name,
                view_id=name,
                nodule_id=name,
                patient_id=name,
                label=labels.get(path.name, ""),
                split=_PARTS[part],
                mask=source / f"{part}-mask" / path.name,
                nodule={"published_fold": folds.get(position, "")},
                notes=[] if path.name in labels else ["the label table has no label of it"],
            )
        )
    return stills


def read_labels(path: Path, pictures: set[str], draft: CohortDraft) -> dict[str, str]:
    """Return file name to '0' or '1' from a table without header; other rows become lines of the report."""
    try:
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise CohortError("the label table cannot be read", where=str(path), expected="filename,label") from error
    labels: dict[str, str] = {}
    wrong = []
    for line, row in enumerate(rows, start=1):
        name, label = (row[0].strip(), row[1].strip()) if len(row) == 2 else ("", "")
        if not any(row):
            continue
        if label not in MALIGNANT.classes:
            wrong.append((f"line {line}", "its label is not 0 or 1"))
        elif name not in pictures:
            wrong.append((f"line {line}", "it names no picture that is here"))
        elif labels.setdefault(name, label) != label:
            wrong.append((f"line {line}", "it contradicts an earlier line: the picture has no label"))
            labels[name] = ""
    note_rows(draft, path.name, wrong)
    return {name: label for name, label in labels.items() if label}


def _folds(source: Path, pictures: int, draft: CohortDraft) -> dict[int, str]:
    """Return position to published fold."""
    folds: dict[int, str] = {}
    for number in range(_FOLDS):
        path = source / f"tn3k-trainval-fold{number}.json"
        if not path.is_file():
            continue
        try:
            content = read_json_file(path)
            positions = content["val"]
            if not all(isinstance(position, int) and 0 <= position < pictures for position in positions):
                raise OutlineUnusable(f"a position is not from 0 to {pictures - 1}")
        except (OutlineUnusable, KeyError, TypeError) as error:
            note_rows(draft, path.name, [("the whole file", f"it is no fold: {error}")])
            continue
        folds |= dict.fromkeys(positions, str(number))
    return folds
