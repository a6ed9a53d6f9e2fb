"""What people do with instrument time (bookings.py, booking_changes.py, expiring.py), on both databases: written once,
refused whole, masked from rivals.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
import sqlalchemy as sa

from labshare.domain.bookings import Booking, BookingKind, BookingState, Wish
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.timespan import Span
from labshare.errors import Forbidden, Malformed, NotFound, Refused, Stale, TimeTaken, WrongState
from labshare.services import bookings as service
from labshare.services import expiring
from labshare.services.sessions import publish_sessions
from labshare.store import audit, outbox
from labshare.store import bookings as store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import (
    ADMINISTRATOR,
    COLLEAGUE,
    COMPETITOR,
    FESEM,
    INDUSTRY_PROJECT,
    MANAGER,
    NMR,
    NOW,
    PARTNER,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    a_booking,
    actor,
    at,
    furnish,
    span,
)
from tests.shares import a_rule, an_agreement, by_industry, load, locks


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def wish(number: int, when: Span, **changes: Any) -> Wish:
    values: dict[str, Any] = {"instrument_number": number, "span": when, "project_id": PUBLIC_PROJECT}
    return Wish(**(values | changes))


def book(house: Database, who: UUID, asked: Wish, now: datetime = NOW) -> Booking:
    with house.write() as db:
        return service.book(db, actor(who), asked, now)


def stored(house: Database, booking_id: UUID) -> Booking:
    with house.read() as db:
        return store.get(db, booking_id)


def count(house: Database) -> int:
    with house.read() as db:
        return db.execute(sa.select(sa.func.count()).select_from(t.bookings)).scalar_one()


def test_a_booking_copies_what_its_project_says(house: Database) -> None:
    booking = book(house, RESEARCHER, wish(FESEM, span(25, 9, 11), purpose="  lát cắt  "))
    found = stored(house, booking.id)
    assert found == booking
    assert (found.organisation_id, found.access_class, found.activity) == (
        "I-IMS", AccessClass.PUBLIC_RESEARCH, Activity.NON_ECONOMIC,
    )  # fmt: skip
    assert (found.state, found.purpose, found.version) == (BookingState.CONFIRMED, "lát cắt", 1)


def test_a_booking_leaves_one_audit_line_and_one_message(house: Database) -> None:
    booking = book(house, RESEARCHER, wish(FESEM, span(25, 9, 11)))
    with house.read() as db:
        (line,) = audit.lines(db, "booking", booking.id)
        (message,) = outbox.waiting(db)
    assert (line.action, line.actor_id, line.details["instrument"]) == ("book", RESEARCHER, "N001")
    assert (message.topic, message.payload["instrument"], message.payload["version"]) == ("calendar", "N001", 1)


def test_a_refused_wish_changes_nothing(house: Database) -> None:
    with pytest.raises(Refused) as refused:
        book(house, RESEARCHER, wish(FESEM, Span(at(25, 7, 10), at(25, 7, 20)), project_id=INDUSTRY_PROJECT))
    codes = [refusal.code for refusal in refused.value.refusals]
    assert codes == ["too_short", "off_raster", "closed", "project_not_member"]
    with house.read() as db:
        assert outbox.waiting(db) == []
        version = sa.select(t.instruments.c.calendar_version).where(t.instruments.c.number == FESEM)
        assert db.execute(version).scalar_one() == 0
    assert count(house) == 0


def test_taken_time_is_409_and_names_nobody(house: Database) -> None:
    book(house, RESEARCHER, wish(FESEM, span(25, 9, 11)))
    with pytest.raises(TimeTaken) as taken:
        book(house, COMPETITOR, wish(FESEM, span(25, 10, 12), project_id=INDUSTRY_PROJECT))
    (refusal,) = taken.value.refusals
    assert refusal.code == "time_taken"
    assert refusal.params == {"from": "2026-11-25T02:00:00+00:00", "until": "2026-11-25T04:00:00+00:00"}


def test_clean_up_keeps_the_next_user_out(house: Database) -> None:
    # NMR needs 30 minutes of clean-up: 09:00-11:00 occupies until 11:30.
    book(house, RESEARCHER, wish(NMR, span(25, 9, 11)))
    with pytest.raises(TimeTaken):
        book(house, COLLEAGUE, wish(NMR, Span(at(25, 11), at(25, 12))))
    book(house, COLLEAGUE, wish(NMR, Span(at(25, 11, 30), at(25, 12, 30))))


def test_a_person_cannot_be_at_two_instruments(house: Database) -> None:
    book(house, RESEARCHER, wish(FESEM, span(25, 9, 11)))
    with pytest.raises(Refused) as refused:
        book(house, RESEARCHER, wish(XRD, span(25, 10, 12)))
    assert [refusal.code for refusal in refused.value.refusals] == ["person_elsewhere"]
    book(house, RESEARCHER, wish(XRD, span(25, 11, 12)))


def test_only_the_qualified_book_what_needs_a_qualification(house: Database) -> None:
    with house.write() as db:
        db.execute(sa.delete(t.qualifications).where(t.qualifications.c.person_id == COLLEAGUE))
    with pytest.raises(Refused) as refused:
        book(house, COLLEAGUE, wish(FESEM, span(25, 9, 11)))
    assert [refusal.code for refusal in refused.value.refusals] == ["not_qualified"]
    book(house, COLLEAGUE, wish(XRD, span(25, 9, 11)))


def test_who_has_no_role_to_book_may_not(house: Database) -> None:
    with pytest.raises(Forbidden):
        book(house, PARTNER, wish(FESEM, span(25, 9, 11)))


def test_a_manager_books_for_others_at_the_own_centre_only(house: Database) -> None:
    booking = book(house, MANAGER, wish(FESEM, span(25, 9, 11), person_id=RESEARCHER))
    assert (booking.person_id, booking.booked_by_id) == (RESEARCHER, MANAGER)
    with pytest.raises(Forbidden):
        book(house, MANAGER, wish(NMR, span(25, 9, 11), person_id=RESEARCHER))
    with pytest.raises(Forbidden):
        book(house, COLLEAGUE, wish(XRD, span(25, 9, 11), person_id=RESEARCHER))


def test_an_unknown_instrument_is_not_found(house: Database) -> None:
    with pytest.raises(NotFound):
        book(house, RESEARCHER, wish(99, span(25, 9, 11)))


def test_a_purpose_has_an_end(house: Database) -> None:
    with pytest.raises(Malformed, match="purpose_too_long"):
        book(house, RESEARCHER, wish(XRD, span(25, 9, 11), purpose="x" * 501))


# ---------------------------------------------------------------- move and cancel


def move(house: Database, who: UUID, booking: Booking, when: Span, *, seen: int = 1, now: datetime = NOW) -> Booking:
    with house.write() as db:
        return service.move(db, actor(who), booking.id, when, seen_version=seen, now=now)


def cancel(house: Database, who: UUID, booking: Booking, *, seen: int = 1, now: datetime = NOW) -> Booking:
    with house.write() as db:
        return service.cancel(db, actor(who), booking.id, seen_version=seen, now=now)


def test_a_booking_may_move_over_itself(house: Database) -> None:
    booking = book(house, RESEARCHER, wish(FESEM, span(25, 9, 11)))
    moved = move(house, RESEARCHER, booking, span(25, 10, 12))
    assert stored(house, booking.id) == moved
    assert (moved.starts_at, moved.version) == (at(25, 10), 2)


def test_a_move_obeys_every_rule_of_a_new_booking(house: Database) -> None:
    booking = book(house, RESEARCHER, wish(FESEM, span(25, 9, 11)))
    book(house, COLLEAGUE, wish(FESEM, span(25, 13, 14)))
    with pytest.raises(TimeTaken):
        move(house, RESEARCHER, booking, span(25, 12, 14))
    with pytest.raises(Refused):
        move(house, RESEARCHER, booking, span(25, 17, 20))
    assert stored(house, booking.id) == booking


def test_a_booking_may_move_with_another_purpose(house: Database) -> None:
    booking = book(house, RESEARCHER, wish(FESEM, span(25, 9, 11), purpose="ZnO"))
    with house.write() as db:
        moved = service.move(
            db, actor(RESEARCHER), booking.id, span(25, 10, 12), seen_version=1, now=NOW, purpose=" TiO2 "
        )
    assert stored(house, booking.id) == moved
    assert (moved.starts_at, moved.purpose) == (at(25, 10), "TiO2")


def test_another_purpose_leaves_the_time_alone_and_asks_no_rule(house: Database) -> None:
    booking = book(house, RESEARCHER, wish(FESEM, span(25, 9, 11), purpose="ZnO"))
    with house.write() as db:
        # The qualification is gone, so the same time would be refused to a new booking.
        db.execute(t.qualifications.delete())
        described = service.describe(db, actor(RESEARCHER), booking.id, "TiO2", seen_version=1, now=NOW)
    assert stored(house, booking.id) == described
    assert (described.purpose, described.span, described.version) == ("TiO2", span(25, 9, 11), 2)


def test_another_purpose_is_for_its_user_on_the_version_they_saw(house: Database) -> None:
    booking = book(house, RESEARCHER, wish(FESEM, span(25, 9, 11), purpose="ZnO"))
    for who, seen, no in ((RESEARCHER, 2, Stale), (COMPETITOR, 1, NotFound)):
        with pytest.raises(no), house.write() as db:
            service.describe(db, actor(who), booking.id, "TiO2", seen_version=seen, now=NOW)
    with pytest.raises(Malformed), house.write() as db:
        service.describe(db, actor(RESEARCHER), booking.id, "x" * 501, seen_version=1, now=NOW)
    assert stored(house, booking.id) == booking


def test_a_stale_version_changes_nothing(house: Database) -> None:
    booking = book(house, RESEARCHER, wish(FESEM, span(25, 9, 11)))
    move(house, RESEARCHER, booking, span(25, 10, 12))
    with pytest.raises(Stale):
        move(house, RESEARCHER, booking, span(25, 13, 14))
    with pytest.raises(Stale):
        cancel(house, RESEARCHER, booking)
    assert stored(house, booking.id).starts_at == at(25, 10)


def test_a_cancelled_booking_gives_its_time_back(house: Database) -> None:
    booking = book(house, RESEARCHER, wish(FESEM, span(25, 9, 11)))
    assert cancel(house, RESEARCHER, booking).state is BookingState.CANCELLED
    book(house, COLLEAGUE, wish(FESEM, span(25, 9, 11)))
    with pytest.raises(WrongState, match="booking_not_movable"):
        cancel(house, RESEARCHER, booking, seen=2)


def test_what_has_begun_is_neither_moved_nor_cancelled(house: Database) -> None:
    booking = book(house, RESEARCHER, wish(FESEM, span(25, 9, 11)))
    with pytest.raises(WrongState, match="booking_begun"):
        cancel(house, RESEARCHER, booking, now=at(25, 9))
    with pytest.raises(WrongState, match="booking_begun"):
        move(house, RESEARCHER, booking, span(25, 13, 14), now=at(25, 10))


def test_a_booking_of_somebody_else_is_not_there(house: Database) -> None:
    booking = book(house, RESEARCHER, wish(FESEM, span(25, 9, 11)))
    with pytest.raises(NotFound):
        cancel(house, COMPETITOR, booking)
    with pytest.raises(NotFound):
        move(house, COMPETITOR, booking, span(25, 13, 14))
    with house.read() as db, pytest.raises(NotFound):
        service.show(db, actor(COMPETITOR), booking.id)
    assert cancel(house, MANAGER, booking).state is BookingState.CANCELLED


# ---------------------------------------------------------------- blocks, holds, plans


def test_maintenance_takes_time_from_everybody(house: Database) -> None:
    with house.write() as db:
        service.block(db, actor(MANAGER), FESEM, BookingKind.MAINTENANCE, span(25, 6, 20), "đổi súng", NOW)
    with pytest.raises(TimeTaken) as taken:
        book(house, RESEARCHER, wish(FESEM, span(25, 9, 11)))
    assert [refusal.code for refusal in taken.value.refusals] == ["time_taken_maintenance"]
    with pytest.raises(TimeTaken), house.write() as db:
        service.block(db, actor(MANAGER), FESEM, BookingKind.CLOSURE, span(25, 19, 21), "", NOW)
    with pytest.raises(Forbidden), house.write() as db:
        service.block(db, actor(MANAGER), NMR, BookingKind.MAINTENANCE, span(25, 6, 20), "", NOW)
    with pytest.raises(Malformed), house.write() as db:
        service.block(db, actor(MANAGER), XRD, BookingKind.USE, span(25, 6, 20), "", NOW)


def test_a_block_needs_no_clean_up_and_can_be_moved_between_bookings(house: Database) -> None:
    # NMR occupies 09:00-11:00 until 11:30 for clean-up; the next use begins at 13:00.
    book(house, RESEARCHER, wish(NMR, span(25, 9, 11)))
    book(house, COLLEAGUE, wish(NMR, span(25, 13, 14)))
    gap = Span(at(25, 11, 30), at(25, 13))
    with house.write() as db:
        block = service.block(db, actor(ADMINISTRATOR), NMR, BookingKind.MAINTENANCE, gap, "", NOW)
    moved = move(house, ADMINISTRATOR, block, Span(at(25, 12), at(25, 13)))
    assert (moved.occupied_from, moved.occupied_until) == (at(25, 12), at(25, 13))


def hold(house: Database, until: datetime) -> Booking:
    held = a_booking(FESEM, span(25, 9, 11), state=BookingState.HELD, hold_expires_at=until)
    with house.write() as db:
        store.lock(db, [FESEM])
        store.add(db, [held])
    return held


def test_a_hold_keeps_its_time_until_it_expires(house: Database) -> None:
    held = hold(house, NOW + timedelta(minutes=5))
    with pytest.raises(TimeTaken):
        book(house, COLLEAGUE, wish(FESEM, span(25, 10, 12)))
    book(house, COLLEAGUE, wish(FESEM, span(25, 10, 12)), now=NOW + timedelta(minutes=5))
    assert stored(house, held.id).state is BookingState.EXPIRED


def test_due_holds_can_be_swept(house: Database) -> None:
    held = hold(house, NOW)
    with house.write() as db:
        assert expiring.expire_holds(db, [FESEM], span(25, 0, 23), NOW) == 1
        assert expiring.expire_holds(db, [FESEM], span(25, 0, 23), NOW) == 0
    assert stored(house, held.id).state is BookingState.EXPIRED


def test_a_plan_is_published_whole_or_not_at_all(house: Database) -> None:
    book(house, RESEARCHER, wish(XRD, span(26, 9, 11)))
    sessions = [a_booking(FESEM, span(26, 14, 16)), a_booking(XRD, span(26, 10, 12), person_id=COLLEAGUE)]
    with pytest.raises(TimeTaken) as taken, house.write() as db:
        publish_sessions(db, actor(MANAGER), sessions, NOW)
    (refusal,) = taken.value.refusals
    assert (refusal.code, refusal.params["instrument"]) == ("time_taken_at", "N002")
    assert count(house) == 1
    with house.write() as db:
        publish_sessions(db, actor(MANAGER), sessions[:1], NOW)
    assert stored(house, sessions[0].id) == sessions[0]


def test_a_plan_takes_no_balance_out_of_turn(house: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hold that is due ends first, in the week after that of the session: both weeks are locked together."""
    next_week = Span(at(26, 9) + timedelta(days=7), at(26, 11) + timedelta(days=7))
    held = by_industry(FESEM, next_week, state=BookingState.HELD, hold_expires_at=NOW)
    sessions = [by_industry(FESEM, span(26, 9, 11)), by_industry(FESEM, next_week)]
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule()))
        store.add(db, [held])
    with locks(monkeypatch) as seen, house.write() as db:
        publish_sessions(db, actor(MANAGER), sessions, NOW)
    assert stored(house, held.id).state is BookingState.EXPIRED
    assert len(seen) == 3
    assert [keys - seen[0] for keys in seen] == [set()] * 3
    assert [len(keys) for keys in seen] == [2, 1, 2]


