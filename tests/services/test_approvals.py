"""Bookings that wait for their centre: they keep their time, are decided once, and end when nobody decides."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa

from labshare.domain.bookings import Booking, BookingState, Wish
from labshare.domain.people import Grant, Role
from labshare.domain.timespan import Span
from labshare.errors import Forbidden, Malformed, NotFound, Refused, Stale, TimeTaken, WrongState
from labshare.services import approvals as service
from labshare.services import bookings, notices, ticking
from labshare.services.writing import APPROVAL_ENDS
from labshare.store import audit
from labshare.store import bookings as store
from labshare.store import due as due_store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import (
    ADMINISTRATOR,
    COLLEAGUE,
    COMPETITOR,
    FESEM,
    INDUSTRY_PROJECT,
    MANAGER,
    NOW,
    PARTNER,
    PUBLIC_PROJECT,
    RESEARCHER,
    actor,
    furnish,
    span,
)

HOUR = timedelta(hours=1)


@pytest.fixture
def house(database: Database) -> Database:
    """Everybody's bookings of the FE-SEM wait, for at most 24 hours."""
    with database.write() as db:
        furnish(db)
        db.execute(sa.update(t.persons).values(email="someone@example.vn"))
        service.choose(db, actor(MANAGER), "N001", "everybody", 24, NOW)
    return database


def book(house: Database, who: UUID = RESEARCHER, when: Span | None = None, **changes: Any) -> Booking:
    values: dict[str, Any] = {"project_id": PUBLIC_PROJECT} | changes
    with house.write() as db:
        asked = Wish(instrument_number=FESEM, span=when or span(25, 9, 11), **values)
        return bookings.book(db, actor(who), asked, NOW)


def approve(house: Database, booking: Booking, who: UUID = MANAGER, now: datetime = NOW, note: str = "") -> Booking:
    with house.write() as db:
        return service.approve(db, actor(who), booking.id, seen_version=booking.version, now=now, note=note)


def decline(house: Database, booking: Booking, note: str = "Máy hiệu chuẩn", now: datetime = NOW) -> Booking:
    with house.write() as db:
        return service.decline(db, actor(MANAGER), booking.id, seen_version=booking.version, now=now, note=note)


def stored(house: Database, booking: Booking) -> Booking:
    with house.read() as db:
        return store.get(db, booking.id)


def letters(house: Database) -> list[str]:
    with house.read() as db:
        return [each.notice.kind.value for each in notices.letters(db, NOW + 30 * HOUR)]


def tick(house: Database, now: datetime) -> None:
    with house.read() as db:
        rows = ticking.deadlines(db, now)
    for row in rows:
        with house.write() as db:
            ticking.deal_with(db, row, now)


# ---------------------------------------------------------------- made


def test_a_booking_waits_and_keeps_its_time(house: Database) -> None:
    booking = book(house)
    # 24 hours from now come before the 25th, 9:00.
    assert (booking.state, booking.hold_expires_at) == (BookingState.PENDING, NOW + 24 * HOUR)
    assert stored(house, booking) == booking
    with pytest.raises(TimeTaken):
        book(house, COMPETITOR, span(25, 10, 12), project_id=INDUSTRY_PROJECT)
    with house.read() as db:
        assert due_store.when(db, APPROVAL_ENDS, booking.id) == NOW + 24 * HOUR


def test_who_answers_for_the_centre_waits_for_nobody(house: Database) -> None:
    with house.write() as db:
        service.choose(db, actor(MANAGER), "N001", "outsiders", 24, NOW)
    # The project is of the host itself.
    assert book(house).state is BookingState.CONFIRMED
    with house.write() as db:
        service.choose(db, actor(MANAGER), "N001", "everybody", 24, NOW)
        wish = Wish(instrument_number=FESEM, span=span(26, 9, 11), person_id=RESEARCHER, project_id=PUBLIC_PROJECT)
        assert bookings.book(db, actor(MANAGER), wish, NOW).state is BookingState.CONFIRMED


# ---------------------------------------------------------------- decided


def test_the_centre_approves(house: Database) -> None:
    booking = book(house)
    approved = approve(house, booking, note="Mang mẫu khô")
    assert (approved.state, approved.hold_expires_at, approved.decision_note) == (
        BookingState.CONFIRMED, None, "Mang mẫu khô",
    )  # fmt: skip
    assert stored(house, booking) == approved
    assert letters(house) == ["booking_approved"]
    with house.read() as db:
        assert due_store.when(db, APPROVAL_ENDS, booking.id) is None
        assert [line.action for line in audit.lines(db, "booking", booking.id)] == ["book", "approve"]


def test_the_centre_declines_and_the_time_is_free(house: Database) -> None:
    booking = book(house)
    with pytest.raises(Malformed, match="decision_note_missing"):
        decline(house, booking, note=" ")
    declined = decline(house, booking)
    assert (declined.state, declined.decision_note) == (BookingState.DECLINED, "Máy hiệu chuẩn")
    assert letters(house) == ["booking_declined"]
    assert book(house, COMPETITOR, project_id=INDUSTRY_PROJECT).state is BookingState.PENDING


