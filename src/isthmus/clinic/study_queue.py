"""Studies from quiet to answer: when one is complete, whether it was answered already, and its results on the disk.

Results are written, synced and put into the journal in one step, before any is sent. What is sent again after a crash
is therefore the same object under the same identifier, and an archive keeps one.
"""

import os
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any

from isthmus.clinic.assessment_worker import AssessmentFailed, AssessmentWorker
from isthmus.clinic.dataset_outline import outline_of
from isthmus.clinic.inbox import Inbox
from isthmus.clinic.node_log import NodeLog
from isthmus.clinic.node_settings import NodeSettings
from isthmus.files import publish_folder


class StudyQueue:
    """Takes one study after the other.

    Parameters
    ----------
    settings : NodeSettings
        For quiet, retries, destinations and retention.
    inbox : Inbox
        What is held.
    worker : AssessmentWorker
        What assesses.
    log : NodeLog
        Where events are told.
    """

    def __init__(self, settings: NodeSettings, inbox: Inbox, worker: AssessmentWorker, log: NodeLog) -> None:
        self._settings, self._inbox, self._worker, self._log = settings, inbox, worker, log
        self._stopping = False
        self._since = time.time()

    def begin(self) -> None:
        """Count quiet from now: the node listens."""
        self._since = time.time()

    def step(self) -> bool:
        """Look at one study that is complete; return whether there was one."""
        now = time.time()
        rows = self._inbox.journal.rows(
            # While this node did not listen nothing could come: quiet is counted from its start at the earliest.
            "SELECT * FROM studies WHERE state = 'waiting' AND MAX(changed_at, ?) + ? <= ? AND next_at <= ? "
            "ORDER BY changed_at LIMIT 1",
            self._since,
            self._settings.study.quiet_s,
            now,
            now,
        )
        if not rows:
            return False
        study = int(rows[0]["number"])
        try:
            self._look_at(study)
        except AssessmentFailed as failure:
            if not self._stopping:
                self._try_again(study, int(rows[0]["attempts"]) + 1, str(failure))
        except Exception as error:
            self._try_again(study, int(rows[0]["attempts"]) + 1, f"a fault ({type(error).__name__})")
        return True

    def stop(self) -> None:
        """End the assessment that runs; its study waits in the journal for the next start."""
        self._stopping = True
        self._worker.close()

    def _look_at(self, study: int) -> None:
        version = self._worker.version()
        journal = self._inbox.journal
        held = journal.rows("SELECT key, assessed_by FROM instances WHERE study = ? AND held", study)
        if all(row["assessed_by"] == version for row in held):
            with journal.changing() as connection:
                _settle(connection, study, version)
            if held:
                self._log("unchanged", f"study {study}: answered already by this model, nothing is sent", study=study)
            return
        keys = [row["key"] for row in held]
        self._log(
            "assessing", f"study {study}: {len(keys)} instances, being assessed", study=study, instances=len(keys)
        )
        began = time.monotonic()
        folder, names = self._assessed(study)
        results = [(name, self._instance_of(study, folder / name)) for name in names]
        with journal.changing() as connection:
            for destination in self._settings.destinations:
                connection.executemany(
                    "INSERT INTO deliveries (study, destination, file, instance) VALUES (?, ?, ?, ?)",
                    [(study, destination, f"{folder.name}/{name}", instance) for name, instance in results],
                )
            update = "UPDATE instances SET assessed_by = ? WHERE key = ?"
            connection.executemany(update, [(version, key) for key in keys])
            _settle(connection, study, version)
        seconds = round(time.monotonic() - began, 2)
        said = f"study {study}: assessed in {seconds:g} s, {len(names)} results"
        self._log("assessed", said, study=study, results=len(names), seconds=seconds)

    def _assessed(self, study: int) -> tuple[Path, list[str]]:
        results = self._inbox.folder / "results"
        folder = results / f"{study}-{os.urandom(8).hex()}"
        draft = folder.with_name(folder.name + ".partial")
        draft.mkdir(mode=0o700)
        try:
            names, sentences = self._worker.assess(self._inbox.files_of(study), draft)
            for name in names:
                (draft / name).chmod(0o600)
            publish_folder(draft, folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        for sentence in sentences:
            self._log("said", f"study {study}: {sentence}", study=study)
        return folder, names

    def _instance_of(self, study: int, path: Path) -> str:
        """Return the hash of a result's identifier; a result of another study is never sent."""
        from pydicom.filereader import read_file_meta_info

        syntax = str(read_file_meta_info(path).TransferSyntaxUID)
        with path.open("rb") as stream:
            stream.seek(132)
            _skip_meta(stream)
            outline = outline_of(stream, syntax)
        journal = self._inbox.journal
        (row,) = journal.rows("SELECT key FROM studies WHERE number = ?", study)
        if journal.name_of(outline.study) != row["key"]:
            raise AssessmentFailed("a result belongs to another study; it is not sent")
        return journal.name_of(outline.sop_instance)

    def _try_again(self, study: int, attempts: int, why: str) -> None:
        given_up = attempts >= self._settings.retry.attempts
        wait = self._settings.retry.wait_s(attempts)
        with self._inbox.journal.changing() as connection:
            connection.execute(
                "UPDATE studies SET state = ?, attempts = ?, next_at = ?, fault = ? WHERE number = ?",
                ("parked" if given_up else "waiting", attempts, time.time() + wait, why, study),
            )
        then = "given up; it is listed by --status" if given_up else f"again in {wait:g} s"
        self._log("failed", f"study {study}: not assessed, {why}; {then}", study=study, attempts=attempts)

    def remove_old(self) -> None:
        """Remove answered studies whose results were delivered longer ago than the retention."""
        before = time.time() - self._settings.retention.hours * 3600
        rows = self._inbox.journal.rows(
            "SELECT number FROM studies WHERE state = 'answered' AND answered_at <= ? "
            "AND EXISTS (SELECT 1 FROM instances WHERE study = number AND held) "
            "AND NOT EXISTS (SELECT 1 FROM deliveries WHERE study = number "
            "                AND (state != 'delivered' OR delivered_at > ?))",
            before,
            before,
        )
        for row in rows:
            if self._inbox.remove(row["number"]):
                self._log("removed", f"study {row['number']}: removed from the spool", study=row["number"])


def _settle(connection: sqlite3.Connection, study: int, version: str) -> None:
    """Call a study answered, unless an instance came in the meantime."""
    connection.execute(
        "UPDATE studies SET state = 'answered', answered_at = ?, attempts = 0, fault = NULL WHERE number = ? "
        "AND NOT EXISTS (SELECT 1 FROM instances WHERE study = number AND held AND assessed_by IS NOT ?)",
        (time.time(), study, version),
    )


def _skip_meta(stream: Any) -> None:
    """Move behind the file meta information: its first element says how long it is (PS3.10 7.1)."""
    head = stream.read(12)
    stream.seek(132 + 12 + int.from_bytes(head[8:12], "little"))
