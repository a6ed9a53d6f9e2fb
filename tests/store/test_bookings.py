"""The lock, the versions and the queries around a span, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest

from labshare.domain.bookings import BookingState
from labshare.domain.qualifications import Ask, Level
from labshare.errors import Busy, Malformed, NotFound, Stale
from labshare.store import agreements as agreements_store
from labshare.store import bookings as store
from labshare.store import people as people_store
from labshare.store import person_times
from labshare.store import qualification_asks as asks_store
from labshare.store.engine import Connection, Database, open_database
from tests.furniture import COLLEAGUE, FESEM, NMR, NOW, RESEARCHER, XRD, a_booking, counted, furnish, span


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def test_the_lock_returns_the_rules_and_raises_the_calendar_version(house: Database) -> None:
    with house.write() as db:
        locked = store.lock(db, [NMR, FESEM], [RESEARCHER])
        assert list(locked) == [FESEM, NMR] or set(locked) == {FESEM, NMR}
        assert (locked[NMR].cleanup_minutes, locked[NMR].timezone) == (30, "Asia/Ho_Chi_Minh")
        assert locked[FESEM].calendar_version == 1
    with house.read() as db:
        assert store.rules_of(db, [FESEM, XRD])[FESEM].calendar_version == 1
        assert store.rules_of(db, [FESEM, XRD])[XRD].calendar_version == 0


def test_an_unknown_instrument_cannot_be_locked(house: Database) -> None:
    with house.write() as db, pytest.raises(NotFound):
        store.lock(db, [FESEM, 99])


def test_who_waits_too_long_for_a_lock_is_told_to_try_again(database_url: str) -> None:
    database = open_database(database_url, lock_timeout_seconds=0.2, sqlite_wait_seconds=0.2)
    with database.write() as db:
        furnish(db)
    held, done = threading.Event(), threading.Event()

    def holder() -> None:
        with database.write() as db:
            store.lock(db, [FESEM])
            held.set()
            done.wait(10)

    thread = threading.Thread(target=holder)
    thread.start()
    held.wait(10)
    with pytest.raises(Busy), database.write() as db:
        store.lock(db, [FESEM])
    done.set()
    thread.join()
    database.dispose()


HOLDING: dict[str, Callable[[Connection], object]] = {
    "several instruments": lambda db: store.lock(db, [FESEM, XRD]),
    "all instruments": agreements_store.hold_still,
    "persons": lambda db: people_store.absent(db, [RESEARCHER, COLLEAGUE]),
}


@pytest.mark.parametrize("held", HOLDING)
def test_who_writes_a_row_that_names_what_is_locked_does_not_wait(database_url: str, held: str) -> None:
    """They may hold what the other wants next: an application for a round has its person, and names instruments."""
    database = open_database(database_url, lock_timeout_seconds=0.2)
    with database.write() as db:
        furnish(db)
    asked = Ask(id=uuid4(), person_id=RESEARCHER, instrument_number=XRD, level=Level.USER, asked_at=NOW)

    def write() -> None:
        with database.write() as db:
            asks_store.add(db, asked)

    with ThreadPoolExecutor(1) as other, database.write() as db:
        HOLDING[held](db)
        written = other.submit(write)
        if not database.is_sqlite:  # SQLite has one writer, who waits for nobody.
            written.result()
    written.result()
    with database.read() as db:
        found = asks_store.one(db, asked.id)
    assert found is not None
    assert found.ask == asked
    database.dispose()


def test_a_change_names_the_version_it_saw(house: Database) -> None:
    booking = a_booking(FESEM, span(23, 9, 11))
    with house.write() as db:
        store.add(db, [booking])
        changed = store.change(db, booking, seen_version=1)
        assert changed.version == 2
        with pytest.raises(Stale):
            store.change(db, booking, seen_version=1)
    with house.read() as db:
        assert store.get(db, booking.id) == changed


def test_only_what_occupies_the_span_is_in_the_way(house: Database) -> None:
    inside, before = a_booking(FESEM, span(23, 9, 11)), a_booking(FESEM, span(23, 7, 9))
    gone = a_booking(FESEM, span(23, 12, 13), state=BookingState.CANCELLED)
    elsewhere = a_booking(XRD, span(23, 10, 12), person_id=COLLEAGUE)
    with house.write() as db:
        store.add(db, [inside, before, gone, elsewhere])
    with house.read() as db:
        assert [n.id for n in store.neighbours(db, FESEM, span(23, 9, 14))] == [inside.id]
        assert store.busy_spans(db, store.rules_of(db, [FESEM, XRD]), span(23, 10, 14)) == {
            FESEM: [span(23, 9, 11)],
            XRD: [span(23, 10, 12)],
        }
        (busy,) = person_times.person_busy(db, COLLEAGUE, span(23, 11, 14))
        assert (busy.id, busy.instrument_id) == (elsewhere.id, "N002")


def test_a_run_of_months_is_still_found_in_its_last_week(house: Database) -> None:
    start = span(1, 0, 1).start
    long = a_booking(
        FESEM, span(1, 0, 1), ends_at=start + timedelta(days=90), occupied_until=start + timedelta(days=90)
    )
    with house.write() as db:
        store.add(db, [long])
    last_day = span(1, 0, 1).widened(-89 * 1440, 90 * 1440)
    with house.read() as db:
        assert [n.id for n in store.neighbours(db, FESEM, last_day)] == [long.id]


def test_old_bookings_are_not_read(house: Database) -> None:
    """The index range of a calendar query ends 92 days before its span, whatever lies before that."""
    if not house.is_sqlite:
        return
    with counted(house.engine) as statements, house.read() as db:
        store.neighbours(db, FESEM, span(23, 0, 1))
        (statement,) = statements
        plan = db.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", (1,) * statement.count("?"))
        text = " ".join(str(row) for row in plan)
    assert "instrument_number=? AND occupied_from>? AND occupied_from<?" in text


def test_a_text_that_one_database_refuses_is_a_malformed_request_on_it_and_unknown_on_the_other(
    house: Database,
) -> None:
    with pytest.raises((Malformed, NotFound)), house.read() as db:
        store.instrument_number(db, "N001\x00")


def test_a_use_is_known_by_instrument_person_and_time_while_it_stands(house: Database) -> None:
    """What was given back, what a form keeps, and what differs in anything is another."""
    when, later = span(25, 9, 10), span(26, 9, 10)
    with house.write() as db:
        store.add(
            db,
            [
                a_booking(XRD, when),
                a_booking(NMR, when, state=BookingState.CANCELLED),
                a_booking(XRD, later, state=BookingState.HELD),
            ],
        )
    wished = [
        a_booking(XRD, when),
        a_booking(XRD, when, person_id=COLLEAGUE),
        a_booking(NMR, when),
        a_booking(XRD, later),
        a_booking(XRD, span(25, 9, 11)),
    ]
    with house.read() as db:
        assert store.uses_as(db, wished) == {(XRD, RESEARCHER, when.start, when.end)}
        assert store.uses_as(db, []) == set()
