"""A booking that is dragged to another instrument, and the trial of a move, on both databases."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from labshare.domain.booking_rules import LockWindow, Scope, ScopeKind
from labshare.domain.bookings import Booking, BookingKind, BookingState, Wish
from labshare.domain.timespan import Span
from labshare.errors import Forbidden, NotFound, Refused, Stale, TimeTaken, WrongState
from labshare.services import booking_rules, bookings, moves
from labshare.store import bookings as store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import (
    ADMINISTRATOR,
    COLLEAGUE,
    MANAGER,
    NMR,
    NOW,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    a_booking,
    actor,
    add_instrument,
    furnish,
    span,
)
from tests.round_of import close, open_round, queue

TWIN, FAR_TWIN = 4, 5


@pytest.fixture
def house(database: Database) -> Database:
    """The furnished house with a second diffractometer beside the first, and a third at another centre."""
    with database.write() as db:
        furnish(db)
        add_instrument(db, TWIN, "C-ONE", "XRD", setup_minutes=30)
        add_instrument(db, FAR_TWIN, "C-TWO", "XRD")
    return database


def book(house: Database, number: int, when: Span, who: UUID = RESEARCHER, **more: Any) -> Booking:
    wish = Wish(instrument_number=number, span=when, project_id=PUBLIC_PROJECT, purpose="Màng ZnO", **more)
    with house.write() as db:
        return bookings.book(db, actor(who), wish, NOW)


def move(house: Database, booking: Booking, number: int, when: Span, who: UUID = RESEARCHER, seen: int = 1) -> Booking:
    with house.write() as db:
        return moves.move_to(db, actor(who), booking.id, number, when, seen_version=seen, now=NOW)


def rows(house: Database) -> list[tuple[Any, ...]]:
    """All bookings and calendar versions, so that a trial can be shown to have left nothing."""
    with house.read() as db:
        found = [tuple(row) for row in db.execute(sa.select(t.bookings).order_by(t.bookings.c.id))]
        versions = sa.select(t.instruments.c.number, t.instruments.c.calendar_version).order_by(t.instruments.c.number)
        return found + [tuple(row) for row in db.execute(versions)]


def test_on_its_own_instrument_it_is_a_move_like_any_other(house: Database) -> None:
    booking = book(house, XRD, span(25, 9, 11))
    moved = move(house, booking, XRD, span(26, 13, 14))
    assert (moved.id, moved.version, moved.span) == (booking.id, 2, span(26, 13, 14))


def test_on_another_instrument_one_is_given_up_for_one_that_is_written(house: Database) -> None:
    booking = book(house, XRD, span(25, 9, 11))
    moved = move(house, booking, TWIN, span(25, 9, 11))
    assert (moved.instrument_number, moved.span, moved.purpose) == (TWIN, span(25, 9, 11), "Màng ZnO")
    assert (moved.person_id, moved.project_id) == (RESEARCHER, PUBLIC_PROJECT)
    # The other instrument's set-up of half an hour is kept with it.
    assert booking.occupied_from - moved.occupied_from == timedelta(minutes=30)
    with house.read() as db:
        assert store.get(db, booking.id).state is BookingState.CANCELLED
        told = db.execute(sa.select(t.outbox.c.payload).where(t.outbox.c.topic == "calendar")).scalars().all()
    # The watchers of both calendars are told, besides those of the first booking.
    assert sorted(json.loads(each)["instrument"] for each in told) == ["N002", "N002", "N004"]
    # Its time on the first instrument is free again.
    assert book(house, XRD, span(25, 9, 11), COLLEAGUE).state is BookingState.CONFIRMED


def test_nothing_is_given_up_for_what_is_refused(house: Database) -> None:
    booking = book(house, XRD, span(25, 9, 11))
    book(house, TWIN, span(25, 10, 12), COLLEAGUE)
    before = rows(house)
    with pytest.raises(TimeTaken) as taken:
        move(house, booking, TWIN, span(25, 9, 11))
    assert [each.code for each in taken.value.refusals] == ["time_taken"]
    assert "item" not in taken.value.refusals[0].params
    # The day after, outside the opening hours: every reason at once, as for a new booking.
    with pytest.raises(Refused) as closed:
        move(house, booking, TWIN, span(28, 9, 19))
    assert {each.code for each in closed.value.refusals} == {"closed", "too_long"}
    assert rows(house) == before


def test_only_another_of_the_same_kind_will_do(house: Database) -> None:
    booking = book(house, XRD, span(25, 9, 11))
    with pytest.raises(Refused) as other:
        move(house, booking, NMR, span(25, 9, 11))
    assert [each.code for each in other.value.refusals] == ["instrument_of_other_kind"]


def test_a_hold_a_session_of_a_plan_and_a_block_stay_where_they_are(house: Database) -> None:
    with house.write() as db:
        hold = a_booking(XRD, span(25, 9, 11), state=BookingState.HELD, hold_expires_at=NOW + timedelta(hours=1))
        session = a_booking(XRD, span(26, 9, 11), plan_id=queue(db, close(db, open_round(db))).id)
        store.add(db, [hold, session])
        block = bookings.block(db, actor(MANAGER), XRD, BookingKind.MAINTENANCE, span(27, 9, 11), "", NOW)
    for booking, who in ((hold, RESEARCHER), (session, RESEARCHER), (block, MANAGER)):
        with pytest.raises(WrongState, match="booking_stays_there"):
            move(house, booking, TWIN, booking.span, who)


def test_who_may_do_it(house: Database) -> None:
    booking = book(house, XRD, span(25, 9, 11))
    with pytest.raises(NotFound):
        move(house, booking, TWIN, span(25, 9, 11), COLLEAGUE)
    # Who manages one centre books for others there, and at no other.
    with pytest.raises(Forbidden):
        move(house, booking, FAR_TWIN, span(25, 9, 11), MANAGER)
    assert move(house, booking, TWIN, span(25, 9, 11), MANAGER).booked_by_id == MANAGER


def test_what_was_seen_must_still_stand(house: Database) -> None:
    booking = book(house, XRD, span(25, 9, 11))
    move(house, booking, XRD, span(25, 13, 14))
    with pytest.raises(Stale, match="booking_changed"):
        move(house, booking, TWIN, span(25, 9, 11))


def test_the_lock_window_holds_for_another_instrument_too(house: Database) -> None:
    booking = book(house, XRD, span(23, 12, 13))
    with house.write() as db:
        booking_rules.post(db, actor(ADMINISTRATOR), Scope(ScopeKind.CENTRE, "C-ONE"), LockWindow(hours=5), NOW)
    with pytest.raises(Refused) as locked:
        move(house, booking, TWIN, span(23, 12, 13))
    assert [each.code for each in locked.value.refusals] == ["rule_locked"]


@pytest.mark.parametrize("number", [XRD, TWIN])
def test_a_trial_says_what_would_be_and_leaves_no_trace(house: Database, number: int) -> None:
    booking = book(house, XRD, span(25, 9, 11))
    book(house, number, span(25, 14, 16), COLLEAGUE)
    before = rows(house)

    def trial(when: Span, seen: int = 1) -> None:
        with house.write() as db:
            moves.trial(db, actor(RESEARCHER), booking.id, number, when, seen_version=seen, now=NOW)

    trial(span(25, 10, 12))
    with pytest.raises(TimeTaken):
        trial(span(25, 15, 17))
    with pytest.raises(Stale):
        trial(span(25, 10, 12), seen=2)
    assert rows(house) == before
