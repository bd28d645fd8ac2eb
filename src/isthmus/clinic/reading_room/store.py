"""The room's database: SQLite in its folder, or PostgreSQL by URL; opened, brought up to date, read and written.

Reading and writing are two kinds of transaction. A writing one takes the only writer's place at its start, in SQLite
and in PostgreSQL alike: what it reads nobody changes before it ends, and it never fails half-way because another one
wrote. It is on the disk when it ends (``synchronous=FULL``): a read that a radiologist has seen saved is there after a
power cut. A room has few writers; each takes milliseconds.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.orm import Session, sessionmaker

from isthmus.clinic.reading_room.settings import RoomSettings
from isthmus.errors import InputError
from isthmus.files import locked, make_folder

MIGRATIONS = Path(__file__).parent / "migrations"
_WRITES = "isthmus_writes"
# As many connections as a server has threads that can ask for one.
_CONNECTIONS = 40
_BUSY_SECONDS = 15


class Store:
    """The database of a room.

    Parameters
    ----------
    url : URL
        SQLite or PostgreSQL.
    """

    def __init__(self, url: URL) -> None:
        self.engine = _engine(url)
        self._readers = sessionmaker(self.engine, expire_on_commit=False)
        self._writers = sessionmaker(self.engine.execution_options(**{_WRITES: True}), expire_on_commit=False)
        # In one process writers wait here, in turn, instead of asking SQLite again and again.
        self._turn = threading.Lock() if self.engine.dialect.name == "sqlite" else nullcontext()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session that sees one state of the database and writes nothing."""
        with self._readers() as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Give a session whose changes are all kept when the block ends well, and none when it does not."""
        with self._turn, self._writers.begin() as session:
            yield session

    def migrate(self) -> None:
        """Bring the tables up to date, all or nothing.

        Raises
        ------
        InputError
            When the database was written by a newer Isthmus.
        """
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        with self._writers.kw["bind"].begin() as connection:
            _refuse_newer(connection, ScriptDirectory.from_config(config))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def open_store(settings: RoomSettings) -> Store:
    """Make the room's folder if need be, open its database and bring its tables up to date.

    Raises
    ------
    InputError
        When the database's address is none, its driver is absent, it does not answer, or it is of a newer Isthmus.
    """
    is_new = not settings.folder.exists()
    make_folder(settings.folder)
    if is_new:
        settings.folder.chmod(0o700)  # hashes of passwords, pictures of patients
    url = _url(settings)
    with locked(settings.folder / "starting.lock", seconds=60):
        try:
            store = Store(url)
            store.migrate()
        except DBAPIError as error:
            raise InputError(
                "the database does not answer", where=url.render_as_string(), hint=f"it says: {_first_line(error)}"
            ) from error
    return store


def _first_line(error: DBAPIError) -> str:
    return (str(error.orig).splitlines() or [type(error).__name__])[0]


def _url(settings: RoomSettings) -> URL:
    if settings.database is None:
        return URL.create("sqlite", database=str(settings.folder / "room.sqlite"))
    expected = "postgresql://USER:PASSWORD@HOST/NAME, or nothing for SQLite in the room's folder"
    try:
        url = make_url(settings.database)
    except (ArgumentError, ValueError) as error:
        raise InputError("this is no database's address", where="database", expected=expected) from error
    if url.get_backend_name() not in ("postgresql", "sqlite"):
        raise InputError(f"no room is kept in {url.get_backend_name()}", where="database", expected=expected)
    return url


def _engine(url: URL) -> Engine:
    # Parameters never stand in an error's text: they may be names, and errors are logged.
    options: dict[str, Any] = {"hide_parameters": True, "pool_size": _CONNECTIONS, "max_overflow": 0}
    if url.get_backend_name() == "sqlite":
        options["connect_args"] = {"timeout": _BUSY_SECONDS}
    else:
        options["pool_pre_ping"] = True
    try:
        engine = create_engine(url, **options)
    except NoSuchModuleError as error:
        raise InputError("no driver of this name", where=url.drivername, expected="postgresql+psycopg") from error
    except ModuleNotFoundError as error:
        raise InputError(
            f"the database's driver {error.name} is not installed",
            where=url.drivername,
            hint=f"pip install '{error.name}[binary]'",
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "begin", _begin_postgresql)
    return engine


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    # Python's own rules of when a transaction begins leave reads and table changes outside; `_begin_sqlite` begins.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(_WRITES) else "BEGIN")


def _begin_postgresql(connection: Connection) -> None:
    # The lock goes with the transaction; its number is arbitrary. Servers that start together migrate in turn as well.
    if connection.get_execution_options().get(_WRITES):
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7203411)")


def _refuse_newer(connection: Connection, scripts: ScriptDirectory) -> None:
    if not inspect(connection).has_table("alembic_version"):
        return
    found = set(connection.scalars(text("SELECT version_num FROM alembic_version")))
    unknown = found - {script.revision for script in scripts.walk_revisions()}
    if unknown:
        raise InputError(
            "this room was last opened by a newer Isthmus",
            where=f"revision {', '.join(sorted(unknown))}",
            hint="upgrade, or open the copy made before",
        )
