"""Prepared pictures of several modalities side by side, from the stores of each: nothing is prepared or kept twice."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError
from isthmus.files import sha256_of_json
from isthmus.imaging.cache import PreparedStore

RULE_VERSION = 1
"""Raise it with every change of what the rows of a joined store hold."""


class SideBySide:
    """Rows of several arrays [n, 1, …] as one array [N, M, …] that is read a few rows at a time; 0 where there is none.

    It stands for the array in what readers of a store do with it: ``array[rows]``, ``len(array)``, ``array.shape``.

    Parameters
    ----------
    arrays : sequence of M arrays [n_m, 1, …]
        Memory maps.
    places : int64 array [N, M]
        Row of each array; -1 where there is none.
    """

    def __init__(self, arrays: Sequence[NDArray[np.uint8]], places: NDArray[np.int64]) -> None:
        self._arrays, self._places = list(arrays), places
        self.dtype = np.dtype(np.uint8)
        self.shape = (*places.shape, *self._arrays[0].shape[2:])
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, rows: Any) -> NDArray[np.uint8]:
        chosen = self._places[rows]
        places = np.atleast_2d(chosen)
        found: NDArray[np.uint8] = np.zeros((*places.shape, *self.shape[2:]), np.uint8)
        for column, array in enumerate(self._arrays):
            there = places[:, column] >= 0
            found[there, column] = array[places[there, column], 0]
        one: NDArray[np.uint8] = found if chosen.ndim == 2 else found[0]
        return one

    def column(self, place: int, rows: NDArray[np.int64]) -> "SideBySide":
        """Return rows of one of the arrays: [len(rows), 1, …]."""
        return SideBySide([self._arrays[place]], self._places[rows][:, [place]])

    def has(self, place: int) -> NDArray[np.bool_]:
        """Return which rows have something of one of the arrays."""
        return np.asarray(self._places[:, place] >= 0)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype or self.dtype, copy=False)


def join_stores(stores: Sequence[PreparedStore | None], members: Mapping[str, Sequence[str | None]]) -> PreparedStore:
    """Join the stores of several modalities.

    Parameters
    ----------
    stores : sequence of M PreparedStore or None
        Of each modality the prepared stills of its views, all prepared alike; None where there is no view.
    members : mapping
        Id of a row to its view of each modality, None where it has none.

    Returns
    -------
    PreparedStore
        ``pixels`` [N, M, S, S, C] and ``lesion_masks`` [N, M, S, S], black where a modality is absent;
        ``frame_indices`` zeros [N, 1], ``source_to_prepared`` [N, M, 2, 3], zeros where it is absent. A view that could
        not be prepared is absent from its rows, and stands in ``failures``; so does a row that has no other.

    Raises
    ------
    InputError
        When the stores hold pictures of different sizes, or a view is in none.
    """
    there = [store for store in stores if store is not None]
    shapes = {store.pixels.shape[1:] for store in there}
    if len(shapes) != 1 or any(shape[0] != 1 for shape in shapes):
        raise InputError(f"prepared pictures of the shapes {sorted(shapes)}", expected="stills of one size")
    failures = {view: reason for store in there for view, reason in store.failures.items()}
    rows = [{} if store is None else {view: row for row, view in enumerate(store.view_ids)} for store in stores]
    kept, places = list[str](), list[list[int]]()
    for look, views in members.items():
        own = [_place(view, column, failures) for view, column in zip(views, rows, strict=True)]
        if max(own) >= 0:
            kept.append(look)
            places.append(own)
        else:
            failures[look] = next(failures[view] for view in views if view is not None)
    table = np.array(places, np.int64).reshape(-1, len(stores))
    affines = np.zeros((*table.shape, 2, 3))
    for column, store in enumerate(stores):
        if store is not None:
            shown = table[:, column] >= 0
            affines[shown, column] = store.source_to_prepared[table[shown, column]]
    keys = [None if store is None else store.key for store in stores]
    # A modality without any view has no row to read; any store's shape will do for it.
    each = [there[0] if store is None else store for store in stores]
    return PreparedStore(
        sha256_of_json([RULE_VERSION, keys, {look: list(views) for look, views in members.items()}])[:32],
        cast("NDArray[np.uint8]", SideBySide([store.pixels for store in each], table)),
        cast("NDArray[np.uint8]", SideBySide([store.lesion_masks for store in each], table)),
        kept,
        affines,
        failures,
        np.zeros((len(table), 1), np.int64),
    )


def one_modality(joined: PreparedStore, place: int) -> PreparedStore:
    """Return those rows of a joined store that have one of its modalities, with that one's pictures alone.

    Parameters
    ----------
    joined : PreparedStore
        From :func:`join_stores`.
    place : int
        Of the modality.
    """
    pixels, masks = cast("SideBySide", joined.pixels), cast("SideBySide", joined.lesion_masks)
    rows = np.flatnonzero(pixels.has(place)).astype(np.int64)
    return PreparedStore(
        f"{joined.key}-{place}",
        cast("NDArray[np.uint8]", pixels.column(place, rows)),
        cast("NDArray[np.uint8]", masks.column(place, rows)),
        [joined.view_ids[row] for row in rows],
        joined.source_to_prepared[rows, place],
        joined.failures,
        joined.frame_indices[rows],
    )


def _place(view: str | None, rows: Mapping[str, int], failures: Mapping[str, str]) -> int:
    if view is None:
        return -1
    if view not in rows and view not in failures:
        raise InputError(f"view {view} is not among the prepared pictures")
    return rows.get(view, -1)
