"""Who asks: the visitor of a request, found by the cookie, checked for every route by `require`.

``require("accounts")`` is the dependency of a route that only accounts with that rule may use (see ``roles.RULES``).
It refuses who is not signed in (401; a page sends to the sign-in page), whose password is still a one-time one (403;
a page sends to the page where it is changed), who lacks the rule (403), who asks too often (429), and any request that
changes something without its token (403). ``anyone`` is the dependency of the few routes before signing in.
"""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from isthmus.clinic.reading_room import sessions
from isthmus.clinic.reading_room.account_tables import SignInSession
from isthmus.clinic.reading_room.refusal import Refusal
from isthmus.clinic.reading_room.roles import RULES, Role, may
from isthmus.clinic.reading_room.room import Room, room_of
from isthmus.clinic.reading_room.settings import RoomSettings
from isthmus.clinic.reading_room.words import LANGUAGES, Words, preferred, words_of

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
TOKEN_HEADER = "X-CSRF-Token"
TOKEN_FIELD = "csrf"
LANGUAGE_COOKIE = "room_language"
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


@dataclass(frozen=True)
class Visitor:
    """Who asks, in what language, and what a form of theirs has to carry.

    Parameters
    ----------
    account_id, name, role : optional
        Of the account; None before signing in.
    language, mode : str
        Of the pages.
    csrf : str
        The token that requests of this browser bring along when they change something; empty without a cookie.
    must_change : bool
        Whether the password is still a one-time one.
    """

    language: str
    mode: str = "system"
    csrf: str = ""
    account_id: int | None = None
    name: str = ""
    role: Role | None = None
    must_change: bool = False

    @property
    def words(self) -> Words:
        """The words of the visitor's language."""
        return words_of(self.language)

    @property
    def account(self) -> int:
        """The number of the account of someone who is signed in."""
        if self.account_id is None:
            raise Refusal(401, "not_signed_in")
        return self.account_id

    def may(self, rule: str) -> bool:
        """Return whether the visitor has what a rule asks for."""
        return may(self.role, rule)


def session_cookie(settings: RoomSettings) -> str:
    """Return the name of the cookie; with TLS one that browsers take from this very host by TLS only."""
    return "__Host-room_session" if settings.secure else "room_session"


def door_cookie(settings: RoomSettings) -> str:
    """Return the name of the cookie that stands for the session before there is one."""
    return "__Host-room_door" if settings.secure else "room_door"


def address_of(request: Request) -> str:
    """Return the address that a request came from."""
    return request.client.host if request.client else "unknown"


def guest(request: Request, csrf: str = "") -> Visitor:
    """Return someone who is not signed in, with the language that the browser asks for."""
    chosen = request.cookies.get(LANGUAGE_COOKIE, "")
    language = chosen if chosen in LANGUAGES else preferred(request.headers.get("accept-language", ""))
    return Visitor(language=language, csrf=csrf)


def known(request: Request) -> Visitor:
    """Return who asks where no route is reached, for the words and the navigation of the answer."""
    visitor: Visitor | None = getattr(request.state, "visitor", None)
    return visitor or _signed_in(request, room_of(request)) or guest(request)


async def _given_token(request: Request) -> str:
    """Return the token that came with a request: in a header, or in a field of a form."""
    given = request.headers.get(TOKEN_HEADER)
    if given is None and request.method not in SAFE_METHODS:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind in _FORMS:
            # Read once and kept by the request; the route's own fields come from the same form.
            field = (await request.form(max_files=0, max_fields=100)).get(TOKEN_FIELD)
            given = field if isinstance(field, str) else None
    return given or ""


def anyone(request: Request, given: Annotated[str, Depends(_given_token)]) -> Visitor:
    """Return who asks; a request that changes something must bring its token."""
    room = room_of(request)
    visitor = _signed_in(request, room)
    if visitor is None:
        door = request.cookies.get(door_cookie(room.settings), "")
        visitor = guest(request, sessions.csrf_token(door) if door else "")
    request.state.visitor = visitor
    who = f"address {address_of(request)}" if visitor.account_id is None else f"account {visitor.account_id}"
    room.rates.count(who)
    if request.method not in SAFE_METHODS:
        _check_token(visitor, given)
    return visitor


def _check_token(visitor: Visitor, given: str) -> None:
    # Bytes: comparing texts that are not ASCII raises.
    right = hmac.compare_digest(visitor.csrf.encode(), given.encode("utf-8", "replace"))
    if visitor.csrf and right:
        return
    if visitor.account_id is None:
        raise Refusal(401, "not_signed_in")  # most often a session that has ended meanwhile
    raise Refusal(403, "token")


def _signed_in(request: Request, room: Room) -> Visitor | None:
    token = request.cookies.get(session_cookie(room.settings))
    if not token:
        return None
    now = room.clock()
    with room.store.reading() as session:
        found = sessions.find(session, room.settings, now, token)
    if found is None:
        return None
    if sessions.is_to_be_noted(found, now):
        with room.store.writing() as session:
            kept = session.get(SignInSession, found.id)
            if kept is not None:
                kept.seen_at = now
    account = found.account
    return Visitor(
        language=account.language, mode=account.mode, csrf=sessions.csrf_token(token), account_id=account.id,
        name=account.name, role=Role(account.role), must_change=account.one_time_until is not None,
    )  # fmt: skip


def require(rule: str, *, with_one_time_password: bool = False) -> Callable[[Visitor], Awaitable[Visitor]]:
    """Return the dependency of a route that only some may use.

    Parameters
    ----------
    rule : str
        One of ``roles.RULES``.
    with_one_time_password : bool
        Whether someone who still has to change the password may use it: to change it, or to leave.

    Raises
    ------
    KeyError
        At once, when there is no such rule.
    """
    RULES[rule]

    async def check(visitor: Annotated[Visitor, Depends(anyone)]) -> Visitor:  # waits for nothing, needs no thread
        visitor.account  # noqa: B018  (refuses who is not signed in)
        if visitor.must_change and not with_one_time_password:
            raise Refusal(403, "one_time_password")
        if not visitor.may(rule):
            raise Refusal(403, "not_allowed")
        return visitor

    check.rule = rule  # type: ignore[attr-defined]  # the tests' list of who may use which route
    return check
