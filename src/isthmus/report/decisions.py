"""What an arm's calls are worth: sensitivity to MCC, the confusion matrix, numbers at stated prevalences."""

from dataclasses import asdict
from math import isfinite
from typing import Any

import numpy as np
from pandas import DataFrame

from isthmus.report.analysis_table import AnalysisTable
from isthmus.report.reading import in_order
from isthmus.report.subject import Study
from isthmus.statistics.confusion import (
    accuracy,
    binary_measures,
    confusion_matrix,
    majority_class_rate,
    predictive_values_at,
)
from isthmus.statistics.interval import undefined
from isthmus.statistics.mean_recall import mean_recall
from isthmus.statistics.optimism import chosen_here
from isthmus.statistics.per_thousand import per_thousand
from isthmus.statistics.proportions import clopper_pearson


def call_measures(
    rows: DataFrame,
    classes: list[str],
    positive: str,
    *,
    sampling: str | None,
    prevalences: tuple[float, ...],
    level: float,
    bootstrap: int,
) -> dict[str, Any]:
    """Return the measures of one arm's calls in one split.

    Calls of several seeds are counted together with each unit's group as the cluster, so that repeated seeds add no
    patients; the confusion matrix is their mean.

    Parameters
    ----------
    rows : DataFrame
        With ``label``, ``truth``, ``call``, ``group_id``, ``seed``.
    sampling : str or None
        PPV and NPV of the sample are unmarked only where this is ``consecutive``.
    prevalences : tuple of float
        Where PPV and NPV are given otherwise.
    """
    labels, calls = rows["label"].to_numpy(dtype=str), rows["call"].to_numpy(dtype=str)
    groups = rows["group_id"].to_numpy(dtype=str)
    seeds = int(rows["seed"].nunique())
    matrix = confusion_matrix(labels, calls, classes) / seeds
    found: dict[str, Any] = {
        "majority_rate": majority_class_rate(labels),
        "confusion": {"labels": classes, "matrix": matrix.tolist(), "mean_of_seeds": seeds},
    }
    if len(classes) > 2:
        found["accuracy"] = accuracy(labels, calls, groups, level).as_dict()
        found["balanced_accuracy"] = mean_recall(labels, calls, classes, groups, level).as_dict()
        return found
    truth, called = labels == positive, calls == positive
    measures = binary_measures(truth, called, groups, level, bootstrap)
    found |= {name: interval.as_dict() for name, interval in measures.items()}
    if len(set(groups)) == len(groups):
        _add_exact(found, matrix, classes.index(positive), level)
    if sampling != "consecutive":
        share = float(np.mean(truth))
        for name in ("ppv", "npv"):
            found[name]["note"] = "; ".join(
                filter(
                    None,
                    (
                        found[name].get("note"),
                        f"at this sample's prevalence of {share:.2f}, which is not known to be that of any clinic",
                    ),
                )
            )
        found["predictive_values"] = {
            f"{prevalence:g}": _predictive_values(measures, prevalence, level) for prevalence in prevalences
        }
    return found


def _predictive_values(measures: dict[str, Any], prevalence: float, level: float) -> dict[str, Any]:
    up, down = measures["likelihood_ratio_positive"], measures["likelihood_ratio_negative"]
    pair = predictive_values_at(up, down, prevalence)
    method = f"Bayes' rule at prevalence {prevalence:g}"
    return {
        name: (undefined(method, ratio.note, level) if np.isnan(ratio.estimate) else value).as_dict()
        for name, ratio, value in zip(("ppv", "npv"), (up, down), pair, strict=True)
    }


def _add_exact(found: dict[str, Any], matrix: Any, positive: int, level: float) -> None:
    """Put Clopper-Pearson limits beside Wilson's, where every case is independent of the others."""
    tp, tn = matrix[positive, positive], matrix[1 - positive, 1 - positive]
    called = matrix.sum(axis=0)[positive]
    cases, total = matrix.sum(axis=1)[positive], matrix.sum()
    counts = {
        "sensitivity": (tp, cases),
        "specificity": (tn, total - cases),
        "ppv": (tp, called),
        "npv": (tn, total - called),
        "accuracy": (tp + tn, total),
    }
    for name, (successes, trials) in counts.items():
        if trials:
            exact = clopper_pearson(int(successes), int(trials), level)
            found[name]["exact"] = {"low": exact.low, "high": exact.high, "method": exact.method}


