"""The fused models of a run: for each fold their networks and heads, fitted once and kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from isthmus.errors import FitError
from isthmus.files import read_json, sha256_of_json, write_json
from isthmus.imaging.cache import PreparedStore
from isthmus.models.coded_head import CodedHead
from isthmus.models.mean_head import MEAN, MeanHead
from isthmus.progress import Progress
from isthmus.protocol.cases import Cases
from isthmus.protocol.clinical_arm import known_cases
from isthmus.protocol.fits import fit_folder, sides
from isthmus.protocol.fused_features import Block, member_features, side_by_side
from isthmus.protocol.fused_perfusion import perfusion_block
from isthmus.protocol.half_fits import pairs_of_fold
from isthmus.protocol.schema import Fusion, Protocol
from isthmus.report.clinical_terms import CLINICAL, Term, design_of, names_of, terms_of
from isthmus.tables.check import write_table
from isthmus.training.fusion import fit_heads
from isthmus.training.halves import FusionMode, Pair, check_unseen
from isthmus.training.seeds import seed_of
from isthmus.training.spec import FitSpec


@dataclass(frozen=True)
class FusedFit:
    """A fusion in one fold of one seed.

    Parameters
    ----------
    key : str
        The fusion's.
    fusion : Fusion
        What it joins, and how.
    seed, fold : int
        Which division.
    part_of : mapping
        Group to `train`, `tune` or `cv`.
    pairs : tuple of Pair
        Whose networks go with whose head.
    networks : mapping
        For each pair's name its members' fits.
    """

    key: str
    fusion: Fusion
    seed: int
    fold: int
    part_of: Mapping[str, str]
    pairs: tuple[Pair, ...]
    networks: Mapping[str, Mapping[str, FitSpec]]

    def folder(self, run_folder: Path, classifier: str) -> Path:
        """Return where the fold's heads with this classifier lie."""
        return run_folder / "arms" / self.key / classifier / f"seed-{self.seed}" / f"fold-{self.fold}"

    def fingerprint(self) -> str:
        """Return a SHA-256 of all that the heads depend on."""
        fits = {name: {arm: fit.fingerprint() for arm, fit in own.items()} for name, own in self.networks.items()}
        rules = self.fusion.model_dump(mode="json", exclude={"title", "candidates"})
        return sha256_of_json([rules, self.seed, self.fold, dict(self.part_of), fits])


def list_fused_fits(
    protocol: Protocol, cases: Cases, split: pd.DataFrame, fits: Sequence[FitSpec], halves: Sequence[FitSpec]
) -> list[FusedFit]:
    """List every fusion in every fold: `fits` are the arms' own, `halves` those of half the training groups."""
    place_of = {(fit.arm, fit.seed, fit.fold, str(fit.half or "all")): fit for fit in [*fits, *halves]}
    found = []
    for key, fusion in protocol.fusions.items():
        for seed, fold in split[["seed", "fold"]].drop_duplicates().to_numpy().tolist():
            part_of = sides(split, seed, fold)
            mode: FusionMode = "cross_fit" if fusion.settings.halved else "paper"
            pairs = pairs_of_fold(cases, part_of, mode, seed, fold)
            networks = {pair.name: {arm: place_of[arm, seed, fold, pair.name] for arm in fusion.fuse} for pair in pairs}
            found.append(FusedFit(key, fusion, seed, fold, part_of, pairs, networks))
    return found


def fit_fusions(
    run_folder: Path,
    cases: Cases,
    fused: Sequence[FusedFit],
    stores: Mapping[str, PreparedStore],
    progress: Progress | None = None,
) -> None:
    """Fit the heads that are not there yet, and score each fold's tuning and held-out nodules with them.

    Leaves for each fusion, classifier, seed and fold `pair-<name>/` (the head, and how its columns are coded),
    `path.json` (what was selected, and how; not of a mean), `predictions.csv` (`nodule_id`, `part`, `p_<class>`) and
    `done.json`.

    Raises
    ------
    InputError, FitError
        When a head cannot be fitted, or a folder holds another fit.
    """
    if any(fit.fusion.perfusion for fit in fused):
        perfusion_block(run_folder, cases, progress)
    for number, fit in enumerate(fused, start=1):
        folders = {name: fit.folder(run_folder, name) for name in fit.fusion.candidates}
        missing = [name for name, folder in folders.items() if not _done(folder, fit)]
        if missing and fit.fusion.settings.join == MEAN:
            _average_fold(run_folder, cases, fit, stores)
        elif missing:
            _fit_fold(run_folder, cases, fit, missing, stores)
        if progress is not None:
            progress("joining arms", number, len(fused))


def _done(folder: Path, fit: FusedFit) -> bool:
    if not (folder / "done.json").is_file():
        return False
    if read_json(folder / "done.json", name="fused-fit-done")["fit"] != fit.fingerprint():
        raise FitError("the folder holds another fused fit", where=str(folder), hint="remove it, or start a new run")
    return True


