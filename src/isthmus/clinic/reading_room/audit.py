"""The audit log: who did what to which object and when, written in the transaction of the act itself."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from isthmus.clinic.reading_room.account_tables import Account
from isthmus.clinic.reading_room.audit_table import AuditEvent

# Each has its words in the catalogue, under `audit.action`.
ACTIONS = frozenset(
    {
        "first_admin",
        "sign_in",
        "sign_in_refused",
        "sign_out",
        "sign_out_everywhere",
        "password_change",
        "account_create",
        "account_close",
        "account_open",
        "account_one_time_password",
    }
)


def note(
    session: Session,
    at: datetime,
    actor: int | None,
    action: str,
    object_kind: str | None = None,
    object_id: int | None = None,
) -> None:
    """Add an event; it is kept if and only if the act is.

    Parameters
    ----------
    session : Session
        Of the act.
    at : datetime
        When.
    actor : int, optional
        Whose account; None where nobody was signed in.
    action : str
        One of `ACTIONS`.
    object_kind, object_id : str, int, optional
        What was acted on, by the room's own number. Never a name, never what somebody typed.
    """
    if action not in ACTIONS:
        raise ValueError(f"no action {action!r} in audit.ACTIONS")
    session.add(AuditEvent(at=at, account_id=actor, action=action, object_kind=object_kind, object_id=object_id))


def events(session: Session, *, before: int | None, limit: int) -> list[tuple[AuditEvent, str | None]]:
    """Return events, the newest first, each with the name of its account.

    Parameters
    ----------
    session : Session
        To read by.
    before : int, optional
        Only events of a smaller number: the next page.
    limit : int
        How many at most.
    """
    asked = select(AuditEvent, Account.name).outerjoin(Account, AuditEvent.account_id == Account.id)
    if before is not None:
        asked = asked.where(AuditEvent.id < before)
    return [(event, name) for event, name in session.execute(asked.order_by(AuditEvent.id.desc()).limit(limit))]
