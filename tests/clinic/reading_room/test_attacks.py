"""Whatever is sent to whatever route: an answer below 500, and a problem that can be read.

The routes and what they take come from the room's own OpenAPI description and route table, so a route that is added
is attacked without a line here. Values are the ones that break programs: of the wrong type, too long, too large, NUL,
half surrogates, SQL, HTML, paths.
"""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.clinic.reading_room.application import describe
from tests.clinic.reading_room.conftest import RoomClient
from tests.clinic.reading_room.test_permissions import routes_of

NASTY = [
    "", " ", "\x00", "a\x00b", "\ud800", "\ufffe", "\u202e", "'; DROP TABLE accounts; --", "' OR '1'='1", "%00", "%s%n",
    "<script>alert(1)</script>", "{{ 7*7 }}", "{name}", "../../etc/passwd", "A" * 5000, "-1", "1e999", "９", "true",
    0, -1, 1, 2**31, 2**63, 2**64, 10**400, 1.5, float("nan"), float("inf"), True, None, [], {}, [[]], {"a": {}},
]  # fmt: skip
RAW = [
    b"", b"{", b"null", b"[]", b'"x"', b"\xff\xfe", b"{" * 5000, b"[" * 5000, b'{"a":' * 2000, b"1" * 6000, b"\x00",
    b"NaN", b'{"name": "\\ud800", "\\udfff": 1}', b'{"name":1,"name":2}', b"csrf=1&csrf=2", b"a" * 3000 + b"=1",
]  # fmt: skip
KINDS = [
    "application/json", "application/x-www-form-urlencoded", "multipart/form-data", "multipart/form-data; boundary=x",
    "text/plain", "application/json; charset=utf-16", "image/png", "\xff", "",
]  # fmt: skip


def nasty() -> st.SearchStrategy[Any]:
    return st.sampled_from(NASTY) | st.text(max_size=30) | st.integers() | st.recursive(
        st.none() | st.booleans() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3), max_leaves=6
    )  # fmt: skip


