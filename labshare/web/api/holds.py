"""/api/v1/bookings/holds: time that is kept for a few minutes, while somebody decides whether to book it."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from litestar import Response, delete, post
from litestar.params import FromPath, RawBody

from labshare.domain.bookings import Booking
from labshare.domain.people import Actor
from labshare.services import Connection, bookings
from labshare.services import holds as service
from labshare.web import given
from labshare.web.api import reading
from labshare.web.api.answers import answer
from labshare.web.api.booking_views import BookingView, line_view
from labshare.web.api.booking_wishes import NewBooking, wish_of
from labshare.web.api.idempotency import Key, once
from labshare.web.api.schema import accepts, problems
from labshare.web.rendering import Request


@post("/bookings/holds", sync_to_thread=True, operation_id="hold", summary="Hold a time for five minutes",
      tags=["bookings"], responses=problems(403, 404, 409, 422, 503), operation_class=accepts(NewBooking))  # fmt: skip
def hold(
    request: Request, database: given.Database, me: given.Me, now: given.Now, body: RawBody, key: Key = None
) -> Response[BookingView]:
    """Keep a time until `held_until`, judged as the booking that it may become: book with its id as `hold` then.

    Nobody holds more than two times at once. With `hold` it takes the place of that one, and lasts no longer than it.
    """
    new = reading.decode(body, NewBooking)
    with database.read() as db:
        wish = wish_of(db, me, new)

    def work(db: Connection) -> Response[BookingView]:
        return _answer(request, db, me, service.hold(db, me, wish, now), status=201)

    return once(request, database, me, now, work, key=key, body=body)


@post("/bookings/holds/{hold_id:uuid}/prolong", sync_to_thread=True, operation_id="prolongHold",
      summary="Five minutes more, once", tags=["bookings"], status_code=200,
      responses=problems(404, 422, 503))  # fmt: skip
def prolong(
    request: Request, database: given.Database, me: given.Me, now: given.Now, hold_id: FromPath[UUID], key: Key = None
) -> Response[BookingView]:
    """Keep the time for five minutes from now; a hold is prolonged once."""
    return once(request, database, me, now, _doing(request, me, lambda db: service.prolong(db, me, hold_id, now)),
                key=key)  # fmt: skip


@delete("/bookings/holds/{hold_id:uuid}", sync_to_thread=True, operation_id="releaseHold", summary="Let a hold go",
        tags=["bookings"], status_code=200, responses=problems(404, 422, 503))  # fmt: skip
def release(
    request: Request, database: given.Database, me: given.Me, now: given.Now, hold_id: FromPath[UUID], key: Key = None
) -> Response[BookingView]:
    """The time is free for others. One that has ended already stays as it is."""
    return once(request, database, me, now, _doing(request, me, lambda db: service.release(db, me, hold_id, now)),
                key=key)  # fmt: skip


HANDLERS = [hold, prolong, release]


def _doing(
    request: Request, me: Actor, done: Callable[[Connection], Booking]
) -> Callable[[Connection], Response[BookingView]]:
    return lambda db: _answer(request, db, me, done(db))


def _answer(
    request: Request, db: Connection, me: Actor, booking: Booking, *, status: int = 200
) -> Response[BookingView]:
    view = line_view(me, bookings.show(db, me, booking.id))
    location = f"/api/v1/bookings/{view.id}" if status == 201 else None
    return answer(request, view, version=view.version, status=status, location=location)
