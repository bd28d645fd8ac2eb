"""The ranking in detail: partial AUCs, operating points at equal terms, average precision, and their differences.

One group bootstrap an arm and split serves all measures and, since it draws the same groups, all paired differences. In
cross-validation each replicate averages within-fold values over folds and seeds; folds are never ranked together.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.contrasts import adjust, pairs_of
from isthmus.report.discrimination import fold_rows, groups_of_classes
from isthmus.report.pairing import paired, part_of
from isthmus.report.reading import in_order
from isthmus.report.subject import Study
from isthmus.statistics.bootstrap import compare_replicates, group_bootstrap, percentile_interval
from isthmus.statistics.few_groups import compare_by_intervals, unless_few
from isthmus.statistics.fixed_operating_point import coarse_note, values_at
from isthmus.statistics.interval import Comparison, Interval, undefined
from isthmus.statistics.partial_auc import Focus, area_shares, mcclish, range_degrees, scaled
from isthmus.statistics.resampled import interval_of_replicates
from isthmus.statistics.roc import few_groups_note
from isthmus.statistics.weighted_curve import average_precisions, curve_counts, over_folds

FloatArray = NDArray[np.float64]
LOW = 0.9
POINTS = (0.80, 0.90, 0.95)
AREAS = ("partial_auc_specificity", "partial_auc_sensitivity")
SENSITIVITIES = tuple(f"sensitivity_at_specificity_{point:.2f}" for point in POINTS)
SPECIFICITIES = tuple(f"specificity_at_sensitivity_{point:.2f}" for point in POINTS)
_FOCUS: dict[str, Focus] = {AREAS[0]: "specificity", AREAS[1]: "sensitivity"}
NAMES = (*AREAS, *SENSITIVITIES, *SPECIFICITIES, "average_precision", "auc_bootstrap")


@dataclass(frozen=True)
class _Resampled:
    rows: DataFrame  # with the score and the folds that were resampled
    estimates: FloatArray  # [K]
    replicates: FloatArray  # [B, K]
    units: frozenset[tuple[Any, ...]]  # seed and unit of each row


def ranking_detail(table: AnalysisTable, study: Study, evidence: dict[str, Any]) -> dict[str, Any]:
    """Return what stands under ``discrimination`` in the evidence; empty with several classes.

    Returns
    -------
    dict
        ``low`` (of both ranges, up to 1), ``points``, ``arms.<arm>.<split>.<measure>`` with the interval's fields (and
        ``chance`` of the average precision), and ``comparisons``, a list as that of the evidence. Partial AUCs are
        McClish-corrected; ``auc_bootstrap`` is the AUC with percentile limits.
    """
    if len(table.classes) > 2:
        return {}
    arms: dict[str, dict[str, Any]] = {}
    resampled: dict[tuple[str, str], _Resampled] = {}
    for arm, split in table.rows[["arm", "split"]].drop_duplicates().itertuples(index=False, name=None):
        rows = table.part(arm, split)
        if reason := _why_not(rows):
            entries = {name: undefined("none", reason, study.level).as_dict() for name in NAMES}
        else:
            resampled[arm, split] = _resample(rows, rows["score"], rows["fold"], study.bootstrap)
            entries = _noted_intervals(resampled[arm, split], study.level)
        arms.setdefault(arm, {})[split] = entries
    found = {"low": LOW, "points": list(POINTS), "arms": arms}
    return {**found, "comparisons": _comparisons(table, study, resampled)}


def _why_not(rows: DataFrame) -> str:
    truth = rows["truth"].to_numpy(dtype=bool)
    lacking = [part for part in fold_rows(rows) if truth[part].all() or not truth[part].any()]
    if truth.all() or not truth.any():
        return "a class has no case here: nothing can be ranked"
    return f"{len(lacking)} of the folds lack a class: their mean does not exist" if lacking else ""


def _resample(rows: DataFrame, scores: Any, folds: Any, bootstrap: int) -> _Resampled:
    rows = rows.assign(score=scores, fold=folds).reset_index(drop=True)
    truth, score = rows["truth"].to_numpy(dtype=bool), rows["score"].to_numpy(dtype=np.float64)

    def of_fold(part: NDArray[np.intp], weights: FloatArray) -> FloatArray:
        counts = curve_counts(truth[part], score[part], weights)
        turned = counts.turned()
        columns = [area_shares(counts, LOW, 1.0), area_shares(turned, LOW, 1.0)]
        columns += [values_at(side, point) for side in (counts, turned) for point in POINTS]
        return np.stack([*columns, average_precisions(counts), area_shares(counts, 0.0, 1.0)], axis=1)

    statistic = over_folds(of_fold, fold_rows(rows))
    drawn = group_bootstrap(statistic, len(rows), rows["group_id"], bootstrap)
    units = frozenset(rows[["seed", "unit_id"]].itertuples(index=False, name=None))
    return _Resampled(rows, statistic(np.ones((1, len(rows))))[0], drawn, units)


def _intervals(resampled: _Resampled, level: float) -> dict[str, Interval]:
    """Return each measure of NAMES with its limits; the AUC's are the alternative to those under `arms`."""
    rows, truth = resampled.rows, resampled.rows["truth"].to_numpy(dtype=bool)
    groups = groups_of_classes(truth, rows["group_id"].to_numpy(dtype=str))
    units = {side: rows.loc[truth == side, "unit_id"].nunique() for side in (True, False)}
    found = {}
    for place, name in enumerate(NAMES[:-1]):
        # A sensitivity is a share of the positives, and the negatives fix its threshold.
        of_positives = name not in (AREAS[1], *SPECIFICITIES)
        interval = interval_of_replicates(
            float(resampled.estimates[place]),
            resampled.replicates[:, place],
            "wilson" if name in SENSITIVITIES + SPECIFICITIES else "logit",
            cases=units[of_positives],
            groups=groups,
            level=level,
            degrees=range_degrees(groups, LOW, 1.0, _FOCUS[name]) if name in AREAS else None,
        )
        found[name] = scaled(interval, LOW, 1.0) if name in AREAS else interval
    estimate, drawn = float(resampled.estimates[-1]), resampled.replicates[:, -1]
    found["auc_bootstrap"] = percentile_interval(estimate, drawn, level, few_groups_note(*groups))
    return found


