"""An arm's rows beside what readers said of the same units, as arrays; its ROC curve at the readers' points."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.discrimination import is_cross_validated
from isthmus.report.reads import by_number
from isthmus.report.subject import Study
from isthmus.statistics.matched_point import MatchedPoints, matched_points

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Beside:
    """An arm's rows beside what R readers said of the same units: NaN where a reader said nothing.

    `calls` of readers and of the arm are 1 where the positive class was called; with several classes, where the call
    was right.
    """

    readers: list[str]
    truth: NDArray[np.bool_]
    groups: NDArray[np.str_]
    units: NDArray[np.str_]
    seed: NDArray[np.intp]
    fold: NDArray[np.intp]
    reader_scores: FloatArray
    reader_calls: FloatArray
    scores: FloatArray
    calls: FloatArray
    folded: bool

    def of(self, readers: list[str], rows: NDArray[np.bool_]) -> "Beside":
        """Return these readers and rows alone."""
        places = [self.readers.index(name) for name in readers]
        cut = {
            name: getattr(self, name)[rows] for name in ("truth", "groups", "units", "seed", "fold", "scores", "calls")
        }
        two = {name: getattr(self, name)[places][:, rows] for name in ("reader_scores", "reader_calls")}
        return replace(self, readers=readers, **cut, **two)

    def sizes(self) -> dict[str, int]:
        """Return how many units and groups there are."""
        return {"n": len(set(self.units.tolist())), "n_groups": len(set(self.groups.tolist()))}


def beside_readers(table: AnalysisTable, arm: str, split: str, read: DataFrame) -> Beside | None:
    """Return an arm's rows beside the reads of one condition, each reader's first; None where it shares no unit."""
    rows = table.part(arm, split)
    rows = rows[rows["unit_id"].isin(set(read["unit_id"]))]
    if rows.empty:
        return None
    units = rows["unit_id"].to_numpy(dtype=str)
    said = {name: read.pivot(index="unit_id", columns="reader_id", values=name) for name in ("score", "call")}
    readers = sorted(map(str, said["score"].columns), key=by_number)
    said = {name: wide[readers] for name, wide in said.items()}
    label = rows["label"].to_numpy(dtype=str)
    wide = said["call"].reindex(units).to_numpy(dtype=object).T
    silent = (wide != wide) | (wide == "")
    yes = table.positive if len(table.classes) == 2 else label
    called = rows["call"].to_numpy(dtype=object)
    return Beside(
        readers=readers,
        truth=rows["truth"].to_numpy(dtype=bool),
        groups=rows["group_id"].to_numpy(dtype=str),
        units=units,
        seed=rows["seed"].to_numpy(dtype=np.intp),
        fold=rows["fold"].to_numpy(dtype=np.intp),
        reader_scores=said["score"].reindex(units).to_numpy(dtype=np.float64).T,
        reader_calls=np.where(silent, np.nan, (wide == yes).astype(float)),
        scores=rows["score"].to_numpy(dtype=np.float64),
        calls=np.where(called == "", np.nan, (called == yes).astype(float)),
        folded=is_cross_validated(rows),
    )


class ReaderPoints:
    """The arm's curve at the readers' points, computed once for all readers who called the same cases.

    Of several seeds the first: a threshold belongs to one model.
    """

    def __init__(self, beside: Beside, study: Study) -> None:
        self._beside = beside.of(beside.readers, beside.seed == beside.seed.min())
        self._study = study
        self._known = np.isfinite(self._beside.reader_calls) & np.isfinite(self._beside.scores)
        self._found: dict[bytes, tuple[list[str], MatchedPoints, Beside] | None] = {}

    def of(self, readers: list[str]) -> tuple[MatchedPoints, Beside] | None:
        """Return the curve at these readers' points, and the cases that all of them called and the arm scored."""
        places = [self._beside.readers.index(name) for name in readers]
        rows = np.asarray(self._known[places].all(axis=0), dtype=np.bool_)
        key = rows.tobytes()
        if key not in self._found:
            self._found[key] = self._computed(rows)
        found = self._found[key]
        if found is None:
            return None
        everybody, matched, some = found
        return matched.of([everybody.index(name) for name in readers]), some

    def _computed(self, rows: NDArray[np.bool_]) -> tuple[list[str], MatchedPoints, Beside] | None:
        names = self._beside.readers
        everybody = [name for name, known in zip(names, self._known, strict=True) if known[rows].all()]
        some = self._beside.of(everybody, rows)
        if not both_classes(some):
            return None
        # A standard error needs fewer replicates than a percentile does.
        replicates = min(self._study.bootstrap, 1000 if some.units.size <= 2000 else 400)
        called = some.reader_calls > 0.5
        try:
            found = matched_points(
                some.truth,
                some.scores,
                called,
                some.groups,
                folds=some.fold if some.folded else None,
                replicates=replicates,
            )
        except ValueError:  # no fold with both classes
            return None
        return everybody, found, some


def both_classes(beside: Beside) -> bool:
    """Tell whether the cases hold both classes."""
    return bool(beside.truth.any() and not beside.truth.all())


def is_one_point(scores: ArrayLike) -> bool:
    """Tell whether scores hold two values at most, or none: a reader who calls, whatever the column is named."""
    values = np.asarray(scores, dtype=np.float64)
    return np.unique(values[np.isfinite(values)]).size <= 2
