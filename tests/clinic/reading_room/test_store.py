"""The room's database: migrated, durable, refused where it cannot be right."""

import os
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from isthmus.clinic.reading_room.account_tables import Account, Setting
from isthmus.clinic.reading_room.settings import RoomSettings, read_settings
from isthmus.clinic.reading_room.store import MIGRATIONS, Store, open_store
from isthmus.clinic.reading_room.tables import METADATA
from isthmus.errors import InputError


@pytest.fixture
def store(tmp_path: Path):
    opened = open_store(RoomSettings(folder=tmp_path / "a room, 100%"))
    yield opened
    opened.close()


def test_migrations_make_exactly_the_tables_that_the_code_knows(store: Store):
    # Alembic's own comparison of the database with the models.
    with store.engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, METADATA) == []


def test_there_is_one_line_of_migrations():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert len(ScriptDirectory.from_config(config).get_heads()) == 1


def test_sqlite_keeps_what_it_said_it_keeps_and_checks_its_references(store: Store):
    with store.reading() as session:
        found = [session.scalar(sa.text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")]
    assert found == ["wal", 2, 1]  # 2 is FULL (sqlite.org/pragma.html)


def test_a_writing_block_that_fails_leaves_nothing(store: Store):
    with pytest.raises(RuntimeError), store.writing() as session:
        session.add(Setting(name="a", value="1"))
        session.flush()
        raise RuntimeError
    with store.reading() as session:
        assert session.get(Setting, "a") is None


def test_many_writers_lose_nothing_and_none_is_refused(store: Store):
    with store.writing() as session:
        session.add(Setting(name="count", value="0"))

    def add() -> None:
        for _ in range(4):
            with store.writing() as session:
                setting = session.get_one(Setting, "count")
                setting.value = str(int(setting.value) + 1)

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.reading() as session:
        assert session.get_one(Setting, "count").value == "32"


def test_a_second_process_waits_for_the_writer_and_neither_is_refused(store: Store):
    other = Store(store.engine.url)
    with store.writing() as session:
        session.add(Setting(name="first", value="1"))
        waiting = threading.Thread(target=lambda: _add(other, "second"))
        waiting.start()
    waiting.join()
    other.close()
    with store.reading() as session:
        assert {"first", "second"} <= set(session.scalars(sa.select(Setting.name)))


def _add(store: Store, name: str) -> None:
    with store.writing() as session:
        session.add(Setting(name=name, value="1"))


def test_opening_a_room_again_keeps_what_is_in_it(tmp_path: Path):
    settings = RoomSettings(folder=tmp_path / "room")
    first = open_store(settings)
    _add(first, "kept")
    first.close()
    second = open_store(settings)
    with second.reading() as session:
        assert session.get(Setting, "kept") is not None
    second.close()


def test_only_the_owner_may_look_into_a_new_rooms_folder(tmp_path: Path):
    open_store(RoomSettings(folder=tmp_path / "room")).close()
    assert (tmp_path / "room").stat().st_mode & 0o077 == 0


def test_a_room_of_a_newer_isthmus_is_refused(store: Store):
    with store.writing() as session:
        session.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(InputError, match=r"newer Isthmus.*9999.*upgrade"):
        store.migrate()


def test_a_migration_that_fails_leaves_the_room_as_it_was(store: Store):
    with store.writing() as session:
        session.execute(sa.text("DELETE FROM alembic_version"))
        session.execute(sa.text("DROP TABLE audit_events"))  # made last: the tables before it exist and stop it
    with pytest.raises(sa.exc.DBAPIError):
        store.migrate()
    with store.reading() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM alembic_version")) == 0
        assert not sa.inspect(session.connection()).has_table("audit_events")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("nonsense", "no database's address"),
        ("mysql://u:hidden@h/d", "no room is kept in mysql"),
        ("postgresql+nodriver://u:hidden@h/d", "no driver of this name"),
    ],
)
def test_an_address_that_is_none_is_one_line_without_its_password(tmp_path: Path, address: str, said: str):
    with pytest.raises(InputError, match=said) as refused:
        open_store(RoomSettings(folder=tmp_path / "room", database=address))
    assert "hidden" not in str(refused.value)


def test_postgresql_takes_every_table_as_it_stands():
    made = [str(CreateTable(table).compile(dialect=postgresql.dialect())) for table in METADATA.sorted_tables]
    assert len(made) >= 5
    assert all("AUTOINCREMENT" not in text and "DATETIME" not in text for text in made)
    assert any("TIMESTAMP WITH TIME ZONE" in text for text in made)


@pytest.mark.skipif("ISTHMUS_TEST_POSTGRESQL" not in os.environ, reason="no ISTHMUS_TEST_POSTGRESQL address is set")
def test_a_room_is_kept_in_postgresql(tmp_path: Path):
    settings = RoomSettings(folder=tmp_path / "room", database=os.environ["ISTHMUS_TEST_POSTGRESQL"])
    store = open_store(settings)
    try:
        with store.engine.begin() as connection:
            assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        with store.reading() as session:
            session.scalars(sa.select(Account)).all()
    finally:
        store.close()


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"port": 99999}, "port"),
        ({"idle_minutes": 0}, "idle_minutes"),
        ({"colour": 1}, "colour"),
        ({"key": "k"}, "settings"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(tmp_path: Path, given: dict, where: str):
    with pytest.raises(InputError, match="cannot start so") as refused:
        read_settings(folder=tmp_path, **given)
    assert refused.value.where == where


def test_a_network_is_served_by_tls_or_behind_a_proxy_only(tmp_path: Path):
    for host in ("0.0.0.0", "192.168.1.4", "ward-pc", "::"):
        with pytest.raises(InputError, match="clear text"):
            RoomSettings(folder=tmp_path, host=host).refuse_plain_network()
    for host in ("127.0.0.1", "::1", "localhost"):
        RoomSettings(folder=tmp_path, host=host).refuse_plain_network()
    RoomSettings(folder=tmp_path, host="0.0.0.0", trusted_proxies=("10.0.0.2",)).refuse_plain_network()
    RoomSettings(folder=tmp_path, host="0.0.0.0", certificate="c.pem", key="k.pem").refuse_plain_network()
