"""What a multi-reader analysis returns."""

from dataclasses import dataclass
from itertools import combinations
from math import isfinite
from typing import Any, Literal

import numpy as np

from isthmus.statistics.inputs import FloatArray
from isthmus.statistics.interval import Comparison, Interval, undefined
from isthmus.statistics.multi_reader.components import VarianceComponents
from isthmus.statistics.multi_reader.study import CrossedStudy

Factor = Literal["random", "fixed"]


@dataclass(frozen=True)
class OverallTest:
    """Test of the hypothesis that all conditions have the same mean figure.

    `statistic` is F with `df1` and `df2` degrees of freedom, or a chi-square on `df1` (then `df2` is infinite).
    """

    statistic: float
    df1: float
    df2: float
    p: float
    method: str
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for JSON; a number that does not exist, and an infinite `df2`, is None."""
        numbers = {name: _number(getattr(self, name)) for name in ("statistic", "df1", "df2", "p")}
        return {**numbers, "method": self.method, **({"note": self.note} if self.note else {})}


@dataclass(frozen=True)
class NamedComparison:
    """A comparison with the names of its two sides, a - b."""

    a: str
    b: str
    comparison: Comparison
    reader: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return names and comparison, flat; `reader` only where the comparison is one reader's own."""
        own = {"reader": self.reader} if self.reader else {}
        return {**own, "a": self.a, "b": self.b, **self.comparison.as_dict()}


@dataclass(frozen=True, eq=False)
class MultiReaderResult:
    """Conditions compared over readers and cases.

    Parameters
    ----------
    method : str
        ``Obuchowski-Rockette, random readers, random cases`` or the like: what the tests generalise to.
    figure : str
        ``auc``, ``sensitivity``, ``specificity`` or ``accuracy``.
    readers, conditions : tuple of str
        Those analysed.
    figures : ndarray [readers, conditions]
        Each reader's own figure.
    means : tuple of Interval
        One a condition: mean over readers, from that condition's reads alone.
    overall : OverallTest
    comparisons : tuple of NamedComparison
        Every pair of conditions in their order, a - b; their p-values are not adjusted.
    by_reader : tuple of NamedComparison
        The same pairs within each reader (paired z over cases); `reader` names the reader.
    components : VarianceComponents
    readers_as, cases_as : {'random', 'fixed'}
        What readers and cases were taken as, after the rule for few readers.
    n, n_positive, n_groups : int
        Cases analysed, positive ones among them, and their groups.
    notes : tuple of str
        What a reader must know: what was left out, why readers are fixed, why a number is missing.
    """

    method: str
    figure: str
    readers: tuple[str, ...]
    conditions: tuple[str, ...]
    figures: FloatArray
    means: tuple[Interval, ...]
    overall: OverallTest
    comparisons: tuple[NamedComparison, ...]
    by_reader: tuple[NamedComparison, ...]
    components: VarianceComponents
    readers_as: Factor
    cases_as: Factor
    n: int
    n_positive: int
    n_groups: int
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return everything for JSON; `figures` and `means` are keyed by condition (and reader)."""
        figures = {
            condition: {reader: _number(self.figures[j, i]) for j, reader in enumerate(self.readers)}
            for i, condition in enumerate(self.conditions)
        }
        return {
            "method": self.method,
            "figure": self.figure,
            "readers": list(self.readers),
            "conditions": list(self.conditions),
            "figures": figures,
            "means": {name: mean.as_dict() for name, mean in zip(self.conditions, self.means, strict=True)},
            "overall": self.overall.as_dict(),
            "comparisons": [pair.as_dict() for pair in self.comparisons],
            "by_reader": [pair.as_dict() for pair in self.by_reader],
            "components": self.components.as_dict(),
            "readers_as": self.readers_as,
            "cases_as": self.cases_as,
            "n": self.n,
            "n_positive": self.n_positive,
            "n_groups": self.n_groups,
            "notes": list(self.notes),
        }


def no_result(
    method: str, figure: str, study: CrossedStudy, cases: Factor, notes: tuple[str, ...], level: float
) -> MultiReaderResult:
    """Return a result without numbers; the last of `notes` says why."""
    nan, (r, t) = float("nan"), (len(study.readers), len(study.conditions))
    none = undefined(method, notes[-1], level)
    pairs = combinations(study.conditions, 2)
    return MultiReaderResult(
        method=method,
        figure=figure,
        readers=study.readers,
        conditions=study.conditions,
        figures=np.full((r, t), nan),
        means=(none,) * t,
        overall=OverallTest(nan, float(t - 1), nan, nan, method, notes[-1]),
        comparisons=tuple(NamedComparison(a, b, Comparison(none, nan, nan, method, nan, nan)) for a, b in pairs),
        by_reader=(),
        components=VarianceComponents(nan, nan, nan, nan, nan, nan, np.full(t, nan), np.full(t, nan)),
        readers_as="fixed",
        cases_as=cases,
        n=study.truth.size,
        n_positive=int(study.truth.sum()),
        n_groups=len(np.unique(study.groups)),
        notes=notes,
    )


def _number(value: float) -> float | None:
    return float(value) if isfinite(value) else None
