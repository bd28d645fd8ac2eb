"""A stiffness measurement on disk: elasticity.csv, figures/, elasticity.html and manifest.json."""

from pathlib import Path
from typing import Any

from isthmus.cohort.cohort import Cohort
from isthmus.cohort.elasticity import CohortElasticity
from isthmus.files import new_folder, write_text
from isthmus.manifest import DISCLAIMER, Manifest
from isthmus.report.figure_style import FigureFile, save, style
from isthmus.report.figures_elasticity import EACH, draw_maps
from isthmus.report.page_elasticity import against_truth, drawn_views, render_elasticity, summary_facts
from isthmus.report.truth import read_truth
from isthmus.tables.check import write_table


def write_elasticity(cohort: Cohort, measured: CohortElasticity, destination: Path, record: Manifest) -> dict[str, Any]:
    """Write what was measured into a new folder.

    Parameters
    ----------
    cohort : Cohort
        The pictures' own; of a simulated one the truth is compared with.
    measured : CohortElasticity
        See :func:`isthmus.cohort.elasticity.measure_elasticity`.
    destination : Path
        Folder to make.
    record : Manifest
        Written with it.

    Returns
    -------
    dict
        Counts, refused pictures, medians, and ``against_truth`` (None of a real cohort).

    Raises
    ------
    OutputError
        When the folder exists or cannot be written.
    """
    truth = read_truth(cohort.folder)
    against = None if truth is None else against_truth(measured, truth.nodules)
    facts = {
        "notice": DISCLAIMER,
        "cohort": cohort.name,
        "simulated": cohort.simulated,
        **summary_facts(measured),
        "against_truth": against,
    }
    record.facts |= {
        "cohort": cohort.name,
        "simulated": cohort.simulated,
        "cohort_fingerprint": cohort.fingerprint(),
        "excluded": facts["refused"],
    }
    with new_folder(destination) as folder:
        with record.stage("page"):
            write_table(folder / "elasticity.csv", measured.table)
            figures = _figures(folder / "figures", cohort, measured)
            write_text(folder / "elasticity.html", render_elasticity(cohort, measured, figures, against))
        record.write(folder, [path for path in folder.rglob("*") if path.is_file()])
    return facts


def _figures(folder: Path, cohort: Cohort, measured: CohortElasticity) -> list[FigureFile]:
    views = drawn_views(measured)
    parts = [views[start : start + EACH] for start in range(0, len(views), EACH)]
    mark = "SIMULATED" if cohort.simulated else ""
    files = []
    with style():
        for number, part in enumerate(parts, 1):
            figure, title, alternative = draw_maps(part, number, len(parts))
            files.append(save(figure, folder, f"maps_{number}", title, alternative, mark))
    return files
