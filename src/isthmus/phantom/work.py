"""Work shared out among processes: each task to the next idle one, results as they come, nothing left behind."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Final

from isthmus.errors import IsthmusError

Task = tuple[Callable[..., Any], tuple[Any, ...]]
"""A function of a module, and its arguments: both must survive pickling."""

_THREAD_LIMITS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_PATIENCE_S: Final = 10.0


class _Member:
    """A worker process and our end of its pipe."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()

    def give_next(self, waiting: Iterator[Task]) -> bool:
        """Give the next task, if there is one."""
        task = next(waiting, None)
        if task is not None:
            self.pipe.send(task)
        return task is not None

    def take(self) -> Any:
        """Return the result that has come.

        Raises
        ------
        IsthmusError
            As the task raised it, or when the process has died.
        """
        try:
            result = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            self.process.join(_PATIENCE_S)
            raise IsthmusError(
                f"a worker process was ended from outside (exit code {self.process.exitcode})",
                hint="repeat the same command, it goes on; where memory was short, with fewer --workers",
            ) from None
        if isinstance(result, BaseException):
            raise result
        return result


def share_out(tasks: Iterable[Task], workers: int) -> Iterator[Any]:
    """Yield the tasks' results in the order in which they are done.

    Parameters
    ----------
    tasks : iterable of Task
        Taken one at a time, when a process is idle: never more are held than there are processes.
    workers : int
        How many processes, at least 1. Each computes with one thread.

    Raises
    ------
    IsthmusError
        What a task raised on purpose, anything else it raised in one line, or a process that was killed. The other
        processes are then ended at once, and so they are when the caller stops.
    """
    waiting = iter(tasks)
    with _single_threaded():
        team = [_Member() for _ in range(workers)]
    try:
        busy = [member for member in team if member.give_next(waiting)]
        while busy:
            ready = wait([member.pipe for member in busy])
            for member in [member for member in busy if member.pipe in ready]:
                result = member.take()
                if not member.give_next(waiting):
                    busy.remove(member)
                yield result
        for member in team:
            member.pipe.send(None)
            member.process.join(_PATIENCE_S)
    finally:
        for member in team:
            member.process.terminate()
            member.process.join(_PATIENCE_S)
            member.pipe.close()


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Let processes started in the block find one thread a library in their environment."""
    before = {name: os.environ.get(name) for name in _THREAD_LIMITS}
    os.environ.update(dict.fromkeys(_THREAD_LIMITS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _serve(pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the keyboard's word is for the parent, who ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import cv2

    cv2.setNumThreads(1)
    while (task := pipe.recv()) is not None:
        function, arguments = task
        try:
            result = function(*arguments)
        except IsthmusError as error:
            result = error
        except Exception as error:
            # Not every exception survives the way between processes; its words do.
            result = IsthmusError(f"{type(error).__name__}: {error}", where=f"{function.__name__} {arguments[:1]}")
        pipe.send(result)


def _end_with_parent() -> None:
    """End this process when its parent was killed: an orphan must not write beside the command's next run."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
