"""Predicting a test or external set: once, by the arms' bundles, with what is frozen."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from isthmus.imaging.cache import PreparedCache, PreparedStore
from isthmus.inference.predictor import load_bundle
from isthmus.protocol.cases import UNIT_COLUMNS, Cases, cache_items, without_failures
from isthmus.protocol.fits import own_file
from isthmus.protocol.fold_scores import mean_fold_scores
from isthmus.protocol.frozen import Lock
from isthmus.protocol.schema import Protocol
from isthmus.report.reading import SPLIT_NAMES, listed, plural
from isthmus.tables.check import write_table
from isthmus.tables.predictions import read_predictions
from isthmus.training.spec import FitSpec

Progress = Callable[[str, int, int], None]


def open_cohort(
    run_folder: Path,
    split: str,
    cases: Cases,
    protocol: Protocol,
    fits: Sequence[FitSpec],
    cache: PreparedCache,
    progress: Progress | None = None,
    *,
    key: str,
) -> pd.DataFrame:
    """Predict a set that no choice was made on, and log that it was opened, and by which arms.

    Parameters
    ----------
    run_folder : Path
        With `frozen.json` and the arms' bundles.
    split : str
        `test` or `external`.
    cases : Cases
        The set's views, with the same target as the run's.
    protocol : Protocol
        The resolved protocol. Where `splits.open_with` is `every_seed`, the models of the other seeds meet the set in
        the same opening.
    fits : sequence of FitSpec
        Finished fits.
    cache : PreparedCache
        For the pictures.
    progress : callable, optional
        Called with what, done, total.
    key : str
        Of the set and of how its labels were read; what was predicted is kept under it.

    Returns
    -------
    DataFrame
        View rows in the columns of `gather_views`. What an arm predicted before with these choices is read from the
        run folder; the set is opened again only by arms that have not met it.

    Raises
    ------
    FrozenError
        When nothing is frozen yet, or the frozen choices changed since an earlier opening.
    """
    path = run_folder / "opened" / f"{split}-{key[:16]}.parquet"
    tables = [read_predictions(path).drop(columns=["unit", "unit_id"])] if path.is_file() else []
    met = {arm for table in tables for arm in table["arm"]}
    new = [arm for arm in protocol.arms if arm not in met]
    if new:
        frozen = Lock(run_folder).open(split, cases.cohort.name, new)
        for arm in new:
            store = cache.store(cache_items(cases.views[arm]), protocol.arms[arm].prepare, progress=progress)
            views = without_failures(cases.views[arm], store.failures)
            for seed in _seeds(protocol):
                facts = {
                    "target": cases.target.name,
                    "cohort": cases.cohort.name,
                    "arm": arm,
                    "candidate": frozen["arms"][arm]["candidate"],
                    "split": split,
                    "seed": seed,
                    "fold": 0,
                }
                own = [fit for fit in fits if fit.arm == arm and fit.seed == seed]
                scores = _scores(run_folder, protocol, own, store, list(views["view_id"]))
                units = views[["view_id", *UNIT_COLUMNS]]
                tables.append(scores.merge(units, on="view_id", how="left", validate="one_to_one").assign(**facts))
            if progress is not None:
                progress(f"predicting the {SPLIT_NAMES[split]}", new.index(arm) + 1, len(new))
    opened = pd.concat(tables, ignore_index=True)
    if new:
        write_table(path, opened.assign(unit="view", unit_id=opened["view_id"]))
    return opened


def _seeds(protocol: Protocol) -> list[int]:
    return protocol.splits.seeds if protocol.splits.open_with == "every_seed" else protocol.splits.seeds[:1]


def _scores(
    run_folder: Path, protocol: Protocol, fits: Sequence[FitSpec], store: PreparedStore, view_ids: list[str]
) -> pd.DataFrame:
    """Return the scores of an arm's model of one seed: the bundle where it is the first seed's."""
    arm = fits[0].arm
    if fits[0].seed == protocol.splits.seeds[0]:
        own = own_file(protocol.arms[arm])
        return load_bundle(run_folder / "arms" / arm / "bundle", own_network=own).score_store(store, view_ids)
    return mean_fold_scores(run_folder, fits, store, view_ids)


def openings_in_words(openings: Sequence[Mapping[str, Any]], protocol: Protocol) -> str:
    """Return how often each set was opened, and by which arms each time."""
    sets: dict[tuple[str, str], list[str]] = {}
    for opening in openings:
        arms = [protocol.arms[arm].title or arm for arm in opening["arms"] if arm in protocol.arms]
        candidates = len(opening["arms"]) - len(arms)
        if candidates:
            names = f"{plural(candidates, 'candidate')} to choose among"
        else:
            names = f"all {len(arms)} arms" if len(arms) == len(protocol.arms) > 2 else listed(arms)
        sets.setdefault((opening["split"], opening["cohort"]), []).append(names)
    return " ".join(
        f"The {SPLIT_NAMES[split]} of {cohort} was opened {plural(len(times), 'time')}: by {', then by '.join(times)}."
        for (split, cohort), times in sets.items()
    )
