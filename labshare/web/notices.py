"""Notices over HTTP: what I was told, and when a letter says it too.

What must not live here: what a notice says (labshare/notice_words.py), and who is told what (services).
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath

from labshare import notice_words
from labshare.domain.notices import Mail, Notice, NoticeKind
from labshare.errors import LabShareError, Malformed, Refused
from labshare.services import Connection, notices
from labshare.web import given
from labshare.web.api import reading
from labshare.web.api.notices import place
from labshare.web.api.paging import Cursor, page
from labshare.web.rendering import Form, Request, local_path, redirect, render

PAGE = "/notices"
SHOWN = 30


class Item(msgspec.Struct, frozen=True):
    """A notice in words."""

    notice: Notice
    title: str
    when: str


class BackForm(msgspec.Struct, frozen=True):
    """Where to go on, and for all of them when the newest was told that the page has shown."""

    next: str = PAGE
    until: str = ""


@get(PAGE, sync_to_thread=True)
def listing(request: Request, database: given.Database, me: given.Me, cursor: Cursor = "") -> Response[str]:
    after = place(cursor)
    with database.read() as db:
        found = notices.mine(db, me, after=after, limit=SHOWN + 1)
    rows, older = page(request, found, SHOWN, lambda each: (each.created_at, each.id))
    items = [Item(each, notice_words.title(each), notice_words.when(each)) for each in rows]
    return render(request, "notices/page.html", items=items, older=older, is_first=not cursor)


@post(f"{PAGE}/{{notice_id:uuid}}/open", sync_to_thread=True)
def open_one(
    request: Request, database: given.Database, me: given.Me, now: given.Now, notice_id: FromPath[UUID]
) -> Response[str]:
    """Read it, and go to what it is about."""
    with database.write() as db:
        notice = notices.read(db, me, notice_id, now)
    return redirect(request, local_path(notice.page))


@post(f"{PAGE}/{{notice_id:uuid}}/read", sync_to_thread=True)
def read_one(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    notice_id: FromPath[UUID],
    data: Form[BackForm],
) -> Response[str]:
    with database.write() as db:
        notices.read(db, me, notice_id, now)
    return redirect(request, local_path(data.next))


@post(f"{PAGE}/read", sync_to_thread=True)
def read_all(
    request: Request, database: given.Database, me: given.Me, now: given.Now, data: Form[BackForm]
) -> Response[str]:
    try:
        until = reading.instant(msgspec.convert(data.until, datetime), "until")
    except msgspec.ValidationError as error:
        raise Malformed("malformed_field", field="until") from error
    with database.write() as db:
        notices.read_all(db, me, now, until=until)
    return redirect(request, local_path(data.next), notice="notices_read")


@get(f"{PAGE}/preferences", sync_to_thread=True)
def preferences(request: Request, database: given.Database, me: given.Me) -> Response[str]:
    with database.read() as db:
        return _preferences(request, db, me)


@post(f"{PAGE}/preferences", sync_to_thread=True)
def choose(request: Request, database: given.Database, me: given.Me, data: Form[dict[str, str]]) -> Response[str]:
    """Each field is a kind with when its letters are sent."""
    fields = {name: value for name, value in data.items() if name in set(NoticeKind)}
    try:
        chosen = msgspec.convert(fields, dict[NoticeKind, Mail])
    except msgspec.ValidationError as error:
        raise Malformed("malformed_field", field=next(n for n, v in fields.items() if v not in set(Mail))) from error
    try:
        with database.write() as db:
            notices.choose(db, me, chosen)
    except Refused as error:
        with database.read() as db:
            return _preferences(request, db, me, error=error)
    return redirect(request, f"{PAGE}/preferences", notice="notice_preferences_kept")


# ---------------------------------------------------------------- parts


def _preferences(
    request: Request, db: Connection, me: given.Me, *, error: LabShareError | None = None
) -> Response[str]:
    return render(
        request,
        "notices/preferences.html",
        status=error.status if error else 200,
        groups=notices.preferences(db, me),
        refusals=error.refusals if error else (),
    )


router = Router("/", route_handlers=[listing, open_one, read_one, read_all, preferences, choose])