def _noted_intervals(resampled: _Resampled, level: float) -> dict[str, Any]:
    """Return the same for JSON, with the chance level of the average precision, and where a point is coarse."""
    truth = resampled.rows["truth"].to_numpy(dtype=bool)
    folds = [truth[part] for part in fold_rows(resampled.rows)]
    fewest = {side: min(int((own == side).sum()) for own in folds) for side in (True, False)}
    found = {name: interval.as_dict() for name, interval in _intervals(resampled, level).items()}
    for name in SENSITIVITIES + SPECIFICITIES:
        coarse = coarse_note(float(name.rpartition("_")[2]), fewest[name in SPECIFICITIES])
        found[name] = _noted(found[name], f"{coarse}{' in a fold' if coarse and len(folds) > 1 else ''}")
    found["average_precision"]["chance"] = float(np.mean([own.mean() for own in folds]))
    return found


def _noted(entry: dict[str, Any], note: str) -> dict[str, Any]:
    notes = "; ".join(filter(None, (entry.get("note"), note)))
    return {**entry, "note": notes} if notes else entry


def _comparisons(
    table: AnalysisTable, study: Study, resampled: dict[tuple[str, str], _Resampled]
) -> list[dict[str, Any]]:
    found = []
    for split in in_order({split for _, split in resampled}):
        arms = [arm for arm, of in resampled if of == split]
        first = [(study.primary["arm"], study.primary["against"])] if study.primary else []
        for a, b in pairs_of(arms, study.reference_arm, first):
            sides = _sides(table, resampled, a, b, split, study.bootstrap)
            if sides is None:
                continue
            named = study.primary is not None and (a, b) == (study.primary["arm"], study.primary["against"])
            units = len({unit for _, unit in sides[0].units})
            for name, compared in _compared(sides, study.level).items():
                entry = compared.as_dict()
                found.append({"a": a, "b": b, "split": split, "measure": name, **entry, "primary": named, "n": units})
    adjust(found)
    return found


def _sides(
    table: AnalysisTable, resampled: dict[tuple[str, str], _Resampled], a: str, b: str, split: str, bootstrap: int
) -> tuple[_Resampled, _Resampled] | None:
    """Return both arms on the units that both have; None where there are none that can be ranked."""
    one, other = resampled[a, split], resampled[b, split]
    if one.units == other.units:
        return one, other
    try:
        both = paired(part_of(table, a, split), part_of(table, b, split))
    except ValueError:
        return None
    if _why_not(both) or _why_not(both.assign(fold=both["fold_b"])):
        return None
    return (
        _resample(both, both["score_a"], both["fold"], bootstrap),
        _resample(both, both["score_b"], both["fold_b"], bootstrap),
    )


def _compared(sides: tuple[_Resampled, _Resampled], level: float) -> dict[str, Comparison]:
    """Return each measure's difference: tested on paired resamplings, or of few groups by the two intervals alone."""
    rows = sides[0].rows
    groups = groups_of_classes(rows["truth"].to_numpy(dtype=bool), rows["group_id"].to_numpy(dtype=str))
    few = few_groups_note(*groups)
    if not few:
        return {name: _tested(sides, place, name, level) for place, name in enumerate(NAMES)}
    one, other = (_intervals(side, level) for side in sides)
    found = {name: compare_by_intervals(one[name], other[name], few) for name in NAMES}
    # Resamplings of a perfect ranking do not vary.
    return found | {NAMES[-1]: unless_few(_tested(sides, len(NAMES) - 1, NAMES[-1], level), *groups)}


def _tested(sides: tuple[_Resampled, _Resampled], place: int, name: str, level: float) -> Comparison:
    one, other = (float(side.estimates[place]) for side in sides)
    drawn = np.stack([side.replicates[:, place] for side in sides], axis=1)
    if name in AREAS:  # corrected, as shown: a straight line in the share
        one, other = mcclish(one, LOW, 1.0), mcclish(other, LOW, 1.0)
        drawn = mcclish(0.0, LOW, 1.0) + (mcclish(1.0, LOW, 1.0) - mcclish(0.0, LOW, 1.0)) * drawn
    return compare_replicates(one, other, drawn, level, name.replace("_", " "))
