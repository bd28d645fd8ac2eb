"""How fused arms' scores change when the boxes that their members look through are moved and scaled.

A half's networks look at the changed crops, and the head that belongs to them joins what they then say. What hangs on
no box stays as it was: members that look at the whole scan area, columns of the tables, measured perfusion.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.files import sha256_of_json
from isthmus.protocol.cases import UNIT_COLUMNS, Cases
from isthmus.protocol.changed_units import Stores, changed_nodules
from isthmus.protocol.clinical_arm import known_cases
from isthmus.protocol.fused_features import Block
from isthmus.protocol.fused_fits import FusedFit, member_block, read_pair, with_tables
from isthmus.protocol.fused_scores import fused_rows
from isthmus.protocol.kept_tables import kept_tables


def perturbed_fusion(
    run_folder: Path,
    cases: Cases,
    fused: Sequence[FusedFit],
    as_drawn: Stores,
    changed: Mapping[str, Stores],
) -> dict[str, pd.DataFrame]:
    """Score the held-out nodules of a fusion with changed boxes.

    Parameters
    ----------
    run_folder : Path
        The run; scores are kept in its `regions/`, so that a resumed run makes only those that are missing.
    cases : Cases
        What was trained on.
    fused : sequence of FusedFit
        All folds of one fusion and seed, with its chosen classifier as its only candidate.
    as_drawn : mapping
        Each member's pictures with their boxes as drawn.
    changed : mapping
        For members that look at lesion crops, each change's name to the pictures so prepared.

    Returns
    -------
    dict
        Each change's name to rows in the columns of `gather_views`. Nodules of which no box was changed have none, and
        none either those of which one could not be: leaving a view out would be another change.
    """
    first = fused[0]
    own = {arm: stores for arm, stores in changed.items() if arm in first.fusion.fuse}
    stores = {
        change: {arm: own[arm][change] if arm in own else as_drawn[arm] for arm in first.fusion.fuse}
        for change in next(iter(own.values()))
    }
    kept = {change: run_folder / "regions" / _name(fused, one) for change, one in stores.items()}

    def make(missing: Sequence[str]) -> dict[str, pd.DataFrame]:
        asked, nodules = {change: stores[change] for change in missing}, changed_nodules(cases, own)
        found = [_held_out(run_folder, cases, fit, asked, nodules) for fit in fused]
        return {change: pd.concat([one[change] for one in found], ignore_index=True) for change in missing}

    units = cases.units[list(UNIT_COLUMNS)]
    return {
        change: fused_rows(
            table.merge(units, on="nodule_id", validate="one_to_one"), cases, first, first.fusion.candidates[0]
        ).assign(split="cv")
        for change, table in kept_tables(kept, make).items()
    }


def _name(fused: Sequence[FusedFit], stores: Stores) -> str:
    """Return a file's name that changes with the fits, the classifier and the pictures."""
    facts = [
        fused[0].fusion.candidates,
        [fit.fingerprint() for fit in fused],
        {arm: store.key for arm, store in stores.items()},
    ]
    return f"{fused[0].key}-{sha256_of_json(facts)[:16]}.parquet"


def _held_out(
    run_folder: Path, cases: Cases, fit: FusedFit, stores_of: Mapping[str, Stores], nodules: set[str]
) -> dict[str, pd.DataFrame]:
    """Return for each change what a fold's pairs say of its held-out nodules, but for those that no pair scores."""
    known = known_cases(cases)
    judged = known[(known["group_id"].map(fit.part_of) == "cv") & known["nodule_id"].isin(nodules)]
    scores: dict[str, list[NDArray[np.float64]]] = {change: [] for change in stores_of}
    for pair in fit.pairs:
        head, terms = read_pair(fit.folder(run_folder, fit.fusion.candidates[0]), pair)
        said: dict[tuple[str, str], Block] = {}
        for change, stores in stores_of.items():
            for arm, store in stores.items():
                if (arm, store.key) not in said:
                    said[arm, store.key] = member_block(run_folder, fit, pair, arm, judged, cases, store)
            blocks = [said[arm, store.key] for arm, store in stores.items()]
            values, _ = with_tables(run_folder, fit, blocks, terms, judged, cases)
            scores[change].append(head.probabilities(values))
    tables = {}
    for change, pairs in scores.items():
        positive = np.mean(pairs, axis=0)
        named = {f"p_{cases.classes[0]}": 1.0 - positive, f"p_{cases.classes[-1]}": positive}
        rows = judged[["nodule_id"]].assign(seed=fit.seed, fold=fit.fold, **named)
        tables[change] = rows[~np.isnan(positive)]
    return tables
