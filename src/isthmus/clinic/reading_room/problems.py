"""How a refusal and an error are told: JSON of RFC 9457 under ``/api``, a page elsewhere; never an inside detail."""

import json
import logging
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.orm.exc import StaleDataError
from starlette.exceptions import HTTPException

from isthmus.clinic.reading_room.refusal import Refusal
from isthmus.clinic.reading_room.rendering import go_to, render, visitor_of
from isthmus.clinic.reading_room.visitor import known

_LOG = logging.getLogger("isthmus.reading_room")
API = "/api/"
# What a library refuses by a status alone.
_BY_STATUS = {400: "body", 404: "not_found", 405: "method", 413: "too_large", 415: "body", 422: "invalid"}


class Fault(BaseModel):
    """One part of a request that is not as expected."""

    where: str
    what: str


class Problem(BaseModel):
    """What is wrong, where, what was expected, and the next thing to do (RFC 9457)."""

    type: str
    title: str
    status: int
    where: str | None = None
    expected: str | None = None
    next: str | None = None
    event: str | None = None
    faults: list[Fault] | None = None


PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "description": "Refused: what is wrong, where, what was expected, and the next thing to do.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}


def answer(
    request: Request, refusal: Refusal, *, faults: list[Fault] | None = None, event: str | None = None
) -> Response:
    """Return the answer to a refused request, as JSON or as a page."""
    is_api = request.url.path.startswith(API)
    if not is_api and refusal.problem in _INSTEAD:
        return _INSTEAD[refusal.problem](request)
    words = visitor_of(request).words
    parts = {
        part: words(key, **refusal.values)
        for part in ("what", "expected", "next")
        if words.has(key := f"problems.{refusal.problem}.{part}")
    }
    problem = Problem(
        type=f"urn:isthmus:reading-room:{refusal.problem}", title=parts["what"], status=refusal.status,
        where=refusal.field, expected=parts.get("expected"), next=parts.get("next"), event=event, faults=faults,
    )  # fmt: skip
    if is_api:
        # ASCII: a half surrogate that came in as JSON can still go out as JSON.
        return _Ascii(problem.model_dump(exclude_none=True), status_code=refusal.status, headers=refusal.headers)
    page = render(request, "problem.html.j2", status=refusal.status, problem=problem)
    page.headers.update(refusal.headers)
    return page


def words_of_refusal(request: Request, refusal: Refusal) -> str:
    """Return a refusal in one or two sentences, for a form that is shown again."""
    words = visitor_of(request).words
    keys = [f"problems.{refusal.problem}.{part}" for part in ("what", "expected", "next")]
    return " ".join(words(key, **refusal.values) for key in keys if words.has(key))


class _Ascii(JSONResponse):
    media_type = "application/problem+json"

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=True, allow_nan=False).encode("ascii")


def _to_sign_in(request: Request) -> Response:
    wanted = request.url.path if request.method == "GET" else "/"
    return go_to("/sign-in" if wanted == "/" else f"/sign-in?next={quote(wanted)}")


# What a page does instead of showing the refusal.
_INSTEAD: dict[str, Callable[[Request], Response]] = {
    "not_signed_in": _to_sign_in,
    "one_time_password": lambda _request: go_to("/password"),
}


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return answer(request, error)


def _by_status(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    request.state.visitor = known(request)
    problem = _BY_STATUS.get(error.status_code, "request")
    return answer(request, Refusal(error.status_code, problem, headers=dict(error.headers or {})))


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # The input itself is not repeated: it may be a password.
    faults = [
        Fault(where=".".join(map(str, fault["loc"]))[:200], what=str(fault["msg"])[:200]) for fault in error.errors()
    ]
    return answer(request, Refusal(422, "invalid"), faults=faults[:20])


def _changed(request: Request, _error: Exception) -> Response:
    return answer(request, Refusal(409, "changed"))


def _unfit(request: Request, _error: Exception) -> Response:
    return answer(request, Refusal(422, "invalid"))


def _busy(request: Request, error: Exception) -> Response:
    if "locked" not in str(error):
        return unexpected(request, error)
    return answer(request, Refusal(503, "busy", headers={"Retry-After": "2"}))


def unexpected(request: Request, error: Exception) -> Response:
    """Log an error under a number, and return an answer that says the number and nothing else."""
    event = secrets.token_hex(4)
    # The route's pattern, not the address: that may hold what somebody typed.
    route = getattr(request.scope.get("route"), "path", "no route")
    _LOG.error("event %s: %s %s", event, request.method, route, exc_info=error)
    return answer(request, Refusal(500, "unexpected", event=event), event=event)


def add_handlers(application: FastAPI) -> None:
    """Tell an application how refusals and errors are answered."""
    for kind, handler in (
        (Refusal, _refused),
        (HTTPException, _by_status),
        (RequestValidationError, _invalid),
        (IntegrityError, _changed),
        (StaleDataError, _changed),
        (DataError, _unfit),
        (OperationalError, _busy),
    ):
        application.add_exception_handler(kind, handler)
