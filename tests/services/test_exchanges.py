"""Bookings that change hands, on both databases: nothing until it is accepted, and then all, if the rules let them."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from labshare.domain.agreements import Level, Scope, Version
from labshare.domain.booking_rules import CutOff, Holder, LockWindow, MostBookings, ScopeKind
from labshare.domain.booking_rules import Scope as Posted
from labshare.domain.bookings import Booking, BookingState
from labshare.domain.courtesy import Courtesy, Penalties
from labshare.domain.exchanges import MOST_OPEN, Exchange
from labshare.domain.notices import NoticeKind
from labshare.domain.projects import AccessClass, Activity
from labshare.domain.series import Reach, Series
from labshare.errors import NotFound, Refused, Stale, WrongState
from labshare.services import approvals, booking_rules, bookings, exchanges, moves, notices, series, wishes
from labshare.store import agreements as agreements_store
from labshare.store import bookings as bookings_store
from labshare.store import notices as notices_store
from labshare.store import person_times
from labshare.store import series as series_store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import (
    COLLEAGUE,
    COMPETITOR,
    FESEM,
    INDUSTRY_PROJECT,
    MANAGER,
    NMR,
    NOW,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    a_booking,
    actor,
    add_instrument,
    furnish,
    span,
)
from tests.shares import INDUSTRY, PUBLIC, a_rule, an_agreement, balances, load

MINE, THEIRS = span(25, 9, 11), span(26, 14, 16)


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def placed(house: Database, *new: Booking) -> None:
    with house.write() as db:
        bookings_store.add(db, new)


def of(house: Database, booking: Booking) -> Booking:
    with house.read() as db:
        return bookings_store.get(db, booking.id)


def given(house: Database, booking: Booking, to: UUID = COLLEAGUE) -> Exchange:
    with house.write() as db:
        who = actor(booking.person_id or RESEARCHER)
        return exchanges.hand_over(db, who, booking.id, to, seen_version=booking.version, now=NOW)


def swapped(house: Database, booking: Booking, instrument_id: str, moment: Any) -> Exchange:
    with house.write() as db:
        return exchanges.swap(
            db, actor(RESEARCHER), booking.id, instrument_id, moment, seen_version=booking.version, now=NOW
        )


def accepted(house: Database, exchange: Exchange, who: UUID, seen: int, project: UUID | None = None) -> Booking:
    with house.write() as db:
        return exchanges.accept(db, actor(who), exchange.id, project, seen_version=seen, now=NOW)


def letters(house: Database) -> list[tuple[UUID, str]]:
    with house.read() as db:
        return [(each.notice.person_id, each.notice.kind) for each in notices_store.due(db, NOW)]


def emailed(house: Database) -> None:
    with house.write() as db:
        db.execute(sa.update(t.persons).values(email="somebody@example.org"))


def matched(house: Database) -> list[int]:
    """The minutes that each balance counts."""
    with house.read() as db:
        return [minutes for _, minutes, _ in balances(db).values()]


# ---------------------------------------------------------------- handing over


def test_who_is_over_a_limit_already_may_give_within_it_and_not_into_it(house: Database) -> None:
    """The team has two, more than the later rule allows: whose they are within it adds nothing, and for one of them
    another instrument neither. Another team has one, and takes no second.
    """
    mine, other = a_booking(XRD, MINE), a_booking(XRD, THEIRS)
    placed(house, mine, other)
    placed(house, a_booking(XRD, span(27, 9, 10), person_id=COMPETITOR, project_id=INDUSTRY_PROJECT))
    with house.write() as db:
        add_instrument(db, 9, "C-ONE", "XRD")
        db.execute(sa.insert(t.project_members).values(project_id=INDUSTRY_PROJECT, person_id=COLLEAGUE))
        rule = MostBookings(holder=Holder.TEAM, most=1)
        booking_rules.post(db, actor(MANAGER), Posted(ScopeKind.CENTRE, "C-ONE"), rule, NOW)
    with house.write() as db:
        moved = moves.move_to(db, actor(RESEARCHER), other.id, 9, THEIRS, seen_version=1, now=NOW)
    assert moved.instrument_number == 9
    exchange = given(house, mine)
    with pytest.raises(Refused) as caught:
        accepted(house, exchange, COLLEAGUE, seen=1, project=INDUSTRY_PROJECT)
    assert [each.code for each in caught.value.refusals] == ["rule_most_bookings"]
    assert accepted(house, exchange, COLLEAGUE, seen=1, project=PUBLIC_PROJECT).person_id == COLLEAGUE


def test_a_booking_is_its_givers_until_it_is_taken(house: Database) -> None:
    booking = a_booking(XRD, MINE, purpose="phase map", series_id=None)
    placed(house, booking)
    exchange = given(house, booking)
    assert of(house, booking) == booking
    with house.read() as db:
        (line,) = exchanges.mine(db, actor(COLLEAGUE), NOW)
    assert (line.gives.instrument_id, line.gives.starts_at, line.wants) == ("N002", MINE.start, None)
    assert (line.giver, line.receiver) == ("Researcher", "Colleague")
    taken = accepted(house, exchange, COLLEAGUE, line.version, PUBLIC_PROJECT)
    assert (taken.person_id, taken.span, taken.state) == (COLLEAGUE, MINE, BookingState.CONFIRMED)
    # Within their common project what it is for goes along.
    assert (taken.project_id, taken.purpose, taken.version) == (PUBLIC_PROJECT, "phase map", 2)
    with house.read() as db:
        assert exchanges.mine(db, actor(COLLEAGUE), NOW) == exchanges.mine(db, actor(RESEARCHER), NOW) == []


def test_each_side_is_written_to(house: Database) -> None:
    emailed(house)
    booking = a_booking(XRD, MINE)
    placed(house, booking)
    exchange = given(house, booking)
    assert letters(house) == [(COLLEAGUE, "exchange_asked")]
    accepted(house, exchange, COLLEAGUE, 1, PUBLIC_PROJECT)
    assert sorted(letters(house)) == [(RESEARCHER, "exchange_accepted"), (COLLEAGUE, "exchange_asked")]


def test_who_booked_for_somebody_is_told_when_they_pass_it_on(house: Database) -> None:
    """The researcher leads the project and booked one of two for the colleague, who gives both to the manager."""
    led = a_booking(XRD, MINE, person_id=COLLEAGUE)
    own = a_booking(XRD, span(25, 14, 15), person_id=COLLEAGUE, booked_by_id=COLLEAGUE)
    placed(house, led, own)
    for booking in (led, own):
        accepted(house, given(house, booking, MANAGER), MANAGER, 1, PUBLIC_PROJECT)
    with house.read() as db:
        (told,) = notices.mine(db, actor(RESEARCHER))
        others = [each.kind for who in (COLLEAGUE, MANAGER) for each in notices.mine(db, actor(who))]
    assert (told.kind, told.page, told.until) == (NoticeKind.BOOKING_GIVEN, "/bookings", MINE.start)
    assert set(others) == {NoticeKind.EXCHANGE_ASKED, NoticeKind.EXCHANGE_ACCEPTED}


def test_a_trainer_is_led_to_what_they_may_open(house: Database) -> None:
    """The colleague takes the booking without a trainer, so its page is closed to who was one."""
    booking = a_booking(XRD, MINE, trainer_id=MANAGER)
    placed(house, booking)
    accepted(house, given(house, booking), COLLEAGUE, 1, PUBLIC_PROJECT)
    with house.read() as db:
        (told,) = notices.mine(db, actor(MANAGER))
    assert (told.kind, told.page) == (NoticeKind.TRAINING_CANCELLED, "/bookings")


def test_what_is_too_late_to_cancel_may_still_be_given_away_and_is_no_strike(house: Database) -> None:
    """Two days and an hour ahead, where four days lock, cut off and are the notice: its giver can do nothing else.
    If the colleague does not come, that is theirs.
    """
    penalties = Penalties(strikes=1, late_cancel=True)
    late = Courtesy(notice_hours=96, penalties=penalties)
    with house.write() as db:
        agreement = an_agreement(courtesy=late, covered=Scope(centres=("C-ONE",)), parties=("I-IMS",))
        agreements_store.add_version(db, Version(number=1, agreement=agreement), actor_id=None, now=NOW)
        for rule in (LockWindow(hours=96), CutOff(hours=96)):
            booking_rules.post(db, actor(MANAGER), Posted(ScopeKind.CENTRE, "C-ONE"), rule, NOW)
    booking = a_booking(XRD, MINE)
    placed(house, booking)
    with house.write() as db, pytest.raises(Refused) as refused:
        bookings.cancel(db, actor(RESEARCHER), booking.id, seen_version=1, now=NOW)
    assert [each.code for each in refused.value.refusals] == ["rule_locked"]
    taken = accepted(house, given(house, booking), COLLEAGUE, 1, PUBLIC_PROJECT)
    assert (taken.person_id, taken.span, taken.late_notice) == (COLLEAGUE, MINE, False)
    with house.write() as db:
        bookings.miss(db, actor(MANAGER), taken.id, seen_version=2, now=MINE.end)
        assert person_times.missed(db, RESEARCHER, NOW) == ()
        assert [each.id for each in person_times.missed(db, COLLEAGUE, NOW)] == [booking.id]


def test_the_rules_judge_who_gets_it(house: Database) -> None:
    """The colleague is elsewhere then; and lost the licence of the FE-SEM."""
    booking = a_booking(FESEM, MINE)
    placed(house, booking, a_booking(XRD, span(25, 10, 12), person_id=COLLEAGUE))
    with house.write() as db:
        db.execute(sa.delete(t.qualifications).where(t.qualifications.c.person_id == COLLEAGUE))
    exchange = given(house, booking)
    with pytest.raises(Refused) as refused:
        accepted(house, exchange, COLLEAGUE, 1, PUBLIC_PROJECT)
    assert {each.code for each in refused.value.refusals} == {"not_qualified", "person_elsewhere"}
    assert of(house, booking) == booking
    # It was not answered: once the rules let them, they may still take it.
    with house.write() as db:
        db.execute(sa.insert(t.qualifications).values(person_id=COLLEAGUE, instrument_number=FESEM, granted_at=NOW))
        db.execute(sa.delete(t.bookings).where(t.bookings.c.person_id == COLLEAGUE))
    assert accepted(house, exchange, COLLEAGUE, 1, PUBLIC_PROJECT).person_id == COLLEAGUE


def test_the_receivers_project_must_be_theirs(house: Database) -> None:
    booking = a_booking(XRD, MINE)
    placed(house, booking)
    exchange = given(house, booking)
    for project in (INDUSTRY_PROJECT, None):
        with pytest.raises(Refused):
            accepted(house, exchange, COLLEAGUE, 1, project)
    assert of(house, booking) == booking


def test_the_centre_approves_another_person_anew(house: Database) -> None:
    booking = a_booking(XRD, MINE)
    placed(house, booking)
    with house.write() as db:
        approvals.choose(db, actor(MANAGER), "N002", "everybody", 24, NOW)
    taken = accepted(house, given(house, booking), COLLEAGUE, 1, PUBLIC_PROJECT)
    assert taken.state is BookingState.PENDING
    assert taken.hold_expires_at == NOW + timedelta(hours=24)


def test_shares_move_with_it(house: Database, tmp_path: Path) -> None:
    """The cap counts the industry: two hours of a competitor's use, none once a public project has them."""
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule(share=Fraction(1, 2))))
        db.execute(sa.insert(t.project_members).values(project_id=PUBLIC_PROJECT, person_id=COMPETITOR))
        wish, _ = wishes.wish_of(db, actor(COMPETITOR), "N002", "DN-01", MINE, "")
        booking = bookings.book(db, actor(COMPETITOR), wish, NOW)
    assert matched(house) == [120]
    taken = accepted(house, given(house, booking), COLLEAGUE, booking.version, PUBLIC_PROJECT)
    assert taken.organisation_id == "I-IMS"
    assert matched(house) == [0]


