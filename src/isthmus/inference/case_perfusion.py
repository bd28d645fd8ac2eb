"""The perfusion of a case's contrast-enhanced clips, measured as that of a cohort is."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from isthmus.cohort.perfusion import measure_clip
from isthmus.errors import InputError
from isthmus.imaging.clip import Box
from isthmus.imaging.intensity_curves import DYNAMIC_RANGE_DB
from isthmus.imaging.prepare_views import CacheItem
from isthmus.imaging.read import probe
from isthmus.inference.boxes import BoxLike, parse_box
from isthmus.inference.fused_case import View
from isthmus.statistics.inputs import FloatArray
from isthmus.statistics.perfusion_features import FEATURES, PerfusionFeatures

NO_RANGE: Final = f"the display's dynamic range was not given: {DYNAMIC_RANGE_DB:g} dB was taken"


def case_perfusion(views: Sequence[View]) -> tuple[FloatArray, list[str]]:
    """Return the mean features of a case's clips [18], NaN where none shows a feature, and notes for the reader.

    A clip that cannot be measured is said and stops nothing, as in a cohort.
    """
    rows, notes = [], []
    for view in views:
        try:
            features = _features(view)
        except InputError as error:
            said = type(error)(error.what, expected=error.expected, hint=error.hint)
            notes.append(f"the perfusion of {view.name} was not measured: {said}")
            continue
        rows.append([features.values[name] for name in FEATURES])
        doubts = dict.fromkeys(features.doubts.values())
        notes += [f"perfusion of {view.name}: {reason}" for reason in doubts]
        notes += [NO_RANGE] if view.dynamic_range_db is None else []
    values = np.array(rows, np.float64).reshape(-1, len(FEATURES))
    there = ~np.isnan(values)
    counts = there.sum(axis=0)
    sums = np.where(there, values, 0.0).sum(axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan), list(dict.fromkeys(notes))


def _features(view: View) -> PerfusionFeatures:
    info = probe(view.path)

    def box(given: BoxLike | None, what: str) -> Box | None:
        return None if given is None else parse_box(given, info.width, info.height, where=view.name, what=what)

    each = view.box if isinstance(view.box, np.ndarray) and view.box.ndim == 2 else None
    item = CacheItem(
        view.name,
        Path(view.path),
        mask=None if view.mask is None else Path(view.mask),
        box=None if each is not None else box(view.box, "box"),
        scan_area=box(view.scan_area, "scan area"),
        boxes=each,
    )
    decibels = DYNAMIC_RANGE_DB if view.dynamic_range_db is None else view.dynamic_range_db
    return measure_clip(item, view.frame_rate_hz, decibels)[2]
