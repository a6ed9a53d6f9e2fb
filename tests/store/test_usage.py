"""What a use was booked for and delivered in a window, and what instruments were doing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from labshare.domain.bookings import BookingKind, BookingState
from labshare.domain.equipment import EquipmentState, StateRecord
from labshare.domain.timespan import Span
from labshare.store import bookings as booking_store
from labshare.store import usage as store
from labshare.store.engine import Connection, Database
from tests.furniture import FESEM, NOW, XRD, a_booking, at, furnish, span


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def a_run(number: int, start: datetime, end: datetime | None, **changes: Any) -> StateRecord:
    values: dict[str, Any] = {
        "id": uuid4(),
        "instrument_number": number,
        "state": EquipmentState.PRODUCTIVE,
        "starts_at": start,
        "ends_at": end,
        "source": "sensor",
    }
    return StateRecord(**(values | changes))


def minutes(db: Connection, window: Span, now: datetime = NOW) -> list[tuple[int, int, int, int]]:
    """Past, ahead, records and delivered of each use, the longest first."""
    rows = db.execute(store.uses(window, now, None)).all()
    return sorted(((row.past, row.ahead, row.records, row.delivered) for row in rows), reverse=True)


def test_a_use_is_split_at_now_and_cut_to_the_window(house: Database) -> None:
    # From 05:00 to 11:00 with clean-up until 11:30; the window is 06:00-12:00 and now is 08:00.
    use = a_booking(FESEM, Span(at(23, 5), at(23, 11)), occupied_until=at(23, 11, 30))
    with house.write() as db:
        booking_store.add(db, [use])
        assert minutes(db, Span(at(23, 6), at(23, 12))) == [(120, 210, 0, 0)]
        assert minutes(db, Span(at(23, 11, 30), at(23, 12))) == []


def test_only_uses_that_stand_are_counted(house: Database) -> None:
    gone = a_booking(FESEM, span(20, 8, 9), state=BookingState.CANCELLED)
    block = a_booking(XRD, span(20, 8, 9), kind=BookingKind.MAINTENANCE, person_id=None, project_id=None)
    with house.write() as db:
        booking_store.add(db, [gone, block])
        assert minutes(db, span(20, 0, 24)) == []


def test_delivered_time_is_cut_to_the_window_and_a_run_that_lasts_counts_until_now(house: Database) -> None:
    over, running = a_booking(FESEM, span(20, 8, 12)), a_booking(XRD, span(23, 7, 12))
    with house.write() as db:
        booking_store.add(db, [over, running])
        store.add_records(
            db,
            [
                a_run(FESEM, at(20, 8), at(20, 9), booking_id=over.id),
                a_run(FESEM, at(20, 10), at(20, 12), booking_id=over.id),
                a_run(XRD, at(23, 7, 15), None, booking_id=running.id),
                a_run(FESEM, at(20, 9), at(20, 10), booking_id=over.id, state=EquipmentState.STANDBY),
            ],
        )
        # 60 + 120 delivered; cut at 11:00, 60 + 60.
        assert minutes(db, span(20, 0, 24)) == [(240, 0, 2, 180)]
        assert minutes(db, span(20, 0, 11)) == [(180, 0, 2, 120)]
        # 07:15 to 08:00.
        assert minutes(db, span(23, 0, 24)) == [(60, 240, 1, 45)]


def test_records_are_those_that_touch_the_span(house: Database) -> None:
    lasting = a_run(FESEM, at(20, 8), None, state=EquipmentState.UNSCHEDULED_DOWN)
    ended = a_run(XRD, at(20, 8), at(20, 10))
    with house.write() as db:
        store.add_records(db, [lasting, ended])
        assert [each.id for each in store.records(db, None, span(20, 10, 12), NOW)] == [lasting.id]
        assert store.records(db, [XRD], span(20, 9, 12), NOW) == [ended]
        assert store.records(db, None, Span(NOW, NOW + timedelta(days=1)), NOW) == []
        assert store.current(db, [FESEM, XRD], EquipmentState.UNSCHEDULED_DOWN) == {FESEM: lasting}
        assert store.lasting(db, XRD) == []
        store.end_record(db, lasting.id, at(20, 9))
        assert store.records(db, None, span(20, 10, 12), NOW) == []


def test_downs_are_unplanned_and_last_until_now_where_nobody_ended_them(house: Database) -> None:
    down = EquipmentState.UNSCHEDULED_DOWN
    with house.write() as db:
        store.add_records(
            db,
            [
                a_run(FESEM, at(20, 8), at(20, 10), state=down),
                a_run(FESEM, at(23, 7), None, state=down),
                a_run(XRD, at(20, 8), at(20, 10), state=EquipmentState.SCHEDULED_DOWN),
            ],
        )
        found = store.downs(db, [FESEM, XRD], span(20, 0, 24 * 7), NOW)
    assert found == {FESEM: [span(20, 8, 10), Span(at(23, 7), NOW)]}
