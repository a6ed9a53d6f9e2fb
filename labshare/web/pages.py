"""Home: what needs me now. Each noun that has something to say gives a section; this file only asks and shows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec
from litestar import Response, Router, get

from labshare.domain.people import Actor
from labshare.services import Connection
from labshare.web import given
from labshare.web.rendering import Request, render


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One thing on the home page: where it leads, what it is, and (already in words) what is known about it.

    `state` is a badge, as (kind, value) of `word`; `due_at` is shown as a clock when something waits for the reader.
    """

    href: str
    title: str
    detail: str = ""
    state: tuple[str, str] | None = None
    due_at: datetime | None = None


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A group of lines under a heading. `more` leads to the whole list; `empty` says what to do when there is none."""

    title: str
    icon: str
    lines: tuple[Line, ...] = ()
    more: str = ""
    empty: str = ""
    urgent: bool = False


Provider = Callable[[Connection, Actor, datetime], Section | None]

# In the order in which they are shown: what waits for the reader's decision stands first. A provider returns None when
# it has nothing to say to this reader.
PROVIDERS: list[Provider] = []


@get("/", sync_to_thread=True)
def home(request: Request, database: given.Database, actor: given.Reader, now: given.Now) -> Response[str]:
    sections: list[Section] = []
    if actor:
        with database.read() as db:
            found = (provide(db, actor, now) for provide in PROVIDERS)
            sections = [section for section in found if section]
    return render(request, "home/page.html", sections=sections, now=now)


router = Router("/", route_handlers=[home])
