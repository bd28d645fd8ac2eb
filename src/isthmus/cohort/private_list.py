"""What a pseudonymous cohort's report may say of its source, and the private list of the rest, beside the key file."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from isthmus.cohort.pseudonyms import private_path
from isthmus.cohort.source_table import CellFault
from isthmus.cohort.sources.import_report import ImportReport, ReportLine

COLUMNS = ("number", "source_file", "patient", "status", "detail")


def shown_name(number: int) -> str:
    """Return the name of a source's file in reports: its running number, since its path may hold a name.

    Examples
    --------
    >>> shown_name(17)
    'file 00017'
    """
    return f"file {number:05d}"


def without_cells(report: ImportReport, faults: Iterable[CellFault]) -> None:
    """Say of cells that could not be used where they stand, and neither what stands there nor what the table is called.

    Parameters
    ----------
    report : ImportReport
        Its lines of kind ``cell`` are written anew.
    faults : iterable of CellFault
        All of them.
    """
    hidden = [replace(fault, file="table", hidden=True) for fault in faults]
    report.lines = [line for line in report.lines if line.kind != "cell"]
    report.lines += [ReportLine(fault.place, "cell", "", "not understood", 0, "", fault.what) for fault in hidden]


def write_private_list(key: Path, cohort: str, numbers: Mapping[str, int], lines: Iterable[ReportLine]) -> Path:
    """Write the list of an import's files, readable by its owner alone.

    Parameters
    ----------
    key : Path
        The key file; the list stands beside it.
    cohort : str
        The cohort's name, for the list's.
    numbers : mapping of str to int
        Every file of the source: its path and its running number.
    lines : iterable of ReportLine
        The report, in which files are called by :func:`shown_name`.

    Returns
    -------
    Path
        Where it is. A list of an earlier import is not overwritten.
    """
    told: dict[str, list[ReportLine]] = {}
    for line in lines:
        told.setdefault(line.file, []).append(line)
    rows = [
        (number, path, line.case, line.status, line.detail)
        for path, number in numbers.items()
        for line in told.get(shown_name(number), [])
    ]
    target = _free(key.with_name(f"{key.name}.{cohort}.files.csv"))
    with private_path(target) as temporary:
        # A path may hold bytes that are no UTF-8; they are shown, not lost.
        frame = pd.DataFrame(rows, columns=COLUMNS)
        frame.to_csv(temporary, index=False, encoding="utf-8", errors="backslashreplace", lineterminator="\n")
    return target


def _free(path: Path) -> Path:
    found, number = path, 1
    while found.exists():
        number += 1
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return found
