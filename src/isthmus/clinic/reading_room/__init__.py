"""The reading room: a web application for radiologists, with accounts, roles, two languages and an audit log.

``application.make_application(settings, announce)`` opens a room and returns its FastAPI application,
``application.serve(settings)`` serves it. docs/reading_room.md says how it is run and what it defends against.

One request, from the outside in: `guard.Guard` (host, other sites, headers, the last net) - FastAPI's own limit of the
body - `visitor.anyone` (session, token, rate) - `visitor.require` (role) - the route - the store.

How to add
----------
A subject is a module ``<subject>_routes.py`` with routers ``pages`` and ``api`` (and ``uploads``, see ``uploads.py``),
named in ``application.SUBJECTS``. Functions of the subject itself live in a file without FastAPI, take the
`room.Room`, and refuse by raising `refusal.Refusal`::

    pages: APIRouter = page_router()
    api: APIRouter = api_router("cases")
    Reader = Annotated[Visitor, Depends(require("room"))]

    @pages.get("/cases")
    def cases_page(request: Request, visitor: Reader) -> Response:
        with room_of(request).store.reading() as session:
            rows = assigned(session, visitor.account)
        return render(request, "cases.html.j2", rows=rows)

- **A route.** Every route has ``anyone`` or ``require(rule)``; a test walks all routes. Routes are plain ``def`` (they
  run in threads). What comes in is of a type of ``fields.py`` (``RowId``, ``Line``, ``Prose``, ``Body``), never a bare
  ``str`` or ``int``. An object of someone else's is refused with 404, as if it were not there. JSON answers have a
  pydantic model. Requests that change something carry the token: forms ``<input type="hidden" name="csrf"
  value="{{ visitor.csrf }}">``, scripts ``send()`` of ``static/api.js``. After a form that worked: ``go_to(path)``.
- **A role rule.** A line in ``roles.RULES``; templates ask ``visitor.may("rule")``.
- **A page.** A template that extends ``layout.html.j2`` with the blocks ``title``, ``head`` and ``main``; a line in
  ``navigation.TASKS`` with words under ``navigation.``. No inline script or style (the policy refuses them): a module
  in ``static/``, loaded in ``head`` by ``<script type="module" src="{{ static('viewer.js') }}">``. Scripts may set
  ``element.style.left``, not a ``style`` attribute; pictures may be ``blob:`` and ``data:``. A route whose page brings
  its styles inside (a report) sets a ``Content-Security-Policy`` of its own, with ``sandbox``; it is kept.
- **Words.** All of them in ``catalogue/<subject>.yaml``, English and Chinese side by side, by ``t("subject.key")``;
  scripts get theirs by ``render(…, script_words=("viewer.",))`` and say ``word("viewer.key")`` of ``static/words.js``.
  A test refuses words in templates, keys that nobody says and keys that nobody wrote. Refusals: ``problems.<name>``
  with ``what``, and ``expected`` and ``next`` where they help.
- **A table.** A file ``<subject>_tables.py`` of typed models on `table_base.Base` (moments: ``UtcTime``), named in
  ``tables.TABLES``, and a migration ``migrations/versions/r<number>_<subject>.py`` with the next number and
  ``down_revision`` the one before; written by hand, no SQL of one database only. A test compares both and says what
  differs. A migration that was pushed is never changed. Migrations run at the start, all or nothing.
- **Two people, one row.** A ``version`` column with ``__mapper_args__ = {"version_id_col": version}``; the form carries
  the version, the route compares (``Refusal(409, "changed")``), and what slips through between reading and writing is
  answered 409 as well.
- **Reading and writing.** ``with room.store.reading() as session`` and ``with room.store.writing() as session``; the
  second takes the only writer's place: no network, no inference, no hashing inside. It is on the disk when the
  block has ended. A writing block inside another one waits for itself.
- **The audit log.** ``audit.note(session, room.clock(), visitor.account, "read_save", "read", read.id)`` in the
  transaction of the act; the action goes into ``audit.ACTIONS`` and its words under ``audit.action.``, a new kind of
  object under ``audit.object.``.
- **A test.** Fixtures of ``tests/clinic/reading_room/conftest.py``: ``client_as("reader")`` is a signed-in client that
  sends its token by itself (``.csrf`` for forms), ``room`` the room, ``page_as("lead", language="zh", mode="dark")`` a
  page in Chromium, ``nothing_serious(page)`` asks axe. New routes are met by ``test_attacks.py`` and
  ``test_permissions.py`` without a line written; the second asks for the route's rule in its table.
"""
