"""What was left of the members' features in the heads of a fused arm, over all folds and seeds."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, Final, NamedTuple

from isthmus.models.fused_columns import member_of
from isthmus.report.reading import count, listed

DRAWN: Final = 60
"""Coefficient paths of a head that are kept for the figure: those that reach farthest from 0."""


class Head(NamedTuple):
    """One fitted head of a fused arm.

    Parameters
    ----------
    seed, fold : int
    pair : str
        ``a``, ``b``, or ``all`` in the paper's way.
    path : mapping
        As :class:`isthmus.training.fusion.FittedHead` has it.
    """

    seed: int
    fold: int
    pair: str
    path: Mapping[str, Any]


def summarise_selection(heads: Sequence[Head], mode: str) -> dict[str, Any]:
    """Return what a fused arm's heads were fitted on and what each selected.

    Parameters
    ----------
    heads : sequence of Head
        At least one.
    mode : str
        ``cross_fit`` or ``paper``.

    Returns
    -------
    dict
        ``mode``; ``heads``: one row each, for the table; ``recurring``: features that mean the same in all heads, to
        the number of heads that kept them (what an embedding's place stands for is another in every network);
        ``shown``: ``seed``, ``fold`` and, for each pair of the first fold, its path cut for the figure; ``sentence``.
    """
    rows = [_row(head) for head in heads]
    first = [head for head in heads if (head.seed, head.fold) == (heads[0].seed, heads[0].fold)]
    shown = {head.pair: {**head.path, "lasso": _for_figure(head.path["lasso"])} for head in first}
    recurring: dict[str, int] = {}
    for head in heads:
        for name in _meaningful(head.path["lasso"]):
            recurring[name] = recurring.get(name, 0) + 1
    return {
        "mode": mode,
        "heads": rows,
        "recurring": dict(sorted(recurring.items(), key=lambda item: (-item[1], item[0]))),
        "shown": {"seed": heads[0].seed, "fold": heads[0].fold, "pairs": shown},
        "sentence": _sentence(rows),
    }


def _row(head: Head) -> dict[str, Any]:
    counts, lasso = head.path["counts"], head.path["lasso"]
    row = {"seed": head.seed, "fold": head.fold, "pair": head.pair}
    row |= {
        name: counts[name]
        for name in ("examples", "positives", "groups", "left_out", "features", "constant", "correlated", "components")
    }
    row["selected"] = 0 if lasso is not None and lasso["fallback"] else counts["selected"]
    row |= {name: None if lasso is None else lasso[name] for name in ("alpha", "folds", "fallback", "converged")}
    left = [] if lasso is None or lasso["fallback"] else lasso["selected"]
    row["members"] = {member: sum(member_of(name) == member for name in left) for member in map(member_of, left)}
    return row


def _meaningful(lasso: Mapping[str, Any] | None) -> list[str]:
    """Return the kept features that have a name of their own instead of a place in an embedding."""
    if lasso is None or lasso["fallback"]:
        return []
    return [name for name in lasso["selected"] if not name.rpartition(":")[2].isdigit()]


def _for_figure(lasso: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return a path with few and short numbers: it stands in ``evidence.json``."""
    if lasso is None:
        return None
    reach = [max(map(abs, values)) for values in lasso["coefficients"]]
    kept = set(lasso["selected"])
    order = sorted(range(len(reach)), key=lambda place: (lasso["entered"][place] not in kept, -reach[place]))
    places = sorted(order[:DRAWN])
    cut = dict(lasso)
    cut["entered"] = [lasso["entered"][place] for place in places]
    cut["coefficients"] = [[_short(value) for value in lasso["coefficients"][place]] for place in places]
    for key in ("alphas", "mse", "mse_se", "weights"):
        cut[key] = [_short(value) for value in lasso[key]]
    return cut


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _sentence(rows: Sequence[Mapping[str, Any]]) -> str:
    chosen = [row for row in rows if row["fallback"] is not None]
    heads = f"{count(len(rows))} head{'s' if len(rows) > 1 else ''}"
    features = _range([row["features"] for row in rows])
    said = f"{heads}, each fitted on {_range([row['examples'] for row in rows])} cases of {features} features."
    if not chosen:
        return f"{said} No LASSO: all that are neither constant nor repeat another go into the classifier."
    empty = sum(row["fallback"] for row in chosen)
    said += f" The LASSO left {_range([row['selected'] for row in chosen])}"
    said += f" (median {median(row['selected'] for row in chosen):g})." if len(chosen) > 1 else "."
    if empty:
        said += (
            f" In {count(empty)} of {heads} it left none: there the feature with the strongest correlation with the "
            "label stands in alone."
        )
    stuck = sum(not row["converged"] for row in chosen)
    if stuck:
        said += f" In {count(stuck)} the smallest penalties did not converge."
    return said


def _range(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return count(low) if low == high else f"{count(low)} to {count(high)}"


def recurring_in_words(facts: Mapping[str, Any], most: int = 8) -> str:
    """Return which named features were kept, and in how many heads; empty where none has a name."""
    heads = len(facts["heads"])
    found = [f"{name.replace(':', ' ')} ({number} of {heads})" for name, number in facts["recurring"].items()]
    return f"Kept in how many heads: {listed(found[:most])}." if found else ""
