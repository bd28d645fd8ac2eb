"""One model kept in memory behind all entrances: loaded once, warm, asked by several threads at a time.

Pictures are read and prepared in the thread that asks. What the networks are shown goes through one queue: requests
that wait at the same time run as one batch, and each gets its own rows back.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np

from isthmus.errors import InputError
from isthmus.inference.any_bundle import load_bundle
from isthmus.inference.clip_proposal import Proposer
from isthmus.inference.engine_choice import probes_of
from isthmus.inference.engines import AUTO, BATCH, Engine, Masks, Pixels
from isthmus.inference.fused_predictor import FusedPredictor, OwnNetworks
from isthmus.inference.joined_cases import predict_joined_cases
from isthmus.inference.network_inputs import Float32
from isthmus.inference.prediction import Predictions
from isthmus.inference.predictor import Predictor
from isthmus.inference.scores import ViewScores

WINDOW_S: Final = 0.003
"""How long the first of several requests waits for others; a fraction of what the smallest network takes."""

CLOSED: Final = "this model was closed"


@dataclass(frozen=True, eq=False)
class _Request:
    """Something to be shown to the networks of one engine, and where its answer goes."""

    engine: Engine
    what: str
    pixels: Pixels
    masks: Masks
    answer: "Future[Any]"

    @property
    def like(self) -> tuple[Any, ...]:
        """Requests that are alike in this may run as one batch."""
        return id(self.engine), self.what, self.pixels.shape[1:], self.masks is None

    def alone(self) -> None:
        """Run by itself."""
        try:
            self.answer.set_result(_run(self.engine, self.what, self.pixels, self.masks))
        except Exception as error:
            self.answer.set_exception(error)


class Batches:
    """One thread that runs the networks, and joins what waits at the same time.

    Parameters
    ----------
    window_s : float
        How long the first request waits for others.
    largest : int
        Views in a batch; a single request may have more.
    """

    def __init__(self, window_s: float = WINDOW_S, largest: int = BATCH) -> None:
        self._window_s, self._largest = window_s, largest
        self._waiting: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._busy = threading.Lock()
        self._closed, self._callers = False, 0
        self._thread = threading.Thread(target=self._work, name="isthmus networks", daemon=True)
        self._thread.start()

    def ask(self, engine: Engine, what: str, pixels: Pixels, masks: Masks) -> Any:
        """Return what an engine says of views, once their batch has run.

        Raises
        ------
        InputError
            When the batches are closed.
        """
        answer: Future[Any] = Future()
        with self._busy:
            if self._closed:
                raise InputError(CLOSED, hint="load it anew")
            self._waiting.put(_Request(engine, what, pixels, masks, answer))
        return answer.result()

    def close(self) -> None:
        """Run what waits, and end; asking again is refused. Closing twice does nothing more."""
        with self._busy:
            if not self._closed:
                self._closed = True
                self._waiting.put(None)
        self._thread.join()

    @contextlib.contextmanager
    def caller(self) -> Iterator[None]:
        """Count somebody who may ask while the block runs: only where there are several is anybody waited for."""
        with self._busy:
            self._callers += 1
        try:
            yield
        finally:
            with self._busy:
                self._callers -= 1

    def _work(self) -> None:
        kept: _Request | None = None
        while True:
            first = self._waiting.get() if kept is None else kept
            if first is None:
                return
            batch, kept, ended = self._gather(first)
            _answer(batch)
            if ended:
                return

    def _gather(self, first: _Request) -> tuple[list[_Request], _Request | None, bool]:
        """Return the requests that run with the first, the next that is unlike them, and whether there are no more."""
        batch, views = [first], len(first.pixels)
        until = time.monotonic() + self._window_s
        while views < self._largest and (len(batch) < self._callers or not self._waiting.empty()):
            try:
                other = self._waiting.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if other is None:
                return batch, None, True
            if other.like != first.like or views + len(other.pixels) > self._largest:
                return batch, other, False
            batch.append(other)
            views += len(other.pixels)
        return batch, None, False


def _answer(batch: Sequence[_Request]) -> None:
    """Run requests as one; where that fails each runs alone, so that an error is only its own."""
    if len(batch) == 1:
        batch[0].alone()
        return
    first = batch[0]
    try:
        pixels = np.concatenate([one.pixels for one in batch])
        masks = None if first.masks is None else np.concatenate([np.asarray(one.masks) for one in batch])
        found = _run(first.engine, first.what, pixels, masks)
        ends = np.cumsum([len(one.pixels) for one in batch])
        parts = [_rows(found, int(end) - len(one.pixels), int(end)) for one, end in zip(batch, ends, strict=True)]
    except Exception:
        for one in batch:
            one.alone()
        return
    for one, own in zip(batch, parts, strict=True):
        one.answer.set_result(own)


def _run(engine: Engine, what: str, pixels: Pixels, masks: Masks) -> Any:
    return engine.view_scores(pixels, masks) if what == "scores" else engine.subset_logits(pixels)


def _rows(found: Any, start: int, stop: int) -> Any:
    """Return the rows of one request out of a batch's answer, part by part."""
    return [
        ViewScores(
            one.logits[start:stop],
            {name: value[start:stop] for name, value in one.descriptors.items()},
            one.embeddings[start:stop],
        )
        if isinstance(one, ViewScores)
        else one[:, start:stop]
        for one in found
    ]


