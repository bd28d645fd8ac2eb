"""The web application of a reading room, and the server that runs it."""

import logging
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.staticfiles import StaticFiles

from isthmus.clinic.reading_room import account_routes, audit_routes, own_routes, signing_in_routes
from isthmus.clinic.reading_room.accounts import first_admin
from isthmus.clinic.reading_room.guard import Guard
from isthmus.clinic.reading_room.passwords import Passwords
from isthmus.clinic.reading_room.problems import Problem, add_handlers
from isthmus.clinic.reading_room.rates import Rates
from isthmus.clinic.reading_room.rendering import STATIC
from isthmus.clinic.reading_room.room import Room
from isthmus.clinic.reading_room.settings import RoomSettings
from isthmus.clinic.reading_room.store import open_store
from isthmus.clinic.reading_room.visitor import TOKEN_HEADER, Visitor, require, session_cookie
from isthmus.errors import InputError
from isthmus.manifest import version

if TYPE_CHECKING:
    import uvicorn

# A subject with pages or an API adds its module here.
SUBJECTS = (signing_in_routes, own_routes, account_routes, audit_routes)
_API_DESCRIPTION = "/api/v1/openapi.json"
_FIRST_PASSWORD = "first_password.txt"

Announce = Callable[[str, str], None]


def make_application(
    settings: RoomSettings, announce: Announce, *, clock: Callable[[], datetime] | None = None
) -> FastAPI:
    """Open a room and return its web application.

    Parameters
    ----------
    settings : RoomSettings
        Where the room is kept, who reaches it, how much it takes.
    announce : callable
        Given the first admin's name and one-time password, at every start until that account was used.
    clock : callable, optional
        The present moment, in UTC.

    Returns
    -------
    FastAPI
        With the room at ``state.room``.

    Raises
    ------
    InputError
        When the database does not open.
    """
    room = Room(
        settings=settings,
        store=open_store(settings),
        passwords=Passwords(settings.hashing),
        rates=Rates(settings.requests_per_second, settings.burst),
    )
    if clock is not None:
        room = replace(room, clock=clock)
    admin = first_admin(room)
    if admin is not None:
        announce(admin[0].name, admin[1].password)
    else:
        (settings.folder / _FIRST_PASSWORD).unlink(missing_ok=True)
    return _application(room)


def _application(room: Room) -> FastAPI:
    @asynccontextmanager
    async def close_at_the_end(_application: FastAPI) -> AsyncIterator[None]:
        yield
        room.store.close()

    application = FastAPI(
        title="Isthmus reading room",
        version=version(),
        summary="Research use only, not for diagnosis.",
        lifespan=close_at_the_end,
        # The library's own pages of documentation come from servers elsewhere.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        form_limits={"max_files": 0, "max_fields": 100},
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    application.state.room = room
    application.add_middleware(Guard, settings=room.settings)
    add_handlers(application)
    application.mount("/static", StaticFiles(directory=STATIC), name="static")
    for subject in SUBJECTS:
        for router in (subject.pages, subject.api):
            application.include_router(router, max_body_size=room.settings.request_bytes)
        if (uploads := getattr(subject, "uploads", None)) is not None:
            application.include_router(uploads, max_body_size=room.settings.upload_bytes)
    _describe_api(application, room.settings)
    return application


def _describe_api(application: FastAPI, settings: RoomSettings) -> None:
    """Serve the API's description to who is signed in."""
    described: dict[str, Any] = {}

    @application.get(_API_DESCRIPTION, include_in_schema=False)
    def openapi_description(visitor: Annotated[Visitor, Depends(require("room"))]) -> dict[str, Any]:
        if not described:
            described.update(describe(application, settings))
        return described


def describe(application: FastAPI, settings: RoomSettings) -> dict[str, Any]:
    """Return the OpenAPI description of a room's API."""
    found = get_openapi(
        title=application.title, version=application.version, summary=application.summary, routes=application.routes
    )
    components = found.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = Problem.model_json_schema(
        ref_template="#/components/schemas/{model}"
    )
    components["schemas"].update(components["schemas"]["Problem"].pop("$defs", {}))
    components["securitySchemes"] = {
        "session": {"type": "apiKey", "in": "cookie", "name": session_cookie(settings)},
        "token": {"type": "apiKey", "in": "header", "name": TOKEN_HEADER},
    }
    for path in found["paths"].values():
        for method, operation in path.items():
            operation["security"] = [{"session": []} if method == "get" else {"session": [], "token": []}]
    return found


def serve(settings: RoomSettings, *, announce: Announce | None = None) -> None:
    """Open a room and serve it until it is stopped.

    Parameters
    ----------
    settings : RoomSettings
        Where the room is kept, who reaches it, how much it takes.
    announce : callable, optional
        How the first admin's one-time password is told; by default `tell_first_password`.

    Raises
    ------
    InputError
        When the database does not open, the port is taken, or the room would be open to a network without TLS.
    """
    settings.refuse_plain_network()
    # Before the room is opened: where nobody can come in, nothing is made and no password is told.
    with closing(_listen(settings)) as line:
        application = make_application(
            settings, announce or (lambda name, password: tell_first_password(settings.folder, name, password))
        )
        with suppress(KeyboardInterrupt):
            make_server(application, settings).run(sockets=[line])


def make_server(application: FastAPI, settings: RoomSettings) -> "uvicorn.Server":
    """Return the server of an application; ``run(sockets=[…])`` serves it, also in a thread beside something else."""
    import uvicorn

    return uvicorn.Server(
        uvicorn.Config(
            application,
            ssl_certfile=settings.certificate,
            ssl_keyfile=settings.key,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            # Addresses of pages are no secret, but they are nobody's business either.
            access_log=False,
            server_header=False,
            log_config=None,
            timeout_graceful_shutdown=10,
        )
    )


def _listen(settings: RoomSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        raise InputError(
            f"nothing can listen here: {error.strerror or error}",
            where=f"{settings.host}, port {settings.port}",
            hint="choose another port, or stop what listens there",
        ) from error


def tell_first_password(folder: Path, name: str, password: str) -> None:
    """Write the first admin's one-time password to the terminal, or, where there is none, into a file of its own.

    Without a terminal the standard streams are somebody's log, which is kept and copied.
    """
    if sys.stderr.isatty():
        sys.stderr.write(f"\nSign in as {name!r} with this one-time password: {password}\n\n")
        return
    path = folder / _FIRST_PASSWORD
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(f"{password}\n")
    logging.getLogger("isthmus.reading_room").warning("the one-time password of %r lies in %s", name, path)
