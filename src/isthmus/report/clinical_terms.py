"""How columns of a cohort become the covariates of a clinical model: chosen and coded on the training cases alone."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from isthmus.report.case_columns import Column, columns_of, values_of
from isthmus.tables.coded_columns import CLINICAL as CLINICAL
from isthmus.tables.coded_columns import Term as Term
from isthmus.tables.coded_columns import design_of as design_of
from isthmus.tables.coded_columns import names_of as names_of

CLINICAL_TITLE: Final = "Clinical model"
"""The clinical arm as shown."""

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
