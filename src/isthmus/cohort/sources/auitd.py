"""Make a cohort of AUITD: pictures sorted into folders by class; no outlines, no patients, for trying things out."""

from pathlib import Path
from typing import Final

from isthmus.cohort.description import Description
from isthmus.cohort.draft import CohortDraft, new_cohort
from isthmus.cohort.sources import Progress
from isthmus.cohort.sources.cards import DATA_SETS
from isthmus.cohort.sources.import_report import ImportReport, ReportLine
from isthmus.cohort.sources.labelled_pictures import MALIGNANT, NO_PATIENT_IDS, Still, add_stills, listed, require

_LABELS: Final = {"benign": "0", "malignant": "1"}
_NORMAL: Final = "normal thyroid"
_PARTS: Final = ("test", "train")


def import_auitd(source: Path | str, destination: Path | str, progress: Progress | None = None) -> ImportReport:
    """Read AUITD's folder and write a cohort folder.

    Parameters
    ----------
    source : Path
        The folder with ``train/`` and ``test/``, each with ``Benign``, ``Malignant`` and ``normal thyroid``.
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
    require(source, *_PARTS, name="AUITD")
    card = DATA_SETS["auitd"]
    with new_cohort(destination, "cohort import auitd") as draft:
        stills = [still for part in _PARTS for still in _part(source, part, draft)]
        add_stills(draft, stills, site="AUITD", progress=progress)
        draft.finish(
            Description(
                name=card.title,
                licence=card.terms,
                citation=card.citation,
                patient_ids="absent",
                targets={"malignant": MALIGNANT},
                remarks=[
                    "FOR TRYING THINGS OUT ONLY: without patients, outlines or a stated reference, no figure made from "
                    "this set says how good a model is.",
                    NO_PATIENT_IDS,
                    "How the labels came about is not stated.",
                    "Pictures of 'normal thyroid' hold no nodule and are left out.",
                ],
            )
        )
    return draft.report


def _part(source: Path, part: str, draft: CohortDraft) -> list[Still]:
    stills = []
    for folder in sorted(path for path in (source / part).iterdir() if path.is_dir()):
        kind = folder.name.strip().lower()
        if kind in _LABELS:
            stills += [_still(path, part, kind) for path in listed(folder)]
        else:
            reason = "it shows no nodule" if kind == _NORMAL else "its folder is no class of the set"
            draft.report.lines += [
                ReportLine(f"{part}/{folder.name}/{path.name}", "picture", "", "without outline", 0, "", reason)
                for path in listed(folder)
            ]
    return stills


def _still(path: Path, part: str, kind: str) -> Still:
    # Names repeat between the folders, and pictures of one name may differ in suffix.
    name = f"{part}_{kind}_{path.stem}_{path.suffix[1:].lower()}".replace(" ", "_")
    return Still(
        file=f"{part}/{path.parent.name}/{path.name}",
        path=path,
        picture_name=name,
        view_id=name,
        nodule_id=name,
        patient_id=name,
        label=_LABELS[kind],
        split=part,
        outlined=False,
    )