@pytest.mark.parametrize("answer", [exchanges.decline, exchanges.withdraw])
def test_a_no_changes_nothing_and_is_the_end(house: Database, answer: Any) -> None:
    booking = a_booking(XRD, MINE)
    placed(house, booking)
    exchange = given(house, booking)
    who, stranger = (COLLEAGUE, RESEARCHER) if answer is exchanges.decline else (RESEARCHER, COLLEAGUE)
    with pytest.raises(NotFound), house.write() as db:
        answer(db, actor(stranger), exchange.id, NOW)
    with house.write() as db:
        answer(db, actor(who), exchange.id, NOW)
    assert of(house, booking) == booking
    with pytest.raises(WrongState):
        accepted(house, exchange, COLLEAGUE, 1, PUBLIC_PROJECT)
    # It may be offered again.
    given(house, booking)


def test_an_offer_runs_out_before_the_use_begins(house: Database) -> None:
    booking = a_booking(XRD, MINE)
    placed(house, booking)
    exchange = given(house, booking)
    assert exchange.answer_by == NOW + timedelta(hours=48)
    with pytest.raises(WrongState), house.write() as db:
        exchanges.accept(
            db, actor(COLLEAGUE), exchange.id, PUBLIC_PROJECT, seen_version=1, now=NOW + timedelta(hours=48)
        )


