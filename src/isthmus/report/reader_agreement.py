"""How far readers agree with each other, with themselves, and with each arm."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, Final

import numpy as np
import pandas as pd
from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.reads import by_number, conditions_of, first_session, reader_groups
from isthmus.report.subject import Study
from isthmus.statistics.category_agreement import Measure, Weights, cohen_kappa, reader_agreement
from isthmus.statistics.interval import Interval
from isthmus.statistics.intraclass import Form, intraclass_correlation

STEPS: Final = 12
"""A score of at most so many whole numbers is an ordered scale (five points, BI-RADS); more are a measurement."""

_OF_CALLS: Final[dict[str, Measure]] = {
    "percent agreement": "percent agreement",
    "Fleiss kappa": "Fleiss kappa",
    "Gwet AC1": "Gwet AC",
    "Krippendorff alpha": "Krippendorff alpha",
}
_OF_SCORES: Final[dict[str, Form]] = {"ICC(2,1)": "2,1", "ICC(2,k)": "2,k"}


def agreement_among(table: AnalysisTable, split: str, read: DataFrame, study: Study) -> Iterator[dict[str, Any]]:
    """Yield every agreement of the readers of one split.

    Yields
    ------
    dict
        ``kind`` (``readers``: a group of them; ``pair``; ``arm``: a reader with an arm; ``sessions``: a reader with
        himself), ``condition, group, a, b, of`` (``calls`` or ``scores``), ``measure, readers, n, n_groups`` and the
        interval's fields.
    """
    first = first_session(read)
    for condition in conditions_of(first):
        rows = first[first["condition"] == condition]
        called, scored = rows[rows["call"] != ""], rows[np.isfinite(rows["score"].to_numpy(dtype=np.float64))]
        parts = [
            *_of_calls(called, table, study),
            *_of_scores(scored, study),
            *_with_arms(called, table, split, study),
        ]
        yield from ({"condition": condition, **part} for part in parts)
    yield from _with_themselves(read, table, study)


def _of_calls(called: DataFrame, table: AnalysisTable, study: Study) -> Iterator[dict[str, Any]]:
    for group, readers in reader_groups(called).items() if len(called) else ():
        wide, groups = _wide(called, "call", readers)
        if len(readers) > 1:
            for name, measure in _OF_CALLS.items():
                found = reader_agreement(
                    measure, wide.to_numpy(dtype=object), groups, study.level, categories=table.classes
                )
                yield _entry("readers", "calls", name, found, wide, groups, group=group, readers=len(readers))
        if group == "all":
            yield from _pairs(wide, groups, "calls", "Cohen kappa", "none", table.classes, study.level)


def _of_scores(scored: DataFrame, study: Study) -> Iterator[dict[str, Any]]:
    scale = _steps(scored["score"])
    for group, readers in reader_groups(scored).items() if len(scored) else ():
        wide, groups = _wide(scored, "score", readers)
        if len(readers) > 1:
            full = wide.notna().all(axis=1).to_numpy()
            ratings = wide[full].to_numpy(dtype=np.float64)
            for name, form in _OF_SCORES.items() if len(ratings) > 1 else ():
                found = intraclass_correlation(ratings, groups[full], study.level, study.bootstrap, form)
                yield _entry(
                    "readers", "scores", name, found, wide[full], groups[full], group=group, readers=len(readers)
                )
            if scale:
                cells = wide.to_numpy(dtype=object)
                found = reader_agreement("Gwet AC", cells, groups, study.level, "quadratic", scale)
                yield _entry("readers", "scores", "Gwet AC2", found, wide, groups, group=group, readers=len(readers))
        if group == "all" and scale:
            yield from _pairs(wide, groups, "scores", "Weighted kappa", "quadratic", scale, study.level)


def _with_arms(called: DataFrame, table: AnalysisTable, split: str, study: Study) -> Iterator[dict[str, Any]]:
    readers = sorted(set(called["reader_id"]), key=by_number)
    for arm in dict.fromkeys(table.rows["arm"]) if readers else ():
        rows = table.part(arm, split)
        rows = rows[rows["seed"] == rows["seed"].min()].drop_duplicates("unit_id")
        if rows.empty or (rows["call"] == "").all():
            continue
        wide, _ = _wide(called, "call", readers)
        wide = wide.reindex(rows["unit_id"].to_numpy())
        groups = rows["group_id"].to_numpy(dtype=str)
        for reader in readers:
            sides = wide[reader].to_numpy(dtype=object), rows["call"].to_numpy(dtype=object)
            both = wide[reader].notna().to_numpy()
            found = cohen_kappa(*sides, groups, study.level, categories=table.classes)
            yield _entry("arm", "calls", "Cohen kappa", found, wide[both], groups[both], a=reader, b=str(arm))


def _with_themselves(read: DataFrame, table: AnalysisTable, study: Study) -> Iterator[dict[str, Any]]:
    """Yield the agreement of a reader's first two sessions under a condition, where units were read again."""
    again = read[(read["session"] != "") & (read["call"] != "")]
    for (condition, reader), rows in again.groupby(["condition", "reader_id"], sort=True):
        one = first_session(rows)
        other = first_session(rows.drop(index=one.index))
        both = one.merge(other[["unit_id", "call"]], on="unit_id", suffixes=("", "_again"))
        if len(both):
            groups = both["group_id"].to_numpy(dtype=str)
            found = cohen_kappa(both["call"], both["call_again"], groups, study.level, categories=table.classes)
            entry = _entry("sessions", "calls", "Cohen kappa", found, both, groups, a=str(reader), b=str(reader))
            yield {"condition": str(condition), **entry}


