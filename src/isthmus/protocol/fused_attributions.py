"""What each member brought to the fused arms' scores of held-out nodules, for the report."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from isthmus.explain.fused_attribution import (
    MOST_BACKGROUND,
    Attribution,
    attribute,
    attribute_from_average,
    mean_by_member,
    summarise_members,
)
from isthmus.files import write_json
from isthmus.imaging.cache import PreparedStore
from isthmus.models.coded_head import Head
from isthmus.models.mean_head import MeanHead
from isthmus.progress import Progress
from isthmus.protocol.cases import Cases
from isthmus.protocol.clinical_arm import known_cases
from isthmus.protocol.fused_fits import FusedFit, features_of, read_pair
from isthmus.tables.check import write_table
from isthmus.training.halves import Pair

MOST: Final = 150
"""Nodules of a fusion that are explained: by chance of their hashed names, the same in every fusion."""


def attribute_fusions(
    run_folder: Path,
    cases: Cases,
    fused: Sequence[FusedFit],
    stores: Mapping[str, PreparedStore],
    evidence: dict[str, Any],
    progress: Progress | None = None,
) -> None:
    """Explain the fused arms, and add what was found to `evidence` and `evidence.json` under `attribution`.

    Leaves in `explanations/<fusion>/` `attribution.csv` (`nodule_id`, `group_id`, `label`, `fold` and, for each member,
    what it brought in log odds: the mean over the pairs) and `attribution.json`.

    Parameters
    ----------
    run_folder : Path
        With the finished heads.
    cases : Cases
        What was trained on.
    fused : sequence of FusedFit
        All of the run, each with its chosen classifier as its only candidate; those of the first seed are explained,
        each on nodules that neither its networks nor its heads saw.
    stores : mapping
        Each member's prepared pictures.
    evidence : dict
        The content of `evidence.json`.
    progress : callable, optional
        Called with what, done, total.
    """
    if not fused:
        return
    known, found = known_cases(cases), {}
    chosen = set(sorted(known["nodule_id"], key=lambda name: sha256(str(name).encode()).digest())[:MOST])
    own = [fit for fit in fused if fit.seed == fused[0].seed]
    tables: dict[str, list[pd.DataFrame]] = {fit.key: [] for fit in own}
    for number, fit in enumerate(own, start=1):
        judged = known[(known["group_id"].map(fit.part_of) == "cv") & known["nodule_id"].isin(chosen)]
        tables[fit.key].append(_of_fold(run_folder, cases, fit, known, judged, stores))
        if progress is not None:
            progress("members of fused arms", number, len(own))
    for key, parts in tables.items():
        rows = pd.concat(parts, ignore_index=True).fillna(0.0)
        if len(rows):
            found[key] = _written(run_folder / "explanations" / key, rows, cases.target.classes)
    if found:
        evidence["attribution"] = found
        write_json(run_folder / "evidence.json", evidence)


def _written(folder: Path, rows: pd.DataFrame, classes: Mapping[str, str]) -> dict[str, Any]:
    members = [name for name in rows.columns if name not in ("nodule_id", "group_id", "label", "fold")]
    by_member = {name: rows[name].to_numpy(np.float64) for name in members}
    summary = summarise_members(by_member, list(rows["label"].astype(str)), list(rows["group_id"].astype(str)), classes)
    write_table(folder / "attribution.csv", rows)
    write_json(folder / "attribution.json", {"format": "isthmus-attribution/1.0", **summary})
    values = {name: [round(float(value), 4) for value in rows[name]] for name in members}
    return {**summary, "labels": [classes[str(label)] for label in rows["label"]], "values": values}


def _of_fold(
    run_folder: Path,
    cases: Cases,
    fit: FusedFit,
    known: pd.DataFrame,
    judged: pd.DataFrame,
    stores: Mapping[str, PreparedStore],
) -> pd.DataFrame:
    """Return what each member brought to nodules that all pairs of a fold score."""
    pairs = []
    for pair in fit.pairs:
        head, terms = read_pair(fit.folder(run_folder, fit.fusion.candidates[0]), pair)
        # A mean learnt from nobody: its members are compared with even odds, as for a case that is predicted.
        ground = judged.iloc[:0] if isinstance(head, MeanHead) else _background(known, pair)
        shown = pd.concat([judged, ground])
        values, _ = features_of(run_folder, fit, pair, terms, shown, cases, stores)
        pairs.append((head, values[: len(judged)], values[len(judged) :]))
    scored = np.all([head.scored(own) for head, own, _ in pairs], axis=0)
    rows = judged[["nodule_id", "group_id", "label"]].assign(fold=fit.fold)[scored]
    if not len(rows):
        return rows
    members = mean_by_member([_explained(head, own[scored], ground) for head, own, ground in pairs])
    return rows.assign(**members)


def _explained(head: Head, features: np.ndarray[Any, Any], background: np.ndarray[Any, Any]) -> Attribution:
    if isinstance(head, MeanHead):
        return attribute_from_average(head, features)
    return attribute(head, features, background[head.scored(background)])


def _background(known: pd.DataFrame, pair: Pair) -> pd.DataFrame:
    """Return nodules that a pair's head was fitted on, evenly taken of all."""
    taught = known[known["group_id"].isin(pair.head)]
    places = np.linspace(0, len(taught) - 1, min(MOST_BACKGROUND, len(taught))).round().astype(int)
    return taught.iloc[places]
