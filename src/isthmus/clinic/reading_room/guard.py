"""What stands before every route: the host, the site that asks, the headers of the answer, and the last net.

Written for ASGI itself, so that it also holds where a route streams, and answers where one breaks.
"""

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from isthmus.clinic.reading_room.problems import answer, unexpected
from isthmus.clinic.reading_room.refusal import Refusal
from isthmus.clinic.reading_room.settings import RoomSettings
from isthmus.clinic.reading_room.visitor import SAFE_METHODS

# Nothing from elsewhere, nothing inline, no frame around us. Pictures drawn by our scripts are blob:.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "X-Robots-Tag": "noindex",
}
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]]+)(?::\d{1,5})?", re.IGNORECASE)


class Guard:
    """Refuses what cannot be right before any route sees it, and adds the headers that browsers keep to.

    A route may set a policy of its own (a report has its styles inside); what it set is kept.

    Parameters
    ----------
    app : ASGI application
        What is guarded.
    settings : RoomSettings
        The room's hosts, and whether it is reached by TLS.
    """

    def __init__(self, app: ASGIApp, settings: RoomSettings) -> None:
        self._app = app
        self._hosts = settings.known_hosts
        self._secure = settings.secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        started = replaced = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started, replaced
            if replaced:
                return
            if message["type"] == "http.response.start":
                if _is_bare_too_large(message):
                    await answer(request, Refusal(413, "too_large"))(scope, receive, send_with_headers)
                    replaced = True
                    return
                started = True
                self._add_headers(scope, message)
            await send(message)

        refusal = self._refusal(Headers(scope=scope), scope["method"])
        if refusal is not None:
            await answer(request, refusal)(scope, receive, send_with_headers)
            return
        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:
            if started:
                raise
            await unexpected(request, error)(scope, receive, send_with_headers)

    def _refusal(self, headers: Headers, method: str) -> Refusal | None:
        host = headers.get("host", "")
        found = _HOST.fullmatch(host)
        if found is None or found[1].lower().strip("[]") not in self._hosts:
            return Refusal(400, "host")
        if method not in SAFE_METHODS and _is_from_elsewhere(headers, host):
            return Refusal(403, "other_site")
        return None

    def _add_headers(self, scope: Scope, message: Message) -> None:
        headers = MutableHeaders(scope=message)
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
        if self._secure:
            headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        headers.setdefault("Cache-Control", _caching(scope, message["status"]))
        if message["status"] == 413:
            headers["Connection"] = "close"  # or the rest of the ten gigabytes would still be taken in


def _is_bare_too_large(message: Message) -> bool:
    """Return whether an answer is the framework's own 413: three words without the next step."""
    kind = Headers(raw=message.get("headers", [])).get("content-type", "")
    return bool(message["status"] == 413) and kind.startswith("text/plain")


def _is_from_elsewhere(headers: Headers, host: str) -> bool:
    """Return whether a browser says that another site's page sent this.

    ``Origin: null`` alone says nothing: browsers send it with our own forms, since we forbid the referrer.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin", "null")
    return origin != "null" and origin.partition("://")[2].lower() != host.lower()


def _caching(scope: Scope, status: int) -> str:
    if not scope["path"].startswith("/static/") or status >= 400:
        return "no-store"
    # With ?v= the address changes with the file; modules that import each other ask whether theirs is still right.
    return "public, max-age=31536000, immutable" if scope["query_string"].startswith(b"v=") else "no-cache"
