"""Pages: Jinja2 templates with escaping on, the visitor's words, and addresses of static files that may be kept."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from isthmus.clinic.reading_room.navigation import TASKS
from isthmus.clinic.reading_room.visitor import Visitor, guest
from isthmus.clinic.reading_room.words import LANGUAGES

_HERE = Path(__file__).parent
STATIC = _HERE / "static"
TEMPLATES = _HERE / "templates"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, auto_reload=False,
    )  # fmt: skip
    environment.globals["static"] = static_address
    environment.globals["tasks"] = TASKS
    environment.globals["languages"] = LANGUAGES
    environment.filters["moment"] = lambda moment: moment.strftime("%Y-%m-%d %H:%M")
    return environment


@cache
def static_address(name: str) -> str:
    """Return the address of a file in ``static/``; it changes with the file, so that browsers may keep it."""
    return f"/static/{name}?v={hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"


def visitor_of(request: Request) -> Visitor:
    """Return who asks, also where a request was refused before that was known."""
    known: Visitor | None = getattr(request.state, "visitor", None)
    return known or guest(request)


def render(
    request: Request, template: str, *, status: int = 200, script_words: tuple[str, ...] = (), **values: Any
) -> HTMLResponse:
    """Return a page.

    Parameters
    ----------
    request : Request
        What is answered.
    template : str
        A file of ``templates/``. It has ``t`` (words by key), ``visitor``, ``static``, ``path`` and the values.
    status : int
        Of the answer.
    script_words : tuple of str
        Beginnings of the keys that the page's scripts say (see ``static/words.js``), beside those under ``script.``.
    values
        What else the template shows; all of it is escaped.
    """
    visitor = visitor_of(request)
    words = visitor.words
    said = {key: text for prefix in ("script.", *script_words) for key, text in words.under(prefix).items()}
    text = _environment().get_template(template).render(
        t=words, visitor=visitor, path=request.url.path, script_words=json.dumps(said, ensure_ascii=False), **values
    )  # fmt: skip
    return HTMLResponse(text, status_code=status, headers={"Content-Language": words.tag})


def go_to(path: str) -> RedirectResponse:
    """Return the answer that sends a browser on to a page of the room, after a form."""
    return RedirectResponse(path, status_code=303)


def own_path(path: str) -> str:
    """Return a path that a form or an address asks to go on to, if it is one of this room's; else the first page.

    Examples
    --------
    >>> own_path("/accounts"), own_path("//elsewhere.example"), own_path("https://elsewhere.example")
    ('/accounts', '/', '/')
    """
    is_ours = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isascii()
    return path if is_ours and path.isprintable() and len(path) <= 512 else "/"
