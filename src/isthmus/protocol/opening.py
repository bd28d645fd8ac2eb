"""Predicting a test or external set: once, by the arms' bundles, with what is frozen."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from isthmus.imaging.cache import PreparedCache
from isthmus.inference.predictor import load_bundle
from isthmus.protocol.cases import UNIT_COLUMNS, Cases, cache_items, without_failures
from isthmus.protocol.fits import own_file
from isthmus.protocol.frozen import Lock
from isthmus.protocol.schema import Protocol
from isthmus.tables.check import write_table
from isthmus.tables.predictions import read_predictions

Progress = Callable[[str, int, int], None]


def open_cohort(
    run_folder: Path,
    split: str,
    cases: Cases,
    protocol: Protocol,
    cache: PreparedCache,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Predict a set that no choice was made on, and log that it was opened.

    Parameters
    ----------
    run_folder : Path
        With `frozen.json` and the arms' bundles.
    split : str
        `test` or `external`.
    cases : Cases
        The set's views, with the same target as the run's.
    protocol : Protocol
        The resolved protocol.
    cache : PreparedCache
        For the pictures.
    progress : callable, optional
        Called with what, done, total.

    Returns
    -------
    DataFrame
        View rows in the columns of `gather_views`. A set that was opened before with these choices, in a run that
        was stopped later, is read from the run folder and not opened again.

    Raises
    ------
    FrozenError
        When nothing is frozen yet, or the frozen choices changed since an earlier opening.
    """
    kept = run_folder / "opened" / f"{split}-{cases.cohort.fingerprint()[:16]}.parquet"
    if kept.is_file():
        return read_predictions(kept).drop(columns=["unit", "unit_id"])
    frozen = Lock(run_folder).open(split, cases.cohort.name)
    tables = []
    for key, arm in protocol.arms.items():
        views = cases.views[key]
        store = cache.store(cache_items(views), arm.prepare, progress=progress)
        views = without_failures(views, store.failures)
        predictor = load_bundle(run_folder / "arms" / key / "bundle", own_network=own_file(arm))
        scores = predictor.score_store(store, list(views["view_id"]))
        rows = scores.merge(views[["view_id", *UNIT_COLUMNS]], on="view_id", how="left", validate="one_to_one")
        tables.append(
            rows.assign(
                target=cases.target.name,
                cohort=cases.cohort.name,
                arm=key,
                candidate=frozen["arms"][key]["candidate"],
                split=split,
                seed=protocol.splits.seeds[0],
                fold=0,
            )
        )
    opened = pd.concat(tables, ignore_index=True)
    write_table(kept, opened.assign(unit="view", unit_id=opened["view_id"]))
    return opened
