"""What a search for free time reads, on both databases: who may serve, and what stands in the way on them."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from labshare.domain.bookings import BookingKind, BookingState
from labshare.domain.registry_search import Search
from labshare.store import bookings as bookings_store
from labshare.store import free_times as store
from labshare.store import tables as t
from labshare.store.engine import Database
from labshare.store.free_times import Asked
from tests.furniture import COLLEAGUE, FESEM, MANAGER, NOW, RESEARCHER, XRD, a_booking, furnish, span
from tests.round_of import open_round
from tests.round_of import span as week

WHOLE = span(23, 0, 24 * 14)


def test_candidates_are_in_use_and_booked_by_time(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        assert [each.place.id for each in store.candidates(db, Asked(), RESEARCHER)] == ["N001", "N002", "N003"]
        here = store.candidates(db, Asked(search=Search(centre_id="C-ONE")), RESEARCHER)
        assert [(each.rules.id, each.held.level > 0, each.place.centre_en) for each in here] == [
            ("N001", True, "Centre One"), ("N002", False, "Centre One"),
        ]  # fmt: skip
        assert [each.is_qualified(is_alone=True) for each in store.candidates(db, Asked(among=(FESEM,)), MANAGER)] == [
            False
        ]
        # As calendars have them too.
        assert here[0].rules == bookings_store.rules_of(db, [FESEM])[FESEM]
        db.execute(sa.update(t.instruments).where(t.instruments.c.number == XRD).values(retired_at=NOW))
        db.execute(sa.update(t.centres).where(t.centres.c.id == "C-TWO").values(stage="planned"))
        assert [each.place.id for each in store.candidates(db, Asked(), RESEARCHER)] == ["N001"]


def test_holds_that_are_due_and_the_booking_that_moves_are_in_nobodys_way(database: Database) -> None:
    held = {"state": BookingState.HELD, "person_id": COLLEAGUE}
    due = a_booking(FESEM, span(25, 8, 9), hold_expires_at=NOW, **held)
    stands = a_booking(FESEM, span(25, 9, 10), hold_expires_at=NOW + timedelta(minutes=1), **held)
    moves = a_booking(FESEM, span(25, 10, 11))
    gone = a_booking(FESEM, span(25, 11, 12), state=BookingState.CANCELLED)
    with database.write() as db:
        furnish(db)
        bookings_store.add(db, [due, stands, moves, gone])
        assert sorted(store.busy(db, Asked(), WHOLE, NOW, ())[FESEM]) == [stands.span, moves.span]
        assert store.busy(db, Asked(among=(FESEM,)), WHOLE, NOW, (), but=moves.id) == {FESEM: [stands.span]}
        assert store.busy(db, Asked(among=(XRD,)), WHOLE, NOW, ()) == {}


def test_an_instrument_for_two_is_busy_where_two_are_or_a_block(database: Database) -> None:
    """From 9 to 10 one is there, from 10 to 11 two, from 11 to 12 one; a closure from 14 to 15 is alone."""
    new = [
        a_booking(FESEM, span(25, 9, 11)),
        a_booking(FESEM, span(25, 10, 12), unit=1),
        a_booking(FESEM, span(25, 14, 15), kind=BookingKind.CLOSURE),
        a_booking(XRD, span(25, 9, 11)),
    ]
    with database.write() as db:
        furnish(db)
        db.execute(sa.update(t.instruments).where(t.instruments.c.number == FESEM).values(capacity=2))
        bookings_store.add(db, new)
        found = store.busy(db, Asked(), WHOLE, NOW, store.candidates(db, Asked(), None))
    assert {number: sorted(spans) for number, spans in found.items()} == {
        FESEM: [span(25, 10, 11), span(25, 14, 15)],
        XRD: [span(25, 9, 11)],
    }


def test_a_round_keeps_its_offer(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        open_round(db)
        assert store.kept(db, Asked(), WHOLE) == {XRD: [week(0, 8, 12)]}
        assert store.kept(db, Asked(search=Search(capability_id="FESEM")), WHOLE) == {}


def test_a_person_is_somewhere_else_by_what_they_have(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        own = a_booking(FESEM, span(25, 8, 9))
        due = a_booking(XRD, span(25, 9, 10), state=BookingState.HELD, hold_expires_at=NOW)
        bookings_store.add(db, [own, due, a_booking(XRD, span(26, 9, 10), person_id=COLLEAGUE)])
        found = store.of_person(db, RESEARCHER, WHOLE, NOW)
    assert sorted((each.use.instrument_id, each.attended, each.is_own, each.is_due) for each in found) == [
        ("N001", True, True, False), ("N002", True, True, True),
    ]  # fmt: skip
