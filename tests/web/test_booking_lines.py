"""Bookings as lines: my list by day, and what the home page says of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa

from labshare.domain.bookings import Booking, BookingKind
from labshare.domain.timespan import Span
from labshare.i18n import speaking
from labshare.services import bookings
from labshare.store import bookings as store
from labshare.store import tables as t
from labshare.store.engine import Database
from labshare.web.booking_lines import by_day, next_bookings, next_free
from tests.furniture import COLLEAGUE, FESEM, MANAGER, PARTNER, RESEARCHER, XRD, a_booking, actor, at, span

Clock = Callable[[], datetime]


def put(house: Database, *new: Booking) -> None:
    with house.write() as db:
        store.add(db, new)


def test_my_bookings_stand_under_the_day_on_which_they_begin(house: Database, clock: Clock) -> None:
    put(
        house,
        a_booking(FESEM, span(26, 13, 14), purpose="Màng ZnO"),
        a_booking(XRD, Span(at(26, 17), at(27, 10))),
        a_booking(FESEM, span(27, 11, 12)),
        # Over, and somebody else's.
        a_booking(XRD, span(20, 9, 10)),
        a_booking(XRD, span(26, 9, 10), person_id=COLLEAGUE),
    )
    with house.read() as db:
        days = by_day(bookings.mine(db, actor(RESEARCHER), clock()))
    assert [(day, [item.time for item in items]) for day, items in days] == [
        ("T5 26/11/2026", ["13:00–14:00", "17:00–10:00 27/11"]),
        ("T6 27/11/2026", ["11:00–12:00"]),
    ]
    first = days[0][1][0]
    assert (first.title, first.detail, first.state) == ("Máy FESEM", "Màng ZnO · KC-01", "confirmed")


def test_a_block_that_somebody_made_is_not_their_booking(house: Database, clock: Clock) -> None:
    block = a_booking(
        XRD, span(26, 9, 10), kind=BookingKind.MAINTENANCE, person_id=None, project_id=None, booked_by_id=MANAGER
    )
    put(house, block)
    with house.read() as db:
        assert bookings.mine(db, actor(MANAGER), clock()) == []


def test_home_shows_five_of_my_next_bookings_and_leads_to_all(house: Database, clock: Clock) -> None:
    put(house, *(a_booking(FESEM, span(26, hour, hour + 1)) for hour in range(8, 15)))
    with house.read() as db:
        section = next_bookings(db, actor(RESEARCHER), clock())
    assert section is not None
    assert [line.detail for line in section.lines[:2]] == ["08:00–09:00 T5 26/11/2026", "09:00–10:00 T5 26/11/2026"]
    assert (len(section.lines), section.total, section.more) == (5, 7, "/bookings")


def test_home_says_what_to_do_when_nothing_is_booked(house: Database, clock: Clock) -> None:
    with house.read() as db:
        section = next_bookings(db, actor(RESEARCHER), clock())
        assert section is not None
        assert (section.lines, section.more) == ((), "")
        assert section.empty.startswith("Bạn chưa có lượt đặt nào")
        # Whoever may not book is not told about booking.
        assert next_bookings(db, actor(PARTNER), clock()) is None
        assert next_free(db, actor(PARTNER), clock()) is None


def test_home_offers_the_next_free_hour_on_instruments_that_one_used(house: Database, clock: Clock) -> None:
    # Now is Monday 23 November, 08:00:17. The XRD was used ten days ago; it is taken by somebody until 10:00.
    put(
        house,
        a_booking(XRD, Span(at(13, 9), at(13, 10))),
        a_booking(XRD, span(23, 8, 10), person_id=COLLEAGUE),
    )
    with house.read() as db, speaking("en"):
        section = next_free(db, actor(RESEARCHER), clock())
    assert section is not None
    (line,) = section.lines
    assert (line.title, line.detail) == ("XRD instrument", "Mon 23 Nov 2026, 10:00–11:00")
    assert line.href == "/bookings/new?instrument=N002&date=2026-11-23&from=10:00&until=11:00"


def test_home_offers_nothing_on_what_was_never_used_or_is_booked_out(house: Database, clock: Clock) -> None:
    with house.read() as db:
        assert next_free(db, actor(RESEARCHER), clock()) is None
    put(house, a_booking(XRD, Span(at(13, 9), at(13, 10))))
    with house.write() as db:
        # One minute ahead is too little for any use.
        db.execute(sa.update(t.instruments).where(t.instruments.c.number == XRD).values(advance_days=0))
    with house.read() as db:
        assert next_free(db, actor(RESEARCHER), clock() + timedelta(seconds=1)) is None
