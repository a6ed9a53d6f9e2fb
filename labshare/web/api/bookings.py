"""/api/v1/bookings: one's own bookings, an instrument's calendar as one may see it, and making, moving, cancelling."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Annotated
from uuid import UUID

from litestar import Response, delete, get, patch, post
from litestar.params import FromPath, QueryParameter, RawBody
from msgspec import UNSET

from labshare.domain.bookings import BookingState
from labshare.domain.ics import MEDIA_TYPE
from labshare.domain.people import Actor
from labshare.domain.timespan import Span
from labshare.errors import Malformed
from labshare.services import Connection, calendars, moves, operators
from labshare.services import bookings as service
from labshare.web import given
from labshare.web.api import paging, reading
from labshare.web.api.answers import answer
from labshare.web.api.booking_views import (
    BookingList,
    BookingView,
    MadeBooking,
    MadeBookings,
    line_view,
    made,
    made_of,
    masked,
)
from labshare.web.api.booking_wishes import (
    MOST_WISHES,
    BookingChange,
    NewBooking,
    NewBookings,
    asked_of,
    said_of,
    wish_of,
)
from labshare.web.api.idempotency import Key, once
from labshare.web.api.reading import asked, set_or_none
from labshare.web.api.schema import accepts, problems
from labshare.web.clearances import held_back
from labshare.web.feeds import booking_file
from labshare.web.rendering import Request

LONGEST_CALENDAR = timedelta(days=92)


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
    since: Annotated[str, asked("since", "Mine that end after this time; without it, after now.")] = "",
    until: Annotated[str, asked("until", "Mine that begin before this time.")] = "",
    states: Annotated[
        list[BookingState] | None,
        QueryParameter(name="state", description="Mine in one of these states; without it, those that take time."),
    ] = None,
    cursor: paging.Cursor = "",
    limit: paging.Limit = paging.USUAL_PAGE,
) -> Response[BookingList]:
    """My bookings, the earliest first and page after page; or an instrument's calendar from one time to another."""
    if instrument:
        _require_none(since=since, until=until, state=states, cursor=cursor)
        with database.read() as db:
            return answer(request, _calendar(db, me, instrument, _window(first, last)))
    if first or last:
        raise Malformed("malformed_field", field="instrument")
    with database.read() as db:
        found = service.mine(
            db,
            me,
            reading.typed_moment(since, "since") if since else now,
            until=reading.typed_moment(until, "until") if until else None,
            states=states or (),
            after=_behind(cursor),
            limit=limit + 1,
        )
    lines, following = paging.page(request, found, limit, lambda line: (line.booking.starts_at, line.booking.id))
    listed = BookingList(items=tuple(line_view(me, line) for line in lines), next=following)
    return answer(request, listed, following=following)


@get("/bookings/{booking_id:uuid}", sync_to_thread=True, operation_id="showBooking", summary="One booking",
     tags=["bookings"], responses=problems(404))  # fmt: skip
def show(request: Request, database: given.Database, me: given.Me, booking_id: FromPath[UUID]) -> Response[BookingView]:
    """One booking: one's own, or one of a centre that one manages. Its ETag is the version that a change must name."""
    with database.read() as db:
        view = line_view(me, service.show(db, me, booking_id))
    return answer(request, view, version=view.version)


@get("/bookings/{booking_id:uuid}/booking.ics", sync_to_thread=True, operation_id="downloadBooking",
     summary="One booking as a calendar file", tags=["bookings"], media_type=MEDIA_TYPE,
     responses=problems(404))  # fmt: skip
def download(
    request: Request,
    database: given.Database,
    settings: given.Settings,
    me: given.Me,
    booking_id: FromPath[UUID],
) -> Response[bytes]:
    """One booking as iCalendar, for whoever may read it, in the language of `Accept-Language`."""
    return booking_file(request, database, me, booking_id, settings.base_url)


@post("/bookings", sync_to_thread=True, operation_id="book", summary="Book an instrument",
      tags=["bookings"], responses=problems(403, 404, 409, 422, 503), operation_class=accepts(NewBooking))  # fmt: skip
def create(
    request: Request, database: given.Database, me: given.Me, now: given.Now, body: RawBody, key: Key = None
) -> Response[MadeBooking]:
    """Book an instrument. Refused with every reason at once: 409 when only the time is taken, else 422."""
    new = reading.decode(body, NewBooking)
    with database.turn(new.instrument):
        with held_back(database, me, now), database.read() as db:
            wish, seen = asked_of(db, me, new)
            if seen.is_taken and key is None and new.hold is None:
                service.look(db, me, wish, seen.rules, now)

        def work(db: Connection) -> Response[MadeBooking]:
            view = made_of(db, me, service.booked(db, me, [wish], now)[0], now)
            location = f"/api/v1/bookings/{view.id}"
            return answer(request, view, version=view.version, status=201, location=location)

        return once(request, database, me, now, work, key=key, body=body)


