"""Shortcut tests of finished models on another cohort: the same views with other pixels, and marks in the crop.

Each model scores as it was frozen. Devices are not asked: a rule that tells them would have to be learnt here.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from isthmus.imaging.cache import PreparedCache
from isthmus.inference.fused_predictor import FusedPredictor
from isthmus.inference.predictor import Predictor
from isthmus.progress import Progress
from isthmus.protocol.cases import Cases, without_failures
from isthmus.protocol.frozen import calls
from isthmus.protocol.gather import nodule_predictions
from isthmus.protocol.pictures import prepared_store
from isthmus.protocol.schema import Protocol, Shortcuts
from isthmus.protocol.shortcut_cases import Asked
from isthmus.protocol.shortcuts import KEPT, changed_pixels, changes_evidence
from isthmus.protocol.validation_regions import changed_rows_of, members_of
from isthmus.report.shortcuts import UNCHANGED, marks_evidence
from isthmus.tables.check import write_table


def validation_shortcuts(
    predictors: Mapping[str, Predictor | FusedPredictor],
    cases: Cases,
    columns: Mapping[str, Mapping[str, Any]],
    predictions: pd.DataFrame,
    facts: pd.DataFrame,
    frozen: Mapping[str, Any],
    cache: PreparedCache,
    folder: Path,
    protocol: Protocol | None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Return what pictures with other pixels, and marks, do to the scores of a validation's models.

    Parameters
    ----------
    predictors : mapping
        The models in memory, by arm.
    cases : Cases
        The cohort's views by arm.
    columns : mapping
        Each arm's columns of contract 2: target, cohort, split and so on.
    predictions, facts : DataFrame
        The validation's table, and what is known of its cases as `case_facts` gives it.
    frozen : mapping
        Calibrations and thresholds as `frozen.json` has them.
    cache : PreparedCache
        In which the pictures already are.
    folder : Path
        The validation's, for `tables/shortcuts.csv` and measured perfusion.
    protocol : Protocol, optional
        The run's: the arms of its primary contrast are asked, of as many views as it says; else the one bundle.
    progress : callable, optional
        Called with what, done, total.

    Returns
    -------
    dict
        As `isthmus.protocol.shortcuts.add_shortcuts` finds it, with ``devices`` None; empty where nobody is asked.
    """
    bound = Shortcuts() if protocol is None else protocol.shortcuts
    primary = list(predictors) if protocol is None else [protocol.primary.arm, protocol.primary.against]
    chosen = {name: predictors[name] for name in dict.fromkeys(primary) if name in predictors}
    if bound is None or not chosen:
        return {}
    members = {arm: one for name, own in chosen.items() for arm, one in members_of(name, own).items()}
    stores = {arm: prepared_store(cache, cases.views[arm], one.spec.prepare) for arm, one in members.items()}
    there = {arm: without_failures(cases.views[arm], store.failures) for arm, store in stores.items()}
    usable = replace(cases, views={**cases.views, **there})
    clips = {arm: one.spec.prepare.frames is not None for arm, one in members.items()}
    asked = Asked.of_members(
        {name: list(members_of(name, own)) for name, own in chosen.items()}, clips, usable, bound.views
    )
    changers = {arm: changed_pixels(asked, usable, arm, store, moving=clips[arm]) for arm, store in stores.items()}
    tables = []
    for done, (name, predictor) in enumerate(chosen.items(), start=1):
        changed = {arm: changers[arm].stores for arm in members_of(name, predictor)}
        found = changed_rows_of(name, predictor, stores, changed, usable, columns[name], folder)
        for change, rows in found.items():
            units = nodule_predictions(rows, cases)
            tables.append(units.assign(call=calls(units, cases.classes, frozen), change=change))
        if progress is not None:
            progress("shortcuts: changed pictures", done, len(chosen))
    evidence: dict[str, Any] = {**asked.to_json(), "devices": None}
    evidence["marks"] = marks_evidence(predictions, facts, positive=cases.classes[-1])
    if not tables:
        return evidence
    table = pd.concat(tables, ignore_index=True)
    whole = table.drop_duplicates(["arm", "unit_id"])[["arm", "seed", "unit_id"]]
    unchanged = predictions.merge(whole, on=["arm", "seed", "unit_id"])
    table = pd.concat([unchanged.assign(change=UNCHANGED), table], ignore_index=True)
    split = str(predictions["split"].iloc[0])
    evidence |= changes_evidence(asked, table, predictions, changers, positive=cases.classes[-1], split=split)
    write_table(folder / "tables" / "shortcuts.csv", table[[name for name in table if name in KEPT]])
    return evidence
