"""Where instances are kept: written as they arrive, and acknowledged only once they cannot be lost.

An instance goes to a file of its own while it arrives, so that its size never meets the memory. Then, in this order:
the file is synced, renamed to its place, the folder is synced, and a row of the journal is committed. Only after that
it is acknowledged. What a crash leaves without a row was never acknowledged, and is removed at the next start.

Files are named by keyed hashes: nothing that a sender chose is ever a part of a path.
"""

import errno
import hashlib
import os
import shutil
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from isthmus.clinic.dataset_outline import UID_PATTERN, DamagedDataSet, outline_of
from isthmus.clinic.journal import Journal
from isthmus.clinic.node_settings import Limits

# PS3.4 B.2.3 and PS3.7 annex C.
SUCCESS: Final = 0x0000
COERCED: Final = 0xB000
NO_RESOURCES: Final = 0xA700
WRONG_CLASS: Final = 0xA900
NOT_UNDERSTOOD: Final = 0xC000
INVALID_INSTANCE: Final = 0x0117

_BUFFER = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600


class Refused(Exception):  # noqa: N818  (what it is)
    """An instance is not taken: with a DICOM status and a sentence without identifiers."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


@dataclass(frozen=True)
class Kept:
    """An instance that is on the disk and in the journal.

    Parameters
    ----------
    study : int
        The node's own number of its study.
    new : bool
        Whether it was not held before.
    status : int
        What the sender is told: success, or a warning where another content of the same identifier is kept.
    """

    study: int
    new: bool
    status: int


class Inbox:
    """The spool's incoming side.

    Parameters
    ----------
    folder : Path
        The spool; made with mode 0700.
    limits : Limits
        Of instances, studies and free disk.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder = folder
        self.limits = limits
        for path in (folder, folder / "incoming", folder / "instances", folder / "results"):
            _private_folder(path)
        self.journal = Journal(folder)
        self._moving = threading.Condition()
        self._coming: Counter[int] = Counter()
        self._going: set[int] = set()
        self._remove_leftovers()

    def _remove_leftovers(self) -> None:
        shutil.rmtree(self.folder / "incoming")
        _private_folder(self.folder / "incoming")
        rows = self.journal.rows("SELECT key, study FROM instances WHERE held")
        kept = {(str(row["study"]), f"{row['key']}.dcm") for row in rows}
        for path in (self.folder / "instances").glob("*/*"):
            if (path.parent.name, path.name) not in kept:
                path.unlink()
        named = {row["file"].partition("/")[0] for row in self.journal.rows("SELECT file FROM deliveries")}
        for path in (self.folder / "results").iterdir():
            if path.name not in named:
                shutil.rmtree(path)

    def arriving(self, sop_class: str, sop_instance: str, transfer_syntax: str) -> "Arrival":
        """Open a file for an instance that begins to arrive."""
        return Arrival(self, sop_class, sop_instance, transfer_syntax)

    def path_of(self, study: int, key: str) -> Path:
        """Return where an instance lies."""
        return self.folder / "instances" / str(study) / f"{key}.dcm"

    def files_of(self, study: int) -> list[Path]:
        """Return the files of a study's instances, in the order in which they came."""
        rows = self.journal.rows("SELECT key FROM instances WHERE study = ? AND held ORDER BY received_at, key", study)
        return [self.path_of(study, row["key"]) for row in rows]

    def number_of(self, key: str) -> int:
        """Return the node's own number of a study, a new one for one never seen."""
        if rows := self.journal.rows("SELECT number FROM studies WHERE key = ?", key):
            return int(rows[0]["number"])

        def begin(connection: sqlite3.Connection) -> int:
            insert = "INSERT INTO studies (key, changed_at) VALUES (?, ?) ON CONFLICT (key) DO NOTHING"
            connection.execute(insert, (key, time.time()))
            return int(connection.execute("SELECT number FROM studies WHERE key = ?", (key,)).fetchone()["number"])

        return self.journal.change(begin)

    @contextmanager
    def keeping(self, study: int) -> Iterator[None]:
        """Hold off the removal of a study while one of its instances is kept."""
        with self._moving:
            self._moving.wait_for(lambda: study not in self._going)
            self._coming[study] += 1
        try:
            yield
        finally:
            with self._moving:
                self._coming[study] -= 1

    def remove(self, study: int) -> bool:
        """Remove an answered study's instances and results from the disk; what was answered stays known.

        Returns
        -------
        bool
            False where one of its instances is arriving just now: then nothing was removed.
        """
        with self._moving:
            if self._coming[study]:
                return False
            self._going.add(study)
        try:
            with self.journal.changing() as connection:
                connection.execute("UPDATE instances SET held = 0 WHERE study = ?", (study,))
            shutil.rmtree(self.folder / "instances" / str(study), ignore_errors=True)
            for row in self.journal.rows("SELECT file FROM deliveries WHERE study = ?", study):
                shutil.rmtree((self.folder / "results" / row["file"]).parent, ignore_errors=True)
        finally:
            with self._moving:
                self._going.discard(study)
                self._moving.notify_all()
        return True

    def check_room_in(self, study: int) -> None:
        """Refuse when a study holds as many instances as the settings allow."""
        (row,) = self.journal.rows("SELECT COUNT(*) AS n FROM instances WHERE study = ? AND held", study)
        if row["n"] >= self.limits.instances_per_study:
            raise Refused(NO_RESOURCES, f"more than {self.limits.instances_per_study} instances in a study")

    def check_free_disk(self) -> None:
        """Refuse when less is free than the settings keep."""
        if shutil.disk_usage(self.folder).free < self.limits.free_megabytes << 20:
            raise Refused(NO_RESOURCES, "too little free disk")


