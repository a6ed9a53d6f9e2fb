"""One's own bookings, page after page: by start and id, behind the last that was told."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from labshare.domain.bookings import Booking, BookingState
from labshare.store import booking_pages as pages
from labshare.store import bookings as store
from labshare.store.engine import Connection, Database
from tests.furniture import COLLEAGUE, FESEM, NMR, NOW, RESEARCHER, XRD, a_booking, at, furnish, span


def numbered(number: int, booking: Booking) -> Booking:
    return msgspec.structs.replace(booking, id=UUID(int=number), person_id=RESEARCHER)


def numbers(db: Connection, since: datetime, **asked: object) -> list[int]:
    found = pages.lines_of_person(db, RESEARCHER, since=since, **asked)  # pyright: ignore[reportArgumentType]  each test gives what fits
    return [line.booking.id.int for line in found]


def test_pages_go_by_start_and_where_starts_are_alike_by_id(database: Database) -> None:
    """Three start at 9 on the 25th, one an hour later; one id is so large that a signed number would be below 0."""
    first, last = 3, 2**127
    with database.write() as db:
        furnish(db)
        wanted = ((last, NMR, 9), (first, FESEM, 9), (7, XRD, 9), (1, XRD, 10))
        store.add(db, [numbered(id_, a_booking(number, span(25, hour, hour + 1))) for id_, number, hour in wanted])
        assert numbers(db, NOW) == [first, 7, last, 1]
        assert numbers(db, NOW, limit=2) == [first, 7]
        assert numbers(db, NOW, after=(at(25, 9), UUID(int=7)), limit=2) == [last, 1]
        assert numbers(db, NOW, after=(at(25, 10), UUID(int=1))) == []


def test_since_and_until_are_half_open_and_states_are_chosen(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        cancelled = a_booking(FESEM, span(25, 13, 14), state=BookingState.CANCELLED)
        store.add(db, [numbered(1, a_booking(FESEM, span(25, 9, 11))), numbered(2, cancelled),
                       msgspec.structs.replace(a_booking(XRD, span(25, 9, 11)), person_id=COLLEAGUE)])  # fmt: skip
        # It ends at 11: one minute before that it still counts, and so does any part of that minute.
        assert numbers(db, at(25, 11)) == []
        assert numbers(db, at(25, 11) - timedelta(microseconds=1)) == [1]
        assert numbers(db, NOW, until=at(25, 9)) == []
        assert numbers(db, NOW, until=at(25, 9) + timedelta(minutes=1)) == [1]
        assert numbers(db, NOW, states=[BookingState.CANCELLED]) == [2]
        assert numbers(db, NOW, states=[BookingState.CANCELLED, BookingState.CONFIRMED]) == [1, 2]