@post("/bookings/batch", sync_to_thread=True, operation_id="bookTogether", summary="Book several times, all or none",
      tags=["bookings"], responses=problems(403, 404, 409, 422, 503), operation_class=accepts(NewBookings))  # fmt: skip
def create_all(
    request: Request, database: given.Database, me: given.Me, now: given.Now, body: RawBody, key: Key = None
) -> Response[MadeBookings]:
    """Book up to 50 times, on whatever instruments, all or none. A reason names the place of its wish in
    `items` as `item`, counted from 0; one without a place holds for all of them together.
    """
    new = reading.decode_items(body, NewBooking, MOST_WISHES)
    with database.read() as db:
        wishes = [reading.at_place(place, partial(wish_of, db, me, each)) for place, each in enumerate(new)]

    def work(db: Connection) -> Response[MadeBookings]:
        views = tuple(made_of(db, me, each, now) for each in service.booked(db, me, wishes, now))
        return answer(request, MadeBookings(items=views), status=201)

    return once(request, database, me, now, work, key=key, body=body)


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
    key: Key = None,
) -> Response[MadeBooking]:
    """Move a booking or say in other words what it is for, on the version that was seen (412 when it is stale)."""
    asked = reading.decode(body, BookingChange)
    seen = reading.seen_version(request.headers.get("if-match"), set_or_none(asked.version))

    def work(db: Connection) -> Response[MadeBooking]:
        view = made(db, me, change_as_asked(db, me, booking_id, asked, seen, now), now)
        return answer(request, view, version=view.version)

    return once(request, database, me, now, work, key=key, body=body)


@delete("/bookings/{booking_id:uuid}", sync_to_thread=True, operation_id="cancelBooking", summary="Cancel",
        tags=["bookings"], status_code=200, responses=problems(403, 404, 412, 422, 503))  # fmt: skip
def cancel(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    booking_id: FromPath[UUID],
    version: Annotated[int | None, QueryParameter(ge=1, le=reading.LARGEST_VERSION)] = None,
    key: Key = None,
) -> Response[BookingView]:
    """Cancel a booking, on the version that was seen: If-Match or `?version=`. It stays readable, as cancelled."""
    seen = reading.seen_version(request.headers.get("if-match"), version)

    def work(db: Connection) -> Response[BookingView]:
        service.cancel(db, me, booking_id, seen_version=seen, now=now)
        view = line_view(me, service.show(db, me, booking_id))
        return answer(request, view, version=view.version)

    return once(request, database, me, now, work, key=key)


HANDLERS = [listing, show, download, create, create_all, change, cancel]


def _require_none(**unasked: object) -> None:
    """Raises `Malformed` for what belongs to the list of one's own and was asked of a calendar."""
    for field, value in unasked.items():
        if value:
            raise Malformed("malformed_field", field=field)


def _behind(cursor: str) -> tuple[datetime, UUID] | None:
    place = paging.behind(cursor, tuple[datetime, UUID])
    return (reading.moment(place[0], "cursor"), place[1]) if place else None


def change_as_asked(
    db: Connection, me: Actor, booking_id: UUID, asked: BookingChange, seen: int, now: datetime
) -> UUID:
    """Make the change; returns the id of the booking that stands then."""
    standing = service.show(db, me, booking_id).booking
    said = said_of(asked)
    moved = any(
        each is not UNSET for each in (asked.starts_at, asked.ends_at, asked.instrument, asked.mode, asked.setup)
    )
    if asked.operator is not UNSET and not moved and said.purpose is None:
        return operators.assign(db, me, booking_id, asked.operator, seen_version=seen, now=now).id
    if moved or asked.operator is not UNSET:
        starts_at = standing.starts_at if asked.starts_at is UNSET else asked.starts_at
        ends_at = standing.ends_at if asked.ends_at is UNSET else asked.ends_at
        span, number = reading.span(starts_at, ends_at), standing.instrument_number
        if asked.instrument is not UNSET:
            number = calendars.rules_of(db, asked.instrument).number
        return moves.move_to(db, me, booking_id, number, span, said, seen_version=seen, now=now).id
    if said.purpose is None:
        raise Malformed("nothing_to_change")
    return service.describe(db, me, booking_id, said.purpose, seen_version=seen, now=now).id


def _calendar(db: Connection, me: Actor, instrument: str, window: Span) -> BookingList:
    number = calendars.rules_of(db, instrument).number
    entries = calendars.calendar(db, me, [number], window).entries[number]
    return BookingList(items=tuple(masked(entry, instrument) for entry in entries))


def _window(first: str, last: str) -> Span:
    window = Span(reading.typed_moment(first, "from"), reading.typed_moment(last, "to"))
    if window.end - window.start > LONGEST_CALENDAR:
        raise Malformed("calendar_too_long", most=LONGEST_CALENDAR.days)
    return window
