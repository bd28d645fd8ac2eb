"""How long readers take for a case, and how much longer or shorter with help."""

from collections.abc import Iterator
from math import exp
from typing import Any

import numpy as np
from pandas import DataFrame

from isthmus.report.reads import UNAIDED, conditions_of, first_session, reader_groups
from isthmus.statistics.interval import Interval
from isthmus.statistics.means import clustered_mean
from isthmus.statistics.multi_reader.inference import FEWEST_READERS


def time_per_case(read: DataFrame, level: float) -> Iterator[dict[str, Any]]:
    """Yield the ratio of times of each other condition to the unaided one, of each group of readers and each reader.

    Parameters
    ----------
    read : DataFrame
        Of one split, as :func:`isthmus.report.reads.reads_by_split` gives it.
    level : float
        Of the intervals.

    Notes
    -----
    The geometric mean of the ratios of the same reader on the same unit, with t limits of the mean log ratio clustered
    by case group; where there are enough readers to stand for others, by reader too (two crossing kinds of clusters).
    """
    timed = first_session(read[read["seconds"] > 0])
    conditions = conditions_of(timed) if len(timed) else []
    for condition in conditions:
        own = timed[timed["condition"] == condition]
        for group, readers in reader_groups(own).items():
            seconds = own.loc[own["reader_id"].isin(readers), "seconds"]
            quarters = np.quantile(seconds, [0.25, 0.5, 0.75])
            yield {
                "kind": "median",
                "condition": condition,
                "group": group,
                "readers": len(readers),
                "reads": len(seconds),
                **{name: float(value) for name, value in zip(("lower", "median", "upper"), quarters, strict=True)},
            }
    for condition in conditions[1:] if UNAIDED in conditions else []:
        yield from _ratios(timed, condition, level)


def _ratios(timed: DataFrame, condition: str, level: float) -> Iterator[dict[str, Any]]:
    sides = [timed[timed["condition"] == name] for name in (condition, UNAIDED)]
    both = sides[0].merge(sides[1][["reader_id", "unit_id", "seconds"]], on=["reader_id", "unit_id"])
    if both.empty:
        return
    both = both.assign(log_ratio=np.log(both["seconds_x"] / both["seconds_y"]))
    named = {"kind": "ratio", "condition": condition, "against": UNAIDED}
    for group, readers in reader_groups(both).items():
        rows = both[both["reader_id"].isin(readers)]
        crossing = rows["reader_id"] if len(readers) >= FEWEST_READERS else None
        ratio = _geometric(clustered_mean(rows["log_ratio"], rows["group_id"], crossing, level))
        note = "" if crossing is not None else "readers taken as fixed: too few to stand for others"
        entry = {**named, "group": group, "reader": "", "readers": len(readers), "pairs": len(rows), **ratio}
        yield {**entry, "note": "; ".join(filter(None, (entry.get("note", ""), note)))} if note else entry
    for reader, rows in both.groupby("reader_id", sort=True):
        ratio = _geometric(clustered_mean(rows["log_ratio"], rows["group_id"], level=level))
        yield {**named, "group": "", "reader": str(reader), "readers": 1, "pairs": len(rows), **ratio}


def _geometric(log: Interval) -> dict[str, Any]:
    """Return the interval of a ratio from that of its log."""
    low, high = (exp(limit) if np.isfinite(limit) else float("nan") for limit in (log.low, log.high))
    method = f"geometric mean, {log.method}"
    return Interval(exp(log.estimate), low, high, log.level, method, log.note).as_dict()
