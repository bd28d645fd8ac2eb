"""Make a cohort of a folder of pictures and a table, joined as a map says."""

import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from isthmus.cohort.cell_values import tidy
from isthmus.cohort.draft import CohortDraft, new_cohort
from isthmus.cohort.fill import fill_cohort
from isthmus.cohort.identity_guard import SHORTEST, identifying_parts, refuse_identifiers
from isthmus.cohort.join import Joined, SourcePicture, join_rows
from isthmus.cohort.mapping import CohortMap
from isthmus.cohort.outlines import OutlineIndex
from isthmus.cohort.private_list import shown_name, without_cells, write_private_list
from isthmus.cohort.pseudonyms import Pseudonyms, open_key, refuse_inside
from isthmus.cohort.rows import UnderstoodRows, nodule_keys, understand
from isthmus.cohort.source_table import SourceTable
from isthmus.cohort.sources.folder_files import FolderFile, walk_folder
from isthmus.cohort.sources.folder_pictures import FolderViews
from isthmus.cohort.sources.import_report import ImportReport, ReportLine
from isthmus.errors import CohortError
from isthmus.files import refuse_existing
from isthmus.imaging.limits import Limits

Progress = Callable[[int, int, str], None]

_DEFAULT_LIMITS = Limits()


def import_folder(
    source: Path | str,
    destination: Path | str,
    *,
    table: SourceTable,
    mapping: CohortMap,
    key: Path | None = None,
    masks: Path | None = None,
    skip: Iterable[Path] = (),
    strict: bool = False,
    limits: Limits = _DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> ImportReport:
    """Read a folder of pictures and a table and write a cohort folder.

    Parameters
    ----------
    source : Path
        Pictures and clips in folders of any depth.
    destination : Path
        The cohort folder to make; it may not exist.
    table : SourceTable
        The hospital's table.
    mapping : CohortMap
        How both become a cohort.
    key : Path, optional
        The key file of pseudonyms: patients then get new names, pictures are black outside their scan area, and the
        report calls files by number. Without it the table's ids stay.
    masks : Path, optional
        A folder of outlines; those beside the pictures are found without it.
    skip : iterable of Path
        What in the source is not part of it: the table, the map.
    strict : bool
        Whether any cell, row or picture that cannot be used refuses the whole import.
    limits : Limits
        What is refused as too large.
    progress : callable, optional
        Called as ``progress(done, total, what)``.

    Returns
    -------
    ImportReport
        One line for every file, row and unusable cell; also written into the folder.

    Raises
    ------
    CohortError
        When there is no picture, none fits a row, or a copied column names a patient.
    InputError
        When the map does not fit the table.
    OutputError
        When the destination exists or cannot be written.
    """
    source, destination = Path(source), Path(destination)
    refuse_existing(destination)
    _check_identity(mapping, key, destination)
    rows = understand(table, mapping)
    found = walk_folder(source, [*skip, destination, *([masks] if masks else [])], mapping.frame_folders)
    joined = _join(found, table, rows, mapping, source)
    index = OutlineIndex.of(source, masks=masks)
    names: AbstractContextManager[Pseudonyms | None] = open_key(key, outside=destination) if key else nullcontext()
    with new_cohort(destination, "cohort import folder") as draft, names as pseudonyms:
        shown = _Shown(found, table, mapping, hide_all=key is not None)
        views = FolderViews(draft, source, index, key is not None or mapping.screen == "black", limits)
        description = fill_cohort(
            draft, joined, rows, mapping, views, names=pseudonyms, shown=shown.picture, move=progress
        )
        draft.report.lines += [*_other_lines(found, shown), *_outline_lines(index, found, shown)]
        refuse_identifiers(draft, shown.parts)
        if key is not None:
            without_cells(draft.report, rows.faults)
        if strict:
            _refuse_faults(draft, rows)
        if key is not None:
            numbers = {item.file: item.number for item in found}
            write_private_list(key, destination.name, numbers, draft.report.lines)
        draft.finish(description)
    return draft.report


def _check_identity(mapping: CohortMap, key: Path | None, destination: Path) -> None:
    if key is not None:
        refuse_inside(key, destination)
    elif mapping.columns.patient_id.heading in mapping.identifying:
        raise CohortError(
            f"patients are told by {mapping.columns.patient_id.heading!r}, which is identifying",
            where="columns.patient_id",
            hint="give them pseudonyms: --key KEYFILE",
        )


def _join(
    found: list[FolderFile], table: SourceTable, rows: UnderstoodRows, mapping: CohortMap, source: Path
) -> Joined:
    pictures = [SourcePicture(item.file) for item in found if item.kind == "picture"]
    if not pictures:
        dicom = sum("DICOM" in item.why for item in found)
        raise CohortError(
            f"no picture among {len(found)} files here",
            where=str(source),
            expected="PNG, JPEG, TIFF, BMP, GIF, AVI, MP4 or MOV",
            hint=f"{dicom} are DICOM: `isthmus cohort import dicom`" if dicom else "name the folder of the pictures",
        )
    joined = join_rows(table.frame, pictures, mapping.join, unit=nodule_keys(rows, mapping))
    if not joined.pairs:
        raise CohortError(
            f"no row and no picture belong together ({len(table.frame)} rows, {len(pictures)} pictures, "
            f"{len(joined.ambiguous)} ambiguous)",
            where="join",
            expected=" and ".join(f"{heading!r} = {key} of the picture" for heading, key in mapping.join.match.items()),
            hint="mend `join` in the map; without --map a new draft shows what was found",
        )
    return joined


class _Shown:
    """Names of files in reports: numbers where a path may hold a name."""

    def __init__(self, found: list[FolderFile], table: SourceTable, mapping: CohortMap, *, hide_all: bool) -> None:
        private = [heading for heading in mapping.identifying if heading in table.frame.columns]
        if hide_all and mapping.columns.patient_id.heading:
            private.append(mapping.columns.patient_id.heading)
        texts = [text for heading in private for text in table.frame[heading]]
        self.parts = identifying_parts(texts)
        self._short = {word for text in texts for word in _words(text) if 1 < len(word) < SHORTEST}
        self._numbers = {item.file: item.number for item in found}
        self._hide_all = hide_all

    def file(self, path: str) -> str:
        """Return a file's name, or its number."""
        if not self._hide_all and not self._names(path):
            return path
        return shown_name(self._numbers[path]) if path in self._numbers else "a file whose name is not shown"

    def reason(self, text: str) -> str:
        """Return why a file is not used; what follows a colon may quote paths."""
        return text.partition(":")[0] if self._hide_all or self._names(text) else text

    def _names(self, text: str) -> bool:
        # Some systems write 'ü' in a file's name as two signs; the table has one.
        text = tidy(text).lower()
        return any(part in text for part in self.parts) or not self._short.isdisjoint(_words(text))

    def picture(self, picture: SourcePicture) -> str:
        """Return a picture's name, or its number."""
        return self.file(picture.file)


def _words(text: str) -> list[str]:
    """Return the words of a text, small letters: a short name such as Li is one of a path's, not a part of one."""
    return re.findall(r"[^\W\d_]+", tidy(text).lower())


def _other_lines(found: list[FolderFile], shown: _Shown) -> list[ReportLine]:
    others = [item for item in found if item.kind == "other"]
    return [ReportLine(shown.file(item.file), "other", "", "not read", 0, "", item.why) for item in others]


def _outline_lines(index: OutlineIndex, found: list[FolderFile], shown: _Shown) -> list[ReportLine]:
    """Return a line for every file of outlines: faults first, then those that were read, or had nothing to give."""
    lines = [(fault.file, "not used", fault.reason) for fault in index.faults]
    told = {file for file, _, _ in lines}
    for file, asked in index.files().items():
        if file not in told:
            lines.append((file, "read", "") if asked else (file, "not used", "its picture is not in the cohort"))
    told |= set(index.files())
    lines += [
        (item.file, "not read", "it holds no outline")
        for item in found
        if item.kind == "outline" and item.file not in told
    ]
    return [
        ReportLine(shown.file(file), "outline", "", status, 0, "", shown.reason(reason))
        for file, status, reason in lines
    ]


def _refuse_faults(draft: CohortDraft, rows: UnderstoodRows) -> None:
    """Refuse an import in which anything was left out."""
    good = ("labelled", "unlabelled", "used", "used with another row", "read", "not read")
    left = [line for line in draft.report.lines if line.status not in good]
    if left:
        listed = "".join(f"\n  {line.file}: {line.status}; {line.detail}" for line in left[:20])
        rest = f"\n  and {len(left) - 20} more" if len(left) > 20 else ""
        raise CohortError(f"{len(left)} faults, and --strict takes none:{listed}{rest}", hint="import without --strict")
