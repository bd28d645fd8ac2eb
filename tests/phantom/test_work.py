"""Work shared out among processes."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from isthmus.errors import IsthmusError, OutputError
from isthmus.phantom.work import Task, share_out


def double(number: int) -> int:
    return 2 * number


def threads(_: int) -> tuple[str | None, int]:
    import cv2

    return os.environ.get("OMP_NUM_THREADS"), cv2.getNumThreads()


def full(where: str) -> None:
    raise OutputError("the disk is full", where=where, hint="free some space")


def broken(where: str) -> None:
    raise KeyError(where)


def killed(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def slow(folder: Path) -> None:
    (folder / "started").touch()
    time.sleep(30)


def test_every_task_is_done_once_and_few_are_taken_ahead() -> None:
    taken = []

    def tasks() -> Iterator[Task]:
        for number in range(40):
            taken.append(number)
            yield double, (number,)

    results = []
    for result in share_out(tasks(), 2):
        results.append(result)
        assert len(taken) <= len(results) + 2
    assert sorted(results) == [2 * number for number in range(40)]
    assert not multiprocessing.active_children()


def test_each_process_computes_with_one_thread() -> None:
    before = os.environ.get("OMP_NUM_THREADS")
    assert list(share_out([(threads, (0,))], 1)) == [("1", 1)]
    assert os.environ.get("OMP_NUM_THREADS") == before


@pytest.mark.parametrize(
    ("function", "words"),
    [(full, "the disk is full"), (broken, "KeyError: 'here'"), (killed, r"ended from outside \(exit code -9\)")],
)
def test_what_goes_wrong_in_a_process_is_one_line_and_ends_the_others(function: object, words: str) -> None:
    with pytest.raises(IsthmusError, match=words) as raised:
        list(share_out([(function, ("here",)), (double, (1,))], 2))  # type: ignore[list-item]
    assert "\n" not in str(raised.value)
    assert isinstance(raised.value, OutputError) == (function is full)
    assert not multiprocessing.active_children()


def test_who_stops_listening_ends_the_processes(tmp_path: Path) -> None:
    results = share_out([(double, (1,)), (slow, (tmp_path,))], 2)
    assert next(results) == 2
    start = time.monotonic()
    results.close()
    assert time.monotonic() - start < 10
    assert not multiprocessing.active_children()
