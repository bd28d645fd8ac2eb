"""Predicting a test or external set: once, by the arms' bundles, with what is frozen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from isthmus.imaging.cache import PreparedCache, PreparedStore
from isthmus.inference.fused_predictor import load_fused_bundle
from isthmus.inference.load import load_bundle
from isthmus.progress import Progress
from isthmus.protocol.cases import UNIT_COLUMNS, Cases, without_failures
from isthmus.protocol.clinical_arm import clinical_predictions
from isthmus.protocol.fits import own_file
from isthmus.protocol.fold_scores import mean_fold_scores
from isthmus.protocol.frozen import Lock
from isthmus.protocol.fused_fits import FusedFit
from isthmus.protocol.fused_perfusion import perfusion_block
from isthmus.protocol.fused_scores import bundle_rows, fused_view_rows
from isthmus.protocol.joined_columns import can_be_joined
from isthmus.protocol.pictures import prepared_store
from isthmus.protocol.schema import Protocol
from isthmus.report.reading import SPLIT_NAMES, listed, plural
from isthmus.tables.check import write_table
from isthmus.tables.predictions import read_predictions
from isthmus.training.spec import FitSpec


@dataclass(frozen=True)
class Opener:
    """Lets a run's finished models meet sets that no choice was made on.

    Parameters
    ----------
    run_folder : Path
        With `frozen.json` and the arms' bundles.
    protocol : Protocol
        The resolved protocol. Where `splits.open_with` is `every_seed`, the models of the other seeds meet a set in the
        same opening.
    fits : sequence of FitSpec
        Finished fits of the arms.
    fused : sequence of FusedFit
        Finished fusions.
    cache : PreparedCache
        For the pictures.
    progress : callable, optional
        Called with what, done, total.
    """

    run_folder: Path
    protocol: Protocol
    fits: Sequence[FitSpec]
    fused: Sequence[FusedFit]
    cache: PreparedCache
    progress: Progress | None = None

    def open(self, split: str, cases: Cases, key: str) -> pd.DataFrame:
        """Predict a set, and log that it was opened, and by which arms.

        Parameters
        ----------
        split : str
            `test`, `temporal` or `external`.
        cases : Cases
            The set's views, with the same target as the run's.
        key : str
            Of the set and of how its labels were read; what was predicted is kept under it.

        Returns
        -------
        DataFrame
            View rows in the columns of `gather_views`. What an arm predicted before with these choices is read from
            the run folder; the set is opened again only by arms that have not met it.

        Raises
        ------
        FrozenError
            When nothing is frozen yet, or the frozen choices changed since an earlier opening.
        """
        path = self.run_folder / "opened" / f"{split}-{key[:16]}.parquet"
        tables = [read_predictions(path).drop(columns=["unit", "unit_id"])] if path.is_file() else []
        met = {arm for table in tables for arm in table["arm"]}
        new = [name for name in self.protocol.names if name not in met and self._meets(name, cases)]
        if not new:
            return pd.concat(tables, ignore_index=True)
        frozen = Lock(self.run_folder).open(split, cases.cohort.name, new)["arms"]
        for done, name in enumerate(new, start=1):
            if name in self.protocol.arms:
                tables.append(self._arm_rows(name, split, cases, frozen[name]["candidate"]))
            elif name in self.protocol.fusions:
                tables.append(self.fused_rows(name, split, cases, frozen[name]["candidate"], self._seeds))
            else:
                tables.append(clinical_predictions(frozen[name]["model"], cases, split, self._seeds))
            if self.progress is not None:
                self.progress(f"predicting the {SPLIT_NAMES[split]}", done, len(new))
        opened = pd.concat(tables, ignore_index=True)
        write_table(path, opened.assign(unit="view", unit_id=opened["view_id"]))
        return opened

    def fused_rows(self, name: str, split: str, cases: Cases, classifier: str, seeds: Sequence[int]) -> pd.DataFrame:
        """Return what a fusion says of a set, seed by seed; the first seed's model is the bundle."""
        stores, usable = self._fused_stores(name, cases)
        if self.protocol.fusions[name].perfusion:
            perfusion_block(self.run_folder, cases, self.progress)
        first = [seed for seed in seeds if seed == self.protocol.splits.seeds[0]]
        rows = [self._by_bundle(name, split, usable, classifier, seed, stores) for seed in first]
        others = [seed for seed in seeds if seed not in first]
        return pd.concat([*rows, *self._by_folds(name, split, usable, classifier, others, stores)], ignore_index=True)

    def fused_candidates(self, cases: Cases) -> pd.DataFrame:
        """Return what every fusion with each of its classifiers, of the first seed, says of the test set."""
        rows = []
        for name, fusion in self.protocol.fusions.items():
            stores, usable = self._fused_stores(name, cases)
            for classifier in fusion.candidates:
                rows += self._by_folds(name, "test", usable, classifier, self.protocol.splits.seeds[:1], stores)
        return pd.concat(rows, ignore_index=True)

    def _fused_stores(self, name: str, cases: Cases) -> tuple[dict[str, PreparedStore], Cases]:
        """Return the members' prepared pictures, and the cases without those that could not be prepared."""
        stores = {arm: self._store(arm, cases) for arm in self.protocol.fusions[name].fuse}
        there = {arm: without_failures(cases.views[arm], store.failures) for arm, store in stores.items()}
        return stores, replace(cases, views={**cases.views, **there})

    def _by_bundle(
        self, name: str, split: str, cases: Cases, classifier: str, seed: int, stores: Mapping[str, PreparedStore]
    ) -> pd.DataFrame:
        own = {arm: file for arm in stores if (file := own_file(self.protocol.arms[arm])) is not None}
        predictor = load_fused_bundle(self.run_folder / "arms" / name / "bundle", own_networks=own, engine="torch")
        facts = {"arm": name, "candidate": classifier, "split": split, "seed": seed}
        return bundle_rows(predictor, stores, cases, facts, self.run_folder)

    def _by_folds(
        self,
        name: str,
        split: str,
        cases: Cases,
        classifier: str,
        seeds: Sequence[int],
        stores: Mapping[str, PreparedStore],
    ) -> list[pd.DataFrame]:
        folds = [[fit for fit in self.fused if (fit.key, fit.seed) == (name, seed)] for seed in seeds]
        return [fused_view_rows(self.run_folder, cases, own, classifier, stores, split) for own in folds]

    def _meets(self, name: str, cases: Cases) -> bool:
        """Return whether a set has what an arm looks at; of a fusion, what it joins."""
        fusion = self.protocol.fusions.get(name)
        if fusion is not None:
            return can_be_joined(fusion.fuse, cases.views, cases.cohort, perfusion=fusion.perfusion)
        return name in cases.views or name not in self.protocol.arms

    @property
    def _seeds(self) -> list[int]:
        seeds = self.protocol.splits.seeds
        return seeds if self.protocol.splits.open_with == "every_seed" else seeds[:1]

    def _store(self, arm: str, cases: Cases) -> PreparedStore:
        return prepared_store(self.cache, cases.views[arm], self.protocol.arms[arm].prepare, self.progress)

    def _arm_rows(self, arm: str, split: str, cases: Cases, candidate: str) -> pd.DataFrame:
        store = self._store(arm, cases)
        views = without_failures(cases.views[arm], store.failures)
        units, tables = views[["view_id", *UNIT_COLUMNS]], []
        facts = {"target": cases.target.name, "cohort": cases.cohort.name, "arm": arm, "candidate": candidate}
        for seed in self._seeds:
            own = [fit for fit in self.fits if fit.arm == arm and fit.seed == seed]
            scores = self._scores(own, store, list(views["view_id"]))
            rows = scores.merge(units, on="view_id", how="left", validate="one_to_one")
            tables.append(rows.assign(**facts, split=split, seed=seed, fold=0))
        return pd.concat(tables, ignore_index=True)

    def _scores(self, fits: Sequence[FitSpec], store: PreparedStore, view_ids: list[str]) -> pd.DataFrame:
        """Return the scores of an arm's model of one seed: the bundle where it is the first seed's."""
        arm = fits[0].arm
        if fits[0].seed == self.protocol.splits.seeds[0]:
            own = own_file(self.protocol.arms[arm])
            return load_bundle(self.run_folder / "arms" / arm / "bundle", own_network=own, engine="torch").score_store(
                store, view_ids
            )
        return mean_fold_scores(self.run_folder, fits, store, view_ids)


def openings_in_words(openings: Sequence[Mapping[str, Any]], protocol: Protocol) -> str:
    """Return how often each set was opened, and by which arms each time."""
    sets: dict[tuple[str, str], list[str]] = {}
    for opening in openings:
        arms = [protocol.title_of(name) for name in opening["arms"] if name in protocol.names]
        candidates = len(opening["arms"]) - len(arms)
        if candidates:
            names = f"{plural(candidates, 'candidate')} to choose among"
        else:
            names = f"all {len(arms)} arms" if len(arms) == len(protocol.names) > 2 else listed(arms)
        sets.setdefault((opening["split"], opening["cohort"]), []).append(names)
    return " ".join(
        f"The {SPLIT_NAMES[split]} of {cohort} was opened {plural(len(times), 'time')}: by {', then by '.join(times)}."
        for (split, cohort), times in sets.items()
    )
