"""Decision curves of the arms: net benefit with bands, differences on shared cases, prevalence of the clinic."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.reading import in_order
from isthmus.report.subject import Study
from isthmus.statistics.decision_curve import GRID, Band, DecisionCurves, decision_curves
from isthmus.statistics.inputs import FloatArray
from isthmus.statistics.recalibration import shift_to_prevalence

FEWEST_GROUPS = 5
"""Fewer groups than this in which two models treat cases (or others) differently: a bootstrap claims too much."""
MOST_PAIRS_OF = 4
"""Without a reference arm and a named contrast, all pairs are compared up to so many arms."""


def decision_curve_evidence(table: AnalysisTable, study: Study, evidence: dict[str, Any]) -> dict[str, Any]:
    """Return the decision curves of all arms in each split.

    Returns
    -------
    dict
        ``splits`` {split: [curves]}, one entry a prevalence (one only, but for case-control samples), each with
        ``prevalence``, ``stated`` (whether it is not the sample's), ``thresholds``, ``treat_all``, ``arms`` {arm:
        {net_benefit, low, high, above_default, avoided_per_100, calibrated, n}}, to six decimals, and
        ``differences`` [{a, b, difference, low, high, groups, n}]; or ``why_not``.
    """
    if len(table.classes) > 2:
        return {"why_not": "several classes"}
    if study.reference == "tirads":
        return {"why_not": "the label is a TI-RADS grade"}
    if not table.has_probabilities:
        return {"why_not": "scores are no probabilities"}
    found: dict[str, Any] = {"splits": {}, "level": study.level, "notes": []}
    for split in in_order(set(table.rows["split"])):
        rows = table.rows[(table.rows["split"] == split) & np.isfinite(table.rows["probability"])]
        if rows["truth"].nunique() < 2:
            found["notes"].append(f"{split}: a class has no case")
            continue
        sample = float(rows.drop_duplicates("unit_id")["truth"].mean())
        stated = study.prevalences if study.sampling == "case_control" else ()
        found["splits"][split] = [
            _of_split(rows, table, split, study, sample, prevalence) for prevalence in stated or (None,)
        ]
    return found if found["splits"] else {"why_not": "no split has cases of both classes"}


def useful_range(prevalence: float) -> FloatArray:
    """Return the thresholds that are shown: 0.01 to 0.50, or further where cases are frequent.

    Above 0.5 a needless action would count more than a missed case, which nobody means who looks for cancer; where
    two patients in five have it, thresholds up to 0.2 above the prevalence are shown too.

    Examples
    --------
    >>> float(useful_range(0.1)[-1]), float(useful_range(0.6)[-1])
    (0.5, 0.8)
    """
    return GRID[: round(100 * min(max(0.5, prevalence + 0.2), 0.99))]


def _of_split(
    rows: DataFrame, table: AnalysisTable, split: str, study: Study, sample: float, prevalence: float | None
) -> dict[str, Any]:
    """Return the curves of one split at one prevalence; None: that of the sample."""
    thresholds = useful_range(prevalence or sample)
    shift = shift_to_prevalence(prevalence, sample) if prevalence is not None else None
    parts = {str(arm): part.set_index(["seed", "unit_id"]) for arm, part in rows.groupby("arm", sort=False)}
    parts = {arm: part.assign(probability=shift.apply(part["probability"].to_numpy())) if shift else part
             for arm, part in parts.items()}  # fmt: skip
    found: dict[str, Any] = {
        "prevalence": sample if prevalence is None else prevalence,
        "stated": prevalence is not None,
        "sample_prevalence": sample,
        "thresholds": thresholds.tolist(),
        "arms": {},
        "differences": [],
    }
    pairs = _pairs(list(parts), study)
    for arms in _sets_of_one_index(parts):
        curves = _curves([parts[arm] for arm in arms], thresholds, prevalence, study)
        if curves.note:
            continue
        found.setdefault("treat_all", _plain(curves.treat_all))
        found.setdefault("method", curves.method)
        found.setdefault("difference_method", curves.difference_method)
        for place, arm in enumerate(arms):
            calibrated = (arm, split) in table.calibrated
            found["arms"][arm] = {**_arm(curves, place), "calibrated": calibrated, "n": _units(parts[arm])}
        for a, b in pairs:
            if a in arms and b in arms:
                found["differences"].append(_difference(curves, arms.index(a), arms.index(b), a, b, parts[a]))
    for a, b in pairs:
        if not _alike(parts[a], parts[b]) and (entry := _shared(parts, a, b, thresholds, prevalence, study)):
            found["differences"].append(entry)
    found["arms"] = {arm: found["arms"][arm] for arm in parts if arm in found["arms"]}
    found["differences"].sort(key=lambda entry: pairs.index((entry["a"], entry["b"])))
    return found


def _sets_of_one_index(parts: dict[str, DataFrame]) -> Iterator[list[str]]:
    """Yield arms that were predicted on the very same rows: one bootstrap serves them all."""
    left = list(parts)
    while left:
        first = parts[left[0]]
        alike = [arm for arm in left if _alike(first, parts[arm])]
        yield alike
        left = [arm for arm in left if arm not in alike]


def _alike(one: DataFrame, two: DataFrame) -> bool:
    """Return whether two arms have the same units in the same seeds; folds may differ."""
    if one is two:
        return True
    return len(one) == len(two) and one.index.is_unique and set(one.index) == set(two.index)


def _curves(parts: list[DataFrame], thresholds: FloatArray, prevalence: float | None, study: Study) -> DecisionCurves:
    """Return the curves of arms with the same rows. A unit's seeds (or folds) share its weight: none is stacked."""
    first = parts[0]
    lined = [first, *(part.loc[first.index] for part in parts[1:])]
    units = first.index.get_level_values("unit_id")
    times = units.to_series().groupby(units.to_numpy()).transform("size").to_numpy()
    return decision_curves(
        first["truth"].to_numpy(dtype=bool),
        np.stack([part["probability"].to_numpy(dtype=np.float64) for part in lined]),
        thresholds,
        prevalence,
        first["group_id"].to_numpy(dtype=str),
        1 / times,
        study.level,
        study.bootstrap,
    )


