"""A reading room for tests: signed-in clients, a clock that can be put forward, a browser.

`client_as("reader")` signs a new account in and returns its client, which sends the session's token by itself;
`page_as("lead", language="zh", mode="dark")` does the same in Chromium; `nothing_serious(page)` asks axe.
"""

import contextlib
import itertools
import logging
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra 'clinic' brings the reading room")

import anyio.from_thread
from fastapi import FastAPI
from fastapi.testclient import TestClient

from isthmus.clinic.reading_room.account_tables import Account
from isthmus.clinic.reading_room.accounts import name_key
from isthmus.clinic.reading_room.application import make_application, make_server
from isthmus.clinic.reading_room.room import Room
from isthmus.clinic.reading_room.settings import PasswordHashing, RoomSettings
from isthmus.clinic.reading_room.visitor import session_cookie

CHROMIUM = Path("/usr/bin/chromium")
PASSWORD = "seven calm herons"
# The least that argon2 takes: the tests sign in hundreds of times.
CHEAP = PasswordHashing(rounds=1, memory_kib=8, lanes=1)
_NUMBERS = itertools.count(1)
_MEMORY = Path("/dev/shm")


class Clock:
    """The present moment, which tests put forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def forward(self, **parts: float) -> None:
        self.ahead += timedelta(**parts)


class RoomClient(TestClient):
    """A client that keeps cookies, follows no redirects and sends its session's token."""

    one_loop: Any = None  # of all clients; without it every request starts a thread and an event loop of its own

    def __init__(self, application: FastAPI, **options: Any) -> None:
        super().__init__(application, base_url="http://localhost", follow_redirects=False,
                         raise_server_exceptions=False, **options)  # fmt: skip
        self.portal = self.one_loop
        self.account = 0
        self.name = ""

    @property
    def csrf(self) -> str:
        return self.headers.get("X-CSRF-Token", "")

    def fetch_token(self) -> dict[str, Any]:
        told = self.get("/api/v1/session").json()
        self.headers["X-CSRF-Token"] = told["csrf"]
        return told

    def sign_in(self, name: str, password: str = PASSWORD) -> Any:
        self.fetch_token()
        answer = self.post("/api/v1/session", json={"name": name, "password": password})
        if answer.status_code == 201:
            told = answer.json()
            self.headers["X-CSRF-Token"] = told["csrf"]
            self.account, self.name = told["account"], told["name"]
        return answer


def add_account(room: Room, role: str, *, language: str = "en", mode: str = "system", name: str | None = None) -> str:
    """Put an account with `PASSWORD` into the store, as if its owner had chosen it already; return its name."""
    name = name or f"{role}.{next(_NUMBERS)}"
    with room.store.writing() as session:
        session.add(Account(name=name, name_key=name_key(name), role=role, active=True, language=language, mode=mode,
                            password_hash=room.passwords.hash(PASSWORD), created_at=room.clock()))  # fmt: skip
    return name


@pytest.fixture(scope="session", autouse=True)
def one_loop() -> Iterator[None]:
    """Give all clients one event loop."""
    with anyio.from_thread.start_blocking_portal() as RoomClient.one_loop:
        yield
    RoomClient.one_loop = None


