"""What the ticker does, step by step, each in a transaction of its own."""

from __future__ import annotations

from datetime import timedelta

import pytest

from labshare.domain.bookings import BookingState
from labshare.domain.rounds import RoundState
from labshare.services import ticking
from labshare.store import bookings as bookings_store
from labshare.store import due, outbox
from labshare.store import rounds as rounds_store
from labshare.store.engine import Database
from tests.furniture import NOW, XRD, a_booking, furnish
from tests.round_of import open_round, span


def test_messages_are_told_once_and_forgotten_after_a_day(database: Database) -> None:
    with database.write() as db:
        outbox.post(db, "calendar", {"version": 1})
        ticking.delivered(db, ticking.messages(db), NOW)
        assert ticking.messages(db) == []
        ticking.forget(db, NOW + timedelta(days=1, seconds=1))
        assert outbox.forget(db, NOW + timedelta(days=9)) == 0


def test_a_deadline_is_dealt_with_and_gone(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        r = open_round(db)
        (row,) = ticking.deadlines(db, r.closes_at)
        ticking.deal_with(db, row, r.closes_at)
        assert rounds_store.get(db, r.id).state is RoundState.CLOSED
        assert ticking.deadlines(db, r.closes_at) == []


def test_a_hold_that_nobody_confirmed_gives_its_time_back(database: Database) -> None:
    with database.write() as db:
        furnish(db)
        hold = a_booking(XRD, span(0, 8, 10), state=BookingState.HELD, hold_expires_at=NOW)
        bookings_store.add(db, [hold])
        due.schedule(db, ticking.HOLD_EXPIRES, hold.id, NOW)
        (row,) = ticking.deadlines(db, NOW)
        ticking.deal_with(db, row, NOW)
        assert bookings_store.get(db, hold.id).state is BookingState.EXPIRED


def test_a_kind_that_nobody_handles_is_an_error_and_can_be_put_off(database: Database) -> None:
    with database.write() as db:
        due.schedule(db, "unheard_of", "0", NOW)
        (row,) = ticking.deadlines(db, NOW)
        with pytest.raises(KeyError):
            ticking.deal_with(db, row, NOW)
        ticking.put_off(db, row, NOW)
        assert ticking.deadlines(db, NOW) == []
        assert len(ticking.deadlines(db, NOW + due.FIRST_WAIT)) == 1