def _pairs(arms: list[str], study: Study) -> list[tuple[str, str]]:
    """Return the pairs to compare: the named contrast, each arm with the reference arm, or all of a few."""
    pairs: list[tuple[str, str]] = []
    if study.primary and {study.primary["arm"], study.primary["against"]} <= set(arms):
        pairs.append((study.primary["arm"], study.primary["against"]))
    if study.reference_arm in arms:
        others = [(arm, str(study.reference_arm)) for arm in arms if arm != study.reference_arm]
    else:
        others = list(combinations(arms, 2)) if len(arms) <= MOST_PAIRS_OF else []
    return pairs + [pair for pair in others if set(pair) not in [set(known) for known in pairs]]


def _shared(
    parts: dict[str, DataFrame], a: str, b: str, thresholds: FloatArray, prevalence: float | None, study: Study
) -> dict[str, Any] | None:
    """Return the difference of two arms on the units and seeds that both have."""
    one, two = parts[a], parts[b]
    if not (one.index.is_unique and two.index.is_unique):
        return None
    both = [one[one.index.isin(two.index)], two[two.index.isin(one.index)]]
    if both[0].empty:
        return None
    curves = _curves(both, thresholds, prevalence, study)
    return None if curves.note else _difference(curves, 0, 1, a, b, both[0])


def _difference(curves: DecisionCurves, one: int, two: int, a: str, b: str, part: DataFrame) -> dict[str, Any]:
    band = curves.difference(one, two)
    return {"a": a, "b": b, "n": _units(part), **_as_lists(band, "difference"), "groups": band.groups.tolist()}


def _arm(curves: DecisionCurves, place: int) -> dict[str, Any]:
    return {
        **_as_lists(curves.net_benefit[place], "net_benefit"),
        "above_default": _as_lists(curves.above_default(place), "difference"),
        "avoided_per_100": _as_lists(curves.avoided(place), "avoided"),
    }


def _as_lists(band: Band, name: str) -> dict[str, Any]:
    return {name: _plain(band.estimate), "low": _plain(band.low), "high": _plain(band.high)}


def _plain(values: FloatArray) -> list[float | None]:
    """Return numbers for JSON, to six decimals: there are many, and no sample tells more."""
    return [round(float(value), 6) if np.isfinite(value) else None for value in values]


def _units(part: DataFrame) -> int:
    return int(part.index.get_level_values("unit_id").nunique())