@dataclass(frozen=True, eq=False)
class BatchedEngine:
    """An engine whose requests go through a queue.

    Parameters
    ----------
    inner : Engine
        What runs the networks.
    batches : Batches
        The queue; several members of a fused model share it.
    """

    inner: Engine
    batches: Batches

    @property
    def name(self) -> str:
        """The inner engine's."""
        return self.inner.name

    def view_scores(self, pixels: Pixels, masks: Masks) -> list[ViewScores]:
        """Score views with those that others ask for at the same time."""
        found: list[ViewScores] = self.batches.ask(self.inner, "scores", pixels, masks)
        return found

    def subset_logits(self, pixels: Pixels) -> list[Float32]:
        """Score looks with each subset of their modalities, with those of others."""
        found: list[Float32] = self.batches.ask(self.inner, "subsets", pixels, None)
        return found


class Resident:
    """A bundle of any kind in memory, for any number of requests of any number of threads.

    Made by :meth:`load`; a context manager, closed at its end.

    Attributes
    ----------
    predictor : Predictor or FusedPredictor
        Its networks run in the batches of all who ask; its specification is ``predictor.spec``.
    localiser : Proposer or None
        Asked for regions where a request does not say otherwise.
    ready_s : float
        Seconds from nothing to warm.
    """

    def __init__(
        self,
        predictor: Predictor | FusedPredictor,
        *,
        localiser: Proposer | None = None,
        window_s: float = WINDOW_S,
        largest: int = BATCH,
    ) -> None:
        started = time.perf_counter()
        self._batches = Batches(window_s, largest)
        self.localiser = localiser

        def batched(one: Predictor) -> Predictor:
            return replace(one, engine=BatchedEngine(one.runs, self._batches))

        if isinstance(predictor, FusedPredictor):
            members = {arm: batched(one) for arm, one in predictor.members.items()}
            self.predictor: Predictor | FusedPredictor = replace(predictor, members=members)
        else:
            members, self.predictor = {"": batched(predictor)}, batched(predictor)
        try:
            for one in members.values():
                one.runs.view_scores(*probes_of(one.spec))
        except BaseException:
            self.close()
            raise
        self.ready_s = time.perf_counter() - started

    @classmethod
    def load(
        cls,
        bundle: str | Path,
        *,
        localiser: str | Path | None = None,
        engine: str = AUTO,
        device: str = "auto",
        own_network: OwnNetworks = None,
        window_s: float = WINDOW_S,
        largest: int = BATCH,
    ) -> Self:
        """Load a bundle, and a localiser where one is given, and warm it up.

        Parameters
        ----------
        bundle : path
            Of one arm, of several modalities side by side, or fused.
        localiser : path, optional
            Localiser folder.
        engine, device, own_network
            As for :func:`isthmus.inference.any_bundle.load_bundle`.
        window_s : float
            How long the first of several requests waits for others.
        largest : int
            Views in a batch.

        Raises
        ------
        BundleError
            When the folder is no bundle, or is incomplete or altered.
        """
        started = time.perf_counter()
        proposer: Proposer | None = None
        if localiser is not None:
            from isthmus.inference.localiser import load_localiser

            proposer = load_localiser(Path(localiser))
        predictor = load_bundle(bundle, device, own_network=own_network, engine=engine)
        resident = cls(predictor, localiser=proposer, window_s=window_s, largest=largest)
        resident.ready_s = time.perf_counter() - started
        return resident

    @property
    def engine(self) -> str:
        """Which engine runs the networks."""
        return self.predictor.engine_name

    @property
    def takes(self) -> str:
        """``cases`` of a model of several arms or modalities, else ``pictures``."""
        one = self.predictor
        return "cases" if isinstance(one, FusedPredictor) or one.spec.join is not None else "pictures"

    def predict(self, given: Sequence[Any], **options: Any) -> Predictions:
        """Score pictures, or cases where the model takes cases.

        Parameters
        ----------
        given : sequence
            Files, with the options of :meth:`isthmus.inference.predictor.Predictor.predict`; or
            :class:`isthmus.inference.fused_case.Case`, with ``localiser`` and ``progress``.
        **options
            ``localiser`` is the resident's own where it is not named.

        Returns
        -------
        Predictions
            In the order of what was given; what cannot be read or scored stands in ``.failures``.

        Raises
        ------
        InputError
            When nothing could be scored, or the model was closed.
        """
        options = {"localiser": self.localiser, **options}
        one = self.predictor
        with self._batches.caller():
            if isinstance(one, FusedPredictor):
                return one.predict(given, **options)
            if one.spec.join is not None:
                return predict_joined_cases(one, given, **options)
            return one.predict(given, **options)

    def close(self) -> None:
        """Answer what waits, then end; a request after that is refused."""
        self._batches.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
