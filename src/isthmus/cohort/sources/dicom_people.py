"""Whose a DICOM picture is: copies taken once, people told apart, what is uncertain listed and left out."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from isthmus.cohort.cell_values import tidy
from isthmus.cohort.join import Ambiguous, Joined, SourcePicture
from isthmus.cohort.map_parts import Source
from isthmus.cohort.mapping import CohortMap
from isthmus.cohort.private_list import shown_name
from isthmus.cohort.pseudonyms import Pseudonyms
from isthmus.cohort.rows import UnderstoodRows
from isthmus.cohort.sources.dicom_files import KEYS, DicomFile
from isthmus.cohort.sources.import_report import ReportLine

SITE, STUDY, PERSON = "InstitutionName", "StudyInstanceUID", "PatientID"
_UIDS = (STUDY, "SeriesInstanceUID", "SOPInstanceUID")


def with_header_keys(mapping: CohortMap) -> CohortMap:
    """Return a map that takes site and examination from the headers where it names no other origin."""
    defaults = {
        name: Source(heading=None, key=key, constant=None, unit=None, order=None)
        for name, key in (("site", SITE), ("exam_id", STUDY))
        if getattr(mapping.columns, name) is None
    }
    return mapping.model_copy(update={"columns": mapping.columns.model_copy(update=defaults)})


def source_picture(file: DicomFile) -> SourcePicture:
    """Return a file as the join sees it: every key is there, blank where the header lacks it."""
    keys = {name: file.keys.get(name, "") for name in KEYS}
    return SourcePicture(file.file, keys | {"StudyDate": file.day.isoformat() if file.day else ""})


def in_time(file: DicomFile) -> tuple[str, ...]:
    """Return what sorts files by patient, then by time."""
    return file.keys.get(PERSON, ""), *file.taken


def told_apart(files: Iterable[DicomFile]) -> tuple[list[DicomFile], list[ReportLine]]:
    """Leave out copies of a picture, and ids that two people share.

    Returns
    -------
    list of DicomFile
        What can be joined.
    list of ReportLine
        What cannot, and why.
    """
    files = list(files)
    births: dict[str, set[str]] = defaultdict(set)
    for file in files:
        births[file.keys.get(PERSON, "")] |= {file.person[1]} - {""}
    first: dict[str, int] = {}
    usable, lines = [], []
    for file in files:
        person, uid = file.keys.get(PERSON, ""), file.keys.get("SOPInstanceUID", "")
        original = first.setdefault(uid, file.number) if uid else file.number
        if original != file.number:
            status, why = f"duplicate of {shown_name(original)}", "the same SOP Instance UID"
        elif person and len(births[person]) > 1:
            status, why = "ambiguous", f"one PatientID with {len(births[person])} dates of birth: two people"
        else:
            usable.append(file)
            continue
        lines.append(ReportLine(shown_name(file.number), "picture", "", status, 0, "", why))
    return usable, lines


def one_person_each(joined: Joined, rows: UnderstoodRows) -> Joined:
    """Take out rows whose pictures show two patients, and patients of the pictures who are two in the table."""
    pairs, ambiguous = [], list(joined.ambiguous)
    owners: dict[str, set[str]] = defaultdict(set)
    for row, pictures in joined.pairs:
        for person in _people(pictures):
            owners[person].add(rows.value(row, "patient_id"))
    for row, pictures in joined.pairs:
        people = _people(pictures)
        if len(people) > 1:
            why = f"its pictures are of {len(people)} patients by their PatientID"
            ambiguous.append(Ambiguous((row,), tuple(pictures), why))
        elif any(len(owners[person] - {""}) > 1 for person in people):
            why = "pictures of one PatientID belong to rows of different patients"
            ambiguous.append(Ambiguous((row,), tuple(pictures), why))
        else:
            pairs.append((row, pictures))
    return replace(joined, pairs=pairs, ambiguous=ambiguous)


def with_site_pseudonyms(joined: Joined, mapping: CohortMap, names: Pseudonyms) -> Joined:
    """Replace the names of hospitals that the map does not name a site for by pseudonyms, after the join."""
    site = mapping.columns.site
    if site is None or site.key != SITE:
        return joined
    known = {tidy(name) for name in site.values}

    def hidden(picture: SourcePicture) -> SourcePicture:
        name = tidy(picture.keys.get(SITE, ""))
        shown = name if name in known or not name else names.of(name, "site")
        return SourcePicture(picture.file, {**picture.keys, SITE: shown})

    return replace(joined, pairs=[(row, [hidden(picture) for picture in taken]) for row, taken in joined.pairs])


def identifiers(files: Iterable[DicomFile], cells: Iterable[str]) -> list[str]:
    """Return all texts that tell a person: ids and names of the headers, and the table's cells that hold such."""
    found = list(cells)
    for file in files:
        found += [file.keys.get(name, "") for name in (PERSON, "AccessionNumber", *_UIDS)]
        found.append(file.person[0])
    return list(dict.fromkeys(found))


def _people(pictures: Sequence[SourcePicture]) -> set[str]:
    return {person for picture in pictures if (person := picture.keys.get(PERSON, ""))}
