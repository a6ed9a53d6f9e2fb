"""Who is told of bookings: people of what others do with theirs, managers of what waits for them. On both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from labshare.domain.bookings import Booking, BookingState, Wish
from labshare.domain.modes import Mode
from labshare.domain.notices import Notice, NoticeKind
from labshare.domain.series import Conflicts, Frequency, Reach, Repeat
from labshare.domain.timespan import Span
from labshare.services import approvals, bookings, modes, moves, notices, series, ticking
from labshare.services.writing import ended, write
from labshare.store import bookings as store
from labshare.store import notices as notices_store
from labshare.store import qualifications as qualifications_store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import (
    ADMINISTRATOR,
    COLLEAGUE,
    FESEM,
    MANAGER,
    NOW,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    a_booking,
    actor,
    add_instrument,
    counted,
    furnish,
    span,
)

K = NoticeKind
HOUR = timedelta(hours=1)


@pytest.fixture
def house(database: Database) -> Database:
    """Everybody's bookings of the FE-SEM wait, for at most 24 hours; nobody's of the XRD do."""
    with database.write() as db:
        furnish(db)
        db.execute(sa.update(t.persons).values(email="someone@example.vn"))
        approvals.choose(db, actor(MANAGER), "N001", "everybody", 24, NOW)
    return database


def book(house: Database, by: UUID = RESEARCHER, when: Span | None = None, **changes: Any) -> Booking:
    values: dict[str, Any] = {"instrument_number": XRD, "person_id": RESEARCHER, "project_id": PUBLIC_PROJECT}
    with house.write() as db:
        return bookings.book(db, actor(by), Wish(span=when or span(25, 9, 11), **(values | changes)), NOW)


def told(house: Database, person_id: UUID, *, unread: bool = True) -> list[Notice]:
    """The oldest first, and those of one moment by their kind."""
    with house.read() as db:
        found = notices_store.of_person(db, person_id, unread=unread, after=None, limit=50)
    return sorted(found, key=lambda each: (each.created_at, each.kind))


def kinds(house: Database, person_id: UUID) -> list[NoticeKind]:
    return [each.kind for each in told(house, person_id)]


def tick(house: Database, now: datetime = NOW) -> None:
    with house.read() as db:
        rows = ticking.deadlines(db, now)
    for row in rows:
        with house.write() as db:
            ticking.deal_with(db, row, now)


# ---------------------------------------------------------------- what others do


def test_nobody_is_told_of_what_they_do_themselves(house: Database) -> None:
    made = book(house)
    with house.write() as db:
        moved = bookings.move(db, actor(RESEARCHER), made.id, span(25, 10, 12), seen_version=1, now=NOW)
        bookings.cancel(db, actor(RESEARCHER), made.id, seen_version=moved.version, now=NOW)
    assert told(house, RESEARCHER) == told(house, MANAGER) == []


def test_a_booking_of_ones_own_costs_no_statement_more(house: Database) -> None:
    """One that waits has one more: the row for the ticker, beside that of its deadline."""
    with counted(house.engine) as seen:
        book(house)
    assert [each for each in seen if "notices" in each or "INTO due" in each] == []
    with counted(house.engine) as seen:
        book(house, when=span(26, 9, 11), instrument_number=FESEM)
    assert [each for each in seen if "notices" in each] == []
    assert len([each for each in seen if "INTO due" in each]) == 2


def test_a_person_is_told_when_somebody_else_changes_who_runs_it_or_its_setup(house: Database) -> None:
    """The operator alone is another notice, and words or a change of their own are none."""
    with house.write() as db:
        modes.choose(db, actor(MANAGER), "N002", list(Mode), "5 kV", NOW)
        qualifications_store.put(db, COLLEAGUE, XRD, level=1, until=None, by=ADMINISTRATOR, now=NOW)
        qualifications_store.name_operator(db, COLLEAGUE, XRD, operates=True)
    made = book(house)
    said: list[dict[str, Any]] = [
        {"mode": Mode.COMMISSIONED}, {"setup": "5 kV"}, {"operator_id": COLLEAGUE}, {"purpose": "khác"},
    ]  # fmt: skip
    for place, more in enumerate(said):
        with house.write() as db:
            bookings.move(
                db, actor(MANAGER), made.id, made.span, seen_version=place + 1, now=NOW + place * HOUR, **more
            )
    assert kinds(house, RESEARCHER) == [K.BOOKING_CHANGED, K.BOOKING_CHANGED, K.BOOKING_OPERATOR]
    with house.write() as db:
        bookings.move(db, actor(RESEARCHER), made.id, made.span, seen_version=5, now=NOW, mode=Mode.SELF)
    assert len(kinds(house, RESEARCHER)) == 3


def test_a_person_is_told_who_else_books_moves_and_cancels_for_them(house: Database) -> None:
    made = book(house, MANAGER)
    with house.write() as db:
        moved = bookings.move(db, actor(MANAGER), made.id, span(25, 10, 12), seen_version=1, now=NOW + HOUR)
        bookings.describe(db, actor(MANAGER), made.id, "Lát cắt", seen_version=2, now=NOW + HOUR)
        bookings.cancel(db, actor(ADMINISTRATOR), made.id, seen_version=3, now=NOW + 2 * HOUR)
    assert moved.version == 2
    first, second, third = told(house, RESEARCHER)
    assert [first.kind, second.kind, third.kind] == [K.BOOKING_MADE, K.BOOKING_MOVED, K.BOOKING_CANCELLED]
    # Nothing of the booking but which it is and when it begins; its page knows the rest.
    assert (second.page, second.until, second.booking_id) == (f"/bookings/{made.id}", span(25, 10, 12).start, made.id)
    assert (second.name_vi, second.name_en, second.series_id) == ("Máy XRD", "XRD instrument", None)
    assert told(house, MANAGER) == told(house, COLLEAGUE) == []


def test_what_a_manager_moves_to_another_instrument_is_told_as_one_given_up_and_one_made(house: Database) -> None:
    made = book(house)
    with house.write() as db:
        add_instrument(db, 9, "C-ONE", "XRD")
        moved = moves.move_to(db, actor(MANAGER), made.id, 9, span(25, 10, 12), seen_version=1, now=NOW)
    given_up, taken = sorted(told(house, RESEARCHER), key=lambda each: each.kind)
    assert (given_up.kind, given_up.booking_id) == (K.BOOKING_CANCELLED, made.id)
    assert (taken.kind, taken.booking_id, taken.until) == (K.BOOKING_MADE, moved.id, span(25, 10, 12).start)


def test_a_person_is_told_that_the_centre_noted_their_absence(house: Database) -> None:
    # Nothing asks here how long one waits (R21), so the change is made below the rules of missing.
    booking = a_booking(XRD, span(23, 7, 9))
    with house.write() as db:
        store.add(db, [booking])
        locked = store.lock(db, [XRD])
        write(db, actor(MANAGER), [ended(booking, BookingState.NO_SHOW, NOW)], locked, NOW, action="miss")
    assert kinds(house, RESEARCHER) == [K.BOOKING_MISSED]


def test_a_series_is_told_of_once(house: Database) -> None:
    repeat = Repeat(frequency=Frequency.DAILY, count=3)
    wish = Wish(instrument_number=XRD, span=span(25, 9, 11), person_id=RESEARCHER, project_id=PUBLIC_PROJECT)
    with house.write() as db:
        made = series.create(db, actor(MANAGER), wish, repeat, Conflicts.STOP, NOW).line
    (notice,) = told(house, RESEARCHER)
    first, second, third = made.bookings
    assert (notice.kind, notice.booking_id, notice.series_id) == (K.BOOKING_MADE, first.id, made.series.id)
    with house.read() as db:
        lines = notices.calendar_of(db, notice)
        assert [line.booking.id for line in lines] == [first.id, second.id, third.id]
    with house.write() as db:
        series.cancel(db, actor(MANAGER), third.id, Reach.FOLLOWING, seen_version=3, now=NOW + HOUR)
    # One alone is a booking like any other.
    notice = told(house, RESEARCHER)[-1]
    assert (notice.kind, notice.booking_id, notice.series_id) == (K.BOOKING_CANCELLED, third.id, None)
    with house.read() as db:
        (line,) = notices.calendar_of(db, notice)
        assert line.booking.state is BookingState.CANCELLED


def test_another_end_goes_along_as_a_calendar_file(house: Database) -> None:
    made = book(house)
    with house.write() as db:
        longer = Span(made.starts_at, made.ends_at + HOUR)
        bookings.move(db, actor(MANAGER), made.id, longer, seen_version=1, now=NOW)
    notice = told(house, RESEARCHER)[-1]
    assert notice.kind == K.BOOKING_CHANGED
    with house.read() as db:
        assert [line.booking.ends_at for line in notices.calendar_of(db, notice)] == [longer.end]


# ---------------------------------------------------------------- what waits for managers


def test_managers_are_asked_once_and_need_not_look_when_it_is_decided(house: Database) -> None:
    made = book(house, instrument_number=FESEM)
    assert told(house, MANAGER) == []
    tick(house)
    tick(house, NOW + HOUR)
    (asked,) = told(house, MANAGER)
    assert (asked.kind, asked.page) == (K.BOOKING_TO_DECIDE, f"/bookings/{made.id}")
    assert (asked.until, asked.booking_id) == (NOW + 24 * HOUR, made.id)
    # An administrator manages no centre, so that not every booking of the network is in their letters.
    assert told(house, ADMINISTRATOR) == told(house, COLLEAGUE) == []
    # Another time while it waits is no new question.
    with house.write() as db:
        bookings.move(db, actor(RESEARCHER), made.id, span(25, 10, 12), seen_version=1, now=NOW + HOUR)
    tick(house, NOW + HOUR)
    assert len(told(house, MANAGER)) == 1
    with house.write() as db:
        approvals.approve(db, actor(ADMINISTRATOR), made.id, seen_version=2, now=NOW + HOUR)
    assert told(house, MANAGER) == []
    assert len(told(house, MANAGER, unread=False)) == 1
    with house.read() as db:
        assert [each.notice.kind for each in notices.letters(db, NOW + HOUR)] == [K.BOOKING_APPROVED]
    assert kinds(house, RESEARCHER) == [K.BOOKING_APPROVED]


@pytest.mark.parametrize("how", ["declined", "given back", "over"])
def test_however_it_ends_nobody_is_asked_any_more(house: Database, how: str) -> None:
    made = book(house, instrument_number=FESEM)
    tick(house)
    with house.write() as db:
        if how == "declined":
            approvals.decline(db, actor(MANAGER), made.id, seen_version=1, now=NOW, note="Bận")
        elif how == "given back":
            bookings.cancel(db, actor(RESEARCHER), made.id, seen_version=1, now=NOW)
    if how == "over":
        tick(house, NOW + 24 * HOUR)
    assert told(house, MANAGER) == []


def test_what_is_over_before_the_ticker_comes_is_asked_of_nobody(house: Database) -> None:
    made = book(house, instrument_number=FESEM)
    with house.write() as db:
        bookings.cancel(db, actor(RESEARCHER), made.id, seen_version=1, now=NOW)
    tick(house)
    assert told(house, MANAGER, unread=False) == []


def test_what_was_approved_and_is_moved_is_asked_anew(house: Database) -> None:
    made = book(house, instrument_number=FESEM)
    tick(house)
    with house.write() as db:
        approvals.approve(db, actor(MANAGER), made.id, seen_version=1, now=NOW)
        bookings.move(db, actor(RESEARCHER), made.id, span(25, 10, 12), seen_version=2, now=NOW)
    tick(house)
    assert len(told(house, MANAGER)) == 1
    assert len(told(house, MANAGER, unread=False)) == 2


def test_a_series_that_waits_is_asked_of_once_and_until_its_last_is_decided(house: Database) -> None:
    repeat = Repeat(frequency=Frequency.DAILY, count=2)
    wish = Wish(instrument_number=FESEM, span=span(25, 9, 11), person_id=RESEARCHER, project_id=PUBLIC_PROJECT)
    with house.write() as db:
        made = series.create(db, actor(RESEARCHER), wish, repeat, Conflicts.STOP, NOW).line
    tick(house)
    (asked,) = told(house, MANAGER)
    assert (asked.page, asked.series_id, asked.until) == ("/approvals", made.series.id, NOW + 24 * HOUR)
    for left, booking in zip((1, 0), made.bookings, strict=True):
        with house.write() as db:
            approvals.approve(db, actor(MANAGER), booking.id, seen_version=1, now=NOW)
        assert len(told(house, MANAGER)) == left


@pytest.mark.parametrize("repeats", [False, True])
def test_nobody_is_asked_about_what_is_being_decided_at_this_moment(house: Database, repeats: bool) -> None:
    """The ticker begins before the decision is written, and must not tell of what it saw before."""
    if repeats:
        wish = Wish(instrument_number=FESEM, span=span(25, 9, 11), person_id=RESEARCHER, project_id=PUBLIC_PROJECT)
        repeat = Repeat(frequency=Frequency.DAILY, count=1)
        with house.write() as db:
            (made,) = series.create(db, actor(RESEARCHER), wish, repeat, Conflicts.STOP, NOW).line.bookings
    else:
        made = book(house, instrument_number=FESEM)
    with ThreadPoolExecutor(1) as ticker:
        with house.write() as db:
            approvals.approve(db, actor(ADMINISTRATOR), made.id, seen_version=1, now=NOW)
            ticking_now = ticker.submit(tick, house)
            # Time enough to tell, for who would not wait.
            wait([ticking_now], timeout=0.3)
        ticking_now.result()
    assert kinds(house, MANAGER) == []
