"""Filling a store of prepared pictures: each picture decoded once, for however many stores are made of it."""

import contextlib
import dataclasses
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isthmus.errors import InputError, PictureError
from isthmus.files import new_folder, write_json, writing
from isthmus.imaging.clip import Box, Lesion
from isthmus.imaging.limits import Limits
from isthmus.imaging.prepare import Preparation, Prepared, prepare_each
from isthmus.imaging.read import probe, read_clip, read_mask

FORMAT = "isthmus-prepared/1.0"
ARRAYS = ("pixels", "lesion_masks", "source_to_prepared")

Progress = Callable[[str, int, int], None]


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
                for store, item, prepared in zip(stores, items, _prepared(items, preparation, limits), strict=True):
                    store.append(item, prepared)
                if progress is not None:
                    progress("preparing pictures", done, len(variants[0]))
        for store in stores:
            store.write_index()


class _Filling:
    """One store's folder while it is filled."""

    def __init__(self, folder: Path, preparation: Preparation) -> None:
        size, channels = preparation.train_size, 1 if preparation.channels == "gray" else 3
        self._folder, self._preparation = folder, preparation
        self._pixels = _ArrayFile(folder / "pixels.npy", np.uint8, (size, size, channels))
        self._masks = _ArrayFile(folder / "lesion_masks.npy", np.uint8, (size, size))
        self._affines = _ArrayFile(folder / "source_to_prepared.npy", np.float64, (2, 3))
        self._view_ids: list[str] = []
        self._failures: dict[str, str] = {}

    def __enter__(self) -> "_Filling":
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.ExitStack() as files:
            for file in (self._pixels, self._masks, self._affines):
                files.callback(file.close)

    def append(self, item: CacheItem, prepared: Prepared | InputError) -> None:
        if isinstance(prepared, InputError):
            self._failures[item.view_id] = _without_folders(str(prepared), item)
            return
        self._pixels.append(prepared.pixels)
        self._masks.append(prepared.lesion_mask)
        self._affines.append(prepared.source_to_prepared[None])
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


def _prepared(items: Sequence[CacheItem], preparation: Preparation, limits: Limits) -> list[Prepared | InputError]:
    """Prepare one picture for each of its regions; what cannot be prepared gives its error."""
    first = items[0]
    try:
        frames = probe(first.path, limits).frames
        if frames != 1:
            raise PictureError(f"it has {frames} frames", where=str(first.path), expected="a still")
        clip = read_clip(first.path, limits=limits)
        if first.scan_area is not None:
            clip = dataclasses.replace(clip, scan_area=first.scan_area, panels=())
    except InputError as error:
        return [error] * len(items)
    lesions: list[Lesion | InputError | None] = []
    for item in items:
        try:
            lesions.append(_lesion(item, limits))
        except InputError as error:
            lesions.append(error)
    return prepare_each(clip, lesions, preparation)


def _lesion(item: CacheItem, limits: Limits) -> Lesion | None:
    if item.mask is None and item.box is None:
        return None
    mask = None if item.mask is None else read_mask(item.mask, limits)
    if mask is not None and not mask.any():
        raise PictureError("the lesion mask is empty", where=str(item.mask), expected="the lesion in white")
    return Lesion.still(mask=mask, box=item.box)


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

    def close(self) -> None:
        """Fill in the number of rows."""
        try:
            self._stream.seek(0)
            self._header()
        finally:
            self._stream.close()
