"""A strike is taken back by a manager who says why; its user is told, and the ledger put right. On both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from labshare.domain.agreements import Version
from labshare.domain.bookings import Booking, BookingState
from labshare.domain.courtesy import Courtesy, Penalties
from labshare.domain.notices import NoticeKind
from labshare.errors import Forbidden, Malformed, NotFound, Stale, WrongState
from labshare.services import bookings, strikes
from labshare.store import agreements, audit, person_times
from labshare.store import bookings as store
from labshare.store import notices as notices_store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import COLLEAGUE, COMPETITOR, MANAGER, NOW, RESEARCHER, XRD, a_booking, actor, furnish, span
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
