"""A recount proves balances and their days to come, and mends what is wrong."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import pytest
import sqlalchemy as sa

from labshare.domain.balance_days import day_of
from labshare.domain.bookings import Wish
from labshare.services import balances
from labshare.services import bookings as booking_service
from labshare.store import agreements as store
from labshare.store import balance_days as days_store
from labshare.store import bookings as booking_store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import COMPETITOR, FESEM, INDUSTRY_PROJECT, NOW, XRD, actor, furnish, span
from tests.shares import a_rule, an_agreement, by_industry, load, put

TODAY = day_of(NOW)


@pytest.fixture
def house(database: Database, tmp_path: Path) -> Database:
    with database.write() as db:
        furnish(db)
        load(db, tmp_path, an_agreement(a_rule()))
    return database


def days(database: Database) -> dict[int, int]:
    with database.read() as db:
        (found,) = days_store.days_of(db, "PPP-1", TODAY).values()
    return {day - TODAY: minutes for day, minutes in found.items()}


def test_days_follow_a_booking_that_is_made_moved_and_cancelled(house: Database) -> None:
    asker, wish = actor(COMPETITOR), Wish(instrument_number=XRD, span=span(25, 8, 10), project_id=INDUSTRY_PROJECT)
    with house.write() as db:
        # One that stood before its balance was opened.
        booking_store.add(db, [by_industry(FESEM, span(26, 8, 9))])
        booking = booking_service.book(db, asker, wish, NOW)
    assert days(house) == {2: 120, 3: 60}
    with house.write() as db:
        moved = booking_service.move(db, asker, booking.id, span(27, 8, 11), seen_version=booking.version, now=NOW)
    assert days(house) == {3: 60, 4: 180}
    with house.write() as db:
        booking_service.cancel(db, asker, moved.id, seen_version=moved.version, now=NOW)
        assert balances.recount(db, NOW) == 0
    assert days(house) == {3: 60}


def test_wrong_and_lost_days_are_noticed_and_put_right(house: Database) -> None:
    with house.write() as db:
        put(db, by_industry(FESEM, span(25, 8, 10)), by_industry(XRD, span(26, 8, 9)))
        for change in (
            sa.update(t.balance_days).values(matched_minutes=7),
            sa.delete(t.balance_days),
            sa.insert(t.balance_days).from_select(
                [column.name for column in t.balance_days.c],
                sa.select(*(c for c in t.balance_days.c if c.name not in ("day", "matched_minutes")),
                          sa.literal(TODAY + 9), sa.literal(1)).limit(1),
            ),
        ):  # fmt: skip
            db.execute(change)
            assert balances.recount(db, NOW) == 1
            assert balances.recount(db, NOW) == 0
    assert days(house) == {2: 120, 3: 60}


def test_days_go_with_their_balance(house: Database, tmp_path: Path) -> None:
    with house.write() as db:
        put(db, by_industry(FESEM, span(25, 8, 10)))
        store.drop_balances(db, store.balances_of(db).keys())
        assert days_store.days_of(db, None, 0) == {}


def test_a_new_selector_counts_the_days_again(house: Database, tmp_path: Path) -> None:
    with house.write() as db:
        put(db, by_industry(FESEM, span(25, 8, 10)))
        load(db, tmp_path, an_agreement(a_rule(share=Fraction(1, 2), who=a_rule().who.__class__(project=("KC-01",)))))
    with house.read() as db:
        assert days_store.days_of(db, "PPP-1", TODAY) == {}


def test_a_day_that_is_over_is_not_looked_at(house: Database) -> None:
    with house.write() as db:
        put(db, by_industry(FESEM, span(25, 8, 10)))
        db.execute(sa.update(t.balance_days).values(matched_minutes=7))
        assert balances.recount(db, NOW + timedelta(days=2)) == 0
