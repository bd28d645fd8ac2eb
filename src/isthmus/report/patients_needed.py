"""How many patients would settle the contrasts that were named before the analysis."""

from math import isinf
from typing import Any, Final

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.subject import Study
from isthmus.statistics.reach import error_of, groups_needed, power_of_study, smallest_difference

DIFFERENCES: Final = (0.02, 0.05, 0.1)
"""Of AUCs: what the reach is stated for, whatever difference was found."""
POWERS: Final = (0.8, 0.9)


def patients_needed(table: AnalysisTable, study: Study, evidence: dict[str, Any]) -> dict[str, Any]:
    """Return for each named contrast and split what this study could have seen, and what size would see it.

    Parameters
    ----------
    table : AnalysisTable
        Not asked.
    study : Study
        ``level``.
    evidence : dict
        ``comparisons`` of named contrasts by AUC, with ``arms`` for their groups; contrasts of which the seeds are
        judged as readers (``seeds``) have their reach there and are left out.

    Returns
    -------
    dict
        ``contrasts``: ``a``, ``b``, ``split``, ``order``, ``difference``, ``low``, ``high``, ``groups``, ``detectable``
        (a true difference found with 80 % power), and ``sizes``: ``difference`` (``observed`` or not), ``power`` of
        this study, and ``needed``, patients by power asked for (None: none is enough). Empty without such a contrast.

    Notes
    -----
    The power for the difference that happened to be observed says nothing beyond its p-value (J. Hoenig, D. Heisey, The
    American Statistician 55 (2001) 19-24), so that none is given for it; the size that would show it is.
    """
    judged = {entry["split"] for entry in (evidence.get("seeds") or {}).get("contrasts", [])}
    found = [
        _reach(entry, _groups(evidence, entry), study.level)
        for entry in evidence["comparisons"]
        if entry.get("order") and entry["measure"] == "auc" and entry["split"] not in judged and _has_error(entry)
    ]
    return {"contrasts": found} if found else {}


def _has_error(entry: dict[str, Any]) -> bool:
    """Tell whether the interval comes from a variance: with few groups it does not, and then there is no test."""
    return entry["statistic"] is not None and entry["low"] is not None and entry["high"] > entry["low"]


def _groups(evidence: dict[str, Any], entry: dict[str, Any]) -> int:
    return min(int(evidence["arms"][entry[side]][entry["split"]]["n_groups"]) for side in ("a", "b"))


def _reach(entry: dict[str, Any], groups: int, level: float) -> dict[str, Any]:
    error = error_of(entry["low"], entry["high"], level)
    asked = [(value, False) for value in DIFFERENCES] + [(abs(entry["difference"]), True)]
    return {
        **{name: entry[name] for name in ("a", "b", "split", "order", "difference", "low", "high")},
        "groups": groups,
        "detectable": smallest_difference(error, POWERS[0], level),
        "sizes": [
            {
                "difference": value,
                "observed": observed,
                "power": None if observed else power_of_study(error, value, level),
                "needed": {f"{power:g}": _whole(groups_needed(error, groups, value, power, level)) for power in POWERS},
            }
            for value, observed in asked
        ],
    }


def _whole(size: float) -> int | None:
    return None if isinf(size) else int(size)
