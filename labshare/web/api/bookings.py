"""/api/v1/bookings: one's own bookings, an instrument's calendar as one may see it, and making, moving, cancelling."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, TypeVar
from uuid import UUID

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import FromPath, QueryParameter, RawBody
from msgspec import UNSET, Meta, UnsetType

from labshare.domain.bookings import Booking, BookingKind, BookingState
from labshare.domain.people import Actor
from labshare.domain.timespan import Span
from labshare.errors import Malformed, Refused
from labshare.services import Connection, calendars
from labshare.services import bookings as service
from labshare.services.bookings import BookingLine
from labshare.services.calendars import CalendarEntry
from labshare.services.share_warnings import notices
from labshare.web import given
from labshare.web.api import reading
from labshare.web.api.answers import answer
from labshare.web.api.reading import Code, Moment, Text, Version, asked
from labshare.web.api.schema import ProblemRefusal, accepts, problems, told
from labshare.web.clearances import hold_back
from labshare.web.rendering import Request

T = TypeVar("T")
LONGEST_CALENDAR = timedelta(days=92)


class BookingView(msgspec.Struct, frozen=True, kw_only=True):
    """A booking. In a calendar, one that the caller may not see whole has times, kind and instrument alone."""

    id: UUID | None
    instrument: str
    starts_at: datetime
    ends_at: datetime
    kind: BookingKind
    state: BookingState | None = None
    project: str | None = None
    purpose: str | None = None
    # The series that it belongs to.
    series: UUID | None = None
    version: int | None = None


class MadeBooking(BookingView, frozen=True, kw_only=True):
    """A booking that was just made or changed. It stands; `notices` say of which agreed shares it goes beyond."""

    notices: tuple[ProblemRefusal, ...] = ()


class BookingList(msgspec.Struct, frozen=True, kw_only=True):
    items: tuple[BookingView, ...]


class NewBooking(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A wish for time, for oneself. `project` is the code of one of the caller's projects, whose class it takes."""

    instrument: Annotated[Code, Meta(examples=["N001"])]
    starts_at: Annotated[Moment, Meta(examples=["2026-11-25T09:00:00+07:00"])]
    ends_at: Annotated[Moment, Meta(examples=["2026-11-25T11:00:00+07:00"])]
    project: Annotated[Code, Meta(examples=["IMS-01"])]
    purpose: Text = ""


class BookingChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall be different; an absent field stays. `version` may be given here instead of in If-Match."""

    starts_at: Moment | UnsetType = UNSET
    ends_at: Moment | UnsetType = UNSET
    purpose: Text | UnsetType = UNSET
    version: Version | UnsetType = UNSET


@get("/bookings", sync_to_thread=True, operation_id="listBookings", summary="My bookings, or a calendar",
     tags=["bookings"], responses=problems(404))  # fmt: skip
def listing(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    instrument: Annotated[str, asked("instrument", "Whose calendar; `from` and `to` are needed then.")] = "",
    first: Annotated[str, asked("from", "Start of the calendar, with its offset.")] = "",
    last: Annotated[str, asked("to", "End of the calendar, at most 92 days later.")] = "",
) -> Response[BookingList]:
    """My bookings that have not ended, the next one first; or an instrument's calendar from one time to another."""
    with database.read() as db:
        if not instrument:
            if first or last:
                raise Malformed("malformed_field", field="instrument")
            return answer(request, BookingList(items=tuple(_line_view(line) for line in service.mine(db, me, now))))
        return answer(request, _calendar(db, me, instrument, _window(first, last)))


@get("/bookings/{booking_id:uuid}", sync_to_thread=True, operation_id="showBooking", summary="One booking",
     tags=["bookings"], responses=problems(404))  # fmt: skip
def show(request: Request, database: given.Database, me: given.Me, booking_id: FromPath[UUID]) -> Response[BookingView]:
    """One booking: one's own, or one of a centre that one manages. Its ETag is the version that a change must name."""
    with database.read() as db:
        view = _line_view(service.show(db, me, booking_id))
    return answer(request, view, version=view.version)


@post("/bookings", sync_to_thread=True, operation_id="book", summary="Book an instrument",
      tags=["bookings"], responses=problems(403, 404, 409, 422, 503), operation_class=accepts(NewBooking))  # fmt: skip
