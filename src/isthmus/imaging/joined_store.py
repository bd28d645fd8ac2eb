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

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype or self.dtype, copy=False)


def join_stores(
    stores: Mapping[str, PreparedStore], members: Mapping[str, Sequence[str | None]], modalities: Sequence[str]
) -> PreparedStore:
    """Join the stores of several modalities.

    Parameters
    ----------
    stores : mapping
        Modality to the prepared stills of its views, all prepared alike; a modality may have none.
    members : mapping
        Id of a row to its view of each modality, None where it has none.
    modalities : sequence of M str
        In the order of the members.

    Returns
    -------
    PreparedStore
        ``pixels`` [N, M, S, S, C] and ``lesion_masks`` [N, M, S, S], black where a modality is absent;
        ``frame_indices`` zeros [N, M], ``source_to_prepared`` [N, M, 2, 3], zeros where it is absent. A view that could
        not be prepared is absent from its rows, and stands in ``failures``; so does a row that has no other.

    Raises
    ------
    InputError
        When the stores hold pictures of different sizes, or a view is in none.
    """
    there = {name: stores[name] for name in modalities if name in stores}
    shapes = {store.pixels.shape[1:] for store in there.values() if len(store.view_ids)}
    if len(shapes) != 1 or any(shape[0] != 1 for shape in shapes):
        raise InputError(f"prepared pictures of the shapes {sorted(shapes)}", expected="stills of one size")
    failures = {view: reason for store in there.values() for view, reason in store.failures.items()}
    rows = {name: {view: row for row, view in enumerate(store.view_ids)} for name, store in there.items()}
    kept, places = list[str](), list[list[int]]()
    for look, views in members.items():
        own = [_place(view, rows.get(name, {}), failures) for name, view in zip(modalities, views, strict=True)]
        if max(own) >= 0:
            kept.append(look)
            places.append(own)
        else:
            failures[look] = next(failures[view] for view in views if view is not None)
    table = np.array(places, np.int64).reshape(-1, len(modalities))
    blank = next(store for store in there.values() if len(store.view_ids))
    each = [there.get(name, blank) for name in modalities]
    affines = np.zeros((*table.shape, 2, 3))
    for column, store in enumerate(each):
        shown = table[:, column] >= 0
        affines[shown, column] = store.source_to_prepared[table[shown, column]]
    key = sha256_of_json([RULE_VERSION, list(modalities), [one.key for one in there.values()], dict(members)])[:32]
    return PreparedStore(
        key,
        cast("NDArray[np.uint8]", SideBySide([store.pixels for store in each], table)),
        cast("NDArray[np.uint8]", SideBySide([store.lesion_masks for store in each], table)),
        kept,
        affines,
        failures,
        np.zeros(table.shape, np.int64),
    )


def _place(view: str | None, rows: Mapping[str, int], failures: Mapping[str, str]) -> int:
    if view is None:
        return -1
    if view not in rows and view not in failures:
        raise InputError(f"view {view} is not among the prepared pictures")
    return rows.get(view, -1)
