"""Dry runs: what would become of a booking that is asked for, or of a change of one, judged as it would be judged now.

What must not live here: making either (bookings.py).
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import msgspec
from litestar import Response, post
from litestar.params import FromPath, RawBody
from msgspec import UNSET

from labshare.domain.people import Actor
from labshare.errors import Refused, WrongState
from labshare.services import Connection, Database, bookings, calendars, prices
from labshare.services.writing import undone
from labshare.web import given
from labshare.web.api import reading
from labshare.web.api.answers import answer
from labshare.web.api.booking_views import MadeBooking, made, made_of
from labshare.web.api.booking_wishes import BookingChange, NewBooking, wish_of
from labshare.web.api.bookings import change_as_asked
from labshare.web.api.reading import set_or_none
from labshare.web.api.schema import ProblemRefusal, accepts, problems, told
from labshare.web.rendering import Request


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """Without `refusals` it would be made: `booking` is how it would stand, pending where it would wait for its centre,
    and has neither id nor version where it would be a new one. `estimate` is VND, None where no tariff says it; `late`
    is whether the one that is given up for it is, as by cancelling it, later than an agreement asks for.
    """

    refusals: tuple[ProblemRefusal, ...] = ()
    booking: MadeBooking | None = None
    estimate: int | None = None
    late: bool = False


@post("/bookings/trial", sync_to_thread=True, operation_id="tryBooking", summary="What would become of a booking",
      tags=["bookings"], status_code=200, responses=problems(403, 404, 503),
      operation_class=accepts(NewBooking))  # fmt: skip
def book(request: Request, database: given.Database, me: given.Me, now: given.Now, body: RawBody) -> Response[Trial]:
    """Judge a booking as it would be judged now, with every reason at once, and make none."""
    new = reading.decode(body, NewBooking)

    def work(db: Connection) -> Trial:
        view = made_of(db, me, bookings.booked(db, me, [wish_of(db, me, new)], now)[0], now)
        return _told(db, me, view)

    return _tried(request, database, work)


@post("/bookings/{booking_id:uuid}/trial", sync_to_thread=True, operation_id="tryChange",
      summary="What would become of a change", tags=["bookings"], status_code=200,
      responses=problems(403, 404, 412, 503), operation_class=accepts(BookingChange))  # fmt: skip
def change(
    request: Request,
    database: given.Database,
    me: given.Me,
    now: given.Now,
    booking_id: FromPath[UUID],
    body: RawBody,
) -> Response[Trial]:
    """Judge other times, another instrument, or whatever a change may say, as it would be judged now, and change
    nothing. Without a version it is of the booking as it stands.
    """
    asked = reading.decode(body, BookingChange)
    tag = request.headers.get("if-match")
    is_named = tag is not None or asked.version is not UNSET
    named = reading.seen_version(tag, set_or_none(asked.version)) if is_named else None

    def work(db: Connection) -> Trial:
        seen = named or bookings.show(db, me, booking_id).booking.version
        view = made(db, me, change_as_asked(db, me, booking_id, asked, seen, now), now)
        return _told(db, me, view, booking_id)

    return _tried(request, database, work)


HANDLERS = [book, change]


def _tried(request: Request, database: Database, work: Callable[[Connection], Trial]) -> Response[Trial]:
    """What would come of the work, which leaves no trace: not even a clearance that it lacks is asked for."""
    try:
        with database.write() as db, undone(db):
            tried = work(db)
    except (Refused, WrongState) as error:
        tried = Trial(refusals=tuple(told(each) for each in error.refusals))
    return answer(request, tried)


def _told(db: Connection, me: Actor, view: MadeBooking, before_id: UUID | None = None) -> Trial:
    """A booking that stands for the moment; `before_id` is the one that is changed or given up for it."""
    assert view.id is not None
    booking = bookings.show(db, me, view.id).booking
    estimate = prices.of_booking(db, calendars.rules_of(db, view.instrument), booking, view.project or "")
    is_new = view.id != before_id
    return Trial(
        booking=msgspec.structs.replace(view, id=None, version=None) if is_new else view,
        estimate=estimate.price.total if estimate else None,
        late=is_new and before_id is not None and bookings.show(db, me, before_id).booking.late_notice,
    )