def create(
    request: Request, database: given.Database, me: given.Me, now: given.Now, body: RawBody
) -> Response[MadeBooking]:
    """Book an instrument for oneself. Refused with every reason at once: 409 when only the time is taken, else 422."""
    new = reading.decode(body, NewBooking)
    span = reading.span(new.starts_at, new.ends_at)
    with database.read() as db:
        wish = service.wish_of(db, me, new.instrument, new.project, span, new.purpose)
    try:
        with database.write() as db:
            view = _made(db, me, service.book(db, me, wish, now).id, now)
    except Refused as error:
        hold_back(database, me, wish, error, now)
        raise
    return answer(request, view, version=view.version, status=201, location=f"/api/v1/bookings/{view.id}")


@patch("/bookings/{booking_id:uuid}", sync_to_thread=True, operation_id="changeBooking", summary="Move or describe",
       tags=["bookings"], responses=problems(403, 404, 409, 412, 422, 503),
       operation_class=accepts(BookingChange))  # fmt: skip
def change(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    booking_id: FromPath[UUID],
    body: RawBody,
) -> Response[MadeBooking]:
    """Move a booking or say in other words what it is for, on the version that was seen (412 when it is stale)."""
    asked = reading.decode(body, BookingChange)
    seen = reading.seen_version(request.headers.get("if-match"), set_or_none(asked.version))
    with database.write() as db:
        standing = service.show(db, me, booking_id).booking
        purpose = set_or_none(asked.purpose)
        if asked.starts_at is not UNSET or asked.ends_at is not UNSET:
            starts_at = standing.starts_at if asked.starts_at is UNSET else asked.starts_at
            ends_at = standing.ends_at if asked.ends_at is UNSET else asked.ends_at
            span = reading.span(starts_at, ends_at)
            service.move(db, me, booking_id, span, seen_version=seen, now=now, purpose=purpose)
        elif purpose is not None:
            service.describe(db, me, booking_id, purpose, seen_version=seen, now=now)
        else:
            raise Malformed("nothing_to_change")
        view = _made(db, me, booking_id, now)
    return answer(request, view, version=view.version)


@delete("/bookings/{booking_id:uuid}", sync_to_thread=True, operation_id="cancelBooking", summary="Cancel",
        tags=["bookings"], status_code=200, responses=problems(403, 404, 412, 422, 503))  # fmt: skip
def cancel(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    booking_id: FromPath[UUID],
    version: Annotated[int | None, QueryParameter(ge=1, le=reading.LARGEST_VERSION)] = None,
) -> Response[BookingView]:
    """Cancel a booking, on the version that was seen: If-Match or `?version=`. It stays readable, as cancelled."""
    seen = reading.seen_version(request.headers.get("if-match"), version)
    with database.write() as db:
        service.cancel(db, me, booking_id, seen_version=seen, now=now)
        view = _line_view(service.show(db, me, booking_id))
    return answer(request, view, version=view.version)


HANDLERS = [listing, show, create, change, cancel]


def _calendar(db: Connection, me: Actor, instrument: str, window: Span) -> BookingList:
    number = calendars.rules_of(db, instrument).number
    entries = calendars.calendar(db, me, [number], window).entries[number]
    return BookingList(items=tuple(_masked(entry, instrument) for entry in entries))


def _window(first: str, last: str) -> Span:
    window = Span(reading.typed_moment(first, "from"), reading.typed_moment(last, "to"))
    if window.end - window.start > LONGEST_CALENDAR:
        raise Malformed("calendar_too_long", most=LONGEST_CALENDAR.days)
    return window


def _made(db: Connection, me: Actor, booking_id: UUID, now: datetime) -> MadeBooking:
    line = service.show(db, me, booking_id)
    said = tuple(told(each) for each in notices(db, me, line.booking, now))
    return MadeBooking(**msgspec.structs.asdict(_line_view(line)), notices=said)


def _line_view(line: BookingLine) -> BookingView:
    return _view(line.booking, line.instrument_id, line.project)


def _view(booking: Booking, instrument_id: str, project: str | None) -> BookingView:
    return BookingView(
        id=booking.id,
        instrument=instrument_id,
        starts_at=booking.starts_at,
        ends_at=booking.ends_at,
        kind=booking.kind,
        state=booking.state,
        project=project,
        purpose=booking.purpose,
        series=booking.series_id,
        version=booking.version,
    )


def _masked(entry: CalendarEntry, instrument: str) -> BookingView:
    return BookingView(
        id=entry.id,
        instrument=instrument,
        starts_at=entry.starts_at,
        ends_at=entry.ends_at,
        kind=entry.kind,
        state=entry.state,
        project=entry.project,
        purpose=entry.purpose,
    )


def set_or_none(value: T | UnsetType) -> T | None:
    return None if value is UNSET else value
