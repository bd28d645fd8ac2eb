"""Whether an arm's probabilities mean what they say: Brier score, calibration slope and intercept."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from pandas import DataFrame

from isthmus.statistics.calibration_measures import brier, calibration_in_the_large, calibration_slope
from isthmus.statistics.interval import Interval, undefined

_MEASURES: dict[str, Callable[[ArrayLike, ArrayLike, ArrayLike, float], Interval]] = {
    "brier": brier,
    "calibration_slope": calibration_slope,
    "calibration_intercept": calibration_in_the_large,
}


def probability_measures(rows: DataFrame, *, calibrated: bool, level: float) -> dict[str, Any]:
    """Return calibration measures of one arm and split with two classes.

    Parameters
    ----------
    rows : DataFrame
        With ``truth``, ``probability``, ``probability_uncalibrated``, ``group_id``.
    calibrated : bool
        Whether the two probabilities differ; then those as given are measured too, as ``*_uncalibrated``.
    level : float
        Of the intervals, 0 to 1.
    """
    found = _measured(rows, "probability", "", level)
    return found | _measured(rows, "probability_uncalibrated", "_uncalibrated", level) if calibrated else found


def _measured(rows: DataFrame, column: str, suffix: str, level: float) -> dict[str, Any]:
    truth, groups = rows["truth"].to_numpy(), rows["group_id"].to_numpy(dtype=str)
    probability = rows[column].to_numpy(dtype=np.float64)
    found = {}
    for name, measure in _MEASURES.items():
        try:
            value = measure(truth, probability, groups, level)
        except ValueError as error:
            value = undefined(name.replace("_", " "), str(error), level)
        found[name + suffix] = value.as_dict()
    return found
