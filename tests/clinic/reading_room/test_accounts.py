"""Accounts: who makes and closes whose, names, one-time passwords, the audit log, one's own language and mode."""

import threading

import pytest

from tests.clinic.reading_room.conftest import PASSWORD, RoomClient


def make(client: RoomClient, name: str, role: str = "reader"):
    return client.post("/api/v1/accounts", json={"name": name, "role": role})


def problem(answer) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == answer.status_code
    assert told["title"]
    return answer.status_code, told["type"].removeprefix("urn:isthmus:reading-room:")


def test_a_lead_makes_a_reader_who_chooses_a_password_and_comes_in(client_as, application):
    made = make(client_as("lead"), "王医生")
    assert made.status_code == 201
    reader = RoomClient(application)
    assert reader.sign_in("王医生", made.json()["one_time_password"]).status_code == 201
    assert reader.get("/").headers["location"] == "/password"
    form = {"csrf": reader.csrf, "present_password": made.json()["one_time_password"]}
    wrong = reader.post("/password", data=form | {"new_password": PASSWORD, "repeated": "something else"})
    assert wrong.status_code == 422
    assert "differ" in wrong.text
    assert reader.post("/password", data=form | {"new_password": PASSWORD, "repeated": PASSWORD}).status_code == 303
    assert reader.get("/").status_code == 200


@pytest.mark.parametrize(
    ("maker", "role", "status"),
    [
        ("lead", "reader", 201),
        ("lead", "lead", 403),
        ("lead", "admin", 403),
        ("admin", "lead", 201),
        ("admin", "admin", 201),
    ],
)
def test_one_makes_accounts_below_ones_own_and_admins_make_all(client_as, maker: str, role: str, status: int):
    assert make(client_as(maker), f"made.by.{maker}.{role}", role).status_code == status


def test_a_lead_neither_closes_an_admin_nor_gives_one_a_password(client_as):
    lead, admin = client_as("lead"), client_as("admin")
    assert problem(lead.put(f"/api/v1/accounts/{admin.account}/active", json={"active": False})) == (403, "role_above")
    assert problem(lead.post(f"/api/v1/accounts/{admin.account}/one-time-password")) == (403, "role_above")


def test_nobody_closes_the_own_account_so_that_one_admin_stays(client_as):
    admin = client_as("admin")
    assert problem(admin.put(f"/api/v1/accounts/{admin.account}/active", json={"active": False})) == (
        409,
        "own_account",
    )
    assert problem(admin.post(f"/api/v1/accounts/{admin.account}/one-time-password")) == (409, "own_account")


@pytest.mark.parametrize("name", ["Twin", "tWIN", "\uff34\uff37\uff29\uff2e"])
def test_names_that_look_alike_are_one_name(client_as, name: str):
    admin = client_as("admin")
    make(admin, "twin")
    assert problem(make(admin, name)) == (409, "account_name_taken")


@pytest.mark.parametrize("name", ["", "a", " ", "two words", "<b>bold</b>", "a'; DROP TABLE accounts; --", "x" * 65,
                                  "_under", "tab\tname", "zero\u200bwidth", "right\u202eleft"])  # fmt: skip
def test_a_name_that_is_none_is_refused_with_what_was_expected(client_as, name: str):
    answer = make(client_as("admin"), name)
    assert answer.status_code == 422
    assert answer.json().get("expected") or answer.json()["faults"]


def test_two_who_make_the_same_name_at_once_make_one(client_as):
    admins = [client_as("admin") for _ in range(4)]
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda one=one: statuses.append(make(one, "at.once").status_code)) for one in admins
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201, 409, 409, 409]


def test_a_new_one_time_password_ends_the_old_one_and_all_sessions(client_as, application):
    admin, reader = client_as("admin"), client_as("reader")
    given = admin.post(f"/api/v1/accounts/{reader.account}/one-time-password").json()["one_time_password"]
    assert reader.get("/api/v1/openapi.json").status_code == 401
    assert reader.sign_in(reader.name).status_code == 401
    assert reader.sign_in(reader.name, given).json()["must_change_password"] is True


def test_a_one_time_password_is_shown_once_and_in_no_address(client_as):
    admin = client_as("admin")
    shown = admin.post("/accounts", data={"csrf": admin.csrf, "name": "shown.once", "role": "reader", "language": "zh"})
    assert shown.status_code == 201
    assert "one-time" in shown.text
    assert shown.headers["cache-control"] == "no-store"
    again = admin.get("/accounts").text
    assert "shown.once" in again
    assert 'id="one-time"' not in again


