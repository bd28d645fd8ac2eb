"""What the regions do to the scores of finished models on another cohort: boxes moved and scaled, and who drew them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from isthmus.imaging.cache import PreparedCache, PreparedStore
from isthmus.inference.fused_predictor import FusedPredictor
from isthmus.inference.predictor import Predictor
from isthmus.progress import Progress
from isthmus.protocol.cases import UNIT_COLUMNS, Cases, without_failures
from isthmus.protocol.changed_units import changed_nodules, of_changed_units
from isthmus.protocol.frozen import calls
from isthmus.protocol.fused_scores import bundle_rows
from isthmus.protocol.gather import nodule_predictions
from isthmus.protocol.perturbation import lesion_boxes, perturbed_stores
from isthmus.protocol.pictures import prepared_store
from isthmus.report.regions import region_evidence, region_sources


def changed_predictions(
    predictors: Mapping[str, Predictor | FusedPredictor],
    cases: Cases,
    facts: Mapping[str, Mapping[str, Any]],
    frozen: Mapping[str, Any],
    cache: PreparedCache,
    kept: Path,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Score a cohort's views with changed boxes by models that look at lesion crops.

    Parameters
    ----------
    predictors : mapping
        The models in memory, by arm.
    cases : Cases
        The cohort's views by arm.
    facts : mapping
        Each arm's columns of contract 2: target, cohort, split and so on.
    frozen : mapping
        Calibrations and thresholds as `frozen.json` has them.
    cache : PreparedCache
        For the changed crops.
    kept : Path
        In which the measured perfusion of the cohort is kept; a box that is moved does not change it.
    progress : callable, optional
        Called with what, done, total.

    Returns
    -------
    DataFrame
        Rows of contract 2 with `call` and a column `change`, of the units of which every view could be changed in
        every way; empty where no model looks at lesion crops.
    """
    looking = {
        arm: one
        for arm, one in predictors.items()
        if any(member.spec.prepare.crop == "lesion" for member in members_of(arm, one).values())
    }
    boxes = lesion_boxes([cases.views[member] for arm, one in looking.items() for member in members_of(arm, one)])
    tables = []
    for done, (arm, predictor) in enumerate(looking.items(), start=1):
        as_drawn, changed = _stores(members_of(arm, predictor), cases, boxes, cache)
        there = {member: without_failures(cases.views[member], store.failures) for member, store in as_drawn.items()}
        usable = replace(cases, views={**cases.views, **there})
        if isinstance(predictor, FusedPredictor):
            found = _fused_rows(predictor, as_drawn, changed, usable, facts[arm], kept)
        else:
            found = _rows(predictor, changed[arm], usable.views[arm], facts[arm])
        for change, rows in found.items():
            whole = of_changed_units(rows, usable, changed)
            if whole.empty:
                continue
            nodules = nodule_predictions(whole, cases)
            tables.append(nodules.assign(call=calls(nodules, cases.classes, frozen), change=change))
        if progress is not None:
            progress("boxes moved and scaled", done, len(looking))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def members_of(arm: str, predictor: Predictor | FusedPredictor) -> Mapping[str, Predictor]:
    """Return the networks' bundles of a model by arm: itself, or a fused one's members."""
    return predictor.members if isinstance(predictor, FusedPredictor) else {arm: predictor}


def changed_rows_of(
    arm: str,
    predictor: Predictor | FusedPredictor,
    as_drawn: Mapping[str, PreparedStore],
    changed: Mapping[str, Mapping[str, PreparedStore]],
    cases: Cases,
    facts: Mapping[str, Any],
    kept: Path,
) -> dict[str, pd.DataFrame]:
    """Return the rows of a model under each change that all its changed members have; see `changed_predictions`."""
    if not isinstance(predictor, FusedPredictor):
        return _rows(predictor, changed[arm], cases.views[arm], facts)
    found: dict[str, pd.DataFrame] = {}
    for change in next(iter(changed.values())):  # one by one: each may have views of its own
        if all(change in one for one in changed.values()):
            own = {member: {change: one[change]} for member, one in changed.items()}
            found |= _fused_rows(predictor, as_drawn, own, cases, facts, kept)
    return found


def _stores(
    members: Mapping[str, Predictor], cases: Cases, boxes: Mapping[str, Any], cache: PreparedCache
) -> tuple[dict[str, PreparedStore], dict[str, dict[str, PreparedStore]]]:
    """Return each member's pictures as drawn, and of those that look at lesion crops, by change, with changed boxes."""
    as_drawn = {arm: prepared_store(cache, cases.views[arm], one.spec.prepare) for arm, one in members.items()}
    changed = {
        arm: perturbed_stores(cases.views[arm], boxes, as_drawn[arm], one.spec.prepare, cache)
        for arm, one in members.items()
        if one.spec.prepare.crop == "lesion"
    }
    return as_drawn, changed


def _rows(
    predictor: Predictor, stores: Mapping[str, PreparedStore], views: pd.DataFrame, facts: Mapping[str, Any]
) -> dict[str, pd.DataFrame]:
    units = views[["view_id", *UNIT_COLUMNS]]
    return {
        change: predictor.score_store(store, store.view_ids)
        .merge(units, on="view_id", how="left", validate="one_to_one")
        .assign(**facts)
        for change, store in stores.items()
    }


def _fused_rows(
    predictor: FusedPredictor,
    as_drawn: Mapping[str, PreparedStore],
    changed: Mapping[str, Mapping[str, PreparedStore]],
    cases: Cases,
    facts: Mapping[str, Any],
    kept: Path,
) -> dict[str, pd.DataFrame]:
    there = {arm: without_failures(cases.views[arm], store.failures) for arm, store in as_drawn.items()}
    nodules = changed_nodules(replace(cases, views={**cases.views, **there}), changed)
    views = {arm: own[own["nodule_id"].isin(nodules)] for arm, own in there.items()}
    usable = replace(cases, views={**cases.views, **views})
    found = {}
    for change in next(iter(changed.values())):
        stores = {**as_drawn, **{arm: own[change] for arm, own in changed.items()}}
        rows = bundle_rows(predictor, stores, usable, facts, kept)
        found[change] = rows[rows["nodule_id"].isin(nodules)]
    return found


def validation_regions(changed: pd.DataFrame, predictions: pd.DataFrame, cases: Cases, split: str) -> dict[str, Any]:
    """Return the evidence of the regions: `moved` by arm, and `sources` by class."""
    views = cases.pictures[["view_id", "label", "group_id", "region_source"]]
    return {
        "moved": region_evidence(changed, predictions, positive=cases.classes[-1], split=split),
        "sources": region_sources(views, dict(cases.target.classes)),
    }
