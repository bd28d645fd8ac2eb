"""Accounts: made by a lead or an admin with a one-time password, closed and opened again, never deleted.

Hashing takes a tenth of a second and more: it is done before the transaction begins, which others wait for.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from isthmus.clinic.reading_room import audit, sessions
from isthmus.clinic.reading_room.account_tables import Account
from isthmus.clinic.reading_room.passwords import check_choice, one_time_password
from isthmus.clinic.reading_room.refusal import Refusal
from isthmus.clinic.reading_room.roles import MANAGES, Role
from isthmus.clinic.reading_room.room import Room
from isthmus.clinic.reading_room.words import DEFAULT

# Letters and digits of any script, and . _ @ -; begins with a letter or digit. No spaces: they cannot be seen.
_NAME = re.compile(r"[^\W_][\w.@-]{1,63}")
NAME_LENGTH = 64
FIRST_ADMIN = "admin"


def name_key(name: str) -> str:
    """Return a name as it is compared: width, case and compatibility forms do not count.

    Examples
    --------
    >>> name_key("Ｄr.Li") == name_key("dr.LI")
    True
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def all_accounts(session: Session) -> list[Account]:
    """Return all accounts, in order of their names."""
    return list(session.scalars(select(Account).order_by(Account.name_key)))


def named(session: Session, name: str) -> Account | None:
    """Return the account of a name as somebody typed it."""
    return session.scalar(select(Account).where(Account.name_key == name_key(name)[:256]))


@dataclass(frozen=True)
class OneTime:
    """A one-time password: shown once, kept as a hash only."""

    password: str
    password_hash: str
    until: datetime

    def give(self, account: Account) -> None:
        """Make it the account's password."""
        account.password_hash = self.password_hash
        account.one_time_until = self.until


def new_one_time(room: Room) -> OneTime:
    """Return a fresh one-time password."""
    password = one_time_password()
    until = room.clock() + timedelta(hours=room.settings.one_time_hours)
    return OneTime(password, room.passwords.hash(password), until)


def create(room: Room, actor_id: int, name: str, role: Role, language: str) -> tuple[Account, OneTime]:
    """Make an account and return it with its one-time password.

    Raises
    ------
    Refusal
        403 for a role that the actor does not manage, 409 for a name that exists, 422 for one that is none.
    """
    given = unicodedata.normalize("NFKC", name)
    if not _NAME.fullmatch(given):
        raise Refusal(422, "account_name", field="name", longest=NAME_LENGTH)
    one_time, now = new_one_time(room), room.clock()
    with room.store.writing() as session:
        actor = session.get_one(Account, actor_id)
        if role not in MANAGES[Role(actor.role)]:
            raise Refusal(403, "role_above", field="role")
        if named(session, given) is not None:
            raise Refusal(409, "account_name_taken", field="name")
        account = _new(given, role, language, now, actor.id)
        one_time.give(account)
        session.add(account)
        session.flush()
        audit.note(session, now, actor.id, "account_create", "account", account.id)
    return account, one_time


def renew_password(room: Room, actor_id: int, account_id: int) -> tuple[Account, OneTime]:
    """Give an account a new one-time password and end its sessions.

    Raises
    ------
    Refusal
        404 without such an account, 403 for one whose role the actor does not manage, 409 for one's own.
    """
    one_time, now = new_one_time(room), room.clock()
    with room.store.writing() as session:
        account = _managed(session, actor_id, account_id)
        one_time.give(account)
        sessions.end_all(session, account.id)
        audit.note(session, now, actor_id, "account_one_time_password", "account", account.id)
    return account, one_time


def set_active(room: Room, actor_id: int, account_id: int, active: bool) -> Account:
    """Close an account and end its sessions, or open it again.

    Raises
    ------
    Refusal
        404 without such an account, 403 for one whose role the actor does not manage, 409 for one's own.
    """
    with room.store.writing() as session:
        account = _managed(session, actor_id, account_id)
        if account.active != active:
            account.active = active
            action = "account_open" if active else "account_close"
            audit.note(session, room.clock(), actor_id, action, "account", account.id)
        if not active:
            sessions.end_all(session, account.id)
    return account


def change_password(room: Room, account_id: int, present: str, chosen: str) -> str:
    """Replace one's own password, end all of one's sessions, and return the token of a new one.

    Raises
    ------
    Refusal
        422 for a wrong present password, or a new one that breaks a rule or is the old one.
    """
    with room.store.reading() as session:
        account = session.get_one(Account, account_id)
    if not room.passwords.matches(account.password_hash, present):
        raise Refusal(422, "password_present", field="present_password")
    check_choice(chosen, account.name)
    if room.passwords.matches(account.password_hash, chosen):
        raise Refusal(422, "password_same", field="new_password")
    hashed, now = room.passwords.hash(chosen), room.clock()
    with room.store.writing() as session:
        kept = session.get_one(Account, account_id)
        if kept.password_hash != account.password_hash or not kept.active:
            raise Refusal(409, "changed")
        kept.password_hash = hashed
        kept.one_time_until = None
        sessions.end_all(session, kept.id)
        audit.note(session, now, kept.id, "password_change", "account", kept.id)
        return sessions.start(session, room.settings, now, kept.id, None)


def set_appearance(room: Room, account_id: int, language: str, mode: str) -> None:
    """Keep the language and the mode, light or dark, of one's own pages."""
    with room.store.writing() as session:
        account = session.get_one(Account, account_id)
        account.language, account.mode = language, mode


def first_admin(room: Room) -> tuple[Account, OneTime] | None:
    """Make the first admin, or give it another one-time password while it was never used; None ever after."""
    one_time, now = new_one_time(room), room.clock()
    with room.store.writing() as session:
        if not session.scalar(select(func.count()).select_from(Account)):
            account = _new(FIRST_ADMIN, Role.ADMIN, DEFAULT, now, None)
            session.add(account)
        else:
            admins = session.scalars(select(Account).where(Account.role == Role.ADMIN.value).limit(2)).all()
            if len(admins) != 1 or admins[0].one_time_until is None or admins[0].signed_in_at is not None:
                return None
            account = admins[0]
        one_time.give(account)
        session.flush()
        audit.note(session, now, None, "first_admin", "account", account.id)
    return account, one_time


def _new(name: str, role: Role, language: str, now: datetime, maker: int | None) -> Account:
    return Account(
        name=name, name_key=name_key(name), role=role.value, language=language, active=True, mode="system",
        created_at=now, created_by=maker,
    )  # fmt: skip


def _managed(session: Session, actor_id: int, account_id: int) -> Account:
    actor = session.get_one(Account, actor_id)
    account = session.get(Account, account_id, with_for_update=True)
    if account is None:
        raise Refusal(404, "no_account")
    if account.id == actor.id:
        raise Refusal(409, "own_account")
    if Role(account.role) not in MANAGES[Role(actor.role)]:
        raise Refusal(403, "role_above")
    return account