def test_what_was_moved_is_not_taken_unseen(house: Database) -> None:
    booking = a_booking(XRD, MINE)
    placed(house, booking)
    exchange = given(house, booking)
    with house.write() as db:
        bookings.move(db, actor(RESEARCHER), booking.id, THEIRS, seen_version=1, now=NOW)
    with pytest.raises(Stale):
        accepted(house, exchange, COLLEAGUE, 1, PUBLIC_PROJECT)
    assert accepted(house, exchange, COLLEAGUE, 2, PUBLIC_PROJECT).span == THEIRS


def test_a_booking_is_promised_once_and_only_to_colleagues(house: Database) -> None:
    booking = a_booking(XRD, MINE)
    placed(house, booking)
    with pytest.raises(NotFound):
        given(house, booking, COMPETITOR)
    given(house, booking)
    with pytest.raises(Refused) as refused:
        given(house, booking, MANAGER)
    assert [each.code for each in refused.value.refusals] == ["exchange_stands"]


def test_nobody_asks_for_more_than_a_few_answers(house: Database) -> None:
    many = [a_booking(XRD, span(25, hour, hour + 1)) for hour in range(MOST_OPEN + 1)]
    placed(house, *many)
    for each in many[:MOST_OPEN]:
        given(house, each)
    with pytest.raises(Refused) as refused:
        given(house, many[-1])
    assert [each.code for each in refused.value.refusals] == ["exchange_too_many"]
    # What is cancelled waits for nobody.
    with house.write() as db:
        bookings.cancel(db, actor(RESEARCHER), many[0].id, seen_version=1, now=NOW)
    given(house, many[-1])


