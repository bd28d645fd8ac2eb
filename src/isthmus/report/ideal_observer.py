"""How near each arm comes to the best that anything can do with what it is shown: simulated cohorts only."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from pandas import DataFrame

from isthmus.errors import InputError
from isthmus.report.analysis_table import AnalysisTable, analysis_table
from isthmus.report.discrimination import auc_of, few_in_a_class, groups_of_classes, several_class_measures
from isthmus.report.truth import LATENTS, Truth
from isthmus.statistics.efficiency import nearness_to_ideal
from isthmus.statistics.few_groups import compare_by_intervals
from isthmus.statistics.interval import Interval, undefined
from isthmus.statistics.roc import few_groups_note

SPLITS = ("test", "temporal", "external", "cv")
"""The parts whose cases no fold model of the arm was fitted on."""
_DEFINITION = (
    "gap: AUC of the observer minus that of the arm; efficiency: (d' of the arm / d' of the observer)^2 with "
    "d' = sqrt(2) Phi^-1(AUC) (Tanner and Birdsall 1958; Barrett and Myers 2004)"
)


def ideal_observer_evidence(
    predictions: DataFrame,
    truth: Truth,
    modalities: Mapping[str, Sequence[str]],
    *,
    remarks: Mapping[str, str] | None = None,
    positive: str | None = None,
    target: str | None = None,
    unit: str | None = None,
    level: float = 0.95,
    bootstrap: int = 2000,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Return what ``evidence.json`` says under ``ideal_observer``.

    Each held-out split ranks the same units three times by the same estimator: by the arm, by the ideal observer of
    the arm's modalities, and by the one that knows every latent.

    Parameters
    ----------
    predictions : DataFrame
        Contract 2, of the target's own unit (nodule or patient).
    truth : Truth
        Of the cohort that the predictions are about.
    modalities : mapping
        Arm to the modalities that it is shown; arms that are not named are left out.
    remarks : mapping, optional
        Arm to what must be known of its observer, such as that it is an upper bound.
    positive, target, unit : str, optional
        As :func:`compute_evidence`.
    level : float
        Of all intervals, 0 to 1.
    bootstrap : int
        Paired resamplings of the groups.
    progress : callable, optional
        Called with (arms and splits done, all).

    Returns
    -------
    dict
        ``definition``; ``preset``; ``population`` (observer to its AUC among ``draws`` without pictures);
        ``arms.<arm>``: ``modalities``, ``observer`` (its name, None where the cohort has none) and
        ``splits.<split>``: ``n``, ``n_groups``, ``measure`` (``auc`` or ``macro_auc``), the intervals ``arm``,
        ``observer``, ``latents``, ``gap`` and ``efficiency``, ``notes`` and, with several classes,
        ``one_vs_rest.<class>`` with the same five.

    Raises
    ------
    InputError
        When the predictions cannot be analysed as one table, or are of views.
    CohortError
        When a unit has no row in ``observers.csv``.
    """
    table = analysis_table(predictions, positive=positive, target=target, unit=unit)
    if table.unit == "view":
        raise InputError(
            "ideal observers rank nodules or patients, not views", expected="predictions of the target's unit"
        )
    parts = [
        (arm, split)
        for arm in dict.fromkeys(table.rows["arm"])
        for split in SPLITS
        if arm in modalities and not table.part(arm, split).empty
    ]
    arms: dict[str, Any] = {}
    for done, (arm, split) in enumerate(parts):
        name = observer_of(truth, modalities[arm])
        entry = arms.setdefault(arm, {"modalities": list(modalities[arm]), "observer": name, "splits": {}})
        entry["splits"][split] = _part(table, table.part(arm, split), truth, name, level, bootstrap)
        if remark := (remarks or {}).get(arm):
            entry["splits"][split]["notes"].append(remark)
        if progress:
            progress(done + 1, len(parts))
    return {
        "definition": _DEFINITION,
        "preset": truth.preset,
        "draws": truth.description.get("observers_draws"),
        "population": {name: dict(values) for name, values in truth.population.items()},
        "arms": arms,
    }


def observer_of(truth: Truth, modalities: Sequence[str]) -> str | None:
    """Return the name of the ideal observer of these modalities, in whatever order; None where there is none."""
    for name in truth.observer_names:
        if name != LATENTS and set(name.split("+")) == set(modalities):
            return name
    return None


