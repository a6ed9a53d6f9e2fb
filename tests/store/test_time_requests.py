"""Requests in the database, and what planning asks about the people behind them."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import msgspec
import pytest

from labshare.domain.bookings import BookingState
from labshare.domain.equipment import EquipmentState, StateRecord
from labshare.domain.time_requests import RequestState, TimeRequest
from labshare.domain.timespan import Span
from labshare.errors import NotFound, Stale
from labshare.store import bookings as bookings_store
from labshare.store import rounds as rounds_store
from labshare.store import time_requests as store
from labshare.store import usage as usage_store
from labshare.store.engine import Connection, Database
from tests.domain.test_rounds import a_round
from tests.domain.test_time_requests import request
from tests.furniture import (
    COLLEAGUE,
    FESEM,
    INDUSTRY_PROJECT,
    NMR,
    NOW,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    a_booking,
    add_project,
    furnish,
)
from tests.round_of import span


def put(db: Connection, **changes: object) -> TimeRequest:
    made = request(**{"id": uuid4(), "project_id": PUBLIC_PROJECT, "person_id": RESEARCHER} | changes)
    store.add(db, made)
    return made


def furnished(db: Connection) -> None:
    furnish(db)
    rounds_store.add(db, a_round())


def test_a_request_comes_back_as_it_was_written(database: Database) -> None:
    with database.write() as db:
        furnished(db)
        made = put(db, windows=(span(0, 8, 10), span(1, 8, 12)), instrument_numbers=(FESEM, NMR))
        assert store.get(db, made.id) == made
        with pytest.raises(NotFound):
            store.get(db, UUID(int=99))


def test_a_change_replaces_instruments_and_names_the_version_that_was_seen(database: Database) -> None:
    with database.write() as db:
        furnished(db)
        made = put(db, instrument_numbers=(FESEM,))
        wanted = msgspec.structs.replace(made, instrument_numbers=(XRD, NMR), windows=(span(2, 8, 9),))
        changed = store.change(db, wanted, seen_version=1)
        assert store.get(db, made.id) == changed
        assert (changed.version, changed.instrument_numbers) == (2, (XRD, NMR))
        with pytest.raises(Stale):
            store.change(db, wanted, seen_version=1)


def test_a_round_s_requests_come_in_their_order_without_those_withdrawn(database: Database) -> None:
    with database.write() as db:
        furnished(db)
        late = put(db, created_at=NOW + timedelta(hours=1))
        early = put(db, created_at=NOW, person_id=COLLEAGUE)
        put(db, state=RequestState.WITHDRAWN)
        assert [each.id for each in store.of_round(db, late.round_id)] == [early.id, late.id]
        assert store.ids_of_round(db, late.round_id) == [early.id, late.id]
        assert store.count_by_round(db, [late.round_id]) == {late.round_id: 2}
        assert [each.id for each in store.of_person(db, COLLEAGUE)] == [early.id]
        assert len(store.of_person(db, RESEARCHER, round_id=late.round_id)) == 2


def test_publication_decides_each_request(database: Database) -> None:
    with database.write() as db:
        furnished(db)
        placed, left = put(db), put(db)
        store.decide(db, {placed.id: RequestState.PLACED, left.id: RequestState.UNPLACED})
        assert store.get(db, placed.id).state is RequestState.PLACED
        assert (store.get(db, left.id).state, store.get(db, left.id).version) == (RequestState.UNPLACED, 2)


def test_the_bookings_of_a_request_are_found(database: Database) -> None:
    with database.write() as db:
        furnished(db)
        made = put(db)
        booking = a_booking(XRD, span(0, 8, 10), request_id=made.id)
        bookings_store.add(db, [booking, a_booking(XRD, span(0, 10, 12))])
        assert store.published_sessions(db, [made.id]) == {made.id: [(booking.id, "N002", span(0, 8, 10))]}


def test_people_are_busy_where_they_attend(database: Database) -> None:
    """Not where their hold is over by now, though nobody has ended it yet."""
    kept = {"state": BookingState.HELD, "person_id": COLLEAGUE}
    with database.write() as db:
        furnished(db)
        bookings_store.add(
            db,
            [
                a_booking(XRD, span(0, 8, 10)),
                a_booking(FESEM, span(0, 12, 14), attended=False),
                a_booking(NMR, span(0, 15, 16), state=BookingState.CANCELLED),
                a_booking(FESEM, span(0, 8, 9), hold_expires_at=NOW, **kept),
                a_booking(NMR, span(0, 9, 10), hold_expires_at=NOW + timedelta(minutes=5), **kept),
            ],
        )
        busy = store.persons_busy(db, [RESEARCHER, COLLEAGUE], span(0, 0, 18), NOW)
        assert busy == {RESEARCHER: [span(0, 8, 10)], COLLEAGUE: [span(0, 9, 10)]}


def test_a_project_is_usable_once_verified(database: Database) -> None:
    with database.write() as db:
        furnished(db)
        proposed = UUID(int=30)
        add_project(db, proposed, "NEW", "I-IMS", RESEARCHER, state="proposed")
        found = store.usable_projects(db, [PUBLIC_PROJECT, INDUSTRY_PROJECT, proposed])
        assert found == {PUBLIC_PROJECT: None, INDUSTRY_PROJECT: None}
        assert store.project_codes(db, [PUBLIC_PROJECT]) == {PUBLIC_PROJECT: "KC-01"}


def test_recent_use_is_told_by_organisation_and_project_with_its_set_up(database: Database) -> None:
    with database.write() as db:
        furnished(db)
        when = span(0, 8, 10)
        begins = when.start - timedelta(minutes=15)
        bookings_store.add(
            db,
            [
                a_booking(XRD, when, occupied_from=begins),
                a_booking(NMR, span(0, 8, 10)),
                a_booking(XRD, span(3, 8, 10)),
            ],
        )
        whole = Span(when.start - timedelta(days=1), when.end)
        assert store.recent_use(db, [XRD], whole) == [(("I-IMS", PUBLIC_PROJECT), begins, 135)]


def test_recent_use_counts_what_was_delivered_once_it_is_done(database: Database) -> None:
    """Two hours booked, of which the instrument ran for half an hour."""
    with database.write() as db:
        furnished(db)
        when = span(0, 8, 10)
        done = a_booking(XRD, when, state=BookingState.DONE)
        bookings_store.add(db, [done])
        run = StateRecord(
            id=UUID(int=1),
            instrument_number=XRD,
            state=EquipmentState.PRODUCTIVE,
            starts_at=when.start,
            ends_at=when.start + timedelta(minutes=30),
            source="sensor",
            booking_id=done.id,
        )
        usage_store.add_records(db, [run])
        assert store.recent_use(db, [XRD], when) == [(("I-IMS", PUBLIC_PROJECT), when.start, 30)]
