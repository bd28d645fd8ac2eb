"""The perfusion of a cohort's contrast-enhanced clips: one row of features a clip, and what could not be measured."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.cohort.cohort import Cohort
from isthmus.cohort.measurements import features_by_reason, measurement_table
from isthmus.cohort.view_items import cell_text, view_item
from isthmus.errors import CohortError, InputError
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

    def reasons(self) -> dict[str, list[str]]:
        """Return why features are blank: each reason with the features that it takes."""
        return features_by_reason(self.features.doubts)


@dataclass(frozen=True, eq=False)
class CohortPerfusion:
    """All contrast-enhanced clips of a cohort.

    Parameters
    ----------
    views : tuple of ViewPerfusion
        Those that were measured, by ``view_id``.
    refused : mapping of (str, str)
        Of every other one its nodule and why, by ``view_id``.
    """

    views: tuple[ViewPerfusion, ...]
    refused: Mapping[str, tuple[str, str]]

    @property
    def table(self) -> pd.DataFrame:
        """One row for each clip: :data:`COLUMNS`, ``doubts`` and ``refused`` (text, empty where there is nothing).

        A feature in doubt is NaN.
        """
        return measurement_table((_row(view) for view in self.views), self.refused, COLUMNS, ("doubts",))


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
    rows = cohort.views[cohort.views["modality"] == "ceus"].sort_values("view_id").to_dict("records")
    if not rows:
        raise CohortError("no view of modality 'ceus'", where=str(cohort.folder), expected="contrast-enhanced clips")
    boxes = _boxes_of(cohort)
    measure = partial(_measured, cohort, boxes=boxes, dynamic_range_db=dynamic_range_db, limits=limits)
    views, refused = [], {}
    for done, row in enumerate(rows, 1):
        found = measure(row)
        if isinstance(found, str):
            refused[str(row["view_id"])] = (str(row["nodule_id"]), found)
        else:
            views.append(found)
        if progress is not None:
            progress(done, len(rows))
    return CohortPerfusion(tuple(views), refused)


def _measured(
    cohort: Cohort,
    row: Mapping[Any, Any],
    *,
    boxes: Mapping[str, NDArray[np.float64]],
    dynamic_range_db: float,
    limits: Limits,
) -> ViewPerfusion | str:
    """Return a view's perfusion, or in one line why it has none; no path is in the line."""
    try:
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
    except InputError as error:
        return str(type(error)(error.what, expected=error.expected, hint=error.hint))
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


def _row(view: ViewPerfusion) -> dict[str, Any]:
    times = view.curves.times_s
    return {
        "view_id": view.view_id,
        "nodule_id": view.nodule_id,
        "seconds": float(times[-1] - times[0]),
        "lesion_r2": view.fits["lesion"].r2,
        "tissue_r2": view.fits["tissue"].r2,
        "tissue_share": view.curves.tissue_share,
        **view.features.values,
        "doubts": "; ".join(f"{reason}: {', '.join(names)}" for reason, names in view.reasons().items()),
        "refused": "",
    }
