"""Table 1: what the cases are like, by outcome within each set and by set, with tests and standardised differences."""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any, Final

import numpy as np
import pandas as pd

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.case_columns import Column, columns_of, units_of, values_of
from isthmus.report.reading import split_name
from isthmus.report.subject import Study
from isthmus.statistics.clustered_group_tests import clustered_categorical_test, clustered_numeric_test
from isthmus.statistics.group_tests import GroupTest, Rule, categorical_test, no_test, numeric_test
from isthmus.statistics.interval import Interval, undefined
from isthmus.statistics.standardised_difference import (
    largest_difference,
    standardised_mean_difference,
    standardised_share_difference,
)

ALL: Final = "all"
_LABEL_IS_MADE_FROM_IT = "the label is made from it"
_ORDER = ("train", "tune", "cv", "test", "temporal", "external")


def table_one(table: AnalysisTable, study: Study, evidence: dict[str, Any]) -> dict[str, Any]:
    """Return Table 1, empty where nothing is known of the cases.

    Nodules count in columns of the nodule, patients in columns of the patient (age, sex, site): once each, under the
    highest class among their nodules. Tests are cluster-robust where a group has several cases.

    Parameters
    ----------
    table : AnalysisTable
    study : Study
        ``cases``; ``table_one`` (which columns) and ``table_one_mode`` (``paper``: tests as published tables have them,
        on cases taken as independent).
    evidence : dict
        Not asked.

    Returns
    -------
    dict
        ``mode``, ``columns`` (name, title, kind, levels, of_patients), ``left_out``, ``by_outcome`` (one entry a set:
        ``set``, ``n``, ``rows``) and ``by_set`` (``sets``, ``rows``; None for one set). A row: ``column``, ``groups``
        (``n``, ``missing`` and ``mean, sd, median, q1, q3`` or ``counts``), ``test``, ``smd`` (the largest of all
        pairs, with ``pair``: the later less the earlier; without an estimate ``note`` says why).
    """
    if study.cases is None or study.cases.empty:
        return {}
    units = units_of(table, study.cases)
    columns, left_out = columns_of(units, study.table_one)
    if not columns:
        return {}
    classes = [*(name for name in table.classes if name != table.positive), table.positive]
    sets = sets_of(units)
    circular = {"tirads"} if study.reference == "tirads" else set()
    made = _Made(study.table_one_mode, study.level, circular)
    whole = {ALL: _united(units)} if len(sets) > 1 else {}
    by_outcome = [
        {
            "set": name,
            "n": len(part),
            "n_patients": int(part["patient_id"].nunique()),
            "groups": {label: int((part["label"] == label).sum()) for label in classes},
            "rows": [made.row(column, _by_outcome(part, column, classes)) for column in columns],
        }
        for name, part in {**sets, **whole}.items()
    ]
    return {
        "mode": study.table_one_mode,
        "classes": classes,
        "columns": [
            {
                "name": column.name,
                "title": column.title,
                "kind": column.kind,
                "levels": [list(level) for level in column.levels],
                "of_patients": column.of_patients and bool(units["patient_id"].nunique() < len(_united(units))),
            }
            for column in columns
        ],
        "left_out": left_out,
        "by_outcome": by_outcome,
        "by_set": made.by_set(columns, sets, classes) if len(sets) > 1 else None,
    }


