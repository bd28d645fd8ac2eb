"""Signing in and out: the same answer, after the same work, to a wrong name, a wrong password and a closed account."""

from datetime import datetime

from isthmus.clinic.reading_room import audit, sessions, sign_in_failures
from isthmus.clinic.reading_room.account_tables import Account
from isthmus.clinic.reading_room.accounts import name_key, named
from isthmus.clinic.reading_room.passwords import LONGEST
from isthmus.clinic.reading_room.refusal import Refusal
from isthmus.clinic.reading_room.room import Room


def sign_in(room: Room, name: str, password: str, address: str, replaces: str | None) -> tuple[Account, str]:
    """Return the account that signed in, and the token of its new session.

    Parameters
    ----------
    room : Room
        Where.
    name, password : str
        As typed.
    address : str
        Where the request came from.
    replaces : str, optional
        The token that the browser had; its session ends.

    Raises
    ------
    Refusal
        401 when name and password are not those of an open account, 429 after too many of these.
    """
    now, key = room.clock(), name_key(name)[:256]
    with room.store.writing() as session:
        sign_in_failures.count(session, room.settings, now, key, address)
    with room.store.reading() as session:
        account = named(session, name)
    right = room.passwords.matches(account.password_hash if account else None, password[: LONGEST + 1])
    if account is None or not right or not _is_open(account, now):
        with room.store.writing() as session:
            # Of an unknown name nothing is kept: people type passwords there.
            audit.note(session, now, None, "sign_in_refused", "account" if account else None, _id(account))
        raise Refusal(401, "sign_in")
    renewed = room.passwords.hash(password) if room.passwords.is_outdated(account.password_hash) else None
    with room.store.writing() as session:
        kept = session.get_one(Account, account.id, with_for_update=True)
        if not kept.active or kept.password_hash != account.password_hash:
            raise Refusal(401, "sign_in")  # closed, or given another password, in this very moment
        kept.password_hash = renewed or kept.password_hash
        kept.signed_in_at = now
        sign_in_failures.forgive(session, key, address)
        audit.note(session, now, kept.id, "sign_in", "account", kept.id)
        return kept, sessions.start(session, room.settings, now, kept.id, replaces)


def sign_out(room: Room, account_id: int, token: str, everywhere: bool) -> None:
    """End the session of a token, or all sessions of the account."""
    with room.store.writing() as session:
        if everywhere:
            sessions.end_all(session, account_id)
        else:
            sessions.end(session, token)
        action = "sign_out_everywhere" if everywhere else "sign_out"
        audit.note(session, room.clock(), account_id, action, "account", account_id)


def _is_open(account: Account, now: datetime) -> bool:
    return account.active and (account.one_time_until is None or now < account.one_time_until)


def _id(account: Account | None) -> int | None:
    return None if account is None else account.id
