"""What the person who starts a reading room decides: where it is kept, who reaches it, and how much it takes."""

import ipaddress
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from isthmus.errors import InputError

Count = Annotated[int, Field(ge=1)]


class PasswordHashing(BaseModel):
    """What one argon2id hash costs; the defaults are RFC 9106's second recommendation (64 MiB)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rounds: Count = 3
    memory_kib: Annotated[int, Field(ge=8)] = 65536
    lanes: Annotated[int, Field(ge=1, le=16)] = 4


class RoomSettings(BaseModel):
    """The settings of a reading room.

    Parameters
    ----------
    folder : Path
        Where the room keeps its database, its lock and its files; made if it is not there.
    database : str, optional
        ``postgresql://…`` where several servers share a room; by default ``room.sqlite`` in the folder.
    host, port : str, int
        Where it listens. Beyond this machine it is served by TLS or behind a proxy only.
    names : tuple of str
        The host names that a browser may have typed, beside ``host`` and this machine's own.
    certificate, key : Path, optional
        PEM files; with both the room is served by TLS.
    trusted_proxies : tuple of str
        Addresses of the proxies that speak TLS for the room; their ``X-Forwarded-For`` and ``-Proto`` are believed.
    idle_minutes, session_hours : int
        A session ends after so long without a request, and at the latest so long after signing in.
    one_time_hours : int
        How long a one-time password waits for its first use.
    request_bytes, upload_bytes : int
        The largest body of a form or of JSON, and of a file.
    requests_per_second, burst : int
        What one account, or one address that is not signed in, may ask for in the long run, and at once.
    account_failures, address_failures, failure_minutes : int
        How many wrong passwords in so many minutes close an account, or an address, until they are over.
    hashing : PasswordHashing
        What one password hash costs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path
    database: str | None = None
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8765
    names: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    trusted_proxies: tuple[str, ...] = ()
    idle_minutes: Count = 60
    session_hours: Count = 12
    one_time_hours: Count = 72
    request_bytes: Count = 1 << 20
    upload_bytes: Count = 2 << 30
    requests_per_second: Count = 50
    burst: Count = 300
    account_failures: Count = 8
    address_failures: Count = 60
    failure_minutes: Count = 15
    hashing: PasswordHashing = PasswordHashing()

    @model_validator(mode="after")
    def _certificate_has_its_key(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("a certificate needs its key, and a key its certificate")
        return self

    @property
    def secure(self) -> bool:
        """Whether browsers reach the room by TLS, its own or a proxy's."""
        return self.certificate is not None or bool(self.trusted_proxies)

    @property
    def known_hosts(self) -> frozenset[str]:
        """The host names, in lower case and without port, under which the room answers."""
        listening = set() if self.host in ("0.0.0.0", "::") else {self.host}
        names = {"127.0.0.1", "localhost", "::1", *listening, *self.names}
        return frozenset(name.lower().strip("[]") for name in names)

    def refuse_plain_network(self) -> None:
        """Raise where passwords would cross a network in clear text.

        Raises
        ------
        InputError
            When the room would listen beyond this machine without TLS.
        """
        if not self.secure and not _is_this_machine(self.host):
            raise InputError(
                "passwords and pictures would cross the network in clear text",
                where=f"host {self.host}",
                expected="a certificate with its key, or a proxy that speaks TLS (docs/reading_room.md)",
                hint="give both, or listen on 127.0.0.1",
            )


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_settings(**given: object) -> RoomSettings:
    """Return settings, or say in one line what is wrong with them.

    Raises
    ------
    InputError
        When a setting is unknown or out of its range.
    """
    try:
        return RoomSettings.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "settings"
        raise InputError(f"the reading room cannot start so: {first['msg']}", where=where) from error
