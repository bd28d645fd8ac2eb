"""Accounts as leads and admins see them: listed, made, closed, opened, given a new one-time password."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from pydantic import BaseModel, StrictBool

from isthmus.clinic.reading_room import accounts
from isthmus.clinic.reading_room.account_tables import Account
from isthmus.clinic.reading_room.fields import Body, Language, Line, RowId
from isthmus.clinic.reading_room.problems import words_of_refusal
from isthmus.clinic.reading_room.refusal import Refusal
from isthmus.clinic.reading_room.rendering import go_to, render
from isthmus.clinic.reading_room.roles import MANAGES, Role
from isthmus.clinic.reading_room.room import room_of
from isthmus.clinic.reading_room.routers import api_router, page_router
from isthmus.clinic.reading_room.visitor import Visitor, require

pages: APIRouter = page_router()
api: APIRouter = api_router("accounts")
Manager = Annotated[Visitor, Depends(require("accounts"))]


class AccountOut(BaseModel):
    """An account."""

    id: int
    name: str
    role: Role
    active: bool
    language: Language
    waits_for_first_password: bool
    created_at: datetime
    signed_in_at: datetime | None


class OneTimeOut(BaseModel):
    """An account with its one-time password, which is shown this once and kept nowhere."""

    account: AccountOut
    one_time_password: str
    until: datetime


class AccountIn(Body):
    """An account to make."""

    name: Line
    role: Role
    language: Language = "en"


class Active(Body):
    """Whether an account may be used."""

    active: StrictBool


def _out(account: Account) -> AccountOut:
    return AccountOut(
        id=account.id, name=account.name, role=Role(account.role), active=account.active,
        language="zh" if account.language == "zh" else "en", created_at=account.created_at,
        waits_for_first_password=account.one_time_until is not None, signed_in_at=account.signed_in_at,
    )  # fmt: skip


def _page(
    request: Request,
    visitor: Visitor,
    *,
    status: int = 200,
    typed: str = "",
    role: Role = Role.READER,
    problem: str | None = None,
    field: str | None = None,
    made: OneTimeOut | None = None,
) -> Response:
    with room_of(request).store.reading() as session:
        rows = accounts.all_accounts(session)
    managed = MANAGES[visitor.role] if visitor.role else frozenset[Role]()
    return render(
        request, "accounts.html.j2", status=status, accounts=rows, roles=[kind for kind in Role if kind in managed],
        typed=typed, chosen=role, problem=problem, field=field, made=made, longest=accounts.NAME_LENGTH,
    )  # fmt: skip


@pages.get("/accounts")
def accounts_page(request: Request, visitor: Manager) -> Response:
    """Show all accounts, and the form for another."""
    return _page(request, visitor)


@pages.post("/accounts")
def create_by_form(
    request: Request,
    visitor: Manager,
    name: Annotated[Line, Form()],
    role: Annotated[Role, Form()],
    language: Annotated[Language, Form()],
) -> Response:
    """Make an account and show its one-time password once; or show the form again and say why not."""
    try:
        account, one_time = accounts.create(room_of(request), visitor.account, name, role, language)
    except Refusal as refusal:
        problem = words_of_refusal(request, refusal)
        return _page(
            request, visitor, status=refusal.status, typed=name, role=role, problem=problem, field=refusal.field
        )
    # Shown in the answer itself: on the way to another page it would stand in an address or have to be kept.
    made = OneTimeOut(account=_out(account), one_time_password=one_time.password, until=one_time.until)
    return _page(request, visitor, status=201, made=made)


@pages.post("/accounts/{account_id}/one-time-password")
def renew_by_form(request: Request, visitor: Manager, account_id: RowId) -> Response:
    """Give an account a new one-time password and show it once."""
    account, one_time = accounts.renew_password(room_of(request), visitor.account, account_id)
    made = OneTimeOut(account=_out(account), one_time_password=one_time.password, until=one_time.until)
    return _page(request, visitor, made=made)


@pages.post("/accounts/{account_id}/active")
def set_active_by_form(
    request: Request, visitor: Manager, account_id: RowId, active: Annotated[bool, Form()]
) -> Response:
    """Close an account, or open it again."""
    accounts.set_active(room_of(request), visitor.account, account_id, active)
    return go_to("/accounts")


@api.get("/accounts")
def list_accounts(request: Request, visitor: Manager) -> list[AccountOut]:
    """List all accounts."""
    with room_of(request).store.reading() as session:
        return [_out(account) for account in accounts.all_accounts(session)]


@api.post("/accounts", status_code=201)
def create_account(request: Request, visitor: Manager, body: AccountIn) -> OneTimeOut:
    """Make an account."""
    account, one_time = accounts.create(room_of(request), visitor.account, body.name, body.role, body.language)
    return OneTimeOut(account=_out(account), one_time_password=one_time.password, until=one_time.until)


@api.post("/accounts/{account_id}/one-time-password")
def renew_password(request: Request, visitor: Manager, account_id: RowId) -> OneTimeOut:
    """Give an account a new one-time password; its sessions end."""
    account, one_time = accounts.renew_password(room_of(request), visitor.account, account_id)
    return OneTimeOut(account=_out(account), one_time_password=one_time.password, until=one_time.until)


@api.put("/accounts/{account_id}/active")
def set_active(request: Request, visitor: Manager, account_id: RowId, body: Active) -> AccountOut:
    """Close an account, whose sessions end, or open it again."""
    return _out(accounts.set_active(room_of(request), visitor.account, account_id, body.active))
