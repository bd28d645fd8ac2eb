"""Coming in: passwords, sessions and their ends, wrong passwords counted, the first admin."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from isthmus.clinic.reading_room.account_tables import Account, SignInFailures, SignInSession
from isthmus.clinic.reading_room.accounts import named
from isthmus.clinic.reading_room.application import tell_first_password
from isthmus.clinic.reading_room.audit_table import AuditEvent
from isthmus.clinic.reading_room.passwords import Passwords, check_choice, one_time_password
from isthmus.clinic.reading_room.refusal import Refusal
from isthmus.clinic.reading_room.settings import PasswordHashing
from tests.clinic.reading_room.conftest import CHEAP, PASSWORD, RoomClient, add_account

COOKIE = "room_session"


def stolen(client: RoomClient, application) -> RoomClient:
    """Return another browser with this one's cookie and token."""
    thief = RoomClient(application)
    thief.cookies.set(COOKIE, client.cookies[COOKIE])
    thief.headers["X-CSRF-Token"] = client.csrf
    return thief


def is_in(client: RoomClient) -> bool:
    status = client.get("/api/v1/openapi.json").status_code
    assert status in (200, 401)
    return status == 200


def test_the_cookie_is_for_this_site_only_and_no_script_reads_it(guest, room):
    answer = guest.sign_in(add_account(room, "reader"))
    cookie = next(value for value in answer.headers.get_list("set-cookie") if value.startswith(COOKIE))
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie  # this room is not reached by TLS


def test_by_tls_the_cookie_goes_by_tls_only_and_belongs_to_this_host(make_room):
    application = make_room(trusted_proxies=("127.0.0.1",))
    client = RoomClient(application)
    cookie = client.get("/sign-in").headers["set-cookie"]
    assert cookie.startswith("__Host-room_door=")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    assert client.get("/sign-in").headers["strict-transport-security"].startswith("max-age=")


def test_the_store_holds_no_token_and_no_password(client_as, room):
    client = client_as("reader")
    with room.store.reading() as session:
        rows = [
            str(row) for table in (Account, SignInSession) for row in session.execute(sa.select(*table.__table__.c))
        ]
        account = session.get_one(Account, client.account)
    assert not any(client.cookies[COOKIE] in row or PASSWORD in row for row in rows)
    assert account.password_hash.startswith("$argon2id$")


def test_the_default_hash_costs_what_rfc_9106_recommends():
    # RFC 9106, section 4, second recommended option: t = 3, p = 4, m = 2^16 KiB.
    assert Passwords(PasswordHashing())._nobodys.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_every_sign_in_is_a_new_session_and_ends_the_one_before(client_as, application):
    client = client_as("reader")
    before = stolen(client, application)
    assert is_in(before)
    assert client.sign_in(client.name).status_code == 201
    assert is_in(client)
    assert not is_in(before)


def test_signing_out_ends_the_session_on_the_server(client_as, application):
    client = client_as("reader")
    thief = stolen(client, application)
    assert client.delete("/api/v1/session").status_code == 204
    assert not is_in(thief)
    assert COOKIE not in client.cookies


def test_signing_out_everywhere_ends_all_of_ones_sessions_and_nobody_elses(client_as, application):
    here, neighbour = client_as("reader"), client_as("reader")
    there = RoomClient(application)
    there.sign_in(here.name)
    assert here.delete("/api/v1/sessions").status_code == 204
    assert not is_in(there)
    assert is_in(neighbour)


def test_a_changed_password_ends_all_sessions_and_gives_this_browser_a_new_one(client_as, application):
    client = client_as("reader")
    old, there = stolen(client, application), RoomClient(application)
    there.sign_in(client.name)
    changed = client.put(
        "/api/v1/me/password", json={"present_password": PASSWORD, "new_password": "eleven grey geese"}
    )
    assert changed.status_code == 200
    assert is_in(client)
    assert not is_in(old)
    assert not is_in(there)
    assert there.sign_in(client.name).status_code == 401
    assert there.sign_in(client.name, "eleven grey geese").status_code == 201


