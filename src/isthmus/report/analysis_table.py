"""A predictions table made ready for statistics: in each row truth, score, probability and call."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd
from pandas import DataFrame

from isthmus.errors import InputError
from isthmus.report.reading import in_order
from isthmus.statistics.calibration import calibration_from_dict
from isthmus.statistics.class_calibration import ClassCalibration
from isthmus.tables.predictions import classes_of

LEFT_OUT: Final = ("tune", "train")
"""Splits whose probabilities were seen while choices were made."""


@dataclass(frozen=True)
class AnalysisTable:
    """Predictions ready for statistics.

    Parameters
    ----------
    rows : DataFrame
        ``arm, split, seed, fold, unit_id, group_id, label, truth`` (bool), ``score`` (ranking; the uncalibrated
        ``p_<positive>`` or the score itself), ``probability`` (calibrated where the arm has a calibration, else as
        given; NaN for scores), ``probability_uncalibrated``, ``call`` (text, '' where none was made), ``p_<class>``; of
        several classes also ``calibrated_<class>``, which is ``p_<class>`` where there is no calibration.
    thresholds : dict
        (arm, split) to the thresholds behind the calls, as evidence.json lists them.
    notes : dict
        (arm, split) to what a reader must know of its calls.

    tuning : DataFrame, optional
        Rows of split ``tune`` made ready alike: no evidence, but what limits may be chosen on.

    Of several cohorts in the split ``external`` each is a split by itself, ``external: NAME``.
    """

    rows: DataFrame
    classes: list[str]
    positive: str
    target: str
    unit: str
    has_probabilities: bool
    calibrated: set[tuple[str, str]]
    thresholds: dict[tuple[str, str], list[dict[str, Any]]]
    notes: dict[tuple[str, str], list[str]]
    tuning: DataFrame | None = None

    def part(self, arm: str, split: str) -> DataFrame:
        """Return the rows of one arm and split."""
        return self.rows[(self.rows["arm"] == arm) & (self.rows["split"] == split)]


def by_split_and_arm(table: AnalysisTable, of_arm: Callable[[str, str], dict[str, Any]]) -> dict[str, Any]:
    """Return ``{"splits": {split: {arm: {...}}}}`` of what is found; empty for scores that are no probabilities.

    Parameters
    ----------
    table : AnalysisTable
        Of whose splits those of :data:`LEFT_OUT` are not asked.
    of_arm : callable
        From arm and split to what is found; arms and splits of which nothing is are left out.
    """
    if not table.has_probabilities:
        return {}
    splits: dict[str, Any] = {}
    for split in in_order(set(table.rows["split"]) - set(LEFT_OUT)):
        arms = dict.fromkeys(table.rows.loc[table.rows["split"] == split, "arm"])
        if known := {arm: entry for arm in arms if (entry := of_arm(arm, split))}:
            splits[split] = known
    return {"splits": splits} if splits else {}


def analysis_table(
    predictions: DataFrame,
    *,
    positive: str | None = None,
    frozen: dict[str, Any] | None = None,
    target: str | None = None,
    unit: str | None = None,
) -> AnalysisTable:
    """Make a predictions table ready for statistics.

    Parameters
    ----------
    predictions : DataFrame
        As ``read_predictions`` returns it.
    positive : str, optional
        The positive class; default the last one.
    frozen : dict, optional
        ``frozen["arms"][arm]`` with ``calibration`` {intercept, slope} (or of another kind, see
        ``calibration_from_dict``), ``threshold`` on the calibrated probability and, for cross-validation,
        ``folds["<seed>/<fold>"]`` with the same two. ``cross_fitted[split]``, a list of {groups, calibration}, holds
        each group's calibrator that was fitted without it, where a split had to serve both (``recalibrate``).
        ``classes``: their order in calibrations of several; default that of the columns.
    target, unit : str, optional
        Which one, where the table holds several.

    Raises
    ------
    InputError
        For several targets or units with none chosen, several cohorts in a split other than ``external``, an unknown
        positive class, or a unit whose label changes from row to row.
    """
    rows = _one(_one(predictions, "target", target), "unit", unit).reset_index(drop=True)
    classes = classes_of(rows)
    if len(classes) < 2:
        raise InputError(f"only one class, {classes[0]!r}, among the labels", expected="at least two classes")
    positive = classes[-1] if positive is None else str(positive)
    if positive not in classes:
        raise InputError(f"no class is called {positive!r}", expected=", ".join(classes))
    unknown = sorted(set(rows["label"]) - set(classes))
    if unknown:
        raise InputError(
            f"labels outside the classes: {', '.join(map(repr, unknown[:5]))}", expected=", ".join(classes)
        )
    rows = rows.assign(arm=_arm_names(rows), truth=rows["label"] == positive)
    rows = rows.assign(split=_split_names(rows))
    _check_labels(rows)
    _check_cohorts(rows)
    has_probabilities = f"p_{positive}" in rows.columns
    score = rows[f"p_{positive}" if has_probabilities else "score"].astype(float)
    given = score if has_probabilities else np.nan
    rows = rows.assign(score=score, probability=given, probability_uncalibrated=given)
    if has_probabilities and len(classes) > 2:
        rows = rows.assign(**{f"calibrated_{label}": rows[f"p_{label}"].astype(float) for label in classes})
    table = AnalysisTable(
        rows,
        classes,
        positive,
        str(rows["target"].iloc[0]),
        str(rows["unit"].iloc[0]),
        has_probabilities,
        set(),
        {},
        {},
    )
    for arm, split in rows[["arm", "split"]].drop_duplicates().itertuples(index=False):
        own = {"classes": classes, **(frozen or {})}
        choices = {**own.get("arms", {}).get(arm, {}), "classes": own["classes"]}
        _calibrate_and_call(table, str(arm), str(split), choices)
    return table


def with_tuning(table: AnalysisTable, predictions: DataFrame, tuning: DataFrame, **how: Any) -> AnalysisTable:
    """Return the table with the rows of its tuning part beside it.

    Parameters
    ----------
    table : AnalysisTable
        Of ``predictions``.
    predictions, tuning : DataFrame
        What is evidence, and the rows of split ``tune``.
    how
        As for :func:`analysis_table`.
    """
    both = analysis_table(pd.concat([predictions, tuning], ignore_index=True), **how)
    tune = both.rows[both.rows["split"] == "tune"]
    return replace(table, calibrated=both.calibrated, thresholds=both.thresholds, tuning=tune)


def _one(frame: DataFrame, column: str, chosen: str | None) -> DataFrame:
    """Keep the rows of one value of a column, which must be the only one or be chosen."""
    values = sorted(set(frame[column].astype(str)))
    if chosen is None and len(values) > 1:
        raise InputError(
            f"the table holds {len(values)} values of {column}: {', '.join(values[:5])}",
            expected="one of them at a time",
            hint=f"choose one with {column}=",
        )
    if chosen is not None and chosen not in values:
        raise InputError(f"no row has {column} {chosen!r}", expected=", ".join(values[:5]))
    return frame if chosen is None else frame[frame[column] == chosen]


def _arm_names(rows: DataFrame) -> "pd.Series[str]":
    """Name arms by arm, and by candidate too where an arm has several."""
    several = rows.groupby("arm")["candidate"].transform("nunique") > 1
    named: pd.Series[str] = rows["arm"].where(~several, rows["arm"] + " · " + rows["candidate"].astype(str))
    return named


def _split_names(rows: DataFrame) -> "pd.Series[str]":
    """Name each of several external cohorts by itself: `external: NAME`. Their patients are never pooled."""
    external = rows["split"] == "external"
    several = rows.loc[external, "cohort"].nunique() > 1
    named: pd.Series[str] = rows["split"].where(~external | (not several), "external: " + rows["cohort"].astype(str))
    return named


def _check_labels(rows: DataFrame) -> None:
    labels = rows.groupby(["split", "unit_id"])["label"].nunique()
    changing = labels[labels > 1]
    if len(changing):
        named = ", ".join(str(unit) for _, unit in changing.index[:5])
        raise InputError(
            f"{len(changing)} units have more than one label: {named}",
            expected="the same label in all arms, seeds and folds",
        )


def _check_cohorts(rows: DataFrame) -> None:
    several = rows.groupby("split")["cohort"].nunique()
    if (several > 1).any():
        raise InputError(
            f"split {several.idxmax()!r} holds {several.max()} cohorts",
            expected="one cohort a split",
            hint="evaluate one cohort at a time",
        )


def _calibrate_and_call(table: AnalysisTable, arm: str, split: str, frozen: dict[str, Any]) -> None:
    """Fill probability and call of one arm and split in place, and note how the calls came about."""
    part = table.part(arm, split)
    binary = len(table.classes) == 2
    key = (arm, split)
    notes = table.notes.setdefault(key, [])
    table.thresholds[key] = []
    if binary and table.has_probabilities:
        _calibrate(table, key, part, frozen)
    elif table.has_probabilities:
        _calibrate_classes(table, key, part, frozen)
    made = part["call"].astype(str) != ""
    if made.all():
        table.thresholds[key] = _thresholds(split, part, frozen)
        return
    if made.any():
        notes.append(f"{int((~made).sum())} of {len(part)} rows have no call: calls are left out")
        table.rows.loc[part.index, "call"] = ""
        return
    if not binary:
        if table.has_probabilities:
            own = table.rows.loc[part.index, calibrated_columns(table.classes)]
            best = own.to_numpy(dtype=float).argmax(axis=1)
            table.rows.loc[part.index, "call"] = np.asarray(table.classes, dtype=object)[best]
            notes.append("no calls were given: the most probable class is called")
        return
    table.thresholds[key] = _call(table, key, part, frozen)


def _calibrate(table: AnalysisTable, key: tuple[str, str], part: DataFrame, frozen: dict[str, Any]) -> None:
    methods = []
    for calibration, rows in _calibrations(key[1], part, frozen):
        fitted = calibration_from_dict(calibration)
        table.rows.loc[rows.index, "probability"] = fitted.apply(rows["probability"].to_numpy())
        table.calibrated.add(key)
        methods.append(fitted.method)
    reduced = [method for method in methods if method.startswith("intercept only")]
    if reduced:
        reasons = "; ".join(sorted({method.partition(": ")[2] for method in reduced if ": " in method}))
        many = f"{len(reduced)} of {len(methods)} calibrations fit the intercept only"
        table.notes[key].append(f"{many} ({reasons})" if reasons else many)


def calibrated_columns(classes: list[str]) -> list[str]:
    """Return the columns of the calibrated probabilities of several classes."""
    return [f"calibrated_{label}" for label in classes]


def _calibrate_classes(table: AnalysisTable, key: tuple[str, str], part: DataFrame, frozen: dict[str, Any]) -> None:
    methods = []
    for calibration, rows in _calibrations(key[1], part, frozen):
        fitted = ClassCalibration.from_dict(calibration)
        given = rows[[f"p_{label}" for label in frozen["classes"]]].to_numpy(dtype=float)
        table.rows.loc[rows.index, calibrated_columns(frozen["classes"])] = fitted.apply(given)
        table.calibrated.add(key)
        methods.append(fitted.method)
    reduced = [method for method in methods if method.startswith("intercepts only")]
    if reduced:
        reasons = "; ".join(sorted({method.partition(": ")[2] for method in reduced}))
        table.notes[key].append(f"{len(reduced)} of {len(methods)} calibrations fit the intercepts only ({reasons})")


def _calibrations(split: str, part: DataFrame, frozen: dict[str, Any]) -> list[tuple[dict[str, Any], DataFrame]]:
    """Return each calibration that may be used on rows of this split, with those rows."""
    if split in frozen.get("cross_fitted", {}):
        parts = frozen["cross_fitted"][split]
        found = [(entry["calibration"], part[part["group_id"].astype(str).isin(entry["groups"])]) for entry in parts]
    else:
        folds = part.groupby(["seed", "fold"])
        found = [(_choice(split, seed, fold, frozen).get("calibration"), rows) for (seed, fold), rows in folds]
    return [(calibration, rows) for calibration, rows in found if calibration and len(rows)]


def _choice(split: str, seed: Any, fold: Any, frozen: dict[str, Any]) -> dict[str, Any]:
    """Return the frozen choice that may be used on these rows: a fold's own in cross-validation, else the arm's."""
    if split == "cv":
        found: dict[str, Any] = frozen.get("folds", {}).get(f"{seed}/{fold}", {})
        return found
    return frozen


def _thresholds(split: str, part: DataFrame, frozen: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the frozen thresholds of these rows, one a fold: value, rule, and what they were chosen on."""
    pairs = part[["seed", "fold"]].drop_duplicates().sort_values(["seed", "fold"]).itertuples(index=False)
    found: list[dict[str, Any]] = []
    for seed, fold in pairs:
        choice = _choice(split, seed, fold, frozen)
        if choice.get("threshold") is not None:
            facts: dict[str, Any] = {"seed": int(seed), "fold": int(fold), "value": float(choice["threshold"])}
            facts["rule"] = str(choice.get("rule", "frozen"))
            facts |= {name: choice[name] for name in ("chosen_on", "groups_in_smaller_class") if name in choice}
            found.append(facts)
    return found


