"""The patients and nodules of a cohort, from all their rows and pictures; patients who share pixels share a group."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from isthmus.cohort.draft import CohortDraft
from isthmus.cohort.join import SourcePicture
from isthmus.cohort.mapping import CohortMap
from isthmus.cohort.rows import PATIENT_COLUMNS

NODULE_COLUMNS = (
    *("reference", "sampling", "size_mm", "composition", "echogenicity", "shape", "margin", "echogenic_foci"),
    *("tirads", "split"),
)


@dataclass(frozen=True)
class ViewMade:
    """What became of a picture.

    Parameters
    ----------
    views : int
        How many views it gave.
    digest : str
        Hash of its decoded pixels; patients with the same one are tied into one group. '' where it is not known.
    notes : tuple of str
        What is to be said about it.
    """

    views: int = 1
    digest: str = ""
    notes: tuple[str, ...] = ()


@dataclass
class Entry:
    """A picture with its row: the row's values, and those that the picture itself gives."""

    row: int
    picture: SourcePicture
    values: dict[str, str]
    day: date | None
    patient: str = ""
    nodule: str = ""
    made: ViewMade | None = None
    line: int = -1


def add_people(draft: CohortDraft, entries: list[Entry], mapping: CohortMap) -> None:
    """Add the patients and nodules of all entries to a draft.

    Parameters
    ----------
    draft : CohortDraft
        To be filled.
    entries : list of Entry
        Those whose pictures gave a view.
    mapping : CohortMap
        The map.
    """
    groups = _groups(entries)
    of_patient = [*PATIENT_COLUMNS, *(name for name, target in mapping.targets.items() if target.unit == "patient")]
    of_patient += [name for name, extra in mapping.extra.items() if extra.table == "patients"]
    of_nodule = [*NODULE_COLUMNS, *(name for name in [*mapping.targets, *mapping.extra] if name not in of_patient)]
    by_patient: dict[str, list[Entry]] = defaultdict(list)
    by_nodule: dict[str, list[Entry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: (entry.day or date.max, entry.row)):
        by_patient[entry.patient].append(entry)
        by_nodule[entry.nodule].append(entry)
    for patient in dict.fromkeys(entry.patient for entry in entries):
        values = {column: _first(by_patient[patient], column) for column in of_patient}
        draft.add_patient(patient, values.pop("site") or "not stated", **values)
    for nodule in dict.fromkeys(entry.nodule for entry in entries):
        patient = by_nodule[nodule][0].patient
        values = {column: _first(by_nodule[nodule], column) for column in of_nodule}
        tied = {"group_id": groups[patient]} if patient in groups else {}
        draft.add_nodule(nodule, patient, **tied, **values)


def _first(entries: Iterable[Entry], column: str) -> str:
    return next((entry.values[column] for entry in entries if entry.values.get(column)), "")


def _groups(entries: Iterable[Entry]) -> dict[str, str]:
    """Return the group of every patient where any two share a picture's pixels; else nothing."""
    group: dict[str, str] = {}

    def root(patient: str) -> str:
        while group.get(patient, patient) != patient:
            patient = group[patient]
        return patient

    holders: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        group.setdefault(entry.patient, entry.patient)
        if entry.made is not None and entry.made.digest:
            holders[entry.made.digest].add(entry.patient)
    for tied in holders.values():
        lowest = min(root(patient) for patient in tied)
        for patient in tied:
            group[root(patient)] = lowest
    groups = {patient: root(patient) for patient in group}
    return groups if any(patient != lowest for patient, lowest in groups.items()) else {}