def test_nobody_gives_what_is_not_theirs(house: Database) -> None:
    booking = a_booking(XRD, MINE)
    placed(house, booking)
    for who in (COLLEAGUE, MANAGER):
        with pytest.raises(NotFound), house.write() as db:
            exchanges.hand_over(db, actor(who), booking.id, RESEARCHER, seen_version=1, now=NOW)


def test_a_booking_that_is_given_away_leaves_its_series(house: Database) -> None:
    """Two at version 1 make 2. One leaves (1 + 1 stay counted), the other is described (2): 4, and never 2 again."""
    series_id = UUID(int=77)
    made = Series(
        id=series_id, instrument_number=XRD, person_id=RESEARCHER, rrule="FREQ=DAILY", starts_at=MINE.start,
        ends_at=MINE.end, created_at=NOW,
    )  # fmt: skip
    first, second = (a_booking(XRD, when, series_id=series_id) for when in (MINE, THEIRS))
    with house.write() as db:
        series_store.add(db, made)
    placed(house, first, second)
    assert accepted(house, given(house, first), COLLEAGUE, 1, PUBLIC_PROJECT).series_id is None
    with house.write() as db:
        bookings.describe(db, actor(RESEARCHER), second.id, "phase map", seen_version=1, now=NOW)
        assert series.show(db, actor(RESEARCHER), series_id).version == 4
    with pytest.raises(Stale), house.write() as db:
        series.cancel(db, actor(RESEARCHER), second.id, Reach.ALL, seen_version=2, now=NOW)
    # Of a series that nobody has a booking of any more, a stranger learns nothing either.
    accepted(house, given(house, of(house, second)), COLLEAGUE, 2, PUBLIC_PROJECT)
    for stranger in (COMPETITOR, COLLEAGUE):
        with pytest.raises(NotFound), house.read() as db:
            series.show(db, actor(stranger), series_id)
    with house.read() as db:
        assert series.show(db, actor(RESEARCHER), series_id).bookings == ()


