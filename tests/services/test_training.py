"""Uses in training: a trainer is named and present, both see it, and the trainer learns nothing of what it is for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from labshare.domain.booking_rules import Overnight, Scope, ScopeKind
from labshare.domain.bookings import Booking, BookingState, Wish
from labshare.domain.timespan import Span
from labshare.errors import Forbidden, NotFound, Refused, WrongState
from labshare.services import affiliations, booking_rules, bookings, calendars, feeds, free_times, notices
from labshare.services import training as service
from labshare.store import qualifications as store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import (
    COLLEAGUE,
    COMPETITOR,
    FESEM,
    INDUSTRY_PROJECT,
    MANAGER,
    NOW,
    OFFICE,
    PARTNER,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    actor,
    furnish,
    span,
)


@pytest.fixture
def house(database: Database) -> Database:
    """The colleague trains people at the FE-SEM, for which the competitor is not qualified."""
    with database.write() as db:
        furnish(db)
        db.execute(sa.update(t.persons).values(email="someone@example.vn"))
        store.take(db, COMPETITOR, FESEM)
        trains = sa.update(t.qualifications).where(t.qualifications.c.person_id == COLLEAGUE)
        db.execute(trains.values(level=3))
    return database


def book(
    house: Database, when: Span | None = None, who: UUID = COMPETITOR, number: int = FESEM, **changes: Any
) -> Booking:
    values: dict[str, Any] = {"project_id": INDUSTRY_PROJECT, "trainer_id": COLLEAGUE, "purpose": "Bí mật"} | changes
    with house.write() as db:
        wish = Wish(instrument_number=number, span=when or span(25, 9, 11), **values)
        return bookings.book(db, actor(who), wish, NOW)


def refused(house: Database, when: Span | None = None, **changes: Any) -> list[str]:
    with pytest.raises(Refused) as caught:
        book(house, when, **changes)
    return [each.code for each in caught.value.refusals]


def letters(house: Database) -> list[tuple[UUID, str]]:
    with house.read() as db:
        return sorted((each.notice.person_id, each.notice.kind.value) for each in notices.letters(db, NOW))


def test_who_is_not_qualified_books_with_a_trainer_who_is_told(house: Database) -> None:
    assert refused(house, trainer_id=None) == ["not_qualified"]
    booking = book(house)
    assert (booking.person_id, booking.trainer_id) == (COMPETITOR, COLLEAGUE)
    assert letters(house) == [(COLLEAGUE, "training_booked")]


def test_only_a_trainer_of_the_instrument_will_do(house: Database) -> None:
    assert refused(house, trainer_id=RESEARCHER) == ["trainer_not_qualified"]
    assert refused(house, number=XRD) == ["trainer_not_qualified"]
    assert refused(house, trainer_id=COMPETITOR) == ["trainer_is_user", "trainer_not_qualified"]
    with house.write() as db:
        db.execute(sa.update(t.persons).where(t.persons.c.id == COLLEAGUE).values(affiliation="ended"))
    assert refused(house) == ["trainer_not_qualified"]


def test_a_trainer_is_in_one_place_too(house: Database) -> None:
    own: dict[str, Any] = {"who": COLLEAGUE, "project_id": PUBLIC_PROJECT, "trainer_id": None}
    book(house, span(25, 9, 11), number=XRD, **own)
    assert refused(house, span(25, 10, 12)) == ["trainer_elsewhere"]
    book(house, span(25, 11, 12))
    # And while they train somebody they can be nowhere else.
    assert refused(house, span(25, 11, 13), number=XRD, **own) == ["person_elsewhere"]
    with house.write() as db:
        db.execute(sa.update(t.instruments).values(attended=False))
    # Whether or not the instrument must be attended, a trainer is there.
    assert refused(house, span(25, 11, 12)) == ["trainer_elsewhere", "time_taken"]


def test_a_trainer_of_several_wishes_of_one_call_is_in_one_place(house: Database) -> None:
    with house.write() as db:
        store.put(db, COLLEAGUE, XRD, level=3, until=None, by=MANAGER, now=NOW)
        db.execute(sa.update(t.instruments).values(attended=False))
        wishes = [
            Wish(instrument_number=number, span=span(25, 9, 11), project_id=INDUSTRY_PROJECT, trainer_id=COLLEAGUE)
            for number in (FESEM, XRD)
        ]
    with house.write() as db, pytest.raises(Refused) as caught:
        bookings.book_all(db, actor(COMPETITOR), wishes, NOW)
    assert [(each.code, each.params) for each in caught.value.refusals] == [("trainer_elsewhere", {"item": 1})]


def test_a_trainer_answers_for_closed_hours(house: Database) -> None:
    with house.write() as db:
        booking_rules.post(db, actor(MANAGER), Scope(ScopeKind.CENTRE, "C-ONE"), Overnight(level=2), NOW)
    assert refused(house, span(25, 18, 20), who=RESEARCHER, project_id=PUBLIC_PROJECT, trainer_id=None) == [
        "rule_overnight"
    ]
    book(house, span(25, 18, 20))


def test_both_see_it_and_the_trainer_nothing_of_what_it_is_for(house: Database) -> None:
    booking = book(house)
    with house.read() as db:
        (mine,) = bookings.mine(db, actor(COMPETITOR), NOW)
        assert (mine.project, mine.booking.purpose, mine.trainer) == ("DN-01", "Bí mật", "Colleague")
        (seen,) = bookings.mine(db, actor(COLLEAGUE), NOW)
        assert (seen.person, seen.project, seen.organisation_vi, seen.booking.purpose) == ("Competitor", None, None, "")
        assert (seen.booking.project_id, seen.booking.access_class) == (None, None)
        assert bookings.show(db, actor(COLLEAGUE), booking.id) == seen
        assert bookings.show(db, actor(MANAGER), booking.id).project == "DN-01"
        with pytest.raises(NotFound):
            bookings.show(db, actor(PARTNER), booking.id)
        week = span(23, 0, 24 * 7)
        (entry,) = calendars.calendar(db, actor(COLLEAGUE), [FESEM], week).entries[FESEM]
        assert (entry.is_own, entry.is_trainer, entry.person, entry.project, entry.purpose) == (
            True, True, "Competitor", None, None,
        )  # fmt: skip
        (entry,) = calendars.calendar(db, actor(COMPETITOR), [FESEM], week).entries[FESEM]
        assert (entry.is_own, entry.is_trainer, entry.project) == (True, False, "DN-01")
        (entry,) = calendars.calendar(db, actor(RESEARCHER), [FESEM], week).entries[FESEM]
        assert (entry.is_own, entry.is_trainer, entry.person, entry.id) == (False, False, None, None)


def test_it_stands_in_the_feeds_of_both(house: Database) -> None:
    with house.write() as db:
        secrets = {who: feeds.create(db, actor(who), NOW).secret for who in (COMPETITOR, COLLEAGUE)}
    with house.read() as db:
        tag = feeds.open_feed(db, secrets[COLLEAGUE], NOW).tag
    book(house)
    with house.read() as db:
        opened = feeds.open_feed(db, secrets[COLLEAGUE], NOW)
        (event,) = map(feeds.FeedEvent._make, feeds.contents(db, opened, NOW, ()).events)
        assert opened.tag != tag
        assert (event.is_own, event.trainee, event.project, event.purpose) == (1, "Competitor", None, None)
        (event,) = map(
            feeds.FeedEvent._make, feeds.contents(db, feeds.open_feed(db, secrets[COMPETITOR], NOW), NOW, ()).events
        )
        assert (event.is_own, event.trainee, event.project) == (1, "Competitor", "DN-01")


def test_a_trainer_may_cancel_and_do_no_more(house: Database) -> None:
    booking = book(house)
    with house.write() as db, pytest.raises(Forbidden):
        bookings.move(db, actor(COLLEAGUE), booking.id, span(25, 13, 14), seen_version=1, now=NOW)
    with house.write() as db:
        gone = bookings.cancel(db, actor(COLLEAGUE), booking.id, seen_version=1, now=NOW)
    assert (gone.state, gone.late_notice) == (BookingState.CANCELLED, False)
    assert letters(house) == [(COLLEAGUE, "training_booked"), (COMPETITOR, "booking_cancelled")]


def test_a_move_keeps_the_trainer_and_tells_them(house: Database) -> None:
    booking = book(house)
    with house.write() as db:
        moved = bookings.move(db, actor(COMPETITOR), booking.id, span(25, 10, 12), seen_version=1, now=NOW)
    assert moved.trainer_id == COLLEAGUE
    assert [kind for _, kind in letters(house)] == ["training_booked", "training_booked"]


def test_trainers_are_named_to_those_who_may_book(house: Database) -> None:
    with house.read() as db:
        rules = calendars.rules_of(db, "N001")
        assert [each.name for each in service.trainers(db, actor(COMPETITOR), rules, NOW)] == ["Colleague"]
        assert service.trainers(db, actor(COLLEAGUE), rules, NOW) == []
        assert service.trainers(db, actor(PARTNER), rules, NOW) == []
        assert service.trainers(db, actor(COMPETITOR), calendars.rules_of(db, "N002"), NOW) == []


def test_offers_are_clear_of_where_the_trainer_is(house: Database) -> None:
    """The colleague is elsewhere from 9 to 11 and from 12 to 14: the nearest two hours after 9 begin at 14."""
    own: dict[str, Any] = {"who": COLLEAGUE, "number": XRD, "project_id": PUBLIC_PROJECT, "trainer_id": None}
    book(house, span(25, 9, 11), **own)
    book(house, span(25, 12, 14), **own)
    with house.read() as db:
        wish = Wish(
            instrument_number=FESEM, span=span(25, 9, 11), person_id=COMPETITOR, project_id=INDUSTRY_PROJECT,
            trainer_id=COLLEAGUE,
        )  # fmt: skip
        found = free_times.suggest(db, wish, NOW)
    assert min(each.start for each in found if each.start > wish.span.start) == wish.span.start + timedelta(hours=5)


def test_what_a_trainer_who_has_left_was_to_train_is_listed_and_given_back(house: Database) -> None:
    booking = book(house)
    with house.write() as db, pytest.raises(WrongState, match="person_is_here"):
        bookings.give_back(db, actor(OFFICE), booking.id, seen_version=1, now=NOW)
    with house.write() as db:
        db.execute(sa.update(t.persons).where(t.persons.c.id == COLLEAGUE).values(affiliation="ended"))
    with house.read() as db:
        assert [line.booking.id for line in affiliations.left_behind(db, actor(OFFICE), NOW).bookings] == [booking.id]
    with house.write() as db:
        gone = bookings.give_back(db, actor(OFFICE), booking.id, seen_version=1, now=NOW)
    assert gone.state is BookingState.CANCELLED
