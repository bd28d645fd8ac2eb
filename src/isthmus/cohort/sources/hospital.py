"""A hospital's own pictures and table: the draft of a map where there is none, and the import by a map."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from isthmus.cohort.draft_map import CHECK, draft_map
from isthmus.cohort.join import SourcePicture
from isthmus.cohort.map_parts import TableRule
from isthmus.cohort.map_preview import Preview, preview
from isthmus.cohort.mapping import read_map, write_map
from isthmus.cohort.sources.dicom import import_dicom
from isthmus.cohort.sources.dicom_files import DicomFile, walk_export
from isthmus.cohort.sources.folder import import_folder
from isthmus.cohort.sources.folder_files import walk_folder
from isthmus.cohort.sources.import_report import ImportReport
from isthmus.cohort.table_file import guess_header_row, read_cells_of, read_source_table, table_of
from isthmus.errors import CohortError, InputError, OutputError
from isthmus.files import refuse_existing
from isthmus.imaging.limits import Limits

Kind = Literal["folder", "dicom"]
Progress = Callable[[int, int, str], None]
MAP_FILE = "map.yaml"


@dataclass(frozen=True)
class WrittenDraft:
    """A map that was written because there was none.

    Parameters
    ----------
    path : Path
        Where it is.
    table : str
        How the table was read, in words.
    checks : int
        How many of its lines are marked to be checked.
    seen : Preview or None
        What would come of it; None where something needed is missing.
    """

    path: Path
    table: str
    checks: int
    seen: Preview | None


def write_draft(kind: Kind, source: Path, table: Path) -> WrittenDraft:
    """Write a draft map beside the table, or in the current folder where that cannot be written to.

    Parameters
    ----------
    kind : {'folder', 'dicom'}
        What the source is.
    source : Path
        The folder of pictures.
    table : Path
        The hospital's table.

    Returns
    -------
    WrittenDraft

    Raises
    ------
    InputError
        When a map is there already: it is never overwritten.
    TableError
        When the table cannot be read.
    CohortError
        When there is no such source.
    """
    for place in (table.parent / MAP_FILE, Path(MAP_FILE)):
        if place.exists():
            raise InputError(
                "a map is here already and is not overwritten",
                where=str(place),
                hint=f"use it with --map {place}, or move it away for a new draft",
            )
    cells = read_cells_of(table, TableRule())
    header_row = guess_header_row(cells)
    read = table_of(cells, table.name, header_row)
    pictures = _pictures(kind, source, table)
    draft = draft_map(
        read, pictures, name=source.resolve().name, header_row=header_row, sheet=cells.sheet if cells.several else None
    )
    place = table.parent / MAP_FILE
    try:
        write_map(place, draft.text)
    except OutputError:
        place = Path(MAP_FILE)
        write_map(place, draft.text)
    seen = preview(read, read_map(place), pictures) if draft.whole else None
    checks = sum(f"# {CHECK}" in line for line in draft.text.splitlines())
    return WrittenDraft(place, read.origin, checks, seen)


def import_by_map(
    kind: Kind,
    source: Path,
    destination: Path,
    *,
    table: Path,
    map_path: Path,
    key: Path | None = None,
    masks: Path | None = None,
    strict: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """Import pictures and a table as a map says; see :func:`import_folder` and :func:`import_dicom`.

    Raises
    ------
    CohortError
        When a DICOM import has no key file: its patients always get pseudonyms.
    InputError, TableError, OutputError
        As the two functions.
    """
    refuse_existing(destination)
    mapping = read_map(map_path)
    read = read_source_table(table, mapping.table)
    if kind == "folder":
        return import_folder(
            source,
            destination,
            table=read,
            mapping=mapping,
            key=key,
            masks=masks,
            skip=[table, map_path],
            strict=strict,
            progress=progress,
        )
    if key is None:
        raise CohortError(
            "a DICOM import gives patients pseudonyms and needs a place for the key",
            where="--key",
            expected="a file outside the cohort, e.g. --key ../study.key.json",
        )
    return import_dicom(source, destination, table=read, mapping=mapping, key=key, masks=masks, progress=progress)


def _pictures(kind: Kind, source: Path, table: Path) -> list[SourcePicture]:
    if kind == "folder":
        found = walk_folder(source, [table, table.parent / MAP_FILE])
        return [SourcePicture(item.file) for item in found if item.kind == "picture"]
    export = walk_export(source, Limits())
    return [SourcePicture(item.file, item.keys) for item in export if isinstance(item, DicomFile)]
