"""What an arm's calls are worth: sensitivity to MCC, the confusion matrix, predictive values at stated prevalences."""

from typing import Any

import numpy as np
from pandas import DataFrame

from isthmus.statistics.bootstrap import group_bootstrap, percentile_interval
from isthmus.statistics.confusion import (
    accuracy,
    binary_measures,
    confusion_matrix,
    majority_class_rate,
    predictive_values_at,
)
from isthmus.statistics.interval import undefined

PREVALENCES = (0.05, 0.10, 0.20)


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
        found["balanced_accuracy"] = _mean_recall(labels, calls, groups, classes, level, bootstrap)
        return found
    truth, called = labels == positive, calls == positive
    measures = binary_measures(truth, called, groups, level, bootstrap)
    found |= {name: interval.as_dict() for name, interval in measures.items()}
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


def _mean_recall(
    labels: Any, calls: Any, groups: Any, classes: list[str], level: float, bootstrap: int
) -> dict[str, Any]:
    of_class = np.stack([labels == label for label in classes], axis=1).astype(np.float64)  # [N, K]
    right = of_class * (labels == calls)[:, None]

    def mean_recall(weights: Any) -> Any:
        totals = weights @ of_class
        recalls = np.full(totals.shape, np.nan)
        np.divide(weights @ right, totals, out=recalls, where=totals > 0)
        return recalls.mean(axis=1)

    estimate = float(mean_recall(np.ones((1, len(labels))))[0])
    replicates = group_bootstrap(mean_recall, len(labels), groups, bootstrap)
    return dict(percentile_interval(estimate, replicates, level).as_dict())
