"""Wrong passwords are counted by account and by address, in the store, so that a restart forgives nobody.

An attempt is counted before its password is looked at and taken back when it was right: a hundred attempts at once
are a hundred attempts. A name that nobody has is counted like any other, so that a closed door tells nothing.
"""

import hashlib
import hmac
import ipaddress
import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from isthmus.clinic.reading_room.account_tables import Setting, SignInFailures
from isthmus.clinic.reading_room.refusal import Refusal
from isthmus.clinic.reading_room.settings import RoomSettings

_KEY = "sign_in_failures_key"


def count(session: Session, settings: RoomSettings, now: datetime, name_key: str, address: str) -> None:
    """Count an attempt, or refuse it.

    Raises
    ------
    Refusal
        429 with ``Retry-After`` when the account or the address had too many.
    """
    session.execute(delete(SignInFailures).where(SignInFailures.until <= now))
    limits = {"account_failures": settings.account_failures, "address_failures": settings.address_failures}
    rows = [_row(session, settings, now, kind, name_key, address) for kind in limits]
    for row, limit in zip(rows, limits.values(), strict=True):
        if row.failures >= limit:
            seconds = max(1, round((row.until - now).total_seconds()))
            raise Refusal(429, "too_many_sign_ins", headers={"Retry-After": str(seconds)}, minutes=-(-seconds // 60))
    for row in rows:
        row.failures += 1


def forgive(session: Session, name_key: str, address: str) -> None:
    """Take back what a right password was counted as: all of the account, one of the address."""
    account = session.get(SignInFailures, _hash(session, "account_failures", name_key))
    if account is not None:
        session.delete(account)
    place = session.get(SignInFailures, _hash(session, "address_failures", _place(address)))
    if place is not None:
        place.failures = max(0, place.failures - 1)


def _row(
    session: Session, settings: RoomSettings, now: datetime, kind: str, name_key: str, address: str
) -> SignInFailures:
    hashed = _hash(session, kind, name_key if kind == "account_failures" else _place(address))
    row = session.get(SignInFailures, hashed, with_for_update=True)
    if row is None:
        row = SignInFailures(key_hash=hashed, failures=0, until=now + timedelta(minutes=settings.failure_minutes))
        session.add(row)
    return row


def _place(address: str) -> str:
    """Return what counts as one address: of IPv6 the network that one household or ward has."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _hash(session: Session, kind: str, value: str) -> str:
    # Keyed: without the key all addresses of the world could be tried in an hour.
    setting = session.get(Setting, _KEY)
    if setting is None:
        setting = Setting(name=_KEY, value=secrets.token_hex(32))
        session.add(setting)
    message = f"{kind}:{value}".encode("utf-8", "surrogatepass")
    return hmac.new(bytes.fromhex(setting.value), message, hashlib.sha256).hexdigest()
