"""Two arms brought together on the units that both have."""

from dataclasses import dataclass

from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.discrimination import is_cross_validated


@dataclass(frozen=True)
class Part:
    """One arm's rows in one split, read once for all its pairs.

    Parameters
    ----------
    rows : DataFrame
        What comparisons need of them.
    units : frozenset of str
    seeds : int
    cross_validated : bool
        Whether the rows are of several models.
    repeated : bool
        Whether a unit stands in several folds of a seed.
    scored : list of str
        The columns that differ between arms: score, call and, with several classes, their probabilities.
    """

    rows: DataFrame
    units: frozenset[str]
    seeds: int
    cross_validated: bool
    repeated: bool
    scored: list[str]


def part_of(table: AnalysisTable, arm: str, split: str) -> Part:
    """Return one arm's part of a split."""
    scored = ["score", "call", *([f"p_{label}" for label in table.classes] if len(table.classes) > 2 else [])]
    shared = ["split", "seed", "fold", "unit_id", "group_id", "label", "truth"]
    rows = table.part(arm, split)[[*shared, *scored]].reset_index(drop=True)
    return Part(
        rows,
        frozenset(rows["unit_id"]),
        int(rows["seed"].nunique()),
        is_cross_validated(rows),
        bool(rows.duplicated(["seed", "unit_id"]).any()),
        scored,
    )


def are_apart(left: Part, right: Part) -> bool:
    """Tell whether two arms, one model each, share no unit: then each AUC is of its own units."""
    return not (left.cross_validated or right.cross_validated or left.units & right.units)


def paired(left: Part, right: Part) -> DataFrame:
    """Return both arms' scores and calls on the units that both have, in the same seed; `fold_b` is the second's.

    Raises
    ------
    ValueError
        When there is no such unit, or all are of one class.
    """
    keys = ["seed", "unit_id", "fold"] if left.repeated or right.repeated else ["seed", "unit_id"]
    one = left.rows.rename(columns={name: f"{name}_a" for name in left.scored})
    other = right.rows.assign(fold_b=right.rows["fold"])[[*keys, "fold_b", *right.scored]]
    other = other.rename(columns={name: f"{name}_b" for name in right.scored})
    if all(left.rows[key].equals(right.rows[key]) for key in keys):  # as of most arms: no search is needed
        both = one.assign(**{name: other[name] for name in other.columns if name not in keys})
    else:
        both = one.merge(other, on=keys, validate="one_to_one")
    if both.empty:
        raise ValueError("they share no unit in the same seed")
    if both["label"].nunique() < 2:
        raise ValueError("the units they share are all of one class")
    missing = max(len(left.units), len(right.units)) - both["unit_id"].nunique()
    return both.assign(missing=missing, seeds_missing=max(left.seeds, right.seeds) - both["seed"].nunique())
