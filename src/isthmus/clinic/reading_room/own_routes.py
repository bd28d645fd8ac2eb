"""What one does with one's own account: the first page, the password, language and mode."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response

from isthmus.clinic.reading_room.accounts import change_password, set_appearance
from isthmus.clinic.reading_room.fields import Body, Language, Mode, Secret
from isthmus.clinic.reading_room.passwords import SHORTEST
from isthmus.clinic.reading_room.problems import words_of_refusal
from isthmus.clinic.reading_room.refusal import Refusal
from isthmus.clinic.reading_room.rendering import go_to, own_path, render
from isthmus.clinic.reading_room.room import room_of
from isthmus.clinic.reading_room.routers import api_router, page_router
from isthmus.clinic.reading_room.sessions import csrf_token
from isthmus.clinic.reading_room.signing_in_routes import SessionOut, set_session
from isthmus.clinic.reading_room.visitor import Visitor, require

pages: APIRouter = page_router()
api: APIRouter = api_router("own account")
SignedIn = Annotated[Visitor, Depends(require("room"))]
# Who has a one-time password may replace it, and read the page on which that is done.
Newcomer = Annotated[Visitor, Depends(require("room", with_one_time_password=True))]


class PasswordChange(Body):
    """The present password and the chosen one."""

    present_password: Secret
    new_password: Secret


class Appearance(Body):
    """Language and mode of one's pages."""

    language: Language
    mode: Mode


@pages.get("/")
def home(request: Request, visitor: SignedIn) -> Response:
    """Show what one can do here."""
    return render(request, "home.html.j2")


@pages.get("/password")
def password_page(request: Request, visitor: Newcomer) -> Response:
    """Show the form for another password."""
    return render(request, "password.html.j2", problem=None, field=None, shortest=SHORTEST)


@pages.post("/password")
def change_by_form(
    request: Request,
    visitor: Newcomer,
    present_password: Annotated[Secret, Form()],
    new_password: Annotated[Secret, Form()],
    repeated: Annotated[Secret, Form()],
) -> Response:
    """Change the password, or show the form again and say why not."""
    room = room_of(request)
    try:
        if new_password != repeated:
            raise Refusal(422, "password_differs", field="repeated")
        token = change_password(room, visitor.account, present_password, new_password)
    except Refusal as refusal:
        return render(
            request, "password.html.j2", status=refusal.status, problem=words_of_refusal(request, refusal),
            field=refusal.field, shortest=SHORTEST,
        )  # fmt: skip
    answer = go_to("/")
    set_session(answer, room.settings, token)
    return answer


@pages.post("/appearance")
def appearance_by_form(
    request: Request,
    visitor: Newcomer,
    language: Annotated[Language, Form()],
    mode: Annotated[Mode, Form()],
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Keep language and mode, and go on where one was."""
    set_appearance(room_of(request), visitor.account, language, mode)
    return go_to(own_path(next))


@api.put("/me/password")
def put_password(request: Request, response: Response, visitor: Newcomer, body: PasswordChange) -> SessionOut:
    """Change one's password: all sessions end, and this browser gets a new one."""
    room = room_of(request)
    token = change_password(room, visitor.account, body.present_password, body.new_password)
    set_session(response, room.settings, token)
    return SessionOut(csrf=csrf_token(token), account=visitor.account, name=visitor.name, role=visitor.role)


@api.put("/me/appearance", status_code=204)
def put_appearance(request: Request, visitor: Newcomer, body: Appearance) -> None:
    """Keep language and mode of one's pages."""
    set_appearance(room_of(request), visitor.account, body.language, body.mode)
