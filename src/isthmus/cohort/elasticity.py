"""The stiffness in a cohort's shear-wave elastograms: one row of features a picture, and what could not be measured."""

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
from isthmus.imaging.elasticity import KPA, ElasticityMap, read_elasticity
from isthmus.imaging.lesion_regions import REACH, RING, regions_of
from isthmus.imaging.limits import Limits
from isthmus.imaging.read import DEFAULT_LIMITS
from isthmus.statistics.elasticity_features import FEATURES, ElasticityFeatures, elasticity_features

RANGE: Final = "swe_range_kpa"
"""The column of ``views.csv`` that says what a bar's foot and head stand for."""
REGIONS: Final = ("lesion", "ring", "tissue")
COLUMNS: Final = ("view_id", "nodule_id", "opacity", "colour_distance", *FEATURES)


@dataclass(frozen=True, eq=False)
class ViewElasticity:
    """An elastogram that was read back.

    Parameters
    ----------
    view_id, nodule_id : str
    seen : ElasticityMap
        Cut to what lies around the lesion.
    picture : uint8 array [H, W, 3]
        The same part of the screen.
    features : ElasticityFeatures
    """

    view_id: str
    nodule_id: str
    seen: ElasticityMap
    picture: NDArray[np.uint8]
    features: ElasticityFeatures


class CohortElasticity(Measured[ViewElasticity]):
    """All elastograms of a cohort."""

    @property
    def table(self) -> pd.DataFrame:
        """One row for each picture: :data:`COLUMNS`, ``at_least``, ``doubts`` and ``refused`` (text, empty if none).

        A feature in doubt is NaN; one named in ``at_least`` is a lower limit.
        """
        return measurement_table(self, _beside_features, COLUMNS, ("at_least",))


def measure_elasticity(
    cohort: Cohort,
    *,
    range_kpa: tuple[float, float] | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Callable[[int, int], None] | None = None,
) -> CohortElasticity:
    """Turn the colours of every shear-wave elastogram of a cohort back into kilopascal. No label is looked at.

    Parameters
    ----------
    cohort : Cohort
        Views of modality ``swe``, whole screens with the colour bar, with a mask or a box.
    range_kpa : tuple of float, optional
        What the bar's foot and head stand for, where the column ``swe_range_kpa`` of ``views.csv`` is blank.
    limits : Limits
        What is refused as too large.
    progress : callable, optional
        Called with pictures done and all.

    Returns
    -------
    CohortElasticity
        A picture that cannot be measured is listed and stops nothing.

    Raises
    ------
    CohortError
        When the cohort has no elastogram.
    """
    measure = partial(_measured, cohort, range_kpa=range_kpa, limits=limits)
    return CohortElasticity(*measure_views(cohort, "swe", "elastograms", measure, progress))


def stiffness_range(text: str) -> tuple[float, float]:
    """Return what a bar's foot and head stand for, from one number (the foot is 0) or two; refuse what is none.

    Examples
    --------
    >>> stiffness_range("180"), stiffness_range("10 100")
    ((0.0, 180.0), (10.0, 100.0))
    """
    try:
        numbers = [float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        numbers = []
    low, high = numbers if len(numbers) == 2 else (0.0, *numbers) if len(numbers) == 1 else (0.0, 0.0)
    if not KPA[0] <= low < high <= KPA[1]:
        raise InputError(
            f"the scale of an elastogram is {text!r}",
            expected=f"what its bar ends at, in kPa: '180', or '0 180', to {KPA[1]:g} at most",
        )
    return low, high


def _measured(
    cohort: Cohort, row: Mapping[Any, Any], *, range_kpa: tuple[float, float] | None, limits: Limits
) -> ViewElasticity:
    item = view_item(cohort, row)
    own = cell_text(row, RANGE)
    scale = range_kpa if own is None else stiffness_range(own)
    if scale is None:
        raise InputError("nobody says what its colour bar ends at", expected=f"{RANGE} in views.csv, as '0 180'")
    seen, frame = read_elasticity(item, scale, limits)
    regions = regions_of(seen.lesion)
    features = elasticity_features({name: seen.kpa[regions[name]] for name in REGIONS}, scale)
    part = _around(seen.lesion)
    kept = ElasticityMap(
        seen.kpa[part].copy(), seen.lesion[part].copy(), scale, seen.opacity, seen.distance, seen.bar, seen.outline
    )
    return ViewElasticity(str(row["view_id"]), str(row["nodule_id"]), kept, frame[part].copy(), features)


def _around(lesion: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return the window in which a lesion's regions lie."""
    lines, columns = np.flatnonzero(lesion.any(axis=1)), np.flatnonzero(lesion.any(axis=0))
    reach = int(np.sqrt(np.count_nonzero(lesion) / np.pi) * (REACH + RING)) + 4
    return (
        slice(max(0, int(lines[0]) - reach), int(lines[-1]) + reach + 1),
        slice(max(0, int(columns[0]) - reach), int(columns[-1]) + reach + 1),
    )


def _beside_features(view: ViewElasticity) -> dict[str, Any]:
    return {
        "opacity": view.seen.opacity,
        "colour_distance": view.seen.distance,
        "at_least": ", ".join(view.features.at_least),
    }
