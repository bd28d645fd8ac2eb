"""The room itself: what all its routes share. A route finds it by `room_of(request)`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from starlette.requests import HTTPConnection

from isthmus.clinic.reading_room.passwords import Passwords
from isthmus.clinic.reading_room.rates import Rates
from isthmus.clinic.reading_room.settings import RoomSettings
from isthmus.clinic.reading_room.store import Store


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Room:
    """What all routes share.

    Parameters
    ----------
    settings : RoomSettings
        What was decided at the start.
    store : Store
        The database.
    passwords : Passwords
        Hashes and compares.
    rates : Rates
        Counts requests.
    clock : callable
        The present moment, in UTC.
    """

    settings: RoomSettings
    store: Store
    passwords: Passwords
    rates: Rates
    clock: Callable[[], datetime] = _now


def room_of(connection: HTTPConnection) -> Room:
    """Return the room that a request came into."""
    return cast(Room, connection.app.state.room)
