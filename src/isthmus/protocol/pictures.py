"""The pictures of a study, prepared once for all of its arms, and where they are kept."""

import os
from dataclasses import replace
from pathlib import Path

import pandas as pd

from isthmus.imaging.cache import PreparedCache, PreparedStore
from isthmus.imaging.joined_store import join_stores
from isthmus.imaging.preparation import Preparation
from isthmus.progress import Progress
from isthmus.protocol.cases import Cases, cache_items, without_failures
from isthmus.protocol.looks import JOINED, members_of, pictures_of
from isthmus.protocol.schema import Protocol


def prepare_pictures(
    protocol: Protocol, cases: Cases, cache: PreparedCache, progress: Progress | None = None
) -> tuple[dict[str, PreparedStore], Cases, dict[str, str]]:
    """Prepare every arm's pictures; arms of the same geometry share them.

    Returns
    -------
    tuple
        Each arm's prepared pictures, the cases whose pictures could be prepared, and for each other view the reason.
    """
    stores, views, failures = {}, {}, {}
    for key, arm in protocol.arms.items():
        own = cases.views[key]
        stores[key] = prepared_store(cache, own, arm.prepare, progress)
        views[key] = without_failures(own, stores[key].failures)
        failures.update(stores[key].failures)
    return stores, replace(cases, views=views), failures


def prepared_store(
    cache: PreparedCache, views: pd.DataFrame, preparation: Preparation, progress: Progress | None = None
) -> PreparedStore:
    """Return the prepared pictures of an arm's views; of looks those of each modality side by side.

    Arms of one modality and of several share what is prepared alike of the same views.
    """
    if JOINED not in views:
        return cache.store(cache_items(views), preparation, progress=progress)
    each = [cache_items(own) for own in pictures_of(views)]
    stores = [cache.store(items, preparation, progress=progress) if items else None for items in each]
    return join_stores(stores, members_of(views))


def cache_folder() -> Path:
    """Return where prepared pictures are kept: `ISTHMUS_CACHE`, or the user's cache folder."""
    named = os.environ.get("ISTHMUS_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / "isthmus" / "pictures"
