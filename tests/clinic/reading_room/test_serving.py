"""The server itself, over a socket: ten gigabytes that come in, a process that is killed, a proxy that is believed."""

import contextlib
import json
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from http.client import HTTPConnection

import pytest

from isthmus.clinic.reading_room.application import serve
from isthmus.clinic.reading_room.settings import RoomSettings
from isthmus.errors import InputError
from tests.clinic.reading_room.conftest import PASSWORD, RoomClient, serving

TEN_GIGABYTES = 10 << 30


def flood(address: str, framing: str) -> tuple[bytes, int]:
    """Send a body without end; return the answer, and how much of the body went before it came."""
    host, port = address.removeprefix("http://").split(":")
    piece = b"x" * (1 << 16)
    if "chunked" in framing:
        piece = b"%x\r\n%s\r\n" % (len(piece), piece)
    answer, sent = b"", 0
    with closing(socket.create_connection((host, int(port)), timeout=60)) as line:
        head = f"POST /api/v1/session HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n{framing}\r\n\r\n"
        line.sendall(head.encode())
        with contextlib.suppress(ConnectionError):  # the server may hang up while we send
            while sent < TEN_GIGABYTES and not select.select([line], [], [], 0)[0]:
                line.sendall(piece)
                sent += len(piece)
        with contextlib.suppress(ConnectionError):
            answer = line.recv(1 << 16)
    return answer, sent


@pytest.mark.parametrize("framing", [f"Content-Length: {TEN_GIGABYTES}", "Transfer-Encoding: chunked"])
def test_ten_gigabytes_are_cut_off_at_the_limit(served, framing: str):
    answer, sent = flood(served, framing)
    # What the buffers on the way hold of it is sent too, so not exactly one megabyte.
    assert sent < 64 << 20
    assert answer.startswith(b"HTTP/1.1 413"), answer[:200]
    assert b"connection: close" in answer.lower()
    with closing(HTTPConnection(served.removeprefix("http://"), timeout=60)) as again:
        again.request("GET", "/sign-in")
        assert again.getresponse().status == 200


def free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_what_was_answered_as_saved_is_there_after_the_process_was_killed(tmp_path, make_room):
    port, folder = free_port(), tmp_path / "room"
    code = (
        "import sys; from pathlib import Path; from isthmus.clinic.reading_room.application import serve; "
        "from isthmus.clinic.reading_room.settings import PasswordHashing, RoomSettings; "
        "serve(RoomSettings(folder=Path(sys.argv[1]), port=int(sys.argv[2]), "
        "hashing=PasswordHashing(rounds=1, memory_kib=8, lanes=1)))"
    )
    server = subprocess.Popen([sys.executable, "-c", code, str(folder), str(port)], stderr=subprocess.PIPE, text=True)
    try:
        said = server.stderr.readline()
        password = (folder / "first_password.txt").read_text().strip()
        assert "first_password.txt" in said
        assert password not in said
        cookie, token = call(port, "GET", "/api/v1/session", None, "", "")
        cookie, token = call(port, "POST", "/api/v1/session", {"name": "admin", "password": password}, cookie, token)
        chosen = {"present_password": password, "new_password": PASSWORD}
        call(port, "PUT", "/api/v1/me/password", chosen, cookie, token)
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()
        server.stderr.close()
    client = RoomClient(make_room(folder=folder))
    assert client.sign_in("admin").status_code == 201
    assert not (folder / "first_password.txt").exists()


def call(port: int, method: str, path: str, body: object, cookie: str, token: str) -> tuple[str, str]:
    """Send a request as a program would; return the cookie and the token that came back."""
    for _ in range(600):
        try:
            with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as line:
                headers = {"Cookie": cookie, "X-CSRF-Token": token, "Content-Type": "application/json"}
                line.request(method, path, None if body is None else json.dumps(body), headers)
                answer = line.getresponse()
                told = json.loads(answer.read())
                assert answer.status < 300, told
                given = answer.headers.get_all("set-cookie") or [cookie]
                return "; ".join(one.partition(";")[0] for one in given), told["csrf"]
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise AssertionError("the server did not start")


def test_a_room_open_to_a_network_without_tls_does_not_start(tmp_path):
    with pytest.raises(InputError, match="clear text"):
        serve(RoomSettings(folder=tmp_path / "room", host="0.0.0.0"))
    assert not (tmp_path / "room").exists()


def test_a_taken_port_is_one_line_and_makes_nothing(tmp_path):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"nothing can listen here.*port {port}.*another port"):
            serve(RoomSettings(folder=tmp_path / "room", port=port))
    assert not (tmp_path / "room").exists()


@pytest.mark.parametrize("is_trusted", [True, False])
def test_where_a_request_came_from_is_the_word_of_a_trusted_proxy_only(make_room, is_trusted: bool):
    proxies = ("127.0.0.1",) if is_trusted else ()
    application = make_room(trusted_proxies=proxies, address_failures=1)
    statuses = []
    with serving(application) as address:
        for client in ("198.51.100.7", "198.51.100.8"):
            cookie, token = call(int(address.rpartition(":")[2]), "GET", "/api/v1/session", None, "", "")
            with closing(HTTPConnection(address.removeprefix("http://"), timeout=60)) as line:
                headers = {"Cookie": cookie, "X-CSRF-Token": token, "Content-Type": "application/json"}
                headers |= {"X-Forwarded-For": client, "X-Forwarded-Proto": "https"}
                line.request("POST", "/api/v1/session", '{"name": "nobody", "password": "x"}', headers)
                statuses.append(line.getresponse().status)
    assert statuses == ([401, 401] if is_trusted else [401, 429])
    assert cookie.startswith("__Host-") == is_trusted