def _call(table: AnalysisTable, key: tuple[str, str], part: DataFrame, frozen: dict[str, Any]) -> list[dict[str, Any]]:
    """Call by frozen thresholds; without them at 0.5 for probabilities, and not at all for bare scores."""
    found = _thresholds(key[1], part, frozen)
    values = {(entry["seed"], entry["fold"]): float(entry["value"]) for entry in found}
    pairs = set(part[["seed", "fold"]].drop_duplicates().itertuples(index=False, name=None))
    other = next(label for label in table.classes if label != table.positive)
    ranked = table.rows.loc[part.index, "probability" if table.has_probabilities else "score"]
    if pairs <= set(values):
        limits = [values[pair] for pair in part[["seed", "fold"]].itertuples(index=False, name=None)]
    elif table.has_probabilities:
        table.notes[key].append(
            "no calls and no frozen threshold were given: a probability of 0.5 or more is called positive"
        )
        limits, found = [0.5] * len(part), [{"value": 0.5, "rule": "0.5, not chosen on data"}]
    else:
        table.notes[key].append(
            "scores without calls or a frozen threshold: sensitivity, specificity and accuracy are left out, since a "
            "threshold chosen on these cases would flatter them"
        )
        return []
    table.rows.loc[part.index, "call"] = np.where(ranked.to_numpy() >= np.asarray(limits), table.positive, other)
    return found
