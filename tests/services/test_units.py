"""Instruments that several use at a time, on both databases: as many at once as the capacity, and never one more."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa

from labshare.domain.bookings import Booking, BookingKind, BookingState, Wish
from labshare.domain.timespan import Span
from labshare.errors import Refused, TimeTaken
from labshare.services import bookings as service
from labshare.services import free_times, holds
from labshare.services.writing import Change, write
from labshare.store import bookings as store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import (
    COLLEAGUE,
    MANAGER,
    NOW,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    a_booking,
    actor,
    counted,
    furnish,
    span,
)


@pytest.fixture
def house(database: Database) -> Database:
    """The XRD takes two at a time and runs by itself, so that one person may have several."""
    with database.write() as db:
        furnish(db)
        here = t.instruments.c.number == XRD
        db.execute(sa.update(t.instruments).where(here).values(capacity=2, attended=False))
    return database


def book(house: Database, when: Span, who: UUID = RESEARCHER, **changes: Any) -> Booking:
    wish = Wish(instrument_number=XRD, span=when, project_id=PUBLIC_PROJECT, **changes)
    with house.write() as db:
        return service.book(db, actor(who), wish, NOW)


def units(house: Database) -> dict[UUID, int]:
    with house.read() as db:
        rows = db.execute(sa.select(t.bookings.c.id, t.bookings.c.unit)).all()
    return {row.id: row.unit for row in rows}


def test_as_many_as_there_are_units_and_not_one_more(house: Database) -> None:
    first, second = book(house, span(25, 9, 12)), book(house, span(25, 10, 14), COLLEAGUE)
    assert (first.unit, second.unit) == (0, 1)
    with pytest.raises(TimeTaken) as taken:
        book(house, span(25, 8, 13))
    # Two are there from 10 to 12, and what is said of it is when, not who.
    (refusal,) = taken.value.refusals
    assert (refusal.code, refusal.params) == (
        "time_taken",
        {"from": span(25, 10, 12).start.isoformat(), "until": span(25, 10, 12).end.isoformat()},
    )
    assert book(house, span(25, 8, 10)).unit == 1
    assert book(house, span(25, 12, 14)).unit == 0


def test_those_that_stand_change_units_when_nobody_else_finds_one(house: Database) -> None:
    """One has 8 to 10 in unit 0, one 11 to 13 in unit 1; whoever wants 9 to 12 meets each, and never both at once."""
    early = book(house, span(25, 8, 10))
    filler = book(house, span(25, 8, 11), COLLEAGUE)
    late = book(house, span(25, 10, 12))
    assert [each.unit for each in (early, filler, late)] == [0, 1, 0]
    with house.write() as db:
        moved = service.move(db, actor(RESEARCHER), late.id, span(25, 11, 13), seen_version=late.version, now=NOW)
        service.cancel(db, actor(COLLEAGUE), filler.id, seen_version=filler.version, now=NOW)
        db.execute(sa.update(t.bookings).where(t.bookings.c.id == late.id).values(unit=1))
    wanted = book(house, span(25, 9, 12), COLLEAGUE)
    found = units(house)
    assert (found[early.id], found[wanted.id], found[late.id]) == (0, 1, 0)
    with house.read() as db:
        standing = store.get(db, late.id)
    # A unit is nobody's to see: whoever has the page of that booking open may still change it.
    assert (standing.version, standing.state) == (moved.version, BookingState.CONFIRMED)


def test_a_block_needs_it_all_and_nobody_comes_beside_it(house: Database) -> None:
    book(house, span(25, 9, 10))
    manager = actor(MANAGER)
    with pytest.raises(TimeTaken), house.write() as db:
        service.block(db, manager, XRD, BookingKind.MAINTENANCE, span(25, 9, 11), "pump", NOW)
    with house.write() as db:
        service.block(db, manager, XRD, BookingKind.MAINTENANCE, span(25, 10, 11), "pump", NOW)
    with pytest.raises(TimeTaken) as taken:
        book(house, span(25, 10, 12))
    assert [each.code for each in taken.value.refusals] == ["time_taken_maintenance"]


def test_several_wishes_of_one_call_are_counted_with_each_other(house: Database) -> None:
    wishes = [
        Wish(instrument_number=XRD, span=span(25, 9, 11), project_id=PUBLIC_PROJECT),
        Wish(instrument_number=XRD, span=span(25, 10, 12), project_id=PUBLIC_PROJECT),
    ]
    with house.write() as db:
        made = service.book_all(db, actor(RESEARCHER), wishes, NOW)
    assert [each.unit for each in made] == [0, 1]
    with pytest.raises(TimeTaken), house.write() as db:
        service.book_all(db, actor(RESEARCHER), [wishes[0]], NOW)


def test_two_change_places_in_one_call(house: Database) -> None:
    first, second = book(house, span(25, 9, 10)), book(house, span(25, 9, 11), COLLEAGUE)
    third = book(house, span(25, 10, 11))

    def at(booking: Booking, when: Span) -> Change:
        after = msgspec.structs.replace(
            booking, starts_at=when.start, ends_at=when.end, occupied_from=when.start, occupied_until=when.end
        )
        return Change(before=booking, after=after)

    changes = [at(first, third.span), at(third, first.span)]
    with house.write() as db:
        locked = store.lock(db, [XRD])
        write(db, actor(RESEARCHER), changes, locked, NOW, action="move")
    assert units(house)[second.id] == second.unit


def test_a_hold_that_is_due_leaves_its_unit(house: Database) -> None:
    held = {"state": BookingState.HELD, "hold_expires_at": NOW - timedelta(minutes=1)}
    with house.write() as db:
        store.add(db, [a_booking(XRD, span(25, 9, 11), **held), a_booking(XRD, span(25, 9, 11), unit=1)])
    assert book(house, span(25, 10, 12)).unit == 0


def test_a_hold_keeps_its_unit_when_it_becomes_the_booking(house: Database) -> None:
    """Somebody has unit 0 at the same time; the form asks twice for the same times, and is booked then."""
    when = span(25, 9, 11)
    book(house, when, COLLEAGUE)
    held = None
    for purpose in ("", "phase map"):
        wish = Wish(
            instrument_number=XRD, span=when, project_id=PUBLIC_PROJECT, purpose=purpose,
            replaces_id=held.id if held else None,
        )  # fmt: skip
        with house.write() as db:
            held = holds.hold(db, actor(RESEARCHER), wish, NOW)
        assert held.unit == 1
    assert held is not None
    made = book(house, when, replaces_id=held.id)
    assert (made.id, made.unit) == (held.id, 1)


def test_time_is_looked_for_where_a_unit_is_left(house: Database) -> None:
    """From 8 to 12 one is there, from 10 to 18 another: full from 10 to 12, so a use of 3 hours fits from 12 on."""
    book(house, span(25, 10, 18))
    book(house, span(25, 8, 12), COLLEAGUE)
    with house.read() as db:
        wish = Wish(instrument_number=XRD, span=span(25, 10, 13), person_id=RESEARCHER, project_id=PUBLIC_PROJECT)
        found = free_times.suggest(db, wish, NOW, count=3)
    assert span(25, 12, 15) in found
    assert not any(each.overlaps(span(25, 10, 12)) for each in found)


def test_one_unit_costs_no_query_more(house: Database) -> None:
    def statements(number: int, when: Span) -> int:
        with counted(house.engine) as found, house.write() as db:
            wish = Wish(instrument_number=number, span=when, project_id=PUBLIC_PROJECT)
            service.book(db, actor(RESEARCHER), wish, NOW)
        return len(found)

    with house.write() as db:
        db.execute(sa.update(t.instruments).values(attended=False, qualification=""))
    # Whoever books first reads the rules in force.
    statements(XRD, span(25, 13, 14))
    assert statements(XRD, span(25, 9, 10)) == statements(XRD, span(25, 9, 10)) == statements(3, span(25, 9, 10)) + 1


def test_fewer_units_than_uses_stand_ask_nobody_to_leave(house: Database) -> None:
    book(house, span(25, 9, 12))
    book(house, span(25, 9, 12), COLLEAGUE)
    with house.write() as db:
        db.execute(sa.update(t.instruments).where(t.instruments.c.number == XRD).values(capacity=1))
    assert sorted(units(house).values()) == [0, 1]
    with pytest.raises((TimeTaken, Refused)):
        book(house, span(25, 11, 13))
    assert book(house, span(25, 12, 13)).unit == 0


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_booked_moved_and_cancelled_a_count_of_hours_says_what_may_be(house: Database, seed: int) -> None:
    """Two at a time, from 8 to 18 on one day: what is taken is what two already have an hour of, and nothing else."""
    rng = random.Random(seed)
    standing: dict[UUID, Booking] = {}
    answers: Counter[str] = Counter()

    def is_taken(when: Span, but: UUID | None) -> bool:
        others = [each.span for key, each in standing.items() if key != but]
        hours = (span(25, hour, hour + 1) for hour in range(8, 18))
        return any(when.overlaps(hour) and sum(each.overlaps(hour) for each in others) > 1 for hour in hours)

    for _ in range(60):
        start = rng.randrange(8, 17)
        when = span(25, start, rng.randrange(start + 1, min(start + 4, 18) + 1))
        key = rng.choice(list(standing)) if standing and rng.random() < 0.5 else None
        with house.write() as db:
            if key and rng.random() < 0.5:
                service.cancel(db, actor(RESEARCHER), key, seen_version=standing.pop(key).version, now=NOW)
                continue
            wish = Wish(instrument_number=XRD, span=when, project_id=PUBLIC_PROJECT)
            try:
                with db.begin_nested():
                    if key:
                        seen = standing[key].version
                        made = service.move(db, actor(RESEARCHER), key, when, seen_version=seen, now=NOW)
                    else:
                        made = service.book(db, actor(RESEARCHER), wish, NOW)
            except TimeTaken:
                assert is_taken(when, key)
                answers["taken"] += 1
            else:
                assert not is_taken(when, key)
                standing[made.id] = made
                answers["moved" if key else "booked"] += 1
        found = units(house)
        assert {found[each] for each in standing} <= {0, 1}
    assert min(answers[each] for each in ("taken", "moved", "booked")) > 2
