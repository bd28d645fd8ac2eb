"""Prepared pictures on disk: decoded once, memory-mapped ever after, shared by all arms, folds and seeds.

A store is a folder named by what it was made from (the bytes of pictures and masks, boxes, scan areas, the geometric
part of the preparation, the version of this code); any change makes another store. It is filled in a partial folder
under a lock and renamed when it is whole, so a reader finds a whole store or none.
"""

import contextlib
import dataclasses
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError, OutputError, PictureError
from isthmus.files import locked, new_folder, read_json, sha256_of_json, write_json, writing
from isthmus.imaging.clip import Box, Lesion
from isthmus.imaging.limits import Limits
from isthmus.imaging.prepare import Preparation, Prepared, prepare
from isthmus.imaging.read import DEFAULT_LIMITS, clip_hash, probe, read_clip, read_mask

CODE_VERSION = 1
"""Raise it with every change that alters a prepared pixel: older stores are then no longer found."""

Progress = Callable[[str, int, int], None]
_FORMAT = "isthmus-prepared/1.0"
_WAIT_FOR_ANOTHER_S = 24 * 3600.0
_STORE_NAME = re.compile(r"[0-9a-f]{32}(\.partial)?")
_ARRAYS = ("pixels", "lesion_masks", "source_to_prepared")


@dataclass(frozen=True)
class CacheItem:
    """A view to be prepared.

    Parameters
    ----------
    view_id : str
        Its name in the cohort.
    path : Path
        The picture: a file, or a folder of one numbered frame.
    mask : Path, optional
        The lesion's mask.
    box : Box, optional
        The lesion's box; used for the window where both are given.
    scan_area : Box, optional
        The ultrasound picture on the screen; found in the picture where it is None.
    """

    view_id: str
    path: Path
    mask: Path | None = None
    box: Box | None = None
    scan_area: Box | None = None


