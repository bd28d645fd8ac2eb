"""A perfusion measurement on disk: perfusion.csv, curves.json, figures/, perfusion.html and manifest.json."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.cohort.cohort import Cohort
from isthmus.cohort.perfusion import CohortPerfusion, ViewPerfusion
from isthmus.files import new_folder, write_json, write_text
from isthmus.imaging.lesion_regions import REGIONS
from isthmus.manifest import DISCLAIMER, Manifest
from isthmus.report.figure_style import FigureFile, save, style
from isthmus.report.figures_perfusion import EACH, draw_curves
from isthmus.report.page_perfusion import drawn_views, render_perfusion, summary_facts
from isthmus.statistics.bolus import BolusFit
from isthmus.tables.check import write_table

FORMAT = "isthmus-perfusion/1.0"


def write_perfusion(
    cohort: Cohort, measured: CohortPerfusion, destination: Path, dynamic_range_db: float, record: Manifest
) -> dict[str, Any]:
    """Write what was measured into a new folder.

    Parameters
    ----------
    cohort : Cohort
        The clips' own.
    measured : CohortPerfusion
        See :func:`isthmus.cohort.perfusion.measure_perfusion`.
    destination : Path
        Folder to make.
    dynamic_range_db : float
        Of the display, where ``views.csv`` does not say.
    record : Manifest
        Written with it.

    Returns
    -------
    dict
        Counts, refused clips and medians.

    Raises
    ------
    OutputError
        When the folder exists or cannot be written.
    """
    table = measured.table
    facts = {
        "notice": DISCLAIMER,
        "cohort": cohort.name,
        "simulated": cohort.simulated,
        "dynamic_range_db": dynamic_range_db,
        **summary_facts(measured, table),
    }
    record.facts |= {
        "cohort": cohort.name,
        "simulated": cohort.simulated,
        "cohort_fingerprint": cohort.fingerprint(),
        "dynamic_range_db": dynamic_range_db,
        "excluded": facts["refused"],
    }
    with new_folder(destination) as folder:
        with record.stage("page"):
            write_table(folder / "perfusion.csv", table)
            write_json(folder / "curves.json", _curves(cohort, measured))
            figures = _figures(folder / "figures", cohort, measured)
            write_text(folder / "perfusion.html", render_perfusion(cohort, measured, figures, dynamic_range_db))
        record.write(folder, [path for path in folder.rglob("*") if path.is_file()])
    return facts


def _figures(folder: Path, cohort: Cohort, measured: CohortPerfusion) -> list[FigureFile]:
    views = drawn_views(measured)
    parts = [views[start : start + EACH] for start in range(0, len(views), EACH)]
    mark = "SIMULATED" if cohort.simulated else ""
    files = []
    with style():
        for number, part in enumerate(parts, 1):
            figure, title, alternative = draw_curves(part, number, len(parts))
            files.append(save(figure, folder, f"curves_{number}", title, alternative, mark))
    return files


def _curves(cohort: Cohort, measured: CohortPerfusion) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "notice": DISCLAIMER,
        "cohort": cohort.name,
        "simulated": cohort.simulated,
        "views": [_view(view) for view in measured.views],
        "refused": [
            {"view_id": view, "nodule_id": nodule, "why": why} for view, (nodule, why) in measured.refused.items()
        ],
    }


def _view(view: ViewPerfusion) -> dict[str, Any]:
    curves = view.curves
    return {
        "view_id": view.view_id,
        "nodule_id": view.nodule_id,
        "outline": curves.outline,
        "dynamic_range_db": curves.dynamic_range_db,
        "tissue_share": round(curves.tissue_share, 4),
        "times_s": [round(time, 4) for time in curves.times_s.tolist()],
        "regions": {region: _region(curves.means[region], view.fits[region]) for region in REGIONS},
        "features": {name: _value(value) for name, value in view.features.values.items()},
        "doubts": dict(view.features.doubts),
    }


def _region(means: NDArray[np.float64], fit: BolusFit) -> dict[str, Any]:
    parameters = ("baseline", "peak", "delay_s", "mode_s", "spread", "r2")
    return {
        "intensity": [_value(value) for value in means.tolist()],
        "fit": {name: _value(getattr(fit, name)) for name in parameters},
        "measures": {name: _measure(name, value, fit.errors, fit.doubts) for name, value in fit.values.items()},
    }


def _measure(name: str, value: float, errors: Mapping[str, float], doubts: Mapping[str, str]) -> dict[str, Any]:
    return {"value": _value(value), "standard_error": _value(errors[name]), "doubt": doubts.get(name)}


def _value(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None
