"""Booking for somebody else, on both databases: who may, whom the rules judge, and what each of the two may do then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa

from labshare.domain.booking_rules import LockWindow, Scope, ScopeKind
from labshare.domain.bookings import Booking, BookingState, Wish
from labshare.domain.series import Conflicts, Frequency, Repeat
from labshare.domain.timespan import Span
from labshare.errors import Forbidden, NotFound, Refused
from labshare.services import booking_rules, bookings, holds, notices, series, wishes
from labshare.store import bookings as bookings_store
from labshare.store import tables as t
from labshare.store.engine import Connection, Database
from tests.furniture import (
    COLLEAGUE,
    COMPETITOR,
    FESEM,
    INDUSTRY_PROJECT,
    MANAGER,
    NMR,
    NOW,
    OFFICE,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    actor,
    furnish,
    span,
)

SLOT = span(25, 9, 11)


@pytest.fixture
def house(database: Database) -> Database:
    """RESEARCHER leads KC-01, to which COLLEAGUE and MANAGER belong; MANAGER manages C-ONE, where NMR is not."""
    with database.write() as db:
        furnish(db)
    return database


def book(house: Database, who: UUID, whom: UUID, when: Span = SLOT, number: int = XRD, **wish: Any) -> Booking:
    project = wish.pop("project_id", INDUSTRY_PROJECT if whom == COMPETITOR else PUBLIC_PROJECT)
    with house.write() as db:
        asked = Wish(instrument_number=number, span=when, person_id=whom, project_id=project, **wish)
        return bookings.book(db, actor(who), asked, NOW)


def codes(refused: Any) -> list[str]:
    return [each.code for each in refused.value.refusals]


def test_the_leader_of_a_project_books_for_its_members_and_for_nobody_else(house: Database) -> None:
    made = book(house, RESEARCHER, COLLEAGUE)
    assert (made.person_id, made.booked_by_id, made.project_id) == (COLLEAGUE, RESEARCHER, PUBLIC_PROJECT)
    for who, whom, project in (
        (RESEARCHER, COMPETITOR, INDUSTRY_PROJECT),
        (RESEARCHER, COMPETITOR, PUBLIC_PROJECT),
        (COLLEAGUE, RESEARCHER, PUBLIC_PROJECT),
        (COLLEAGUE, MANAGER, PUBLIC_PROJECT),
    ):
        with pytest.raises(Forbidden):
            book(house, who, whom, span(26, 9, 11), project_id=project)


def test_a_manager_books_for_anybody_at_their_centre_alone(house: Database) -> None:
    assert book(house, MANAGER, COMPETITOR).person_id == COMPETITOR
    with pytest.raises(Forbidden):
        book(house, MANAGER, COMPETITOR, number=NMR)


def test_the_rules_judge_who_will_use_it(house: Database) -> None:
    with house.write() as db:
        db.execute(sa.delete(t.qualifications).where(t.qualifications.c.person_id == COLLEAGUE))
    book(house, COLLEAGUE, COLLEAGUE)
    with pytest.raises(Refused) as refused:
        book(house, RESEARCHER, COLLEAGUE, number=FESEM)
    assert codes(refused) == ["not_qualified", "person_busy"]
    # The one who books is free to be there themselves.
    book(house, RESEARCHER, RESEARCHER, number=FESEM)


@pytest.mark.parametrize(
    ("who", "number", "code"),
    [
        (COLLEAGUE, NMR, "person_elsewhere"),
        # The leader of their project, and the manager of another centre than that at which they are.
        (RESEARCHER, NMR, "person_busy"),
        (MANAGER, NMR, "person_busy"),
        (MANAGER, FESEM, "person_elsewhere"),
        (RESEARCHER, FESEM, "person_busy"),
    ],
)
def test_where_somebody_is_meanwhile_is_told_to_them_and_to_who_answers_for_it(
    house: Database, who: UUID, number: int, code: str
) -> None:
    """By whatever path: one booking, several at once, a series, a hold, and what is only tried."""
    book(house, COLLEAGUE, COLLEAGUE, span(25, 9, 10), number)
    asked = Wish(instrument_number=XRD, span=span(25, 9, 12), person_id=COLLEAGUE, project_id=PUBLIC_PROJECT)
    ways: list[Callable[[Connection], object]] = [
        lambda db: bookings.book(db, actor(who), asked, NOW),
        lambda db: holds.hold(db, actor(who), asked, NOW),
        lambda db: bookings.book_all(db, actor(who), [asked], NOW),
        lambda db: series.create(
            db, actor(who), asked, Repeat(frequency=Frequency.DAILY, count=1), Conflicts.STOP, NOW
        ),
    ]
    for way in ways:
        with pytest.raises(Refused) as refused, house.write() as db:
            way(db)
        (refusal,) = refused.value.refusals
        told = {"instrument", "from", "until"} if code == "person_elsewhere" else set[str]()
        assert (refusal.code, set(refusal.params) - {"item"}) == (code, told)
    # Nothing is said twice of what may not be said.
    if code == "person_busy":
        book(house, COLLEAGUE, COLLEAGUE, span(25, 11, 12), number)
        with pytest.raises(Refused) as refused, house.write() as db:
            bookings.book(db, actor(who), asked, NOW)
        assert codes(refused) == ["person_busy"]


@pytest.mark.parametrize(("who", "code"), [(COLLEAGUE, "person_elsewhere"), (RESEARCHER, "person_busy")])
def test_no_more_is_told_of_where_they_are_by_a_move_or_a_preview(house: Database, who: UUID, code: str) -> None:
    book(house, COLLEAGUE, COLLEAGUE, span(25, 9, 10), NMR)
    made = book(house, RESEARCHER, COLLEAGUE, span(26, 9, 12))
    with pytest.raises(Refused) as refused, house.write() as db:
        bookings.move(db, actor(who), made.id, span(25, 9, 12), seen_version=made.version, now=NOW)
    asked = Wish(instrument_number=XRD, span=span(25, 9, 12), person_id=COLLEAGUE, project_id=PUBLIC_PROJECT)
    with house.write() as db:
        (would,) = series.preview(db, actor(who), asked, Repeat(frequency=Frequency.DAILY, count=1), NOW)
    for refusals in (refused.value.refusals, would.refusals):
        assert [each.code for each in refusals] == [code]
        assert ("instrument" in refusals[0].params) == (code == "person_elsewhere")


def test_both_see_it_and_may_move_and_cancel_it_and_others_do_not(house: Database) -> None:
    made = book(house, RESEARCHER, COLLEAGUE)
    with house.read() as db:
        for who in (RESEARCHER, COLLEAGUE, MANAGER, OFFICE):
            line = bookings.show(db, actor(who), made.id)
            assert (line.person, line.booked_by) == ("Colleague", "Researcher")
        with pytest.raises(NotFound):
            bookings.show(db, actor(COMPETITOR), made.id)
    with house.write() as db:
        bookings.move(db, actor(RESEARCHER), made.id, span(26, 9, 11), seen_version=1, now=NOW)
    with house.write() as db:
        ended = bookings.cancel(db, actor(COLLEAGUE), made.id, seen_version=2, now=NOW)
    assert ended.state is BookingState.CANCELLED


def test_who_leads_the_project_no_more_sees_it_no_more(house: Database) -> None:
    made = book(house, RESEARCHER, COLLEAGUE)
    with house.write() as db:
        db.execute(t.projects.update().where(t.projects.c.id == PUBLIC_PROJECT).values(pi_id=COLLEAGUE))
    with pytest.raises(NotFound), house.read() as db:
        bookings.show(db, actor(RESEARCHER), made.id)
    with pytest.raises(NotFound), house.write() as db:
        bookings.cancel(db, actor(RESEARCHER), made.id, seen_version=1, now=NOW)
    with house.read() as db:
        assert wishes.for_others(db, actor(RESEARCHER), NOW) == []


def test_what_one_booked_for_others_is_listed(house: Database) -> None:
    later = book(house, RESEARCHER, COLLEAGUE, span(26, 9, 11))
    sooner = book(house, RESEARCHER, COLLEAGUE)
    book(house, RESEARCHER, RESEARCHER, span(27, 9, 11))
    by_manager = book(house, MANAGER, COMPETITOR, span(27, 13, 15))
    with house.read() as db:
        assert [line.booking.id for line in wishes.for_others(db, actor(RESEARCHER), NOW)] == [sooner.id, later.id]
        assert [line.booking.id for line in wishes.for_others(db, actor(MANAGER), NOW)] == [by_manager.id]
        assert [line.booking.id for line in bookings.mine(db, actor(COLLEAGUE), NOW)] == [sooner.id, later.id]


def test_the_lock_window_binds_who_booked_it_as_it_binds_its_user(house: Database) -> None:
    made = book(house, RESEARCHER, COLLEAGUE)
    with house.write() as db:
        booking_rules.post(db, actor(MANAGER), Scope(ScopeKind.CENTRE, "C-ONE"), LockWindow(hours=72), NOW)
    # Wednesday 09:00 is 49 hours away.
    for who in (RESEARCHER, COLLEAGUE):
        with pytest.raises(Refused) as refused, house.write() as db:
            bookings.cancel(db, actor(who), made.id, seen_version=1, now=NOW)
        assert codes(refused) == ["rule_locked"]


def test_a_series_for_somebody_else_is_theirs_and_seen_by_both(house: Database) -> None:
    repeat = Repeat(frequency=Frequency.DAILY, count=2)
    with house.write() as db:
        asked = Wish(instrument_number=XRD, span=SLOT, person_id=COLLEAGUE, project_id=PUBLIC_PROJECT)
        made = series.create(db, actor(RESEARCHER), asked, repeat, Conflicts.STOP, NOW)
    with house.read() as db:
        for who in (RESEARCHER, COLLEAGUE, MANAGER):
            assert len(series.show(db, actor(who), made.line.series.id).bookings) == 2
        with pytest.raises(NotFound):
            series.show(db, actor(COMPETITOR), made.line.series.id)


def test_a_login_is_found_for_whom_one_may_book_and_nobody_else_is_told_of(house: Database) -> None:
    with house.read() as db:
        rules = bookings_store.rules_of(db, [XRD])[XRD]

        def found(who: UUID, login: str, project: str) -> tuple[UUID, UUID | None]:
            return wishes.person_for(db, actor(who), rules, login, project)

        assert found(RESEARCHER, "colleague", "KC-01") == (COLLEAGUE, PUBLIC_PROJECT)
        assert found(RESEARCHER, "colleague", str(PUBLIC_PROJECT)) == (COLLEAGUE, PUBLIC_PROJECT)
        assert found(RESEARCHER, "researcher", "KC-01") == (RESEARCHER, PUBLIC_PROJECT)
        assert found(MANAGER, "competitor", "DN-01") == (COMPETITOR, INDUSTRY_PROJECT)
        assert found(MANAGER, "competitor", "KC-01") == (COMPETITOR, None)
        for who, login, code in (
            (RESEARCHER, "competitor", "person_not_yours"),
            (RESEARCHER, "nobody", "person_not_yours"),
            (COLLEAGUE, "researcher", "person_not_yours"),
            (MANAGER, "nobody", "person_unknown"),
        ):
            with pytest.raises(Refused) as refused:
                found(who, login, "KC-01")
            assert codes(refused) == [code]


def test_who_is_booked_for_is_told_once_for_each_call(house: Database) -> None:
    """Also where the form held the time before, which nobody is told of."""

    def told() -> list[str]:
        with house.read() as db:
            return [each.page for each in notices.mine(db, actor(COLLEAGUE))]

    book(house, RESEARCHER, RESEARCHER, span(27, 9, 11))
    with house.write() as db:
        asked = Wish(instrument_number=XRD, span=SLOT, person_id=COLLEAGUE, project_id=PUBLIC_PROJECT)
        held = holds.hold(db, actor(RESEARCHER), asked, NOW)
    assert told() == []
    book(house, RESEARCHER, COLLEAGUE, replaces_id=held.id)
    assert told() == [f"/bookings/{held.id}"]
    repeat = Repeat(frequency=Frequency.DAILY, count=2)
    with house.write() as db:
        asked = Wish(instrument_number=XRD, span=span(26, 13, 15), person_id=COLLEAGUE, project_id=PUBLIC_PROJECT)
        again = holds.hold(db, actor(RESEARCHER), asked, NOW)
    with house.write() as db:
        asked = msgspec.structs.replace(asked, replaces_id=again.id)
        first = series.create(db, actor(RESEARCHER), asked, repeat, Conflicts.STOP, NOW).line.bookings[0]
    assert set(told()) == {f"/bookings/{held.id}", f"/bookings/{first.id}"}
