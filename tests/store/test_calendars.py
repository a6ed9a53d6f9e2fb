"""Calendars masked in the query, on both databases: one query, and nothing in it that the reader may not see."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from labshare.domain.bookings import BookingKind, BookingState
from labshare.domain.timespan import MINUTE
from labshare.store import bookings
from labshare.store import calendars as store
from labshare.store.engine import Database
from tests.furniture import COLLEAGUE, FESEM, NMR, RESEARCHER, XRD, a_booking, counted, furnish, span


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def test_a_calendar_costs_one_query_for_any_number_of_instruments(house: Database) -> None:
    with house.write() as db:
        bookings.add(db, [a_booking(FESEM, span(23, 9, 11)), a_booking(XRD, span(23, 9, 11))])
    with counted(house.engine) as statements, house.read() as db:
        found = store.calendar(db, [FESEM, XRD, NMR], span(23, 0, 23), store.Viewer(person_id=RESEARCHER))
    assert [entry.instrument_number for entry in found] == [FESEM, XRD]
    assert len(statements) == 1


def test_a_picture_of_many_days_holds_the_same_times_as_the_calendar_and_only_ones_own_state(house: Database) -> None:
    mine = a_booking(FESEM, span(26, 9, 11), state=BookingState.HELD, hold_expires_at=span(26, 9, 11).start)
    theirs = a_booking(FESEM, span(26, 13, 15), person_id=COLLEAGUE)
    block = a_booking(XRD, span(26, 9, 10), kind=BookingKind.MAINTENANCE, person_id=None, project_id=None)
    gone = a_booking(XRD, span(26, 12, 13), state=BookingState.CANCELLED)
    with house.write() as db:
        bookings.add(db, [mine, theirs, block, gone])
    viewer = store.Viewer(person_id=RESEARCHER, centre_ids=frozenset({"C-ONE"}), sees_all=True)
    with house.read() as db:
        found = store.occupancy(db, [FESEM, XRD, NMR], span(26, 8, 18), viewer)
        calendar = store.calendar(db, [FESEM, XRD, NMR], span(26, 8, 18), viewer)
        nobodys = store.occupancy(db, [FESEM], span(26, 8, 18), store.Viewer(person_id=None))
    assert [(row.instrument_number, row.kind, row.own_state) for row in found] == [
        (FESEM, "use", "held"), (FESEM, "use", None), (XRD, "maintenance", None),
    ]  # fmt: skip
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert [(epoch + row.start_minute * MINUTE, epoch + row.end_minute * MINUTE) for row in found] == [
        (entry.occupied_from, entry.occupied_until) for entry in calendar
    ]
    assert [row.own_state for row in nobodys] == [None, None]


def test_versions_are_those_of_the_instruments_that_exist(house: Database) -> None:
    with house.write() as db:
        bookings.lock(db, [FESEM])
    with house.read() as db:
        assert store.versions(db, ["N002", "N001", "N999"]) == {"N001": 1, "N002": 0}
