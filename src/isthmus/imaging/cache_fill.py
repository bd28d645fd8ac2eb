"""Filling a store of prepared pictures: each picture decoded once, for however many stores are made of it."""

import contextlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from isthmus.errors import InputError
from isthmus.files import new_folder, write_json, writing
from isthmus.imaging.array_file import ArrayFile
from isthmus.imaging.limits import Limits
from isthmus.imaging.preparation import Preparation
from isthmus.imaging.prepare import Prepared
from isthmus.imaging.prepare_views import CacheItem, prepare_views
from isthmus.progress import Progress

FORMAT = "isthmus-prepared/1.1"
ARRAYS = ("pixels", "lesion_masks", "frame_indices", "source_to_prepared")


def fill(
    folders: Sequence[Path],
    variants: Sequence[Sequence[CacheItem]],
    preparation: Preparation,
    limits: Limits,
    progress: Progress | None,
) -> None:
    """Fill one folder a variant; the variants hold the same pictures in the same order.

    Raises
    ------
    OutputError
        When a folder cannot be written. A picture that cannot be prepared is listed in its store's index.
    """
    for folder in folders:
        with writing(folder):
            # What lies here is no whole store, or it would have been opened.
            if folder.exists():
                shutil.rmtree(folder)
    with contextlib.ExitStack() as stack:
        stores = [_Filling(stack.enter_context(new_folder(folder)), preparation) for folder in folders]
        with contextlib.ExitStack() as files:
            for store in stores:
                files.enter_context(store)
            for done, items in enumerate(zip(*variants, strict=True), start=1):
                for store, item, prepared in zip(stores, items, prepare_views(items, preparation, limits), strict=True):
                    store.append(item, prepared)
                if progress is not None:
                    progress("preparing pictures", done, len(variants[0]))
        for store in stores:
            store.write_index()


class _Filling:
    """One store's folder while it is filled."""

    def __init__(self, folder: Path, preparation: Preparation) -> None:
        size, channels = preparation.train_size, preparation.colours
        frames = 1 if preparation.frames is None else preparation.frames.stored
        self._folder, self._preparation = folder, preparation
        self._pixels = ArrayFile(folder / "pixels.npy", np.uint8, (frames, size, size, channels))
        self._masks = ArrayFile(folder / "lesion_masks.npy", np.uint8, (frames, size, size))
        self._frames = ArrayFile(folder / "frame_indices.npy", np.int64, (frames,))
        self._affines = ArrayFile(folder / "source_to_prepared.npy", np.float64, (2, 3))
        self._view_ids: list[str] = []
        self._failures: dict[str, str] = {}

    def __enter__(self) -> "_Filling":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.ExitStack() as files:
            for file in (self._pixels, self._masks, self._frames, self._affines):
                files.callback(file.close)

    def append(self, item: CacheItem, prepared: Prepared | InputError) -> None:
        if isinstance(prepared, InputError):
            self._failures[item.view_id] = _without_folders(str(prepared), item)
            return
        self._pixels.append(prepared.pixels)
        self._masks.append(prepared.lesion_mask)
        self._frames.append(prepared.frame_indices)
        self._affines.append(prepared.source_to_prepared)
        self._view_ids.append(item.view_id)

    def write_index(self) -> None:
        write_json(
            self._folder / "index.json",
            {
                "format": FORMAT,
                "preparation": self._preparation.geometric(),
                "view_ids": self._view_ids,
                "failures": self._failures,
                "bytes": {f"{name}.npy": (self._folder / f"{name}.npy").stat().st_size for name in ARRAYS},
            },
        )


def _without_folders(message: str, item: CacheItem) -> str:
    # The reason travels into reports, which name no path of this machine.
    for path in filter(None, (item.path, item.mask)):
        message = message.replace(str(path), path.name)
    return message
