"""Days move together and are read with their balance; the uses behind them are cut to what is asked."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from labshare.domain.agreements import Balance, BalanceKey
from labshare.domain.balance_days import day_of, minutes_of
from labshare.domain.bookings import BookingState
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.rulebook import Party
from labshare.domain.timespan import Span
from labshare.store import agreements as store
from labshare.store import balance_days as days_store
from labshare.store import bookings as booking_store
from labshare.store.balance_days import Held
from labshare.store.engine import Database
from labshare.store.tables import instruments
from tests.furniture import FESEM, NOW, XRD, a_booking, at, counted, span
from tests.store.test_agreements import a_balance, house

__all__ = ["house"]

KEY = a_balance().key
TODAY = day_of(NOW)


def test_days_are_added_up_in_one_statement(house: Database) -> None:
    with house.write() as db:
        store.open_balances(db, [a_balance()])
        with counted(house.engine) as seen:
            days_store.shift(db, {KEY: {TODAY: 60, TODAY + 1: 30}})
        assert len(seen) == 1
        days_store.shift(db, {KEY: {TODAY + 1: -30, TODAY + 2: 90}})
        # A day without minutes is not told.
        assert days_store.days_of(db, "A", TODAY - 1) == {KEY: {TODAY: 60, TODAY + 2: 90}}
        assert days_store.days_of(db, "B", TODAY - 1) == {}
        # Somebody else opened it first: theirs stand.
        days_store.open_days(db, {KEY: {TODAY: 1, TODAY + 3: 5}})
        days_store.shift(db, {})
        assert days_store.days_of(db, None, TODAY - 1) == {KEY: {TODAY: 60, TODAY + 2: 90, TODAY + 3: 5}}
        days_store.replace(db, {KEY: {TODAY: 8}})
        assert days_store.days_of(db, None, 0) == {KEY: {TODAY: 8}}


def test_a_balance_is_read_with_what_lies_after_today(house: Database) -> None:
    other = a_balance(at(29, 0), window_end=at(30, 0))
    with house.write() as db:
        store.open_balances(db, [a_balance(), other])
        days_store.shift(db, {KEY: {TODAY - 1: 1, TODAY: 10, TODAY + 1: 100, TODAY + 5: 1000}})
        assert days_store.holding(db, NOW, NOW) == [as_held(a_balance(), 1100)]
        # The last minute of one window, and the first of the next.
        assert days_store.holding(db, at(28, 23, 59), NOW) == [as_held(a_balance(), 1100)]
        assert days_store.holding(db, at(29, 0), NOW) == [as_held(other, 0)]


def as_held(balance: Balance, later_minutes: int) -> Held:
    minutes = balance.base_minutes, balance.matched_minutes, balance.total_minutes
    return Held(*balance.key[:3], *minutes_of(balance.window), *minutes, later_minutes)


def test_uses_are_cut_to_the_span_and_say_whose_they_are(house: Database) -> None:
    asked = span(25, 9, 12)
    with house.write() as db:
        booking_store.add(
            db,
            [
                a_booking(FESEM, span(25, 6, 7)),
                a_booking(FESEM, span(25, 8, 10)),
                a_booking(FESEM, span(25, 11, 14), state=BookingState.HELD),
                a_booking(FESEM, span(25, 9, 11), state=BookingState.CANCELLED),
                a_booking(XRD, span(25, 12, 13)),
            ],
        )
        found = days_store.ahead(db, asked)
        assert sorted(piece[1:] for piece in found) == [minutes_of(span(25, 9, 10)), minutes_of(span(25, 11, 12))]
        party = Party(
            "N001", "C-ONE", "I-IMS", AccessClass.PUBLIC_RESEARCH, Activity.NON_ECONOMIC, "KC-01", "state", False
        )
        assert {piece.party for piece in found} == {party}
        assert days_store.ahead(db, asked, [XRD]) == []
        assert [piece[1:] for piece in days_store.not_firm(db, asked)] == [minutes_of(span(25, 11, 12))]


@pytest.mark.parametrize("state", [BookingState.CONFIRMED, BookingState.DONE])
def test_a_long_use_that_began_long_before_is_found(house: Database, state: BookingState) -> None:
    with house.write() as db:
        booking_store.add(db, [a_booking(FESEM, span(1, 0, 24 * 40), state=state)])
        assert [piece[1:] for piece in days_store.ahead(db, span(25, 9, 12))] == [minutes_of(span(25, 9, 12))]


def test_of_several_at_a_time_none_hides_another(house: Database) -> None:
    """The last to begin before the span, at 8:30, is over by then; the one of 8:00 in another unit reaches into it."""
    with house.write() as db:
        db.execute(sa.update(instruments).where(instruments.c.number == FESEM).values(capacity=2))
        short = a_booking(FESEM, Span(at(25, 8, 30), at(25, 9)), unit=1)
        booking_store.add(db, [a_booking(FESEM, span(25, 8, 11)), short])
        assert [piece[1:] for piece in days_store.ahead(db, span(25, 9, 12))] == [minutes_of(span(25, 9, 11))]


def test_keys_sort_as_balances_lock() -> None:
    assert sorted([KEY, BalanceKey("A", "Q", "", KEY.window_start)])[0].rule_id == "Q"
