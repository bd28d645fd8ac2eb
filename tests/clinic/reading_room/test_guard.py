"""What stands before every route: hosts, other sites, tokens, sizes, rates, headers, and errors without details."""

import logging
import re

import pytest
from fastapi import APIRouter, Depends, Request
from pydantic import TypeAdapter, ValidationError
from starlette.requests import ClientDisconnect

from isthmus.clinic.reading_room.fields import Line, Prose
from isthmus.clinic.reading_room.rates import Rates
from isthmus.clinic.reading_room.refusal import Refusal
from isthmus.clinic.reading_room.uploads import keep_body
from isthmus.clinic.reading_room.visitor import require
from tests.clinic.reading_room.conftest import RoomClient


@pytest.mark.parametrize(
    "path", ["/sign-in", "/", "/nowhere", "/api/v1/session", "/static/room.css", "/static/nothing"]
)
def test_every_answer_has_the_headers_that_browsers_keep_to(guest, path: str):
    headers = guest.get(path).headers
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers


def test_pages_are_not_kept_and_static_files_are(guest):
    assert guest.get("/sign-in").headers["cache-control"] == "no-store"
    address = re.search(r"/static/room\.css\?v=\w+", guest.get("/sign-in").text)[0]
    assert "immutable" in guest.get(address).headers["cache-control"]
    assert guest.get("/static/api.js").headers["cache-control"] == "no-cache"
    assert guest.get("/static/nothing.js?v=1").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "host", ["elsewhere.example", "localhost.elsewhere.example", "", "localhost:80:80", "[::1", "a b"]
)
def test_a_host_that_is_not_the_rooms_is_refused(guest, host: str):
    answer = guest.get("/api/v1/session", headers={"Host": host})
    assert answer.status_code == 400
    assert answer.json()["next"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8765", "127.0.0.1:1", "[::1]:8765"])
def test_the_rooms_own_hosts_are_taken(guest, host: str):
    assert guest.get("/sign-in", headers={"Host": host}).status_code == 200


def test_a_host_that_was_named_is_taken(make_room):
    client = RoomClient(make_room(names=("Reading.Hospital.example",)))
    assert client.get("/sign-in", headers={"Host": "reading.hospital.example"}).status_code == 200


@pytest.mark.parametrize("headers", [{"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"},
                                     {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://localhost:1234"},
                                     {"Origin": "http://["}])  # fmt: skip
def test_another_sites_page_changes_nothing(client_as, headers):
    reader = client_as("reader")
    answer = reader.put("/api/v1/me/appearance", json={"language": "zh", "mode": "dark"}, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:isthmus:reading-room:other_site")
    assert 'lang="en"' in reader.get("/").text


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://localhost"}, {"Origin": "null", "Sec-Fetch-Site": "same-origin"}, {}]
)
def test_the_rooms_own_pages_do(client_as, headers):
    reader = client_as("reader")
    assert (
        reader.put("/api/v1/me/appearance", json={"language": "zh", "mode": "dark"}, headers=headers).status_code == 204
    )


def test_without_its_own_token_no_request_changes_anything(client_as):
    reader, other = client_as("reader"), client_as("reader")
    for token in ("", other.csrf, reader.csrf[:-1], "é", reader.csrf.upper()):
        answer = reader.put("/api/v1/me/appearance", json={"language": "zh", "mode": "dark"},
                            headers={"X-CSRF-Token": token.encode()})  # fmt: skip
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:isthmus:reading-room:token")
        del reader.headers["X-CSRF-Token"]
        form = {"csrf": token, "language": "zh", "mode": "dark"}
        assert reader.post("/appearance", data=form).status_code == 403
        reader.headers["X-CSRF-Token"] = reader.fetch_token()["csrf"]
    assert 'lang="en"' in reader.get("/").text


def test_a_token_ends_with_its_session(client_as):
    reader = client_as("reader")
    old = reader.csrf
    reader.sign_in(reader.name)
    answer = reader.put("/api/v1/me/appearance", json={"language": "zh", "mode": "dark"}, headers={"X-CSRF-Token": old})
    assert answer.status_code == 403


def test_a_form_with_a_file_in_it_is_refused(client_as):
    reader = client_as("reader")
    token = reader.headers.pop("X-CSRF-Token")
    assert reader.post("/appearance", data={"csrf": token}, files={"file": b"x"}).status_code == 400


@pytest.mark.parametrize("path", ["/api/v1/session", "/sign-in"])
@pytest.mark.parametrize("is_told", [True, False])
def test_a_body_above_the_limit_is_cut_off_while_it_comes_in(guest, room, path: str, is_told: bool):
    sent = 0

    def body():
        nonlocal sent
        for _ in range(64):
            sent += 1 << 16
            yield b"x" * (1 << 16)

    headers = {"Content-Type": "application/json" if "api" in path else "application/x-www-form-urlencoded"}
    content = b"x" * (room.settings.request_bytes + 1) if is_told else body()
    answer = guest.post(path, content=content, headers=headers)
    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"
    assert "larger than this address takes" in answer.text


def test_who_asks_too_often_waits_and_others_do_not(make_room):
    from tests.clinic.reading_room.conftest import add_account

    application = make_room(requests_per_second=1, burst=20)
    name = add_account(application.state.room, "reader")
    busy = RoomClient(application, client=("10.1.1.1", 1))
    statuses = [busy.get("/api/v1/session").status_code for _ in range(30)]
    assert statuses[:15] == [200] * 15
    assert statuses[-1] == 429
    assert busy.get("/api/v1/session").headers["retry-after"] == "1"
    assert RoomClient(application, client=("10.1.1.2", 1)).sign_in(name).status_code == 201


def test_a_bucket_runs_out_at_its_rate_and_is_forgotten_last():
    seconds = [0.0]
    rates = Rates(per_second=10, burst=3, clock=lambda: seconds[0])
    for _ in range(3):
        rates.count("a")
    with pytest.raises(Refusal):
        rates.count("a")
    rates.count("b")
    seconds[0] = 0.1
    rates.count("a")
    with pytest.raises(Refusal):
        rates.count("a")


@pytest.fixture
def with_routes(make_room, request):
    """Return a room with further routes as a later subject would add them."""
    application = make_room(upload_bytes=5 << 20)
    subject, uploads = APIRouter(prefix="/api/v1"), APIRouter(prefix="/api/v1")
    folder = application.state.room.settings.folder

    @subject.get("/breaks")
    def breaks(secret: str = "") -> None:
        raise RuntimeError(f"inside detail {secret}")

    @uploads.put("/upload", dependencies=[Depends(require("room"))])
    async def upload(request: Request) -> dict[str, int]:
        return {"bytes": await keep_body(request, folder / "kept")}

    application.include_router(subject)
    application.include_router(uploads, max_body_size=application.state.room.settings.upload_bytes)
    return application


def signed_in(application) -> RoomClient:
    from tests.clinic.reading_room.conftest import add_account

    client = RoomClient(application)
    client.sign_in(add_account(application.state.room, "reader"))
    return client


def test_an_error_inside_tells_a_number_and_nothing_else(with_routes, caplog):
    caplog.set_level(logging.ERROR)
    client = RoomClient(with_routes)
    answer = client.get("/api/v1/breaks?secret=typed-by-somebody")
    assert answer.status_code == 500
    told = answer.json()
    assert "inside detail" not in answer.text
    assert told["event"] in told["next"]
    assert f"event {told['event']}: GET" in caplog.text
    assert answer.headers["content-security-policy"]


def test_an_upload_is_written_as_it_comes_and_whole_or_not_at_all(with_routes):
    client, folder = signed_in(with_routes), with_routes.state.room.settings.folder
    content = bytes(range(256)) * 12_000
    assert client.put("/api/v1/upload", content=content).json() == {"bytes": len(content)}
    assert (folder / "kept").read_bytes() == content
    (folder / "kept").unlink()
    assert client.put("/api/v1/upload", content=(b"x" * (1 << 20) for _ in range(6))).status_code == 413
    assert [path.name for path in folder.iterdir() if path.name.startswith("kept")] == []


def test_an_upload_of_somebody_unknown_is_not_even_read(with_routes):
    sent = []

    def body():
        for number in range(4):
            sent.append(number)
            yield b"x" * (1 << 20)

    client = RoomClient(with_routes)
    client.fetch_token()
    assert client.put("/api/v1/upload", content=body()).status_code == 401
    assert not (with_routes.state.room.settings.folder / "kept").exists()


def test_an_upload_whose_sender_is_lost_leaves_nothing(tmp_path):
    import anyio

    messages = iter([{"type": "http.request", "body": b"part", "more_body": True}, {"type": "http.disconnect"}])

    async def receive():
        return next(messages)

    async def lose() -> None:
        with pytest.raises(ClientDisconnect):
            await keep_body(Request({"type": "http", "method": "PUT", "headers": []}, receive), tmp_path / "kept")

    anyio.run(lose)
    assert list(tmp_path.iterdir()) == []


def test_texts_of_one_line_and_of_several_hold_no_control_characters():
    line, prose = TypeAdapter(Line), TypeAdapter(Prose)
    assert prose.validate_python("one\r\ntwo\tthree 结节") == "one\r\ntwo\tthree 结节"
    for text in ("one\ntwo", "\x00", "\x1b[2J", "\x85"):
        with pytest.raises(ValidationError):
            line.validate_python(text)
    with pytest.raises(ValidationError):
        prose.validate_python("a\x00b")
