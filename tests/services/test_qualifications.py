"""Asking for qualifications, granting, declining and revoking them; what is demanded; and who is warned when.

Also holds services/holding.py: what a booking knows of its people.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa

from labshare.domain.bookings import Booking, BookingState, Wish
from labshare.domain.qualifications import AskState, Demand, Held
from labshare.domain.timespan import Span
from labshare.errors import Forbidden, LabShareError, Malformed, NotFound, Refused, WrongState
from labshare.services import bookings, holds, notices, ticking, writing
from labshare.services import qualifications as service
from labshare.services.holding import near_end
from labshare.store import audit, due
from labshare.store import bookings as bookings_store
from labshare.store import qualifications as store
from labshare.store import tables as t
from labshare.store.engine import Connection, Database
from tests.furniture import (
    ADMINISTRATOR,
    COLLEAGUE,
    COMPETITOR,
    FESEM,
    MANAGER,
    NOW,
    OFFICE,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    a_booking,
    actor,
    at,
    counted,
    furnish,
    span,
)

DAY = timedelta(days=1)


@pytest.fixture
def house(database: Database) -> Database:
    """Researcher and colleague are qualified for the FE-SEM since 30 days; addresses are known."""
    with database.write() as db:
        furnish(db)
        db.execute(sa.update(t.persons).values(email="someone@example.vn"))
        db.execute(sa.delete(t.qualifications).where(t.qualifications.c.person_id == COMPETITOR))
    return database


def put(house: Database, person_id: UUID, **values: Any) -> None:
    with house.write() as db:
        store.take(db, person_id, FESEM)
        row: dict[str, Any] = {"person_id": person_id, "instrument_number": FESEM, "level": 1, "granted_at": NOW}
        db.execute(sa.insert(t.qualifications).values(**row | values))


def ask(house: Database, who: UUID = COMPETITOR, level: int = 1, instrument: str = "N001") -> UUID:
    with house.write() as db:
        return service.ask(db, actor(who), instrument, level, "Đã dùng SEM", NOW).id


def grant(house: Database, ask_id: UUID, who: UUID = MANAGER, level: int = 1, until: datetime | None = None) -> None:
    with house.write() as db:
        service.grant(db, actor(who), ask_id, level=level, until=until, now=NOW)


def book(house: Database, who: UUID = RESEARCHER, when: Span | None = None, now: datetime = NOW) -> Booking:
    with house.write() as db:
        wish = Wish(instrument_number=FESEM, span=when or span(25, 9, 11), project_id=PUBLIC_PROJECT)
        return bookings.book(db, actor(who), wish, now)


def codes(house: Database, who: UUID = RESEARCHER, when: Span | None = None) -> list[str]:
    with pytest.raises(Refused) as caught:
        book(house, who, when)
    return [each.code for each in caught.value.refusals]


def letters(house: Database, now: datetime = NOW) -> list[tuple[UUID, str]]:
    with house.read() as db:
        return sorted((each.notice.person_id, each.notice.kind.value) for each in notices.letters(db, now))


def tick(house: Database, now: datetime) -> None:
    with house.read() as db:
        rows = ticking.deadlines(db, now)
    for row in rows:
        with house.write() as db:
            ticking.deal_with(db, row, now)


def held(house: Database, person_id: UUID) -> tuple[int, datetime | None] | None:
    with house.read() as db:
        found = store.lines(db, *store.where(person_id=person_id, number=FESEM))
    return (found[0].held.level, found[0].held.expires_at) if found else None


# ---------------------------------------------------------------- what it lets one book


def test_a_level_that_is_held_without_an_end_is_not_asked_for_again(house: Database) -> None:
    put(house, RESEARCHER, level=2)
    for level in (1, 2):
        with pytest.raises(WrongState, match="qualification_held"):
            ask(house, RESEARCHER, level)
    ask(house, RESEARCHER, 3)
    # What ends is renewed, while it lasts and after.
    put(house, COLLEAGUE, expires_at=NOW + DAY)
    ask(house, COLLEAGUE)


def test_a_safety_course_that_is_over_is_not_mended_by_asking(house: Database) -> None:
    put(house, RESEARCHER)
    with house.write() as db:
        service.choose(db, actor(MANAGER), "N001", Demand(course_months=12), NOW)
    with pytest.raises(WrongState, match="qualification_held"):
        ask(house, RESEARCHER)


@pytest.mark.parametrize("project_ends", [None, at(24, 12), at(30, 12)], ids=["endless", "before", "after"])
def test_a_use_is_over_before_its_users_qualification_is(house: Database, project_ends: datetime | None) -> None:
    """Until Wednesday noon, whenever the project ends: by whatever path somebody comes to a use."""
    put(house, RESEARCHER, granted_at=NOW - 30 * DAY, expires_at=at(25, 12))
    with house.write() as db:
        db.execute(sa.update(t.projects).values(expires_at=project_ends))
    ended = ["project_expired"] if project_ends == at(24, 12) else []
    assert sorted(codes(house, when=span(25, 11, 13))) == sorted([*ended, "qualification_expires"])
    assert sorted(codes(house, when=span(26, 9, 10))) == sorted([*ended, "qualification_expires"])
    if ended:
        assert codes(house, when=span(25, 10, 12)) == ended
        return
    booking = book(house, when=span(25, 10, 12))
    late = Wish(instrument_number=FESEM, span=span(26, 9, 10), project_id=PUBLIC_PROJECT)
    ways: list[Callable[[Connection], object]] = [
        lambda db: holds.hold(db, actor(RESEARCHER), late, NOW),
        lambda db: bookings.book_all(db, actor(RESEARCHER), [late], NOW),
        lambda db: bookings.move(db, actor(RESEARCHER), booking.id, late.span, seen_version=1, now=NOW),
    ]
    for way in ways:
        with pytest.raises(Refused) as caught, house.write() as db:
            way(db)
        assert [each.code for each in caught.value.refusals] == ["qualification_expires"]


# ---------------------------------------------------------------- asking and answering


def test_who_asks_is_granted_and_may_book(house: Database) -> None:
    with house.write() as db:
        rows = [{"project_id": PUBLIC_PROJECT, "person_id": COMPETITOR}]
        db.execute(sa.insert(t.project_members), rows)
    assert codes(house, COMPETITOR) == ["not_qualified"]
    asked = ask(house)
    with house.read() as db:
        assert [line.ask.id for line in service.waiting(db, actor(MANAGER), NOW)] == [asked]
        assert [line.ask.id for line in service.waiting(db, actor(ADMINISTRATOR), NOW)] == [asked]
        assert service.waiting(db, actor(OFFICE), NOW) == []
        assert service.waiting(db, actor(COLLEAGUE), NOW) == []
    grant(house, asked, level=2, until=at(30, 0))
    assert held(house, COMPETITOR) == (2, at(30, 0))
    book(house, COMPETITOR)
    assert letters(house) == [(COMPETITOR, "qualification_granted")]
    with house.read() as db:
        (line,) = service.my_asks(db, actor(COMPETITOR))
        assert (line.ask.state, line.ask.decided_by_id) == (AskState.GRANTED, MANAGER)
        lines = audit.lines(db, "qualification", COMPETITOR)
    assert [(each.action, each.actor_id) for each in lines] == [("ask", COMPETITOR), ("grant", MANAGER)]


def test_one_asks_once_at_a_time(house: Database) -> None:
    asked = ask(house)
    with pytest.raises(WrongState, match="qualification_asked"):
        ask(house)
    ask(house, instrument="N002")
    grant(house, asked)
    ask(house, level=3)


def test_a_no_has_a_reason_and_leaves_nothing_held(house: Database) -> None:
    asked = ask(house)
    with house.write() as db, pytest.raises(Malformed, match="decision_note_missing"):
        service.decline(db, actor(MANAGER), asked, note=" ", now=NOW)
    with house.write() as db:
        service.decline(db, actor(MANAGER), asked, note="Học khóa cơ bản trước", now=NOW)
    assert held(house, COMPETITOR) is None
    assert letters(house) == [(COMPETITOR, "qualification_declined")]
    with house.read() as db:
        (line,) = service.my_asks(db, actor(COMPETITOR))
    assert (line.ask.state, line.ask.answer) == (AskState.DECLINED, "Học khóa cơ bản trước")
    with pytest.raises(WrongState, match="qualification_decided"):
        grant(house, asked)


def test_a_request_is_nobody_else_s_to_see_or_decide(house: Database) -> None:
    asked = ask(house)
    for stranger in (COLLEAGUE, OFFICE, COMPETITOR):
        with pytest.raises(NotFound, match="qualification_ask_not_found"):
            grant(house, asked, stranger)
    assert held(house, COMPETITOR) is None


def test_nobody_grants_to_themselves_or_revokes_what_they_hold(house: Database) -> None:
    asked = ask(house, MANAGER)
    with house.read() as db:
        assert service.waiting(db, actor(MANAGER), NOW) == []
    with pytest.raises(WrongState, match="qualification_of_own"):
        grant(house, asked, MANAGER)
    grant(house, asked, ADMINISTRATOR)
    with house.write() as db, pytest.raises(WrongState, match="qualification_of_own"):
        service.give(db, actor(MANAGER), "N001", "manager", level=3, until=None, now=NOW)
    with house.write() as db, pytest.raises(WrongState, match="qualification_of_own"):
        service.revoke(db, actor(MANAGER), "N001", "manager", note="Nghỉ", now=NOW)
    with house.write() as db, pytest.raises(WrongState, match="qualification_of_own"):
        service.record_course(db, actor(MANAGER), "N001", "manager", date(2026, 11, 1), NOW)
    assert held(house, MANAGER) == (1, None)


def test_a_trainer_grants_below_their_own_level_while_they_are_one(house: Database) -> None:
    put(house, COLLEAGUE, level=3)
    asked = ask(house, level=3)
    with house.read() as db:
        assert [line.ask.id for line in service.waiting(db, actor(COLLEAGUE), NOW)] == [asked]
    with pytest.raises(Forbidden, match="qualification_by_managers"):
        grant(house, asked, COLLEAGUE, level=3)
    grant(house, asked, COLLEAGUE, level=2)
    assert held(house, COMPETITOR) == (2, None)
    put(house, COLLEAGUE, level=3, expires_at=NOW - DAY)
    again = ask(house, level=3)
    with pytest.raises(NotFound):
        grant(house, again, COLLEAGUE, level=1)
    with house.write() as db, pytest.raises(Forbidden):
        service.give(db, actor(COLLEAGUE), "N001", "researcher", level=1, until=None, now=NOW)


def test_managers_grant_unasked_and_revoke_with_a_reason(house: Database) -> None:
    with house.write() as db:
        service.give(db, actor(MANAGER), "N001", " competitor ", level=3, until=None, now=NOW)
    assert held(house, COMPETITOR) == (3, None)
    booking = book(house)
    with house.write() as db:
        service.revoke(db, actor(MANAGER), "N001", "researcher", note="Làm hỏng giá mẫu", now=NOW)
    assert held(house, RESEARCHER) is None
    assert codes(house, when=span(26, 9, 11)) == ["not_qualified"]
    with house.read() as db:
        # What is booked stays.
        assert bookings_store.get(db, booking.id).state is BookingState.CONFIRMED
        (line,) = service.my_asks(db, actor(RESEARCHER))
        assert (line.ask.state, line.ask.answer) == (AskState.REVOKED, "Làm hỏng giá mẫu")
        details = audit.lines(db, "qualification", RESEARCHER)[0].details
    assert details["instrument"] == "N001"
    assert "hỏng" not in str(details)
    assert letters(house) == [(RESEARCHER, "qualification_revoked"), (COMPETITOR, "qualification_granted")]
    with house.write() as db, pytest.raises(WrongState, match="qualification_not_held"):
        service.revoke(db, actor(MANAGER), "N001", "researcher", note="Lần nữa", now=NOW)


@pytest.mark.parametrize(
    ("who", "instrument", "login", "level", "until", "error"),
    [
        (MANAGER, "N001", "nobody", 1, None, Malformed),
        (MANAGER, "N001", "competitor", 4, None, Malformed),
        (MANAGER, "N001", "competitor", 1, NOW, Malformed),
        (MANAGER, "N009", "competitor", 1, None, NotFound),
        (MANAGER, "N003", "competitor", 1, None, Forbidden),
        (RESEARCHER, "N001", "competitor", 1, None, Forbidden),
    ],
)
def test_what_cannot_be_granted_changes_nothing(
    house: Database, who: UUID, instrument: str, login: str, level: int, until: datetime | None,
    error: type[LabShareError],
) -> None:  # fmt: skip
    with house.write() as db, pytest.raises(error):
        service.give(db, actor(who), instrument, login, level=level, until=until, now=NOW)
    assert held(house, COMPETITOR) is None


# ---------------------------------------------------------------- what a booking knows of it


def test_the_last_use_counts_wherever_it_lies_before(house: Database) -> None:
    """Granted on 24 October and never used for 30 days: 23 November still counts, the 25th does not, unless a use is
    booked before it. What was cancelled, or is the booking that moves, is none.
    """
    with house.write() as db:
        service.choose(db, actor(MANAGER), "N001", Demand(first_use_days=30), NOW)
    assert codes(house) == ["qualification_lapses"]
    first = book(house, when=span(23, 9, 10))
    later = book(house)
    with house.write() as db:
        bookings.cancel(db, actor(RESEARCHER), later.id, seen_version=1, now=NOW)
    with house.write() as db, pytest.raises(Refused):
        bookings.move(db, actor(RESEARCHER), first.id, span(26, 9, 10), seen_version=1, now=NOW)
    with house.write() as db:
        bookings.cancel(db, actor(RESEARCHER), first.id, seen_version=1, now=NOW)
    assert codes(house) == ["qualification_lapses"]


def test_uses_of_one_call_count_for_each_other(house: Database) -> None:
    with house.write() as db:
        service.choose(db, actor(MANAGER), "N001", Demand(first_use_days=30), NOW)
        wishes = [
            Wish(instrument_number=FESEM, span=when, project_id=PUBLIC_PROJECT)
            for when in (span(23, 9, 10), span(25, 9, 10))
        ]
        assert len(bookings.book_all(db, actor(RESEARCHER), wishes, NOW)) == 2


def test_a_trainer_who_was_present_used_the_instrument_too(house: Database) -> None:
    with house.write() as db:
        service.choose(db, actor(MANAGER), "N001", Demand(lapse_months=1), NOW)
    assert codes(house) == ["qualification_lapses"]
    with house.write() as db:
        # It ended with 24 November; a training on the 20th moves that to 20 December.
        training = a_booking(FESEM, span(20, 9, 10), person_id=COLLEAGUE, trainer_id=RESEARCHER)
        bookings_store.add(db, [training])
    book(house)


def test_without_a_use_a_month_ends_a_month_after_the_grant(house: Database) -> None:
    with house.write() as db:
        service.choose(db, actor(MANAGER), "N001", Demand(lapse_months=1), NOW)
    # Granted on 24 October, so that the 24th of November is the last day.
    assert codes(house) == ["qualification_lapses"]


def test_a_safety_course_is_recorded_and_asked_for(house: Database) -> None:
    with house.write() as db:
        service.choose(db, actor(MANAGER), "N001", Demand(course_months=12), NOW)
    assert codes(house) == ["safety_course_missing"]
    with house.write() as db:
        service.record_course(db, actor(MANAGER), "N001", "researcher", date(2025, 11, 24), NOW)
    # A year after the 24th is the 24th, which is over on the 25th.
    assert codes(house) == ["safety_course_expired"]
    with house.write() as db:
        service.record_course(db, actor(MANAGER), "N001", "researcher", date(2026, 11, 20), NOW)
    book(house)


def test_the_check_takes_no_query_more_with_every_demand_on(house: Database) -> None:
    def queries(number: int) -> int:
        wish = Wish(instrument_number=number, span=span(25, 9, 10), project_id=PUBLIC_PROJECT)
        with counted(house.engine) as statements, house.write() as db:
            changes, locked = bookings.planned(db, actor(RESEARCHER), [wish], NOW)
            writing.judge(db, changes, locked, NOW)
        return len(statements)

    # Whoever books first reads the rules in force.
    queries(XRD)
    plain, asking = queries(XRD), queries(FESEM)
    assert asking == plain
    with house.write() as db:
        service.record_course(db, actor(MANAGER), "N001", "researcher", date(2026, 11, 20), NOW)
        demand = Demand(lapse_months=6, first_use_days=60, course_months=12)
        service.choose(db, actor(MANAGER), "N001", demand, NOW)
    assert queries(FESEM) == asking


def test_a_booking_is_judged_before_or_after_a_revocation(house: Database) -> None:
    """Whoever comes second waits for the lock of the person: never is something booked that stood on nothing."""
    outcomes: list[str] = []

    def try_to_book() -> None:
        try:
            book(house)
            outcomes.append("booked")
        except Refused as error:
            outcomes.append(error.refusals[0].code)

    with house.write() as db:
        service.revoke(db, actor(MANAGER), "N001", "researcher", note="Không an toàn", now=NOW)
        thread = threading.Thread(target=try_to_book)
        thread.start()
        # It cannot be through while the revocation is not committed.
        thread.join(0.3)
        assert outcomes == []
    thread.join()
    assert outcomes == ["not_qualified"]


def test_only_managers_say_what_is_demanded(house: Database) -> None:
    for who in (RESEARCHER, OFFICE):
        with house.write() as db, pytest.raises(Forbidden):
            service.choose(db, actor(who), "N001", Demand(lapse_months=6), NOW)
    with house.write() as db, pytest.raises(Malformed):
        service.choose(db, actor(MANAGER), "N001", Demand(lapse_months=999), NOW)
    with house.read() as db, pytest.raises(Forbidden):
        service.people_of(db, actor(RESEARCHER), "N001", NOW)
    with house.read() as db:
        _, people = service.people_of(db, actor(MANAGER), "N001", NOW)
        assert [each.line.login for each in people] == ["colleague", "researcher"]


# ---------------------------------------------------------------- warnings


def test_each_end_is_warned_of_once_a_month_before(house: Database) -> None:
    """Granted for 100 days on the 23rd: warned of 70 days later."""
    end = NOW + 100 * DAY
    with house.write() as db:
        service.give(db, actor(MANAGER), "N001", "competitor", level=1, until=end, now=NOW)
    tick(house, NOW)
    with house.read() as db:
        assert due.when(db, service.ENDS, COMPETITOR) == NOW + 70 * DAY
    tick(house, NOW + 69 * DAY)
    assert (COMPETITOR, "qualification_ends") not in letters(house, NOW + 69 * DAY)
    for later in (70, 71, 100, 200):
        tick(house, NOW + later * DAY)
    assert letters(house, NOW + 200 * DAY).count((COMPETITOR, "qualification_ends")) == 1
    with house.read() as db:
        assert due.when(db, service.ENDS, COMPETITOR) is None


def test_an_end_that_a_use_has_moved_is_looked_at_again(house: Database) -> None:
    """Granted on 24 October for three months without use: its last day is 24 January 2027, so a warning is due on 26
    December at midnight. A use on 25 November moves both by a month and a day.
    """
    with house.write() as db:
        service.choose(db, actor(MANAGER), "N001", Demand(lapse_months=3), NOW)
    tick(house, NOW)
    midnight = at(25, 0)
    with house.read() as db:
        assert due.when(db, service.ENDS, RESEARCHER) == midnight + 31 * DAY
    book(house)
    tick(house, midnight + 31 * DAY)
    assert (RESEARCHER, "qualification_ends") not in letters(house, midnight + 31 * DAY)
    with house.read() as db:
        # The last day is 25 February; thirty days before its end is 27 January.
        assert due.when(db, service.ENDS, RESEARCHER) == midnight + 63 * DAY


def test_states_are_told_on_the_pages_and_beside_a_booking(house: Database) -> None:
    def state(**values: Any) -> str:
        put(house, RESEARCHER, **values)
        with house.read() as db:
            found = service.at(db, actor(RESEARCHER), FESEM, NOW)
        assert found is not None
        return found.state

    assert state() == "valid"
    assert state(granted_at=NOW - 90 * DAY, expires_at=NOW + 31 * DAY) == "valid"
    assert state(granted_at=NOW - 90 * DAY, expires_at=NOW) == "expires"
    assert state(granted_at=NOW - 90 * DAY, expires_at=at(25, 12)) == "soon"
    booking = book(house, when=span(25, 9, 11))
    with house.read() as db:
        # Another two hours do not fit before noon.
        (told,) = near_end(db, actor(RESEARCHER), booking, NOW)
        assert told.code == "qualification_last_use"
        assert near_end(db, actor(MANAGER), booking, NOW) == ()
        # What was known to them before the booking spares the question where it can, and changes no answer.
        rules = bookings_store.rules_of(db, [FESEM])[FESEM]
        near = Held(level=1, granted_at=NOW - 90 * DAY, expires_at=at(25, 12))
        far = msgspec.structs.replace(near, expires_at=at(25, 12) + 31 * DAY)
        with counted(house.engine) as asked:
            assert near_end(db, actor(RESEARCHER), booking, NOW, (near, rules)) == (told,)
            assert len(asked) == 1
            assert near_end(db, actor(RESEARCHER), booking, NOW, (far, rules)) == ()
            assert len(asked) == 1
    with house.write() as db:
        service.choose(db, actor(MANAGER), "N001", Demand(course_months=1), NOW)
    assert state() == "course_missing"
