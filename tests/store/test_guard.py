"""The database's own no: no path gives an interval twice, and without the guard nothing is served."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from labshare.domain.bookings import Booking, BookingKind, BookingState
from labshare.domain.timespan import Span
from labshare.errors import StartupError, TimeTaken
from labshare.store import bookings as store
from labshare.store import guard
from labshare.store.engine import Database, open_database
from labshare.store.migrations import require_current
from labshare.store.tables import bookings as table
from labshare.store.tables import instruments
from tests.furniture import FESEM, XRD, a_booking, at, furnish, span


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def add(database: Database, *new: Booking) -> None:
    with database.write() as db:
        store.add(db, new)


def test_an_overlap_is_refused_and_changes_nothing(house: Database) -> None:
    add(house, a_booking(FESEM, span(23, 9, 11)))
    with pytest.raises(TimeTaken):
        add(house, a_booking(XRD, span(23, 9, 11)), a_booking(FESEM, span(23, 10, 12)))
    with house.read() as db:
        assert db.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() == 1


@pytest.mark.parametrize("hours", [(9, 11), (8, 12), (9, 10), (10, 11), (8, 10), (10, 12)])
def test_every_way_to_overlap_is_refused(house: Database, hours: tuple[int, int]) -> None:
    add(house, a_booking(FESEM, span(23, 9, 11)))
    with pytest.raises(TimeTaken):
        add(house, a_booking(FESEM, span(23, *hours)))


def test_back_to_back_other_instruments_and_given_back_time_are_free(house: Database) -> None:
    add(house, a_booking(FESEM, span(23, 9, 11)), a_booking(FESEM, span(23, 12, 13), state=BookingState.CANCELLED))
    add(
        house,
        a_booking(FESEM, span(23, 8, 9)),
        a_booking(FESEM, span(23, 11, 14)),
        a_booking(XRD, span(23, 9, 11)),
    )
    with house.read() as db:
        assert db.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() == 5


def test_set_up_and_clean_up_are_guarded_too(house: Database) -> None:
    add(house, a_booking(FESEM, span(23, 9, 11), occupied_until=at(23, 11) + timedelta(minutes=15)))
    with pytest.raises(TimeTaken):
        add(house, a_booking(FESEM, span(23, 11, 12)))


@pytest.mark.parametrize("state", [BookingState.HELD, BookingState.PENDING, BookingState.IN_USE, BookingState.DONE])
def test_holds_and_pending_bookings_stand_in_the_same_rule(house: Database, state: BookingState) -> None:
    add(house, a_booking(FESEM, span(23, 9, 11), state=state))
    with pytest.raises(TimeTaken):
        add(house, a_booking(FESEM, span(23, 10, 12)))


def test_an_update_cannot_move_revive_or_hand_over_into_taken_time(house: Database) -> None:
    first, second = a_booking(FESEM, span(23, 9, 11)), a_booking(FESEM, span(23, 11, 12))
    gone, elsewhere = a_booking(FESEM, span(23, 9, 10), state=BookingState.CANCELLED), a_booking(XRD, span(23, 9, 11))
    add(house, first, second, gone, elsewhere)
    for booking_id, values in (
        (second.id, {"occupied_from": at(23, 10), "starts_at": at(23, 10)}),
        (gone.id, {"state": BookingState.CONFIRMED}),
        (elsewhere.id, {"instrument_number": FESEM}),
    ):
        with pytest.raises(TimeTaken), house.write() as db:
            db.execute(sa.update(table).where(table.c.id == booking_id).values(**values))


def test_the_guard_agrees_with_a_search_on_random_tries(house: Database) -> None:
    rng = random.Random(7)
    standing: list[Span] = []
    for _ in range(150):
        start = rng.randrange(0, 200)
        wish = Span(at(23, 0) + timedelta(minutes=start), at(23, 0) + timedelta(minutes=start + rng.randrange(1, 40)))
        if any(wish.overlaps(other) for other in standing):
            with pytest.raises(TimeTaken):
                add(house, a_booking(FESEM, wish))
        else:
            add(house, a_booking(FESEM, wish))
            standing.append(wish)
    assert len(standing) > 4


# ---------------------------------------------------------------- instruments that several use at a time


@pytest.fixture
def shared(house: Database) -> Database:
    """The FE-SEM takes three at a time."""
    with house.write() as db:
        db.execute(sa.update(instruments).where(instruments.c.number == FESEM).values(capacity=3))
    return house


def test_each_unit_is_taken_once(shared: Database) -> None:
    add(shared, *(a_booking(FESEM, span(23, 9, 11), unit=unit) for unit in range(3)))
    for unit in range(3):
        with pytest.raises(TimeTaken):
            add(shared, a_booking(FESEM, span(23, 10, 12), unit=unit))
    add(shared, a_booking(FESEM, span(23, 11, 12), unit=1))


def test_a_unit_that_the_instrument_has_not_got_is_refused(shared: Database) -> None:
    last, one = a_booking(FESEM, span(23, 9, 11), unit=2), a_booking(XRD, span(23, 9, 11))
    add(shared, last, one)
    with pytest.raises(TimeTaken):
        add(shared, a_booking(FESEM, span(23, 9, 11), unit=3))
    for booking, values in ((last, {"unit": 3}), (one, {"unit": 1}), (last, {"instrument_number": XRD})):
        with pytest.raises(TimeTaken), shared.write() as db:
            db.execute(sa.update(table).where(table.c.id == booking.id).values(**values))


def test_whoever_has_a_unit_keeps_it_when_there_are_fewer(shared: Database) -> None:
    last = a_booking(FESEM, span(23, 9, 11), unit=2)
    add(shared, last)
    with shared.write() as db:
        db.execute(sa.update(instruments).where(instruments.c.number == FESEM).values(capacity=1))
        store.lift(db, [last.id])
        assert store.change(db, last, seen_version=1).unit == 2
    with pytest.raises(TimeTaken):
        add(shared, a_booking(FESEM, span(24, 9, 11), unit=2))


@pytest.mark.parametrize("kind", [BookingKind.MAINTENANCE, BookingKind.ENGINEERING, BookingKind.CLOSURE])
@pytest.mark.parametrize("unit", [0, 1, 2])
def test_a_block_takes_every_unit(shared: Database, kind: BookingKind, unit: int) -> None:
    block, use = a_booking(FESEM, span(23, 9, 11), kind=kind), a_booking(FESEM, span(23, 10, 12), unit=unit)
    add(shared, block)
    with pytest.raises(TimeTaken):
        add(shared, use)
    with shared.write() as db:
        db.execute(sa.delete(table))
    add(shared, use)
    with pytest.raises(TimeTaken):
        add(shared, block)


def test_a_long_use_of_another_unit_hides_nothing(shared: Database) -> None:
    """The last to begin before a new end is of unit 1; what is in the way of unit 0 began before it."""
    add(shared, a_booking(FESEM, span(23, 8, 12)), a_booking(FESEM, span(23, 9, 10), unit=1))
    with pytest.raises(TimeTaken):
        add(shared, a_booking(FESEM, span(23, 11, 13)))
    # A block meets the long one although a short one begins, and ends, after it.
    with pytest.raises(TimeTaken):
        add(shared, a_booking(FESEM, span(23, 11, 13), kind=BookingKind.CLOSURE))


def test_the_guard_of_units_agrees_with_a_search_on_random_tries(shared: Database) -> None:
    rng = random.Random(8)
    standing: list[Booking] = []
    refused = 0
    for _ in range(200):
        start = at(23, 0) + timedelta(minutes=rng.randrange(0, 200))
        kind = BookingKind.MAINTENANCE if rng.random() < 0.1 else BookingKind.USE
        unit = 0 if kind is BookingKind.MAINTENANCE else rng.randrange(3)
        wish = a_booking(FESEM, Span(start, start + timedelta(minutes=rng.randrange(1, 20))), kind=kind, unit=unit)
        meets = any(
            wish.span.overlaps(other.span)
            and (wish.unit == other.unit or BookingKind.MAINTENANCE in (wish.kind, other.kind))
            for other in standing
        )
        if meets:
            refused += 1
            with pytest.raises(TimeTaken):
                add(shared, wish)
        else:
            add(shared, wish)
            standing.append(wish)
    assert min(refused, len(standing), sum(each.kind is BookingKind.MAINTENANCE for each in standing)) > 1


def test_without_the_guard_of_its_units_a_database_is_not_served(own_database_url: str) -> None:
    database = open_database(own_database_url)
    with database.write() as db:
        on = "" if database.is_sqlite else " ON bookings"
        db.exec_driver_sql(f"DROP TRIGGER {guard.UNITS}_update{on}")
    with database.read() as db:
        assert not guard.stands(db)
    with database.write() as db:
        guard.apply(db)
    with database.read() as db:
        require_current(db)
    database.dispose()


def test_times_that_cannot_be_are_refused_by_the_table(house: Database) -> None:
    with pytest.raises(IntegrityError):
        add(house, a_booking(FESEM, span(23, 9, 11), occupied_until=at(23, 10)))
    with pytest.raises(IntegrityError):
        add(house, a_booking(FESEM, Span(at(1, 0), at(1, 0) + timedelta(days=93))))


def test_without_its_guard_a_database_is_not_served(own_database_url: str) -> None:
    database = open_database(own_database_url)
    with database.read() as db:
        require_current(db)
    with database.write() as db:
        if database.is_sqlite:
            db.exec_driver_sql(f"DROP TRIGGER {guard.NAME}_update")
        else:
            db.exec_driver_sql(f"ALTER TABLE bookings DROP CONSTRAINT {guard.NAME}")
    with database.read() as db, pytest.raises(StartupError, match="guard_missing"):
        require_current(db)
    with database.write() as db:
        guard.apply(db)
    with database.read() as db:
        require_current(db)
    database.dispose()


@pytest.mark.parametrize("table", ["ledger_entries", "state_orders"])
@pytest.mark.parametrize("name", ["unchanged", "kept"])
def test_without_the_guard_of_its_ledger_a_database_is_not_served(own_database_url: str, table: str, name: str) -> None:
    database = open_database(own_database_url)
    with database.write() as db:
        on = "" if database.is_sqlite else f" ON {table}"
        db.exec_driver_sql(f"DROP TRIGGER {table}_{name}{on}")
    with database.read() as db, pytest.raises(StartupError, match="guard_missing"):
        require_current(db)
    with database.write() as db:
        guard.apply(db)
    with database.read() as db:
        require_current(db)
    database.dispose()


def test_a_guard_that_was_switched_off_does_not_stand(own_database_url: str) -> None:
    database = open_database(own_database_url)
    with database.write() as db:
        if database.is_sqlite:
            # SQLite cannot switch a trigger off, only put another in its place.
            db.exec_driver_sql("DROP TRIGGER ledger_entries_kept")
            db.exec_driver_sql("CREATE TRIGGER ledger_entries_kept BEFORE DELETE ON ledger_entries BEGIN SELECT 1; END")
        else:
            db.exec_driver_sql("ALTER TABLE ledger_entries DISABLE TRIGGER ledger_entries_unchanged")
    with database.read() as db:
        assert not guard.stands(db)
    database.dispose()


def test_the_sqlite_guard_looks_at_one_row_however_long_the_history(house: Database) -> None:
    if not house.is_sqlite:
        # PostgreSQL answers from the constraint's own GiST index.
        with house.read() as db:
            query = sa.text("SELECT indexdef FROM pg_indexes WHERE indexname = :name")
            assert "gist" in db.execute(query, {"name": guard.NAME}).scalar_one()
        return
    states = ", ".join(f"'{state}'" for state in guard.OCCUPYING)
    with house.read() as db:
        plan = db.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT occupied_until FROM bookings WHERE instrument_number = 1"
            f" AND occupied_from < 9 AND occupied_from > 1 AND state IN ({', '.join(sorted(states.split(', ')))})"
            " AND id <> 'x' AND (unit = 0 OR kind <> 'use')"
            " ORDER BY occupied_from DESC LIMIT 1"
        ).all()
    text = " ".join(str(row) for row in plan)
    assert f"USING INDEX {guard.NAME}" in text
    assert "TEMP B-TREE" not in text
