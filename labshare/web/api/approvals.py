"""/api/v1/approvals: what waits for the centres that the caller manages, deciding on one of them, and whose bookings of
an instrument wait at all.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, get, post, put
from litestar.params import FromPath, PathParameter, RawBody
from msgspec import UNSET, Meta, UnsetType

from labshare.domain.approvals import MOST_HOURS, Approval
from labshare.domain.bookings import Booking
from labshare.domain.people import Actor
from labshare.services import Connection, Database, approvals, bookings, calendars
from labshare.services.bookings import BookingLine
from labshare.web import given
from labshare.web.api import paging, reading
from labshare.web.api.answers import answer
from labshare.web.api.booking_views import BookingList, BookingView, line_view
from labshare.web.api.idempotency import Key, once
from labshare.web.api.reading import CODE, Text, Version, set_or_none
from labshare.web.api.schema import accepts, problems
from labshare.web.rendering import Request


class Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the centre says. Who declines gives a note. `version` may be given here instead of in If-Match."""

    note: Text = ""
    version: Version | UnsetType = UNSET


class Waiting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose bookings of an instrument wait for its centre: nobody's, those of other houses, or everybody's; and so many
    hours at most, never past their start.
    """

    approval: Approval
    hours: Annotated[int, Meta(ge=1, le=MOST_HOURS)] = 72


@get("/approvals", sync_to_thread=True, operation_id="listApprovals", summary="Bookings that wait for me",
     tags=["bookings"], responses=problems())  # fmt: skip
def listing(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    cursor: paging.Cursor = "",
    limit: paging.Limit = paging.USUAL_PAGE,
) -> Response[BookingList]:
    """Bookings that wait for the centres which the caller manages, what must be decided first before the rest."""
    with database.read() as db:
        found = approvals.waiting(db, me, now, after=_behind(cursor), limit=limit + 1)
    lines, following = paging.page(request, found, limit, _place)
    listed = BookingList(items=tuple(line_view(me, line) for line in lines), next=following)
    return answer(request, listed, following=following)


@post("/bookings/{booking_id:uuid}/approve", sync_to_thread=True, operation_id="approveBooking",
      summary="Approve a booking", tags=["bookings"], status_code=200,
      responses=problems(403, 404, 409, 412, 422, 503), operation_class=accepts(Decision))  # fmt: skip
def approve(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    booking_id: FromPath[UUID],
    body: RawBody,
    key: Key = None,
) -> Response[BookingView]:
    """The centre says yes, on the version that was seen: its time was kept, and now it stands."""
    return _decide(request, database, me, now, booking_id, body, key, approvals.approve)


@post("/bookings/{booking_id:uuid}/decline", sync_to_thread=True, operation_id="declineBooking",
      summary="Decline a booking", tags=["bookings"], status_code=200,
      responses=problems(403, 404, 409, 412, 422, 503), operation_class=accepts(Decision))  # fmt: skip
def decline(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    booking_id: FromPath[UUID],
    body: RawBody,
    key: Key = None,
) -> Response[BookingView]:
    """The centre says no and why, and the time is free for others."""
    return _decide(request, database, me, now, booking_id, body, key, approvals.decline)


@put("/instruments/{instrument_id:str}/approval", sync_to_thread=True, operation_id="chooseApproval",
     summary="Choose whose bookings wait", tags=["bookings"], responses=problems(403, 404, 422, 503),
     operation_class=accepts(Waiting))  # fmt: skip
def choose(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    instrument_id: Annotated[str, PathParameter(pattern=CODE)],
    body: RawBody,
    key: Key = None,
) -> Response[Waiting]:
    """Say whose bookings of an instrument wait from now on, as a manager of its centre. What stands, stands."""
    wanted = reading.decode(body, Waiting)

    def work(db: Connection) -> Response[Waiting]:
        approvals.choose(db, me, instrument_id, wanted.approval, wanted.hours, now)
        rules = calendars.rules_of(db, instrument_id)
        return answer(request, Waiting(approval=Approval(rules.approval), hours=rules.approval_hours))

    return once(request, database, me, now, work, key=key, body=body)


def _decide(
    request: Request,
    database: Database,
    me: Actor,
    now: datetime,
    booking_id: UUID,
    body: bytes,
    key: str | None,
    decided: Callable[..., Booking],
) -> Response[BookingView]:
    said = reading.decode(body, Decision)
    seen = reading.seen_version(request.headers.get("if-match"), set_or_none(said.version))

    def work(db: Connection) -> Response[BookingView]:
        decided(db, me, booking_id, seen_version=seen, now=now, note=said.note)
        view = line_view(me, bookings.show(db, me, booking_id))
        return answer(request, view, version=view.version)

    return once(request, database, me, now, work, key=key, body=body)


def _place(line: BookingLine) -> tuple[datetime | None, datetime, UUID]:
    return line.booking.hold_expires_at, line.booking.starts_at, line.booking.id


def _behind(cursor: str) -> tuple[datetime, datetime, UUID] | None:
    place = paging.behind(cursor, tuple[datetime, datetime, UUID])
    if place is None:
        return None
    return reading.instant(place[0], "cursor"), reading.moment(place[1], "cursor"), place[2]


HANDLERS = [listing, approve, decline, choose]
