"""Paired comparisons of arms by several-class measures: macro AUC and Hand and Till's M, on the same resamplings."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame

from isthmus.report.discrimination import few_in_a_class, fold_rows, limits_of_few_groups, several_class_statistic
from isthmus.statistics.bootstrap import compare_replicates, group_bootstrap
from isthmus.statistics.few_groups import compare_by_intervals
from isthmus.statistics.interval import Comparison

FloatArray = NDArray[np.float64]
_NAMES = {"macro_auc": "macro AUC", "hand_till": "Hand-Till M"}


class SeveralClassContrasts:
    """Compares pairs of arms; what was resampled for an arm serves all its pairs on the same units.

    Parameters
    ----------
    classes : list of str
    bootstrap : int
        Group resamplings, the same for all arms.
    level : float
        Of the intervals, 0 to 1.
    """

    def __init__(self, classes: list[str], bootstrap: int, level: float) -> None:
        self.classes, self.bootstrap, self.level = classes, bootstrap, level
        self._known: dict[Any, tuple[FloatArray, FloatArray]] = {}

    def compare(self, both: DataFrame, a: str, b: str) -> dict[str, Comparison]:
        """Compare two arms on rows with ``p_<class>_a``, ``p_<class>_b``, ``fold`` and ``fold_b``.

        Raises
        ------
        ValueError
            When a fold lacks a class.
        """
        rows = both.sort_values(["seed", "unit_id", "fold"], kind="stable").reset_index(drop=True)
        if few := few_in_a_class(rows):
            return self._by_limits(rows, few)
        sides = [self._resampled(rows, a, "_a", "fold"), self._resampled(rows, b, "_b", "fold_b")]
        found = {}
        for place, (measure, what) in enumerate(_NAMES.items()):
            drawn = np.stack([replicates[:, place] for _, replicates in sides], axis=1)
            one, other = (float(estimates[place]) for estimates, _ in sides)
            found[measure] = compare_replicates(one, other, drawn, self.level, what)
        return found

    def _by_limits(self, rows: DataFrame, few: str) -> dict[str, Comparison]:
        """Return the differences that the two arms' own limits leave, without a test."""
        sides = []
        for ending, fold in (("_a", "fold"), ("_b", "fold_b")):
            self._check(rows, fold)
            sides.append(limits_of_few_groups(rows, self.classes, self.level, "", ending, fold))
        one, other = sides
        return {measure: compare_by_intervals(one[measure], other[measure], few) for measure in _NAMES}

    def _resampled(self, rows: DataFrame, arm: str, ending: str, fold: str) -> tuple[FloatArray, FloatArray]:
        key = (arm, rows["split"].iloc[0], *(tuple(rows[name]) for name in ("seed", fold, "unit_id")))
        if key not in self._known:
            self._check(rows, fold)
            statistic = several_class_statistic(rows, self.classes, ending, fold)
            drawn = group_bootstrap(statistic, len(rows), rows["group_id"], self.bootstrap)
            self._known[key] = statistic(np.ones((1, len(rows))))[0], drawn
        return self._known[key]

    def _check(self, rows: DataFrame, fold: str) -> None:
        labels = rows["label"].to_numpy(dtype=str)
        for part in fold_rows(rows, fold):
            missing = sorted(set(self.classes) - set(labels[part]))
            if missing:
                first = rows.iloc[part[0]]
                raise ValueError(
                    f"fold {first[fold]} of seed {first['seed']} holds no shared case of class {missing[0]}"
                )
