"""A perfusion measurement on disk: perfusion.csv, curves.json, figures/, perfusion.html and manifest.json."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.cohort.cohort import Cohort
from isthmus.cohort.perfusion import CohortPerfusion, ViewPerfusion
from isthmus.imaging.lesion_regions import REGIONS
from isthmus.manifest import DISCLAIMER, Manifest
from isthmus.report.figures_perfusion import EACH, draw_curves
from isthmus.report.measurement_files import draw_in_parts, measurement_facts, write_measurement
from isthmus.report.page_measurement import drawn_views, summary_facts
from isthmus.report.page_perfusion import render_perfusion
from isthmus.statistics.bolus import BolusFit
from isthmus.statistics.perfusion_features import FEATURES

FORMAT = "isthmus-perfusion/1.0"


def write_perfusion(
    cohort: Cohort, measured: CohortPerfusion, destination: Path, record: Manifest, *, dynamic_range_db: float
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
    record : Manifest
        Written with it.
    dynamic_range_db : float
        Of the display, where ``views.csv`` does not say.

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
    settings = {"dynamic_range_db": dynamic_range_db}
    facts = measurement_facts(cohort, record, summary_facts(measured, table, FEATURES), settings)
    mark = "SIMULATED" if cohort.simulated else ""
    write_measurement(
        destination,
        "perfusion",
        table,
        lambda folder: draw_in_parts(folder, drawn_views(measured), EACH, draw_curves, "curves", mark),
        lambda figures: render_perfusion(cohort, measured, figures, dynamic_range_db),
        record,
        {"curves.json": _curves(cohort, measured)},
    )
    return facts


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