def test_the_form_is_shown_again_with_what_was_typed_and_why_it_was_refused(client_as):
    admin = client_as("admin")
    shown = admin.post("/accounts", data={"csrf": admin.csrf, "name": "<script>x", "role": "lead", "language": "en"})
    assert shown.status_code == 422
    assert "&lt;script&gt;x" in shown.text
    assert "<script>x" not in shown.text
    assert 'aria-invalid="true"' in shown.text


def test_the_forms_close_and_open_an_account(client_as, application):
    admin, reader = client_as("admin"), client_as("reader")
    for active, comes_in in (("false", 401), ("true", 201)):
        sent = admin.post(f"/accounts/{reader.account}/active", data={"csrf": admin.csrf, "active": active})
        assert (sent.status_code, sent.headers["location"]) == (303, "/accounts")
        assert RoomClient(application).sign_in(reader.name).status_code == comes_in


def test_an_account_that_is_not_there_is_404(client_as):
    admin = client_as("admin")
    assert problem(admin.put("/api/v1/accounts/2000000000/active", json={"active": False})) == (404, "no_account")
    assert admin.post("/accounts/2000000000/active", data={"csrf": admin.csrf, "active": "true"}).status_code == 404


def test_the_log_says_who_did_what_to_whom_newest_first_and_page_by_page(client_as):
    admin, reader = client_as("admin"), client_as("reader")
    admin.put(f"/api/v1/accounts/{reader.account}/active", json={"active": False})
    newest = admin.get("/api/v1/audit", params={"limit": 2}).json()
    assert (newest[0]["action"], newest[0]["name"], newest[0]["object_id"]) == (
        "account_close",
        admin.name,
        reader.account,
    )
    older = admin.get("/api/v1/audit", params={"limit": 2, "before": newest[-1]["id"]}).json()
    assert older[0]["id"] < newest[-1]["id"]
    assert "Closed an account" in admin.get("/audit").text
    assert admin.get("/audit", params={"before": newest[0]["id"]}).status_code == 200


def test_language_and_mode_are_the_accounts_own(client_as):
    reader = client_as("reader")
    assert 'lang="en" data-mode="system"' in reader.get("/").text
    assert reader.put("/api/v1/me/appearance", json={"language": "zh", "mode": "dark"}).status_code == 204
    page = reader.get("/")
    assert 'lang="zh-Hans" data-mode="dark"' in page.text
    assert page.headers["content-language"] == "zh-Hans"
    assert "操作" in reader.get("/nowhere").text or "首页" in reader.get("/nowhere").text
    assert reader.get("/api/v1/nowhere").json()["title"] == "此地址没有内容。"
    sent = reader.post(
        "/appearance", data={"csrf": reader.csrf, "language": "en", "mode": "light", "next": "/password"}
    )
    assert sent.headers["location"] == "/password"


def test_before_signing_in_the_browser_says_the_language_until_one_is_chosen(guest):
    chinese = {"Accept-Language": "zh-CN,zh;q=0.9"}
    assert 'lang="zh-Hans"' in guest.get("/sign-in", headers=chinese).text
    assert guest.get("/sign-in?language=en&next=/audit", headers=chinese).headers["location"] == "/sign-in?next=/audit"
    assert 'lang="en"' in guest.get("/sign-in", headers=chinese).text


@pytest.mark.parametrize("where", ["//elsewhere.example", "https://elsewhere.example", "/\\elsewhere.example", "x",
                                   "/a\r\nSet-Cookie: a=b", "javascript:alert(1)"])  # fmt: skip
def test_nobody_is_sent_elsewhere_after_signing_in(client_as, where: str):
    reader = client_as("reader")
    assert reader.get("/sign-in", params={"next": where}).headers["location"] == "/"


def test_who_was_sent_to_sign_in_goes_on_to_the_page_that_was_asked_for(application, client_as):
    admin = client_as("admin")
    client = RoomClient(application)
    asked = client.get("/audit").headers["location"]
    assert asked == "/sign-in?next=/audit"
    client.get(asked)
    token = client.fetch_token()["csrf"]
    form = {"csrf": token, "name": admin.name, "password": PASSWORD, "next": "/audit"}
    assert client.post("/sign-in", data=form).headers["location"] == "/audit"


def test_a_wrong_password_on_the_page_is_said_there(application):
    client = RoomClient(application)
    form = {"csrf": client.fetch_token()["csrf"], "name": "nobody.known", "password": "x"}
    answer = client.post("/sign-in", data=form)
    assert answer.status_code == 401
    assert "do not belong to an open account" in answer.text
    assert 'value="nobody.known"' in answer.text