def test_who_is_disabled_is_nobodys_colleague(house: Database) -> None:
    with house.write() as db:
        db.execute(sa.update(t.persons).where(t.persons.c.id == COLLEAGUE).values(disabled_at=NOW))
        assert [each.name_vi for each in exchanges.colleagues(db, actor(RESEARCHER))] == ["Manager"]


# ---------------------------------------------------------------- swapping


def test_two_swap_their_slots_with_what_they_do_in_them(house: Database) -> None:
    mine = a_booking(XRD, MINE, purpose="mine")
    theirs = a_booking(
        FESEM, THEIRS, person_id=COMPETITOR, project_id=INDUSTRY_PROJECT, organisation_id="O-CO", purpose="theirs"
    )
    placed(house, mine, theirs)
    exchange = swapped(house, mine, "N001", THEIRS.start)
    taken = accepted(house, exchange, COMPETITOR, 2)
    assert (taken.id, taken.person_id, taken.project_id, taken.purpose) == (
        mine.id, COMPETITOR, INDUSTRY_PROJECT, "theirs",
    )  # fmt: skip
    other = of(house, theirs)
    assert (other.person_id, other.project_id, other.purpose, other.span) == (
        RESEARCHER, PUBLIC_PROJECT, "mine", THEIRS,
    )  # fmt: skip


def test_on_one_instrument_at_overlapping_hours_one_person_is_still_in_one_place(house: Database) -> None:
    """Each is elsewhere in the slot that they leave, and in no other."""
    mine, theirs = a_booking(XRD, MINE), a_booking(NMR, MINE, person_id=COLLEAGUE)
    placed(house, mine, theirs)
    accepted(house, swapped(house, mine, "N003", MINE.start), COLLEAGUE, 2)
    assert (of(house, mine).person_id, of(house, theirs).person_id) == (COLLEAGUE, RESEARCHER)


def test_who_asks_learns_nothing_of_whom_they_ask(house: Database) -> None:
    """The NMR is cleaned for 30 minutes: who asks sees the hours that a calendar shows, who is asked their own."""
    theirs = a_booking(
        NMR, THEIRS, person_id=COMPETITOR, project_id=INDUSTRY_PROJECT,
        occupied_until=THEIRS.end + timedelta(minutes=30),
    )  # fmt: skip
    mine = a_booking(XRD, MINE)
    placed(house, mine, theirs)
    swapped(house, mine, "N003", THEIRS.end + timedelta(minutes=10))
    with house.read() as db:
        (asked,) = exchanges.mine(db, actor(RESEARCHER), NOW)
        (got,) = exchanges.asked_of(db, actor(COMPETITOR), NOW)
    assert asked.wants is not None
    assert got.wants is not None
    assert (asked.receiver, asked.wants.ends_at) == (None, THEIRS.end + timedelta(minutes=30))
    assert (got.giver, got.wants.ends_at) == ("Researcher", THEIRS.end)


def test_what_the_rules_say_of_the_other_is_not_told(house: Database) -> None:
    """The researcher has another use at the colleague's time; the colleague hears that it cannot be, and no more."""
    mine, theirs = a_booking(XRD, MINE), a_booking(XRD, THEIRS, person_id=COLLEAGUE)
    placed(house, mine, theirs, a_booking(NMR, THEIRS))
    exchange = swapped(house, mine, "N002", THEIRS.start)
    with pytest.raises(Refused) as refused:
        accepted(house, exchange, COLLEAGUE, 2)
    assert [(each.code, each.params) for each in refused.value.refusals] == [("exchange_other_refused", {})]
    assert (of(house, mine), of(house, theirs)) == (mine, theirs)


