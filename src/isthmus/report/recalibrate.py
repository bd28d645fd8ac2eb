"""Calibrators fitted on a table's own rows: where they may be fitted, and the frozen part that holds them."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any, Literal, get_args

import numpy as np
from pandas import DataFrame

from isthmus.errors import InputError
from isthmus.report.analysis_table import analysis_table
from isthmus.statistics.calibration import Calibration, fit_calibration
from isthmus.statistics.recalibration import fit_isotonic, fit_temperature

Method = Literal["logistic", "isotonic", "temperature"]
FOLDS = 5
"""Parts of a cross-fitting by group, where a split has to serve for fitting and for showing."""

_FIT: dict[str, Callable[[Any, Any, Any], Calibration]] = {
    "logistic": fit_calibration,
    "isotonic": fit_isotonic,
    "temperature": lambda truth, probability, _: fit_temperature(truth, probability),
}


def recalibrate(
    predictions: DataFrame,
    method: Method = "logistic",
    *,
    positive: str | None = None,
    target: str | None = None,
    unit: str | None = None,
) -> dict[str, Any]:
    """Fit each arm's calibrator on rows that are not the evidence, and return them as a part of ``frozen``.

    Fitted on the rows of split ``tune``; without them on the held-out rows of ``cv`` (first seed); without them on
    ``train``, which is said, since a model is surer of what it has learnt. For use on all other splits. A fold of
    ``cv`` gets the calibrator of its own tuning part, or else of the other folds of its seed. An arm of which no such
    rows are given is cross-fitted: its groups are dealt into five parts by a hash of their ids, class by class, and
    each part gets the calibrator of the other four.

    Parameters
    ----------
    predictions : DataFrame
        Contract 2, as ``read_predictions`` returns it, tuning rows included.
    method : {'logistic', 'isotonic', 'temperature'}
    positive, target, unit
        As :func:`isthmus.report.analysis_table.analysis_table`.

    Returns
    -------
    dict
        ``{"arms": {arm: {"calibration", "calibrated_on", "folds", "cross_fitted"}}}``: ``frozen`` of
        ``compute_evidence`` and ``evaluate``. A place whose rows hold one class has no entry: it stays as given.

    Raises
    ------
    InputError
        For more than two classes, scores that are no probabilities, or an unknown method.
    """
    if method not in get_args(Method):
        raise InputError(f"no recalibration is called {method!r}", expected=", ".join(get_args(Method)))
    table = analysis_table(predictions, positive=positive, target=target, unit=unit)
    if len(table.classes) != 2:
        raise InputError(f"{len(table.classes)} classes", expected="two: recalibration is made for one probability")
    if not table.has_probabilities:
        raise InputError("the table holds scores, no probabilities", expected=f"a column p_{table.positive}")
    arms = {str(arm): _arm(rows, method) for arm, rows in table.rows.groupby("arm", sort=False)}
    return {"arms": arms}


def with_calibration(frozen: dict[str, Any] | None, calibrated: dict[str, Any]) -> dict[str, Any]:
    """Return the frozen choices with the calibrators of :func:`recalibrate` put in; the rest stays as it is."""
    content = dict(frozen or {})
    arms: dict[str, Any] = dict(content.get("arms", {}))
    for arm, part in calibrated["arms"].items():
        own = dict(arms.get(arm, {}))
        folds = dict(own.get("folds", {}))
        for fold, choice in part.get("folds", {}).items():
            folds[fold] = {**folds.get(fold, {}), **choice}
        arms[arm] = {**own, **part, **({"folds": folds} if folds else {})}
    return {**content, "arms": arms}


def parts_by_group(rows: DataFrame, parts: int = FOLDS) -> dict[str, int]:
    """Return for each group its part, 0 to parts - 1: dealt in the order of a hash of the ids, class by class.

    It depends on nothing but the ids and which groups hold a positive case, so that it is the same each time.
    """
    positive = rows.groupby(rows["group_id"].astype(str))["truth"].any()
    names = sorted(positive.index, key=lambda name: (bool(positive[name]), sha256(name.encode()).hexdigest()))
    return {name: place % parts for place, name in enumerate(names)}


def _arm(rows: DataFrame, method: Method) -> dict[str, Any]:
    """Return one arm's calibrators, and on which rows each was fitted."""
    by_split = {str(split): part for split, part in rows.groupby("split", sort=False)}
    tune, cv = by_split.get("tune"), by_split.get("cv")
    found: dict[str, Any] = {}
    if cv is not None:
        found["folds"] = _folds(cv, tune, method)
    source, words = _source(by_split)
    if source is not None and (fitted := _fitted(source, method)):
        return {"calibration": fitted, "calibrated_on": words, **found}
    alone = [split for split in by_split if split not in ("cv", "tune", "train")]
    crossed = {split: parts for split in alone if (parts := _cross_fitted(by_split[split], method))}
    if crossed:
        found |= {"cross_fitted": crossed, "calibrated_on": f"the same set, cross-fitted by group in {FOLDS} parts"}
    return found


def _source(by_split: dict[str, DataFrame]) -> tuple[DataFrame | None, str]:
    """Return the rows that an arm's calibrator is fitted on, and what they are."""
    tune, cv = by_split.get("tune"), by_split.get("cv")
    if tune is not None and (cv is None or not set(_places(tune)) <= set(_places(cv))):
        return tune, "tuning part"
    if cv is not None:
        first = cv["seed"].min()
        return cv[cv["seed"] == first], f"out-of-fold predictions of seed {first}"
    if "train" in by_split:
        return by_split["train"], "training part: a model is surer of cases that it was trained on"
    return None, ""


def _folds(cv: DataFrame, tune: DataFrame | None, method: Method) -> dict[str, Any]:
    """Return each fold's calibrator: of its own tuning part, else of the other folds of its seed."""
    found: dict[str, Any] = {}
    for seed, fold in _places(cv):
        own = None if tune is None else tune[(tune["seed"] == seed) & (tune["fold"] == fold)]
        if own is not None and len(own):
            source, words = own, "the fold's tuning part"
        else:
            inside = cv[cv["seed"] == seed]
            here = set(inside.loc[inside["fold"] == fold, "group_id"])
            source, words = inside[~inside["group_id"].isin(here)], "the other folds of the seed"
        if fitted := _fitted(source, method):
            found[f"{seed}/{fold}"] = {"calibration": fitted, "calibrated_on": words}
    return found


def _cross_fitted(rows: DataFrame, method: Method) -> list[dict[str, Any]]:
    part_of = parts_by_group(rows)
    parts = rows["group_id"].astype(str).map(part_of)
    found = []
    for part in sorted(set(part_of.values())):
        fitted = _fitted(rows[parts != part], method)
        if fitted is None:
            return []
        found.append({"groups": [name for name, place in part_of.items() if place == part], "calibration": fitted})
    return found


def _fitted(rows: DataFrame, method: Method) -> dict[str, Any] | None:
    """Return the calibrator as plain values; None where these rows hold one class only."""
    truth = rows["truth"].to_numpy(dtype=bool)
    if truth.all() or not truth.any():
        return None
    probability = rows["probability_uncalibrated"].to_numpy(dtype=np.float64)
    return dict(_FIT[method](truth, probability, rows["group_id"].to_numpy(dtype=str)).as_dict())


def _places(rows: DataFrame) -> list[tuple[int, int]]:
    pairs = rows[["seed", "fold"]].drop_duplicates().sort_values(["seed", "fold"])
    return [(int(seed), int(fold)) for seed, fold in pairs.itertuples(index=False)]
