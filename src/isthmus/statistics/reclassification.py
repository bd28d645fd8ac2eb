"""How a new model moves cases against an old one: net reclassification (NRI) and integrated discrimination (IDI).

Both are asked for by journals and both mislead: a model that adds nothing, or is merely spread wider, can show a gain.
J. Hilden, T. Gerds, Statistics in Medicine 33 (2014) 3405-3414; M. Pepe et al., Statistics in Biosciences 7 (2015)
282-295; K. Kerr et al., Epidemiology 25 (2014) 114-121, who advise to show events and non-events apart, two categories
as changes of sensitivity and specificity, and bootstrap intervals.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.statistics.bootstrap import REPLICATES, group_bootstrap, percentile_interval
from isthmus.statistics.inputs import BoolArray, FloatArray, as_binary, as_groups, as_probabilities, count_groups
from isthmus.statistics.interval import Interval, undefined
from isthmus.statistics.roc import few_groups_note

CATEGORY_FREE_WARNING = (
    "the category-free NRI counts the smallest move like the largest and can be above 0 for a model that adds nothing"
)


@dataclass(frozen=True)
class Reclassification:
    """What a new model changes, events and non-events apart.

    Parameters
    ----------
    events, nonevents : Interval
        For the NRI: share of events that move up less the share that move down; of non-events down less up. For the
        IDI: rise of the mean probability of events; fall of that of non-events.
    total : Interval
        Their sum. It weighs an event and a non-event by their class sizes, whatever a mistake in each would cost.
    up_events, down_events, up_nonevents, down_nonevents : int
        Rows that move.
    """

    events: Interval
    nonevents: Interval
    total: Interval
    up_events: int
    down_events: int
    up_nonevents: int
    down_nonevents: int

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for JSON."""
        return {
            "events": self.events.as_dict(),
            "nonevents": self.nonevents.as_dict(),
            "total": self.total.as_dict(),
            "up_events": self.up_events,
            "down_events": self.down_events,
            "up_nonevents": self.up_nonevents,
            "down_nonevents": self.down_nonevents,
        }


def categories_of(probabilities: ArrayLike, cuts: ArrayLike) -> NDArray[np.intp]:
    """Return the category 0..K of each probability; a probability on a cut belongs to the category above it.

    Parameters
    ----------
    probabilities : array_like [N]
    cuts : array_like [K]
        Rising, strictly between 0 and 1.
    """
    limits = np.asarray(cuts, dtype=np.float64)
    if limits.ndim != 1 or limits.size == 0 or (np.diff(limits) <= 0).any() or not ((limits > 0) & (limits < 1)).all():
        raise ValueError(f"the cuts between categories must rise and lie between 0 and 1, not {cuts!r}")
    return np.searchsorted(limits, as_probabilities(probabilities, np.size(probabilities)), side="right")


def net_reclassification(
    labels: ArrayLike,
    new: ArrayLike,
    old: ArrayLike,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = 0,
    *,
    category_free: bool = False,
) -> Reclassification:
    """Return the net reclassification improvement of a new model over an old one, with group-bootstrap intervals.

    Parameters
    ----------
    labels : array_like of bool [N]
    new, old : array_like [N]
        Categories (whole numbers or calls; higher is riskier); with `category_free`, probabilities, of which any rise
        counts as a move.
    groups : array_like [N], optional
    level : float
    replicates, seed : int
    category_free : bool
        Marks the result with what is known against it.

    Source: M. Pencina et al., Statistics in Medicine 27 (2008) 157-172, equations 1-4, and 30 (2011) 11-21
    (category-free); R `Hmisc::improveProb`, `PredictABEL::reclassification`.

    Examples
    --------
    >>> found = net_reclassification([1, 1, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0], replicates=50)
    >>> found.events.estimate, found.nonevents.estimate, found.total.estimate
    (0.5, 0.5, 1.0)
    """
    truth = as_binary(labels)
    ranks = [np.asarray(values) for values in (new, old)]
    for name, values in zip(("new", "old"), ranks, strict=True):
        if values.shape != truth.shape or not np.isfinite(values.astype(np.float64)).all():
            raise ValueError(f"{name}: [{truth.size}] finite values were expected, not shape {values.shape}")
    up, down = ranks[0] > ranks[1], ranks[0] < ranks[1]
    moved = up.astype(np.float64) - down
    note = CATEGORY_FREE_WARNING if category_free else ""
    parts = _parts(truth, moved, groups, level, replicates, seed, note)
    counts = (int((moves & rows).sum()) for rows in (truth, ~truth) for moves in (up, down))
    return Reclassification(*parts, *counts)


def integrated_discrimination(
    labels: ArrayLike,
    new: ArrayLike,
    old: ArrayLike,
    groups: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Reclassification:
    """Return the integrated discrimination improvement, with group-bootstrap intervals.

    It is the difference of two models' discrimination slopes (mean probability of events less that of non-events). A
    model that is sure of everything without reason gains by it: read it only where both are well calibrated.

    Parameters
    ----------
    labels : array_like of bool [N]
    new, old : array_like [N]
        Probabilities of the positive class.
    groups : array_like [N], optional
    level : float
    replicates, seed : int

    Source: M. Pencina et al., Statistics in Medicine 27 (2008) 157-172, equation 13; R `Hmisc::improveProb`.
    """
    truth = as_binary(labels)
    one, other = as_probabilities(new, truth.size), as_probabilities(old, truth.size)
    up, down = one > other, one < other
    parts = _parts(truth, one - other, groups, level, replicates, seed, "")
    counts = (int((moves & rows).sum()) for rows in (truth, ~truth) for moves in (up, down))
    return Reclassification(*parts, *counts)


def _parts(
    truth: BoolArray,
    moved: FloatArray,
    groups: ArrayLike | None,
    level: float,
    replicates: int,
    seed: int,
    note: str,
) -> tuple[Interval, Interval, Interval]:
    """Return the mean move of events, minus that of non-events, and their sum, each with its interval."""
    codes, _ = as_groups(groups, truth.size)
    if truth.all() or not truth.any():
        nothing = undefined("mean move within a class", "one class only", level)
        return nothing, nothing, nothing
    few = few_groups_note(count_groups(codes, truth), count_groups(codes, ~truth))
    inside = np.stack([truth, ~truth], axis=1).astype(np.float64)
    sums = inside * moved[:, None] * [1.0, -1.0]

    def means(weights: FloatArray) -> FloatArray:
        total = weights @ inside
        found = np.full(total.shape, np.nan)
        np.divide(weights @ sums, total, out=found, where=total > 0)
        return np.column_stack([found, found.sum(axis=1)])

    estimates = means(np.ones((1, truth.size)))[0]
    drawn = group_bootstrap(means, truth.size, groups, replicates, seed)
    notes = "; ".join(filter(None, (note, few)))
    events, nonevents, total = (
        percentile_interval(float(value), drawn[:, place], level, notes) for place, value in enumerate(estimates)
    )
    return events, nonevents, total
