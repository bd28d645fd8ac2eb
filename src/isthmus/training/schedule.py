"""Runs the fits that are not done: one after another here, or side by side on several GPUs."""

import dataclasses
import mmap
import multiprocessing
import queue
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.errors import FitError, IsthmusError, OutputError
from isthmus.files import write_json
from isthmus.training.data import Store
from isthmus.training.fit import FitProgress, run_fit
from isthmus.training.spec import FitSpec


@dataclasses.dataclass(frozen=True)
class Fit:
    """A fit and its folder.

    Parameters
    ----------
    spec : FitSpec
        What to do.
    folder : Path
        ``arms/<arm>/<candidate>/seed-<s>/fold-<k>`` of the run.
    """

    spec: FitSpec
    folder: Path


@dataclasses.dataclass(frozen=True)
class Failure:
    """A fit that failed, and why.

    Parameters
    ----------
    fit : Fit
        Which.
    reason : str
        One line.
    """

    fit: Fit
    reason: str


Report = Callable[[Fit, FitProgress | None], None]
"""Called with a fit and how far it is; with None when it has ended."""


def pending(fits: Iterable[Fit]) -> list[Fit]:
    """Return the fits without ``done.json``, in their order."""
    return [fit for fit in fits if not (fit.folder / "done.json").is_file()]


def run_pending(
    fits: Iterable[Fit],
    stores: Mapping[str, Store],
    progress: Report | None = None,
    *,
    devices: Sequence[str] | None = None,
) -> list[Failure]:
    """Run every pending fit; one that fails is listed and the others go on.

    A failed fit leaves ``failed.json`` in its folder and is tried again by the next call. Fits that take another's
    network over (``weights_of``) run after all others.

    Parameters
    ----------
    fits : iterable of Fit
        Done ones are passed over.
    stores : mapping
        ``FitSpec.store_key`` to the prepared store.
    progress : callable, optional
        See :data:`Report`. Called in this process, from one thread at a time.
    devices : sequence of str, optional
        Where to run; by default all GPUs, or the CPU. One: in this process. Several: each works through the fits with
        a process a fit.

    Returns
    -------
    list of Failure
        Empty when all went well.

    Raises
    ------
    OutputError
        When the disk is full or read-only: no other fit would fare better.
    """
    from isthmus.training.engine import visible_devices

    places = list(devices or visible_devices())
    report, failures = _Serial(progress), list[Failure]()
    todo = pending(fits)
    for wave in ([fit for fit in todo if fit.spec.weights_of is None], [fit for fit in todo if fit.spec.weights_of]):
        waiting: queue.SimpleQueue[Fit] = queue.SimpleQueue()
        for fit in wave:
            waiting.put(fit)
        if len(places) == 1:
            _work(waiting, stores, places[0], report, failures, _run_here)
        elif wave:
            _share(waiting, stores, places, report, failures)
    return failures if len(places) == 1 else sorted(failures, key=lambda failure: failure.fit.spec.name)


def _share(
    waiting: "queue.SimpleQueue[Fit]",
    stores: Mapping[str, Store],
    places: Sequence[str],
    report: "_Serial",
    failures: list[Failure],
) -> None:
    """Let each device work through the fits that wait."""
    refusals: list[BaseException] = []

    def work(place: str) -> None:
        try:
            _work(waiting, stores, place, report, failures, _run_apart)
        except BaseException as error:
            refusals.append(error)
            while not waiting.empty():
                waiting.get()

    threads = [threading.Thread(target=work, args=(place,), daemon=True) for place in places]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if refusals:
        raise refusals[0]


class _Serial:
    """Passes reports on, one at a time."""

    def __init__(self, progress: Report | None) -> None:
        self._progress, self._lock = progress, threading.Lock()

    def __call__(self, fit: Fit, progress: FitProgress | None) -> None:
        if self._progress is not None:
            with self._lock:
                self._progress(fit, progress)


_Runner = Callable[[Fit, Store, str, _Serial], None]


def _work(
    waiting: "queue.SimpleQueue[Fit]",
    stores: Mapping[str, Store],
    place: str,
    report: _Serial,
    failures: list[Failure],
    runner: _Runner,
) -> None:
    while True:
        try:
            fit = waiting.get_nowait()
        except queue.Empty:
            return
        (fit.folder / "failed.json").unlink(missing_ok=True)
        try:
            if fit.spec.store_key not in stores:
                raise FitError("no prepared store", where=fit.spec.name, expected=fit.spec.store_key)
            runner(fit, stores[fit.spec.store_key], place, report)
        except OutputError:
            raise
        except Exception as error:
            failures.append(_record(fit, error))
        report(fit, None)


def _record(fit: Fit, error: Exception) -> Failure:
    known = isinstance(error, IsthmusError)
    reason = str(error) if known else f"{type(error).__name__}: {error}"
    reason = " ".join(reason.split())
    # File names without folders: the record travels with the run.
    calls = [
        f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    write_json(
        fit.folder / "failed.json",
        {
            "format": "isthmus-fit-failed/1.0",
            "fit": fit.spec.name,
            "error": type(error).__name__,
            "reason": reason,
            "calls": [] if known else calls,
        },
    )
    return Failure(fit, reason)


def _run_here(fit: Fit, store: Store, place: str, report: _Serial) -> None:
    run_fit(fit.spec, store, fit.folder, lambda progress: report(fit, progress), device=place)


def _run_apart(fit: Fit, store: Store, place: str, report: _Serial) -> None:
    """Run a fit in a process of its own: if that dies, one fit has failed and its GPU memory is free."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(theirs, fit, store, place), daemon=True)
    process.start()
    theirs.close()
    outcome: Any = None
    try:
        while True:
            outcome = ours.recv()
            if not isinstance(outcome, FitProgress):
                break
            report(fit, outcome)
    except EOFError:
        outcome = None
    process.join()
    if isinstance(outcome, Exception):
        raise outcome
    if outcome != "done":
        raise FitError(f"the process of the fit ended with code {process.exitcode}", where=fit.spec.name)


def _child(connection: Connection, fit: Fit, store: Store, place: str) -> None:
    try:
        run_fit(fit.spec, store, fit.folder, connection.send, device=place)
        connection.send("done")
    except IsthmusError as error:
        connection.send(error)
    except Exception as error:
        # Not every exception survives the way between processes; its words do.
        connection.send(FitError(f"{type(error).__name__}: {error}", where=fit.spec.name))


def _reduce_memmap(array: "np.memmap[Any, Any]") -> tuple[Any, ...]:
    base: Any = array.base  # of a slice it is another array, and the file's offset is not the slice's
    if isinstance(base, mmap.mmap) and array.filename is not None:
        return _open_memmap, (str(array.filename), array.dtype.str, array.offset, array.shape)
    return np.array(array).__reduce__()  # type: ignore[return-value]


def _open_memmap(path: str, dtype: str, offset: int, shape: tuple[int, ...]) -> "np.memmap[Any, Any]":
    return np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape)


# A store sent to a worker is opened there again instead of being copied through a pipe.
ForkingPickler.register(np.memmap, _reduce_memmap)