def test_a_share_says_which_of_the_two_is_in_its_way(house: Database, tmp_path: Path) -> None:
    """The researcher may have nothing of the NMR, industry nothing of the FE-SEM. Of their own side whoever accepts is
    told the rule, of the other's nothing but that there is one.
    """
    own = {"person_id": COMPETITOR, "project_id": INDUSTRY_PROJECT, "organisation_id": "O-CO",
           "access_class": AccessClass.INDUSTRY, "activity": Activity.ECONOMIC}  # fmt: skip
    none_of = [
        a_rule(id="r01", share=Fraction(0), who=PUBLIC, where=Scope(instruments=("N003",)), level=Level.SCOPE),
        a_rule(id="r02", share=Fraction(0), who=INDUSTRY, where=Scope(instruments=("N001",)), level=Level.SCOPE),
    ]
    with house.write() as db:
        load(db, tmp_path, an_agreement(*none_of))
    first, second, third = a_booking(XRD, MINE), a_booking(FESEM, span(25, 14, 16)), a_booking(FESEM, span(27, 9, 10))
    theirs = a_booking(NMR, THEIRS, **own)
    elsewhere = a_booking(XRD, span(30, 9, 10), **own)
    placed(house, first, second, third, theirs, elsewhere)
    said: list[list[str]] = []
    for mine, instrument_id, other in ((first, "N003", theirs), (second, "N002", elsewhere), (third, "N003", theirs)):
        exchange = swapped(house, mine, instrument_id, other.starts_at)
        with pytest.raises(Refused) as refused:
            accepted(house, exchange, COMPETITOR, 2)
        said.append([each.code for each in refused.value.refusals])
    told = "agreement_cap_private"
    assert said == [["exchange_other_refused"], [told], [told, "exchange_other_refused"]]


def test_there_is_nobody_to_swap_with(house: Database) -> None:
    """Free time, a block, one's own, and one of several at a time."""
    mine, own = a_booking(XRD, MINE), a_booking(XRD, THEIRS)
    held = a_booking(NMR, THEIRS, person_id=COLLEAGUE, state=BookingState.HELD)
    two = [a_booking(FESEM, THEIRS, person_id=who, unit=unit) for unit, who in enumerate((COLLEAGUE, COMPETITOR))]
    with house.write() as db:
        db.execute(sa.update(t.instruments).where(t.instruments.c.number == FESEM).values(capacity=2))
    placed(house, mine, own, held, *two)
    for instrument_id, moment in (
        ("N001", MINE.start), ("N002", THEIRS.start), ("N003", THEIRS.start), ("N001", THEIRS.start),
    ):  # fmt: skip
        with pytest.raises(Refused) as refused:
            swapped(house, mine, instrument_id, moment)
        assert [each.code for each in refused.value.refusals] == ["exchange_no_holder"]


def test_a_swap_is_over_when_the_other_has_no_such_booking_any_more(house: Database) -> None:
    mine, theirs = a_booking(XRD, MINE), a_booking(NMR, THEIRS, person_id=COLLEAGUE)
    placed(house, mine, theirs)
    exchange = swapped(house, mine, "N003", THEIRS.start)
    with house.write() as db:
        bookings.cancel(db, actor(COLLEAGUE), theirs.id, seen_version=1, now=NOW)
    with house.read() as db:
        assert exchanges.mine(db, actor(RESEARCHER), NOW) == []
    with pytest.raises(WrongState):
        accepted(house, exchange, COLLEAGUE, 3)
    assert of(house, mine) == mine


def test_nobody_gets_another_time_than_they_asked_for(house: Database) -> None:
    """The colleague moves theirs from the afternoon to early the next day before they say yes."""
    mine, theirs = a_booking(XRD, MINE), a_booking(NMR, THEIRS, person_id=COLLEAGUE)
    placed(house, mine, theirs)
    exchange = swapped(house, mine, "N003", THEIRS.start)
    with house.write() as db:
        bookings.move(db, actor(COLLEAGUE), theirs.id, span(27, 8, 9), seen_version=1, now=NOW)
    with house.read() as db:
        assert exchanges.mine(db, actor(RESEARCHER), NOW) == exchanges.mine(db, actor(COLLEAGUE), NOW) == []
    with pytest.raises(WrongState):
        accepted(house, exchange, COLLEAGUE, 3)
    assert of(house, mine) == mine
    # It is promised to nobody, and may be offered again.
    assert accepted(house, given(house, mine), COLLEAGUE, 1, PUBLIC_PROJECT).person_id == COLLEAGUE


def test_who_may_not_book_any_more_gets_nothing_by_a_swap(house: Database) -> None:
    mine, theirs = a_booking(XRD, MINE), a_booking(NMR, THEIRS, person_id=COLLEAGUE)
    placed(house, mine, theirs)
    exchange = swapped(house, mine, "N003", THEIRS.start)
    with house.write() as db:
        db.execute(sa.delete(t.grants).where(t.grants.c.person_id == RESEARCHER))
    with pytest.raises(WrongState):
        accepted(house, exchange, COLLEAGUE, 2)
    assert (of(house, mine), of(house, theirs)) == (mine, theirs)
