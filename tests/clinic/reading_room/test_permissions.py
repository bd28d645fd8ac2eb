"""Who may use which route: one table, and no route without its line."""

from collections.abc import Iterator

import pytest
from fastapi.routing import APIRoute

from isthmus.clinic.reading_room.roles import RULES, Role
from isthmus.clinic.reading_room.visitor import anyone

# Method and path of every route, and the rule it asks for; None: before signing in.
TABLE = {
    ("GET", "/sign-in"): None,
    ("POST", "/sign-in"): None,
    ("POST", "/sign-out"): "room",
    ("GET", "/"): "room",
    ("GET", "/password"): "room",
    ("POST", "/password"): "room",
    ("POST", "/appearance"): "room",
    ("GET", "/accounts"): "accounts",
    ("POST", "/accounts"): "accounts",
    ("POST", "/accounts/{account_id}/one-time-password"): "accounts",
    ("POST", "/accounts/{account_id}/active"): "accounts",
    ("GET", "/audit"): "audit",
    ("GET", "/api/v1/session"): None,
    ("POST", "/api/v1/session"): None,
    ("DELETE", "/api/v1/session"): "room",
    ("DELETE", "/api/v1/sessions"): "room",
    ("PUT", "/api/v1/me/password"): "room",
    ("PUT", "/api/v1/me/appearance"): "room",
    ("GET", "/api/v1/accounts"): "accounts",
    ("POST", "/api/v1/accounts"): "accounts",
    ("POST", "/api/v1/accounts/{account_id}/one-time-password"): "accounts",
    ("PUT", "/api/v1/accounts/{account_id}/active"): "accounts",
    ("GET", "/api/v1/audit"): "audit",
    ("GET", "/api/v1/openapi.json"): "room",
}


def routes_of(application) -> Iterator[APIRoute]:
    """Walk all routes, also those of routers that were included."""
    for route in application.routes:
        if isinstance(route, APIRoute):
            yield route
        elif (router := getattr(route, "original_router", None)) is not None:
            yield from routes_of(router)


def dependencies_of(dependant) -> Iterator[object]:
    for one in dependant.dependencies:
        yield one.call
        yield from dependencies_of(one)


def found_in(application) -> dict[tuple[str, str], str | None]:
    table = {}
    for route in routes_of(application):
        calls = list(dependencies_of(route.dependant))
        assert anyone in calls, f"{route.path} asks nobody who is there"
        [rule] = {getattr(call, "rule", None) for call in calls} - {None} or {None}
        table |= {(method, route.path): rule for method in route.methods}
    return table


def test_every_route_asks_for_the_rule_of_the_table(application):
    assert found_in(application) == TABLE


def test_the_roles_of_every_rule():
    assert {rule: set(map(str, roles)) for rule, roles in RULES.items()} == {
        "room": {"reader", "lead", "admin"},
        "accounts": {"lead", "admin"},
        "audit": {"admin"},
    }


@pytest.mark.parametrize("role", [None, *Role])
def test_each_role_gets_where_the_table_says_and_nowhere_else(client_as, application, guest, role):
    client = client_as(role) if role else guest
    leaving = ("/api/v1/session", "/api/v1/sessions", "/sign-out")
    # What ends the session comes last, each with one of its own.
    for (method, path), rule in sorted(TABLE.items(), key=lambda line: line[0][1] in leaving):
        if role is None:
            client.fetch_token()
        elif path in leaving:
            client = client_as(role)
        address = path.replace("{account_id}", "1999999999")
        # Nothing that fits: whoever is let in is told that the body is wrong, or that there is no such account.
        answer = client.request(method, address, json={} if method in ("POST", "PUT") else None)
        is_let_in = rule is None or (role is not None and role in RULES[rule])
        if is_let_in:
            assert answer.status_code not in (401, 403), (role, method, path, answer.text)
        elif role is None and not path.startswith("/api/"):
            assert answer.headers["location"].startswith("/sign-in"), (method, path)
        else:
            assert answer.status_code in ((401,) if role is None else (403,)), (role, method, path)


def test_pages_offer_only_what_one_may_open(client_as):
    assert 'href="/accounts"' not in client_as("reader").get("/").text
    lead = client_as("lead").get("/").text
    assert 'href="/accounts"' in lead
    assert 'href="/audit"' not in lead
    assert 'href="/audit"' in client_as("admin").get("/").text