class Arrival:
    """One instance while it arrives: bytes in, and at the end :meth:`keep` or :meth:`discard`.

    A fault while it arrives is remembered and raised by :meth:`keep`; the rest of the bytes then goes nowhere.
    """

    def __init__(self, inbox: Inbox, sop_class: str, sop_instance: str, transfer_syntax: str) -> None:
        self._inbox = inbox
        self._sop_class, self._sop_instance, self._syntax = sop_class, sop_instance, transfer_syntax
        self._left = inbox.limits.instance_megabytes << 20
        self._content = hashlib.sha256(transfer_syntax.encode())
        self._path = inbox.folder / "incoming" / os.urandom(16).hex()
        self._stream: BinaryIO | None = None
        self._refusal: Refused | None = None
        self._guarded(self._open)

    def _open(self) -> None:
        from pydicom.uid import UID
        from pynetdicom.dsutils import create_file_meta, encode_file_meta

        if not UID_PATTERN.fullmatch(self._sop_instance):
            raise Refused(INVALID_INSTANCE, "the command's SOP instance UID is no UID")
        self._inbox.check_free_disk()
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE)
        self._stream = os.fdopen(descriptor, "w+b", _BUFFER)
        meta = create_file_meta(
            sop_class_uid=UID(self._sop_class),
            sop_instance_uid=UID(self._sop_instance),
            transfer_syntax=UID(self._syntax),
        )
        self._stream.write(b"\0" * 128 + b"DICM" + encode_file_meta(meta))
        self._starts = self._stream.tell()

    def write(self, part: bytes) -> None:
        """Take the next bytes of the data set."""
        if self._refusal is None:
            self._guarded(lambda: self._append(part))

    def _append(self, part: bytes) -> None:
        assert self._stream is not None
        self._left -= len(part)
        if self._left < 0:
            raise Refused(NO_RESOURCES, f"larger than {self._inbox.limits.instance_megabytes} megabytes")
        self._content.update(part)
        self._stream.write(part)

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Refused as refusal:
            self._refusal = refusal
        except OSError as error:
            self._refusal = _refused_by_disk(error)
        if self._refusal is not None:
            self.discard()

    def keep(self) -> Kept:
        """Check it, put it on the disk and into the journal.

        Raises
        ------
        Refused
            When it is not taken; nothing of it is left.
        """
        if self._refusal is not None:
            raise self._refusal
        try:
            return self._keep()
        except DamagedDataSet as damage:
            raise Refused(NOT_UNDERSTOOD, str(damage)) from None
        except OSError as error:
            raise _refused_by_disk(error) from error
        except sqlite3.OperationalError as error:
            raise Refused(NO_RESOURCES, "the journal could not be written") from error
        finally:
            self.discard()

    def _keep(self) -> Kept:
        assert self._stream is not None
        self._stream.flush()
        size = self._stream.tell()
        self._stream.seek(self._starts)
        outline = outline_of(self._stream, self._syntax)
        if outline.sop_instance != self._sop_instance or outline.sop_class != self._sop_class:
            raise Refused(WRONG_CLASS, "the data set is of another object than the command says")
        journal, inbox = self._inbox.journal, self._inbox
        key, content = journal.name_of(outline.sop_instance), self._content.hexdigest()
        if journal.rows("SELECT 1 FROM deliveries WHERE instance = ? LIMIT 1", key):
            raise Refused(WRONG_CLASS, "a result of this node came back")
        study = inbox.number_of(journal.name_of(outline.study))
        with inbox.keeping(study):
            rows = journal.rows("SELECT study, held, content FROM instances WHERE key = ?", key)
            known = rows[0] if rows else None
            if known is not None and known["study"] != study:
                raise Refused(NOT_UNDERSTOOD, "the same SOP instance UID is held in another study")
            new = known is None or not known["held"]
            if known is None:
                inbox.check_room_in(study)
            if new:
                os.fsync(self._stream.fileno())
                place = inbox.path_of(study, key)
                _private_folder(place.parent)
                self._path.replace(place)
                _sync_folder(place.parent)
            kept = content if new or known is None else known["content"]
            row = (key, study, outline.sop_class, kept, size, time.time())
            try:
                journal.change(lambda connection: _acknowledge(connection, row))
            except BaseException:
                if new:
                    inbox.path_of(study, key).unlink(missing_ok=True)
                raise
        return Kept(study, new, SUCCESS if kept == content else COERCED)

    @property
    def ended(self) -> bool:
        """Tell whether it was kept, refused or discarded."""
        return self._stream is None

    def discard(self) -> None:
        """Close it, and remove what was not kept."""
        if self._stream is not None:
            with suppress(OSError):  # what a full disk left in the buffer
                self._stream.close()
            self._stream = None
        self._path.unlink(missing_ok=True)


def _acknowledge(connection: sqlite3.Connection, row: tuple[Any, ...]) -> None:
    connection.execute(
        "INSERT INTO instances (key, study, sop_class, content, bytes, received_at) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (key) DO UPDATE SET held = 1, content = excluded.content, bytes = excluded.bytes, "
        "assessed_by = CASE WHEN content = excluded.content THEN assessed_by END",
        row,
    )
    # Also what was held already counts: sent again, a study is looked at again, as a changed model may answer anew.
    connection.execute(
        "UPDATE studies SET state = 'waiting', changed_at = ?, attempts = 0, next_at = 0, fault = NULL "
        "WHERE number = ?",
        (row[5], row[1]),
    )


def _refused_by_disk(error: OSError) -> Refused:
    if error.errno in _FULL:
        return Refused(NO_RESOURCES, "the disk is full")
    return Refused(NO_RESOURCES, f"the disk refuses ({errno.errorcode.get(error.errno or 0, 'unknown')})")


def _private_folder(path: Path) -> None:
    if not path.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(_PRIVATE_FOLDER)
        _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    if os.name == "nt":
        return  # Windows cannot open a folder for syncing
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
