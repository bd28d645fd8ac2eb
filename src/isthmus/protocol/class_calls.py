"""Calls among several classes: the most probable one after calibration. No threshold is chosen."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.statistics.class_calibration import ClassCalibration, fit_class_calibration
from isthmus.tables.predictions import read_predictions

RULE: Final = "the class of the highest calibrated probability"


def choose_class_point(rows: pd.DataFrame, classes: Sequence[str]) -> dict[str, Any]:
    """Fit the calibrator of several classes and return what `frozen.json` says of it.

    Parameters
    ----------
    rows : DataFrame
        `label`, `group_id` and `p_<class>`, one row a unit.
    classes : sequence of str
        In order.

    Returns
    -------
    dict
        `calibration`, `rule` and `groups_in_smaller_class`; there is no threshold.
    """
    codes = rows["label"].map({name: code for code, name in enumerate(classes)}).to_numpy(dtype=np.int64)
    calibration = fit_class_calibration(codes, scores_of(rows, classes), rows["group_id"].to_numpy(dtype=str))
    counts = rows.groupby("label")["group_id"].nunique()
    return {
        "calibration": calibration.as_dict(),
        "rule": RULE,
        "groups_in_smaller_class": int(min(counts.get(name, 0) for name in classes)),
    }


def class_calls(rows: pd.DataFrame, classes: Sequence[str], point: Mapping[str, Any]) -> NDArray[np.object_]:
    """Return each row's most probable class by a frozen calibration."""
    calibrated = ClassCalibration.from_dict(point["calibration"]).apply(scores_of(rows, classes))
    return np.asarray(np.asarray(classes, dtype=object)[calibrated.argmax(axis=1)])


def picture_rows(path: Path, classes: Sequence[str], frozen: Mapping[str, Any]) -> pd.DataFrame | None:
    """Return single pictures with the calls that the frozen calibrations make of them; None of two classes.

    Parameters
    ----------
    path : Path
        `predictions_views.parquet` of a run or a validation.
    classes : sequence of str
        In order.
    frozen : mapping
        The content of `frozen.json`.
    """
    if len(classes) == 2:
        return None
    rows = read_predictions(path)
    rows = rows[rows["split"] != "tune"].reset_index(drop=True)
    rows["call"] = ""
    for (arm, split, seed, fold), own in rows.groupby(["arm", "split", "seed", "fold"], sort=True):
        said = frozen["arms"][str(arm)]
        point = said["folds"][f"{seed}/{fold}"] if split == "cv" else said
        rows.loc[own.index, "call"] = class_calls(own, classes, point)
    return rows


def scores_of(rows: pd.DataFrame, classes: Sequence[str]) -> NDArray[np.float64]:
    """Return the uncalibrated probabilities [N, K] of some rows."""
    return rows[[f"p_{name}" for name in classes]].to_numpy(dtype=np.float64)
