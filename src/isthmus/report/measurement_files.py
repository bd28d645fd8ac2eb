"""What was measured in a cohort's views, on disk: NAME.csv, NAME.html, figures/ and manifest.json."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from isthmus.cohort.cohort import Cohort
from isthmus.files import new_folder, write_json, write_text
from isthmus.manifest import DISCLAIMER, Manifest
from isthmus.report.figure_style import Drawn, FigureFile, save, style
from isthmus.tables.check import write_table

_View = TypeVar("_View")


def measurement_facts(
    cohort: Cohort, record: Manifest, summary: Mapping[str, Any], settings: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what the command prints, and note in its record what the cohort was, how it was measured and what was not.

    Parameters
    ----------
    cohort : Cohort
    record : Manifest
    summary : mapping
        See :func:`isthmus.report.page_measurement.summary_facts`.
    settings : mapping, optional
        How it was measured.
    """
    settings = settings or {}
    whose = {"cohort": cohort.name, "simulated": cohort.simulated}
    record.facts |= whose | {
        "cohort_fingerprint": cohort.fingerprint(), **settings, "excluded": summary["refused"],
    }  # fmt: skip
    return {"notice": DISCLAIMER, **whose, **settings, **summary}


def write_measurement(
    destination: Path,
    name: str,
    table: pd.DataFrame,
    draw: Callable[[Path], list[FigureFile]],
    render: Callable[[list[FigureFile]], str],
    record: Manifest,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Write what was measured into a new folder.

    Parameters
    ----------
    destination : Path
        Folder to make.
    name : str
        Of the table and of the page.
    table : DataFrame
        One row a view.
    draw : callable
        Puts the figures into a folder; see :func:`draw_in_parts`.
    render : callable
        From the figures to the page.
    record : Manifest
        Written with it.
    more : mapping, optional
        JSON files by name.

    Raises
    ------
    OutputError
        When the folder exists or cannot be written.
    """
    with new_folder(destination) as folder:
        with record.stage("page"):
            write_table(folder / f"{name}.csv", table)
            for file, facts in (more or {}).items():
                write_json(folder / file, facts)
            write_text(folder / f"{name}.html", render(draw(folder / "figures")))
        record.write(folder, [path for path in folder.rglob("*") if path.is_file()])


def draw_in_parts(
    folder: Path, views: Sequence[_View], each: int, draw: Callable[[Sequence[_View], int, int], Drawn], stem: str,
    mark: str,
) -> list[FigureFile]:  # fmt: skip
    """Draw views, ``each`` of them a figure, as STEM_1, STEM_2 and so on, with a mark across them where there is one.

    Parameters
    ----------
    folder : Path
    views : sequence
    each : int
    draw : callable
        From the views of a figure, its number and how many figures there are to what is saved.
    stem, mark : str
    """
    parts = [views[start : start + each] for start in range(0, len(views), each)]
    files = []
    with style():
        for number, part in enumerate(parts, 1):
            figure, title, alternative = draw(part, number, len(parts))
            files.append(save(figure, folder, f"{stem}_{number}", title, alternative, mark))
    return files
