"""What an arm does when it may say that it does not know: conformal sets, and a band in which nothing is called."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable, by_split_and_arm, calibrated_columns
from isthmus.report.choosing_rows import Choosing, choosing_for
from isthmus.report.subject import Study
from isthmus.statistics.abstention import abstained, band, band_width, certainty, risk_coverage
from isthmus.statistics.conformal import USUAL_LEVEL, SetQuality, conformal_limits, prediction_sets, set_quality

KEY: Final = "uncertainty"
LEVELS: Final = (0.80, 0.90, 0.95)
MAIN: Final = USUAL_LEVEL
"""The level that the page shows."""
SHARES: Final = (0.1, 0.2, 0.3)
POINTS = 41
RESAMPLES = 500

FloatArray = NDArray[np.float64]


def uncertainty(table: AnalysisTable, study: Study, evidence: dict[str, Any]) -> dict[str, Any]:
    """Return ``{"splits": {split: {arm: {...}}}}``; empty for scores that are no probabilities.

    ``sets``: by class for 80, 90 and 95 %, and with one limit for all classes for 90 %, coverage, sizes and how often
    a single class was right. ``risk_coverage``: the curve with its area. ``bands`` (two classes, calls that follow
    from a threshold): what is gained when the least certain 10, 20 or 30 % are left to somebody else. Limits and
    widths are chosen on rows other than those they are shown on; ``chosen_on`` says which.
    """
    return by_split_and_arm(table, lambda arm, split: _of_arm(table, arm, split, study))


def class_probabilities(rows: DataFrame, table: AnalysisTable) -> FloatArray:
    """Return probabilities [N, K] in the order of the classes, calibrated where the arm has a calibration."""
    if len(table.classes) > 2:
        return rows[calibrated_columns(table.classes)].to_numpy(dtype=np.float64)
    p = rows["probability"].to_numpy(dtype=np.float64)
    return np.stack([p, 1 - p] if table.classes[0] == table.positive else [1 - p, p], axis=1)


def _of_arm(table: AnalysisTable, arm: str, split: str, study: Study) -> dict[str, Any]:
    shown = table.part(arm, split)
    values = class_probabilities(shown, table)
    if np.isnan(values).any():
        return {}
    choosing = choosing_for(table, arm, split)
    found: dict[str, Any] = {"chosen_on": choosing.words, "sets": _sets(table, shown, values, choosing, study)}
    binary = len(table.classes) == 2
    sure = certainty_of_calls(table, arm, split, shown) if binary else values.max(axis=1)
    if (shown["call"] == "").any() or sure is None:
        found["note"] = "the calls do not follow from the probabilities by a threshold: no band is drawn"
        return found
    right = shown["call"].to_numpy(dtype=str) == shown["label"].to_numpy(dtype=str)
    found["risk_coverage"] = _curve(right, sure, shown, study)
    if binary:
        found["bands"] = _bands(table, arm, split, choosing, sure, study)
    return found


def _sets(
    table: AnalysisTable, shown: DataFrame, values: FloatArray, choosing: Choosing, study: Study
) -> list[dict[str, Any]]:
    place = {label: code for code, label in enumerate(table.classes)}
    codes = shown["label"].map(place).to_numpy(dtype=np.intp)
    groups = shown["group_id"].to_numpy(dtype=str)
    chosen = [
        (inside, rows["label"].map(place).to_numpy(dtype=np.intp), class_probabilities(rows, table), rows)
        for inside, rows in choosing.pairs(shown)
        if len(rows)
    ]
    found = []
    for by_class, levels in ((True, LEVELS), (False, (MAIN,))):
        for promised in levels:
            sets = np.ones(values.shape, dtype=bool)
            for inside, labels, probabilities, rows in chosen:
                own = rows["group_id"].to_numpy(dtype=str)
                limits = conformal_limits(labels, probabilities, 1 - promised, own, by_class=by_class)
                sets[inside] = prediction_sets(values[inside], limits)
            quality = set_quality(codes, sets, groups, study.level)
            found.append({"promised": promised, "by_class": by_class, **_plain(quality, table.classes)})
    return found


def _plain(quality: SetQuality, classes: list[str]) -> dict[str, Any]:
    names = ("coverage", "size", "single", "empty", "full", "right_when_single")
    found: dict[str, Any] = {name: getattr(quality, name).as_dict() for name in names}
    found["coverage_by_class"] = {
        label: entry.as_dict() for label, entry in zip(classes, quality.by_class, strict=True)
    }
    return found


def certainty_of_calls(table: AnalysisTable, arm: str, split: str, rows: DataFrame) -> FloatArray | None:
    """Return how far each probability is from the threshold behind its call; None where there is no such threshold."""
    limits = np.full(len(rows), np.nan)
    p, called = rows["probability"].to_numpy(dtype=np.float64), (rows["call"] == table.positive).to_numpy()
    known = {(entry.get("seed"), entry.get("fold")): float(entry["value"]) for entry in table.thresholds[arm, split]}
    pairs = list(zip(rows["seed"].tolist(), rows["fold"].tolist(), strict=True))
    for pair in dict.fromkeys(pairs):
        inside = np.array([own == pair for own in pairs])
        limit = known.get(pair, known.get((None, None)))
        if limit is None or not ((p[inside] >= limit) == called[inside]).all():
            limit = _between(p[inside], called[inside])
        if limit is None:
            return None
        limits[inside] = limit
    return certainty(p, np.clip(limits, 0, 1))


def _between(p: FloatArray, called: NDArray[np.bool_]) -> float | None:
    """Return the threshold that calls follow, halfway between the nearest two; None where no threshold parts them."""
    if called.all() or not called.any():
        return float(p.min() if called.all() else p.max())
    low, high = float(p[~called].max()), float(p[called].min())
    return (low + high) / 2 if low < high else None


def _curve(right: NDArray[np.bool_], sure: FloatArray, shown: DataFrame, study: Study) -> dict[str, Any]:
    groups = shown["group_id"].to_numpy(dtype=str)
    found = risk_coverage(right, sure, groups, study.level, min(study.bootstrap, RESAMPLES))
    at = np.linspace(0.02, 1, POINTS)
    risk = np.interp(at, found.coverage, found.risk)
    return {
        "answered": np.round(at, 4).tolist(),
        "accuracy": np.round(1 - risk, 4).tolist(),
        "area": found.area.as_dict(),
        "chance": found.chance,
        "best": found.best,
    }


def _bands(
    table: AnalysisTable, arm: str, split: str, choosing: Choosing, sure: FloatArray, study: Study
) -> list[dict[str, Any]]:
    """Return for each share what is gained by leaving the least certain to somebody else; widths from other rows."""
    shown = table.part(arm, split)
    truth, called = shown["truth"].to_numpy(dtype=bool), (shown["call"] == table.positive).to_numpy()
    groups = shown["group_id"].to_numpy(dtype=str)
    sources = []
    for inside, rows in choosing.pairs(shown):
        own = certainty_of_calls(table, arm, str(rows["split"].iloc[0]), rows) if len(rows) else None
        if own is None or (rows["call"] == "").any():
            return []
        sources.append((inside, own))
    found = []
    for share in SHARES:
        widths = np.full(len(shown), np.nan)
        for inside, own in sources:
            widths[inside] = band_width(own, share)
        # Distances are compared with the width of their own part: relative to it, one band serves all.
        relative = np.where(sure >= widths, 1.0, 0.0)
        result = abstained(truth, called, relative, 0.5, groups, study.level)
        entry: dict[str, Any] = {"share": share}
        limits = {float(facts["value"]) for facts in table.thresholds[arm, split]}
        if len(limits) == 1 and len(set(widths.tolist())) == 1:
            low, high = band(limits.pop(), float(widths[0]))
            entry |= {"low": low, "high": high}
        found.append(entry | {name: value.as_dict() for name, value in vars(result).items()})
    return found
