"""What a finished model says of its tuning cases through one engine, as the gate compares it."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.inference.engine_gate import Answers, Float, Rules
from isthmus.inference.fused_predictor import FusedPredictor
from isthmus.inference.predictor import Predictor
from isthmus.models.bundle_spec import Calibration, ClassCalibration
from isthmus.protocol.cases import UNIT_COLUMNS, Cases
from isthmus.protocol.clinical_arm import known_cases
from isthmus.protocol.fused_features import side_by_side
from isthmus.protocol.fused_perfusion import perfusion_block
from isthmus.protocol.gather import nodule_predictions
from isthmus.protocol.tuning_cases import TuningCases
from isthmus.statistics.calibration import LogisticCalibration
from isthmus.statistics.class_calibration import ClassCalibration as Classes

_BLOCK = 32


def answers_of(predictor: Predictor | FusedPredictor, tuning: TuningCases) -> Answers:
    """Return what a model says of its tuning cases.

    Parameters
    ----------
    predictor : Predictor or FusedPredictor
        With the engine.
    tuning : TuningCases
        Their pictures prepared.
    """
    if isinstance(predictor, FusedPredictor):
        rows, each = _of_nodules(predictor, tuning)
        folds_of_parts, unlike = [head.fold for head in predictor.spec.heads], None
    else:
        rows, each, unusual = _of_views(predictor, tuning)
        folds_of_parts = list(range(len(predictor.spec.parts)))
        unlike = None if predictor.likeness is None else predictor.likeness.unlike(unusual)
    cases = tuning.cases
    together = _scores(_joined(rows, each.mean(axis=0), cases), cases)
    held_out = None
    if tuning.folds:
        place = np.asarray(folds_of_parts)
        own = [tuning.folds.get(group, -1) for group in rows["group_id"]]
        # Whoever was in no held-out part was tuned on in every fold: the mean of all is as good as any.
        weights = np.array([place == fold if fold >= 0 else np.ones(len(place), bool) for fold in own]).T
        mean = (each * weights[..., None]).sum(axis=0) / weights.sum(axis=0)[:, None]
        held_out = _scores(_joined(rows, mean, cases), cases)
    return Answers(each, together, held_out, unlike)


def rules_of(predictor: Predictor | FusedPredictor, tuning: TuningCases) -> Rules:
    """Return how a model's answers become calls, and who was held out when."""
    cases, spec = tuning.cases, predictor.spec
    classes = list(spec.classes)
    rows, each = _one_row_each(tuning, predictor), np.full((1, 1), 1.0 / len(classes))
    units = _joined(rows, np.repeat(each, len(rows), axis=0).repeat(len(classes), axis=1), cases)
    labels = np.array([classes.index(label) for label in units["label"]], np.int64)
    folds = None
    if tuning.folds:
        folds = np.array([tuning.folds.get(group, -1) for group in units["group_id"]], np.int64)
    said, threshold = spec.calibration, spec.thresholds.value if spec.thresholds else None

    def calibrated(found: Float) -> Float:
        if isinstance(said, ClassCalibration):
            return np.asarray(Classes.from_dict(said.model_dump()).apply(found), np.float64)
        if isinstance(said, Calibration):
            positive = LogisticCalibration(said.intercept, said.slope, said.method).apply(found[:, -1])
            return np.stack([1.0 - positive, positive], axis=1)
        return found

    def called(found: Float) -> NDArray[Any]:
        own = calibrated(found)
        return own.argmax(axis=1) if threshold is None else (own[:, -1] >= threshold).astype(np.int64)

    return Rules(labels, folds, calibrated, called)


def with_engines(predictor: Predictor | FusedPredictor, engines: Any) -> Predictor | FusedPredictor:
    """Return a model whose networks are run by other engines, by member; '' of a bundle of one arm."""
    if isinstance(predictor, FusedPredictor):
        return replace(
            predictor, members={arm: replace(one, engine=engines[arm]) for arm, one in predictor.members.items()}
        )
    return replace(predictor, engine=engines[""])


def _views(tuning: TuningCases) -> pd.DataFrame:
    (views,) = tuning.cases.views.values()
    return views


def _one_row_each(tuning: TuningCases, predictor: Predictor | FusedPredictor) -> pd.DataFrame:
    if isinstance(predictor, FusedPredictor):
        known = known_cases(tuning.cases)
        return known[list(UNIT_COLUMNS)].assign(view_id=known["nodule_id"])
    return _views(tuning)[["view_id", *UNIT_COLUMNS]]


def _of_views(predictor: Predictor, tuning: TuningCases) -> tuple[pd.DataFrame, Float, Float]:
    """Return the views, each part's probabilities [P, V, K] of them, and how unusual they are [V]."""
    rows, store = _views(tuning)[["view_id", *UNIT_COLUMNS]], tuning.stores[""]
    places = store.rows(rows["view_id"].tolist())
    members, unusual = [], []
    for start in range(0, len(places), _BLOCK):
        chunk = places[start : start + _BLOCK]
        found = predictor.scored(np.asarray(store.pixels[chunk]), np.asarray(store.lesion_masks[chunk]))
        members.append(found.members)
        unusual.append(found.unusual)
    return rows, np.concatenate(members, axis=1), np.concatenate(unusual)


def _of_nodules(predictor: FusedPredictor, tuning: TuningCases) -> tuple[pd.DataFrame, Float]:
    """Return the nodules, and each pair's probabilities [heads, N, 2] of them."""
    known, measured = known_cases(tuning.cases), None
    if predictor.spec.perfusion:
        with tempfile.TemporaryDirectory() as folder:
            block = perfusion_block(Path(folder), tuning.cases)
        measured, _ = side_by_side([block], known["nodule_id"].tolist())
    positive = predictor.pair_scores(tuning.stores, tuning.cases.views, known, measured)
    able: NDArray[np.bool_] = ~np.any(np.isnan(positive), axis=0)
    rows = known[list(UNIT_COLUMNS)][able].reset_index(drop=True)
    own = positive[:, able]
    return rows.assign(view_id=rows["nodule_id"]), np.stack([1.0 - own, own], axis=-1)


def _joined(rows: pd.DataFrame, probabilities: Float, cases: Cases) -> pd.DataFrame:
    """Return the cases of view rows with probabilities [V, K], joined as the model's rule says."""
    named = {f"p_{name}": probabilities[:, place] for place, name in enumerate(cases.classes)}
    constant: dict[str, Any] = dict.fromkeys(("target", "cohort", "arm", "candidate"), "")
    constant |= {"split": "cv", "seed": 0, "fold": 0}
    return nodule_predictions(rows.reset_index(drop=True).assign(**constant, **named), cases)


def _scores(units: pd.DataFrame, cases: Cases) -> Float:
    return units[[f"p_{name}" for name in cases.classes]].to_numpy(dtype=np.float64)


def timed_views(tuning: TuningCases, member: str, count: int) -> tuple[Any, Any]:
    """Return pixels and masks of some views of a member, to be timed on."""
    store = tuning.stores[member]
    count = min(count, len(store.pixels))
    return np.asarray(store.pixels[:count]), np.asarray(store.lesion_masks[:count])