def _part(
    table: AnalysisTable, rows: DataFrame, truth: Truth, observer: str | None, level: float, bootstrap: int
) -> dict[str, Any]:
    units = rows.drop_duplicates("unit_id")
    several = len(table.classes) > 2
    ranked = {"arm": rows, "latents": _ranked_by(LATENTS, rows, truth, table)}
    notes = _label_notes(truth, table.unit, units)
    if observer is None:
        notes.append("the cohort has no ideal observer of just these modalities: no gap, no efficiency")
    else:
        ranked["observer"] = _ranked_by(observer, rows, truth, table)
    aucs = {who: _aucs(part, table, level, bootstrap) for who, part in ranked.items()}
    measure = "macro_auc" if several else "auc"
    of_each = {label: [label] for label in table.classes} if several else {}
    found: dict[str, dict[str, Any]] = {}
    for name, classes in {measure: table.classes if several else [table.positive], **of_each}.items():
        found[name] = {who: aucs[who][name] for who in sorted(aucs)}
        if observer is not None:
            found[name] |= _nearness(rows, ranked["observer"], classes, several, level, bootstrap)
            found[name]["gap"] = _gap_of_few(rows, classes, found[name])
    sizes = {"n": len(units), "n_groups": int(units["group_id"].nunique()), "measure": measure}
    each = {"one_vs_rest": {label: found[label] for label in table.classes}} if several else {}
    return {**sizes, **found[measure], **each, "notes": notes}


def _ranked_by(name: str, rows: DataFrame, truth: Truth, table: AnalysisTable) -> DataFrame:
    """Return the rows with an observer's probabilities in the place of the arm's."""
    # A patient's label is known of the patient, also where an arm is judged by nodule.
    of_patients = table.unit == "nodule" and truth.unit == "patient"
    ids = rows["patient_id" if of_patients else "unit_id"].tolist()
    probabilities = truth.observer(name, ids, table.classes, table.target)
    columns = {f"p_{label}": probabilities[:, place] for place, label in enumerate(table.classes)}
    return rows.assign(**columns, score=columns[f"p_{table.positive}"])


def _aucs(rows: DataFrame, table: AnalysisTable, level: float, bootstrap: int) -> dict[str, dict[str, Any]]:
    if len(table.classes) > 2:
        found = several_class_measures(rows, table.classes, level, bootstrap)
        return {"macro_auc": found["macro_auc"], **found["one_vs_rest"]}
    truth, score = rows["truth"].to_numpy(), rows["score"].to_numpy(dtype=np.float64)
    return {"auc": auc_of(rows, truth, score, level).as_dict()}


def _nearness(
    arm: DataFrame, observer: DataFrame, classes: list[str], several: bool, level: float, bootstrap: int
) -> dict[str, dict[str, Any]]:
    """Return gap and efficiency of one class, or of the mean over all of them."""
    labels = np.stack([arm["label"].to_numpy(dtype=str) == label for label in classes])
    score, ideal = (
        np.stack([part[f"p_{label}" if several else "score"].to_numpy(dtype=np.float64) for label in classes])
        for part in (arm, observer)
    )
    groups, folds, seeds = (arm[name].to_numpy() for name in ("group_id", "fold", "seed"))
    try:
        near = nearness_to_ideal(labels, score, ideal, groups, folds, seeds, level, bootstrap)
    except ValueError as error:
        nothing = undefined("none", str(error), level).as_dict()
        return {"gap": nothing, "efficiency": nothing}
    return {"gap": near.gap.as_dict(), "efficiency": near.efficiency.as_dict()}


def _gap_of_few(rows: DataFrame, classes: list[str], measured: dict[str, Any]) -> dict[str, Any]:
    """Return the gap as resampled, or with too few groups in a class by the two intervals, as all differences are."""
    label, groups = rows["label"].to_numpy(dtype=str), rows["group_id"].to_numpy(dtype=str)
    few = few_in_a_class(rows) if len(classes) > 2 else few_groups_note(*groups_of_classes(label == classes[0], groups))
    if not few or measured["gap"]["estimate"] is None:
        return dict(measured["gap"])
    observer, arm = (Interval(**measured[who]) for who in ("observer", "arm"))
    return compare_by_intervals(observer, arm, few).difference.as_dict()


def _label_notes(truth: Truth, unit: str, units: DataFrame) -> list[str]:
    """Say where labels were made wrong on purpose: no observer, however ideal, ranks those right."""
    if not {"label_flipped", f"{unit}_id"} <= set(truth.nodules.columns):
        return []
    flipped = truth.nodules.loc[truth.nodules["label_flipped"].astype(bool), f"{unit}_id"]
    wrong = int(units["unit_id"].isin(set(flipped)).sum())
    return (
        [f"{wrong} of {len(units)} labels are wrong on purpose (label noise); they count against everyone"]
        if wrong
        else []
    )
