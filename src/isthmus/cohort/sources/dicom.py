"""Make a cohort of a hospital's DICOM export and its table: joined first, then everybody gets a pseudonym.

The headers' identifiers live in memory, in the key file and in the private list beside it, and nowhere else. A file
that cannot be used is one line of the report; it never ends the import.
"""

from collections.abc import Callable
from pathlib import Path

from isthmus.cohort.draft import CohortDraft, new_cohort
from isthmus.cohort.fill import fill_cohort
from isthmus.cohort.identity_guard import identifying_parts, refuse_identifiers
from isthmus.cohort.join import join_rows
from isthmus.cohort.mapping import CohortMap
from isthmus.cohort.outlines import OutlineIndex
from isthmus.cohort.private_list import shown_name, without_cells, write_private_list
from isthmus.cohort.pseudonyms import Pseudonyms, open_key, refuse_inside
from isthmus.cohort.rows import UnderstoodRows, nodule_keys, understand
from isthmus.cohort.source_table import SourceTable
from isthmus.cohort.sources import dicom_people as people
from isthmus.cohort.sources.dicom_files import DicomFile, OtherFile, walk_export
from isthmus.cohort.sources.dicom_pictures import DicomViews
from isthmus.cohort.sources.import_report import ImportReport, ReportLine
from isthmus.errors import CohortError, InputError
from isthmus.files import refuse_existing
from isthmus.imaging.limits import Limits

Progress = Callable[[int, int, str], None]
_DEFAULT_LIMITS = Limits()


def import_dicom(
    source: Path | str,
    destination: Path | str,
    *,
    table: SourceTable,
    mapping: CohortMap,
    key: Path | str,
    masks: Path | None = None,
    limits: Limits = _DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> ImportReport:
    """Read an export and a table and write a cohort folder in which nobody is named.

    Parameters
    ----------
    source : Path
        The export: folders of any depth; files need no suffix.
    destination : Path
        The cohort folder to make; it may not exist.
    table : SourceTable
        The hospital's table.
    mapping : CohortMap
        How the table and the headers become a cohort.
    key : Path
        The key file of the pseudonyms: made, or used again; never inside the cohort.
    masks : Path, optional
        A folder of outlines; those beside the pictures are found without it.
    limits : Limits
        What is refused as too large.
    progress : callable, optional
        Called as ``progress(done, total, what)``.

    Returns
    -------
    ImportReport
        One line for every file, row and unusable cell; also written into the folder. Files are called by number; the
        list of their paths stands beside the key file.

    Raises
    ------
    CohortError
        When there is no export, nothing in it can be used, the key file would lie in the cohort, or a column that
        the map copies still names somebody.
    InputError
        When the map does not fit the table, or asks for what names patients.
    OutputError
        When the destination exists or cannot be written.
    """
    source, destination, key = Path(source), Path(destination), Path(key)
    refuse_existing(destination)
    refuse_inside(key, destination)
    if mapping.screen == "keep" and "screen" in mapping.model_fields_set:
        raise InputError(
            "what stands outside the scan area of a DICOM picture is never kept: it names the patient",
            where="screen",
            expected="black",
            hint="take the line out of the map",
        )
    mapping = people.with_header_keys(mapping)
    rows = understand(table, mapping)
    found = _Export(source, limits, progress)
    # The key is saved before the cohort appears: never a cohort whose patients nobody can find again.
    with new_cohort(destination, "cohort import dicom") as draft, open_key(key, outside=destination) as names:
        _fill(draft, found, table, rows, mapping, names, masks)
        write_private_list(key, destination.name, found.numbers, draft.report.lines)
    return draft.report


class _Export:
    """The files of an export, their headers read."""

    def __init__(self, source: Path, limits: Limits, progress: Progress | None) -> None:
        self.source, self.limits, self.progress = source, limits, progress
        move = None if progress is None else lambda done, total: progress(done, total, "headers")
        found = list(walk_export(source, limits, move))
        self.numbers = {item.file: item.number for item in found}
        self.files = {item.file: item for item in found if isinstance(item, DicomFile)}
        self.others = [item for item in found if isinstance(item, OtherFile)]
        if not self.files:
            raise CohortError(
                f"no ultrasound picture among {len(found):,} files here",
                where=str(source),
                expected="DICOM files of ultrasound pictures",
                hint="for pictures that are not DICOM: isthmus cohort import folder",
            )

    def other_lines(self, outlines: dict[str, str]) -> list[ReportLine]:
        """Return a line for every file that gives no picture; ``outlines`` says why one gives no outline, or ''."""
        kinds = {"unreadable": "picture", "outline": "outline"}
        lines = []
        for item in self.others:
            kind, status, why = kinds.get(item.status, "other"), item.status, item.why
            if item.file in outlines:
                kind, status, why = "outline", "not used" if outlines[item.file] else "used", outlines[item.file]
            lines.append(ReportLine(shown_name(item.number), kind, "", status, 0, "", why))
        elsewhere = [why for file, why in outlines.items() if file not in self.numbers]
        lines += [
            ReportLine("mask folder", "outline", "", "not used" if why else "used", 0, "", why) for why in elsewhere
        ]
        return lines


def _fill(
    draft: CohortDraft,
    found: _Export,
    table: SourceTable,
    rows: UnderstoodRows,
    mapping: CohortMap,
    names: Pseudonyms,
    masks: Path | None,
) -> None:
    usable, lines = people.told_apart(found.files.values())
    draft.report.lines += lines
    pictures = [people.source_picture(file) for file in sorted(usable, key=people.in_time)]
    joined = join_rows(table.frame, pictures, mapping.join, unit=nodule_keys(rows, mapping))
    joined = people.with_site_pseudonyms(people.one_person_each(joined, rows), mapping, names)
    outlines = OutlineIndex.of(found.source, masks=masks, limits=found.limits)
    views = DicomViews(draft, found.source, found.files, outlines, names, found.limits)
    description = fill_cohort(
        draft,
        joined,
        rows,
        mapping,
        views,
        names=names,
        shown=lambda picture: shown_name(found.numbers[picture.file]),
        move=found.progress,
    )
    draft.report.lines += found.other_lines(views.outline_files())
    without_cells(draft.report, rows.faults)
    draft.report.remarks += _remarks(views)
    refuse_identifiers(draft, identifying_parts(people.identifiers(found.files.values(), _told(table, mapping))))
    draft.finish(description)


def _told(table: SourceTable, mapping: CohortMap) -> list[str]:
    """Return the table's cells that tell a patient: ids, what is joined by, what the map calls identifying."""
    columns = [mapping.columns.patient_id, mapping.columns.nodule_id, mapping.columns.exam_id]
    headings = [*mapping.join.match, *mapping.identifying, *(item.heading for item in columns if item and item.heading)]
    return [str(cell) for heading in dict.fromkeys(headings) for cell in table.frame[heading]]


def _remarks(views: DicomViews) -> list[str]:
    told = ["imported from DICOM under pseudonyms; outside its scan area every picture is painted black"]
    if views.words:
        told.append(f"{views.words:,} box(es) of text inside scan areas painted black")
    if views.marked:
        told.append(
            f"{views.marked:,} pictures still show marks in their scan area (calipers, arrows, single letters): "
            "look at them before you share the cohort"
        )
    return told
