"""Operators, on both databases: named by managers, bound to bookings like people, told, and free or refused."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa

from labshare.domain.booking_rules import DatedHours, NeedsOperator, Overnight, Scope, ScopeKind
from labshare.domain.bookings import Booking, BookingState, Wish
from labshare.domain.modes import Mode
from labshare.domain.series import Conflicts, Frequency, Reach, Repeat
from labshare.domain.timespan import Span
from labshare.errors import Forbidden, Malformed, NotFound, Refused, Stale, WrongState
from labshare.services import (
    affiliations,
    approvals,
    booking_rules,
    bookings,
    calendars,
    exchanges,
    feeds,
    free_times,
    holds,
    modes,
    moves,
    notices,
    qualifications,
    series,
)
from labshare.services import operators as service
from labshare.store import audit
from labshare.store import bookings as bookings_store
from labshare.store import notices as notices_store
from labshare.store import qualifications as store
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
    OFFICE,
    PARTNER,
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
from tests.services.test_waitlist import tick

CENTRE = Scope(ScopeKind.CENTRE, "C-ONE")


@pytest.fixture
def house(database: Database) -> Database:
    """Both instruments of Centre One are run in every mode, by the colleague and the manager, who are qualified."""
    with database.write() as db:
        furnish(db)
        db.execute(sa.update(t.persons).values(email="someone@example.vn"))
        for number, code in ((FESEM, "N001"), (XRD, "N002")):
            modes.choose(db, actor(MANAGER), code, list(Mode), "", NOW)
            for person_id in (COLLEAGUE, MANAGER):
                store.put(db, person_id, number, level=1, until=None, by=ADMINISTRATOR, now=NOW - timedelta(days=30))
                login = actor(person_id).login
                service.name(db, actor(MANAGER), code, login, operates=True, now=NOW)
    return database


def wish(when: Span | None = None, number: int = FESEM, **changes: Any) -> Wish:
    values: dict[str, Any] = {
        "project_id": INDUSTRY_PROJECT, "mode": Mode.COMMISSIONED, "operator_id": COLLEAGUE, "purpose": "Bí mật",
    }  # fmt: skip
    return Wish(instrument_number=number, span=when or span(25, 9, 11), **(values | changes))


def book(
    house: Database, when: Span | None = None, who: UUID = COMPETITOR, number: int = FESEM, **changes: Any
) -> Booking:
    with house.write() as db:
        return bookings.book(db, actor(who), wish(when, number, **changes), NOW)


def refused(house: Database, when: Span | None = None, **changes: Any) -> list[str]:
    with pytest.raises(Refused) as caught:
        book(house, when, **changes)
    return [each.code for each in caught.value.refusals]


def assign(house: Database, booking: Booking, operator_id: UUID | None, who: UUID = MANAGER) -> Booking:
    with house.write() as db:
        return service.assign(db, actor(who), booking.id, operator_id, seen_version=booking.version, now=NOW)


def told(house: Database, now: datetime = NOW) -> list[tuple[UUID, str]]:
    with house.read() as db:
        return sorted((each.notice.person_id, each.notice.kind.value) for each in notices.letters(db, now))


# ---------------------------------------------------------------- who operates


def test_managers_name_who_operates_among_the_qualified(house: Database) -> None:
    with house.write() as db:
        rules = calendars.rules_of(db, "N001")
        assert [each.name for each in service.operators(db, actor(COMPETITOR), rules, NOW)] == ["Colleague", "Manager"]
        assert service.operators(db, actor(PARTNER), rules, NOW) == []
        for who in (RESEARCHER, COLLEAGUE, OFFICE):
            with pytest.raises(Forbidden):
                service.name(db, actor(who), "N001", "researcher", operates=True, now=NOW)
        with pytest.raises(WrongState, match="qualification_not_held"):
            service.name(db, actor(MANAGER), "N001", "partner", operates=True, now=NOW)
        with pytest.raises(Malformed, match="person_unknown"):
            service.name(db, actor(MANAGER), "N001", "nobody", operates=True, now=NOW)
        service.name(db, actor(MANAGER), "N001", "colleague", operates=False, now=NOW)
        assert [each.name for each in service.operators(db, actor(COMPETITOR), rules, NOW)] == ["Manager"]
        # Both, then the one who was relieved.
        lines = audit.lines(db, "qualification", str(COLLEAGUE))
        assert Counter(line.action for line in lines) == {"name_operator": 2, "relieve_operator": 1}
    assert refused(house) == ["operator_not_named"]


def test_who_operates_goes_on_to_when_renewed_and_ends_with_the_qualification(house: Database) -> None:
    with house.write() as db:
        rules = calendars.rules_of(db, "N001")
        qualifications.give(db, actor(MANAGER), "N001", "colleague", level=2, until=NOW + timedelta(days=1), now=NOW)
        assert [each.name for each in service.operators(db, actor(COMPETITOR), rules, NOW)] == ["Colleague", "Manager"]
    # The use would last longer than the qualification of who operates it.
    assert refused(house) == ["operator_not_named"]
    with house.write() as db:
        qualifications.revoke(db, actor(MANAGER), "N001", "colleague", note="x", now=NOW)
        qualifications.give(db, actor(MANAGER), "N001", "colleague", level=1, until=None, now=NOW)
        assert [each.name for each in service.operators(db, actor(COMPETITOR), rules, NOW)] == ["Manager"]


def test_somebody_who_has_left_operates_nothing(house: Database) -> None:
    with house.write() as db:
        db.execute(sa.update(t.persons).where(t.persons.c.id == COLLEAGUE).values(affiliation="ended"))
    assert refused(house) == ["operator_not_named"]


def test_who_operated_it_has_used_it(house: Database) -> None:
    book(house)
    with house.write() as db:
        db.execute(sa.update(t.instruments).where(t.instruments.c.number == FESEM).values(lapse_months=6))
    with house.read() as db:
        rules = calendars.rules_of(db, "N001")
        assert store.held(db, [COLLEAGUE], rules)[COLLEAGUE].last_used_at == span(25, 9, 11).end


# ---------------------------------------------------------------- booking with one


def test_an_operator_is_bound_and_told(house: Database) -> None:
    booking = book(house)
    assert (booking.person_id, booking.operator_id, booking.attended) == (COMPETITOR, COLLEAGUE, False)
    assert told(house) == [(COLLEAGUE, "operating_booked")]


def test_an_operator_is_for_the_modes_of_the_staff_and_somebody_else(house: Database) -> None:
    assert refused(house, mode=Mode.SELF) == ["operator_not_wanted"]
    assert refused(house, mode=None) == ["operator_not_wanted"]
    assert refused(house, operator_id=COMPETITOR) == ["operator_is_user", "operator_not_named"]
    assert refused(house, operator_id=UUID(int=99)) == ["operator_not_named"]
    assert book(house, mode=Mode.ASSISTED).operator_id == COLLEAGUE


def test_an_operator_is_in_one_place_in_every_role(house: Database) -> None:
    """At 9 the colleague operates, at 11 they use, at 14 they train: at each hour nothing else of theirs can be."""
    own: dict[str, Any] = {
        "who": COLLEAGUE, "project_id": PUBLIC_PROJECT, "operator_id": None, "mode": Mode.SELF, "number": XRD,
    }  # fmt: skip
    with house.write() as db:
        add_instrument(db, 4, "C-ONE", "XRD")
        for number in (XRD, 4):
            store.put(db, COLLEAGUE, number, level=3, until=None, by=MANAGER, now=NOW)
    trains: dict[str, Any] = {"mode": Mode.SELF, "operator_id": None, "trainer_id": COLLEAGUE, "number": 4}
    book(house, span(25, 9, 11))
    book(house, span(25, 11, 12), **own)
    book(house, span(25, 14, 15), **trains)
    # They operate: they can neither use, nor train, nor operate elsewhere.
    assert refused(house, span(25, 10, 11), **own) == ["person_elsewhere"]
    assert refused(house, span(25, 10, 11), **trains) == ["trainer_elsewhere"]
    assert refused(house, span(25, 10, 11), number=XRD) == ["operator_elsewhere"]
    # They use, or train: they cannot operate.
    assert refused(house, span(25, 11, 12)) == ["operator_elsewhere"]
    assert refused(house, span(25, 14, 15)) == ["operator_elsewhere"]
    assert refused(house, span(25, 14, 15), **own) == ["person_elsewhere"]
    # One after the other they do all of it.
    assert book(house, span(25, 12, 14)).operator_id == COLLEAGUE


def test_several_instruments_and_their_operators_in_one_go_or_none(house: Database) -> None:
    both = [wish(number=number) for number in (FESEM, XRD)]
    with house.write() as db, pytest.raises(Refused) as caught:
        bookings.book_all(db, actor(COMPETITOR), both, NOW)
    assert [(each.code, each.params) for each in caught.value.refusals] == [("operator_elsewhere", {"item": 1})]
    with house.write() as db:
        assert bookings.mine(db, actor(COMPETITOR), NOW) == []
        made = bookings.book_all(db, actor(COMPETITOR), [wish(), wish(number=XRD, operator_id=MANAGER)], NOW)
    assert [each.operator_id for each in made] == [COLLEAGUE, MANAGER]
    assert told(house) == [(COLLEAGUE, "operating_booked"), (MANAGER, "operating_booked")]


def test_of_two_at_once_that_name_one_operator_one_is_booked(house: Database) -> None:
    """Two people, two instruments, overlapping times: nothing meets but the operator."""

    def run(who: UUID, when: Span, number: int, project_id: UUID) -> str:
        try:
            book(house, when, who=who, number=number, project_id=project_id)
        except Refused as error:
            return " ".join(each.code for each in error.refusals)
        return "booked"

    for day in (25, 26, 27, 30):
        with ThreadPoolExecutor(2) as pool:
            runs = [
                pool.submit(run, COMPETITOR, span(day, 9, 11), FESEM, INDUSTRY_PROJECT),
                pool.submit(run, RESEARCHER, span(day, 10, 12), XRD, PUBLIC_PROJECT),
            ]
        assert Counter(each.result() for each in runs) == {"booked": 1, "operator_elsewhere": 1}
    with house.read() as db:
        count = sa.select(sa.func.count()).select_from(t.bookings).where(t.bookings.c.operator_id == COLLEAGUE)
        assert db.execute(count).scalar_one() == 4


def test_who_operates_answers_for_closed_hours(house: Database) -> None:
    with house.write() as db:
        booking_rules.post(db, actor(MANAGER), CENTRE, Overnight(level=2), NOW)
    assert refused(house, span(25, 18, 20)) == ["rule_overnight"]
    with house.write() as db:
        store.put(db, COLLEAGUE, FESEM, level=2, until=None, by=MANAGER, now=NOW)
    assert book(house, span(25, 18, 20)).operator_id == COLLEAGUE


def test_a_booking_without_an_operator_asks_no_query_more(house: Database) -> None:
    """With one there are six: their lock, what they hold, where they are, and three to tell them."""

    def asked(when: Span, **changes: Any) -> int:
        with house.write() as db, counted(house.engine) as statements:
            bookings.book(db, actor(RESEARCHER), wish(when, project_id=PUBLIC_PROJECT, **changes), NOW)
        return len(statements)

    # The first reads the rule book.
    asked(span(26, 9, 10), mode=None, operator_id=None)
    alone = asked(span(25, 9, 10), mode=None, operator_id=None)
    assert asked(span(25, 10, 11), operator_id=None) == alone
    assert asked(span(25, 11, 12)) == alone + 6


# ---------------------------------------------------------------- the rule of a centre


def test_a_centre_may_ask_that_an_operator_is_named(house: Database) -> None:
    with house.write() as db:
        booking_rules.post(db, actor(MANAGER), Scope(ScopeKind.INSTRUMENT, "N001"), NeedsOperator(), NOW)
    assert refused(house, operator_id=None) == ["rule_operator"]
    assert refused(house, operator_id=None, mode=Mode.ASSISTED) == ["rule_operator"]
    book(house)
    # Neither who works alone nor another instrument is asked.
    book(house, span(25, 11, 12), operator_id=None, mode=Mode.SELF)
    book(house, span(25, 13, 14), operator_id=None, number=XRD)
    # A manager passes it with a reason.
    own: dict[str, Any] = {"who": MANAGER, "project_id": PUBLIC_PROJECT, "operator_id": None}
    assert book(house, span(25, 14, 15), override="operator comes later today", **own).operator_id is None


def test_the_hold_of_an_open_form_need_not_name_one_yet(house: Database) -> None:
    with house.write() as db:
        booking_rules.post(db, actor(MANAGER), CENTRE, NeedsOperator(), NOW)
        held = holds.hold(db, actor(COMPETITOR), wish(operator_id=None), NOW)
        assert held.state is BookingState.HELD
    assert refused(house, operator_id=None, replaces_id=held.id) == ["rule_operator"]
    assert book(house, replaces_id=held.id).id == held.id


# ---------------------------------------------------------------- assigning


def test_the_staff_assign_and_change_the_operator_and_both_are_told(house: Database) -> None:
    booking = book(house, operator_id=None)
    assert told(house) == []
    first = assign(house, booking, COLLEAGUE)
    assert (first.operator_id, first.version, first.span) == (COLLEAGUE, 2, booking.span)
    assert told(house) == [(COLLEAGUE, "operating_booked"), (COMPETITOR, "booking_operator")]
    second = assign(house, first, MANAGER)
    # The manager names themselves: they need not be told.
    assert second.operator_id == MANAGER
    assert Counter(told(house)) == {
        (COLLEAGUE, "operating_booked"): 1, (COLLEAGUE, "operating_cancelled"): 1,
        (COMPETITOR, "booking_operator"): 2,
    }  # fmt: skip
    with house.read() as db:
        pages = {each.kind: each.page for each in notices.mine(db, actor(COLLEAGUE))}
    # The second no longer leads to what they may not see any more.
    assert pages == {"operating_booked": f"/bookings/{booking.id}", "operating_cancelled": "/bookings"}
    assert assign(house, second, None).operator_id is None
    with house.read() as db:
        assert [line.action for line in audit.lines(db, "booking", str(booking.id))].count("assign") == 3


def test_who_is_assigned_must_operate_it_and_be_free(house: Database) -> None:
    booking = book(house, operator_id=None)
    book(house, number=XRD, who=RESEARCHER, project_id=PUBLIC_PROJECT)
    for operator_id, code in ((COLLEAGUE, "operator_elsewhere"), (PARTNER, "operator_not_named")):
        with pytest.raises(Refused) as caught:
            assign(house, booking, operator_id)
        assert [each.code for each in caught.value.refusals] == [code]
    with pytest.raises(Stale):
        assign(house, msgspec.structs.replace(booking, version=7), MANAGER)
    alone = book(house, span(25, 14, 15), mode=Mode.SELF, operator_id=None)
    with pytest.raises(Refused) as caught:
        assign(house, alone, MANAGER)
    assert [each.code for each in caught.value.refusals] == ["operator_not_wanted"]


def test_the_user_assigns_too_but_may_not_leave_out_whom_the_centre_asks_for(house: Database) -> None:
    with house.write() as db:
        booking_rules.post(db, actor(MANAGER), CENTRE, NeedsOperator(), NOW)
    booking = assign(house, book(house), MANAGER, who=COMPETITOR)
    with pytest.raises(Refused) as caught:
        assign(house, booking, None, who=COMPETITOR)
    assert [each.code for each in caught.value.refusals] == ["rule_operator"]
    assert assign(house, booking, None).operator_id is None
    # Who operates it does not choose who does, and others do not see it.
    with pytest.raises(Forbidden):
        assign(house, assign(house, _again(house, booking), COLLEAGUE), None, who=COLLEAGUE)
    with pytest.raises(NotFound):
        assign(house, _again(house, booking), None, who=RESEARCHER)


def test_nobody_is_left_at_night_without_who_answers_for_it(house: Database) -> None:
    """Closed hours ask for level 2, which the manager alone has; the user helps nobody by taking them off again."""
    with house.write() as db:
        store.put(db, MANAGER, FESEM, level=2, until=None, by=ADMINISTRATOR, now=NOW)
        booking_rules.post(db, actor(MANAGER), CENTRE, Overnight(level=2), NOW)
    helped = book(house, span(25, 18, 20), mode=Mode.ASSISTED, operator_id=MANAGER)
    run = book(house, span(26, 18, 20), operator_id=MANAGER)
    by_day = book(house, span(27, 16, 18), mode=Mode.ASSISTED, operator_id=MANAGER)

    def refused_to(booking: Booking, operator_id: UUID | None, who: UUID = COMPETITOR) -> list[str]:
        with pytest.raises(Refused) as caught:
            assign(house, booking, operator_id, who=who)
        return [each.code for each in caught.value.refusals]

    for who in (COMPETITOR, MANAGER):
        assert refused_to(helped, COLLEAGUE, who) == ["rule_overnight"]
        assert refused_to(helped, None, who) == ["rule_overnight"]
        assert refused_to(run, COLLEAGUE, who) == ["rule_overnight"]
    assert refused_to(run, None) == ["rule_staff_hours"]
    # A manager has their staff come at night without saying yet who; by day nothing is asked.
    assert assign(house, run, None).operator_id is None
    assert assign(house, by_day, None, who=COMPETITOR).operator_id is None


def test_who_comes_in_addition_at_night_is_not_in_the_way(house: Database) -> None:
    """The rule came after the booking, and neither its user nor the colleague has the level that it asks for."""
    with house.write() as db:
        rule = booking_rules.post(db, actor(MANAGER), CENTRE, Overnight(level=1), NOW)
    booking = book(house, span(25, 18, 20), mode=Mode.ASSISTED, operator_id=None)
    with house.write() as db:
        booking_rules.end(db, actor(MANAGER), rule.id, NOW)
        booking_rules.post(db, actor(MANAGER), CENTRE, Overnight(level=2), NOW)
    assert assign(house, booking, COLLEAGUE, who=COMPETITOR).operator_id == COLLEAGUE


def test_what_has_begun_keeps_its_operator(house: Database) -> None:
    booking = book(house)
    with house.write() as db, pytest.raises(WrongState, match="booking_begun"):
        service.assign(db, actor(MANAGER), booking.id, MANAGER, seen_version=1, now=span(25, 9, 10).start)


# ---------------------------------------------------------------- moving


def test_a_move_keeps_the_operator_who_must_be_free_then(house: Database) -> None:
    booking = book(house)
    book(house, span(25, 13, 15), number=XRD, who=RESEARCHER, project_id=PUBLIC_PROJECT)
    with house.write() as db, pytest.raises(Refused) as caught:
        bookings.move(db, actor(COMPETITOR), booking.id, span(25, 14, 16), seen_version=1, now=NOW)
    assert [each.code for each in caught.value.refusals] == ["operator_elsewhere"]
    with house.write() as db:
        # By an hour, across itself.
        moved = bookings.move(db, actor(COMPETITOR), booking.id, span(25, 10, 12), seen_version=1, now=NOW)
        assert moved.operator_id == COLLEAGUE
        moved = bookings.move(
            db, actor(COMPETITOR), booking.id, span(25, 14, 16), seen_version=2, now=NOW, operator_id=MANAGER
        )
        assert moved.operator_id == MANAGER
    # Told of the booking and of the first move, then that it is another's.
    found = Counter(kind for who, kind in told(house) if who == COLLEAGUE)
    assert found == {"operating_booked": 3, "operating_cancelled": 1}
    assert (MANAGER, "operating_booked") in told(house)


def test_who_now_works_alone_needs_no_operator(house: Database) -> None:
    booking = book(house)
    with house.write() as db:
        moved = bookings.move(
            db, actor(COMPETITOR), booking.id, span(25, 9, 11), seen_version=1, now=NOW, mode=Mode.SELF
        )
    assert moved.operator_id is None
    assert Counter(told(house)) == {(COLLEAGUE, "operating_booked"): 1, (COLLEAGUE, "operating_cancelled"): 1}


def test_on_another_instrument_the_operator_must_operate_that_one(house: Database) -> None:
    with house.write() as db:
        add_instrument(db, 4, "C-ONE", "FESEM", modes="self commissioned")
    booking = book(house)
    with house.write() as db, pytest.raises(Refused) as caught:
        moves.move_to(db, actor(COMPETITOR), booking.id, 4, span(25, 9, 11), seen_version=1, now=NOW)
    assert [each.code for each in caught.value.refusals] == ["operator_not_named"]
    with house.write() as db:
        store.put(db, MANAGER, 4, level=1, until=None, by=ADMINISTRATOR, now=NOW)
        service.name(db, actor(MANAGER), "N004", "manager", operates=True, now=NOW)
        said = moves.Said(operator_id=MANAGER)
        made = moves.move_to(db, actor(COMPETITOR), booking.id, 4, span(25, 9, 11), said, seen_version=1, now=NOW)
    assert (made.instrument_number, made.operator_id) == (4, MANAGER)


def test_offers_are_clear_of_where_the_operator_is(house: Database) -> None:
    """The colleague is elsewhere from 9 to 11 and from 12 to 14: the nearest two hours after 9 begin at 14."""
    others: dict[str, Any] = {"number": XRD, "who": RESEARCHER, "project_id": PUBLIC_PROJECT}
    book(house, span(25, 9, 11), **others)
    book(house, span(25, 12, 14), **others)
    with house.read() as db:
        found = free_times.suggest(db, wish(person_id=COMPETITOR), NOW)
        free = free_times.suggest(db, wish(person_id=COMPETITOR, operator_id=MANAGER), NOW)
    nine = span(25, 9, 11).start
    assert min(each.start for each in found if each.start > nine) == nine + timedelta(hours=5)
    assert free[0].start == nine


def test_a_series_keeps_to_where_its_operators_are(house: Database) -> None:
    """On the second of three Wednesdays the colleague is elsewhere: that date is left out, and each is locked later."""
    book(house, Span(*(each + timedelta(days=7) for each in (span(25, 9, 11).start, span(25, 9, 11).end))), number=XRD,
         who=RESEARCHER, project_id=PUBLIC_PROJECT)  # fmt: skip
    weekly = Repeat(frequency=Frequency.WEEKLY, count=3)
    with house.write() as db:
        made = series.create(db, actor(COMPETITOR), wish(), weekly, Conflicts.SKIP, NOW)
    assert [each.code for left in made.left_out for each in left.refusals] == ["operator_elsewhere"]
    first, last = made.line.bookings
    assert {first.operator_id, last.operator_id} == {COLLEAGUE}
    # Once about both; the other is of the researcher's booking.
    assert told(house).count((COLLEAGUE, "operating_booked")) == 2
    assign(house, last, MANAGER)
    with house.write() as db:
        later = Span(first.starts_at + timedelta(hours=1), first.ends_at + timedelta(hours=1))
        moved = series.move(db, actor(COMPETITOR), first.id, later, Reach.ALL, seen_version=3, now=NOW)
    assert [each.operator_id for each in moved] == [COLLEAGUE, MANAGER]
    # The manager named themselves unasked, and hears of the move.
    assert told(house).count((MANAGER, "operating_booked")) == 1
    # One for all of them: who is there no more is told, and who is busy on one date keeps all as they are.
    with house.write() as db:
        named = series.move(
            db, actor(COMPETITOR), first.id, later, Reach.ALL, seen_version=5, now=NOW, operator_id=MANAGER
        )
    assert [each.operator_id for each in named] == [MANAGER, MANAGER]
    assert told(house).count((COLLEAGUE, "operating_cancelled")) == 2
    book(house, later, number=XRD, who=RESEARCHER, project_id=PUBLIC_PROJECT)
    with house.write() as db, pytest.raises(Refused, match="operator_elsewhere"):
        series.move(db, actor(COMPETITOR), first.id, later, Reach.ALL, seen_version=7, now=NOW, operator_id=COLLEAGUE)


def test_a_booking_that_changes_hands_keeps_its_operator(house: Database) -> None:
    booking = book(house, who=RESEARCHER, project_id=PUBLIC_PROJECT, operator_id=MANAGER)
    with house.write() as db:
        offered = exchanges.hand_over(db, actor(RESEARCHER), booking.id, COLLEAGUE, seen_version=1, now=NOW)
        taken = exchanges.accept(db, actor(COLLEAGUE), offered.id, PUBLIC_PROJECT, seen_version=1, now=NOW)
    assert (taken.person_id, taken.operator_id) == (COLLEAGUE, MANAGER)
    assert [kind for who, kind in told(house) if who == MANAGER] == ["operating_booked", "operating_booked"]


def test_nobody_takes_a_booking_that_they_operate(house: Database) -> None:
    booking = book(house, who=RESEARCHER, project_id=PUBLIC_PROJECT)
    with house.write() as db:
        offered = exchanges.hand_over(db, actor(RESEARCHER), booking.id, COLLEAGUE, seen_version=1, now=NOW)
    with house.write() as db, pytest.raises(Refused) as caught:
        exchanges.accept(db, actor(COLLEAGUE), offered.id, PUBLIC_PROJECT, seen_version=1, now=NOW)
    assert "operator_is_user" in [each.code for each in caught.value.refusals]


# ---------------------------------------------------------------- what each sees


def test_the_operator_sees_time_and_user_and_nothing_of_what_it_is_for(house: Database) -> None:
    booking = book(house)
    with house.read() as db:
        (mine,) = bookings.mine(db, actor(COMPETITOR), NOW)
        assert (mine.project, mine.booking.purpose, mine.operator) == ("DN-01", "Bí mật", "Colleague")
        (seen,) = bookings.mine(db, actor(COLLEAGUE), NOW)
        assert (seen.person, seen.project, seen.organisation_vi, seen.booking.purpose) == ("Competitor", None, None, "")
        assert (seen.booking.project_id, seen.booking.access_class) == (None, None)
        assert bookings.show(db, actor(COLLEAGUE), booking.id) == seen
        assert bookings.show(db, actor(MANAGER), booking.id).project == "DN-01"
        with pytest.raises(NotFound):
            bookings.show(db, actor(RESEARCHER), booking.id)
        week = span(23, 0, 24 * 7)
        (entry,) = calendars.calendar(db, actor(COLLEAGUE), [FESEM], week).entries[FESEM]
        assert (entry.is_own, entry.is_operator, entry.person, entry.project, entry.purpose) == (
            True, True, "Competitor", None, None,
        )  # fmt: skip
        (entry,) = calendars.calendar(db, actor(RESEARCHER), [FESEM], week).entries[FESEM]
        assert (entry.is_own, entry.is_operator, entry.person, entry.id) == (False, False, None, None)
        (line,) = modes.staffed(db, actor(MANAGER), NOW)
        assert line.operator == "Colleague"


def test_it_stands_in_the_feeds_of_both(house: Database) -> None:
    with house.write() as db:
        secrets = {who: feeds.create(db, actor(who), NOW).secret for who in (COMPETITOR, COLLEAGUE, RESEARCHER)}
    with house.read() as db:
        tag = feeds.open_feed(db, secrets[COLLEAGUE], NOW).tag
    book(house)
    with house.read() as db:
        opened = feeds.open_feed(db, secrets[COLLEAGUE], NOW)
        (event,) = map(feeds.FeedEvent._make, feeds.contents(db, opened, NOW, ()).events)
        assert opened.tag != tag
        assert (event.is_own, event.operator, event.person, event.project) == (1, "Colleague", "Competitor", None)
        (event,) = map(
            feeds.FeedEvent._make, feeds.contents(db, feeds.open_feed(db, secrets[COMPETITOR], NOW), NOW, ()).events
        )
        assert (event.operator, event.project) == ("Colleague", "DN-01")
        assert list(feeds.contents(db, feeds.open_feed(db, secrets[RESEARCHER], NOW), NOW, ()).events) == []


def test_an_operator_is_told_that_nobody_decided_also_at_the_start(house: Database) -> None:
    """The request waits until it was to begin: they would stand there."""
    with house.write() as db:
        approvals.choose(db, actor(MANAGER), "N001", "everybody", 720, NOW)
    booking = book(house)
    assert booking.hold_expires_at == booking.starts_at
    tick(house, booking.starts_at)
    assert (COLLEAGUE, "operating_cancelled") in told(house, booking.starts_at)


def test_an_operator_may_cancel_and_do_no_more(house: Database) -> None:
    booking = book(house)
    with house.write() as db, pytest.raises(Forbidden):
        bookings.move(db, actor(COLLEAGUE), booking.id, span(25, 13, 14), seen_version=1, now=NOW)
    with house.write() as db:
        gone = bookings.cancel(db, actor(COLLEAGUE), booking.id, seen_version=1, now=NOW)
    assert (gone.state, gone.late_notice) == (BookingState.CANCELLED, False)
    assert told(house) == [(COLLEAGUE, "operating_booked"), (COMPETITOR, "booking_cancelled")]


def test_whose_booking_is_cancelled_need_not_come(house: Database) -> None:
    booking = book(house)
    with house.write() as db:
        bookings.cancel(db, actor(COMPETITOR), booking.id, seen_version=1, now=NOW)
    assert told(house) == [(COLLEAGUE, "operating_booked"), (COLLEAGUE, "operating_cancelled")]


def test_whose_booking_the_centre_declines_or_leaves_undecided_need_not_come(house: Database) -> None:
    """Of what is approved nobody hears twice, and who declines it is not told of that either."""
    later = NOW + timedelta(hours=24)
    with house.write() as db:
        approvals.choose(db, actor(MANAGER), "N001", "everybody", 24, NOW)
    approved, declined, left = book(house), book(house, span(26, 9, 11)), book(house, span(27, 13, 14))
    own = book(house, span(27, 9, 11), operator_id=MANAGER)
    with house.write() as db:
        approvals.approve(db, actor(MANAGER), approved.id, seen_version=1, now=NOW)
        for each in (declined, own):
            approvals.decline(db, actor(MANAGER), each.id, seen_version=1, now=NOW, note="Hiệu chuẩn")
    heard = Counter({(COLLEAGUE, "operating_booked"): 3, (MANAGER, "operating_booked"): 1})
    assert Counter(each for each in told(house) if "operating" in each[1]) == heard + Counter(
        [(COLLEAGUE, "operating_cancelled")]
    )
    with house.write() as db:
        approvals.end(db, left.id, later)
    assert Counter(each for each in told(house, later) if "operating" in each[1]) == heard + Counter(
        {(COLLEAGUE, "operating_cancelled"): 2}
    )


def test_of_a_hold_no_operator_is_told(house: Database) -> None:
    with house.write() as db:
        held = holds.hold(db, actor(COMPETITOR), wish(), NOW)
        assert held.operator_id == COLLEAGUE
        # Nor may they end it: what somebody's form keeps is not booked.
        with pytest.raises(Forbidden):
            bookings.cancel(db, actor(COLLEAGUE), held.id, seen_version=1, now=NOW)
        bookings.cancel(db, actor(COMPETITOR), held.id, seen_version=1, now=NOW)
        assert notices_store.unread(db, COLLEAGUE) == 0


def test_what_an_operator_who_has_left_was_to_run_is_listed_and_given_back(house: Database) -> None:
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


def _again(house: Database, booking: Booking) -> Booking:
    with house.read() as db:
        return bookings.show(db, actor(MANAGER), booking.id).booking


def test_nobody_is_assigned_away_from_a_night_whose_date_was_closed_since(house: Database) -> None:
    with house.write() as db:
        run = a_booking(FESEM, span(26, 18, 20), mode=Mode.COMMISSIONED, operator_id=COLLEAGUE)
        bookings_store.add(db, [run])
        scope = Scope(ScopeKind.CENTRE, "C-ONE")
        for rule in (
            Overnight(level=1),
            DatedHours(name="Cắt điện", first=date(2026, 11, 26), last=date(2026, 11, 26)),
        ):
            booking_rules.post(db, actor(MANAGER), scope, rule, NOW)
    with pytest.raises(Refused, match="rule_staff_hours"), house.write() as db:
        service.assign(db, actor(RESEARCHER), run.id, None, seen_version=1, now=NOW)
