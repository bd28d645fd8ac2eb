"""Send studies to a node, kill it again and again on the way, and say what became of what it acknowledged."""

import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import generate_uid

from isthmus.clinic.journal import Journal, look
from tests.clinic.nodes import Archive, free_port, picture, send, wait_for

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Survival:
    """What became of it all.

    Parameters
    ----------
    kills : int
        How often the node was killed with SIGKILL.
    acknowledged, lost : int
        Instances that it said it has, and those of them that are not on its disk in the end.
    studies, answered, repeated : int
        Studies, those with a result that saw every instance, and results beyond one for the same instances.
    exit_code : int
        Of the node, told to stop by SIGTERM at the end.
    """

    kills: int
    acknowledged: int
    lost: int
    studies: int
    answered: int
    repeated: int
    exit_code: int


class _Sender:
    """Sends until all is acknowledged, whatever happens to the other side."""

    def __init__(self, port: int, studies: list[str], instances: int) -> None:
        each = instances // len(studies)
        self.waiting = [picture(study, seed=seed) for study in studies for seed in range(each)]
        self.acknowledged: list[str] = []
        self._port = port
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while self.waiting:
            batch = self.waiting[:25]
            try:
                statuses = send(self._port, batch)
            except (OSError, RuntimeError, ValueError):
                statuses = []
            taken = [one for one, status in zip(batch, statuses, strict=False) if status == 0]
            self.acknowledged += [str(one.SOPInstanceUID) for one in taken]
            names = {str(one.SOPInstanceUID) for one in taken}
            self.waiting = [one for one in self.waiting if str(one.SOPInstanceUID) not in names]
            if not taken:
                time.sleep(0.05)


def survive(folder: Path, *, instances: int, studies: int, kills: int) -> Survival:
    """Kill a node so many times while it takes instances, and once more when its first result has just arrived."""
    archive, port = Archive(), free_port()
    uids = [str(generate_uid()) for _ in range(studies)]
    sender = _Sender(port, uids, instances)
    command = [sys.executable, "-m", "tests.clinic.node_process", str(folder), str(port), str(archive.port)]

    def started() -> "subprocess.Popen[bytes]":
        return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)

    process = started()
    sender.thread.start()
    for number in range(1, kills + 1):
        wait_for(lambda number=number: len(sender.acknowledged) >= number * instances // (kills + 1), 300)
        process.kill()
        process.wait()
        process = started()
    sender.thread.join()
    wait_for(lambda: archive.received, 300)
    process.kill()
    process.wait()
    process = started()
    wait_for(lambda: _listens(port), 300)
    wait_for(lambda: all(archive.of(study) for study in uids) and _idle(folder), 600)
    process.send_signal(signal.SIGTERM)
    exit_code = process.wait(60)
    archive.stop()
    each = instances // studies
    answers = {study: archive.of(study) for study in uids}
    return Survival(
        kills=kills + 1,
        acknowledged=len(sender.acknowledged),
        lost=_lost(folder, sender.acknowledged),
        studies=studies,
        answered=sum(f"RESEARCH {each} instances by one" in said for said in answers.values()),
        repeated=sum(len(said) - len(set(said)) for said in answers.values()),
        exit_code=exit_code,
    )


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _idle(folder: Path) -> bool:
    facts = look(folder / "spool")
    return not facts["studies"].get("waiting") and not facts["deliveries"].get("pending")


def _lost(folder: Path, acknowledged: list[str]) -> int:
    journal = Journal(folder / "spool")
    on_disk = {path.stem for path in (folder / "spool" / "instances").glob("*/*.dcm") if path.stat().st_size > 1000}
    in_journal = {row["key"] for row in journal.rows("SELECT key FROM instances WHERE held")}
    lost = [uid for uid in acknowledged if journal.name_of(uid) not in on_disk & in_journal]
    journal.close()
    return len(lost)
