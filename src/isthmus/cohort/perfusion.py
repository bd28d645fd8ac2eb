"""The perfusion of a cohort's contrast-enhanced clips: one row of features a clip, and what could not be measured."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.cohort.cohort import Cohort
from isthmus.cohort.measurements import Measured, measure_views, measurement_table
from isthmus.cohort.view_items import cell_text, view_item
from isthmus.errors import InputError
from isthmus.imaging.intensity_curves import DYNAMIC_RANGE_DB, IntensityCurves, read_intensity_curves
from isthmus.imaging.lesion_regions import REGIONS
from isthmus.imaging.limits import Limits
from isthmus.imaging.prepare_views import CacheItem
from isthmus.imaging.read import DEFAULT_LIMITS
from isthmus.statistics.bolus import BolusFit, fit_bolus, speckle_weights
from isthmus.statistics.perfusion_features import FEATURES, PerfusionFeatures, perfusion_features
from isthmus.tables.cohort import parse_box

DYNAMIC_RANGES_DB: Final = (20.0, 120.0)
COLUMNS: Final = ("view_id", "nodule_id", "seconds", "lesion_r2", "tissue_r2", "tissue_share", *FEATURES)
_RANGE: Final = "dynamic_range_db"


@dataclass(frozen=True, eq=False)
class ViewPerfusion:
    """A clip whose curves could be read.

    Parameters
    ----------
    view_id, nodule_id : str
    curves : IntensityCurves
    fits : mapping of BolusFit
        By region.
    features : PerfusionFeatures
    """

    view_id: str
    nodule_id: str
    curves: IntensityCurves
    fits: Mapping[str, BolusFit]
    features: PerfusionFeatures


class CohortPerfusion(Measured[ViewPerfusion]):
    """All contrast-enhanced clips of a cohort."""

    @property
    def table(self) -> pd.DataFrame:
        """One row for each clip: :data:`COLUMNS`, ``doubts`` and ``refused`` (text, empty where there is nothing).

        A feature in doubt is NaN.
        """
        return measurement_table(self, _beside_features, COLUMNS)


def measure_perfusion(
    cohort: Cohort,
    *,
    dynamic_range_db: float = DYNAMIC_RANGE_DB,
    limits: Limits = DEFAULT_LIMITS,
    progress: Callable[[int, int], None] | None = None,
) -> CohortPerfusion:
    """Measure the perfusion in every contrast-enhanced clip of a cohort. No label is looked at.

    Parameters
    ----------
    cohort : Cohort
        Views of modality ``ceus``, with a mask or boxes. A column ``dynamic_range_db`` of ``views.csv`` says the
        display's range where scanners differ.
    dynamic_range_db : float
        Of the display, for clips without that column.
    limits : Limits
        What is refused as too large.
    progress : callable, optional
        Called with clips done and all.

    Returns
    -------
    CohortPerfusion
        A clip that cannot be measured is listed and stops nothing.

    Raises
    ------
    CohortError
        When the cohort has no contrast-enhanced view.
    InputError
        When the dynamic range is no such.
    """
    if not DYNAMIC_RANGES_DB[0] <= dynamic_range_db <= DYNAMIC_RANGES_DB[1]:
        low, high = DYNAMIC_RANGES_DB
        raise InputError(f"a dynamic range of {dynamic_range_db:g} dB", expected=f"{low:g} to {high:g}")
    boxes = _boxes_of(cohort)
    measure = partial(_measured, cohort, boxes=boxes, dynamic_range_db=dynamic_range_db, limits=limits)
    return CohortPerfusion(*measure_views(cohort, "ceus", "contrast-enhanced clips", measure, progress))


def _measured(
    cohort: Cohort,
    row: Mapping[Any, Any],
    *,
    boxes: Mapping[str, NDArray[np.float64]],
    dynamic_range_db: float,
    limits: Limits,
) -> ViewPerfusion:
    view = str(row["view_id"])
    item = view_item(cohort, row, boxes.get(view))
    own = cell_text(row, _RANGE)
    rate = cell_text(row, "frame_rate_hz")
    found = measure_clip(
        item,
        None if rate is None else float(rate),
        dynamic_range_db if own is None else dynamic_range(own),
        limits,
    )
    return ViewPerfusion(view, str(row["nodule_id"]), *found)


def measure_clip(
    item: CacheItem,
    frame_rate_hz: float | None = None,
    dynamic_range_db: float = DYNAMIC_RANGE_DB,
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[IntensityCurves, dict[str, BolusFit], PerfusionFeatures]:
    """Return the curves of a clip, their fits by region, and what they say of the lesion.

    Parameters and errors as for :func:`isthmus.imaging.intensity_curves.read_intensity_curves`.
    """
    curves = read_intensity_curves(item, frame_rate_hz, dynamic_range_db, limits)
    fits = {
        region: fit_bolus(curves.times_s, curves.means[region], speckle_weights(curves.errors[region]))
        for region in REGIONS
    }
    whole = {region: _mean(values) for region, values in curves.means.items()}
    features = perfusion_features(fits, whole, curves.unenhanced_share, curves.tissue_share, curves.saturated)
    return curves, fits, features


def _mean(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def dynamic_range(text: str) -> float:
    """Return the display's range in decibels from a cell of text; refuse what is none."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    low, high = DYNAMIC_RANGES_DB
    if not low <= value <= high:
        raise InputError(f"its {_RANGE} is {text!r}", expected=f"{low:g} to {high:g}")
    return value


def _boxes_of(cohort: Cohort) -> dict[str, NDArray[np.float64]]:
    if cohort.boxes is None:
        return {}
    found = {}
    for view, rows in cohort.boxes.groupby("view_id", sort=False):
        found[str(view)] = np.full((int(rows["frame"].max()) + 1, 4), np.nan)
        found[str(view)][rows["frame"].to_numpy(int)] = [parse_box(box) for box in rows["box"]]
    return found


def _beside_features(view: ViewPerfusion) -> dict[str, Any]:
    times = view.curves.times_s
    return {
        "seconds": float(times[-1] - times[0]),
        "lesion_r2": view.fits["lesion"].r2,
        "tissue_r2": view.fits["tissue"].r2,
        "tissue_share": view.curves.tissue_share,
    }
