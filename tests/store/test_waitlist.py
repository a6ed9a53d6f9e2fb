"""The waitlist in the database: entries as they were written, who waits for what, and offers once."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import IntegrityError

from labshare.domain.bookings import BookingState
from labshare.domain.waitlist import WaitingEntry, WaitingState
from labshare.errors import NotFound
from labshare.store import bookings as bookings_store
from labshare.store import waitlist as store
from labshare.store.engine import Database
from labshare.store.waitlist import FreedTime
from tests.furniture import COLLEAGUE, FESEM, NMR, NOW, PUBLIC_PROJECT, RESEARCHER, XRD, a_booking, furnish, span

DAY = date(2026, 11, 25)


def an_entry(person_id: UUID = RESEARCHER, **changes: Any) -> WaitingEntry:
    values: dict[str, Any] = {
        "id": uuid4(),
        "person_id": person_id,
        "project_id": PUBLIC_PROJECT,
        "instrument_number": XRD,
        "minutes": 120,
        "from_date": DAY,
        "until_date": DAY,
        "created_at": NOW,
    }
    return WaitingEntry(**(values | changes))


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def test_an_entry_is_read_by_its_person_as_it_was_written(house: Database) -> None:
    entry = an_entry(instrument_number=None, capability_id="NMR", since=480, until=720)
    with house.write() as db:
        store.add(db, entry)
        assert store.get(db, entry.id, RESEARCHER) == entry
        with pytest.raises(NotFound):
            store.get(db, entry.id, COLLEAGUE)
        (line,) = store.lines_of(db, RESEARCHER, DAY)
        assert (line.entry, line.name_en, line.instrument_id, line.project) == (entry, "NMR", None, "KC-01")
        assert store.count_of(db, RESEARCHER, DAY + timedelta(days=1)) == 0


def test_an_entry_waits_for_an_instrument_or_a_capability(house: Database) -> None:
    places: list[dict[str, Any]] = [{"instrument_number": None}, {"capability_id": "XRD"}]
    for place in places:
        with house.write() as db, pytest.raises(IntegrityError), db.begin_nested():
            store.add(db, an_entry(**place))


def test_who_waits_for_an_instrument_names_it_or_what_it_can_do(house: Database) -> None:
    by_name, by_kind = an_entry(), an_entry(COLLEAGUE, instrument_number=None, capability_id="XRD")
    with house.write() as db:
        for each in (by_name, by_kind, an_entry(instrument_number=NMR)):
            store.add(db, each)
        found = sorted(store.waiting(db, [XRD], DAY), key=lambda each: each.id)
        assert found == sorted([by_name, by_kind], key=lambda each: each.id)
        assert store.waiting(db, [XRD], DAY + timedelta(days=1)) == []
        assert store.waited_for(db, [FESEM, XRD, NMR]) == {XRD, NMR}
        assert store.leave(db, by_name.id)
        assert store.waiting(db, [XRD], DAY) == [by_kind]
        assert not store.leave(db, by_name.id)


def test_an_offer_stands_once_and_its_end_is_counted(house: Database) -> None:
    entry, hold = an_entry(), a_booking(XRD, span(25, 9, 11), state=BookingState.HELD)
    with house.write() as db:
        store.add(db, entry)
        bookings_store.add(db, [hold])
        assert store.offer(db, entry.id, hold.id)
        assert not store.offer(db, entry.id, hold.id)
        (line,) = store.lines_of(db, RESEARCHER, DAY + timedelta(days=1))
        assert (line.offer_id, line.starts_at, line.entry.booking_id) == ("N002", hold.starts_at, hold.id)
        assert store.passed_spans(db, XRD, span(25, 10, 12)) == {entry.id: [hold.span]}
        assert store.passed_spans(db, XRD, span(25, 11, 12)) == {}
        store.passed(db, [hold.id])
        # What is no offer any more is passed on once, and taken by nobody.
        store.passed(db, [hold.id])
        store.taken(db, [hold.id])
        again = store.get(db, entry.id, RESEARCHER)
        assert (again.state, again.passed, again.booking_id) == (WaitingState.WAITING, 1, None)


def test_what_was_given_back_while_waiting_is_kept_in_mind_and_nothing_before(house: Database) -> None:
    early, late = span(25, 9, 10), span(25, 10, 11)
    ended = {"state": BookingState.CANCELLED}
    entry = an_entry(created_at=NOW + timedelta(minutes=1))
    with house.write() as db:
        store.add(db, entry)
        before = a_booking(XRD, early, **ended)
        after = a_booking(XRD, late, updated_at=NOW + timedelta(minutes=1), **ended)
        bookings_store.add(db, [before, after, a_booking(XRD, late, person_id=COLLEAGUE, **ended)])
        assert store.passed_spans(db, XRD, span(25, 8, 12)) == {entry.id: [late]}


def test_minutes_are_those_of_the_instruments_since_then_without_holds(house: Database) -> None:
    with house.write() as db:
        bookings_store.add(
            db,
            [
                a_booking(XRD, span(12, 9, 11)),
                a_booking(XRD, span(13, 9, 10), state=BookingState.CANCELLED),
                a_booking(XRD, span(25, 9, 10), state=BookingState.HELD),
                a_booking(NMR, span(12, 12, 13)),
                a_booking(XRD, span(11, 9, 17)),
            ],
        )
        used = store.used_minutes(db, [RESEARCHER, COLLEAGUE], [XRD], span(12, 0, 1).start)
        # 9 to 11 on the 12th: what was cancelled, is held, is elsewhere or came before does not count.
        assert used == {RESEARCHER: 120}


def test_freed_time_is_there_until_it_is_forgotten(house: Database) -> None:
    when = span(25, 9, 11)
    freed = FreedTime(id=uuid4(), instrument_number=XRD, starts_at=when.start, ends_at=when.end)
    with house.write() as db:
        store.add_freed(db, [freed])
        assert (store.freed(db, freed.id), freed.span) == (freed, when)
        store.forget_freed(db, freed.id)
        assert store.freed(db, freed.id) is None
