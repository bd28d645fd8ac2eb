"""Prepared pictures on disk: decoded once, memory-mapped ever after, shared by all arms, folds and seeds.

A store is a folder named by what it was made from (the bytes of pictures and masks, boxes, named frames, scan areas,
the geometric part of the preparation, the version of this code); any change makes another store. It is filled in a
partial folder under a lock and renamed when it is whole, so a reader finds a whole store or none.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError, OutputError
from isthmus.files import locked, read_json, sha256_of_json
from isthmus.imaging.cache_fill import ARRAYS, fill
from isthmus.imaging.clip import Box
from isthmus.imaging.limits import Limits
from isthmus.imaging.preparation import Preparation
from isthmus.imaging.prepare_views import CacheItem as CacheItem
from isthmus.imaging.read import DEFAULT_LIMITS, clip_hash
from isthmus.progress import Progress

CODE_VERSION = 1
"""Raise it with every change that alters a prepared pixel: older stores are then no longer found."""

_WAIT_FOR_ANOTHER_S = 24 * 3600.0
_STORE_NAME = re.compile(r"[0-9a-f]{32}(\.partial)?")


@dataclass(frozen=True, eq=False)
class PreparedStore:
    """Prepared pictures, memory-mapped and read-only.

    Parameters
    ----------
    key : str
        Names the store; the same inputs give the same key.
    pixels : uint8 array [N, T, S, S, C]
        Rows in the order of ``view_ids``; T is 1 for stills.
    lesion_masks : uint8 array [N, T, S, S]
        1 inside the lesion.
    frame_indices : int64 array [N, T]
        Which frames of the clip these are, ascending; 0 for a still. A clip shorter than T repeats some.
    view_ids : list of str
        Views that could be prepared, in the order they were asked for.
    source_to_prepared : float64 array [N, 2, 3]
        As :class:`~isthmus.imaging.prepare.Prepared` defines it.
    failures : dict of str to str
        View id to the reason why it could not be prepared; such a view has no row.
    """

    key: str
    pixels: NDArray[np.uint8]
    lesion_masks: NDArray[np.uint8]
    view_ids: list[str]
    source_to_prepared: NDArray[np.float64]
    failures: dict[str, str]
    frame_indices: NDArray[np.int64]

    def rows(self, view_ids: Sequence[str]) -> NDArray[np.int64]:
        """Return the rows of these views, in their order.

        Raises
        ------
        InputError
            When a view is not in the store; the reason is named where it failed.
        """
        place = {view_id: row for row, view_id in enumerate(self.view_ids)}
        for view_id in view_ids:
            if view_id not in place:
                raise InputError(
                    f"view {view_id} is not among the prepared pictures",
                    expected=self.failures.get(view_id) and f"a readable picture; it failed: {self.failures[view_id]}",
                )
        return np.array([place[view_id] for view_id in view_ids], dtype=np.int64)

    def frames(self) -> dict[str, tuple[int, ...]]:
        """Return each view's frames, as :attr:`CacheItem.frames` takes them: to prepare the same with other regions."""
        return {
            view_id: tuple(frames) for view_id, frames in zip(self.view_ids, self.frame_indices.tolist(), strict=True)
        }


