"""Fill a cohort from joined rows and pictures: what the folder and the DICOM importer share."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

from isthmus.cohort.cell_values import NotUnderstood, meaning
from isthmus.cohort.dates import parse_date
from isthmus.cohort.description import Description
from isthmus.cohort.draft import CohortDraft
from isthmus.cohort.join import Joined, SourcePicture
from isthmus.cohort.left_over import row_lines, unused_pictures
from isthmus.cohort.mapping import CohortMap
from isthmus.cohort.people import Entry, ViewMade, add_people
from isthmus.cohort.reader_columns import add_reads
from isthmus.cohort.rows import UnderstoodRows
from isthmus.cohort.sources.import_report import ReportLine
from isthmus.cohort.table_boxes import FrameBoxes, boxes_of_rows
from isthmus.errors import PictureError
from isthmus.imaging.clip import Box

__all__ = ["MakeView", "PatientNames", "ViewMade", "ViewPlace", "fill_cohort", "safe_name"]

Progress = Callable[[int, int, str], None]


class PatientNames(Protocol):
    """Gives a patient another name than the hospital's."""

    def patient_id_for(self, original: str) -> str:
        """Return the same new id for the same patient."""


@dataclass(frozen=True)
class ViewPlace:
    """Where a picture belongs.

    Parameters
    ----------
    view_id, nodule_id, patient_id : str
        As they stand in the cohort: pseudonyms where they are asked for.
    modality : str
        By the map; a B-mode clip is ``cine``, which the importer sees when it opens the file.
    exam_id, plane : str
        '' where unknown.
    exam_day : int, optional
        Days since the patient's first examination.
    box : Box, optional
        The lesion's box that the table gives, in pixels of the source.
    nodule : str
        The nodule as the table calls it, to tell outlines apart; not to be copied.
    device : str
        '' where the table does not say.
    frame_rate_hz : float, optional
        That the table gives: for a clip whose file does not say.
    frame_boxes : FrameBoxes
        The lesion's boxes in single frames that the table gives.
    """

    view_id: str
    nodule_id: str
    patient_id: str
    modality: str
    exam_id: str = ""
    plane: str = ""
    exam_day: int | None = None
    box: Box | None = None
    nodule: str = ""
    device: str = ""
    frame_rate_hz: float | None = None
    frame_boxes: FrameBoxes = ()

    def columns(self) -> dict[str, Any]:
        """Return what goes into ``views.csv`` as it is."""
        return {"exam_id": self.exam_id, "plane": self.plane, "exam_day": self.exam_day, "device": self.device}


MakeView = Callable[[SourcePicture, ViewPlace], ViewMade]
"""Adds the views of one picture to the draft; raises PictureError where it cannot be used."""


@dataclass
class _Names:
    """Ids as they stand in the cohort."""

    mapping: CohortMap
    new: PatientNames | None
    nodules: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    taken: set[str] = field(default_factory=set)

    def patient(self, original: str) -> str:
        return self.new.patient_id_for(original) if self.new else original

    def nodule(self, patient: str, own: str) -> str:
        known = self.nodules[patient]
        if own not in known:
            if not own:
                known[own] = patient
            elif self.new or own.startswith("row "):
                known[own] = f"{patient}_n{len(known) + 1}"
            else:
                whole = own.startswith(tuple(f"{patient}{sign}" for sign in "-_./"))
                known[own] = own if whole else f"{patient}_{own}"
            # 'A_1' may be a patient, or nodule 1 of patient A: two nodules never share a name.
            while known[own] in self.taken:
                known[own] += "-2"
            self.taken.add(known[own])
        return known[own]


def fill_cohort(
    draft: CohortDraft,
    joined: Joined,
    rows: UnderstoodRows,
    mapping: CohortMap,
    make_view: MakeView,
    *,
    names: PatientNames | None = None,
    shown: Callable[[SourcePicture], str] = lambda picture: picture.file,
    move: Progress | None = None,
) -> Description:
    """Add patients, nodules and views of all pairs to a draft, and a line of report for every picture and row.

    Parameters
    ----------
    draft : CohortDraft
        To be filled; the caller finishes it with the description.
    joined : Joined
        From :func:`isthmus.cohort.join.join_rows`.
    rows : UnderstoodRows
        From :func:`isthmus.cohort.rows.understand`.
    mapping : CohortMap
        The map.
    make_view : callable
        Adds one picture's views by :meth:`CohortDraft.add_view`.
    names : PatientNames, optional
        Gives pseudonyms; the hospital's ids stay without it.
    shown : callable, optional
        The name of a picture in the report: never one that holds a patient's name.
    move : callable, optional
        Called as ``move(done, total, what)``.

    Returns
    -------
    Description
        For :meth:`CohortDraft.finish`.
    """
    ids = _Names(mapping, names)
    entries, lines = _entries(joined, rows, mapping, ids, shown)
    exams = _exams(entries)
    counters: dict[str, int] = defaultdict(int)
    for done, entry in enumerate(entries, start=1):
        fitting = joined.fitting.get(entry.row, [entry.row])
        lines.append(_one_view(entry, rows, mapping, make_view, exams, counters, shown, fitting))
        if move is not None:
            move(done, len(entries), "pictures")
    used = [entry for entry in entries if entry.made is not None]
    add_people(draft, used, mapping)
    rows.faults += add_reads(draft, used, rows.table, mapping)
    draft.report.lines += lines
    draft.report.lines += unused_pictures(joined, shown)
    draft.report.lines += row_lines(draft, joined, rows, used, ids.patient)
    draft.report.lines += [
        ReportLine(fault.place, "cell", "", "not understood", 0, "", fault.what) for fault in rows.faults
    ]
    draft.report.lines += [
        ReportLine(f"{rows.table.file}, column {heading}", "column", "", "read", 0, "", words)
        for heading, words in rows.notes
    ]
    return mapping.description(len(rows.faults))


