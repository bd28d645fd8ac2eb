"""Where one rule has the highest net benefit, and where an interval leaves out 0."""

from typing import Any

from isthmus.report.decision_curves import FEWEST_GROUPS

CLOSE = 1e-12


def best_runs(curves: dict[str, Any]) -> list[tuple[float, float, str]]:
    """Return the runs of thresholds (first, last, who) at which one rule has the highest net benefit.

    ``all`` and ``none`` are acting on everybody and on nobody; where a rule does no better than these, they win.
    """
    runs: list[tuple[float, float, str]] = []
    for k, threshold in enumerate(curves["thresholds"]):
        values = {"none": 0.0, "all": curves["treat_all"][k]}
        values |= {arm: entry["net_benefit"][k] for arm, entry in curves["arms"].items()}
        most = max(values.values())
        who = next(name for name, value in values.items() if value > most - CLOSE)
        if runs and runs[-1][2] == who:
            runs[-1] = (runs[-1][0], threshold, who)
        else:
            runs.append((threshold, threshold, who))
    return runs


def shown_at(entry: dict[str, Any], places: list[int], side: str) -> list[int]:
    """Return the places where a difference is shown: its interval is above 0 (side ``low``) or below (``high``).

    Where two models treat too few groups of a class differently, nothing is shown.
    """
    sign, limits, groups = 1 if side == "low" else -1, entry[side], entry.get("groups")
    return [
        k
        for k in places
        if limits[k] is not None and sign * limits[k] > 0 and (groups is None or groups[k] >= FEWEST_GROUPS)
    ]
