"""What fused models say: of their held-out folds, and of a set that was kept aside."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from isthmus.imaging.cache import PreparedStore
from isthmus.inference.fused_predictor import FusedPredictor
from isthmus.protocol.cases import UNIT_COLUMNS, Cases
from isthmus.protocol.clinical_arm import known_cases
from isthmus.protocol.fused_features import side_by_side
from isthmus.protocol.fused_fits import FusedFit, features_of, read_pair
from isthmus.protocol.fused_perfusion import perfusion_block


def gather_fused(run_folder: Path, cases: Cases, fused: Sequence[FusedFit]) -> pd.DataFrame:
    """Return the tuning and held-out rows of every fusion and classifier, in the columns of `gather_views`.

    A fused model looks at a nodule, not at a view: its rows carry the nodule's id in both columns.
    """
    units = cases.units[list(UNIT_COLUMNS)]
    tables = []
    for fit in fused:
        for name in fit.fusion.candidates:
            scores = pd.read_csv(fit.folder(run_folder, name) / "predictions.csv", dtype={"nodule_id": str})
            rows = scores.rename(columns={"part": "split"}).merge(units, on="nodule_id", validate="one_to_one")
            tables.append(fused_rows(rows, cases, fit, name).assign(fold=fit.fold))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def fused_view_rows(
    run_folder: Path,
    cases: Cases,
    fused: Sequence[FusedFit],
    classifier: str,
    stores: Mapping[str, PreparedStore],
    split: str,
) -> pd.DataFrame:
    """Return what one seed's model says of a set that was kept aside: the mean over its folds and their pairs.

    Parameters
    ----------
    run_folder : Path
        With the finished fits and heads.
    cases : Cases
        Of the set; views whose pictures could not be prepared are left out of `stores`.
    fused : sequence of FusedFit
        All folds of one fusion and seed.
    classifier : str
        Which of its candidates.
    stores : mapping
        Each member's prepared pictures of the set.
    split : str
        As which the set is opened.

    Returns
    -------
    DataFrame
        In the columns of `gather_views`; nodules that the fusion's rule leaves out have no row.
    """
    known = known_cases(cases)
    scores = []
    for fit in fused:
        for pair in fit.pairs:
            head, terms = read_pair(fit.folder(run_folder, classifier), pair)
            values, _ = features_of(run_folder, fit, pair, terms, known, cases, stores)
            scores.append(head.probabilities(values))
    positive = np.mean(scores, axis=0)
    named = {f"p_{cases.classes[0]}": 1.0 - positive, f"p_{cases.classes[-1]}": positive}
    rows = known[list(UNIT_COLUMNS)].assign(**named)[~np.isnan(positive)]
    return fused_rows(rows, cases, fused[0], classifier).assign(split=split, fold=0)


def bundle_rows(
    predictor: FusedPredictor, stores: Mapping[str, PreparedStore], cases: Cases, facts: Mapping[str, Any], kept: Path
) -> pd.DataFrame:
    """Return what a fused bundle says of a set, in the columns of `gather_views`.

    Parameters
    ----------
    predictor : FusedPredictor
        The model.
    stores : mapping
        Each member's prepared pictures of the set.
    cases : Cases
        Of the set; views whose pictures could not be prepared are left out.
    facts : mapping
        `arm`, `candidate`, `split`, `seed`.
    kept : Path
        The run folder, or another, in which the measured perfusion of a cohort is kept.
    """
    known, measured = known_cases(cases), None
    if predictor.spec.perfusion:
        measured, _ = side_by_side([perfusion_block(kept, cases)], known["nodule_id"].tolist())
    scores = predictor.score_stores(stores, cases.views, known, measured)
    rows = known[list(UNIT_COLUMNS)].merge(scores, on="nodule_id", validate="one_to_one")
    own = {"target": cases.target.name, "cohort": cases.cohort.name, "fold": 0, **facts}
    return rows.assign(**own, view_id=rows["nodule_id"])


def fused_rows(rows: pd.DataFrame, cases: Cases, fit: FusedFit, classifier: str) -> pd.DataFrame:
    """Return nodules' scores, with their units, in the columns of `gather_views` but for split and fold."""
    return rows.assign(
        target=cases.target.name,
        cohort=cases.cohort.name,
        arm=fit.key,
        candidate=classifier,
        seed=fit.seed,
        view_id=rows["nodule_id"],
    )
