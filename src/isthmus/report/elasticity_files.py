"""A stiffness measurement on disk: elasticity.csv, figures/, elasticity.html and manifest.json."""

from pathlib import Path
from typing import Any

from isthmus.cohort.cohort import Cohort
from isthmus.cohort.elasticity import CohortElasticity
from isthmus.manifest import Manifest
from isthmus.report.figures_elasticity import EACH, draw_maps
from isthmus.report.measurement_files import draw_in_parts, measurement_facts, write_measurement
from isthmus.report.page_elasticity import against_truth, render_elasticity
from isthmus.report.page_measurement import drawn_views, summary_facts
from isthmus.report.truth import read_truth
from isthmus.statistics.elasticity_features import FEATURES


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
    table = measured.table
    facts = measurement_facts(cohort, record, summary_facts(measured, table, FEATURES))
    mark = "SIMULATED" if cohort.simulated else ""
    write_measurement(
        destination,
        "elasticity",
        table,
        lambda folder: draw_in_parts(folder, drawn_views(measured), EACH, draw_maps, "maps", mark),
        lambda figures: render_elasticity(cohort, measured, figures, against),
        record,
    )
    return facts | {"against_truth": against}
