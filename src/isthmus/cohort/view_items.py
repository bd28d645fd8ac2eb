"""Rows of ``views.csv`` as pictures to be read: where the file is, and where on it the lesion."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.cohort.cohort import Cohort
from isthmus.imaging.prepare_views import CacheItem
from isthmus.tables.cohort import parse_box


def view_item(cohort: Cohort, row: Mapping[Any, Any], boxes: NDArray[np.float64] | None = None) -> CacheItem:
    """Return a view as it is read; ``boxes`` [T, 4] are those of a clip."""
    mask, box, region = (cell_text(row, name) for name in ("mask", "box", "region"))
    return CacheItem(
        str(row["view_id"]),
        cohort.folder / str(row["path"]),
        mask=None if mask is None else cohort.folder / mask,
        box=None if box is None else parse_box(box),
        scan_area=None if region is None else parse_box(region),
        boxes=boxes,
    )


def cell_text(row: Mapping[Any, Any], name: str) -> str | None:
    """Return a cell's text, or None where it is blank or there is no such column."""
    value = row.get(name)
    return None if value is None or pd.isna(value) or str(value) == "" else str(value)
