"""Calibration in detail: the flexible curve, errors with their bias, and the tests that are often published."""

from dataclasses import asdict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable, by_split_and_arm, calibrated_columns
from isthmus.report.subject import Study
from isthmus.statistics.calibration_curve import FlexibleCurve, flexible_curve
from isthmus.statistics.calibration_error import (
    expected_calibration_error,
    hosmer_lemeshow,
    several_class_brier,
    spiegelhalter,
    top_label_error,
)
from isthmus.statistics.calibration_measures import brier_parts, scaled_brier

KEY: Final = "probabilities"


def calibration_details(table: AnalysisTable, study: Study, evidence: dict[str, Any]) -> dict[str, Any]:
    """Return ``{"splits": {split: {arm: {...}}}}``; empty for scores that are no probabilities.

    Two classes: ``curve``, ``ici``, ``e50``, ``e90``, ``ici_expected``, ``p_calibrated``, ``scaled_brier``,
    ``brier_parts``, ``calibration_error`` by binning, ``spiegelhalter``, ``hosmer_lemeshow``. Several classes:
    ``brier`` and the ``calibration_error`` of the most probable class; slopes and curves are for two classes.
    """
    return by_split_and_arm(table, lambda arm, split: _details(table, arm, split, study))


def _details(table: AnalysisTable, arm: str, split: str, study: Study) -> dict[str, Any]:
    rows = table.part(arm, split)
    if len(table.classes) > 2:
        return _several(rows, table.classes, study)
    probability = rows["probability"].to_numpy(dtype=np.float64)
    truth = rows["truth"].to_numpy(dtype=bool)
    if np.isnan(probability).any() or truth.all() or not truth.any():
        return {}
    groups, units = rows["group_id"].to_numpy(dtype=str), _units(rows)
    curve = flexible_curve(truth, probability, groups, units, study.level)
    # The chi-squared adds up cases: several seeds would be counted as more patients.
    first = (rows["seed"] == rows["seed"].min()).to_numpy()
    errors = {
        binning: expected_calibration_error(truth, probability, units, binning).as_dict()
        for binning in ("mass", "width")
    }
    return {
        "calibrated": (arm, split) in table.calibrated,
        **_of_curve(curve),
        "scaled_brier": scaled_brier(truth, probability, groups, study.level).as_dict(),
        "brier_parts": _brier_parts(rows),
        "calibration_error": errors,
        "spiegelhalter": spiegelhalter(truth, probability, groups).as_dict(),
        "hosmer_lemeshow": hosmer_lemeshow(truth[first], probability[first]).as_dict(),
        "seeds": int(rows["seed"].nunique()),
    }


def _brier_parts(rows: DataFrame) -> dict[str, float]:
    """Return the mean over seeds of each seed's parts: stacked, they would be corrected as if they were patients."""
    parts = [
        asdict(brier_parts(own["truth"].to_numpy(dtype=bool), own["probability"].to_numpy(dtype=np.float64)))
        for _, own in rows.groupby("seed")
    ]
    return {name: float(np.mean([part[name] for part in parts])) for name in parts[0] if name != "bins"} | {
        "bins": parts[0]["bins"]
    }


def _units(rows: DataFrame) -> Any:
    """Return whom each row is of where a unit has several rows, else None: each row its own luck."""
    units = rows["unit_id"].to_numpy(dtype=str)
    return units if rows["unit_id"].duplicated().any() else None


def _of_curve(curve: FlexibleCurve) -> dict[str, Any]:
    """Return the curve as plain values: four digits are more than its band can use."""
    found: dict[str, Any] = {name: getattr(curve, name).as_dict() for name in ("ici", "e50", "e90")}
    for name in ("ici_expected", "p_calibrated"):
        value = float(getattr(curve, name))
        found[name] = value if np.isfinite(value) else None
    if np.isfinite(curve.observed).all():
        names = ("predicted", "observed", "low", "high")
        found["curve"] = {name: _plain(getattr(curve, name)) for name in names}
        found["curve"]["knots"] = len(curve.knots)
    if curve.note:
        found["note"] = curve.note
    return found


def _plain(values: NDArray[np.float64]) -> list[float | None]:
    """Return values to four digits; a limit that does not exist (one group alone) is None."""
    return [round(value, 4) if np.isfinite(value) else None for value in values.tolist()]


def _several(rows: DataFrame, classes: list[str], study: Study) -> dict[str, Any]:
    values = rows[calibrated_columns(classes)].to_numpy(dtype=np.float64)
    codes = rows["label"].map({label: place for place, label in enumerate(classes)}).to_numpy(dtype=np.intp)
    if np.isnan(values).any():
        return {}
    errors = {binning: top_label_error(codes, values, _units(rows), binning).as_dict() for binning in ("mass", "width")}
    brier = several_class_brier(codes, values, rows["group_id"].to_numpy(dtype=str), study.level)
    return {"brier": brier.as_dict(), "calibration_error": errors, "seeds": int(rows["seed"].nunique())}
