"""How columns of a cohort become the covariates of a clinical model: chosen and coded on the training cases alone."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.errors import InputError
from isthmus.report.case_columns import Column, columns_of, values_of

CLINICAL: Final = "clinical"
CLINICAL_TITLE: Final = "Clinical model"
"""Key and name of the arm that the clinical model is, and of its columns where they join others."""

PREOPERATIVE: Final = (
    "age_years", "sex", "size_mm", "location", "composition", "echogenicity", "shape", "echogenic_foci",
)  # fmt: skip
"""What is known before an operation, and enters a clinical model where nothing else is asked for."""

WITHHELD: Final = ("margin", "extrathyroidal_extension")
"""What may be known from the operation only: outside every clinical model but the sensitivity analysis."""

FEWEST: Final = 5
"""A level with fewer training cases has no coefficient of its own."""

_OTHER = "other"
_ABSENT: Final = ("no", "none", "absent", "0")
_PER: Final[Mapping[str, float]] = {"age_years": 10.0, "size_mm": 5.0}
"""Steps that odds ratios are stated for; 1 elsewhere."""


@dataclass(frozen=True)
class Term:
    """A column as covariates.

    Parameters
    ----------
    column, title : str
        As :class:`isthmus.report.case_columns.Column` has them.
    kind : {'numeric', 'categorical'}
    fill : float or str
        Stands for a value that is missing: the training cases' mean, or their most frequent level.
    low, high : float
        Of a numeric column: range of the training cases.
    per : float
        Of a numeric column: the step that its coefficient is for; it is centred at ``fill``.
    reference : tuple of (str, str)
        Of a categorical column: the level whose coefficient is 0, absence or else the most frequent; value and words.
    levels : tuple of (str, str)
        The others that have a coefficient.
    joined : dict
        Rare levels, and under which one they count.
    """

    column: str
    title: str
    kind: Literal["numeric", "categorical"]
    fill: float | str
    low: float = 0.0
    high: float = 0.0
    per: float = 1.0
    reference: tuple[str, str] = ("", "")
    levels: tuple[tuple[str, str], ...] = ()
    joined: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Names of the covariates, one a coefficient."""
        return [self.column] if self.kind == "numeric" else [f"{self.column}: {value}" for value, _ in self.levels]

    def design(self, cases: pd.DataFrame) -> NDArray[np.float64]:
        """Return the covariates [N, names] of some cases; a level that training never saw counts as the reference."""
        kind, levels = self.kind, (self.reference, *self.levels)
        name = self.column.partition("=")[0]
        if name not in cases.columns and self.column not in cases.columns:
            values = pd.Series(self.fill, index=cases.index)  # a cohort that lacks the column
        else:
            values = self._values(cases, Column(self.column, self.title, kind, levels, False))
        known = values.where(values.notna(), self.fill)
        if kind == "numeric":
            numbers = (known.to_numpy(dtype=np.float64) - float(self.fill)) / self.per
            return numbers[:, None]
        codes = known.map(lambda value: self.joined.get(value, value)).to_numpy(dtype=object)
        return np.column_stack([codes == value for value, _ in self.levels]).astype(np.float64)

    def _values(self, cases: pd.DataFrame, column: Column) -> "pd.Series[Any]":
        try:
            return values_of(cases, column)
        except ValueError as error:
            raise InputError(
                f"column {self.column} holds text, and the clinical model was fitted on its numbers",
                expected=f"numbers, such as {float(self.fill):.4g}",
            ) from error

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as `frozen.json` keeps them."""
        return {**asdict(self), "reference": list(self.reference), "levels": [list(level) for level in self.levels]}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Term":
        """Return the term that `to_json` wrote."""
        levels = tuple((str(value), str(words)) for value, words in fields["levels"])
        value, words = fields["reference"]
        return cls(**{**fields, "levels": levels, "reference": (str(value), str(words))})


def terms_of(cases: pd.DataFrame, columns: Sequence[str] | None = None) -> tuple[list[Term], list[dict[str, str]]]:
    """Code the columns of some training cases.

    Parameters
    ----------
    cases : DataFrame
        One row a case: ``label`` and whatever is known of it.
    columns : sequence of str, optional
        Which; without it those of :data:`PREOPERATIVE` that the cases have.

    Returns
    -------
    list of Term
        In this order; a multi-valued descriptor gives one a code.
    list of dict
        ``column`` and ``reason`` of what was left out: alike in (nearly) all, unknown, text that is no category, or a
        combination of the columns before it.
    """
    asked = tuple(name for name in PREOPERATIVE if name in cases.columns) if columns is None else tuple(columns)
    found, left_out = columns_of(cases, asked)
    kept: list[Term] = []
    design = np.ones((len(cases), 1))
    for column in found:
        if column.name.endswith("=none"):
            continue  # it has none where it has no other code
        term = _term(cases, column)
        if term is None:
            left_out.append({"column": column.name, "reason": f"fewer than {FEWEST} cases differ from the others"})
            continue
        wider = np.column_stack([design, term.design(cases)])
        if np.linalg.matrix_rank(wider) < wider.shape[1]:
            left_out.append({"column": column.name, "reason": "the columns before it, or too few cases, leave it open"})
            continue
        design = wider
        kept.append(term)
    return kept, left_out


def _term(cases: pd.DataFrame, column: Column) -> Term | None:
    values = values_of(cases, column).dropna()
    if column.kind == "numeric":
        numbers = values.to_numpy(dtype=np.float64)
        if np.ptp(numbers) == 0:
            return None
        mean, low, high = float(numbers.mean()), float(numbers.min()), float(numbers.max())
        per = _PER.get(column.name, 1.0)
        return Term(column.name, column.title, "numeric", mean, low, high, per)
    counts = {value: int((values == value).sum()) for value, _ in column.levels}
    by_count = sorted(column.levels, key=lambda level: -counts[level[0]])
    reference = next((level for level in by_count if level[0] in _ABSENT and counts[level[0]] >= FEWEST), by_count[0])
    common = [level for level in column.levels if counts[level[0]] >= FEWEST and level != reference]
    rare = [value for value, _ in column.levels if 0 < counts[value] < FEWEST and value != reference[0]]
    under = _OTHER if sum(counts[value] for value in rare) >= FEWEST else reference[0]
    levels = (*common, (_OTHER, _OTHER)) if rare and under == _OTHER else tuple(common)
    if not levels:
        return None
    return Term(
        column.name, column.title, "categorical", by_count[0][0], reference=reference, levels=levels,
        joined=dict.fromkeys(rare, under),
    )  # fmt: skip


def design_of(terms: Sequence[Term], cases: pd.DataFrame) -> NDArray[np.float64]:
    """Return the covariates [N, P] of some cases, those of all terms side by side."""
    return np.column_stack([np.empty((len(cases), 0)), *(term.design(cases) for term in terms)])


def names_of(terms: Sequence[Term]) -> list[str]:
    """Return the names of the covariates of :func:`design_of`."""
    return [name for term in terms for name in term.names]
