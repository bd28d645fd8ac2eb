"""Cohort import: from a public data set, or from a hospital's own pictures and table, to a cohort folder."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from isthmus.cli.app import JsonOption, cohort_app, columns_of, progress_bars, show
from isthmus.progress import Progress

if TYPE_CHECKING:
    from isthmus.cohort.sources.hospital import Kind, WrittenDraft
    from isthmus.cohort.sources.import_report import ImportReport, ReportLine

OWN_DATA: tuple["Kind", ...] = ("folder", "dicom")
_SHOWN_CELLS = 20
_SHOWN_FILES = 3
_LEFT_OUT = {
    ("picture", "unreadable"): "cannot be read",
    ("picture", "without row"): "no row fits",
    ("picture", "ambiguous"): "fits several rows",
    ("picture", "left out"): "its row cannot be used",
    ("row", "without pictures"): "no picture fits",
    ("row", "ambiguous"): "shares its pictures with another row",
    ("row", "no usable picture"): "none of its pictures can be used",
    ("outline", "not used"): "not used",
}
"""Kind and status of what is left out, in the words of the summary; a row that a cell spoils is told by its cell."""


def _help() -> str:
    from isthmus.cohort.sources import data_set_lines

    sets = "\n".join(f"- {line}" for line in data_set_lines())
    return f"""Turn a public data set, or a hospital's own pictures and table, into a cohort folder.

**Your own data.** `folder`: pictures (PNG, JPEG, TIFF, BMP, GIF) and clips (AVI, MP4, MOV, folders of frames) in
folders of any depth. `dicom`: an export of DICOM files; patients always get pseudonyms. Both need `--table`, an .xlsx
or CSV with one row a patient, nodule or picture. The first time, without `--map`:

`isthmus cohort import folder PICTURES COHORT --table pathology.xlsx`

writes `map.yaml` beside the table: what each column seems to mean, to be read and mended. Then:

`isthmus cohort import folder PICTURES COHORT --table pathology.xlsx --map map.yaml`

Every file, row and unusable cell ends in exactly one line of COHORT/import_report.csv: nothing is dropped in silence,
nothing is guessed.

**Public data sets.** `isthmus cohort import NAME SRC DEST`:

{sets}
"""


@cohort_app.command("import", help=_help())
def cohort_import(
    dataset: Annotated[str, typer.Argument(help="`folder`, `dicom`, or the name of a public data set.")],
    source: Annotated[Path, typer.Argument(help="Folder with the pictures, or the data set as published.")],
    destination: Annotated[Path, typer.Argument(help="Cohort folder to make.")],
    table: Annotated[Path | None, typer.Option(help="folder, dicom: the table, .xlsx or CSV.")] = None,
    map_path: Annotated[Path | None, typer.Option("--map", help="folder, dicom: what the table means.")] = None,
    key: Annotated[
        Path | None,
        typer.Option(help="Key file of pseudonyms, outside DEST. dicom: needed; folder: keeps the ids without it."),
    ] = None,
    masks: Annotated[Path | None, typer.Option(help="Folder of outlines, where not beside the pictures.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="folder: refuse to leave anything out.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Turn a public data set, or a hospital's own pictures and table, into a cohort folder."""
    if dataset not in OWN_DATA:
        _refuse_options(dataset, table, map_path, key, masks, strict)
        with progress_bars(as_json) as progress:
            _import_public(dataset, source, destination, as_json, progress)
        return
    kind: Kind = "dicom" if dataset == "dicom" else "folder"
    if table is None:
        raise typer.BadParameter(f"{dataset} needs the table of its patients: --table pathology.xlsx")
    if strict and kind == "dicom":
        raise typer.BadParameter("--strict belongs to folder")
    if map_path is None:
        _write_draft(kind, source, destination, table, as_json)
    from isthmus.cohort.sources.hospital import import_by_map

    with progress_bars(as_json) as progress:
        report = import_by_map(
            kind,
            source,
            destination,
            table=table,
            map_path=map_path,
            key=key,
            masks=masks,
            strict=strict,
            progress=_mover(progress),
        )
    _show_report(report, destination, as_json)


def _refuse_options(dataset: str, *options: object) -> None:
    from isthmus.cohort.sources import DATA_SETS

    if dataset in DATA_SETS and any(options):
        raise typer.BadParameter("--table, --map, --key, --masks and --strict belong to folder and dicom")


