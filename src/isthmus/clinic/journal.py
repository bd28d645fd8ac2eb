"""The node's journal: which instances are held, which studies wait, which results are still to be delivered.

A SQLite file in the spool, written ahead (WAL) and synced at every commit (``synchronous = FULL``): what a commit says
survives a loss of power. A file alone could not say "received, and not yet assessed" together in one step, nor be read
by `isthmus serve --status` while the node writes.

Identifiers are not in it: studies and instances are named by keyed hashes (HMAC-SHA256 with the spool's own key), so
that a journal outlives the instances without telling who was examined.
"""

import hmac
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

_Result = TypeVar("_Result")

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS studies (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  key TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'answered', 'parked')),
  changed_at REAL NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  next_at REAL NOT NULL DEFAULT 0,
  answered_at REAL,
  fault TEXT
);
CREATE TABLE IF NOT EXISTS instances (
  key TEXT PRIMARY KEY,
  study INTEGER NOT NULL REFERENCES studies (number),
  sop_class TEXT NOT NULL,
  content TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  held INTEGER NOT NULL DEFAULT 1,
  received_at REAL NOT NULL,
  assessed_by TEXT
);
CREATE INDEX IF NOT EXISTS instances_of_study ON instances (study);
CREATE TABLE IF NOT EXISTS deliveries (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  study INTEGER NOT NULL REFERENCES studies (number),
  destination TEXT NOT NULL,
  file TEXT NOT NULL,
  instance TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'parked')),
  attempts INTEGER NOT NULL DEFAULT 0,
  next_at REAL NOT NULL DEFAULT 0,
  delivered_at REAL,
  fault TEXT
);
CREATE INDEX IF NOT EXISTS deliveries_by_state ON deliveries (state);
CREATE INDEX IF NOT EXISTS deliveries_by_instance ON deliveries (instance);
CREATE TABLE IF NOT EXISTS commitments (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  peer TEXT NOT NULL,
  asked TEXT,
  state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'parked')),
  attempts INTEGER NOT NULL DEFAULT 0,
  next_at REAL NOT NULL DEFAULT 0,
  fault TEXT
);
CREATE TABLE IF NOT EXISTS pulled (
  source TEXT NOT NULL,
  key TEXT NOT NULL,
  instances INTEGER NOT NULL,
  PRIMARY KEY (source, key)
);
"""
_BUSY_S = 30.0


class Journal:
    """The open journal of a running node; safe to use from several threads.

    Parameters
    ----------
    folder : Path
        The spool.
    """

    def __init__(self, folder: Path) -> None:
        self._key = _key_of(folder / "key")
        path = folder / "journal.sqlite"
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite gives its other files the same mode
        self._connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._lock = threading.Lock()
        self._waiting: list[_Pending[Any]] = []
        self._waiting_lock = threading.Lock()
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def name_of(self, identifier: str) -> str:
        """Return the keyed hash by which an identifier is known here."""
        return hmac.digest(self._key, identifier.encode("utf-8", "replace"), "sha256").hex()

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """Hold one transaction; it is on the disk when the block has ended, or undone when it raised."""
        with self._lock, _transaction(self._connection):
            yield self._connection

    def change(self, write: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """Do one write as :meth:`changing` does, in one commit with those of other threads that wait at the moment.

        A disk syncs a few hundred times a second, however little is written; associations share a sync so.
        """
        mine = _Pending(write)
        with self._waiting_lock:
            self._waiting.append(mine)
        with self._lock:
            if not mine.done:
                with self._waiting_lock:
                    batch, self._waiting = self._waiting, []
                self._commit(batch)
        return mine.result()

    def _commit(self, batch: "list[_Pending[Any]]") -> None:
        try:
            with _transaction(self._connection):
                for one in batch:
                    one.run(self._connection)
        except Exception as error:
            for one in batch:
                one.fail(error)
        for one in batch:
            one.done = True

    def rows(self, query: str, *values: Any) -> list[sqlite3.Row]:
        """Return the rows of a query."""
        with self._lock:
            return self._connection.execute(query, values).fetchall()


class _Pending(Generic[_Result]):
    def __init__(self, write: Callable[[sqlite3.Connection], _Result]) -> None:
        self._write = write
        self._value: list[_Result] = []
        self._error: Exception | None = None
        self.done = False

    def run(self, connection: sqlite3.Connection) -> None:
        self._value = [self._write(connection)]

    def fail(self, error: Exception) -> None:
        self._error = error

    def result(self) -> _Result:
        if self._error is not None:
            raise self._error
        return self._value[0]


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _key_of(path: Path) -> bytes:
    """Return the spool's key, made once."""
    if not path.is_file():
        draft = path.with_name(f".key.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            stream.write(os.urandom(32))
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    return path.read_bytes()


def look(folder: Path) -> dict[str, Any]:
    """Return what a journal says, for people and monitors; also while a node writes it.

    Nothing in it names a patient: studies have numbers of the node's own.
    """
    path = folder / "journal.sqlite"
    with closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=_BUSY_S)) as connection:
        connection.row_factory = sqlite3.Row

        def counts(table: str) -> dict[str, int]:
            rows = connection.execute(f"SELECT state, COUNT(*) AS n FROM {table} GROUP BY state")
            return {row["state"]: row["n"] for row in rows}

        held = connection.execute(
            "SELECT COUNT(*) AS n, COALESCE(SUM(bytes), 0) AS bytes, MAX(received_at) AS last FROM instances WHERE held"
        ).fetchone()
        parked = [
            {"what": "assessment", "study": row["number"], "attempts": row["attempts"], "why": row["fault"]}
            for row in connection.execute("SELECT * FROM studies WHERE state = 'parked' ORDER BY number")
        ]
        parked += [
            {"what": f"delivery to {row['destination']}", "study": row["study"], "attempts": row["attempts"],
             "why": row["fault"]}
            for row in connection.execute("SELECT * FROM deliveries WHERE state = 'parked' ORDER BY number")
        ]  # fmt: skip
        parked += [
            {"what": f"commitment to {row['peer']}", "study": None, "attempts": row["attempts"], "why": row["fault"]}
            for row in connection.execute("SELECT * FROM commitments WHERE state = 'parked' ORDER BY number")
        ]
        return {
            "studies": counts("studies"),
            "deliveries": counts("deliveries"),
            "commitments": counts("commitments"),
            "instances_held": held["n"],
            "bytes_held": held["bytes"],
            "seconds_since_last_instance": None if held["last"] is None else round(time.time() - held["last"], 1),
            "parked": parked,
        }


def retry_parked(folder: Path) -> int:
    """Put everything that was given up back into the queue; return how many."""
    path = folder / "journal.sqlite"
    with closing(
        sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=_BUSY_S, isolation_level=None)
    ) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        with _transaction(connection):
            found = 0
            for table, state in (("studies", "waiting"), ("deliveries", "pending"), ("commitments", "pending")):
                found += connection.execute(
                    f"UPDATE {table} SET state = ?, attempts = 0, next_at = 0, fault = NULL WHERE state = 'parked'",
                    (state,),
                ).rowcount
        return found
