"""A failure is recorded by those who answer for the instrument, and tells whose time it touches."""

from __future__ import annotations

from datetime import timedelta

import pytest

from labshare.domain.equipment import EquipmentState
from labshare.domain.timespan import MINUTE, Span
from labshare.errors import Forbidden, Malformed, NotFound, WrongState
from labshare.services import usage
from labshare.store import bookings as booking_store
from labshare.store import usage as store
from labshare.store.engine import Database
from tests.furniture import FESEM, MANAGER, NMR, NOW, RESEARCHER, XRD, a_booking, actor, at, counted, furnish, span


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def test_a_failure_lists_the_running_use_and_those_of_the_next_week(house: Database) -> None:
    running = a_booking(FESEM, Span(at(23, 7), at(23, 10)))
    soon = a_booking(FESEM, span(26, 8, 10))
    over, elsewhere = a_booking(FESEM, Span(at(23, 5), at(23, 7))), a_booking(XRD, span(26, 8, 10))
    late = a_booking(FESEM, Span(NOW + timedelta(days=7), NOW + timedelta(days=7, hours=1)))
    with house.write() as db:
        booking_store.add(db, [soon, running, over, elsewhere, late])
        failure = usage.record_down(db, actor(MANAGER), "N001", " Hỏng súng điện tử ", NOW)
    assert [line.booking.id for line in failure.affected] == [running.id, soon.id]
    assert failure.record.note == "Hỏng súng điện tử"


def test_down_lasts_until_up(house: Database) -> None:
    later = NOW + timedelta(hours=5, seconds=30)
    with house.write() as db:
        usage.record_down(db, actor(MANAGER), "N001", "", NOW)
        assert list(store.current(db, [FESEM, XRD, NMR], EquipmentState.UNSCHEDULED_DOWN)) == [FESEM]
        usage.record_up(db, actor(MANAGER), "N001", later)
        assert store.current(db, [FESEM], EquipmentState.UNSCHEDULED_DOWN) == {}
        (record,) = store.records(db, None, Span(NOW, NOW + timedelta(days=1)), later)
    # Five hours, in whole minutes.
    assert (record.starts_at, record.ends_at) == (NOW, NOW + timedelta(hours=5))


def test_a_run_ends_with_the_failure_and_a_blink_lasts_a_minute(house: Database) -> None:
    with house.write() as db:
        store.add_records(
            db,
            [
                usage.StateRecord(
                    id=a_booking(FESEM, span(23, 8, 9)).id,
                    instrument_number=FESEM,
                    state=EquipmentState.PRODUCTIVE,
                    starts_at=NOW - timedelta(hours=1),
                    source="sensor",
                )
            ],
        )
        usage.record_down(db, actor(MANAGER), "N001", "", NOW)
        usage.record_up(db, actor(MANAGER), "N001", NOW)
        run, blink = store.records(db, [FESEM], Span(NOW - timedelta(days=1), NOW + timedelta(days=1)), NOW)
    assert (run.state, run.ends_at) == (EquipmentState.PRODUCTIVE, NOW)
    assert (blink.starts_at, blink.ends_at) == (NOW, NOW + MINUTE)


def test_of_many_instruments_those_that_are_down_are_told_in_one_query(house: Database) -> None:
    with house.write() as db:
        usage.record_down(db, actor(MANAGER), "N001", "", NOW)
    with house.read() as db, counted(house.engine) as statements:
        assert usage.down_since(db, [FESEM, XRD]) == {FESEM: NOW}
        assert usage.down_since(db, []) == {}
    assert len(statements) == 1


def test_nothing_goes_down_twice_or_up_unasked(house: Database) -> None:
    with house.write() as db:
        with pytest.raises(WrongState, match="not_down"):
            usage.record_up(db, actor(MANAGER), "N001", NOW)
        usage.record_down(db, actor(MANAGER), "N001", "", NOW)
        with pytest.raises(WrongState, match="already_down"):
            usage.record_down(db, actor(MANAGER), "N001", "", NOW)


def test_only_the_centres_manager_records_a_failure(house: Database) -> None:
    with house.write() as db:
        with pytest.raises(Forbidden):
            usage.record_down(db, actor(RESEARCHER), "N001", "", NOW)
        # The manager of centre one is nobody at centre two.
        with pytest.raises(Forbidden):
            usage.record_down(db, actor(MANAGER), "N003", "", NOW)
        with pytest.raises(NotFound):
            usage.record_down(db, actor(MANAGER), "N999", "", NOW)
        with pytest.raises(Malformed, match="note_too_long"):
            usage.record_down(db, actor(MANAGER), "N001", "x" * 501, NOW)
        assert store.records(db, None, Span(NOW, NOW + MINUTE), NOW) == []
