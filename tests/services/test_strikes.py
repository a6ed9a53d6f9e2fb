"""A strike is taken back by a manager who says why; its user is told, and the ledger put right. On both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from labshare.domain.agreements import Version
from labshare.domain.bookings import Booking, BookingState, Wish
from labshare.domain.courtesy import Courtesy, Penalties
from labshare.domain.notices import NoticeKind
from labshare.domain.timespan import Span
from labshare.errors import Forbidden, Malformed, NotFound, Refused, Stale, WrongState
from labshare.services import bookings, exchanges, strikes
from labshare.store import agreements, audit, person_times
from labshare.store import bookings as store
from labshare.store import notices as notices_store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import (
    ADMINISTRATOR,
    COLLEAGUE,
    COMPETITOR,
    MANAGER,
    NOW,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    a_booking,
    actor,
    furnish,
    span,
)
from tests.services.test_clauses import courteous

WHY = "Bơm hỏng sáng hôm đó"


@pytest.fixture
def house(database: Database) -> Database:
    """Not to come, or to give back within a day, is a strike."""
    clause = Courtesy(notice_hours=24, penalties=Penalties(strikes=1, late_cancel=True))
    with database.write() as db:
        furnish(db)
        agreements.add_version(db, Version(number=1, agreement=courteous(courtesy=clause)), actor_id=None, now=NOW)
    return database


def missed(house: Database) -> Booking:
    with house.write() as db:
        use = a_booking(XRD, span(25, 9, 11))
        store.add(db, [use])
        return bookings.miss(db, actor(MANAGER), use.id, seen_version=1, now=use.starts_at + timedelta(minutes=40))


def given_back_late(house: Database) -> Booking:
    with house.write() as db:
        use = a_booking(XRD, span(25, 13, 15))
        store.add(db, [use])
        return bookings.cancel(db, actor(RESEARCHER), use.id, seen_version=1, now=use.starts_at - timedelta(hours=1))


def counted(house: Database) -> int:
    with house.read() as db:
        return len(person_times.missed(db, RESEARCHER, NOW))


def pardon(house: Database, booking: Booking, why: str = WHY, version: int | None = None) -> Booking:
    with house.write() as db:
        return strikes.pardon(
            db, actor(MANAGER), booking.id, why, seen_version=version or booking.version, now=span(26, 8, 9).start
        )


def test_what_was_nobodys_fault_counts_no_more(house: Database) -> None:
    first, second = missed(house), given_back_late(house)
    assert counted(house) == 2
    for left, each in ((1, first), (0, second)):
        pardoned = pardon(house, each)
        assert (pardoned.state, pardoned.late_notice, pardoned.decision_note) == (BookingState.CANCELLED, False, WHY)
        assert counted(house) == left
    with house.read() as db:
        told = notices_store.of_person(db, RESEARCHER, unread=True, after=None, limit=9)
        lines = db.execute(sa.select(t.audit.c.details).where(t.audit.c.action == "pardon")).scalars().all()
        assert [each.kind for each in told].count(NoticeKind.BOOKING_PARDONED) == 2
        assert len([each for each in lines if audit.hashed(db, WHY) in str(each)]) == 2


def test_who_may_take_it_back_and_what_is_none(house: Database) -> None:
    booking = missed(house)
    for who, error in ((RESEARCHER, Forbidden), (COLLEAGUE, NotFound), (COMPETITOR, NotFound)):
        with pytest.raises(error), house.write() as db:
            strikes.pardon(db, actor(who), booking.id, WHY, seen_version=booking.version, now=NOW)
    with pytest.raises(Malformed, match="decision_note_missing"):
        pardon(house, booking, " ")
    with pytest.raises(Stale):
        pardon(house, booking, version=7)
    again = pardon(house, booking)
    with pytest.raises(WrongState, match="booking_no_strike"):
        pardon(house, again)
    with house.write() as db:
        stands = a_booking(XRD, span(27, 9, 11))
        store.add(db, [stands])
    with pytest.raises(WrongState, match="booking_no_strike"):
        pardon(house, stands)


def test_nobody_takes_back_their_own(house: Database) -> None:
    """A manager's own, which another one of the centre judges; its page offers it to them alone."""
    with house.write() as db:
        use = a_booking(XRD, span(25, 13, 15), person_id=MANAGER)
        store.add(db, [use])
        late = bookings.cancel(db, actor(MANAGER), use.id, seen_version=1, now=use.starts_at - timedelta(hours=1))
    assert late.late_notice
    with pytest.raises(WrongState, match="pardon_of_own"):
        pardon(house, late)
    with house.read() as db:
        line = bookings.show(db, actor(MANAGER), use.id)
    assert not strikes.may_pardon(actor(MANAGER), line)
    assert strikes.may_pardon(actor(ADMINISTRATOR), line)
    with house.write() as db:
        strikes.pardon(db, actor(ADMINISTRATOR), use.id, WHY, seen_version=late.version, now=NOW)


@pytest.mark.parametrize("days", [0, 56])
def test_what_is_moved_far_ahead_and_given_back_is_a_strike_on_that_day(house: Database, days: int) -> None:
    """Given back two hours before 9:00 on the 25th in Hanoi, at once or moved by eight weeks first: one strike bars for
    14 days from 7:00 then, which is midnight UTC.
    """
    soon = span(25, 9, 11)
    late = soon.start - timedelta(hours=2)
    with house.write() as db:
        use = a_booking(XRD, soon)
        store.add(db, [use])
        if days:
            far = Span(soon.start + timedelta(days), soon.end + timedelta(days))
            use = bookings.move(db, actor(RESEARCHER), use.id, far, seen_version=1, now=late)
        bookings.cancel(db, actor(RESEARCHER), use.id, seen_version=use.version, now=late)
    wish = Wish(instrument_number=XRD, span=span(30, 9, 11), project_id=PUBLIC_PROJECT)
    with pytest.raises(Refused) as refused, house.write() as db:
        bookings.book(db, actor(RESEARCHER), wish, late)
    (refusal,) = refused.value.refusals
    assert (refusal.code, refusal.params["until"]) == ("courtesy_blocked", "2026-12-09T00:00:00+00:00")


def test_what_was_moved_late_stays_with_its_user_until_the_centre_moves_it(house: Database) -> None:
    """Handed to a colleague and back it would be nobody's strike. Times that the centre chose are no one's fault."""
    with house.write() as db:
        use = a_booking(XRD, span(25, 9, 11))
        store.add(db, [use])
        late = use.starts_at - timedelta(hours=2)
        moved = bookings.move(db, actor(RESEARCHER), use.id, span(30, 9, 11), seen_version=1, now=late)
    assert moved.late_notice
    with pytest.raises(Refused) as refused, house.write() as db:
        exchanges.hand_over(db, actor(RESEARCHER), use.id, COLLEAGUE, seen_version=2, now=late)
    assert [each.code for each in refused.value.refusals] == ["exchange_moved_late"]
    with house.write() as db:
        chosen = bookings.move(db, actor(MANAGER), use.id, span(30, 13, 15), seen_version=2, now=late)
        assert not chosen.late_notice
        exchanges.hand_over(db, actor(RESEARCHER), use.id, COLLEAGUE, seen_version=3, now=late)
