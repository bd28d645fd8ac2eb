"""The tables of who may come in: accounts, their sessions, wrong passwords, and the room's own secrets."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from isthmus.clinic.reading_room.table_base import Base, UtcTime


class Account(Base):
    """Someone who may sign in. Accounts are closed, never deleted: what they did keeps its author."""

    __tablename__ = "accounts"
    __table_args__ = (
        CheckConstraint("role IN ('reader', 'lead', 'admin')", name="role"),
        CheckConstraint("language IN ('en', 'zh')", name="language"),
        CheckConstraint("mode IN ('system', 'light', 'dark')", name="mode"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    # The name as it is compared: no two accounts differ by case or by look-alike width only.
    name_key: Mapped[str] = mapped_column(String(256), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    active: Mapped[bool] = mapped_column(default=True)
    password_hash: Mapped[str] = mapped_column(String(256))
    # Until when a one-time password may be used; empty once the owner has chosen a password.
    one_time_until: Mapped[datetime | None] = mapped_column(UtcTime)
    language: Mapped[str] = mapped_column(String(8))
    mode: Mapped[str] = mapped_column(String(8), default="system")
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    signed_in_at: Mapped[datetime | None] = mapped_column(UtcTime)


class SignInSession(Base):
    """A browser that is signed in. Only a hash of its token is kept: a stolen database opens no session."""

    __tablename__ = "sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    seen_at: Mapped[datetime] = mapped_column(UtcTime)
    expires_at: Mapped[datetime] = mapped_column(UtcTime, index=True)

    account: Mapped[Account] = relationship(lazy="joined", innerjoin=True)


class SignInFailures(Base):
    """How many wrong passwords an account's name or an address had in the present window; only a keyed hash of it."""

    __tablename__ = "sign_in_failures"

    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int]
    until: Mapped[datetime] = mapped_column(UtcTime, index=True)


class Setting(Base):
    """What the room itself has to remember, such as the key of the hashes above."""

    __tablename__ = "settings"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(String(1024))