def _average_fold(run_folder: Path, cases: Cases, fit: FusedFit, stores: Mapping[str, PreparedStore]) -> None:
    """Score a fold by the mean of what its members' own networks say; there is nothing to fit."""
    known = known_cases(cases)
    part = known["group_id"].map(fit.part_of)
    judged = known[part.isin(["tune", "cv"])].reset_index(drop=True)
    (pair,) = fit.pairs
    check_unseen(pair.networks, judged["group_id"].tolist(), f"{fit.key}, fold {fit.fold}")
    shifts = []
    for network in fit.networks[pair.name].values():
        done = read_json(fit_folder(run_folder, network) / "done.json", name="fit-done")
        shifts.append(float(done["log_prior_shift"][-1]) - float(done["log_prior_shift"][0]))
    values, columns = features_of(run_folder, fit, pair, [], judged, cases, stores)
    head = MeanHead(columns, np.array(shifts))
    folder = fit.folder(run_folder, MEAN)
    CodedHead(head, []).write(folder / f"pair-{pair.name}")
    rows = judged[["nodule_id"]].assign(part=judged["group_id"].map(fit.part_of))
    _keep(folder, fit, _scored(rows, [head.probabilities(values)], cases))


def _fit_fold(
    run_folder: Path, cases: Cases, fit: FusedFit, classifiers: Sequence[str], stores: Mapping[str, PreparedStore]
) -> None:
    known = known_cases(cases)
    known = known[known["group_id"].isin(list(fit.part_of))].reset_index(drop=True)
    part = known["group_id"].map(fit.part_of)
    judged = known[part.isin(["tune", "cv"])]
    positives = (known["label"] == cases.classes[-1]).to_numpy(dtype=np.int64)
    scores: dict[str, list[NDArray[np.float64]]] = {name: [] for name in classifiers}
    paths: dict[str, dict[str, Any]] = {name: {} for name in classifiers}
    for pair in fit.pairs:
        taught = known["group_id"].isin(pair.head).to_numpy()
        if fit.fusion.settings.halved:
            check_unseen(pair.networks, pair.head, f"{fit.key}, pair {pair.name}: its head and its networks")
        check_unseen([*pair.networks, *pair.head], judged["group_id"].tolist(), f"{fit.key}, fold {fit.fold}")
        terms, _ = terms_of(known[taught], fit.fusion.columns) if fit.fusion.columns else ([], [])
        values, columns = features_of(run_folder, fit, pair, terms, known, cases, stores)
        seed = seed_of(fit.seed, fit.fold, pair.name) % 2**31
        groups = known["group_id"].to_numpy(dtype=object)
        heads = fit_heads(
            values[taught], positives[taught], groups[taught], columns, classifiers, fit.fusion.settings, seed
        )
        for name, fitted in heads.items():
            CodedHead(fitted.head, terms).write(fit.folder(run_folder, name) / f"pair-{pair.name}")
            scores[name].append(fitted.head.probabilities(values[judged.index]))
            paths[name][pair.name] = fitted.path
    for name in classifiers:
        rows = _scored(judged[["nodule_id"]].assign(part=part[judged.index]), scores[name], cases)
        folder = fit.folder(run_folder, name)
        write_json(folder / "path.json", {"format": "isthmus-fused-path/1.0", "pairs": paths[name]})
        _keep(folder, fit, rows)


def _keep(folder: Path, fit: FusedFit, rows: pd.DataFrame) -> None:
    write_table(folder / "predictions.csv", rows)
    write_json(folder / "done.json", {"format": "isthmus-fused-fit-done/1.0", "fit": fit.fingerprint()})


def features_of(
    run_folder: Path,
    fit: FusedFit,
    pair: Pair,
    terms: Sequence[Term],
    known: pd.DataFrame,
    cases: Cases,
    stores: Mapping[str, PreparedStore],
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return what a pair's networks, the perfusion and the coded columns say of nodules: values [N, D] and names."""
    blocks = [member_block(run_folder, fit, pair, arm, known, cases, stores[arm]) for arm in fit.networks[pair.name]]
    return with_tables(run_folder, fit, blocks, terms, known, cases)


def member_block(
    run_folder: Path, fit: FusedFit, pair: Pair, arm: str, known: pd.DataFrame, cases: Cases, store: PreparedStore
) -> Block:
    """Return what one network of a pair says of nodules."""
    views = cases.views[arm][cases.views[arm]["nodule_id"].isin(known["nodule_id"])]
    return member_features(run_folder, fit.networks[pair.name][arm], views, store, fit.fusion.settings.join)


def with_tables(
    run_folder: Path,
    fit: FusedFit,
    networks: Sequence[Block],
    terms: Sequence[Term],
    known: pd.DataFrame,
    cases: Cases,
) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return what a pair's networks say of nodules beside their perfusion and coded columns: values and names."""
    measured = [perfusion_block(run_folder, cases)] if fit.fusion.perfusion else []
    values, columns = side_by_side([*networks, *measured], known["nodule_id"].tolist())
    if terms:
        values = np.concatenate([values, design_of(terms, known)], axis=1)
        columns = (*columns, *(f"{CLINICAL}:{name}" for name in names_of(terms)))
    return values, columns


def read_pair(folder: Path, pair: Pair) -> CodedHead:
    """Read a pair's head and how its columns are coded."""
    return CodedHead.read(folder / f"pair-{pair.name}")


def _scored(rows: pd.DataFrame, scores: Sequence[NDArray[np.float64]], cases: Cases) -> pd.DataFrame:
    """Return the rows with the pairs' mean probability; those that no pair scores are left out."""
    positive = np.mean(scores, axis=0)
    named = {f"p_{cases.classes[0]}": 1.0 - positive, f"p_{cases.classes[-1]}": positive}
    there = np.flatnonzero(~np.isnan(positive))
    return rows.assign(**named).iloc[there].sort_values(["part", "nodule_id"], ignore_index=True)
