"""Columns of a cohort's tables as numbers: how a model that was fitted on them codes the next case."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.errors import InputError

CLINICAL: Final = "clinical"
"""Key of the arm that the clinical model is, and of its columns where they join others."""

Kind = Literal["numeric", "categorical"]


def values_of(table: pd.DataFrame, name: str, kind: Kind) -> "pd.Series[Any]":
    """Return a column's values: numbers, or the text of its levels; missing ones stay missing.

    ``echogenic_foci=punctate`` is ``yes`` or ``no``: whether that code stands in the multi-valued column.
    """
    column, _, code = name.partition("=")
    values = table[name] if name in table else table[column]
    if kind == "numeric":
        return values.astype("float64")
    if code and name not in table:
        return values.map(lambda text: "yes" if code in str(text).split(" ") else "no", na_action="ignore")
    return values.map(as_level, na_action="ignore")


def as_level(value: Any) -> str:
    """Return a category as text: 1.0 is ``1``."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


@dataclass(frozen=True)
class Term:
    """A column as covariates.

    Parameters
    ----------
    column, title : str
        Name in the tables, of one code of a multi-valued column ``echogenic_foci=punctate``; and as shown.
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
    kind: Kind
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
        name = self.column.partition("=")[0]
        if name not in cases.columns and self.column not in cases.columns:
            values = pd.Series(self.fill, index=cases.index)  # a cohort that lacks the column
        else:
            values = self._values(cases)
        known = values.where(values.notna(), self.fill)
        if self.kind == "numeric":
            numbers = (known.to_numpy(dtype=np.float64) - float(self.fill)) / self.per
            return numbers[:, None]
        codes = known.map(lambda value: self.joined.get(value, value)).to_numpy(dtype=object)
        return np.column_stack([codes == value for value, _ in self.levels]).astype(np.float64)

    def _values(self, cases: pd.DataFrame) -> "pd.Series[Any]":
        try:
            return values_of(cases, self.column, self.kind)
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


def design_of(terms: Sequence[Term], cases: pd.DataFrame) -> NDArray[np.float64]:
    """Return the covariates [N, P] of some cases, those of all terms side by side."""
    return np.column_stack([np.empty((len(cases), 0)), *(term.design(cases) for term in terms)])


def names_of(terms: Sequence[Term]) -> list[str]:
    """Return the names of the covariates of :func:`design_of`."""
    return [name for term in terms for name in term.names]