def _entries(
    joined: Joined,
    rows: UnderstoodRows,
    mapping: CohortMap,
    ids: _Names,
    shown: Callable[[SourcePicture], str],
) -> tuple[list[Entry], list[ReportLine]]:
    entries: list[Entry] = []
    lines: list[ReportLine] = []
    keyed = {name: source for name, source in mapping.all_sources().items() if source.key is not None}
    for row, pictures in joined.pairs:
        for picture in pictures:
            entry = Entry(row, picture, {str(k): str(v) for k, v in rows.values.loc[row].items()}, rows.days.get(row))
            why = rows.left_out.get(row, "") and f"row {row} cannot be used: {rows.left_out[row]}"
            for name, source in keyed.items():
                try:
                    entry.values[name] = meaning(name, picture.keys.get(source.key or "", ""), source)
                except NotUnderstood as error:
                    why = why or f"its {source.key} is not understood as {name}; expected {error}"
            entry.day = parse_date(picture.keys.get("StudyDate", "")) or entry.day
            if not why and not entry.values["patient_id"]:
                why = "it has no patient id"
            if why:
                lines.append(ReportLine(shown(picture), "picture", "", "left out", 0, "", why))
                continue
            entry.patient = ids.patient(entry.values["patient_id"])
            own = entry.values.get("nodule_id", "")
            if not own and mapping.nodules == "one_per_row" and mapping.columns.nodule_id is None:
                own = f"row {row}"
            entry.nodule = ids.nodule(entry.patient, own)
            entries.append(entry)
    return entries, lines


def _exams(entries: Iterable[Entry]) -> dict[str, list[tuple[date | None, str]]]:
    """Return each patient's examinations in the order of their dates."""
    held: dict[str, set[tuple[date | None, str]]] = defaultdict(set)
    for entry in entries:
        if entry.day is not None or entry.values.get("exam_id"):
            held[entry.patient].add((entry.day, entry.values.get("exam_id", "")))
    return {patient: sorted(exams, key=lambda exam: (exam[0] or date.max, exam[1])) for patient, exams in held.items()}


def _one_view(
    entry: Entry,
    rows: UnderstoodRows,
    mapping: CohortMap,
    make_view: MakeView,
    exams: dict[str, list[tuple[date | None, str]]],
    counters: dict[str, int],
    shown: Callable[[SourcePicture], str],
    fitting: Sequence[int],
) -> ReportLine:
    stem = safe_name(entry.nodule)
    counters[stem] += 1
    own = exams.get(entry.patient, [])
    first = next((day for day, _ in own if day is not None), None)
    exam = (entry.day, entry.values.get("exam_id", ""))
    relative = mapping.dates == "relative" and entry.day is not None and first is not None
    box, frame_boxes, note = boxes_of_rows(rows, fitting)
    place = ViewPlace(
        view_id=f"{stem}_v{counters[stem]:03d}",
        nodule_id=entry.nodule,
        patient_id=entry.patient,
        modality=entry.values.get("modality") or mapping.modality.of(entry.picture.file),
        exam_id=f"{entry.patient}_e{own.index(exam) + 1}" if exam in own else "",
        plane=entry.values.get("plane", ""),
        exam_day=(entry.day - first).days if relative and entry.day and first else None,
        box=box,
        nodule=entry.values.get("nodule_id", ""),
        device=entry.values.get("device", ""),
        frame_rate_hz=float(rate) if (rate := entry.values.get("frame_rate_hz")) else None,
        frame_boxes=frame_boxes,
    )
    label = entry.values.get(next(iter(mapping.targets), ""), "")
    try:
        entry.made = make_view(entry.picture, place)
    except PictureError as error:
        return ReportLine(shown(entry.picture), "picture", entry.patient, "unreadable", 0, label, _reason(error))
    detail = "; ".join(filter(None, (f"row {entry.row}", note, *entry.made.notes)))
    status = "labelled" if label else "unlabelled"
    return ReportLine(shown(entry.picture), "picture", entry.patient, status, entry.made.views, label, detail)


def safe_name(text: str) -> str:
    """Return an id as part of a file's name.

    Examples
    --------
    >>> safe_name("12/3:张"), safe_name("..")
    ('12-3-张', '-')
    """
    return re.sub(r"[^\w.-]+", "-", text).lstrip(".")[:80] or "-"


def _reason(error: PictureError) -> str:
    return error.what + (f"; expected {error.expected}" if error.expected else "")
