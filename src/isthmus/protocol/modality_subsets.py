"""Arms of several modalities judged with each subset of them, and what each modality brought to each case."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from isthmus.explain.fold_networks import read_fold
from isthmus.files import sha256_of_json, write_json
from isthmus.imaging.cache import PreparedCache, PreparedStore
from isthmus.imaging.preparation import Preparation
from isthmus.inference.joined_cases import log_odds_of_subsets
from isthmus.inference.load import load_bundle
from isthmus.inference.modality_subsets import subset_logits
from isthmus.inference.scores import probabilities
from isthmus.progress import Progress
from isthmus.protocol.cases import UNIT_COLUMNS, Cases
from isthmus.protocol.fits import class_shares, fit_folder, own_file
from isthmus.protocol.fold_scores import over_store
from isthmus.protocol.gather import nodule_predictions
from isthmus.protocol.kept_tables import kept_table
from isthmus.protocol.pictures import prepared_store
from isthmus.protocol.schema import Protocol
from isthmus.report.modalities import KEY, subset_evidence, summarise_modalities
from isthmus.statistics.inputs import FloatArray
from isthmus.statistics.shapley import shapley_values
from isthmus.tables.check import write_table
from isthmus.training.spec import FitSpec

_BLOCK: Final = 128
"""Looks that are read from the store at once."""


@dataclass(frozen=True)
class Opened:
    """A set that a run's models met once: what was kept aside, or an external cohort."""

    split: str
    cases: Cases


def add_modalities(
    run_folder: Path,
    protocol: Protocol,
    cases: Cases,
    fits: Sequence[FitSpec],
    stores: Mapping[str, PreparedStore],
    opened: Sequence[Opened],
    cache: PreparedCache,
    evidence: dict[str, Any],
    progress: Progress | None = None,
) -> None:
    """Judge every joined arm with each subset of its modalities; add it to `evidence` and `evidence.json`.

    Leaves in `modalities/` the scores of looks, so that a resumed run makes only those that are missing, in
    `tables/modalities.csv` each unit's score with each subset, and in `explanations/<arm>/modalities.csv` what each
    modality brought to the held-out units, in log odds: exact Shapley values, from the share of the class in training.

    Parameters
    ----------
    run_folder : Path
        The run, with its bundles.
    protocol : Protocol
        Resolved.
    cases : Cases
        What was trained on.
    fits : sequence of FitSpec
        Finished; those of the first seed score what they never saw.
    stores : mapping
        Each arm's prepared pictures.
    opened : sequence of Opened
        Sets that the bundles have met already; they are scored by the same bundles.
    cache : PreparedCache
        For the pictures of these.
    evidence : dict
        The content of `evidence.json`.
    progress : callable, optional
        Called with what, done, total.
    """
    joined = {key: arm for key, arm in protocol.arms.items() if arm.view.joined is not None}
    found: dict[str, Any] = {}
    tables = []
    for done, (key, arm) in enumerate(joined.items(), start=1):
        own = [fit for fit in fits if fit.arm == key and fit.seed == protocol.splits.seeds[0]]
        held_out = _units(_held_out(run_folder, own, stores[key]), cases, cases, own[0], "cv")
        sets = [(cases.cohort.name, "cv", held_out)]
        for one in [one for one in opened if key in one.cases.views]:
            store = prepared_store(cache, one.cases.views[key], arm.prepare)
            scores = _by_bundle(run_folder, own, store, own_file(arm))
            sets.append((one.cases.cohort.name, one.split, _units(scores, one.cases, cases, own[0], one.split)))
        names, positive = list(arm.view.shown), cases.classes[-1]
        found[key] = {
            "modalities": names,
            "subsets": [
                {**entry, "cohort": cohort}
                for cohort, split, units in sets
                for entry in subset_evidence(units, names, positive=positive, split=split)
            ],
            "attribution": _attributed(run_folder / "explanations" / key, held_out, names, cases, own),
        }
        tables += [units for _, _, units in sets]
        if progress is not None:
            progress("subsets of modalities", done, len(joined))
    if found:
        write_table(run_folder / "tables" / "modalities.csv", pd.concat(tables, ignore_index=True))
        evidence[KEY] = found
        write_json(run_folder / "evidence.json", evidence)


def _held_out(run_folder: Path, fits: Sequence[FitSpec], store: PreparedStore) -> pd.DataFrame:
    """Return what each fold's network says of the looks that it never saw, with every subset."""
    parts = (_of_fold(run_folder, fit, store) for fit in fits)
    return kept_table(_kept(run_folder, fits, store, "cv"), lambda: pd.concat(parts, ignore_index=True))