def test_only_the_managers_of_the_centre_decide(house: Database) -> None:
    booking = book(house)
    for who, no in ((RESEARCHER, Forbidden), (COLLEAGUE, NotFound), (PARTNER, NotFound)):
        with pytest.raises(no):
            approve(house, booking, who)
    assert approve(house, booking, ADMINISTRATOR).state is BookingState.CONFIRMED


def test_nobody_decides_about_their_own(house: Database) -> None:
    booking = book(house)
    with house.write() as db:
        grants = (Grant(role=Role.LAB_MANAGER, centre_id="C-ONE"),)
        managing = msgspec.structs.replace(actor(RESEARCHER), grants=grants)
        with pytest.raises(WrongState, match="approval_of_own"):
            service.approve(db, managing, booking.id, seen_version=booking.version, now=NOW)


def test_the_second_decision_is_stale(house: Database) -> None:
    booking = book(house)
    approve(house, booking)
    with pytest.raises(Stale):
        decline(house, booking)
    with pytest.raises(WrongState, match="booking_not_waiting"), house.write() as db:
        service.decline(db, actor(MANAGER), booking.id, seen_version=2, now=NOW, note="Muộn")


def test_what_its_user_gave_back_is_not_approved(house: Database) -> None:
    booking = book(house)
    with house.write() as db:
        bookings.cancel(db, actor(RESEARCHER), booking.id, seen_version=booking.version, now=NOW)
    with pytest.raises(Stale):
        approve(house, booking)
    assert stored(house, booking).state is BookingState.CANCELLED


# ---------------------------------------------------------------- not decided


def test_what_nobody_decides_is_over(house: Database) -> None:
    booking = book(house)
    tick(house, NOW + 24 * HOUR)
    assert stored(house, booking).state is BookingState.EXPIRED
    assert letters(house) == ["booking_undecided"]
    tick(house, NOW + 25 * HOUR)
    assert letters(house) == ["booking_undecided"]


def test_time_that_is_over_goes_to_who_asks_first_and_the_waiting_one_is_told(house: Database) -> None:
    booking = book(house)
    late = NOW + 24 * HOUR
    with pytest.raises(WrongState, match="booking_not_waiting"):
        approve(house, booking, now=late)
    with house.write() as db:
        asked = Wish(instrument_number=FESEM, span=span(25, 10, 12), project_id=INDUSTRY_PROJECT)
        bookings.book(db, actor(COMPETITOR), asked, late)
    assert stored(house, booking).state is BookingState.EXPIRED
    tick(house, late)
    # The manager hears of the one that waits now, and of the other no more.
    assert sorted(letters(house)) == ["booking_to_decide", "booking_undecided"]


# ---------------------------------------------------------------- changed


def move(house: Database, booking: Booking, to: Span, who: UUID = RESEARCHER) -> Booking:
    with house.write() as db:
        return bookings.move(db, actor(who), booking.id, to, seen_version=booking.version, now=NOW + HOUR)


def test_another_time_is_approved_anew_and_other_words_are_not(house: Database) -> None:
    booking = approve(house, book(house))
    with house.write() as db:
        described = bookings.describe(db, actor(RESEARCHER), booking.id, "Lát cắt", seen_version=2, now=NOW)
    assert described.state is BookingState.CONFIRMED
    moved = move(house, described, span(25, 10, 12))
    assert (moved.state, moved.hold_expires_at) == (BookingState.PENDING, NOW + 25 * HOUR)
    assert move(house, moved, span(25, 11, 13), MANAGER).state is BookingState.CONFIRMED


def test_each_of_a_series_waits_for_itself(house: Database) -> None:
    with house.write() as db:
        wishes = [
            Wish(instrument_number=FESEM, span=span(day, 9, 11), project_id=PUBLIC_PROJECT) for day in (25, 26, 27)
        ]
        made = bookings.book_all(db, actor(RESEARCHER), wishes, NOW)
    approve(house, made[1])
    with house.read() as db:
        waiting = service.waiting(db, actor(MANAGER), NOW)
    assert [line.booking.id for line in waiting] == [made[0].id, made[2].id]


# ---------------------------------------------------------------- seen


def test_managers_see_what_waits_at_their_centre(house: Database) -> None:
    booking = book(house)
    with house.read() as db:
        for who, seen in ((MANAGER, [booking.id]), (ADMINISTRATOR, [booking.id]), (RESEARCHER, []), (PARTNER, [])):
            assert [line.booking.id for line in service.waiting(db, actor(who), NOW)] == seen
        assert service.waiting(db, actor(MANAGER), NOW + 24 * HOUR) == []
        with pytest.raises(Forbidden):
            service.settings(db, actor(RESEARCHER))
        assert {each.centre_id for each in service.settings(db, actor(MANAGER))} == {"C-ONE"}


def test_only_managers_choose_who_waits(house: Database) -> None:
    with house.write() as db, pytest.raises(Forbidden):
        service.choose(db, actor(RESEARCHER), "N001", "none", 24, NOW)
    with house.write() as db, pytest.raises(Refused, match="approval_hours"):
        service.choose(db, actor(MANAGER), "N001", "none", 0, NOW)
    booking = book(house)
    with house.write() as db:
        service.choose(db, actor(MANAGER), "N001", "none", 24, NOW)
    # What stands, stands.
    assert stored(house, booking).state is BookingState.PENDING
    assert book(house, when=span(26, 9, 11)).state is BookingState.CONFIRMED
