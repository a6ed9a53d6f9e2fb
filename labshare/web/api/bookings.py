"""/api/v1/bookings: one's own bookings, an instrument's calendar as one may see it, and making, moving, cancelling."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, TypeVar
from uuid import UUID

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import FromPath, QueryParameter, RawBody
from msgspec import UNSET, Meta, UnsetType

from labshare.domain.bookings import BookingState, Wish
from labshare.domain.modes import Mode
from labshare.domain.people import Actor
from labshare.domain.timespan import Span
from labshare.errors import Malformed, Refused
from labshare.services import Connection, calendars, moves, wishes
from labshare.services import bookings as service
from labshare.services.moves import Said
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
from labshare.web.api.idempotency import Key, once
from labshare.web.api.reading import Code, Moment, Text, Version, asked
from labshare.web.api.schema import accepts, problems
from labshare.web.clearances import hold_back
from labshare.web.rendering import Request

T = TypeVar("T")
LONGEST_CALENDAR = timedelta(days=92)
MOST_WISHES = 50


class NewBooking(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A wish for time. `project` is the code of a project of who will use it, whose class it takes.

    `person` is their login: without it the caller, else somebody for whom the caller may book, as a manager of the
    centre, or as the leader of the project for its members. `mode` and `setup` are of those that the instrument
    offers. `hold` is a hold of the caller's, whose place this takes; one that has ended counts for nothing.
    `override_reason` passes the centre's own rules, for those who manage its calendar: at least three words.
    """

    instrument: Annotated[Code, Meta(examples=["N001"])]
    starts_at: Annotated[Moment, Meta(examples=["2026-11-25T09:00:00+07:00"])]
    ends_at: Annotated[Moment, Meta(examples=["2026-11-25T11:00:00+07:00"])]
    project: Annotated[Code, Meta(examples=["IMS-01"])]
    purpose: Text = ""
    person: Code | None = None
    mode: Mode | None = None
    setup: Text = ""
    hold: UUID | None = None
    override_reason: Text = ""
    # Who is present while the caller, who is not qualified yet, uses the instrument: see listTrainers.
    trainer: UUID | None = None


class NewBookings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Wishes that are granted together or not at all."""

    items: Annotated[tuple[NewBooking, ...], Meta(min_length=1, max_length=MOST_WISHES)]


class BookingChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall be different; an absent field stays. `version` may be given here instead of in If-Match.

    On another `instrument`, which must be of the same kind, it is a new booking, whose id the answer has, and the one
    that was there is cancelled: both or neither.
    """

    starts_at: Moment | UnsetType = UNSET
    ends_at: Moment | UnsetType = UNSET
    instrument: Code | UnsetType = UNSET
    purpose: Text | UnsetType = UNSET
    mode: Mode | UnsetType = UNSET
    setup: Text | UnsetType = UNSET
    override_reason: Text = ""
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


@post("/bookings", sync_to_thread=True, operation_id="book", summary="Book an instrument",
      tags=["bookings"], responses=problems(403, 404, 409, 422, 503), operation_class=accepts(NewBooking))  # fmt: skip
def create(
    request: Request, database: given.Database, me: given.Me, now: given.Now, body: RawBody, key: Key = None
) -> Response[MadeBooking]:
    """Book an instrument. Refused with every reason at once: 409 when only the time is taken, else 422."""
    new, wish = reading.decode(body, NewBooking), None

    def work(db: Connection) -> Response[MadeBooking]:
        assert wish is not None
        view = made_of(db, me, service.booked(db, me, [wish], now)[0], now)
        location = f"/api/v1/bookings/{view.id}"
        return answer(request, view, version=view.version, status=201, location=location)

    try:
        with database.read() as db:
            wish, is_taken = _asked(db, me, new)
            if is_taken and key is None and new.hold is None:
                service.look(db, me, wish, now)
        return once(request, database, me, now, work, key=key, body=body)
    except Refused as error:
        if wish is not None:
            hold_back(database, me, wish, error, now)
        raise


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

    try:
        return once(request, database, me, now, work, key=key, body=body)
    except Refused as error:
        for wish in wishes:
            hold_back(database, me, wish, error, now)
        raise


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
        view = made(db, me, _change(db, me, booking_id, asked, seen, now), now)
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


HANDLERS = [listing, show, create, create_all, change, cancel]


def _require_none(**unasked: object) -> None:
    """Raises `Malformed` for what belongs to the list of one's own and was asked of a calendar."""
    for field, value in unasked.items():
        if value:
            raise Malformed("malformed_field", field=field)


def _behind(cursor: str) -> tuple[datetime, UUID] | None:
    place = paging.behind(cursor, tuple[datetime, UUID])
    return (reading.moment(place[0], "cursor"), place[1]) if place else None


def wish_of(db: Connection, me: Actor, new: NewBooking) -> Wish:
    """What is asked for. Raises `Malformed`, `NotFound`, and `Refused` for somebody for whom one may not book."""
    return _asked(db, me, new)[0]


def _asked(db: Connection, me: Actor, new: NewBooking) -> tuple[Wish, bool]:
    """The same, and whether something is seen to take that time already."""
    span = reading.span(new.starts_at, new.ends_at)
    wish, is_taken = wishes.wish_of(db, me, new.instrument, new.project, span, new.purpose)
    if new.person is not None and new.person != me.login:
        wish = wishes.for_person(db, me, wish, new.person, new.project)
    given = {"override": new.override_reason, "mode": new.mode, "setup": new.setup, "replaces_id": new.hold}
    return msgspec.structs.replace(wish, **given, trainer_id=new.trainer), is_taken


def _change(db: Connection, me: Actor, booking_id: UUID, asked: BookingChange, seen: int, now: datetime) -> UUID:
    """Make the change; returns the id of the booking that stands then."""
    standing = service.show(db, me, booking_id).booking
    said = Said(
        purpose=set_or_none(asked.purpose),
        mode=set_or_none(asked.mode),
        setup=set_or_none(asked.setup),
        override=asked.override_reason,
    )
    if any(each is not UNSET for each in (asked.starts_at, asked.ends_at, asked.instrument, asked.mode, asked.setup)):
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


def set_or_none(value: T | UnsetType) -> T | None:
    return None if value is UNSET else value
