"""/api/v1/feeds: the calendars that other programs read for the caller by a secret address: made, listed, revoked."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, delete, get, post
from litestar.params import FromPath, RawBody
from msgspec import UNSET, Meta, UnsetType

from labshare.domain.feeds import Feed
from labshare.domain.people import Actor
from labshare.errors import Malformed
from labshare.services import Connection
from labshare.services import feeds as service
from labshare.web import given
from labshare.web.api import reading
from labshare.web.api.answers import answer
from labshare.web.api.idempotency import Key, once
from labshare.web.api.reading import Code
from labshare.web.api.schema import accepts, problems
from labshare.web.feeds import address
from labshare.web.rendering import Request


class FeedView(msgspec.Struct, frozen=True, kw_only=True):
    """A feed of an instrument or a centre, or with neither of the caller's own bookings."""

    id: UUID
    instrument: str | None
    centre: str | None
    created_at: datetime


class MadeFeed(FeedView, frozen=True, kw_only=True):
    """A new feed with its address, which is told once: iCalendar, read without a token."""

    address: str


class FeedList(msgspec.Struct, frozen=True, kw_only=True):
    items: tuple[FeedView, ...]


class NewFeed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose calendar: an instrument's, a centre's, or with neither the caller's own bookings."""

    instrument: Annotated[Code, Meta(examples=["N001"])] | UnsetType = UNSET
    centre: Code | UnsetType = UNSET


@get("/feeds", sync_to_thread=True, operation_id="listFeeds", summary="My feeds",
     tags=["feeds"], responses=problems())  # fmt: skip
def listing(request: Request, database: given.Database, me: given.Me) -> Response[FeedList]:
    """The caller's feeds that can still be read, without their addresses."""
    with database.read() as db:
        return answer(request, _mine(db, me))


@post("/feeds", sync_to_thread=True, operation_id="makeFeed", summary="Make a feed",
      tags=["feeds"], responses=problems(403, 404, 503), operation_class=accepts(NewFeed))  # fmt: skip
def create(
    request: Request,
    database: given.Database,
    settings: given.Settings,
    me: given.Me,
    now: given.Now,
    body: RawBody,
) -> Response[MadeFeed]:
    """A secret address at which a calendar program reads what the caller may see. It is told this once and kept
    nowhere, so that no key brings it back: whoever lost the answer makes another one, and revokes the feed that is
    listed.
    """
    new = reading.decode(body, NewFeed)
    if new.instrument is not UNSET and new.centre is not UNSET:
        raise Malformed("malformed_field", field="centre")
    instrument_id = None if new.instrument is UNSET else new.instrument
    centre_id = None if new.centre is UNSET else new.centre
    with database.write() as db:
        made = service.create(db, me, now, instrument_id=instrument_id, centre_id=centre_id)
    view = MadeFeed(**_values(made.feed), address=address(settings.base_url, made.secret))
    return answer(request, view, status=201)


@delete("/feeds/{feed_id:uuid}", sync_to_thread=True, operation_id="revokeFeed", summary="Revoke a feed",
        tags=["feeds"], status_code=200, responses=problems(404, 422, 503))  # fmt: skip
def revoke(
    request: Request, database: given.Database, me: given.Me, now: given.Now, feed_id: FromPath[UUID], key: Key = None
) -> Response[FeedList]:
    """Its address answers nobody from now on. Returns the feeds that are left."""

    def work(db: Connection) -> Response[FeedList]:
        service.revoke(db, me, feed_id, now)
        return answer(request, _mine(db, me))

    return once(request, database, me, now, work, key=key)


HANDLERS = [listing, create, revoke]


def _mine(db: Connection, me: Actor) -> FeedList:
    return FeedList(items=tuple(FeedView(**_values(line.feed)) for line in service.mine(db, me)))


def _values(feed: Feed) -> dict[str, Any]:
    return {
        "id": feed.id,
        "instrument": feed.instrument_id,
        "centre": feed.centre_id,
        "created_at": feed.created_at,
    }
