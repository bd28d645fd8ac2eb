"""From a predictions table to ``evidence.json``: numbers only, each with its interval and the method behind it."""

from collections.abc import Callable
from typing import Any, Literal

from pandas import DataFrame

from isthmus.errors import InputError
from isthmus.report.analysis_table import AnalysisTable, analysis_table, with_tuning
from isthmus.report.by_site import site_measures
from isthmus.report.contrasts import comparisons
from isthmus.report.decisions import PREVALENCES, call_measures
from isthmus.report.discrimination import ranking_measures, several_class_measures
from isthmus.report.probabilities import probability_measures
from isthmus.report.subject import Study
from isthmus.report.subjects import SUBJECTS
from isthmus.statistics.interval import undefined

Reference = Literal["surgery", "cytology", "follow_up", "tirads", "mixed", "unknown"]
_NO_CLASS = "a class has no case here: nothing can be ranked"


def compute_evidence(
    predictions: DataFrame,
    *,
    positive: str | None = None,
    reference_arm: str | None = None,
    primary: dict[str, str] | None = None,
    frozen: dict[str, Any] | None = None,
    target: str | None = None,
    unit: str | None = None,
    reference: str = "unknown",
    sampling: str | None = None,
    prevalences: tuple[float, ...] = PREVALENCES,
    level: float = 0.95,
    bootstrap: int = 2000,
    tuning: DataFrame | None = None,
    cases: DataFrame | None = None,
    reads: DataFrame | None = None,
    higher_is: Literal["positive", "negative"] = "positive",
    simulated_readers: bool = False,
    table_one: tuple[str, ...] | None = None,
    table_one_mode: Literal["default", "paper"] = "default",
    graded: tuple[str, ...] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Compute everything that can be said of a predictions table.

    Parameters
    ----------
    predictions : DataFrame
        Contract 2, as ``read_predictions`` returns it.
    positive : str, optional
        The positive class; default the last one.
    reference_arm : str, optional
        Each other arm is compared with this one; without it all pairs are.
    primary : dict, optional
        ``{"arm": …, "against": …}``, named before the analysis.
    frozen : dict, optional
        Content of ``frozen.json``: ``frozen["arms"][arm]`` with ``calibration`` {intercept, slope}, ``threshold`` and
        ``folds["<seed>/<fold>"]`` with both. Cross-validation uses the folds' own only.
    target, unit : str, optional
        Which one, where the table holds several.
    reference : str
        Where the label comes from: surgery, cytology, follow_up, tirads, mixed or unknown.
    sampling : str, optional
        ``consecutive``, ``selected`` or ``case_control``; predictive values of the sample count only for the first.
    prevalences : tuple of float
        Where PPV and NPV are stated otherwise, 0 to 1.
    level : float
        Of all intervals, 0 to 1.
    bootstrap : int
        Group resamplings behind F1, MCC, several-class measures and their comparisons.
    tuning : DataFrame, optional
        Rows of split ``tune``: no evidence, but limits of prediction sets are chosen on them.
    cases, reads, higher_is, simulated_readers, table_one, table_one_mode, graded
        What is known beside the scores: see :class:`isthmus.report.subject.Study`.
    progress : callable, optional
        Called with (arms and splits done, all).

    Returns
    -------
    dict
        The content of ``evidence.json``, the arms of the primary contrast first; plain values, None where there is no
        number, then with a note.

    Raises
    ------
    InputError
        When the table cannot be analysed as one: see ``analysis_table``; or for an unknown arm.
    """
    how: dict[str, Any] = {"positive": positive, "frozen": frozen, "target": target, "unit": unit}
    table = analysis_table(predictions, **how)
    if tuning is not None:
        table = with_tuning(table, predictions, tuning, **how)
    arms = list(dict.fromkeys(table.rows["arm"]))
    for named in filter(None, (reference_arm, *(primary or {}).values())):
        if named not in arms:
            raise InputError(f"no arm is called {named!r}", expected=", ".join(arms))
    parts = list(table.rows[["arm", "split"]].drop_duplicates().itertuples(index=False, name=None))
    named_first = [*(primary or {}).values(), *arms]
    found: dict[str, dict[str, Any]] = {arm: {} for arm in dict.fromkeys(named_first)}
    for done, (arm, split) in enumerate(parts):
        found[arm][split] = _part(table, arm, split, sampling, prevalences, level, bootstrap)
        if progress:
            progress(done + 1, len(parts))
    pairs, notes = comparisons(table, reference_arm=reference_arm, primary=primary, level=level, bootstrap=bootstrap)
    evidence: dict[str, Any] = {
        "format": "isthmus-evidence/1.0",
        "target": table.target,
        "unit": table.unit,
        "classes": table.classes,
        "positive": table.positive,
        "reference": reference,
        "sampling": sampling or "unknown",
        "has_probabilities": table.has_probabilities,
        "level": level,
        "bootstrap": bootstrap,
        "reference_arm": reference_arm,
        "primary": primary,
        "arms": found,
        "comparisons": pairs,
        "notes": notes,
    }
    study = Study(
        level=level,
        bootstrap=bootstrap,
        prevalences=prevalences,
        sampling=sampling,
        reference=reference,
        reference_arm=reference_arm,
        primary=primary,
        cases=cases,
        reads=reads,
        higher_is=higher_is,
        simulated_readers=simulated_readers,
        table_one=table_one,
        table_one_mode=table_one_mode,
        graded=graded,
    )
    for subject in SUBJECTS:
        if something := subject.compute(table, study, evidence):
            evidence[subject.key] = something
    return evidence


def _part(
    table: AnalysisTable,
    arm: str,
    split: str,
    sampling: str | None,
    prevalences: tuple[float, ...],
    level: float,
    bootstrap: int,
) -> dict[str, Any]:
    rows = table.part(arm, split)
    units = rows.drop_duplicates("unit_id")
    seeds = int(rows["seed"].nunique())
    notes = list(table.notes[arm, split])
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
            sampling=sampling,
            prevalences=prevalences,
            level=level,
            bootstrap=bootstrap,
        )
        if seeds > 1:
            notes.append(f"calls of {seeds} seeds are averaged; n counts each {table.unit} once")
    facts["thresholds"] = table.thresholds[arm, split]
    facts["notes"] = notes
    return facts
