"""Predicting a test or external set: once, by the arms' bundles, with what is frozen."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from isthmus.imaging.cache import PreparedCache
from isthmus.inference.predictor import load_bundle
from isthmus.protocol.cases import UNIT_COLUMNS, Cases, cache_items, without_failures
from isthmus.protocol.fits import own_file
from isthmus.protocol.frozen import Lock
from isthmus.protocol.schema import Protocol
from isthmus.report.reading import SPLIT_NAMES, listed, plural
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
        The resolved protocol.
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
        for key in new:
            facts = {
                "target": cases.target.name,
                "cohort": cases.cohort.name,
                "arm": key,
                "candidate": frozen["arms"][key]["candidate"],
                "split": split,
                "seed": protocol.splits.seeds[0],
                "fold": 0,
            }
            tables.append(_predicted(run_folder, protocol, key, cases.views[key], cache, progress).assign(**facts))
    opened = pd.concat(tables, ignore_index=True)
    if new:
        write_table(path, opened.assign(unit="view", unit_id=opened["view_id"]))
    return opened


def _predicted(
    run_folder: Path,
    protocol: Protocol,
    key: str,
    views: pd.DataFrame,
    cache: PreparedCache,
    progress: Progress | None,
) -> pd.DataFrame:
    """Return an arm's scores of views, with the unit columns."""
    arm = protocol.arms[key]
    store = cache.store(cache_items(views), arm.prepare, progress=progress)
    views = without_failures(views, store.failures)
    predictor = load_bundle(run_folder / "arms" / key / "bundle", own_network=own_file(arm))
    scores = predictor.score_store(store, list(views["view_id"]))
    return scores.merge(views[["view_id", *UNIT_COLUMNS]], on="view_id", how="left", validate="one_to_one")


def openings_in_words(openings: Sequence[Mapping[str, Any]], protocol: Protocol) -> str:
    """Return how often each set was opened, and by which arms each time."""
    sets: dict[tuple[str, str], list[str]] = {}
    for opening in openings:
        names = listed([protocol.arms[arm].title or arm for arm in opening["arms"] if arm in protocol.arms])
        sets.setdefault((opening["split"], opening["cohort"]), []).append(names)
    return " ".join(
        f"The {SPLIT_NAMES[split]} of {cohort} was opened {plural(len(times), 'time')}: by {', then by '.join(times)}."
        for (split, cohort), times in sets.items()
    )