@dataclass(frozen=True, eq=False)
class PreparedStore:
    """Prepared pictures, memory-mapped and read-only.

    Parameters
    ----------
    key : str
        Names the store; the same inputs give the same key.
    pixels : uint8 array [N, T, S, S, C]
        Rows in the order of ``view_ids``.
    lesion_masks : uint8 array [N, T, S, S]
        1 inside the lesion.
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
        names = [item.view_id for item in items]
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise InputError(f"view {twice} comes twice", expected="each view once")
        key = _key(items, preparation)
        folder = self.folder / key
        store = _open(folder, key)
        if store is None:
            # One lock for the whole cache: filling keeps the processors busy anyway.
            with locked(self.folder / "fill.lock", seconds=_WAIT_FOR_ANOTHER_S):
                # Another process may have filled it while this one waited.
                store = _open(folder, key)
                if store is None:
                    _fill(folder, items, preparation, self.limits, progress)
                    store = _open(folder, key)
                    self._evict(keep=key)
        if store is None:
            raise OutputError("the prepared pictures could not be read back", where=str(folder), hint="check the disk")
        # The index's time of change is the store's time of use; a read-only cache stays usable without it.
        with contextlib.suppress(OSError):
            os.utime(folder / "index.json")
        return store

    def _evict(self, keep: str) -> None:
        folders = [path for path in self.folder.iterdir() if _STORE_NAME.fullmatch(path.name)]
        for partial in (path for path in folders if path.suffix == ".partial"):
            # Nobody else fills while this process holds the lock: it was left by one that was killed.
            shutil.rmtree(partial, ignore_errors=True)
        sizes = {path: sum(file.stat().st_size for file in path.iterdir()) for path in folders if path.is_dir()}
        for path in sorted(sizes, key=_last_used):
            if sum(sizes.values()) <= self.limit_bytes:
                return
            if path.name != keep:
                # A process that has it mapped keeps its pages; the name alone goes.
                shutil.rmtree(path, ignore_errors=True)
                del sizes[path]


def _last_used(folder: Path) -> int:
    index = folder / "index.json"
    return index.stat().st_mtime_ns if index.exists() else 0


def _key(items: Sequence[CacheItem], preparation: Preparation) -> str:
    views = [
        [item.view_id, _hash(item.path), item.mask and _hash(item.mask), _plain(item.box), _plain(item.scan_area)]
        for item in items
    ]
    return sha256_of_json([CODE_VERSION, preparation.geometric(), views])[:32]


def _plain(box: Box | None) -> list[float] | None:
    return None if box is None else [float(value) for value in box]


def _hash(path: Path) -> str:
    try:
        return clip_hash(path)
    except OSError as error:
        return f"unreadable: {error.strerror}"
    except InputError as error:
        return f"unreadable: {error.what}"


def _open(folder: Path, key: str) -> PreparedStore | None:
    """Return the store, or None where there is none or it is not whole."""
    try:
        index = read_json(folder / "index.json", name="prepared")
        for name, size in index["bytes"].items():
            if (folder / name).stat().st_size != size:
                return None
        arrays = [np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in _ARRAYS]
        if any(len(array) != len(index["view_ids"]) for array in arrays):
            return None
        pixels, masks, affines = arrays
        return PreparedStore(key, pixels, masks, index["view_ids"], np.array(affines), index["failures"])
    except (InputError, OSError, ValueError, KeyError, TypeError):
        return None


def _fill(
    folder: Path, items: Sequence[CacheItem], preparation: Preparation, limits: Limits, progress: Progress | None
) -> None:
    with writing(folder):
        # What lies here is no whole store, or it would have been opened.
        if folder.exists():
            shutil.rmtree(folder)
    size, channels = preparation.train_size, 1 if preparation.channels == "gray" else 3
    view_ids: list[str] = []
    failures: dict[str, str] = {}
    with new_folder(folder) as partial, contextlib.ExitStack() as files:
        pixels = files.enter_context(_ArrayFile(partial / "pixels.npy", np.uint8, (size, size, channels)))
        masks = files.enter_context(_ArrayFile(partial / "lesion_masks.npy", np.uint8, (size, size)))
        affines = files.enter_context(_ArrayFile(partial / "source_to_prepared.npy", np.float64, (2, 3)))
        for done, item in enumerate(items, start=1):
            try:
                prepared = _prepare(item, preparation, limits)
            except InputError as error:
                failures[item.view_id] = _without_folders(str(error), item)
            else:
                pixels.append(prepared.pixels)
                masks.append(prepared.lesion_mask)
                affines.append(prepared.source_to_prepared[None])
                view_ids.append(item.view_id)
            if progress is not None:
                progress("preparing pictures", done, len(items))
        files.close()
        write_json(
            partial / "index.json",
            {
                "format": _FORMAT,
                "preparation": preparation.geometric(),
                "view_ids": view_ids,
                "failures": failures,
                "bytes": {f"{name}.npy": (partial / f"{name}.npy").stat().st_size for name in _ARRAYS},
            },
        )


def _without_folders(message: str, item: CacheItem) -> str:
    # The reason travels into reports, which name no path of this machine.
    for path in filter(None, (item.path, item.mask)):
        message = message.replace(str(path), path.name)
    return message


def _prepare(item: CacheItem, preparation: Preparation, limits: Limits) -> Prepared:
    frames = probe(item.path, limits).frames
    if frames != 1:
        raise PictureError(f"it has {frames} frames", where=str(item.path), expected="a still")
    clip = read_clip(item.path, limits=limits)
    lesion = None
    if item.mask is not None or item.box is not None:
        mask = None if item.mask is None else read_mask(item.mask, limits)
        if mask is not None and not mask.any():
            raise PictureError("the lesion mask is empty", where=str(item.mask), expected="the lesion in white")
        lesion = Lesion.still(mask=mask, box=item.box)
    clip = dataclasses.replace(clip, lesion=lesion)
    if item.scan_area is not None:
        clip = dataclasses.replace(clip, scan_area=item.scan_area, panels=())
    return prepare(clip, preparation)


class _ArrayFile:
    """A ``.npy`` file written row by row.

    Rows are written, not mapped: a full disk then is an error that can be told, where a mapped page would end the
    process. NumPy pads the header so that the number of rows can be filled in at the end.
    """

    def __init__(self, path: Path, dtype: type[np.generic], shape: tuple[int, ...]) -> None:
        self._dtype, self._shape, self._rows = np.dtype(dtype), shape, 0
        # Every view is one frame so far; the axis is there for clips.
        self._frame_axis = () if dtype is np.float64 else (1,)
        self._stream = path.open("wb")
        self._header()

    def _header(self) -> None:
        shape = (self._rows, *self._frame_axis, *self._shape)
        np.lib.format.write_array_header_1_0(
            self._stream, {"descr": np.lib.format.dtype_to_descr(self._dtype), "fortran_order": False, "shape": shape}
        )

    def append(self, rows: NDArray[Any]) -> None:
        self._stream.write(np.ascontiguousarray(rows, dtype=self._dtype).tobytes())
        self._rows += 1

    def __enter__(self) -> "_ArrayFile":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._stream.seek(0)
            self._header()
        finally:
            self._stream.close()
