"""From a predictions table to ``evidence.json``: numbers only, each with its interval and the method behind it."""

from collections.abc import Callable
from typing import Any

from pandas import DataFrame

from isthmus.errors import InputError, did_you_mean
from isthmus.report.analysis_table import AnalysisTable, analysis_table, with_tuning
from isthmus.report.by_site import site_measures
from isthmus.report.candidates import optimism_note
from isthmus.report.contrasts import comparisons
from isthmus.report.decisions import call_measures
from isthmus.report.discrimination import ranking_measures, several_class_measures
from isthmus.report.named_contrasts import named_contrasts
from isthmus.report.probabilities import probability_measures
from isthmus.report.subject import Study
from isthmus.report.subjects import SUBJECTS
from isthmus.statistics.interval import undefined

_NO_CLASS = "a class has no case here: nothing can be ranked"


def compute_evidence(
    predictions: DataFrame,
    *,
    positive: str | None = None,
    frozen: dict[str, Any] | None = None,
    target: str | None = None,
    unit: str | None = None,
    tuning: DataFrame | None = None,
    progress: Callable[[int, int], None] | None = None,
    **asked: Any,
) -> dict[str, Any]:
    """Compute everything that can be said of a predictions table.

    Parameters
    ----------
    predictions : DataFrame
        Contract 2, as ``read_predictions`` returns it.
    positive : str, optional
        The positive class; default the last one.
    frozen : dict, optional
        Content of ``frozen.json``: ``frozen["arms"][arm]`` with ``calibration`` {intercept, slope}, ``threshold`` and
        ``folds["<seed>/<fold>"]`` with both. Cross-validation uses the folds' own only.
    target, unit : str, optional
        Which one, where the table holds several.
    tuning : DataFrame, optional
        Rows of split ``tune``: no evidence, but limits of prediction sets are chosen on them.
    progress : callable, optional
        Called with (arms and splits done, all).
    asked
        How it is asked and what is known beside the scores: the fields of :class:`isthmus.report.subject.Study`.

    Returns
    -------
    dict
        The content of ``evidence.json``, the arms of the primary contrast first; plain values, None where there is no
        number, then with a note.

    Raises
    ------
    InputError
        When the table cannot be analysed as one: see ``analysis_table``; for an unknown arm; when the study is not
        asked for rightly.
    """
    study = Study(**asked)
    how: dict[str, Any] = {"positive": positive, "frozen": frozen, "target": target, "unit": unit}
    table = analysis_table(predictions, **how)
    if tuning is not None:
        table = with_tuning(table, predictions, tuning, **how)
    found = _measured(table, study, progress)
    contrasts, unasked = named_contrasts(study.primary, study.secondary, found, study.oracles)
    pairs, notes = comparisons(
        table,
        reference_arm=study.reference_arm,
        contrasts=contrasts,
        level=study.level,
        bootstrap=study.bootstrap,
    )
    evidence: dict[str, Any] = {
        "format": "isthmus-evidence/1.0",
        "target": table.target,
        "unit": table.unit,
        "classes": table.classes,
        "positive": table.positive,
        "reference": study.reference,
        "sampling": study.sampling or "unknown",
        "has_probabilities": table.has_probabilities,
        "level": study.level,
        "bootstrap": study.bootstrap,
        "reference_arm": study.reference_arm,
        "primary": study.primary,
        "contrasts": [contrast.as_dict() for contrast in contrasts],
        "arms": found,
        "comparisons": pairs,
        "notes": [*unasked, *notes],
    }
    if study.class_names:
        evidence["class_names"] = dict(study.class_names)
    for subject in SUBJECTS:
        if something := subject.compute(table, study, evidence):
            evidence[subject.key] = something
    return evidence


def _measured(
    table: AnalysisTable, study: Study, progress: Callable[[int, int], None] | None
) -> dict[str, dict[str, Any]]:
    """Return what is measured of every arm and split, the arms of the primary contrast first."""
    arms = list(dict.fromkeys(table.rows["arm"]))
    named_first = [*(study.primary or {}).values(), *arms]
    for named in filter(None, (study.reference_arm, *named_first)):
        if named not in arms:
            raise InputError(f"no arm is called {named!r}", expected=", ".join(arms), hint=did_you_mean(named, arms))
    parts = list(table.rows[["arm", "split"]].drop_duplicates().itertuples(index=False, name=None))
    found: dict[str, dict[str, Any]] = {arm: {} for arm in dict.fromkeys(named_first)}
    for done, (arm, split) in enumerate(parts):
        found[arm][split] = _part(table, arm, split, study)
        if progress:
            progress(done + 1, len(parts))
    return found


def _part(table: AnalysisTable, arm: str, split: str, study: Study) -> dict[str, Any]:
    level, bootstrap = study.level, study.bootstrap
    rows = table.part(arm, split)
    units = rows.drop_duplicates("unit_id")
    seeds = int(rows["seed"].nunique())
    notes = [*filter(None, [optimism_note(study.candidates, arm, split)]), *table.notes[arm, split]]
    facts: dict[str, Any] = {
        "n": len(units),
        "n_groups": int(units["group_id"].nunique()),
        "classes": {label: int((units["label"] == label).sum()) for label in table.classes},
        "class_groups": {
            label: int(units.loc[units["label"] == label, "group_id"].nunique()) for label in table.classes
        },
        "seeds": seeds,
    }
    several = len(table.classes) > 2
    if min(facts["classes"].values()) == 0:
        notes.append(_NO_CLASS)
        facts["macro_auc" if several else "auc"] = undefined("AUC", _NO_CLASS, level).as_dict()
    elif several and table.has_probabilities:
        facts |= several_class_measures(rows, table.classes, level, bootstrap)
    elif several:
        facts["macro_auc"] = undefined("AUC", "one score cannot rank several classes", level).as_dict()
    else:
        facts |= ranking_measures(rows, level)
        facts |= site_measures(rows, level)
        if table.has_probabilities:
            calibrated = (arm, split) in table.calibrated
            facts |= probability_measures(rows, calibrated=calibrated, level=level)
    if (rows["call"] != "").all():
        facts |= call_measures(
            rows,
            table.classes,
            table.positive,
            sampling=study.sampling,
            prevalences=study.prevalences,
            level=level,
            bootstrap=bootstrap,
        )
        if seeds > 1:
            notes.append(f"calls of {seeds} seeds are averaged; n counts each {table.unit} once")
    facts["thresholds"] = table.thresholds[arm, split]
    facts["notes"] = notes
    return facts
