"""The two kinds of routers: pages, and the API with its refusals described."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from isthmus.clinic.reading_room.problems import PROBLEM_RESPONSES


def page_router() -> APIRouter:
    """Return a router for pages; they are not part of the API's description."""
    return APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


def api_router(subject: str) -> APIRouter:
    """Return a router for JSON under ``/api/v1``."""
    return APIRouter(prefix="/api/v1", tags=[subject], responses=PROBLEM_RESPONSES)
