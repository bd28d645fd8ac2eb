"""Make a cohort of ThyroidXL: stills with masks of 4,093 patients; parts as published, by patient.

Pictures belong to a patient, not to one of the nodules that the patient's record describes, and so does the conclusion:
a patient is one row of ``nodules.csv``. The conclusion says the reference: 1 and 4 histology, 2 and 3 cytology.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from isthmus.cohort.description import Description
from isthmus.cohort.draft import CohortDraft, new_cohort
from isthmus.cohort.outlines.outline import OutlineUnusable
from isthmus.cohort.outlines.text_files import read_json_file
from isthmus.cohort.sources import Progress
from isthmus.cohort.sources.cards import DATA_SETS
from isthmus.cohort.sources.import_report import ImportReport
from isthmus.cohort.sources.labelled_pictures import MALIGNANT, Still, add_stills, listed, note_rows, require
from isthmus.errors import CohortError

_CONCLUSIONS: Final[Mapping[float, tuple[str, str]]] = {
    1: ("1", "surgery"),
    2: ("1", "cytology"),
    3: ("0", "cytology"),
    4: ("0", "surgery"),
}
_SEX: Final[Mapping[float, str]] = {1: "M", 2: "F"}
_PARTS: Final = ("test", "train")
_NODULE: Final = re.compile(r"nodule_\d+")
_OLDEST: Final = 120
_LARGEST_MM: Final = 300


def import_thyroidxl(source: Path | str, destination: Path | str, progress: Progress | None = None) -> ImportReport:
    """Read ThyroidXL's folder and write a cohort folder.

    Parameters
    ----------
    source : Path
        The folder with ``train/``, ``test/`` and ``stats/``.
    destination : Path
        The cohort folder to make; it may not exist.
    progress : callable, optional
        Called as ``progress(done, total, what)``.

    Raises
    ------
    CohortError
        When the folder lacks a part of the set, its records cannot be read, or nothing in it can be used.
    OutputError
        When the destination exists or cannot be written.
    """
    source = Path(source)
    folders = [f"{part}/{kind}" for part in _PARTS for kind in ("images", "masks")]
    lists = [f"stats/{part}_patients.txt" for part in _PARTS]
    require(source, *folders, *lists, "stats/id2info_eng.json", name="ThyroidXL")
    card = DATA_SETS["thyroidxl"]
    records = _records(source / "stats" / "id2info_eng.json")
    with new_cohort(destination, "cohort import thyroidxl") as draft:
        parts = _published_parts(source, records, draft)
        stills = [still for part in _PARTS for still in _part(source, part, records, parts)]
        _missing_pictures(source, records, parts, draft)
        add_stills(draft, stills, site="ThyroidXL", progress=progress)
        draft.finish(
            Description(
                name=card.title,
                licence=card.terms,
                citation=card.citation,
                targets={"malignant": MALIGNANT},
                remarks=[
                    "The label is the patient's conclusion, and pictures are not told apart by nodule: a patient is "
                    "taken as one nodule; size and TI-RADS are given where the record describes only one.",
                    "Most labels are cytology, not histology: 'reference' says which.",
                    "Ages above 120 (some are birth years in the source) are left blank.",
                    "Sizes are the longest side in the record, taken as millimetres; TI-RADS is its number, 1 to 5, "
                    "read as ACR's level.",
                ],
            )
        )
    return draft.report


def _records(path: Path) -> dict[str, dict[str, Any]]:
    try:
        content = read_json_file(path)
    except OutlineUnusable as error:
        raise CohortError(f"the records cannot be read: {error}", where=str(path)) from error
    if not isinstance(content, dict):
        raise CohortError("the records are not by patient", where=str(path), expected='{"patient": {…}}')
    return {str(patient): record for patient, record in content.items() if isinstance(record, dict)}


def _published_parts(source: Path, records: dict[str, dict[str, Any]], draft: CohortDraft) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in _PARTS:
        path = source / "stats" / f"{part}_patients.txt"
        wrong = []
        for line, patient in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            name = patient.strip()
            if name and name not in records:
                wrong.append((f"line {line}", "id2info_eng.json has no record of this patient"))
            elif name and parts.setdefault(name, part) != part:
                wrong.append(
                    (f"line {line}", "the patient stands in the test part too: the training pictures are left out")
                )
        note_rows(draft, path.name, wrong)
    return parts


def _part(source: Path, part: str, records: dict[str, dict[str, Any]], parts: dict[str, str]) -> list[Still]:
    owners: dict[str, str] = {}
    for patient, record in records.items():
        for name in _pictures(record):
            owners.setdefault(name, patient)
    masks = {path.stem: path for path in listed(source / part / "masks")}
    stills = []
    for path in listed(source / part / "images"):
        patient = owners.get(path.name) or path.stem.split("_")[0]
        stills.append(_still(source, part, path, patient, records.get(patient), parts, masks.get(path.stem)))
    return stills


def _still(
    source: Path,
    part: str,
    path: Path,
    patient: str,
    record: dict[str, Any] | None,
    parts: dict[str, str],
    mask: Path | None,
) -> Still:
    notes: list[str] = []
    fault = ""
    if record is None:
        fault = "no record of its patient"
    elif parts.get(patient) != part:
        fault = f"its patient is in the {parts[patient]} part" if patient in parts else "its patient is in no part"
    label, reference = _CONCLUSIONS.get(_number((record or {}).get("conclusion")) or 0, ("", ""))
    if record is not None and not label:
        notes.append("its patient's conclusion is not 1 to 4: no label")
    return Still(
        file=f"{part}/images/{path.name}",
        path=path,
        picture_name=path.stem,
        view_id=path.stem,
        nodule_id=patient,
        patient_id=patient,
        label=label,
        split=part,
        mask=mask or source / part / "masks" / path.name,
        patient=_person(record or {}),
        nodule={"reference": reference, **_nodule(record or {})},
        notes=notes,
        fault=fault,
    )


def _person(record: dict[str, Any]) -> dict[str, Any]:
    age = _number(record.get("age"))
    return {
        "sex": _SEX.get(_number(record.get("gender")) or 0, ""),
        "age_years": age if age and age <= _OLDEST else None,
    }


def _nodule(record: dict[str, Any]) -> dict[str, Any]:
    """Return size and TI-RADS where the record describes one nodule; of several, the pictures' own is not said."""
    described = [
        {str(name).lower(): entry for name, entry in value.items()}
        for key, value in sorted(record.items())
        if _NODULE.fullmatch(key) and isinstance(value, dict) and value
    ]
    found: dict[str, Any] = {"nodules_described": str(len(described))}
    if len(described) == 1:
        sides = [_number(described[0].get(side)) for side in ("width", "height", "depth")]
        level = _number(described[0].get("tirads"))
        found["size_mm"] = max((side for side in sides if side and side <= _LARGEST_MM), default=None)
        found["tirads"] = f"TR{int(level)}" if level in (1, 2, 3, 4, 5) else ""
    return found


def _pictures(record: dict[str, Any]) -> list[str]:
    names = record.get("images")
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _number(value: Any) -> float | None:
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if 0 < found < 1e4 else None


def _missing_pictures(
    source: Path, records: dict[str, dict[str, Any]], parts: dict[str, str], draft: CohortDraft
) -> None:
    there: dict[str, set[str]] = defaultdict(set)
    for part in _PARTS:
        there[part] = {path.name for path in listed(source / part / "images")}
    lost = [
        (f"patient in {part}", f"its picture {name} is not there")
        for patient, part in sorted(parts.items())
        for name in _pictures(records[patient])
        if name not in there[part]
    ]
    note_rows(draft, "id2info_eng.json", lost)
