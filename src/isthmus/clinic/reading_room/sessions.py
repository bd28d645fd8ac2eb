"""Sessions of signed-in browsers: kept by the server, known by a random token, of which only the hash is kept."""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from isthmus.clinic.reading_room.account_tables import SignInSession
from isthmus.clinic.reading_room.settings import RoomSettings

# A request within a minute of the last writes nothing: reading on costs no write.
_SEEN_EVERY = timedelta(minutes=1)


def new_token() -> str:
    """Return 256 random bits as text for a cookie."""
    return secrets.token_urlsafe(32)


def csrf_token(cookie: str) -> str:
    """Return what a request that changes something has to bring along, for the cookie that its browser sends.

    It is derived from the cookie's value, which no script and no other site can read, and it ends with it.
    """
    return hmac.new(cookie.encode("utf-8", "replace"), b"isthmus reading room: csrf", hashlib.sha256).hexdigest()


def start(session: Session, settings: RoomSettings, now: datetime, account_id: int, replaces: str | None) -> str:
    """Begin a session and return its token; the one that the browser had before ends."""
    if replaces is not None:
        end(session, replaces)
    session.execute(delete(SignInSession).where(SignInSession.expires_at <= now))
    token = new_token()
    session.add(
        SignInSession(
            token_hash=_hash(token),
            account_id=account_id,
            created_at=now,
            seen_at=now,
            expires_at=now + timedelta(hours=settings.session_hours),
        )
    )
    return token


def find(session: Session, settings: RoomSettings, now: datetime, token: str) -> SignInSession | None:
    """Return the session of a token, or None: unknown, ended, idle too long, too old, or of a closed account."""
    found = session.scalar(select(SignInSession).where(SignInSession.token_hash == _hash(token)))
    if found is None or not found.account.active or found.expires_at <= now:
        return None
    return found if now - found.seen_at < timedelta(minutes=settings.idle_minutes) else None


def is_to_be_noted(found: SignInSession, now: datetime) -> bool:
    """Return whether this request has to be written down as the session's last."""
    return now - found.seen_at >= _SEEN_EVERY


def end(session: Session, token: str) -> None:
    """End the session of a token, if there is one."""
    session.execute(delete(SignInSession).where(SignInSession.token_hash == _hash(token)))


def end_all(session: Session, account_id: int) -> None:
    """End all sessions of an account."""
    session.execute(delete(SignInSession).where(SignInSession.account_id == account_id))


def _hash(token: str) -> str:
    # The token has 256 random bits: a plain hash cannot be searched.
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
