"""What a study with seeds as readers could have seen: where its uncertainty lies, and how much data would settle it."""

from typing import Any, Final

from isthmus.statistics.multi_reader.power import Generalisation, PlanningValues, power, sample_size
from isthmus.statistics.multi_reader.result import MultiReaderResult

DIFFERENCE_OF_INTEREST: Final = 0.02
"""Of AUCs: what the reach of a study is stated for, whatever difference it found."""
TARGET: Final = 0.8
"""The power at which a study is said to be able to see a difference."""
MOST_SEEDS: Final = 100
"""Nobody trains more often."""
_STEPS: Final = 30


def reach_of(found: MultiReaderResult, pair: dict[str, Any], level: float) -> dict[str, Any]:
    """Return ``shares`` of the variance and the ``reach`` of a contrast of two arms; both None without a variance.

    Parameters
    ----------
    found : MultiReaderResult
        Two arms.
    pair : dict
        Their comparison, as JSON has it.
    level : float

    Returns
    -------
    dict
        ``shares``: parts of the variance of the difference that come from ``seeds`` (another training run falls out
        otherwise: more seeds help), from ``cases`` (the same for all seeds: more patients help) and from ``both`` (each
        seed ranks some cases its own way: either helps); they sum to 1.
        ``reach``: ``half_width`` of the interval; ``detectable``, the smallest true difference found with 80 % power by
        a study of this size and these variances; ``power`` for a true difference of ``of_interest``, and the
        ``groups_needed`` with these seeds, or the ``seeds_needed`` on these cases, for 80 % (None: out of reach so).

    Notes
    -----
    The power for the difference that happened to be observed says nothing beyond its p-value (J. Hoenig, D. Heisey, The
    American Statistician 55 (2001) 19-24): the reach is stated for a fixed difference instead.
    """
    try:
        values = PlanningValues.of(found)
    except ValueError:
        return {"shares": None, "reach": None}
    seeds, groups = len(found.readers), found.n_groups
    how: Generalisation = "readers and cases" if found.readers_as == "random" else "cases"
    shares = _shares(values, seeds, how)
    if shares is None:
        return {"shares": None, "reach": None}

    def power_of(difference: float, seeds: int = seeds) -> float:
        return power(values, difference, seeds, groups, generalisation=how, level=level).power

    larger = range(seeds, MOST_SEEDS + 1) if how == "readers and cases" else ()
    needed = sample_size(values, DIFFERENCE_OF_INTEREST, seeds, target=TARGET, generalisation=how, level=level)
    reach = {
        "half_width": None if pair["low"] is None else (pair["high"] - pair["low"]) / 2,
        "detectable": _smallest(power_of),
        "of_interest": DIFFERENCE_OF_INTEREST,
        "power": power_of(DIFFERENCE_OF_INTEREST),
        "groups_needed": None if needed is None else needed.cases,
        "seeds_needed": next((many for many in larger if power_of(DIFFERENCE_OF_INTEREST, many) >= TARGET), None),
    }
    return {"shares": shares, "reach": reach}


def _smallest(power_of: Any) -> float | None:
    """Return the smallest difference that has the power, by bisection; None where not even the largest has it."""
    low, high = 0.0, 1.0
    if power_of(high) < TARGET:
        return None
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if power_of(middle) >= TARGET else (middle, high)
    return high


def _shares(values: PlanningValues, seeds: int, how: Generalisation) -> dict[str, float] | None:
    """Return the parts of r/2 times the variance of the difference of two means over r seeds, as shares of it.

    Var = 2/r [interaction + (error - Cov1 - s) + r s] with s = Cov2 - Cov3 (Hillis 2014); the interaction is none of
    the variance where seeds are fixed.
    """
    shared = max(values.cov2 - values.cov3, 0.0)
    parts = {
        "seeds": max(values.interaction, 0.0) if how == "readers and cases" else 0.0,
        "cases": seeds * shared,
        "both": max(values.error - values.cov1 - shared, 0.0),
    }
    total = sum(parts.values())
    return {name: value / total for name, value in parts.items()} if total > 0 else None
