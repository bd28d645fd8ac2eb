"""What the regions do to the scores of finished models on another cohort: boxes moved and scaled, and who drew them."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from isthmus.imaging.cache import PreparedCache
from isthmus.inference.predictor import Predictor
from isthmus.protocol.cases import UNIT_COLUMNS, Cases
from isthmus.protocol.frozen import calls
from isthmus.protocol.gather import nodule_predictions
from isthmus.protocol.perturbation import Progress, lesion_boxes, perturbed_stores
from isthmus.protocol.pictures import prepared_store
from isthmus.report.regions import region_evidence, region_sources


def changed_predictions(
    predictors: Mapping[str, Predictor],
    cases: Cases,
    facts: Mapping[str, Mapping[str, Any]],
    frozen: Mapping[str, Any],
    cache: PreparedCache,
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
    progress : callable, optional
        Called with what, done, total.

    Returns
    -------
    DataFrame
        Rows of contract 2 with `call` and a column `change`; empty where no model looks at lesion crops.
    """
    looking = {arm: one for arm, one in predictors.items() if one.spec.prepare.crop == "lesion"}
    boxes = lesion_boxes([cases.views[arm] for arm in looking])
    tables = []
    for done, (arm, predictor) in enumerate(looking.items(), start=1):
        units = cases.views[arm][["view_id", *UNIT_COLUMNS]]
        preparation = predictor.spec.prepare
        as_drawn = prepared_store(cache, cases.views[arm], preparation)
        stores = perturbed_stores(cases.views[arm], boxes, as_drawn, preparation, cache)
        for change, store in stores.items():
            scores = predictor.score_store(store, store.view_ids)
            rows = scores.merge(units, on="view_id", how="left", validate="one_to_one").assign(**facts[arm])
            nodules = nodule_predictions(rows, cases)
            tables.append(nodules.assign(call=calls(nodules, cases.classes, frozen), change=change))
        if progress is not None:
            progress("boxes moved and scaled", done, len(looking))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def validation_regions(changed: pd.DataFrame, predictions: pd.DataFrame, cases: Cases, split: str) -> dict[str, Any]:
    """Return the evidence of the regions: `moved` by arm, and `sources` by class."""
    views = cases.pictures[["view_id", "label", "group_id", "region_source"]]
    return {
        "moved": region_evidence(changed, predictions, positive=cases.classes[-1], split=split),
        "sources": region_sources(views, dict(cases.target.classes)),
    }