class PreparedCache:
    """A folder of stores, bounded in size: the stores unused for longest are removed first.

    Parameters
    ----------
    folder : Path
        Where the stores lie; made when needed. Nothing else belongs there.
    limit_bytes : int
        How much all stores may take together; the newest is kept even when it alone takes more.
    limits : Limits
        For reading pictures.
    """

    def __init__(self, folder: Path, limit_bytes: int = 20 * 1024**3, limits: Limits = DEFAULT_LIMITS) -> None:
        self.folder = Path(folder)
        self.limit_bytes = limit_bytes
        self.limits = limits

    def store(
        self, items: Sequence[CacheItem], preparation: Preparation, progress: Progress | None = None
    ) -> PreparedStore:
        """Return the prepared pictures of these views; read from disk when they were prepared before.

        Parameters
        ----------
        items : sequence of CacheItem
            The views; their ids are unique.
        preparation : Preparation
            How; only its geometric part matters here.
        progress : callable, optional
            Called with what is being done, how many views are done, and how many there are.

        Returns
        -------
        PreparedStore

        Raises
        ------
        InputError
            When a view comes twice. A picture that cannot be prepared raises nothing: it is in ``failures``.
        OutputError
            When the cache cannot be written.
        """
        return self.variants([items], preparation, progress)[0]

    def variants(
        self, variants: Sequence[Sequence[CacheItem]], preparation: Preparation, progress: Progress | None = None
    ) -> list[PreparedStore]:
        """Return one store a variant of the same pictures with other lesions, each picture decoded at most once.

        Parameters
        ----------
        variants : sequence of sequence of CacheItem
            Each with the same views, pictures and scan areas in the same order.
        preparation : Preparation
            As for :meth:`store`, which makes the same stores one by one.
        progress : callable, optional
            As for :meth:`store`.

        Returns
        -------
        list of PreparedStore

        Raises
        ------
        InputError, OutputError
            As :meth:`store`; InputError also when the variants differ in more than their lesions.
        """
        _check(variants)
        hashes: dict[Path, str] = {}
        keys = [_key(items, preparation, hashes) for items in variants]
        if any(_open(self.folder / key, key) is None for key in keys):
            # One lock for the whole cache: filling keeps the processors busy anyway.
            with locked(self.folder / "fill.lock", seconds=_WAIT_FOR_ANOTHER_S):
                # Another process may have filled it while this one waited.
                todo = {
                    key: items
                    for key, items in zip(keys, variants, strict=True)
                    if _open(self.folder / key, key) is None
                }
                if todo:
                    folders = [self.folder / key for key in todo]
                    fill(folders, list(todo.values()), preparation, self.limits, progress)
                    self._evict(keep=keys)
        return [self._used(key) for key in keys]

    def _used(self, key: str) -> PreparedStore:
        store = _open(self.folder / key, key)
        if store is None:
            raise OutputError(
                "the prepared pictures could not be read back", where=str(self.folder / key), hint="check the disk"
            )
        # The index's time of change is the store's time of use; a read-only cache stays usable without it.
        with contextlib.suppress(OSError):
            os.utime(self.folder / key / "index.json")
        return store

    def _evict(self, keep: Collection[str]) -> None:
        folders = [path for path in self.folder.iterdir() if _STORE_NAME.fullmatch(path.name)]
        for partial in (path for path in folders if path.suffix == ".partial"):
            # Nobody else fills while this process holds the lock: it was left by one that was killed.
            shutil.rmtree(partial, ignore_errors=True)
        sizes = {path: sum(file.stat().st_size for file in path.iterdir()) for path in folders if path.is_dir()}
        for path in sorted(sizes, key=_last_used):
            if sum(sizes.values()) <= self.limit_bytes:
                return
            if path.name not in keep:
                # A process that has it mapped keeps its pages; the name alone goes.
                shutil.rmtree(path, ignore_errors=True)
                del sizes[path]


def _last_used(folder: Path) -> int:
    index = folder / "index.json"
    return index.stat().st_mtime_ns if index.exists() else 0


def _check(variants: Sequence[Sequence[CacheItem]]) -> None:
    names = [item.view_id for item in variants[0]]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"view {twice} comes twice", expected="each view once")
    first = [(item.view_id, item.path, item.scan_area) for item in variants[0]]
    if any([(item.view_id, item.path, item.scan_area) for item in items] != first for items in variants[1:]):
        raise InputError("the variants are not of the same pictures", expected="the same views in the same order")


def _key(items: Sequence[CacheItem], preparation: Preparation, hashes: dict[Path, str]) -> str:
    timed = preparation.frames is not None and preparation.frames.pick == "key_frames"
    views = [
        [
            item.view_id,
            _hash(item.path, hashes),
            item.mask and _hash(item.mask, hashes),
            _plain(item.box),
            _plain(item.scan_area),
            # A box that no frame has is NaN, which JSON does not know.
            None if item.boxes is None else np.ascontiguousarray(item.boxes, "<f8").tobytes().hex(),
            item.frames and list(item.frames),
            # Where nothing is chosen by it, it names no other store.
            *([item.frame_rate_hz] if timed and item.frame_rate_hz is not None else []),
        ]
        for item in items
    ]
    return sha256_of_json([CODE_VERSION, preparation.geometric(), views])[:32]


def _plain(box: Box | None) -> list[float] | None:
    return None if box is None else [float(value) for value in box]


def _hash(path: Path, hashes: dict[Path, str]) -> str:
    if path not in hashes:
        try:
            hashes[path] = clip_hash(path)
        except OSError as error:
            hashes[path] = f"unreadable: {error.strerror}"
        except InputError as error:
            hashes[path] = f"unreadable: {error.what}"
    return hashes[path]


def _open(folder: Path, key: str) -> PreparedStore | None:
    """Return the store, or None where there is none or it is not whole."""
    try:
        index = read_json(folder / "index.json", name="prepared")
        for name, size in index["bytes"].items():
            if (folder / name).stat().st_size != size:
                return None
        arrays = [np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in ARRAYS]
        if any(len(array) != len(index["view_ids"]) for array in arrays):
            return None
        pixels, masks, frames, affines = arrays
        return PreparedStore(
            key, pixels, masks, index["view_ids"], np.array(affines), index["failures"], np.array(frames)
        )
    except (InputError, OSError, ValueError, KeyError, TypeError):
        return None