def resolved(schema: dict[str, Any], description: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return description["components"]["schemas"][name] if name else schema


def like(schema: dict[str, Any], description: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return values that a schema allows, so that an attack gets past the first check of the others."""
    schema = resolved(schema, description)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("type") == "object":
        return st.fixed_dictionaries({key: like(one, description) for key, one in schema.get("properties", {}).items()})
    if schema.get("type") == "integer":
        return st.integers(schema.get("minimum", 0), schema.get("maximum", 100))
    return {"boolean": st.booleans(), "string": st.text(max_size=schema.get("maxLength", 20))}.get(
        schema.get("type", ""), st.none()
    )


@st.composite
def requests(draw: st.DrawFn, description: dict[str, Any]) -> dict[str, Any]:
    """Return one request of the API, some parts as described and some not."""
    path = draw(st.sampled_from(sorted(description["paths"])))
    method = draw(st.sampled_from(sorted(description["paths"][path])))
    operation = description["paths"][path][method]
    query, address = {}, path
    for parameter in operation.get("parameters", []):
        value = draw(like(parameter["schema"], description) | nasty())
        if parameter["in"] == "path":
            segment = re.sub(r"[/?#\s]", "", str(value).encode("utf-8", "replace").decode()) or "x"
            address = address.replace("{" + parameter["name"] + "}", "".join(filter(str.isprintable, segment))[:300])
        elif value is not None:
            query[parameter["name"]] = str(value).encode("utf-8", "replace")[:2000]
    asked: dict[str, Any] = {"method": method.upper(), "url": address, "params": query}
    if "requestBody" in operation:
        asked["headers"] = {"Content-Type": "application/json"}
        body = draw(like(operation["requestBody"]["content"]["application/json"]["schema"], description))
        if draw(st.booleans()) and isinstance(body, dict) and body:
            body[draw(st.sampled_from([*body, "unknown"]))] = draw(nasty())
        elif draw(st.booleans()):
            body = draw(nasty())
        asked["content"] = json.dumps(body).encode()
    return asked


def must_be_fine(answer: Any, is_api: bool = True) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400 and is_api:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["title"]
        assert "Traceback" not in answer.text


@pytest.fixture(scope="module")
def admin(client_as) -> RoomClient:
    return client_as("admin")


def test_the_api_answers_whatever_it_is_asked(application, room, client_as):
    description = describe(application, room.settings)
    client = client_as("admin")

    @settings(max_examples=70)
    @given(asked=requests(description))
    def attack(asked: dict[str, Any]) -> None:
        answer = client.request(**asked)
        must_be_fine(answer)
        if answer.status_code in (204, 401):  # it may have signed itself out
            assert client.sign_in(client.name).status_code == 201

    attack()


@pytest.mark.parametrize("content", RAW, ids=range(len(RAW)))
def test_bodies_that_are_none_are_refused(application, admin, content: bytes):
    routes = [(path, method) for path, methods in describe(application, admin.app.state.room.settings)["paths"].items()
              for method, one in methods.items() if "requestBody" in one]  # fmt: skip
    for number, (path, method) in enumerate(routes):
        for kind in {KINDS[0], KINDS[(RAW.index(content) + number) % len(KINDS)]}:
            answer = admin.request(method.upper(), path.replace("{account_id}", "1999999999"), content=content,
                                   headers={"Content-Type": kind.encode("latin-1")})  # fmt: skip
            must_be_fine(answer)
            assert answer.status_code >= 400


def test_every_page_and_form_answers_whatever_is_typed(application, client_as):
    client = client_as("admin")
    pages = [
        route for route in routes_of(application) if not route.path.startswith("/api/") and route.path != "/sign-out"
    ]
    for number, route in enumerate(pages):
        fields = [field.alias for field in route.dependant.body_params]
        for method in route.methods:
            for value in NASTY[number % 3 :: 3]:
                text = str(value).encode("utf-8", "surrogatepass")[:5000]
                path = re.sub(r"\{\w+\}", str(value)[:50] if str(value).isalnum() else "7", route.path)
                data = {"csrf": client.csrf.encode()} | dict.fromkeys(fields, text)
                body = "&".join(f"{key}={''.join(f'%{byte:02x}' for byte in one)}" for key, one in data.items())
                asked = dict.fromkeys((param.alias for param in route.dependant.query_params), text)
                answer = client.request(method, path.encode("utf-8", "replace").decode(), params=asked, content=body,
                                        headers={"Content-Type": "application/x-www-form-urlencoded"})  # fmt: skip
                must_be_fine(answer, is_api=False)
                assert "<script>alert" not in answer.text
                assert ">49<" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/static/../application.py",
        "/static/%2e%2e/application.py",
        "/static/..%2fapplication.py",
        "/static/%2e%2e%5capplication.py",
        "/static//etc/passwd",
        "/static/room.css%00",
    ],
)
def test_static_files_are_only_the_static_ones(guest, path: str):
    answer = guest.get(path)
    assert answer.status_code in (404, 405)
    assert "make_application" not in answer.text


@pytest.mark.parametrize("method", ["TRACE", "PATCH", "HEAD", "OPTIONS", "PROPFIND", "X" * 30])
def test_methods_that_nobody_offers_are_refused(guest, method: str):
    assert 400 <= guest.request(method, "/accounts").status_code < 500


def test_what_was_wrong_is_never_repeated(guest):
    answer = guest.post("/api/v1/session", json={"name": ["x"], "password": {"my secret": 1}, "extra": "my secret"})
    assert answer.status_code == 422
    assert "my secret" not in answer.text
    assert {fault["where"] for fault in answer.json()["faults"]} == {"body.name", "body.password", "body.extra"}


def test_a_hostile_name_is_text_on_every_page(client_as, application, room):
    # The rules for names would refuse it; a page escapes it all the same.
    from tests.clinic.reading_room.conftest import add_account

    name = add_account(room, "admin", name="\"><img src=x onerror=alert('1')>")
    client = RoomClient(application)
    assert client.sign_in(name).status_code == 201
    for path in ("/", "/accounts", "/audit", "/password"):
        text = client.get(path).text
        assert "<img" not in text
        assert "&lt;img src=x" in text