def decision_evidence(table: AnalysisTable, study: Study, evidence: dict[str, Any]) -> dict[str, Any]:
    """Return what acting on the calls would mean for 1,000 patients, and operating points where none was chosen.

    Returns
    -------
    dict
        ``prevalences`` {split: [key, …]}, ``main`` {split: key}, ``per_thousand`` {split: {arm: {key: {positive, found,
        missed, needless, avoided}}}}, ``chosen_here`` {split: {arm: [operating point]}}; ``why_not`` where nothing is
        said per 1,000.
    """
    if len(table.classes) > 2:
        return {"why_not": "several classes"}
    found: dict[str, Any] = {"chosen_here": _chosen_here(table)}
    if study.reference == "tirads":
        return {"why_not": "the label is a TI-RADS grade", **found}
    found |= {"prevalences": {}, "main": {}, "per_thousand": {}}
    for split in in_order(set(table.rows["split"])):
        rows = table.rows[table.rows["split"] == split]
        stated, main = _prevalences(rows, study)
        arms = {
            str(arm): {key: _per_thousand(part, table.positive, value, study.level) for key, value in stated.items()}
            for arm, part in rows.groupby("arm", sort=False)
            if (part["call"] != "").all() and part["truth"].nunique() == 2
        }
        if arms and stated:
            found["per_thousand"][split] = {arm: arms[arm] for arm in evidence["arms"] if arm in arms}
            found["prevalences"][split], found["main"][split] = list(stated), main
    if not found["per_thousand"]:
        found["why_not"] = "no arm has calls on cases of both classes"
    return found


def _prevalences(rows: DataFrame, study: Study) -> tuple[dict[str, float], str]:
    """Return the prevalences of a split by name, and which one counts most: the sample's where it is consecutive."""
    stated = {f"{value:g}": float(value) for value in sorted(study.prevalences)}
    if study.sampling == "consecutive":
        share = float(rows.drop_duplicates("unit_id")["truth"].mean())
        if 0 < share < 1:
            return {f"{share:.4g}": share, **stated}, f"{share:.4g}"
    return stated, list(stated)[len(stated) // 2] if stated else ""


def _per_thousand(rows: DataFrame, positive: str, prevalence: float, level: float) -> dict[str, Any]:
    truth, called = rows["truth"].to_numpy(dtype=bool), (rows["call"] == positive).to_numpy()
    measured = per_thousand(truth, called, prevalence, rows["group_id"].to_numpy(dtype=str), level)
    return {name: value.as_dict() for name, value in measured.items()}


def _chosen_here(table: AnalysisTable) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Return the operating points that the leading split itself would choose, for arms of which none was frozen."""
    split = in_order(set(table.rows["split"]))[0]
    found: dict[str, list[dict[str, Any]]] = {}
    for arm in dict.fromkeys(table.rows.loc[table.rows["split"] == split, "arm"]):
        known = table.thresholds[arm, split]
        rows = table.part(arm, split)
        rows = rows[rows["seed"] == rows["seed"].min()]
        several_models = split == "cv" and not table.has_probabilities and rows["fold"].nunique() > 1
        if any(entry["rule"] != "0.5, not chosen on data" for entry in known) or several_models:
            continue
        ranked = rows["probability" if table.has_probabilities else "score"].to_numpy(dtype=float)
        if np.isfinite(ranked).all() and not rows["unit_id"].duplicated().any():
            points = chosen_here(rows["truth"].to_numpy(dtype=bool), ranked, rows["group_id"].to_numpy(dtype=str))
            found[str(arm)] = [
                {name: value if not isinstance(value, float) or isfinite(value) else None for name, value in fields}
                for fields in (asdict(point).items() for point in points)
            ]
    found = {arm: points for arm, points in found.items() if points}
    return {split: found} if found else {}