def _pairs(
    wide: DataFrame,
    groups: "np.ndarray[Any, np.dtype[np.str_]]",
    of: str,
    measure: str,
    weights: Weights,
    categories: Sequence[object],
    level: float,
) -> Iterator[dict[str, Any]]:
    for a, b in combinations(wide.columns, 2):
        both = (wide[a].notna() & wide[b].notna()).to_numpy()
        sides = wide[a].to_numpy(dtype=object), wide[b].to_numpy(dtype=object)
        found = cohen_kappa(*sides, groups, level, weights, categories)
        yield _entry("pair", of, measure, found, wide[both], groups[both], a=str(a), b=str(b))


def _entry(
    kind: str,
    of: str,
    measure: str,
    found: Interval,
    units: DataFrame,
    groups: "np.ndarray[Any, np.dtype[np.str_]]",
    **named: Any,
) -> dict[str, Any]:
    plain = {"kind": kind, "of": of, "measure": measure, "group": "", "a": "", "b": "", "readers": 2}
    return {**plain, **named, "n": len(units), "n_groups": len(set(groups.tolist())), **found.as_dict()}


def _wide(
    rows: DataFrame, column: str, readers: Sequence[str]
) -> tuple[DataFrame, "np.ndarray[Any, np.dtype[np.str_]]"]:
    """Return units by readers, and the group of each unit."""
    asked = rows[rows["reader_id"].isin(readers)]
    wide = asked.pivot(index="unit_id", columns="reader_id", values=column)
    wide = wide[sorted(wide.columns, key=lambda name: by_number(str(name)))]
    groups = asked.drop_duplicates("unit_id").set_index("unit_id")["group_id"]
    return wide, groups.loc[wide.index].to_numpy(dtype=str)


def _steps(scores: "pd.Series[float]") -> list[float]:
    """Return the steps of an ordered scale, without gaps; none where the score is a measurement."""
    distinct = np.unique(scores.dropna())
    whole = distinct.size > 1 and bool((distinct == np.round(distinct)).all())
    if not whole or distinct[-1] - distinct[0] >= STEPS:
        return []
    return [float(step) for step in np.arange(distinct[0], distinct[-1] + 1)]
