"""The node as a service: everything that runs, from the first line to a clean end."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from isthmus.clinic import journal
from isthmus.clinic.assessment_worker import AssessmentFailed, AssessmentWorker, MakeAssess
from isthmus.clinic.delivery import Deliveries
from isthmus.clinic.inbox import Inbox
from isthmus.clinic.node_log import NodeLog
from isthmus.clinic.node_settings import NodeSettings
from isthmus.clinic.pull import Puller
from isthmus.clinic.study_queue import StudyQueue
from isthmus.errors import BundleError, OutputError
from isthmus.files import locked

_POLL_S: Final = 0.1
_TIDY_S: Final = 30.0
_AFTER_A_FAULT_S: Final = 5.0


class NodeService:
    """Listens, assesses, delivers and asks, each in a thread of its own.

    Parameters
    ----------
    settings : NodeSettings
        The node's file.
    make_assess : callable
        Makes what assesses studies, in a process of its own.
    log : NodeLog
        Where events are told.
    """

    def __init__(self, settings: NodeSettings, make_assess: MakeAssess, log: NodeLog) -> None:
        from isthmus.clinic.dicom_node import DicomNode

        limits = settings.limits
        self._settings, self._log = settings, log
        self.inbox = Inbox(settings.spool, limits)
        self.node = DicomNode(settings, self.inbox, log)
        worker = AssessmentWorker(
            make_assess, seconds=limits.assessment_s, memory_bytes=limits.assessment_megabytes << 20
        )
        self._worker = worker
        self._queue = StudyQueue(settings, self.inbox, worker, log)
        self._deliveries = Deliveries(settings, self.inbox, log)
        self._pullers = [Puller(settings, number, self.inbox, log) for number in range(len(settings.pull))]
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Load the models, then open the port and begin.

        Raises
        ------
        BundleError
            When the models cannot be loaded.
        """
        try:
            self._worker.version()
        except AssessmentFailed as failure:
            raise BundleError(f"the models could not be loaded: {failure}") from failure
        self.node.start()
        listen = self._settings.listen
        self._log(
            "listening", f"{self._settings.ae_title} listens on {listen.address}, port {self.node.port}",
            port=self.node.port,
        )  # fmt: skip
        self._queue.begin()
        self._begin("studies", self._queue.step)
        self._begin("deliveries", self._deliveries.step)
        for puller in self._pullers:
            self._begin("pull", self._every(puller))
        self._begin("retention", self._tidy, _TIDY_S)

    def _begin(self, name: str, step: Callable[[], bool], pause_s: float = _POLL_S) -> None:
        def run() -> None:
            while not self._stopped.is_set():
                try:
                    busy = step()
                except Exception as error:
                    # Nothing that one study does may end the service; the next step begins anew.
                    self._log(
                        "fault", f"a fault in {name} ({type(error).__name__}); going on", kind=type(error).__name__
                    )
                    busy = False
                    self._stopped.wait(_AFTER_A_FAULT_S)
                if not busy:
                    self._stopped.wait(pause_s)

        thread = threading.Thread(target=run, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _every(self, puller: Puller) -> Callable[[], bool]:
        next_at = 0.0

        def step() -> bool:
            nonlocal next_at
            if time.monotonic() >= next_at:
                next_at = time.monotonic() + puller.pull.every_minutes * 60
                puller.once(self._stopped.is_set)
            return False

        return step

    def _tidy(self) -> bool:
        self._queue.remove_old()
        return False

    def ask_once(self) -> None:
        """Ask every archive of the file now, and wait until all that was found is answered and delivered."""
        for puller in self._pullers:
            puller.once(self._stopped.is_set)
        while not self._stopped.wait(_POLL_S) and self._unfinished():
            pass

    def _unfinished(self) -> bool:
        found = self.inbox.journal.rows(
            "SELECT (SELECT COUNT(*) FROM studies WHERE state = 'waiting') + "
            "(SELECT COUNT(*) FROM deliveries WHERE state = 'pending') AS n"
        )
        return bool(found[0]["n"])

    def parked(self) -> int:
        """Return how many assessments and deliveries were given up."""
        found = self.inbox.journal.rows(
            "SELECT (SELECT COUNT(*) FROM studies WHERE state = 'parked') + "
            "(SELECT COUNT(*) FROM deliveries WHERE state = 'parked') AS n"
        )
        return int(found[0]["n"])

    def stop(self) -> None:
        """Finish the instances that are arriving, and end; what waits is in the journal."""
        self._stopped.set()
        self.node.stop()
        self._queue.stop()
        for thread in self._threads:
            thread.join(self._settings.limits.stalled_s + 5)
        self._queue.remove_old()
        self.inbox.journal.close()
        self._log("stopped", "stopped")


def run_node(settings: NodeSettings, make_assess: MakeAssess, log: NodeLog, *, once: bool = False) -> int:
    """Run a node until it is told to stop by SIGTERM or SIGINT, or, with `once`, until all archives were asked.

    Returns
    -------
    int
        How many assessments and deliveries are parked.

    Raises
    ------
    OutputError
        When another node works in the same spool, or it cannot be written.
    """
    os.umask(0o077)
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    threading.excepthook = lambda fault: log("fault", f"a fault in a thread ({fault.exc_type.__name__}); going on")
    with _only_here(settings.spool):
        service = NodeService(settings, make_assess, log)
        try:
            service.start()
            if once:
                asking = threading.Thread(target=service.ask_once, daemon=True)
                asking.start()
                while asking.is_alive() and not told.wait(_POLL_S):
                    pass
            else:
                told.wait()
                log("stopping", "told to stop; finishing what is arriving")
            return service.parked()
        finally:
            service.stop()


def _only_here(spool: Path) -> Any:
    try:
        spool.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise OutputError(
            f"no spool can be made here: {error.strerror}", where=str(spool), hint="choose another spool in the file"
        ) from error
    return locked(spool / "lock", seconds=2.0)  # --status holds it for a moment


def status_of(settings: NodeSettings) -> dict[str, Any]:
    """Return how a node is doing: whether it runs, what waits and what was given up, without any identifier.

    Raises
    ------
    OutputError
        When there is no journal yet.
    """
    spool = settings.spool
    if not (spool / "journal.sqlite").is_file():
        raise OutputError(
            "no node has worked here yet", where=str(spool), hint="isthmus serve BUNDLE --dicom NODE.yaml"
        )
    running = False
    try:
        with locked(spool / "lock"):
            pass
    except OutputError:
        running = True
    free = os.statvfs(spool)
    return {
        "running": running,
        **journal.look(spool),
        "free_megabytes": free.f_bavail * free.f_frsize >> 20,
        "python": sys.version.split()[0],
    }
