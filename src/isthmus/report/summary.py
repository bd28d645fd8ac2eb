"""The evidence in a few lines of plain text, for the terminal."""

from collections.abc import Mapping
from typing import Any

_NAMES = {"auc": "AUC", "macro_auc": "macro AUC"}


def evidence_lines(evidence: Mapping[str, Any], titles: Mapping[str, str] | None = None) -> list[str]:
    """Return one line for each arm's AUC and one for each comparison.

    Parameters
    ----------
    evidence : mapping
        The content of ``evidence.json``.
    titles : mapping, optional
        Arm to the name shown.

    Returns
    -------
    list of str
        Estimates with their intervals; an estimate that could not be had is said so.
    """
    names = titles or {}
    lines = []
    for arm, splits in evidence["arms"].items():
        for split, values in splits.items():
            measure = "auc" if "auc" in values else "macro_auc"
            lines.append(f"{names.get(arm, arm)}, {split}: {_NAMES[measure]} {_words(values[measure])}")
    for one in evidence["comparisons"]:
        if one["measure"] in ("auc", "macro_auc"):
            pair = f"{names.get(one['a'], one['a'])} minus {names.get(one['b'], one['b'])}, {one['split']}"
            value = _words({**one, "estimate": one["difference"], "level": one.get("level")})
            p = "" if one.get("p") is None else f", p = {one['p']:.3g}"
            lines.append(f"{pair}: {_NAMES[one['measure']]} difference {value}{p}")
    for one in evidence.get("seeds", {}).get("contrasts", []):
        if one["order"]:
            pair = f"{names.get(one['a'], one['a'])} minus {names.get(one['b'], one['b'])}, {one['split']}"
            value = _words({**one, "estimate": one["difference"]})
            lines.append(f"{pair}, over {one['seeds']} seeds: AUC difference {value}, {one['verdict']}")
    return lines


def _words(interval: Mapping[str, Any]) -> str:
    if interval["estimate"] is None:
        return "could not be estimated"
    if interval["low"] is None or interval["high"] is None:
        return f"{interval['estimate']:.3f} (no interval)"
    return f"{interval['estimate']:.3f} ({interval['low']:.3f} to {interval['high']:.3f})"
