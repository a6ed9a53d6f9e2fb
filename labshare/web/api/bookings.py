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

from labshare.domain.bookings import BookingKind, BookingState, Wish
from labshare.domain.modes import Mode
from labshare.domain.people import Action, Actor, may
from labshare.domain.timespan import Span
from labshare.errors import Malformed
from labshare.services import Connection, calendars, moves, wishes
from labshare.services import bookings as service
from labshare.services.booking_warnings import warnings
from labshare.services.bookings import BookingLine
from labshare.services.calendars import CalendarEntry
from labshare.services.moves import Said
from labshare.web import given
from labshare.web.api import paging, reading
from labshare.web.api.answers import answer
from labshare.web.api.idempotency import Key, once
from labshare.web.api.reading import Code, Moment, Text, Version, asked
from labshare.web.api.schema import ProblemRefusal, accepts, problems, told
from labshare.web.rendering import Request

T = TypeVar("T")
LONGEST_CALENDAR = timedelta(days=92)
MOST_WISHES = 50


class BookingView(msgspec.Struct, frozen=True, kw_only=True):
    """A booking. In a calendar, one that the caller may not see whole has times, kind, instrument and set-up alone, and
    says whether it is only held.
    """

    id: UUID | None
    instrument: str
    starts_at: datetime
    ends_at: datetime
    kind: BookingKind
    state: BookingState | None = None
    project: str | None = None
    purpose: str | None = None
    # Who uses it, and who booked it for them when that is somebody else; by name.
    person: str | None = None
    booked_by: str | None = None
    # Who runs the instrument, and how it is set up, which everybody may know.
    mode: Mode | None = None
    setup: str = ""
    # Until when a hold keeps the time.
    held_until: datetime | None = None
    # Until when the centre decides on it while it is pending, and what the centre said.
    decide_by: datetime | None = None
    decision_note: str | None = None
    # Who is present while its user is in training.
    trainer: UUID | None = None
    # The series that it belongs to.
    series: UUID | None = None
    # Why the centre's own rules were passed for it; for those who manage its calendar.
    override_reason: str | None = None
    version: int | None = None


class MadeBooking(BookingView, frozen=True, kw_only=True):
    """A booking that was just made or changed. It stands; `notices` say of which agreed shares it goes beyond, that the
    caller's qualification ends soon, and to how many bookings they did not come by the rules of the centre.
    """

    notices: tuple[ProblemRefusal, ...] = ()


class BookingList(msgspec.Struct, frozen=True, kw_only=True):
    """One page. `next` is the path of the next one, None on the last; a calendar is one page."""

    items: tuple[BookingView, ...]
    next: str | None = None


class MadeBookings(msgspec.Struct, frozen=True, kw_only=True):
    """Bookings that were just made together, in the order of the wishes."""

    items: tuple[MadeBooking, ...]


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
    new = reading.decode(body, NewBooking)
    with database.read() as db:
        wish = wish_of(db, me, new)

    def work(db: Connection) -> Response[MadeBooking]:
        view = _made(db, me, service.book(db, me, wish, now).id, now)
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
        made = service.book_all(db, me, wishes, now)
        return answer(request, MadeBookings(items=tuple(_made(db, me, each.id, now) for each in made)), status=201)

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
        view = _made(db, me, _change(db, me, booking_id, asked, seen, now), now)
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
    span = reading.span(new.starts_at, new.ends_at)
    wish = wishes.wish_of(db, me, new.instrument, new.project, span, new.purpose)
    if new.person is not None and new.person != me.login:
        wish = wishes.for_person(db, me, wish, new.person, new.project)
    given = {"override": new.override_reason, "mode": new.mode, "setup": new.setup, "replaces_id": new.hold}
    return msgspec.structs.replace(wish, **given, trainer_id=new.trainer)


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
    return BookingList(items=tuple(_masked(entry, instrument) for entry in entries))


def _window(first: str, last: str) -> Span:
    window = Span(reading.typed_moment(first, "from"), reading.typed_moment(last, "to"))
    if window.end - window.start > LONGEST_CALENDAR:
        raise Malformed("calendar_too_long", most=LONGEST_CALENDAR.days)
    return window


def _made(db: Connection, me: Actor, booking_id: UUID, now: datetime) -> MadeBooking:
    line = service.show(db, me, booking_id)
    said = tuple(told(each) for each in warnings(db, me, line.booking, now))
    return MadeBooking(**msgspec.structs.asdict(line_view(me, line)), notices=said)


def line_view(me: Actor, line: BookingLine) -> BookingView:
    """One booking as its reader may see it."""
    view = _view(line)
    manages = may(me, Action.MANAGE_CALENDAR, centre=line.centre_id)
    return msgspec.structs.replace(view, override_reason=line.booking.override_reason or None) if manages else view


def _view(line: BookingLine) -> BookingView:
    booking = line.booking
    has_other = booking.booked_by_id not in (None, booking.person_id)
    return BookingView(
        id=booking.id,
        instrument=line.instrument_id,
        starts_at=booking.starts_at,
        ends_at=booking.ends_at,
        kind=booking.kind,
        state=booking.state,
        project=line.project,
        purpose=booking.purpose,
        person=line.person,
        booked_by=line.booked_by if has_other else None,
        mode=booking.mode if booking.kind is BookingKind.USE else None,
        setup=booking.setup,
        held_until=booking.hold_expires_at if booking.state is BookingState.HELD else None,
        decide_by=booking.hold_expires_at if booking.state is BookingState.PENDING else None,
        decision_note=booking.decision_note,
        trainer=booking.trainer_id,
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
        state=BookingState.HELD if entry.is_held else entry.state,
        project=entry.project,
        purpose=entry.purpose,
        person=entry.person,
        mode=entry.mode if entry.kind is BookingKind.USE else None,
        setup=entry.setup,
    )


def set_or_none(value: T | UnsetType) -> T | None:
    return None if value is UNSET else value