def _of_fold(run_folder: Path, fit: FitSpec, store: PreparedStore) -> pd.DataFrame:
    network, there = read_fold(fit_folder(run_folder, fit)), set(store.view_ids)
    views, shift = [view for view in fit.held_out_views if view in there], np.asarray(network.log_prior_shift)

    def score(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> list[FloatArray]:
        return [_subsets(network.classifier, pixels, fit.prepare, network.flips, shift)]

    return _rows(_scores(score, store, views), views, fit.classes).assign(fold=fit.fold)


def _by_bundle(run_folder: Path, fits: Sequence[FitSpec], store: PreparedStore, own: Path | None) -> pd.DataFrame:
    """Return what an arm's one model says of looks, with every subset."""
    kept = _kept(run_folder, fits, store, "opened")
    return kept_table(kept, lambda: _of_model(run_folder / "arms" / fits[0].arm / "bundle", store, own))


def _of_model(bundle: Path, store: PreparedStore, own: Path | None) -> pd.DataFrame:
    predictor = load_bundle(bundle, own_network=own, engine="torch")
    spec = predictor.spec

    def score(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> list[FloatArray]:
        return [
            _subsets(classifier, pixels, spec.prepare, spec.flips, np.asarray(part.log_prior_shift), predictor.device)
            for classifier, part in zip(predictor.parts, spec.parts, strict=True)
        ]

    return _rows(_scores(score, store, store.view_ids), store.view_ids, list(spec.classes)).assign(fold=0)


def _kept(run_folder: Path, fits: Sequence[FitSpec], store: PreparedStore, what: str) -> Path:
    key = sha256_of_json([store.key, *(fit.fingerprint() for fit in fits)])[:16]
    return run_folder / "modalities" / f"{fits[0].arm}-{what}-{key}.parquet"


def _subsets(
    classifier: Any,
    pixels: np.ndarray[Any, np.dtype[np.uint8]],
    prepare: Preparation,
    flips: bool,
    shift: FloatArray,
    device: str | None = None,
) -> FloatArray:
    """Return probabilities with every subset: float64 [2 ** M, N, K]."""
    from isthmus.training.engine import default_device

    logits = subset_logits(classifier, pixels, prepare, device=device or default_device(), flips=flips)
    return np.stack([probabilities(one, shift) for one in logits])


def _scores(
    score: Callable[[np.ndarray[Any, np.dtype[np.uint8]]], list[FloatArray]],
    store: PreparedStore,
    views: Sequence[str],
) -> FloatArray:
    """Return the mean of several networks' probabilities [2 ** M, N, K], a block of looks in memory at a time."""
    blocks = [np.mean(score(pixels), axis=0) for pixels, _ in over_store(store, views, _BLOCK)]
    return np.concatenate(blocks, axis=1)


def _rows(scores: FloatArray, views: Sequence[str], classes: Sequence[str]) -> pd.DataFrame:
    """Return one row a look and subset of which something is left."""
    subsets, looks = np.nonzero(~np.isnan(scores[:, :, 0]))
    columns = {f"p_{name}": scores[subsets, looks, place] for place, name in enumerate(classes)}
    return pd.DataFrame({"view_id": np.asarray(views, object)[looks], "subset": subsets, **columns})


def _units(scores: pd.DataFrame, shown: Cases, trained: Cases, fit: FitSpec, split: str) -> pd.DataFrame:
    """Join the looks of each unit, subset by subset, as the run joins views."""
    rows = scores.merge(shown.views[fit.arm][["view_id", *UNIT_COLUMNS]], on="view_id", how="inner")
    facts: dict[str, Any] = {
        "target": trained.target.name, "cohort": shown.cohort.name, "arm": fit.arm, "candidate": fit.candidate,
        "split": split, "seed": fit.seed,
    }  # fmt: skip
    parts = [
        nodule_predictions(own.drop(columns="subset").reset_index(drop=True).assign(**facts), shown).assign(
            subset=subset
        )
        for subset, own in rows.groupby("subset")
    ]
    return pd.concat(parts, ignore_index=True)


def _attributed(
    folder: Path, units: pd.DataFrame, modalities: Sequence[str], cases: Cases, fits: Sequence[FitSpec]
) -> dict[str, Any]:
    """Return and write how much each modality counted for each held-out unit."""
    wide = units.pivot(index="unit_id", columns="subset", values=f"p_{cases.classes[-1]}")
    facts = units.drop_duplicates("unit_id").set_index("unit_id").loc[wide.index]
    worth = wide.reindex(columns=range(2 ** len(modalities))).to_numpy(dtype=np.float64).T
    shares = {fit.fold: class_shares(fit)[-1] for fit in fits}
    base = np.array([shares[fold] for fold in facts["fold"]], np.float64)
    odds = np.stack([log_odds_of_subsets(one, base) for one in worth])
    values = dict(zip(modalities, shapley_values(odds), strict=True))
    has = {name: (~np.isnan(worth[1 << place])).astype(float) for place, name in enumerate(modalities)}
    rows = facts[["group_id", "label", "fold"]].assign(
        start=odds[0],
        log_odds=odds[-1],
        **{name: np.where(has[name] > 0, own, np.nan) for name, own in values.items()},
    )
    write_table(folder / "modalities.csv", rows.reset_index())
    summary = summarise_modalities(values, has, facts, dict(cases.target.classes))
    shown = {
        name: [round(float(value), 4) if there else None for value, there in zip(own, has[name], strict=True)]
        for name, own in values.items()
    }
    return {**summary, "labels": [cases.target.classes[str(one)] for one in facts["label"]], "values": shown}
