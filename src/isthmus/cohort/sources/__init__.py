"""Readers of public data sets, one a file; each writes a cohort folder and a line of report for every file it met."""

import difflib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from isthmus.cohort.sources.cards import DATA_SETS, DataSet, data_set_lines
from isthmus.errors import CohortError

if TYPE_CHECKING:
    from isthmus.cohort.sources.import_report import ImportReport

Progress = Callable[[int, int, str], None]

__all__ = ["DATA_SETS", "DataSet", "Progress", "data_set_lines", "import_data_set"]


def import_data_set(
    name: str, source: Path | str, destination: Path | str, progress: Progress | None = None
) -> "ImportReport":
    """Turn a public data set into a cohort folder.

    Parameters
    ----------
    name : str
        A key of :data:`DATA_SETS`.
    source, destination : Path
        The data set as published, and the folder to make.
    progress : callable, optional
        Called as ``progress(done, total, what)``.

    Raises
    ------
    CohortError
        For an unknown name (with the nearest), or a source that holds nothing of the kind.
    """
    if name not in DATA_SETS:
        known = ["folder", "dicom", *DATA_SETS]  # the first two are read with a table of their own
        near = difflib.get_close_matches(name, known, n=1)
        raise CohortError(
            f"no reader for data set {name!r}",
            expected=", ".join(known),
            hint=f"did you mean {near[0]!r}?" if near else "isthmus cohort import --help",
        )
    module, _, function = DATA_SETS[name].reader.partition(":")
    report: ImportReport = getattr(import_module(module), function)(source, destination, progress)
    return report
