"""Qualifications as rows, on both databases: what a booking reads, and what planning reads."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from labshare.domain.bookings import BookingKind, BookingState
from labshare.domain.qualifications import Demand, Held
from labshare.store import bookings as bookings_store
from labshare.store import qualifications as store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import COLLEAGUE, FESEM, MANAGER, NOW, RESEARCHER, XRD, a_booking, at, furnish, span

GRANTED = NOW - timedelta(days=30)


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
        store.choose(db, FESEM, Demand(lapse_months=6))
    return database


def held(house: Database, person_id: UUID = RESEARCHER, number: int = FESEM, **asked: Any) -> Held:
    with house.read() as db:
        rules = bookings_store.rules_of(db, [number])[number]
        return store.held(db, [person_id], rules, **asked)[person_id]


def test_a_qualification_is_for_one_instrument_and_for_who_is_there(house: Database) -> None:
    assert held(house) == Held(level=1, granted_at=GRANTED)
    assert held(house, number=XRD) == Held()
    assert held(house, MANAGER) == Held()
    with house.write() as db:
        db.execute(sa.update(t.persons).where(t.persons.c.id == RESEARCHER).values(affiliation="ended"))
    assert held(house).level == 0


def test_the_last_use_is_one_that_was_had_or_is_booked(house: Database) -> None:
    """Of the 10th, 11th and 25th; what was missed, given back or only held on the 12th to 14th is none."""
    uses = [a_booking(FESEM, span(day, 9, 10)) for day in (10, 11, 25)]
    states = (BookingState.NO_SHOW, BookingState.CANCELLED, BookingState.HELD)
    rest = [a_booking(FESEM, span(day, 9, 10), state=each) for day, each in zip((12, 13, 14), states, strict=True)]
    other = [a_booking(XRD, span(16, 9, 10)), a_booking(FESEM, span(17, 9, 10), person_id=COLLEAGUE)]
    block = a_booking(FESEM, span(18, 9, 10), kind=BookingKind.MAINTENANCE)
    with house.write() as db:
        bookings_store.add(db, [*uses, *rest, *other, block])
    assert held(house).last_used_at == at(25, 10)
    assert held(house, before=at(25, 9)).last_used_at == at(11, 10)
    assert held(house, but=uses[2].id).last_used_at == at(11, 10)
    # Where no use counts none is looked for.
    with house.write() as db:
        store.choose(db, FESEM, Demand())
    assert held(house).last_used_at is None


def test_who_trained_somebody_has_used_it(house: Database) -> None:
    with house.write() as db:
        training = a_booking(FESEM, span(20, 9, 10), person_id=COLLEAGUE, trainer_id=RESEARCHER)
        bookings_store.add(db, [a_booking(FESEM, span(10, 9, 10)), training])
    assert held(house).last_used_at == at(20, 10)


def test_a_course_is_of_one_centre_and_the_last_counts(house: Database) -> None:
    with house.write() as db:
        for day in (date(2026, 1, 5), date(2026, 2, 6)):
            store.put_course(db, RESEARCHER, "C-ONE", day, by=MANAGER, now=NOW)
    assert held(house).course_on == date(2026, 2, 6)
    assert held(house, number=3).course_on is None


def test_planning_knows_until_when_and_leaves_out_who_lacks_the_course(house: Database) -> None:
    """Six months after 24 October is 24 April, which still counts, so until midnight of the 25th in Hanoi."""

    def known() -> dict[int, datetime | None]:
        with house.read() as db:
            return store.qualified_on(db, [RESEARCHER], [FESEM, XRD]).get(RESEARCHER, {})

    end = datetime(2027, 4, 24, 17, tzinfo=NOW.tzinfo)
    assert known() == {FESEM: end}
    with house.write() as db:
        store.put(db, RESEARCHER, XRD, level=2, until=at(30, 0), by=MANAGER, now=NOW)
    assert known() == {FESEM: end, XRD: at(30, 0)}
    with house.write() as db:
        store.choose(db, XRD, Demand(course_months=1))
    assert known() == {FESEM: end}


def test_a_grant_takes_the_place_of_what_was_held(house: Database) -> None:
    with house.write() as db:
        store.warned(db, RESEARCHER, FESEM, at(30, 0))
        store.put(db, RESEARCHER, FESEM, level=3, until=None, by=MANAGER, now=NOW)
        (line,) = store.of_instrument(db, FESEM, level=3)
    assert (line.login, line.held.level, line.held.granted_at, line.warned_of) == ("researcher", 3, NOW, None)
    with house.write() as db:
        assert store.take(db, RESEARCHER, FESEM)
        assert not store.take(db, RESEARCHER, FESEM)
