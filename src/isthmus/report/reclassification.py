"""How an arm moves cases against another: net reclassification and integrated discrimination, in named pairs only."""

from typing import Any, Final

import numpy as np
from pandas import DataFrame

from isthmus.report.analysis_table import LEFT_OUT, AnalysisTable
from isthmus.report.reading import in_order
from isthmus.report.subject import Study
from isthmus.statistics.calibration_measures import calibration_slope
from isthmus.statistics.reclassification import (
    Reclassification,
    categories_of,
    integrated_discrimination,
    net_reclassification,
)

KEY: Final = "reclassification"


def reclassification(
    table: AnalysisTable, study: Study, evidence: dict[str, Any], categories: tuple[float, ...] | None = None
) -> list[dict[str, Any]]:
    """Return an entry for each named pair and split: ``a`` the new arm, ``b`` the old one.

    Pairs are the primary contrast and each arm against the reference arm; the measures are easily misread, so that no
    other pair has them. ``calls`` has two categories, the arms' own calls; ``categories`` the given risk categories;
    ``category_free`` and ``idi`` need probabilities.

    Parameters
    ----------
    table : AnalysisTable
    study : Study
    evidence : dict
    categories : tuple of float, optional
        Cuts between risk categories, rising, fixed before the analysis.
    """
    if len(table.classes) != 2:
        return []
    found = []
    for split in in_order(set(table.rows["split"]) - set(LEFT_OUT)):
        arms = list(dict.fromkeys(table.rows.loc[table.rows["split"] == split, "arm"]))
        for a, b in _pairs(arms, study):
            both = _shared(table, a, b, split)
            if len(both) and both["truth"].nunique() == 2:
                primary = study.primary is not None and (a, b) == (study.primary["arm"], study.primary["against"])
                measured = _measured(both, table, study, categories)
                if measured:
                    found.append({"a": a, "b": b, "split": split, "primary": primary, **measured})
    return found


def _pairs(arms: list[str], study: Study) -> list[tuple[str, str]]:
    named = [(study.primary["arm"], study.primary["against"])] if study.primary else []
    if study.reference_arm:
        named += [(arm, study.reference_arm) for arm in arms if arm != study.reference_arm]
    known: list[tuple[str, str]] = []
    for pair in named:
        if set(pair) <= set(arms) and not any(set(pair) == set(other) for other in known):
            known.append(pair)
    return known


def _shared(table: AnalysisTable, a: str, b: str, split: str) -> DataFrame:
    """Return both arms' probabilities and calls on the units that both have in the same seed."""
    left, right = table.part(a, split), table.part(b, split)
    keys = ["seed", "unit_id"]
    if left.duplicated(keys).any() or right.duplicated(keys).any():
        keys.append("fold")
    other = right[[*keys, "probability", "call"]]
    if left.duplicated(keys).any() or other.duplicated(keys).any():
        return left.iloc[:0]
    return left.merge(other, on=keys, suffixes=("_a", "_b"), validate="one_to_one")


def _measured(
    both: DataFrame, table: AnalysisTable, study: Study, categories: tuple[float, ...] | None
) -> dict[str, Any]:
    truth, groups = both["truth"].to_numpy(dtype=bool), both["group_id"].to_numpy(dtype=str)
    seeds = int(both["seed"].nunique())
    shared: dict[str, Any] = {
        "n": int(both["unit_id"].nunique()),
        "events": float(truth.sum() / seeds),
        "nonevents": float((~truth).sum() / seeds),
    }
    level, draws = study.level, study.bootstrap
    found: dict[str, Any] = {}
    if (both["call_a"] != "").all() and (both["call_b"] != "").all():
        new, old = ((both[name] == table.positive).to_numpy() for name in ("call_a", "call_b"))
        found["calls"] = _plain(net_reclassification(truth, new, old, groups, level, draws), seeds)
    one, other = (both[name].to_numpy(dtype=np.float64) for name in ("probability_a", "probability_b"))
    if not (np.isnan(one).any() or np.isnan(other).any()):
        if categories:
            moved = categories_of(one, categories), categories_of(other, categories)
            found["categories"] = {
                "cuts": list(categories),
                **_plain(net_reclassification(truth, *moved, groups, level, draws), seeds),
            }
        free = net_reclassification(truth, one, other, groups, level, draws, category_free=True)
        found["category_free"] = _plain(free, seeds)
        found["idi"] = _plain(integrated_discrimination(truth, one, other, groups, level, draws), seeds)
        found["slopes"] = {
            name: calibration_slope(truth, p, groups, level).as_dict() for name, p in (("a", one), ("b", other))
        }
    return {**shared, **found} if found else {}


def _plain(found: Reclassification, seeds: int) -> dict[str, Any]:
    """Return the entry; counts of several seeds are their mean."""
    entry = found.as_dict()
    for name in ("up_events", "down_events", "up_nonevents", "down_nonevents"):
        entry[name] = entry[name] / seeds
    return entry