@pytest.fixture(autouse=True)
def room_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the room log: the import checker of another test switches off all loggers that it finds."""
    monkeypatch.setattr(logging.getLogger("isthmus.reading_room"), "disabled", False)


@pytest.fixture(scope="module")
def make_room() -> Iterator[Callable[..., FastAPI]]:
    """Return a function that opens a room with other settings, closed with the module.

    Rooms lie in memory where there is such a folder: each sign-in waits for the disk several times.
    """
    with contextlib.ExitStack() as opened:
        rooms = Path(opened.enter_context(tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None)))

        def make(
            folder: Path | None = None, clock: Clock | None = None, announced: Any = None, **changes: Any
        ) -> FastAPI:
            given = {"requests_per_second": 10_000, "burst": 100_000, "hashing": CHEAP} | changes
            settings = RoomSettings(folder=folder or rooms / str(next(_NUMBERS)), **given)
            announced = [] if announced is None else announced
            application = make_application(settings, lambda *told: announced.append(told), clock=clock)
            opened.callback(application.state.room.store.close)
            return application

        yield make


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def application(make_room: Callable[..., FastAPI], clock: Clock) -> FastAPI:
    return make_room(clock=clock)


@pytest.fixture(scope="module")
def room(application: FastAPI) -> Room:
    return application.state.room


@pytest.fixture(scope="module")
def client_as(application: FastAPI, room: Room) -> Callable[..., RoomClient]:
    """Return a function: a client signed in to a new account of a role."""

    def sign_in(role: str, **options: Any) -> RoomClient:
        client = RoomClient(application)
        answer = client.sign_in(add_account(room, role, **options))
        assert answer.status_code == 201, answer.text
        return client

    return sign_in


@pytest.fixture
def guest(application: FastAPI) -> RoomClient:
    """Return a client that is not signed in, with a token for the sign-in form."""
    client = RoomClient(application)
    client.fetch_token()
    return client


@contextlib.contextmanager
def serving(application: FastAPI) -> Iterator[str]:
    """Serve an application by uvicorn in a thread and give its address."""
    server = make_server(application, application.state.room.settings)
    line = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([line],), daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{line.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        line.close()


@pytest.fixture(scope="module")
def served(application: FastAPI) -> Iterator[str]:
    """Return the address of the module's room, served by uvicorn."""
    with serving(application) as address:
        yield address


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Return a running Chromium, or skip with the reason; closed with its module: another may not start beside it."""
    if not CHROMIUM.is_file():
        pytest.skip(f"no {CHROMIUM}: install Debian's chromium to see the reading room in a browser")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def new_page(chromium: Any, served: str) -> Iterator[Callable[..., Any]]:
    """Return a function: a page in a fresh browser profile, `page.problems` what console and network complained of."""
    with contextlib.ExitStack() as opened:

        def make(**options: Any) -> Any:
            context = chromium.new_context(**{"base_url": served, "viewport": {"width": 1280, "height": 800}} | options)
            opened.callback(context.close)
            page = context.new_page()
            page.problems = []
            page.on(
                "console", lambda said: page.problems.append(said.text) if said.type in ("error", "warning") else None
            )
            page.on("pageerror", lambda error: page.problems.append(str(error)))
            page.on("request", lambda asked: None if asked.url.startswith(served) else page.problems.append(asked.url))
            return page

        yield make


@pytest.fixture
def page_as(
    new_page: Callable[..., Any], client_as: Callable[..., RoomClient], room: Room, served: str
) -> Callable[..., Any]:
    """Return a function: a page signed in to a new account of a role, not yet anywhere."""

    def sign_in(
        role: str, *, language: str = "en", mode: str = "system", name: str | None = None, **options: Any
    ) -> Any:
        client, page = client_as(role, language=language, mode=mode, name=name), new_page(**options)
        cookie = session_cookie(room.settings)
        page.context.add_cookies([{"name": cookie, "value": client.cookies[cookie], "url": served, "httpOnly": True}])
        return page

    return sign_in


@pytest.fixture(scope="session")
def nothing_serious() -> Callable[..., None]:
    """Return a function that asks axe for WCAG 2.2 A and AA and fails where anything is serious or critical.

    With `only="color-contrast"` one rule is asked for: what a page in another mode can change.
    """
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python brings axe-core")
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

    def check(page: Any, *, only: str | None = None) -> None:
        rules = {"type": "rule", "values": [only]} if only else {"type": "tag", "values": tags}
        answer = axe.Axe().run(page, options={"runOnly": rules, "resultTypes": ["violations"]}).response
        assert answer["testEngine"]["name"] == "axe-core"
        found = answer["violations"]
        told = [f"{one['id']} ({one['impact']}): {[node['target'] for node in one['nodes']]}" for one in found]
        assert not [line for line, one in zip(told, found, strict=True) if one["impact"] in ("serious", "critical")], (
            told
        )

    return check
