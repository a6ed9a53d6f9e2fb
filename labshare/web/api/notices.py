"""/api/v1/notices: what the caller was told, marking it as read, and when letters say it too."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, get, patch, post
from litestar.params import FromPath, QueryParameter, RawBody
from msgspec import UNSET, Meta, UnsetType

from labshare import notice_words
from labshare.domain.notices import Mail, Notice, NoticeKind
from labshare.domain.people import Actor
from labshare.services import Connection
from labshare.services import notices as service
from labshare.web import given
from labshare.web.api import reading
from labshare.web.api.answers import answer
from labshare.web.api.idempotency import Key, once
from labshare.web.api.paging import USUAL_PAGE, Cursor, Limit, behind, page
from labshare.web.api.reading import Moment
from labshare.web.api.schema import accepts, problems
from labshare.web.rendering import Request

Unread = Annotated[bool, QueryParameter(name="unread", description="Only what has not been read yet.")]


class NoticeView(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller was told: `title` in the language of Accept-Language, `page` the path of where to read more,
    `until` when what it tells of ends or happens, `booking` the one that it is about.
    """

    id: UUID
    kind: NoticeKind
    title: str
    page: str
    until: datetime | None
    booking: UUID | None
    created_at: datetime
    read_at: datetime | None


class NoticeList(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first. `unread` counts all that were not read; `next` is the address of the following page."""

    items: tuple[NoticeView, ...]
    unread: int
    next: str | None


class UnreadCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many notices the caller has not read."""

    unread: int


class ReadUntil(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Up to which notice, by its `created_at`; without it all that there are."""

    until: Moment | UnsetType = UNSET


class PreferenceView(msgspec.Struct, frozen=True, kw_only=True):
    """When letters of a kind are sent, and what may be chosen; only one where it is fixed."""

    kind: NoticeKind
    mail: Mail
    choices: tuple[Mail, ...]


class PreferenceList(msgspec.Struct, frozen=True, kw_only=True):
    """The kinds that concern the caller."""

    items: tuple[PreferenceView, ...]


class NewPreferences(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When letters are sent, by kind; kinds that are not named stay as they are."""

    mail: Annotated[dict[NoticeKind, Mail], Meta(examples=[{"booking_moved": "daily"}])]


@get("/notices", sync_to_thread=True, operation_id="listNotices", summary="My notices",
     tags=["notices"], responses=problems())  # fmt: skip
def listing(
    request: Request,
    database: given.Database,
    me: given.Me,
    unread: Unread = False,
    cursor: Cursor = "",
    limit: Limit = USUAL_PAGE,
) -> Response[NoticeList]:
    """What the caller was told within 90 days, the newest first."""
    after = place(cursor)
    with database.read() as db:
        found = service.mine(db, me, unread=unread, after=after, limit=limit + 1)
        count = service.unread(db, me)
    rows, following = page(request, found, limit, lambda each: (each.created_at, each.id))
    return answer(request, NoticeList(items=tuple(map(_view, rows)), unread=count, next=following), following=following)


@post("/notices/{notice_id:uuid}/read", sync_to_thread=True, operation_id="readNotice", summary="Mark a notice as read",
      tags=["notices"], status_code=200, responses=problems(404, 422, 503))  # fmt: skip
def read(
    request: Request, database: given.Database, me: given.Me, now: given.Now, notice_id: FromPath[UUID], key: Key = None
) -> Response[NoticeView]:
    """It counts as unread no more, and no digest repeats it."""

    def work(db: Connection) -> Response[NoticeView]:
        return answer(request, _view(service.read(db, me, notice_id, now)))

    return once(request, database, me, now, work, key=key)


@post("/notices/read", sync_to_thread=True, operation_id="readNotices", summary="Mark all notices as read",
      tags=["notices"], status_code=200, responses=problems(422, 503), operation_class=accepts(ReadUntil))  # fmt: skip
def read_all(
    request: Request, database: given.Database, me: given.Me, now: given.Now, body: RawBody, key: Key = None
) -> Response[UnreadCount]:
    """All that the caller was told until then. Returns how many are left."""
    said = reading.decode(body, ReadUntil)
    until = None if said.until is UNSET else reading.instant(said.until, "until")

    def work(db: Connection) -> Response[UnreadCount]:
        service.read_all(db, me, now, until=until)
        return answer(request, UnreadCount(unread=service.unread(db, me)))

    return once(request, database, me, now, work, key=key, body=body)


@get("/notices/preferences", sync_to_thread=True, operation_id="listNoticePreferences", summary="When I have letters",
     tags=["notices"], responses=problems())  # fmt: skip
def preferences(request: Request, database: given.Database, me: given.Me) -> Response[PreferenceList]:
    """When a letter says what a notice says: at once, with the others of the day, or never."""
    with database.read() as db:
        return answer(request, _preferences(db, me))


@patch("/notices/preferences", sync_to_thread=True, operation_id="changeNoticePreferences",
       summary="Choose when I have letters", tags=["notices"], responses=problems(422, 503),
       operation_class=accepts(NewPreferences))  # fmt: skip
def choose(
    request: Request, database: given.Database, me: given.Me, now: given.Now, body: RawBody, key: Key = None
) -> Response[PreferenceList]:
    """Letters that give or take a right are always sent at once: to choose otherwise for them is 422."""
    new = reading.decode(body, NewPreferences)

    def work(db: Connection) -> Response[PreferenceList]:
        service.choose(db, me, new.mail)
        return answer(request, _preferences(db, me))

    return once(request, database, me, now, work, key=key, body=body)


def place(cursor: str) -> tuple[datetime, UUID] | None:
    """Behind which notice a page begins: when it was told, and its id. Raises `Malformed`."""
    found = behind(cursor, tuple[datetime, UUID])
    return (reading.instant(found[0], "cursor"), found[1]) if found else None


HANDLERS = [listing, read, read_all, preferences, choose]


def _view(notice: Notice) -> NoticeView:
    return NoticeView(
        id=notice.id,
        kind=notice.kind,
        title=notice_words.title(notice),
        page=notice.page,
        until=notice.until,
        booking=notice.booking_id,
        created_at=notice.created_at,
        read_at=notice.read_at,
    )


def _preferences(db: Connection, me: Actor) -> PreferenceList:
    groups = service.preferences(db, me).values()
    return PreferenceList(
        items=tuple(
            PreferenceView(kind=each.kind, mail=each.mail, choices=each.choices) for group in groups for each in group
        )
    )