def test_a_closed_account_is_out_at_once_and_stays_out(client_as, application):
    client, admin = client_as("reader"), client_as("admin")
    assert admin.put(f"/api/v1/accounts/{client.account}/active", json={"active": False}).status_code == 200
    assert not is_in(client)
    assert client.sign_in(client.name).status_code == 401
    assert admin.put(f"/api/v1/accounts/{client.account}/active", json={"active": True}).status_code == 200
    assert client.sign_in(client.name).status_code == 201


def test_a_session_ends_when_it_is_idle_and_at_the_latest_after_its_hours(client_as, clock, room):
    idle, busy = client_as("reader"), client_as("reader")
    for _ in range(room.settings.session_hours * 60 // 50):
        clock.forward(minutes=50)
        assert is_in(busy)
    assert not is_in(idle)
    clock.forward(minutes=50)
    assert not is_in(busy)


@pytest.mark.parametrize("token", ["", "x", "é", "' OR 1=1 --", "\x00", "a" * 4000])
def test_an_invented_token_opens_nothing(application, token):
    client = RoomClient(application)
    answer = client.get("/api/v1/openapi.json", headers={"Cookie": f"{COOKIE}={token}".encode()})
    assert answer.status_code == 401


def test_wrong_name_wrong_password_and_closed_account_are_told_apart_by_nothing(guest, room, monkeypatch):
    open_one, closed = add_account(room, "reader"), add_account(room, "reader")
    with room.store.writing() as session:
        named(session, closed).active = False
    hashed = []
    kept = Passwords.matches
    monkeypatch.setattr(Passwords, "matches", lambda self, *given: hashed.append(1) or kept(self, *given))
    answers = []
    for name, password in ((open_one, "wrong password"), (closed, PASSWORD), ("nobody.at.all", PASSWORD)):
        answer = guest.sign_in(name, password)
        answers.append((answer.status_code, answer.text, len(hashed)))
        hashed.clear()
    assert set(answers) == {(401, answers[0][1], 1)}  # the same words, and one hash each


def test_work_is_done_for_a_name_that_nobody_has():
    passwords, compared = Passwords(CHEAP), []
    passwords._hasher = type("Counted", (), {"verify": lambda self, kept, given: compared.append(kept) or True})()
    assert not passwords.matches(None, "anything")
    assert compared == [passwords._nobodys]


def test_an_account_is_closed_after_too_many_wrong_passwords_and_a_restart_forgives_nobody(make_room, tmp_path):
    application = make_room(folder=tmp_path / "room", account_failures=3)
    name = add_account(application.state.room, "reader")
    client = RoomClient(application)
    assert [client.sign_in(name, "wrong").status_code for _ in range(3)] == [401] * 3
    refused = client.sign_in(name)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 15 * 60
    again = RoomClient(make_room(folder=tmp_path / "room", account_failures=3))
    assert again.sign_in(name.upper()).status_code == 429  # the same account by another case
    with application.state.room.store.reading() as session:
        assert name not in str(session.execute(sa.select(*SignInFailures.__table__.c)).all())


def test_a_name_that_nobody_has_is_closed_alike(make_room):
    client = RoomClient(make_room(account_failures=3))
    assert [client.sign_in("nobody.here", "wrong").status_code for _ in range(4)] == [401, 401, 401, 429]


def test_the_door_opens_again_after_a_while_and_a_right_password_is_not_counted(make_room, clock):
    application = make_room(clock=clock, account_failures=3, address_failures=5)
    name = add_account(application.state.room, "reader")
    client = RoomClient(application)
    assert all(client.sign_in(name).status_code == 201 for _ in range(8))
    for _ in range(3):
        client.sign_in(name, "wrong")
    assert client.sign_in(name).status_code == 429
    clock.forward(minutes=16)
    assert client.sign_in(name).status_code == 201


def test_an_address_is_closed_after_wrong_passwords_for_many_names_and_others_are_not(make_room):
    application = make_room(address_failures=4)
    name = add_account(application.state.room, "reader")
    here = RoomClient(application, client=("2001:db8:1:2::aa", 1))
    assert [here.sign_in(f"name{number}", "wrong").status_code for number in range(5)] == [401] * 4 + [429]
    # Another address of the same network of 2^64 is the same attacker.
    assert RoomClient(application, client=("2001:db8:1:2::bb", 1)).sign_in(name).status_code == 429
    assert RoomClient(application, client=("2001:db8:1:3::aa", 1)).sign_in(name).status_code == 201


def test_the_first_admin_has_a_password_for_one_use_that_nothing_else_opens(make_room, tmp_path):
    announced = []
    application = make_room(folder=tmp_path / "room", announced=announced)
    [(name, password)] = announced
    client = RoomClient(application)
    assert client.sign_in(name, password).json()["must_change_password"] is True
    assert client.get("/").headers["location"] == "/password"
    refused = client.get("/api/v1/accounts")
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:isthmus:reading-room:one_time_password")
    chosen = {"present_password": password, "new_password": "a pond in late autumn"}
    assert client.put("/api/v1/me/password", json=chosen).status_code == 200
    client.fetch_token()
    assert client.get("/api/v1/accounts").status_code == 200
    assert RoomClient(application).sign_in(name, password).status_code == 401
    make_room(folder=tmp_path / "room", announced=announced)
    assert len(announced) == 1


def test_a_first_password_that_was_lost_before_its_use_is_replaced_at_the_next_start(make_room, tmp_path):
    announced = []
    make_room(folder=tmp_path / "room", announced=announced)
    client = RoomClient(make_room(folder=tmp_path / "room", announced=announced))
    (name, lost), (_, fresh) = announced
    assert client.sign_in(name, lost).status_code == 401
    assert client.sign_in(name, fresh).status_code == 201


def test_a_one_time_password_does_not_wait_for_ever(make_room, clock, tmp_path):
    announced = []
    application = make_room(clock=clock, announced=announced)
    clock.forward(hours=73)
    assert RoomClient(application).sign_in(*announced[0]).status_code == 401


def test_without_a_terminal_the_first_password_goes_into_a_file_of_its_own_and_no_log(tmp_path, caplog, capsys):
    tell_first_password(tmp_path, "admin", "abc-def")
    path = tmp_path / "first_password.txt"
    assert path.read_text() == "abc-def\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert "abc-def" not in caplog.text + capsys.readouterr().err
    assert str(path) in caplog.text


def test_on_a_terminal_the_first_password_is_printed_and_written_nowhere(tmp_path: Path, monkeypatch, capsys, caplog):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    tell_first_password(tmp_path, "admin", "abc-def")
    assert "abc-def" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert "abc-def" not in caplog.text


@pytest.mark.parametrize(
    ("password", "problem"),
    [("elevenchars", "password_short"), ("x" * 257, "password_long"), ("aaaabbbbccccdddd", "password_repeats"),
     ("Dr.Lin-Wei-123", "password_name")],
)  # fmt: skip
def test_a_password_is_judged_by_length_and_not_by_composition(password: str, problem: str):
    with pytest.raises(Refusal) as refused:
        check_choice(password, "dr.lin-wei")
    assert refused.value.problem == problem


@pytest.mark.parametrize("password", ["only lower case words", "甲状腺结节超声影像阅片室八月", "000111222333444555"])
def test_long_passwords_of_any_kind_are_taken(password: str):
    check_choice(password, "dr.lin-wei")


def test_the_same_keys_on_another_system_give_the_same_password():
    passwords = Passwords(CHEAP)
    assert passwords.matches(passwords.hash("cafe\u0301 and twelve"), "caf\u00e9 and twelve")
    assert not passwords.matches(passwords.hash("one password"), "another password")
    assert not passwords.matches("no hash at all", "anything")


def test_one_time_passwords_are_long_and_can_be_read_aloud():
    made = {one_time_password() for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(r"[a-hjkmnp-z2-9]{5}(-[a-hjkmnp-z2-9]{5}){3}", password) for password in made)


def test_every_act_at_the_door_is_in_the_log_without_what_was_typed(client_as, room):
    client = client_as("reader")
    client.sign_in(client.name, "a mistyped secret")
    client.sign_in("my password typed as name", "x")
    client.delete("/api/v1/session")
    with room.store.reading() as session:
        rows = session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id.desc()).limit(4)).all()
    assert [(row.action, row.account_id, row.object_id) for row in reversed(rows)] == [
        ("sign_in", client.account, client.account),
        ("sign_in_refused", None, client.account),
        ("sign_in_refused", None, None),
        ("sign_out", client.account, client.account),
    ]
