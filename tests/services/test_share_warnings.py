"""A share of what people book or use never refuses: whoever goes beyond it is told, as far as they may know it."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from labshare.domain.agreements import Selector, ShareRule, Strictness
from labshare.domain.bases import Base
from labshare.domain.bookings import Booking, BookingState, Wish
from labshare.domain.series import Conflicts, Frequency, Repeat
from labshare.services import booking_warnings, series
from labshare.services import bookings as booking_service
from labshare.services.share_warnings import notices
from labshare.store import bookings as booking_store
from labshare.store import tables as t
from labshare.store.engine import Connection, Database
from tests.furniture import COMPETITOR, FESEM, INDUSTRY_PROJECT, NMR, NOW, OFFICE, XRD, a_booking, actor, furnish, span
from tests.shares import a_floor, a_rule, a_run, an_agreement, by_industry, load


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def soft(make: Callable[..., ShareRule] = a_rule, **changes: Any) -> ShareRule:
    """Industry has at most a quarter of what is booked at Centre One in a week."""
    values: dict[str, Any] = {"base": Base.BOOKED, "strict": Strictness.SOFT, "penalty": 1, "share": Fraction(1, 4)}
    return make(**(values | changes))


def told(db: Connection, booking: Booking, reader: UUID = OFFICE) -> list[str]:
    return [notice.code for notice in notices(db, actor(reader), [booking], NOW)]


def book(db: Connection, hours: int, number: int = XRD) -> Booking:
    wish = Wish(instrument_number=number, span=span(26, 8, 8 + hours), project_id=INDUSTRY_PROJECT)
    return booking_service.book(db, actor(COMPETITOR), wish, NOW)


def test_the_first_booking_of_a_window_is_all_of_it_and_goes_through(house: Database, tmp_path: Path) -> None:
    with house.write() as db:
        load(db, tmp_path, an_agreement(soft()))
        booking = book(db, 2)
        (notice,) = notices(db, actor(OFFICE), [booking], NOW)
        # It keeps no balance: 120 minutes are booked, a quarter of which is 30.
        assert db.execute(sa.select(sa.func.count()).select_from(t.balances)).scalar_one() == 0
    assert notice.code == "agreement_share_warning"
    assert notice.params == {
        "agreement": "PPP-1", "rule": "industry-cap", "window": "week", "base": "booked",
        "sentence_vi": "Công nghiệp tối đa 12,5 %.", "sentence_en": "Industry has at most 12.5 %.",
        "taken_minutes": 120, "limit_minutes": 30, "base_minutes": 120,
    }  # fmt: skip


def test_a_share_warns_from_the_first_minute_over_it(house: Database, tmp_path: Path) -> None:
    # With six public hours, two of industry are a quarter of eight; three of nine are more.
    with house.write() as db:
        load(db, tmp_path, an_agreement(soft()))
        booking_store.add(db, [a_booking(FESEM, span(25, 8, 14)), a_booking(NMR, span(25, 8, 18))])
        booking = book(db, 2)
        assert told(db, booking) == []
        longer = booking_service.move(
            db, actor(COMPETITOR), booking.id, span(26, 8, 11), seen_version=booking.version, now=NOW
        )
        assert told(db, longer) == ["agreement_share_warning"]


def test_others_are_told_of_a_floor_that_their_booking_keeps_unmet(house: Database, tmp_path: Path) -> None:
    with house.write() as db:
        load(db, tmp_path, an_agreement(soft(a_floor, share=Fraction(3, 4))))
        mine = a_booking(FESEM, span(25, 8, 14))
        booking_store.add(db, [mine])
        assert told(db, book(db, 2)) == []
        assert told(db, by_industry(NMR, span(26, 8, 10))) == []
        more = by_industry(XRD, span(27, 8, 9))
        booking_store.add(db, [more])
        # Six of nine hours are two thirds. Whom the floor is for is not warned of it.
        assert told(db, more) == ["agreement_share_warning"]
        assert told(db, mine) == []


@pytest.mark.parametrize("base", [Base.DELIVERED, Base.CHARGED])
def test_what_will_be_delivered_is_added_to_what_was(house: Database, tmp_path: Path, base: Base) -> None:
    """Nine public hours ran. Three of industry are a quarter of twelve, four of thirteen are more; what others have
    only booked counts for nothing.
    """
    ran = a_booking(FESEM, span(20, 8, 18), state=BookingState.DONE)
    with house.write() as db:
        # Friday is of the week before, so the window is the month.
        load(db, tmp_path, an_agreement(soft(base=base, window="month")))
        booking_store.add(db, [ran, a_booking(FESEM, span(25, 8, 18))])
        a_run(db, ran.id, FESEM, span(20, 8, 17))
        booking = book(db, 3)
        assert told(db, booking) == []
        longer = booking_service.move(
            db, actor(COMPETITOR), booking.id, span(26, 8, 12), seen_version=booking.version, now=NOW
        )
        assert told(db, longer) == ["agreement_share_warning"]


def test_a_notice_says_no_more_than_its_reader_may_know(house: Database, tmp_path: Path) -> None:
    with house.write() as db:
        load(db, tmp_path, an_agreement(soft()))
        booking = book(db, 2)
        assert told(db, booking, COMPETITOR) == ["agreement_share_warning_private"]
        own = soft(who=Selector(organisation=("O-CO",)))
        load(db, tmp_path, an_agreement(own, parties=("I-IMS", "O-CO")))
        # Its own clause, but not what everybody booked.
        assert told(db, booking, COMPETITOR) == ["agreement_share_warning_clause"]


def test_what_has_begun_or_was_given_back_is_told_nothing(house: Database, tmp_path: Path) -> None:
    with house.write() as db:
        load(db, tmp_path, an_agreement(soft()))
        booking = book(db, 2)
        assert notices(db, actor(OFFICE), [booking], booking.starts_at) == ()
        cancelled = booking_service.cancel(db, actor(COMPETITOR), booking.id, seen_version=booking.version, now=NOW)
        assert told(db, cancelled) == []


def test_a_series_is_told_of_each_share_once(house: Database, tmp_path: Path) -> None:
    """Three weeks of two hours each. Public hours fill the first week so that industry has a quarter of eight there; in
    the second and third it has all that is booked: one notice, of the second week, on the page of whichever date.
    """
    with house.write() as db:
        load(db, tmp_path, an_agreement(soft()))
        booking_store.add(db, [a_booking(FESEM, span(25, 8, 14))])
        wish = Wish(instrument_number=XRD, span=span(26, 8, 10), project_id=INDUSTRY_PROJECT)
        repeat = Repeat(frequency=Frequency.WEEKLY, count=3)
        made = series.create(db, actor(COMPETITOR), wish, repeat, Conflicts.STOP, NOW).line.bookings
        assert told(db, made[0]) == []
        for each in made:
            (said,) = booking_warnings.warnings(db, actor(OFFICE), each, NOW)
            assert (said.code, said.params["taken_minutes"], said.params["base_minutes"]) == (
                "agreement_share_warning", 120, 120,
            )  # fmt: skip
        (masked,) = booking_warnings.warnings(db, actor(COMPETITOR), made[0], NOW)
        assert masked.code != "agreement_share_warning"
