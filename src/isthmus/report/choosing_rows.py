"""On which rows something may be chosen for others: parts that never hold the rows that it is shown on."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.recalibrate import FOLDS, parts_by_group


@dataclass(frozen=True)
class Choosing:
    """Where choices for an arm and split come from.

    Parameters
    ----------
    rows : DataFrame
        On which is chosen; for cross-fitting those of the split itself.
    parts : ndarray [N] or None
        Cross-fitting: the part of each row; None where ``rows`` are others than those shown.
    words : str
    """

    rows: DataFrame
    parts: NDArray[np.intp] | None
    words: str

    def pairs(self, shown: DataFrame) -> Iterator[tuple[NDArray[np.bool_], DataFrame]]:
        """Yield masks over the shown rows, each with the rows that choices for them are made on."""
        if self.parts is None:
            yield np.ones(len(shown), dtype=bool), self.rows
            return
        groups = shown["group_id"].to_numpy(dtype=str)
        seeds = shown["seed"].to_numpy()
        for seed in np.unique(seeds):
            for part in np.unique(self.parts[seeds == seed]):
                inside = (seeds == seed) & (self.parts == part)
                others = (seeds == seed) & ~inside & ~np.isin(groups, groups[inside])
                yield inside, shown[others]


def choosing_for(table: AnalysisTable, arm: str, split: str) -> Choosing:
    """Return where choices for this arm and split may be made.

    In cross-validation: for each fold, the other folds of its seed. Elsewhere the tuning part where the table has it,
    else the out-of-fold rows of the first seed (both as calibrated as the rows shown); else the split itself,
    cross-fitted by group in five parts.
    """
    shown = table.part(arm, split)
    if split == "cv":
        if shown.groupby("seed")["fold"].nunique().min() > 1:
            return Choosing(shown, np.asarray(shown["fold"], dtype=np.intp), "the other folds of the cross-validation")
    else:
        for other, words in (("tune", "the tuning part"), ("cv", "the out-of-fold predictions of the first seed")):
            rows = table.part(arm, other)
            if other == "tune" and table.tuning is not None:
                rows = table.tuning[table.tuning["arm"] == arm]
            # Limits of raw probabilities say nothing of recalibrated ones.
            if len(rows) and ((arm, other) in table.calibrated) == ((arm, split) in table.calibrated):
                return Choosing(rows[rows["seed"] == rows["seed"].min()], None, words)
    part_of = parts_by_group(shown)
    parts = shown["group_id"].astype(str).map(part_of)
    return Choosing(shown, np.asarray(parts, dtype=np.intp), f"the same set, cross-fitted by group in {FOLDS} parts")
