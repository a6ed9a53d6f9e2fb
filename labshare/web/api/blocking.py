"""What the managers of a calendar do to it by program: block time for the centre's own work, write down that nobody
came to a use, and take a strike back.

What must not live here: deciding on bookings that wait (approvals.py).
"""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import Response, post
from litestar.params import FromPath, RawBody
from msgspec import UNSET, Meta, UnsetType

from labshare.domain.bookings import BookingKind
from labshare.services import Connection, bookings, calendars, strikes
from labshare.web import given
from labshare.web.api import reading
from labshare.web.api.answers import answer
from labshare.web.api.booking_views import BookingView, line_view
from labshare.web.api.idempotency import Key, once
from labshare.web.api.reading import Code, Moment, Text, Version, set_or_none
from labshare.web.api.schema import accepts, problems
from labshare.web.rendering import Request


class NewBlock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Time that nobody books. Everybody reads its kind and its `purpose` in the calendar."""

    instrument: Annotated[Code, Meta(examples=["N001"])]
    starts_at: Annotated[Moment, Meta(examples=["2026-11-25T09:00:00+07:00"])]
    ends_at: Annotated[Moment, Meta(examples=["2026-11-25T11:00:00+07:00"])]
    kind: Literal["maintenance", "engineering", "closure"]
    purpose: Text = ""


class Missed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`version` may be given here instead of in If-Match."""

    version: Version | UnsetType = UNSET


@post("/bookings/blocks", sync_to_thread=True, operation_id="block", summary="Block time for the centre's work",
      tags=["bookings"], responses=problems(403, 404, 409, 422, 503), operation_class=accepts(NewBlock))  # fmt: skip
def block(
    request: Request, database: given.Database, me: given.Me, now: given.Now, body: RawBody, key: Key = None
) -> Response[BookingView]:
    """Block time of an instrument, as a manager of its centre; it is moved and cancelled like a booking.

    409 where a booking or another block stands: people are asked to move first.
    """
    new = reading.decode(body, NewBlock)
    span = reading.span(new.starts_at, new.ends_at)
    with database.read() as db:
        number = calendars.rules_of(db, new.instrument).number

    def work(db: Connection) -> Response[BookingView]:
        made = bookings.block(db, me, number, BookingKind(new.kind), span, new.purpose, now)
        view = line_view(me, bookings.show(db, me, made.id))
        return answer(request, view, version=view.version, status=201, location=f"/api/v1/bookings/{view.id}")

    return once(request, database, me, now, work, key=key, body=body)


@post("/bookings/{booking_id:uuid}/no-show", sync_to_thread=True, operation_id="missBooking", summary="Nobody came",
      tags=["bookings"], status_code=200, responses=problems(403, 404, 412, 422, 503),
      operation_class=accepts(Missed))  # fmt: skip
def miss(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    booking_id: FromPath[UUID],
    body: RawBody,
    key: Key = None,
) -> Response[BookingView]:
    """Write down that nobody came to a use, as a manager of its centre: the rest of its time is free for others."""
    said = reading.decode(body, Missed)
    seen = reading.seen_version(request.headers.get("if-match"), set_or_none(said.version))

    def work(db: Connection) -> Response[BookingView]:
        bookings.miss(db, me, booking_id, seen_version=seen, now=now)
        view = line_view(me, bookings.show(db, me, booking_id))
        return answer(request, view, version=view.version)

    return once(request, database, me, now, work, key=key, body=body)


class Pardoned(Missed, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why it was nobody's fault, which its user reads."""

    reason: Annotated[Text, Meta(examples=["The pump had failed that morning"])]


@post("/bookings/{booking_id:uuid}/pardon", sync_to_thread=True, operation_id="pardonBooking",
      summary="Take a strike back", tags=["bookings"], status_code=200, responses=problems(403, 404, 412, 422, 503),
      operation_class=accepts(Pardoned))  # fmt: skip
def pardon(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    booking_id: FromPath[UUID],
    body: RawBody,
    key: Key = None,
) -> Response[BookingView]:
    """Take back that nobody came to a use, or that it was given back late, as a manager of its centre: it counts
    against its user no more, and its time stays free for others.
    """
    said = reading.decode(body, Pardoned)
    seen = reading.seen_version(request.headers.get("if-match"), set_or_none(said.version))

    def work(db: Connection) -> Response[BookingView]:
        strikes.pardon(db, me, booking_id, said.reason, seen_version=seen, now=now)
        view = line_view(me, bookings.show(db, me, booking_id))
        return answer(request, view, version=view.version)

    return once(request, database, me, now, work, key=key, body=body)


HANDLERS = [block, miss, pardon]