def test_a_plan_puts_nobody_in_two_places(house: Database) -> None:
    """The colleague has the XRD from 9 to 11 by now; a session on the FE-SEM from 10 would be at the same time."""
    book(house, COLLEAGUE, wish(XRD, span(26, 9, 11)))
    sessions = [a_booking(FESEM, span(26, 10, 12), person_id=COLLEAGUE)]
    with pytest.raises(Refused) as refused, house.write() as db:
        publish_sessions(db, actor(MANAGER), sessions, NOW)
    assert not isinstance(refused.value, TimeTaken)
    assert [(no.code, no.params["instrument"]) for no in refused.value.refusals] == [
        ("session_person_elsewhere", "N001")
    ]
    assert count(house) == 1
    # Nobody need be there for an instrument that runs by itself.
    with house.write() as db:
        alone = [msgspec.structs.replace(sessions[0], attended=False)]
        publish_sessions(db, actor(MANAGER), alone, NOW)
    assert count(house) == 2


# ---------------------------------------------------------------- looking at one's own


def test_my_bookings_are_those_that_have_not_ended(house: Database) -> None:
    first = book(house, RESEARCHER, wish(FESEM, span(25, 9, 11)))
    second = book(house, RESEARCHER, wish(XRD, span(25, 13, 14)))
    with house.read() as db:
        assert [line.booking.id for line in service.mine(db, actor(RESEARCHER), NOW)] == [first.id, second.id]
        assert [line.booking.id for line in service.mine(db, actor(RESEARCHER), at(25, 11))] == [second.id]
        assert service.mine(db, actor(COMPETITOR), NOW) == []


def test_a_booking_of_nobody_is_not_found(house: Database) -> None:
    with house.read() as db, pytest.raises(NotFound):
        service.show(db, actor(RESEARCHER), uuid4())


def test_what_stands_only_in_plans_takes_no_bookings(house: Database) -> None:
    with house.write() as db:
        db.execute(sa.update(t.centres).where(t.centres.c.id == "C-ONE").values(stage="planned"))
    with pytest.raises(Refused) as refused:
        book(house, RESEARCHER, wish(XRD, span(25, 9, 11)))
    assert [refusal.code for refusal in refused.value.refusals] == ["instrument_planned"]
