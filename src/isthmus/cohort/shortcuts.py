"""What a network could read instead of the tissue: marks and regions that go with the label, by class and site."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import gammaln

from isthmus.cohort.cohort import Cohort
from isthmus.statistics.interval import Interval
from isthmus.statistics.proportions import clustered_proportion, compare_unpaired_proportions

NOTABLE: Final = 0.05
"""Difference of two rates, and adjusted p, from which a tell is warned about."""


@dataclass(frozen=True)
class Rate:
    """How often something holds for the views of one class.

    Parameters
    ----------
    target, site, label : str
        ``site`` is '' for all sites.
    what : str
        ``caliper inside the lesion crop``.
    views, groups, count : int
        Views asked, their groups, and views where it holds.
    interval : Interval
        Wilson's, on the effective number of views where a group has several.
    """

    target: str
    site: str
    label: str
    what: str
    views: int
    groups: int
    count: int
    interval: Interval

    def to_json(self) -> dict[str, Any]:
        """Return its entry in ``check.json``."""
        return {**asdict(self), "interval": self.interval.as_dict()}


@dataclass(frozen=True)
class Association:
    """Whether something holds for one class's views more often than for all others'.

    Parameters
    ----------
    target, label, what : str
    share, share_of_others : float
    difference, low, high : float
        With its 95 % interval, clustered by group.
    p, p_adjusted : float or None
        Cluster-robust t test; where a side has none or all, Fisher's exact test of groups. None where nothing varies.
        Adjusted by Holm over all tells of the target.
    """

    target: str
    label: str
    what: str
    share: float
    share_of_others: float
    difference: float
    low: float
    high: float
    p: float | None
    p_adjusted: float | None

    @property
    def notable(self) -> bool:
        """Whether it is worth a warning."""
        return self.p_adjusted is not None and self.p_adjusted < NOTABLE and abs(self.difference) >= NOTABLE

    def sentence(self) -> str:
        """Return the warning."""
        more, less = (self.label, "others") if self.difference > 0 else ("others", self.label)
        shares = sorted((self.share, self.share_of_others), reverse=True)
        return (
            f"{self.what}: in {_percent(shares[0])} of views of {more!r} and {_percent(shares[1])} of {less!r} "
            f"(difference {100 * abs(self.difference):.0f} points, 95 % interval "
            f"{100 * min(abs(self.low), abs(self.high)):.0f} to {100 * max(abs(self.low), abs(self.high)):.0f}, "
            f"adjusted p {_p(self.p_adjusted)}): a network can learn it instead of the tissue"
        )


def find_shortcuts(cohort: Cohort, tells: pd.DataFrame) -> tuple[list[Rate], list[Association]]:
    """Return the rates of all tells by class and site, and whether they go with the label.

    Parameters
    ----------
    cohort : Cohort
    tells : DataFrame
        Indexed by ``view_id``; one column a tell: True, False, or missing where it was not looked for.
    """
    rates: list[Rate] = []
    associations: list[Association] = []
    for name, target in cohort.targets.items():
        labelled = _labelled(cohort, name).join(tells, on="view_id", how="inner")
        found: list[Association] = []
        for what in tells.columns:
            rows = labelled[labelled[what].notna()]
            if not rows[what].astype(bool).any():
                continue
            rates += _rates(name, target.classes, what, rows)
            found += _associations(name, target.classes, what, rows)
        associations += _adjusted(found)
    return rates, associations


def _labelled(cohort: Cohort, name: str) -> pd.DataFrame:
    target = cohort.targets[name]
    nodules = cohort.nodules[["nodule_id", "patient_id", "group_id"]].copy()
    if target.table == "nodules":
        nodules["label"] = cohort.nodules[target.column]
    else:
        nodules["label"] = nodules["patient_id"].map(cohort.patients.set_index("patient_id")[target.column])
    nodules["site"] = nodules["patient_id"].map(cohort.patients.set_index("patient_id")["site"])
    rows = cohort.views[["view_id", "nodule_id"]].merge(nodules, on="nodule_id")
    return rows[rows["label"].notna()]


def _rates(target: str, classes: Mapping[str, str], what: str, rows: pd.DataFrame) -> Iterator[Rate]:
    sites = sorted(set(rows["site"].astype(str)))
    for site in ("", *sites) if len(sites) > 1 else ("",):
        here = rows if site == "" else rows[rows["site"].astype(str) == site]
        for code, label in classes.items():
            part = here[here["label"].astype(str) == code]
            if len(part):
                flags = part[what].to_numpy(dtype=bool)
                interval = clustered_proportion(flags, part["group_id"].to_numpy())
                groups = part["group_id"].nunique()
                yield Rate(target, site, label, what, len(part), groups, int(flags.sum()), interval)


def _associations(target: str, classes: Mapping[str, str], what: str, rows: pd.DataFrame) -> Iterator[Association]:
    codes = [code for code in classes if (rows["label"].astype(str) == code).any()]
    # Of two classes one comparison says all; the last is the worse one by custom of the tables.
    for code in codes[-1:] if len(codes) == 2 else codes if len(codes) > 2 else []:
        mine = (rows["label"].astype(str) == code).to_numpy()
        flags: NDArray[np.bool_] = rows[what].to_numpy(dtype=bool)
        groups = rows["group_id"].to_numpy()
        interval, p = _difference(flags, mine, groups)
        shares = float(flags[mine].mean()), float(flags[~mine].mean())
        yield Association(
            target, classes[code], what, *shares, interval.estimate, interval.low, interval.high, p, None
        )  # fmt: skip


def _difference(
    flags: NDArray[np.bool_], mine: NDArray[np.bool_], groups: NDArray[np.object_]
) -> tuple[Interval, float | None]:
    sides = (flags[mine], groups[mine]), (flags[~mine], groups[~mine])
    if all(0 < outcome.mean() < 1 for outcome, _ in sides):
        found = compare_unpaired_proportions(sides[0][0], sides[1][0], sides[0][1], sides[1][1])
        return found.difference, None if np.isnan(found.p) else float(found.p)
    # None or all on one side: it shows no variance, and a variance test would take that for certainty.
    one, two = (clustered_proportion(outcome, names) for outcome, names in sides)
    difference = one.estimate - two.estimate
    low = difference - np.hypot(one.estimate - one.low, two.high - two.estimate)
    high = difference + np.hypot(one.high - one.estimate, two.estimate - two.low)
    interval = Interval(difference, float(low), float(high), one.level, "Newcombe 1998 method 10")
    counts = [_groups_with(outcome, names) for outcome, names in sides]
    return interval, _fisher(counts[0], counts[1]) if flags.any() and not flags.all() else None


def _fisher(one: tuple[int, int], two: tuple[int, int]) -> float:
    """Return the two-sided p of Fisher's exact test of two rows (with, without); R `fisher.test`."""
    first, second, having = sum(one), sum(two), one[0] + two[0]
    possible = np.arange(max(0, having - second), min(having, first) + 1)

    def logarithm(n: int, k: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1), np.float64)

    chances = np.exp(logarithm(first, possible) + logarithm(second, having - possible))
    chances /= chances.sum()
    seen = chances[one[0] - possible[0]]
    return float(min(1.0, chances[chances <= seen * (1 + 1e-7)].sum()))


def _groups_with(outcome: NDArray[np.bool_], names: NDArray[np.object_]) -> tuple[int, int]:
    having = pd.Series(outcome).groupby(names).any()
    return int(having.sum()), int((~having).sum())


def _adjusted(found: list[Association]) -> Iterator[Association]:
    """Yield the associations with Holm's adjusted p, in their order."""
    tested = sorted((one for one in found if one.p is not None), key=lambda one: one.p or 0.0)
    adjusted: dict[int, float] = {}
    largest = 0.0
    for rank, one in enumerate(tested):
        largest = max(largest, min(1.0, (len(tested) - rank) * (one.p or 0.0)))
        adjusted[id(one)] = largest
    for one in found:
        yield Association(**{**asdict(one), "p_adjusted": adjusted.get(id(one))})


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
