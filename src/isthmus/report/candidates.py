"""Which of an arm's candidate networks is the arm: each one's AUC, the choice, and what having chosen flatters."""

from typing import Any, Final, Literal

import numpy as np
from pandas import DataFrame

from isthmus.report.analysis_table import analysis_table
from isthmus.report.curves import roc_summary
from isthmus.report.discrimination import auc_of
from isthmus.statistics.selection import best_of

KEY: Final = "candidates"
Rule = Literal["cross_validation", "paper"]


def candidate_evidence(
    predictions: DataFrame,
    *,
    rule: Rule,
    positive: str,
    titles: dict[str, str],
    kind: Literal["network", "classifier"],
    level: float = 0.95,
) -> dict[str, Any]:
    """Compare each arm's candidates and choose one.

    Parameters
    ----------
    predictions : DataFrame
        Contract 2: for every candidate of every arm the held-out rows of ``cv``; of ``test`` where the rule is
        ``paper``, and then of the model that would be the arm's.
    rule : {'cross_validation', 'paper'}
        The largest cross-validated AUC; or the largest on the test set, which is an error that published studies make.
    positive : str
        The positive class.
    titles : dict
        Arm to its name as shown, in the order in which they are.
    kind : {'network', 'classifier'}
        What is chosen among.
    level : float
        Of all intervals.

    Returns
    -------
    dict
        ``rule``, ``joins`` (empty: for the caller who knows of fusions), and for each arm ``chosen``,
        ``by_cross_validation``, ``corrected`` (the cross-validated AUC of what that rule chooses, freed from the
        choice), ``title``, ``kind`` and ``candidates``: name to ``auc`` by split, ``how_often`` (share of bootstraps in
        which cross-validation would choose it) and ``roc`` by split (sensitivity on the grid 0, 0.01, …, 1 of false
        positive rates).
    """
    found = {}
    for arm, title in titles.items():
        rows = predictions[predictions["arm"] == arm]
        found[arm] = {"title": title, "kind": kind, **_of_arm(rows, rule, positive, level)}
    return {"rule": rule, "arms": found, "joins": {}}


def _of_arm(predictions: DataFrame, rule: Rule, positive: str, level: float) -> dict[str, Any]:
    names = list(dict.fromkeys(predictions["candidate"].astype(str)))
    named = predictions.assign(arm=predictions["candidate"], candidate="")
    table = analysis_table(named, positive=positive)
    parts = {name: {split: table.part(name, split) for split in set(predictions["split"])} for name in names}
    candidates: dict[str, Any] = {
        name: {
            "auc": {split: auc_of(rows, rows["truth"], rows["score"], level).as_dict() for split, rows in own.items()},
            "roc": {split: np.round(roc_summary(rows, resamples=1).mean, 4).tolist() for split, rows in own.items()},
        }
        for name, own in parts.items()
    }
    keys = ["seed", "fold", "unit_id"]
    held_out = [parts[name]["cv"].sort_values(keys, ignore_index=True) for name in names]
    first = held_out[0]
    if any(not rows[keys].equals(first[keys]) for rows in held_out[1:]):
        raise ValueError("candidates of one arm have scored different units")
    scores = np.stack([rows["score"].to_numpy(dtype=np.float64) for rows in held_out])
    selection = best_of(first["truth"], scores, first["fold"], first["seed"], first["group_id"], level=level)
    for name, share in zip(names, selection.how_often, strict=True):
        candidates[name]["how_often"] = share
    by_cross_validation = names[selection.best]
    on_test = {name: one["auc"].get("test", {}).get("estimate") for name, one in candidates.items()}
    chosen = by_cross_validation if rule == "cross_validation" else max(names, key=lambda name: on_test[name])
    return {
        "chosen": chosen,
        "by_cross_validation": by_cross_validation,
        "corrected": selection.corrected.as_dict(),
        "candidates": candidates,
    }


def optimism_note(candidates: dict[str, Any] | None, arm: str, split: str) -> str | None:
    """Return what is to be said beside figures of a split where the arm, or what it joins, was chosen on that split.

    By cross-validation that is ``cv``, as published studies do it ``test``.

    Parameters
    ----------
    candidates : dict, optional
        As :func:`candidate_evidence` returns it, with ``joins``: fusion to the arms that it joins.
    arm, split : str
    """
    if candidates is None or split != ("test" if candidates["rule"] == "paper" else "cv"):
        return None
    found, own = [], candidates["arms"].get(arm)
    if own is not None:
        found.append(f"its {own['kind']} was chosen among {len(own['candidates'])}")
    if any(member in candidates["arms"] for member in candidates["joins"].get(arm, ())):
        found.append("the networks that it joins were chosen")
    if not found:
        return None
    said = " and ".join(found)
    if split == "test":
        return f"too good: {said} on this very test set"
    return f"optimistic: {said} on these patients; see what was chosen"