def sets_of(units: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the units of each split in the order of a study; a split of the same units as one before is left out."""
    found: dict[str, pd.DataFrame] = {}
    splits = sorted(set(units["split"]), key=lambda split: (_ORDER.index(str(split).partition(": ")[0]), split))
    seen: list[set[tuple[str, str]]] = []
    for split in splits:
        part = units[units["split"] == split]
        keys = set(zip(part["cohort"], part["unit_id"], strict=True))
        if keys not in seen:
            seen.append(keys)
            found[str(split)] = part
    return found


def _united(units: pd.DataFrame) -> pd.DataFrame:
    return units.drop_duplicates(["cohort", "unit_id"])


def _by_outcome(part: pd.DataFrame, column: Column, classes: Sequence[str]) -> dict[str, pd.DataFrame]:
    rows = _patients(part, column, classes) if column.of_patients else part
    rows = rows.assign(_value=values_of(rows, column))
    return {label: rows[rows["label"] == label] for label in classes}


def _patients(part: pd.DataFrame, column: Column, classes: Sequence[str]) -> pd.DataFrame:
    """Return each patient once, under the highest class among the nodules, with the first value known."""
    rank = {label: place for place, label in enumerate(classes)}
    ordered = part.assign(_rank=part["label"].map(rank)).sort_values("_rank", ascending=False, kind="stable")
    known = ordered.groupby(["cohort", "patient_id"])[column.name].first()
    top = ordered.drop_duplicates(["cohort", "patient_id"]).drop(columns=[column.name])
    return top.merge(known, left_on=["cohort", "patient_id"], right_index=True).sort_index()


class _Made:
    """How a row is made: the tests' rule, the level of intervals, the columns whose comparison means nothing."""

    def __init__(self, rule: Rule, level: float, circular: set[str]) -> None:
        self.rule, self.level, self.circular = rule, level, circular

    def row(self, column: Column, groups: dict[str, pd.DataFrame]) -> dict[str, Any]:
        """Return a row of the table: each group described, then compared."""
        entry: dict[str, Any] = {
            "column": column.name,
            "groups": {name: _described(column, part["_value"]) for name, part in groups.items()},
        }
        if column.name in self.circular:
            return entry | {"test": no_test("none", _LABEL_IS_MADE_FROM_IT).as_dict(), "smd": None}
        known = {name: part[part["_value"].notna()] for name, part in groups.items()}
        known = {name: part for name, part in known.items() if len(part)}
        test = self._test(column, list(known.values()))
        return entry | {"test": test.as_dict(), "smd": self._difference(column, known)}

    def by_set(self, columns: list[Column], sets: dict[str, pd.DataFrame], classes: list[str]) -> dict[str, Any]:
        """Return the sets beside one another; they are compared where no case stands in two of them."""
        keys = [set(zip(part["cohort"], part["unit_id"], strict=True)) for part in sets.values()]
        disjoint = all(not one & other for one, other in combinations(keys, 2))
        label = Column("label", "Label", "categorical", tuple((name, name) for name in classes), False)
        rows = []
        for column in [label, *columns]:
            groups = {}
            for name, part in sets.items():
                own = _patients(part, column, classes) if column.of_patients else part
                groups[name] = own.assign(_value=own["label"] if column is label else values_of(own, column))
            row = self.row(column, groups)
            if not disjoint:
                row |= {"test": no_test("none", "the sets share cases").as_dict(), "smd": None}
            rows.append(row)
        sizes = {name: len(part) for name, part in sets.items()}
        return {"sets": sizes, "names": {name: split_name(name) for name in sets}, "rows": rows}

    def _test(self, column: Column, groups: list[pd.DataFrame]) -> GroupTest:
        if len(groups) < 2:
            return no_test("none", "known in one group only")
        rows = pd.concat(groups)
        of = np.repeat(np.arange(len(groups)), [len(part) for part in groups])
        names = (rows["cohort"].astype(str) + "\x1f" + rows["group_id"].astype(str)).to_numpy()
        if column.kind == "numeric":
            values = rows["_value"].to_numpy(dtype=np.float64)
            if self.rule == "paper":
                return numeric_test([values[of == place] for place in range(len(groups))], "paper")
            return clustered_numeric_test(values, of, names)
        codes = _codes(column, rows["_value"])
        if self.rule == "paper":
            return categorical_test(np.array([_counted(codes[of == k], column) for k in range(len(groups))]).T, "paper")
        return clustered_categorical_test(codes, of, names)

    def _difference(self, column: Column, groups: dict[str, pd.DataFrame]) -> dict[str, Any]:
        """Return the largest difference between two groups and, as ``pair``, which two: the later less the earlier."""
        if len(groups) < 2:
            return undefined("standardised difference", "known in one group only", self.level).as_dict()
        of: Callable[..., Interval] = standardised_share_difference
        values: list[Any] = [part["_value"] for part in groups.values()]
        if column.kind == "numeric":
            of, values = standardised_mean_difference, [own.to_numpy(dtype=np.float64) for own in values]
        else:
            values = [_counted(_codes(column, own), column) for own in values]
        sides = zip(combinations(values, 2), combinations(groups, 2), strict=True)
        pairs = [(of(b, a, self.level), names) for (a, b), names in sides]
        found = largest_difference([pair for pair, _ in pairs])
        return found.as_dict() | {"pair": next(list(names) for pair, names in pairs if pair is found)}


def _codes(column: Column, values: "pd.Series[Any]") -> Any:
    place = {level: code for code, (level, _) in enumerate(column.levels)}
    return values.map(place).to_numpy(dtype=np.intp)


def _counted(codes: Any, column: Column) -> Any:
    return np.bincount(codes, minlength=len(column.levels))


def _described(column: Column, values: "pd.Series[Any]") -> dict[str, Any]:
    known = values.dropna()
    facts: dict[str, Any] = {"n": len(known), "missing": int(values.isna().sum())}
    if column.kind == "categorical":
        return facts | {"counts": {level: int((known == level).sum()) for level, _ in column.levels}}
    numbers = known.to_numpy(dtype=np.float64)
    if not numbers.size:
        return facts | dict.fromkeys(("mean", "sd", "median", "q1", "q3"))
    q1, median, q3 = (float(value) for value in np.quantile(numbers, [0.25, 0.5, 0.75]))
    spread = float(numbers.std(ddof=1)) if numbers.size > 1 else None
    return facts | {"mean": float(numbers.mean()), "sd": spread, "median": median, "q1": q1, "q3": q3}
