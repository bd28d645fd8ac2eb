"""The audit log as the admin reads it."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel

from isthmus.clinic.reading_room.audit import events
from isthmus.clinic.reading_room.fields import RowId
from isthmus.clinic.reading_room.rendering import render
from isthmus.clinic.reading_room.room import room_of
from isthmus.clinic.reading_room.routers import api_router, page_router
from isthmus.clinic.reading_room.visitor import Visitor, require

pages: APIRouter = page_router()
api: APIRouter = api_router("audit")
Auditor = Annotated[Visitor, Depends(require("audit"))]
_PAGE = 100


class EventOut(BaseModel):
    """Who did what to which object and when."""

    id: int
    at: datetime
    account: int | None
    name: str | None
    action: str
    object_kind: str | None
    object_id: int | None


@pages.get("/audit")
def audit_page(request: Request, visitor: Auditor, before: RowId | None = None) -> Response:
    """Show the newest events, or those before one."""
    with room_of(request).store.reading() as session:
        rows = events(session, before=before, limit=_PAGE + 1)
    older = rows[_PAGE - 1][0].id if len(rows) > _PAGE else None
    return render(request, "audit.html.j2", rows=rows[:_PAGE], older=older, before=before)


@api.get("/audit")
def list_events(
    request: Request,
    visitor: Auditor,
    before: RowId | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = _PAGE,
) -> list[EventOut]:
    """List events, the newest first; `before` is the smallest number of the page that one has."""
    with room_of(request).store.reading() as session:
        rows = events(session, before=before, limit=limit)
    return [
        EventOut(id=event.id, at=event.at, account=event.account_id, name=name, action=event.action,
                 object_kind=event.object_kind, object_id=event.object_id)
        for event, name in rows
    ]  # fmt: skip
