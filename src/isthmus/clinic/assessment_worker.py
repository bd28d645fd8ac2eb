"""A process of its own that assesses studies: what a file does to it, it does not do to the node.

The models are loaded once and stay. A study is handed over as a list of files and comes back as files in a folder, and
as sentences; between the two processes go lines of JSON, never pickled objects. The memory that an assessment may use
beyond that of the loaded models is limited by the operating system, its time by the node. A worker that died is
replaced at the next study.
"""

import json
import multiprocessing
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from isthmus.clinic.assessment import Assess
from isthmus.errors import IsthmusError

MakeAssess = Callable[[], Assess]
"""Loads the models; called in the worker, so it has to be picklable: a function of a module, or a partial of one."""

_START_S: Final = 600.0
_STOP_S: Final = 5.0
_LARGEST_LINE: Final = 1 << 20
_RESULT: Final = re.compile(r"\d{4}\.dcm")


class AssessmentFailed(Exception):  # noqa: N818  (what it is)
    """A study could not be assessed; says why, without identifiers.

    ``died`` tells whether the worker is gone.
    """

    def __init__(self, why: str, *, died: bool = False) -> None:
        super().__init__(why)
        self.died = died


class AssessmentWorker:
    """Starts the process, asks it, and ends it.

    Parameters
    ----------
    make_assess : callable
        Makes what assesses, in the worker.
    seconds : float
        How long one assessment may take.
    memory_bytes : int
        What it may use beyond the loaded models.
    """

    def __init__(self, make_assess: MakeAssess, *, seconds: float, memory_bytes: int) -> None:
        self._make_assess = make_assess
        self._seconds = seconds
        self._memory_bytes = memory_bytes
        self._process: Any = None
        self._connection: Connection | None = None
        self._version = ""
        self._closed = False

    def version(self) -> str:
        """Return the version of what assesses, starting the worker if it does not run.

        Raises
        ------
        AssessmentFailed
            When it does not start.
        """
        if self._closed:
            raise AssessmentFailed("the node is being stopped")
        if self._process is None or not self._process.is_alive():
            self._start()
        return self._version

    def _start(self) -> None:
        self.stop()
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        arguments = (self._make_assess, theirs, self._memory_bytes, os.getpid())
        self._process = context.Process(target=_work, args=arguments, name="assessment", daemon=True)
        self._process.start()
        theirs.close()
        self._connection = ours
        answer = self._answer(_START_S, "the models could not be loaded")
        self._version = str(answer["version"])

    def assess(self, files: Sequence[Path], out: Path) -> tuple[list[str], list[str]]:
        """Assess a study.

        Parameters
        ----------
        files : sequence of Path
            All instances of one study.
        out : Path
            A folder that exists; the results are written there.

        Returns
        -------
        list of str, list of str
            The names of the result files, and the sentences.

        Raises
        ------
        AssessmentFailed
            When it failed, took too long, or the worker died.
        """
        self.version()
        assert self._connection is not None
        try:
            self._connection.send_bytes(json.dumps([[str(path) for path in files], str(out)]).encode())
        except OSError:
            raise self._gone("the assessment could not begin") from None
        answer = self._answer(self._seconds, "the assessment ended the process that did it")
        names = [str(name) for name in answer["names"]]
        if not all(_RESULT.fullmatch(name) for name in names):
            raise AssessmentFailed("the assessment named results that it cannot have written")
        return names, [str(sentence)[:1000] for sentence in answer["sentences"]][:100]

    def _answer(self, seconds: float, fault: str) -> dict[str, Any]:
        assert self._connection is not None
        try:
            if not self._connection.poll(seconds):
                raise self._gone(f"it took more than {seconds:g} seconds and was stopped")
            answer = json.loads(self._connection.recv_bytes(_LARGEST_LINE))
        except (EOFError, OSError, ValueError):
            raise self._gone(fault) from None
        if "error" in answer:
            raise AssessmentFailed(str(answer["error"])[:1000])
        return dict(answer)

    def _gone(self, why: str) -> AssessmentFailed:
        process = self._process
        if process is not None:
            process.join(1.0)
        code = None if process is None else process.exitcode
        self.stop()
        how = f" ({signal.Signals(-code).name})" if code is not None and code < 0 else ""
        return AssessmentFailed(why + how, died=True)

    def close(self) -> None:
        """End the process for good."""
        self._closed = True
        self.stop()

    def stop(self) -> None:
        """End the process, whatever it does; the next study starts another."""
        process, connection = self._process, self._connection
        self._process = self._connection = None
        if connection is not None:
            connection.close()
        if process is not None:
            process.kill()
            process.join(_STOP_S)
            process.close()


def _work(make_assess: MakeAssess, connection: Connection, memory_bytes: int, parent: int) -> None:
    """Run in the worker: load, say so, and answer until the node closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a keyboard's interrupt is for the node, which then ends this
    os.umask(0o077)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    try:
        assess = make_assess()
        version = assess.version
    except Exception as error:
        _say(connection, {"error": _in_words(error)})
        return
    _limit_memory(memory_bytes)
    _say_nothing_more()
    _say(connection, {"version": version})
    while True:
        try:
            files, out = json.loads(connection.recv_bytes())
        except EOFError:
            return
        _say(connection, _assessed(assess, [Path(path) for path in files], Path(out)))


def _assessed(assess: Assess, files: list[Path], out: Path) -> dict[str, Any]:
    try:
        results = assess(files)
        names = [f"{number:04}.dcm" for number in range(1, len(results.datasets) + 1)]
        for name, dataset in zip(names, results.datasets, strict=True):
            dataset.save_as(out / name, enforce_file_format=True)
    except MemoryError:
        return {"error": "it needed more memory than the settings allow"}
    except Exception as error:
        return {"error": _in_words(error)}
    return {"names": names, "sentences": list(results.sentences)}


def _in_words(error: Exception) -> str:
    # Ours name no patient; the text of any other may quote what a file says.
    return str(error) if isinstance(error, IsthmusError) else f"a fault in the assessment ({type(error).__name__})"


def _say(connection: Connection, answer: dict[str, Any]) -> None:
    try:
        connection.send_bytes(json.dumps(answer).encode())
    except OSError:
        os._exit(1)  # nobody listens any more


def _limit_memory(memory_bytes: int) -> None:
    """Let the operating system refuse memory beyond what is used now and so many bytes more."""
    try:
        import resource

        used = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData"))
    except (ImportError, OSError, StopIteration):
        return  # not Linux: the time limit alone holds
    limit = int(used.split()[1]) * 1024 + memory_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def _say_nothing_more() -> None:
    """Send what libraries print of a file they do not like to nowhere: it may name a patient."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
