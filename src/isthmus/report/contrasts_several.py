"""Paired comparisons of arms by several-class measures: macro AUC and Hand and Till's M, on the same resamplings."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame

from isthmus.report.discrimination import fold_rows, several_class_statistic
from isthmus.report.reading import plural
from isthmus.statistics.bootstrap import compare_replicates, group_bootstrap, percentile_interval
from isthmus.statistics.few_groups import compare_by_intervals
from isthmus.statistics.interval import Comparison
from isthmus.statistics.roc import FEWEST_GROUPS

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
        sides = [self._resampled(rows, a, "_a", "fold"), self._resampled(rows, b, "_b", "fold_b")]
        found, few = {}, self._few(rows)
        for place, (measure, what) in enumerate(_NAMES.items()):
            drawn = [replicates[:, place] for _, replicates in sides]
            one, other = (float(estimates[place]) for estimates, _ in sides)
            if few:
                first, second = (
                    percentile_interval(one, drawn[0], self.level),
                    percentile_interval(other, drawn[1], self.level),
                )
                found[measure] = compare_by_intervals(first, second, few)
            else:
                found[measure] = compare_replicates(one, other, np.stack(drawn, axis=1), self.level, what)
        return found

    @staticmethod
    def _few(rows: DataFrame) -> str:
        """Return that a class has too few groups for a test, or nothing."""
        groups = rows.groupby("label")["group_id"].nunique()
        if groups.min() >= FEWEST_GROUPS:
            return ""
        return f"only {plural(int(groups.min()), 'group')} with a case of class {groups.idxmin()}"

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
