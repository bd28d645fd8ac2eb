"""Coming in and leaving: the sign-in page, signing out here and everywhere, and the same for programs."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel

from isthmus.clinic.reading_room.account_tables import Account
from isthmus.clinic.reading_room.fields import Body, Language, Line, Secret
from isthmus.clinic.reading_room.problems import words_of_refusal
from isthmus.clinic.reading_room.refusal import Refusal
from isthmus.clinic.reading_room.rendering import go_to, own_path, render
from isthmus.clinic.reading_room.roles import Role
from isthmus.clinic.reading_room.room import room_of
from isthmus.clinic.reading_room.routers import api_router, page_router
from isthmus.clinic.reading_room.sessions import csrf_token, new_token
from isthmus.clinic.reading_room.settings import RoomSettings
from isthmus.clinic.reading_room.signing_in import sign_in, sign_out
from isthmus.clinic.reading_room.visitor import (
    LANGUAGE_COOKIE,
    Visitor,
    address_of,
    anyone,
    door_cookie,
    guest,
    require,
    session_cookie,
)

pages: APIRouter = page_router()
api: APIRouter = api_router("session")
Anyone = Annotated[Visitor, Depends(anyone)]
SignedIn = Annotated[Visitor, Depends(require("room", with_one_time_password=True))]


class SessionOut(BaseModel):
    """The session of this browser, and the token that its requests bring along as `X-CSRF-Token`."""

    csrf: str
    account: int | None = None
    name: str | None = None
    role: Role | None = None
    must_change_password: bool = False


class SignIn(Body):
    """Name and password."""

    name: Line
    password: Secret


def set_session(response: Response, settings: RoomSettings, token: str) -> None:
    """Give a browser its session; scripts cannot read it and other sites' requests do not carry it."""
    response.set_cookie(
        session_cookie(settings), token, max_age=settings.session_hours * 3600, path="/", httponly=True,
        secure=settings.secure, samesite="strict",
    )  # fmt: skip
    response.delete_cookie(door_cookie(settings), path="/", httponly=True, secure=settings.secure, samesite="strict")


def end_session(response: Response, settings: RoomSettings) -> None:
    """Take a browser's session away."""
    response.delete_cookie(session_cookie(settings), path="/", httponly=True, secure=settings.secure, samesite="strict")


def _at_the_door(request: Request, visitor: Visitor) -> tuple[Visitor, str | None]:
    """Return a visitor that has a token for the form, and the cookie to set when it is new."""
    if visitor.csrf:
        return visitor, None
    door = new_token()
    visitor = guest(request, csrf_token(door))
    request.state.visitor = visitor
    return visitor, door


def _set_door(response: Response, settings: RoomSettings, door: str | None) -> None:
    if door is not None:
        response.set_cookie(
            door_cookie(settings), door, path="/", httponly=True, secure=settings.secure, samesite="strict"
        )


@pages.get("/sign-in")
def sign_in_page(request: Request, visitor: Anyone, next: str = "/", language: Language | None = None) -> Response:
    """Show the sign-in page."""
    if visitor.account_id is not None:
        return go_to(own_path(next))
    settings = room_of(request).settings
    if language is not None:
        answer = go_to(f"/sign-in?next={quote(own_path(next))}")
        answer.set_cookie(LANGUAGE_COOKIE, language, max_age=31536000, path="/", secure=settings.secure, samesite="lax")
        return answer
    _, door = _at_the_door(request, visitor)
    page = render(request, "sign_in.html.j2", next=own_path(next), name="", problem=None)
    _set_door(page, settings, door)
    return page


@pages.post("/sign-in")
def sign_in_by_form(
    request: Request,
    visitor: Anyone,
    name: Annotated[Line, Form()],
    password: Annotated[Secret, Form()],
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Sign in, or show the page again and say why not."""
    room = room_of(request)
    try:
        _, token = _sign_in(request, name, password)
    except Refusal as refusal:
        problem = words_of_refusal(request, refusal)
        page: HTMLResponse = render(
            request, "sign_in.html.j2", status=refusal.status, next=own_path(next), name=name, problem=problem
        )
        page.headers.update(refusal.headers)
        return page
    answer = go_to(own_path(next))
    set_session(answer, room.settings, token)
    return answer


def _sign_in(request: Request, name: str, password: str) -> tuple[Account, str]:
    room = room_of(request)
    present = request.cookies.get(session_cookie(room.settings))
    return sign_in(room, name, password, address_of(request), present)


@pages.post("/sign-out")
def sign_out_by_form(request: Request, visitor: SignedIn, everywhere: Annotated[bool, Form()] = False) -> Response:
    """Sign out, of this browser or of all."""
    answer = go_to("/sign-in")
    _sign_out(request, answer, visitor, everywhere)
    return answer


def _sign_out(request: Request, response: Response, visitor: Visitor, everywhere: bool) -> None:
    room = room_of(request)
    sign_out(room, visitor.account, request.cookies.get(session_cookie(room.settings), ""), everywhere)
    end_session(response, room.settings)


@api.get("/session")
def get_session(request: Request, response: Response, visitor: Anyone) -> SessionOut:
    """Say who is signed in, and give the token for requests that change something, also for signing in."""
    visitor, door = _at_the_door(request, visitor)
    _set_door(response, room_of(request).settings, door)
    return SessionOut(
        csrf=visitor.csrf, account=visitor.account_id, name=visitor.name or None, role=visitor.role,
        must_change_password=visitor.must_change,
    )  # fmt: skip


@api.post("/session", status_code=201)
def post_session(request: Request, response: Response, visitor: Anyone, body: SignIn) -> SessionOut:
    """Sign in: sets the cookie of the session, and gives its token."""
    room = room_of(request)
    account, token = _sign_in(request, body.name, body.password)
    set_session(response, room.settings, token)
    return SessionOut(
        csrf=csrf_token(token), account=account.id, name=account.name, role=Role(account.role),
        must_change_password=account.one_time_until is not None,
    )  # fmt: skip


@api.delete("/session", status_code=204)
def delete_session(request: Request, response: Response, visitor: SignedIn) -> None:
    """Sign out of this browser."""
    _sign_out(request, response, visitor, everywhere=False)


@api.delete("/sessions", status_code=204)
def delete_sessions(request: Request, response: Response, visitor: SignedIn) -> None:
    """Sign out everywhere."""
    _sign_out(request, response, visitor, everywhere=True)