def _import_public(dataset: str, source: Path, destination: Path, as_json: bool, progress: Progress | None) -> None:
    from isthmus.cohort.sources import import_data_set

    report = import_data_set(dataset, source, destination, _mover(progress))
    facts = {"pictures": report.counts("picture"), "cases": report.counts("case"), "cohort": report.totals}
    lines = [f"{kind}: {_counted(found)}" for kind, found in facts.items() if found]
    left_out = [_plain(line) for line in report.lines if line.kind == "picture" and not line.views]
    show({**facts, "left_out": left_out}, as_json, [*lines, *_endings(destination)])


def _plain(line: "ReportLine") -> dict[str, str]:
    return {"kind": line.kind, "file": line.file, "status": line.status, "detail": line.detail}


def _mover(progress: Progress | None) -> Callable[[int, int, str], None] | None:
    return None if progress is None else lambda done, total, what: progress(what, done, total)


def _write_draft(kind: "Kind", source: Path, destination: Path, table: Path, as_json: bool) -> NoReturn:
    from isthmus.cohort.sources.hospital import write_draft

    draft = write_draft(kind, source, table)
    words = ["isthmus", "cohort", "import", kind, source, destination, "--table", table, "--map", draft.path]
    words += ["--key", "STUDY.key.json"] if kind == "dicom" else []
    command = shlex.join(map(str, words))
    facts = {"map": str(draft.path), "checks": draft.checks, "next": command}
    show(facts, as_json, [*_draft_lines(draft, table), f"Next: {command}"])
    raise typer.Exit(1)


def _draft_lines(draft: "WrittenDraft", table: Path) -> list[str]:
    lines = [f"A first map was written: {draft.path}", f"Table: {table.name}, {draft.table}", ""]
    if draft.seen is not None:
        lines += ["As it stands, three rows are understood so:", ""]
        lines += [f"  {line}" for line in columns_of(draft.seen.headings, draft.seen.rows)]
        lines += ["", *draft.seen.counts]
    else:
        lines += [
            "It lacks what could not be guessed: how rows and pictures belong together, or which column is which. "
            "Fill in the lines with '???'."
        ]
    checks = f"{draft.checks} line{'s are' if draft.checks != 1 else ' is'} marked CHECK. " if draft.checks else ""
    return [*lines, f"Read it line by line. {checks}Nothing is imported yet."]


def _show_report(report: "ImportReport", destination: Path, as_json: bool) -> None:
    facts: dict[str, Any] = {f"{kind}s": report.counts(kind) for kind in report.kinds()} | {"cohort": report.totals}
    lines = [f"{kind}: {_counted(found)}" for kind, found in facts.items()]
    for (kind, status), words in _LEFT_OUT.items():
        found = [line for line in report.lines if (line.kind, line.status) == (kind, status)]
        lines += _some(kind, words, found)
    lines += [f"{line.file}: {line.detail}" for line in report.lines if line.kind == "column"]
    cells = [line for line in report.lines if line.kind == "cell"]
    if cells:
        lines += ["", f"{len(cells)} cells could not be used:"]
        lines += [f"  {line.file}: {line.detail}" for line in cells[:_SHOWN_CELLS]]
        lines += [f"  and {len(cells) - _SHOWN_CELLS} more in the report"] if len(cells) > _SHOWN_CELLS else []
        lines += [""]
    show(
        {
            **facts,
            "cells_listed": [f"{line.file}: {line.detail}" for line in cells],
            "left_out": [
                _plain(line)
                for line in report.lines
                if (line.kind, line.status) in _LEFT_OUT or (line.kind, line.status) == ("row", "left out")
            ],
        },
        as_json,
        [*lines, *_endings(destination)],
    )


def _some(kind: str, words: str, found: list["ReportLine"]) -> list[str]:
    if not found:
        return []
    first = [f"  {line.file}" + (f": {line.detail}" if line.detail else "") for line in found[:_SHOWN_FILES]]
    more = [f"  and {len(found) - _SHOWN_FILES} more in the report"] if len(found) > _SHOWN_FILES else []
    return ["", f"{len(found)} {kind}{'s' if len(found) > 1 else ''}: {words}", *first, *more]


def _counted(found: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in found.items()) or "none"


def _endings(destination: Path) -> list[str]:
    return [f"Every file: {destination / 'import_report.csv'}", f"Next: isthmus cohort check {destination}"]
