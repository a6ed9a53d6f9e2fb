"""What stands around a wish comes in one query: the instrument's, the person's, and what they missed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from labshare.domain.bookings import BookingKind, BookingState
from labshare.store import bookings as store
from labshare.store import person_times
from labshare.store.engine import Database
from labshare.store.surroundings import AskedPerson, around
from tests.furniture import COLLEAGUE, FESEM, NOW, RESEARCHER, XRD, a_booking, counted, furnish, span


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def test_only_what_occupies_the_span_is_in_the_way(house: Database) -> None:
    inside, before = a_booking(FESEM, span(23, 9, 11)), a_booking(FESEM, span(23, 7, 9))
    gone = a_booking(FESEM, span(23, 12, 13), state=BookingState.CANCELLED)
    cleaned = a_booking(FESEM, span(23, 5, 6), occupied_until=span(23, 5, 7).end)
    elsewhere = a_booking(XRD, span(23, 10, 12), person_id=COLLEAGUE)
    with house.write() as db:
        store.add(db, [inside, before, gone, cleaned, elsewhere])
    with house.read() as db, counted(house.engine) as seen:
        found = around(db, FESEM, span(23, 9, 14))
        assert [(each.id, each.occupied) for each in found.neighbours] == [(inside.id, span(23, 9, 11))]
        assert [each.id for each in around(db, FESEM, span(23, 6, 7)).neighbours] == [cleaned.id]
    assert (found.times, found.missed, len(seen)) == ((), (), 2)


def test_a_persons_time_is_the_use_itself_on_whatever_instrument(house: Database) -> None:
    attended = a_booking(XRD, span(23, 10, 12), person_id=COLLEAGUE, occupied_until=span(23, 10, 13).end)
    alone = a_booking(FESEM, span(24, 10, 12), person_id=COLLEAGUE, attended=False)
    another = a_booking(FESEM, span(23, 10, 12))
    later = a_booking(XRD, span(26, 10, 12), person_id=COLLEAGUE)
    with house.write() as db:
        store.add(db, [attended, alone, another, later])
    with house.read() as db, counted(house.engine) as seen:
        found = around(db, XRD, span(25, 0, 1), AskedPerson(COLLEAGUE, span(23, 12, 40)))
        assert [each.place.id for each in found.times] == [alone.id]
        found = around(db, XRD, span(25, 0, 1), AskedPerson(COLLEAGUE, span(23, 11, 40)))
    times = {each.place.id: each for each in found.times}
    assert times.keys() == {attended.id, alone.id}
    assert (times[attended.id].attended, times[alone.id].attended) == (True, False)
    assert times[attended.id].place.occupied == span(23, 10, 12)
    assert times[attended.id].place.instrument_id == "N002"
    assert (times[alone.id].use.instrument_id, times[alone.id].use.centre_id) == ("N001", "C-ONE")
    assert all(each.is_own for each in found.times)
    assert len(seen) == 2


def test_a_block_is_nobodys_own_use(house: Database) -> None:
    block = a_booking(XRD, span(23, 10, 12), kind=BookingKind.MAINTENANCE)
    with house.write() as db:
        store.add(db, [block])
    with house.read() as db:
        (found,) = around(db, FESEM, span(25, 0, 1), AskedPerson(RESEARCHER, span(23, 0, 24))).times
    assert not found.is_own


def test_a_hold_is_known_by_its_end_and_a_booking_has_none(house: Database) -> None:
    until = NOW + timedelta(hours=1)
    held = a_booking(FESEM, span(23, 9, 11), state=BookingState.HELD, hold_expires_at=until)
    with house.write() as db:
        store.add(db, [held])
    with house.read() as db:
        (found,) = around(db, FESEM, span(23, 9, 14)).neighbours
    assert found.hold_expires_at == until


def test_what_was_missed_is_read_since_an_instant(house: Database) -> None:
    missed = a_booking(FESEM, span(20, 9, 11), state=BookingState.NO_SHOW)
    late = a_booking(XRD, span(19, 9, 11), state=BookingState.CANCELLED, late_notice=True)
    in_time = a_booking(XRD, span(20, 9, 11), state=BookingState.CANCELLED)
    old = a_booking(XRD, span(2, 9, 11), state=BookingState.NO_SHOW)
    with house.write() as db:
        store.add(db, [missed, late, in_time, old])
    with house.read() as db, counted(house.engine) as seen:
        asked = AskedPerson(RESEARCHER, span(25, 0, 1), span(10, 0, 1).start)
        found = around(db, FESEM, span(25, 0, 1), asked)
        assert {each.id for each in found.missed} == {missed.id, late.id}
        assert person_times.missed(db, RESEARCHER, span(10, 0, 1).start)
    assert (found.neighbours, found.times, len(seen)) == ((), (), 2)


def test_old_bookings_are_not_read(house: Database) -> None:
    """Each part goes by an index whose range ends 92 days before its span, whatever lies before that."""
    if not house.is_sqlite:
        return
    with counted(house.engine) as statements, house.read() as db:
        around(db, FESEM, span(23, 0, 1), AskedPerson(RESEARCHER, span(23, 0, 1), span(10, 0, 1).start))
        (statement,) = statements
        plan = db.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", (1,) * statement.count("?"))
        text = " ".join(str(row) for row in plan)
    assert "instrument_number=? AND occupied_from>? AND occupied_from<?" in text
    assert "person_id=? AND starts_at>? AND starts_at<?" in text
    assert "person_id=? AND starts_at>?)" in text
