"""The booking rules of centres at work, on both databases: each alone, in a race, and passed by a manager.

Centre One has the FE-SEM and the XRD, Centre Two the NMR, open Monday to Friday 08:00-18:00. It is Monday 23 November
2026, 08:00; Tuesday 24 is a public holiday.
"""

from __future__ import annotations

import threading
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa

from labshare.domain.booking_rules import (
    Advance,
    BookingRule,
    Changeover,
    CutOff,
    DatedHours,
    Granularity,
    Holder,
    Length,
    LockWindow,
    MostBookings,
    MostMinutes,
    NoShows,
    Overnight,
    PrimeLimit,
    Scope,
    ScopeKind,
    ShortNotice,
)
from labshare.domain.bookings import Booking, BookingState, Wish
from labshare.domain.modes import Mode
from labshare.domain.series import Conflicts, Frequency, Reach, Repeat
from labshare.domain.timespan import Span
from labshare.errors import Forbidden, Malformed, Refusal, Refused, TimeTaken
from labshare.sentences import sentence
from labshare.services import booking_rules as rules_service
from labshare.services import booking_warnings, calendars, exchanges, free_times, series
from labshare.services import bookings as service
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
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    a_booking,
    actor,
    add_instrument,
    at,
    counted,
    furnish,
    span,
)
from tests.round_of import close, open_round, queue
from tests.round_of import span as monday

CENTRE = Scope(ScopeKind.CENTRE, "C-ONE")
REASON = "Sample decays before Friday"


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def posted(house: Database, rule: BookingRule, scope: Scope = CENTRE, who: UUID = ADMINISTRATOR) -> UUID:
    with house.write() as db:
        return rules_service.post(db, actor(who), scope, rule, NOW).id


def end(house: Database, rule_id: UUID) -> None:
    with house.write() as db:
        rules_service.end(db, actor(ADMINISTRATOR), rule_id, NOW)


def book(house: Database, number: int, when: Span, who: UUID = RESEARCHER, now: datetime = NOW, **more: Any) -> Booking:
    project = INDUSTRY_PROJECT if who == COMPETITOR else PUBLIC_PROJECT
    values: dict[str, Any] = {"instrument_number": number, "span": when, "project_id": project}
    with house.write() as db:
        return service.book(db, actor(who), Wish(**(values | more)), now)


def refused(house: Database, number: int, when: Span, who: UUID = RESEARCHER, **more: Any) -> Refusal:
    with pytest.raises(Refused) as caught:
        book(house, number, when, who, **more)
    (refusal,) = caught.value.refusals
    return refusal


def move(house: Database, booking: Booking, when: Span, who: UUID = RESEARCHER, **more: Any) -> Booking:
    with house.write() as db:
        return service.move(db, actor(who), booking.id, when, seen_version=booking.version, now=NOW, **more)


def put(house: Database, *some: Booking) -> None:
    with house.write() as db:
        store.add(db, some)


# ---------------------------------------------------------------- limits


def test_a_person_has_no_more_bookings_ahead_than_the_limit_says(house: Database) -> None:
    """Two are allowed in Centre One; Centre Two does not count them, and another person has two of their own."""
    posted(house, MostBookings(holder=Holder.PERSON, most=2))
    first = book(house, XRD, span(25, 8, 9))
    book(house, FESEM, span(25, 9, 10))
    refusal = refused(house, XRD, span(25, 10, 11))
    assert (refusal.code, refusal.params["most"], refusal.params["taken"]) == ("rule_most_bookings", 2, 2)
    book(house, NMR, span(25, 10, 11))
    book(house, XRD, span(25, 10, 11), COLLEAGUE)
    with house.write() as db:
        service.cancel(db, actor(RESEARCHER), first.id, seen_version=1, now=NOW)
    book(house, XRD, span(25, 11, 12))


def test_held_and_pending_uses_count_and_what_has_ended_or_lapsed_does_not(house: Database) -> None:
    """Held until ten, pending, and one under way make three; a hold that lapsed, one that ended, one of a plan none."""
    later, before = NOW + timedelta(hours=2), NOW - timedelta(hours=2)
    posted(house, MostBookings(holder=Holder.PERSON, most=4))
    put(
        house,
        a_booking(XRD, span(25, 8, 9), state=BookingState.HELD, hold_expires_at=later),
        a_booking(XRD, span(25, 9, 10), state=BookingState.PENDING),
        a_booking(XRD, Span(before, later)),
        a_booking(XRD, span(26, 8, 9), state=BookingState.HELD, hold_expires_at=NOW),
        a_booking(XRD, Span(before - timedelta(hours=1), before)),
        a_booking(XRD, span(26, 9, 10), state=BookingState.CANCELLED),
    )
    book(house, XRD, span(25, 10, 11))
    assert refused(house, XRD, span(25, 11, 12)).params["taken"] == 4


def test_the_bookings_of_a_class_are_counted_and_not_told(house: Database) -> None:
    posted(house, MostBookings(holder=Holder.ACCESS_CLASS, most=1))
    book(house, XRD, span(25, 8, 10))
    refusal = refused(house, FESEM, span(25, 8, 10), COLLEAGUE)
    assert refusal.code == "rule_most_bookings_class"
    assert {**refusal.params} == {"holder": "access_class", "rule_scope": "centre", "most": 1}


def test_what_somebody_else_has_of_a_limit_is_told_where_one_sees_their_bookings(house: Database) -> None:
    """A manager books for a company, which has a booking at another centre that a rule of a group counts too; all of a
    rule of their own centre they see.
    """
    with house.write() as db:
        add_instrument(db, 10, "C-TWO", "FESEM")
    book(house, 10, span(25, 8, 10), COMPETITOR)
    theirs = {"person_id": COMPETITOR, "project_id": INDUSTRY_PROJECT}
    for holder in (Holder.PERSON, Holder.TEAM, Holder.ORGANISATION):
        rule_id = posted(house, MostBookings(holder=holder, most=1), Scope(ScopeKind.GROUP, "FESEM"))
        refusal = refused(house, FESEM, span(25, 10, 12), MANAGER, **theirs)
        assert refusal.code == "rule_most_bookings_others"
        assert {**refusal.params} == {"holder": holder.value, "rule_scope": "group", "most": 1}
        for who in (COMPETITOR, ADMINISTRATOR):
            assert refused(house, FESEM, span(25, 10, 12), who, **theirs).params["taken"] == 1
        end(house, rule_id)
    posted(house, MostMinutes(holder=Holder.ORGANISATION, most_minutes=60, within_days=9))
    refusal = refused(house, FESEM, span(25, 10, 12), MANAGER, **theirs)
    assert (refusal.code, refusal.params["taken_minutes"]) == ("rule_most_minutes", 0)


def test_a_leader_is_told_what_their_team_has_and_not_what_a_member_has_elsewhere(house: Database) -> None:
    theirs = {"person_id": COLLEAGUE, "project_id": PUBLIC_PROJECT}
    rule_id = posted(house, MostMinutes(holder=Holder.PERSON, most_minutes=60, within_days=9))
    refusal = refused(house, XRD, span(25, 10, 12), RESEARCHER, **theirs)
    assert (refusal.code, "taken_minutes" in refusal.params) == ("rule_most_minutes_others", False)
    end(house, rule_id)
    posted(house, MostMinutes(holder=Holder.TEAM, most_minutes=60, within_days=9))
    assert refused(house, XRD, span(25, 10, 12), RESEARCHER, **theirs).params["taken_minutes"] == 0


def test_what_a_round_gave_counts_for_nobody(house: Database) -> None:
    """A session of a plan leaves the limit as it was, and moves though the limit is full."""
    with house.write() as db:
        session = a_booking(XRD, span(25, 8, 9), plan_id=queue(db, close(db, open_round(db))).id)
        store.add(db, [session])
    posted(house, MostBookings(holder=Holder.PERSON, most=1))
    book(house, XRD, span(25, 9, 10))
    assert refused(house, XRD, span(25, 11, 12)).params["taken"] == 1
    move(house, session, span(25, 12, 13))


def test_a_limit_of_days_counts_what_begins_within_them(house: Database) -> None:
    """Two days from now end on Wednesday at eight."""
    posted(house, MostBookings(holder=Holder.PERSON, most=1, within_days=2))
    book(house, XRD, span(23, 10, 11))
    assert refused(house, XRD, span(23, 12, 13)).code == "rule_most_bookings"
    book(house, XRD, span(25, 8, 9))
    book(house, XRD, span(25, 9, 10))


@pytest.mark.parametrize(
    ("holder", "colleague", "competitor"),
    [
        (Holder.TEAM, False, True),
        (Holder.ORGANISATION, False, True),
        (Holder.ACCESS_CLASS, False, True),
        (Holder.PERSON, True, True),
    ],
)
def test_minutes_ahead_are_counted_for_their_holder(
    house: Database, holder: Holder, colleague: bool, competitor: bool
) -> None:
    """Of three hours the researcher takes two; a colleague of the same team, institute and class has one left."""
    posted(house, MostMinutes(holder=holder, most_minutes=180))
    book(house, XRD, span(25, 8, 10))
    if colleague:
        book(house, FESEM, span(25, 8, 10), COLLEAGUE)
    else:
        refusal = refused(house, FESEM, span(25, 8, 10), COLLEAGUE)
        # What others of a class have, companies among them, is told to nobody.
        told = () if holder is Holder.ACCESS_CLASS else ("taken_minutes",)
        assert refusal.code == "rule_most_minutes" + ("" if told else "_class")
        minutes = {name: value for name, value in refusal.params.items() if name.endswith("_minutes")}
        assert minutes == {"most_minutes": 180, "wish_minutes": 120} | dict.fromkeys(told, 120)
        book(house, FESEM, span(25, 8, 9), COLLEAGUE)
    if competitor:
        book(house, XRD, span(25, 12, 14), COMPETITOR)


def test_a_group_reaches_over_centres(house: Database) -> None:
    with house.write() as db:
        add_instrument(db, 9, "C-TWO", "XRD")
    posted(house, MostBookings(holder=Holder.PERSON, most=1), Scope(ScopeKind.GROUP, "XRD"))
    book(house, XRD, span(25, 8, 9))
    assert refused(house, 9, span(25, 9, 10)).params["rule_scope"] == "group"
    book(house, FESEM, span(25, 9, 10))


def test_wishes_of_one_call_count_together(house: Database) -> None:
    posted(house, MostBookings(holder=Holder.PERSON, most=2))
    wishes = [Wish(instrument_number=XRD, span=span(day, 8, 9), project_id=PUBLIC_PROJECT) for day in (25, 26, 27)]
    with house.write() as db, pytest.raises(Refused) as caught:
        service.book_all(db, actor(RESEARCHER), wishes, NOW)
    assert [(each.code, each.params["item"]) for each in caught.value.refusals] == [("rule_most_bookings", 2)]


def test_a_move_is_refused_for_what_it_adds_alone(house: Database) -> None:
    """Four hours stand when two become the limit: they may become shorter and move, and not longer."""
    booking = book(house, XRD, span(25, 8, 12))
    posted(house, MostMinutes(holder=Holder.PERSON, most_minutes=120))
    with pytest.raises(Refused):
        move(house, booking, span(25, 8, 13))
    moved = move(house, booking, span(26, 8, 11))
    assert moved.ends_at == at(26, 11)


def test_what_begins_soon_is_free_of_the_limits_of_its_scope(house: Database) -> None:
    """Six hours from now is two in the afternoon; the limit of the instrument alone still stands."""
    posted(house, MostBookings(holder=Holder.PERSON, most=1))
    posted(house, ShortNotice(hours=6))
    book(house, XRD, span(25, 8, 9))
    assert refused(house, XRD, span(23, 15, 16)).code == "rule_most_bookings"
    book(house, XRD, span(23, 14, 15))
    posted(house, MostBookings(holder=Holder.PERSON, most=1), Scope(ScopeKind.INSTRUMENT, "N002"))
    assert refused(house, XRD, span(23, 13, 14)).params["rule_scope"] == "instrument"


def test_what_was_taken_at_short_notice_does_not_move_to_where_the_limit_holds(house: Database) -> None:
    """One is allowed, and one more six hours ahead: it moves within these, and next week only in place of the other."""
    posted(house, MostBookings(holder=Holder.PERSON, most=1))
    posted(house, ShortNotice(hours=6))
    other = book(house, XRD, span(25, 8, 9))
    soon = move(house, book(house, XRD, span(23, 14, 15)), span(23, 13, 14))
    with pytest.raises(Refused, match="rule_most_bookings"):
        move(house, soon, span(26, 8, 9))
    with house.write() as db:
        service.cancel(db, actor(RESEARCHER), other.id, seen_version=1, now=NOW)
    assert move(house, soon, span(26, 8, 9)).span == span(26, 8, 9)


def test_prime_time_is_limited_outside_of_any_agreement(house: Database) -> None:
    """Two hours a day at both instruments together: after one of them, one is left."""
    posted(house, PrimeLimit(hours="Mon-Fri 08:00-12:00", day_minutes=120))
    book(house, XRD, span(25, 8, 9))
    refusal = refused(house, FESEM, span(25, 9, 11))
    assert (refusal.code, refusal.params["until"]) == ("courtesy_prime_day", at(25, 10).isoformat())
    book(house, NMR, span(25, 9, 10))
    book(house, FESEM, span(25, 11, 13))
    assert refused(house, XRD, span(25, 10, 11)).code == "courtesy_prime_day_full"


@pytest.mark.parametrize("who", [MANAGER, COLLEAGUE])
def test_who_books_for_somebody_else_is_not_told_what_they_have_of_prime_time(house: Database, who: UUID) -> None:
    """Nor what is left of it, which says as much."""
    posted(house, PrimeLimit(hours="Mon-Fri 08:00-12:00", day_minutes=120))
    book(house, XRD, span(25, 8, 9), COLLEAGUE)
    wish = Wish(instrument_number=XRD, span=span(25, 9, 11), person_id=COLLEAGUE, project_id=PUBLIC_PROJECT)
    with pytest.raises(Refused) as caught, house.write() as db:
        service.book(db, actor(who), wish, NOW)
    (refusal,) = caught.value.refusals
    amounts = {name: value for name, value in refusal.params.items() if name != "opening"}
    if who == COLLEAGUE:
        assert (refusal.code, amounts["taken_minutes"]) == ("courtesy_prime_day", 60)
    else:
        assert (refusal.code, amounts) == ("courtesy_prime_day_others", {"limit_minutes": 120, "wish_minutes": 120})
        assert "2 giờ" in sentence(refusal)


def missed(house: Database, number: int, start: datetime, who: UUID = RESEARCHER, **changes: Any) -> Booking:
    """A booking of an hour to which its person did not come."""
    state = BookingState.NO_SHOW
    booking = a_booking(number, Span(start, start + timedelta(hours=1)), person_id=who, **({"state": state} | changes))
    put(house, booking)
    return booking


NO_SHOWS = NoShows(strikes=2, within_days=30, block_days=10)


def test_who_did_not_come_too_often_books_nothing_there_for_some_days(house: Database) -> None:
    """Missed on Wednesday 25 and Thursday 26: barred for ten days from the second, until 09:00 on 6 December."""
    posted(house, NO_SHOWS)
    missed(house, XRD, at(25, 9))
    stands = book(house, FESEM, span(27, 8, 9))
    missed(house, FESEM, at(26, 9))
    later, until = at(27, 9), at(26, 9) + timedelta(days=10)
    with pytest.raises(Refused) as caught:
        book(house, XRD, span(30, 9, 10), now=later)
    (refusal,) = caught.value.refusals
    params = {"strikes": 2, "within_days": 30, "until": until.isoformat(), "rule_scope": "centre"}
    assert (refusal.code, refusal.params) == ("rule_no_shows", params)
    assert "Sau 2 lần đặt mà không đến trong 30 ngày" in sentence(refusal)
    # What stands already keeps its time, with other words.
    assert move(house, stands, stands.span, purpose="phase map").purpose == "phase map"
    # Centre Two has no such rule, another person has missed nothing, and who manages the calendar may pass it.
    book(house, NMR, span(30, 9, 10), now=later)
    book(house, XRD, span(30, 9, 10), COLLEAGUE, now=later)
    with house.write() as db:
        wish = Wish(instrument_number=XRD, span=span(30, 10, 11), person_id=RESEARCHER, project_id=PUBLIC_PROJECT)
        passed = msgspec.structs.replace(wish, override=REASON)
        assert service.book(db, actor(MANAGER), passed, later).override_reason == REASON
    assert book(house, XRD, Span(until + timedelta(days=1), until + timedelta(days=1, hours=1)), now=until)


def test_what_was_missed_elsewhere_before_the_rule_or_given_back_is_no_strike_of_it(house: Database) -> None:
    """Of four only one is a strike of the rule of Centre One: the last."""
    missed(house, XRD, NOW - timedelta(days=3))
    posted(house, NO_SHOWS)
    missed(house, NMR, at(25, 9))
    missed(house, XRD, at(25, 11), state=BookingState.CANCELLED, late_notice=True)
    missed(house, XRD, at(26, 9))
    assert book(house, XRD, span(30, 9, 10), now=at(27, 9)).state is BookingState.CONFIRMED


def test_no_time_is_offered_to_who_is_barred(house: Database) -> None:
    """Neither by a search nor as a suggestion, and again once the bar is over."""
    posted(house, NO_SHOWS)
    for day in (25, 26):
        missed(house, XRD, at(day, 9))
    sought = free_times.Sought(minutes=60, dates=(date(2026, 11, 30), date(2026, 12, 7)), number=XRD)
    wish = Wish(instrument_number=XRD, span=span(30, 9, 10), person_id=RESEARCHER, project_id=PUBLIC_PROJECT)
    with house.read() as db:
        assert free_times.find(db, actor(RESEARCHER), sought, at(27, 9)).days == ()
        assert free_times.suggest(db, wish, at(27, 9)) == []
        assert len(free_times.find(db, actor(COLLEAGUE), sought, at(27, 9)).days) == 2
        over = at(26, 9) + timedelta(days=10)
        assert [each.date.day for each in free_times.find(db, actor(RESEARCHER), sought, over).days] == [7]


def test_a_centre_without_agreements_writes_down_that_nobody_came_and_its_user_reads_what_follows(
    house: Database,
) -> None:
    """The rule waits 30 minutes. After the first of two its user is warned, there and where they book again; after
    the second they read until when; nobody else reads any of it.
    """
    first = book(house, XRD, span(25, 9, 10))
    with house.write() as db, pytest.raises(Refused) as caught:
        service.miss(db, actor(MANAGER), first.id, seen_version=1, now=at(25, 9, 31))
    assert [each.code for each in caught.value.refusals] == ["no_show_without_clause"]
    posted(house, NO_SHOWS)
    with house.write() as db, pytest.raises(Refused) as caught:
        service.miss(db, actor(MANAGER), first.id, seen_version=1, now=at(25, 9, 30))
    assert [(each.code, each.params) for each in caught.value.refusals] == [("no_show_too_early", {"late_minutes": 30})]
    with house.write() as db:
        first = service.miss(db, actor(MANAGER), first.id, seen_version=1, now=at(25, 9, 31))
    again = book(house, XRD, span(26, 9, 10), now=at(25, 10))
    other = book(house, XRD, span(26, 10, 11), COLLEAGUE, now=at(25, 10))
    so_far = {"taken": 1, "strikes": 2, "within_days": 30, "block_days": 10, "rule_scope": "centre"}
    with house.write() as db:
        for each in (first, again):
            (said,) = booking_warnings.warnings(db, actor(RESEARCHER), each, at(25, 10))
            assert (said.code, said.params) == ("no_shows_so_far", so_far)
            assert booking_warnings.warnings(db, actor(MANAGER), each, at(25, 10)) == ()
        assert booking_warnings.warnings(db, actor(COLLEAGUE), other, at(25, 10)) == ()
        again = service.miss(db, actor(MANAGER), again.id, seen_version=1, now=at(26, 10))
        assert [each.code for each in booking_warnings.warnings(db, actor(RESEARCHER), again, at(26, 10))] == [
            "rule_no_shows"
        ]
        # Thirty days after the second nothing is left to tell.
        assert booking_warnings.warnings(db, actor(RESEARCHER), again, at(26, 9) + timedelta(days=30)) == ()


# ---------------------------------------------------------------- when


def test_nothing_is_booked_later_than_the_cut_off(house: Database) -> None:
    posted(house, CutOff(hours=4))
    assert refused(house, XRD, span(23, 11, 12)).params == {"hours": 4}
    booking = book(house, XRD, span(23, 12, 13))
    with pytest.raises(Refused):
        move(house, booking, span(23, 11, 12))
    move(house, booking, span(23, 13, 14))


def test_nothing_is_booked_further_ahead_than_the_centre_posted(house: Database) -> None:
    """Three days from Monday 23 November, 08:00, end on Thursday at 08:00; the instrument itself allows more."""
    book(house, XRD, span(26, 9, 10))
    posted(house, Advance(days=3))
    book(house, XRD, span(25, 9, 10))
    found = refused(house, XRD, span(26, 10, 11))
    assert (found.code, found.params) == ("too_far_ahead", {"days": 3, "until": at(26, 8).isoformat()})
    book(house, XRD, span(26, 10, 11), MANAGER, person_id=RESEARCHER, override="khách từ xa đến")
    with house.read() as db:
        wish = Wish(instrument_number=XRD, span=span(26, 12, 13), person_id=RESEARCHER, project_id=PUBLIC_PROJECT)
        offers = free_times.suggest(db, wish, NOW)
    assert offers
    assert all(each.end <= at(26, 8) for each in offers)


def test_calendars_and_boards_know_the_cut_off(house: Database) -> None:
    posted(house, CutOff(hours=4), Scope(ScopeKind.INSTRUMENT, "N002"))
    reader, day = actor(RESEARCHER), span(25, 0, 24)
    with house.read() as db:
        assert calendars.calendar(db, reader, [FESEM, XRD], day).cut_off == {XRD: 4}
        assert calendars.board(db, reader, "C-ONE", day).cut_off == {XRD: 4}
        assert calendars.occupancy(db, reader, "C-ONE", day).cut_off == {XRD: 4}


def test_calendars_boards_and_searches_know_how_far_ahead_is_booked(house: Database) -> None:
    """Two days from Monday 08:00: a rule that reaches further than the instrument's own 60 days says nothing."""
    posted(house, Advance(days=100))
    posted(house, Advance(days=2), Scope(ScopeKind.INSTRUMENT, "N002"))
    reader, day = actor(RESEARCHER), span(25, 0, 24)
    with house.read() as db:
        assert calendars.calendar(db, reader, [FESEM, XRD], day).furthest == {XRD: 2}
        assert calendars.board(db, reader, "C-ONE", day).furthest == {XRD: 2}
        assert calendars.occupancy(db, reader, "C-ONE", day).furthest == {XRD: 2}
        sought = free_times.Sought(minutes=60, dates=(date(2026, 11, 23), date(2026, 11, 26)), number=XRD)
        assert [each.date.day for each in free_times.find(db, reader, sought, NOW).days] == [23]


def test_a_use_that_is_too_near_to_be_booked_may_still_become_shorter(house: Database) -> None:
    booking = book(house, XRD, span(23, 10, 12))
    posted(house, CutOff(hours=4))
    assert move(house, booking, span(23, 10, 11)).ends_at == at(23, 11)


def test_within_the_lock_window_only_managers_move_and_cancel(house: Database) -> None:
    near, far = book(house, XRD, span(23, 12, 13)), book(house, XRD, span(23, 13, 14))
    posted(house, LockWindow(hours=5))
    with house.write() as db, pytest.raises(Refused) as caught:
        service.cancel(db, actor(RESEARCHER), near.id, seen_version=1, now=NOW)
    assert [(each.code, each.params) for each in caught.value.refusals] == [("rule_locked", {"hours": 5})]
    with pytest.raises(Refused):
        move(house, near, span(25, 12, 13))
    with house.write() as db:
        assert service.describe(db, actor(RESEARCHER), near.id, "Alloy", seen_version=1, now=NOW).version == 2
        service.cancel(db, actor(MANAGER), near.id, seen_version=2, now=NOW)
        service.cancel(db, actor(RESEARCHER), far.id, seen_version=1, now=NOW)


def test_a_date_may_be_closed_or_have_other_hours(house: Database) -> None:
    """Wednesday is closed, Thursday ends at noon, and the holiday of Tuesday is worked in the afternoon."""
    posted(house, DatedHours(name="Power cut", first=date(2026, 11, 25), last=date(2026, 11, 25)))
    noon = DatedHours(name="Inspection", first=date(2026, 11, 26), last=date(2026, 11, 26), hours="08:00-12:00")
    posted(house, noon)
    swap = DatedHours(name="Swap", first=date(2026, 11, 24), last=date(2026, 11, 24), hours="13:00-17:00")
    posted(house, swap, Scope(ScopeKind.INSTRUMENT, "N002"))
    refusal = refused(house, XRD, span(25, 9, 10))
    assert (refusal.code, refusal.params) == ("closed_on_date", {"date": "2026-11-25", "name": "Power cut"})
    assert refused(house, XRD, span(26, 11, 13)).code == "closed_on_date_hours"
    book(house, XRD, span(26, 10, 12))
    book(house, XRD, span(24, 13, 17))
    assert refused(house, FESEM, span(24, 13, 17), COLLEAGUE).code == "closed"


def test_outside_opening_hours_the_level_of_the_rule_is_needed(house: Database) -> None:
    """Level 2 until Friday opens Wednesday's evening, and a run over that night; nobody has a closed date."""
    with house.write() as db:
        values = {"person_id": RESEARCHER, "instrument_number": XRD, "level": 2, "granted_at": NOW}
        db.execute(sa.insert(t.qualifications).values(**values, expires_at=at(27, 0)))
    assert refused(house, XRD, span(25, 17, 20)).code == "closed"
    posted(house, Overnight(level=2))
    posted(house, DatedHours(name="Power cut", first=date(2026, 11, 26), last=date(2026, 11, 26)))
    assert refused(house, XRD, span(25, 17, 20), COLLEAGUE).code == "rule_overnight"
    book(house, XRD, span(25, 17, 20))
    assert refused(house, XRD, span(26, 17, 20)).code == "closed_on_date"
    assert refused(house, XRD, span(27, 17, 20)).code == "rule_overnight"
    book(house, XRD, span(27, 16, 18))


def test_a_run_over_closed_hours_needs_the_level_too(house: Database) -> None:
    with house.write() as db:
        add_instrument(db, 9, "C-ONE", "XRD", spans_closed_hours=True, max_minutes=3000)
    posted(house, Overnight(level=3))
    assert refused(house, 9, span(25, 16, 33)).code == "rule_overnight"
    with house.write() as db:
        values = {"person_id": RESEARCHER, "instrument_number": 9, "level": 3, "granted_at": NOW}
        db.execute(sa.insert(t.qualifications).values(**values))
    book(house, 9, span(25, 16, 33))


LATER = (
    Length(most_minutes=120), Granularity(minutes=120), Advance(days=1),
    PrimeLimit(hours="daily 08:00-18:00", day_minutes=60),
)  # fmt: skip


def test_rules_of_time_that_are_posted_later_leave_alone_what_keeps_its_times(house: Database) -> None:
    booking = book(house, XRD, span(25, 9, 12))
    for rule in LATER:
        posted(house, rule)
    changed = move(house, booking, booking.span, purpose="phase map", mode=Mode.SELF)
    assert (changed.purpose, changed.span) == ("phase map", span(25, 9, 12))
    with pytest.raises(Refused) as caught:
        move(house, changed, span(25, 10, 13))
    said = {each.code.removesuffix("_full") for each in caught.value.refusals}
    assert said == {"too_long", "off_raster", "too_far_ahead", "courtesy_prime_day"}


def test_who_takes_a_booking_over_is_asked_for_their_own_best_hours_alone(house: Database) -> None:
    booking = book(house, XRD, span(25, 9, 12))
    for rule in LATER[:3]:
        posted(house, rule)
    with house.write() as db:
        offered = exchanges.hand_over(db, actor(RESEARCHER), booking.id, COLLEAGUE, seen_version=1, now=NOW)
        taken = exchanges.accept(db, actor(COLLEAGUE), offered.id, PUBLIC_PROJECT, seen_version=1, now=NOW)
    assert (taken.person_id, taken.span) == (COLLEAGUE, booking.span)
    posted(house, LATER[3])
    with house.write() as db:
        back = exchanges.hand_over(db, actor(COLLEAGUE), taken.id, RESEARCHER, seen_version=2, now=NOW)
    with pytest.raises(Refused) as caught, house.write() as db:
        exchanges.accept(db, actor(RESEARCHER), back.id, PUBLIC_PROJECT, seen_version=2, now=NOW)
    (refusal,) = caught.value.refusals
    assert refusal.code.startswith("courtesy_prime_day")


def test_what_is_kept_or_closed_later_leaves_alone_what_keeps_its_times(house: Database) -> None:
    """A round keeps that Monday morning, and then the centre closes all but its first two hours."""
    booking = book(house, XRD, monday(0, 9, 11))
    with house.write() as db:
        open_round(db)
    changed = move(house, booking, booking.span, purpose="phase map", mode=Mode.SELF)
    day = changed.starts_at.date()
    posted(house, DatedHours(name="Half day", first=day, last=day, hours="08:00-10:00"))
    again = move(house, changed, booking.span, purpose="texture", mode=Mode.SELF)
    assert (again.purpose, again.span) == ("texture", booking.span)
    with pytest.raises(Refused) as caught:
        move(house, again, monday(0, 9, 12))
    assert {each.code for each in caught.value.refusals} == {"kept_for_round", "closed_on_date_hours"}


def test_who_takes_over_what_a_manager_let_somebody_have_is_asked_all_of_it(house: Database) -> None:
    """The reason was for its person; nobody gave one for the colleague."""
    posted(house, Length(most_minutes=60))
    long = book(house, XRD, span(25, 9, 12), MANAGER, person_id=RESEARCHER, override=REASON)
    at_night = book(house, XRD, span(25, 19, 20), MANAGER, person_id=RESEARCHER, override=REASON)
    assert move(house, long, long.span, mode=Mode.SELF).override_reason == REASON
    for booking, seen, code in ((long, 2, "too_long"), (at_night, 1, "closed")):
        with house.write() as db:
            offered = exchanges.hand_over(db, actor(RESEARCHER), booking.id, COLLEAGUE, seen_version=seen, now=NOW)
        with pytest.raises(Refused, match=code), house.write() as db:
            exchanges.accept(db, actor(COLLEAGUE), offered.id, PUBLIC_PROJECT, seen_version=seen, now=NOW)


@pytest.mark.parametrize("hour", [10, 11])
def test_a_series_that_begins_at_short_notice_may_move_though_it_is_over_a_later_limit(
    house: Database, hour: int
) -> None:
    """Three of two that are allowed since: each takes the room that it gives up itself."""
    wish = Wish(instrument_number=XRD, span=span(23, 10, 11), project_id=PUBLIC_PROJECT)
    repeat = Repeat(frequency=Frequency.WEEKLY, count=3)
    with house.write() as db:
        line = series.create(db, actor(RESEARCHER), wish, repeat, Conflicts.STOP, NOW).line
    posted(house, MostBookings(holder=Holder.PERSON, most=2))
    posted(house, ShortNotice(hours=24))
    with house.write() as db:
        first, times = line.bookings[0].id, span(23, hour, hour + 1)
        series.move(
            db, actor(RESEARCHER), first, times, Reach.ALL, seen_version=line.version, now=NOW, purpose="phase map"
        )


def test_a_date_that_is_closed_later_leaves_alone_what_keeps_its_times_where_a_level_is_asked_for_too(
    house: Database,
) -> None:
    stands = book(house, XRD, span(26, 9, 11))
    posted(house, Overnight(level=2))
    posted(house, DatedHours(name="Power cut", first=date(2026, 11, 26), last=date(2026, 11, 26)))
    assert move(house, stands, stands.span, purpose="phase map").purpose == "phase map"
    assert refused(house, XRD, span(26, 12, 13)).code == "closed_on_date"


def test_what_keeps_its_times_keeps_the_changeover_it_was_booked_with(house: Database) -> None:
    """The next use begins when this one ends: half an hour to clean up, posted since, is for other times alone."""
    booking = book(house, XRD, span(25, 9, 11))
    book(house, XRD, span(25, 11, 12), COLLEAGUE)
    posted(house, Changeover(cleanup_minutes=30))
    changed = move(house, booking, booking.span, purpose="phase map")
    assert (changed.purpose, changed.occupied) == ("phase map", span(25, 9, 11))
    with pytest.raises(TimeTaken):
        move(house, changed, Span(at(25, 8, 30), at(25, 11)))
    moved = move(house, changed, span(25, 14, 15))
    assert moved.occupied == Span(at(25, 14), at(25, 15, 30))


def test_neighbours_swap_with_the_changeover_they_were_booked_with(house: Database) -> None:
    earlier, later = book(house, XRD, span(25, 9, 11)), book(house, XRD, span(25, 11, 12), COLLEAGUE)
    posted(house, Changeover(setup_minutes=30, cleanup_minutes=30))
    with house.write() as db:
        offered = exchanges.swap(db, actor(RESEARCHER), earlier.id, "N002", later.starts_at, seen_version=1, now=NOW)
        got = exchanges.accept(db, actor(COLLEAGUE), offered.id, None, seen_version=2, now=NOW)
        given = store.get(db, later.id)
    assert (got.person_id, got.occupied) == (COLLEAGUE, span(25, 9, 11))
    assert (given.person_id, given.occupied) == (RESEARCHER, span(25, 11, 12))


# ---------------------------------------------------------------- passing them


def test_a_manager_passes_the_rules_with_a_reason(house: Database) -> None:
    posted(house, MostBookings(holder=Holder.PERSON, most=1))
    posted(house, CutOff(hours=100))
    posted(house, DatedHours(name="Power cut", first=date(2026, 11, 25), last=date(2026, 11, 25)))
    booking = book(house, XRD, span(25, 9, 10), MANAGER, person_id=RESEARCHER, override=f"  {REASON}\n")
    assert booking.override_reason == REASON
    again = book(house, XRD, span(25, 10, 11), MANAGER, person_id=RESEARCHER, override=REASON)
    moved = move(house, again, span(25, 11, 12), MANAGER, override="The stage is free later")
    assert moved.override_reason == "The stage is free later"
    with house.read() as db:
        lines = db.execute(sa.select(t.audit.c.details).where(t.audit.c.noun_id == str(moved.id))).scalars().all()
    # The hash proves what was written; the words are not in the audit.
    assert all('"override":"' in line and "Sample" not in line for line in lines)
    assert len(lines) == 2


def test_nobody_else_passes_the_rules_and_nobody_without_a_reason(house: Database) -> None:
    posted(house, CutOff(hours=100))
    with pytest.raises(Forbidden):
        book(house, XRD, span(25, 9, 10), override=REASON)
    with pytest.raises(Forbidden):
        book(house, NMR, span(25, 9, 10), MANAGER, override=REASON)
    for words in ("urgent", "very urgent", "x" * 400):
        with pytest.raises(Malformed):
            book(house, XRD, span(25, 9, 10), MANAGER, override=words)


def test_a_reason_does_not_pass_what_others_have_and_what_is_not_safe(house: Database) -> None:
    posted(house, Overnight(level=2))
    book(house, XRD, span(25, 9, 10))
    with pytest.raises(TimeTaken):
        book(house, XRD, span(25, 9, 10), MANAGER, override=REASON)
    assert refused(house, XRD, span(25, 19, 20), MANAGER, override=REASON).code == "rule_overnight"
    assert refused(house, FESEM, span(25, 9, 10), MANAGER, override=REASON).code == "not_qualified"


# ---------------------------------------------------------------- what is offered


def offered(house: Database, number: int, minutes: int) -> Span:
    with house.read() as db:
        found = free_times.next_free(db, RESEARCHER, number, minutes, NOW)
    assert found is not None
    return found


def test_what_is_offered_keeps_the_cut_off_and_the_hours_of_dates(house: Database) -> None:
    """Thirty hours from now is the afternoon of the holiday; Wednesday is closed, Thursday opens at two."""
    posted(house, CutOff(hours=4))
    assert offered(house, XRD, 60) == span(23, 12, 13)
    posted(house, CutOff(hours=30))
    posted(house, DatedHours(name="Power cut", first=date(2026, 11, 25), last=date(2026, 11, 25)))
    late = DatedHours(name="Inspection", first=date(2026, 11, 26), last=date(2026, 11, 26), hours="14:00-17:00")
    posted(house, late, Scope(ScopeKind.INSTRUMENT, "N002"))
    assert offered(house, XRD, 60) == span(26, 14, 15)
    assert offered(house, FESEM, 60) == span(26, 8, 9)
    swap = DatedHours(name="Swap", first=date(2026, 11, 24), last=date(2026, 11, 24), hours="13:00-17:00")
    posted(house, swap)
    found = offered(house, XRD, 60)
    assert found == span(24, 14, 15)
    book(house, XRD, found)


def test_what_is_offered_keeps_prime_time_but_at_short_notice(house: Database) -> None:
    """Full for the morning of today: free again until nine at short notice, else from noon, where prime time ends."""
    posted(house, PrimeLimit(hours="Mon-Fri 08:00-12:00", day_minutes=60))
    put(house, a_booking(FESEM, span(23, 10, 11)))
    assert offered(house, XRD, 60) == span(23, 12, 13)
    posted(house, ShortNotice(hours=1))
    found = offered(house, XRD, 60)
    assert found == span(23, 8, 9)
    book(house, XRD, found)
    assert offered(house, XRD, 60) == span(23, 9, 10)
    book(house, XRD, span(23, 9, 10))
    assert offered(house, XRD, 60) == span(23, 12, 13)


def test_long_runs_are_not_offered_over_hours_that_are_opened_to_a_few(house: Database) -> None:
    with house.write() as db:
        add_instrument(db, 9, "C-ONE", "XRD", spans_closed_hours=True, max_minutes=3000)
    put(house, a_booking(9, span(23, 8, 12)))
    posted(house, Overnight(level=2))
    assert offered(house, 9, 420) == span(25, 8, 15)


def test_calendars_and_plans_show_the_hours_of_dates(house: Database) -> None:
    posted(house, DatedHours(name="Half day", first=date(2026, 11, 25), last=date(2026, 11, 25), hours="08:00-12:00"))
    with house.read() as db:
        found = calendars.calendar(db, None, [XRD, NMR], span(25, 0, 24))
        board = calendars.occupancy(db, None, "C-ONE", span(25, 0, 24))
    assert found.opened == {XRD: [span(25, 8, 12)], NMR: [span(25, 8, 18)]}
    assert board.opened == {FESEM: [span(25, 8, 12)], XRD: [span(25, 8, 12)]}


# ---------------------------------------------------------------- races and cost


@pytest.mark.parametrize("holder", [Holder.TEAM, Holder.ORGANISATION, Holder.ACCESS_CLASS])
def test_two_persons_on_two_instruments_do_not_both_take_what_is_left(house: Database, holder: Holder) -> None:
    """One more is allowed; both ask at the same moment, each under locks that the other does not need."""
    posted(house, MostBookings(holder=holder, most=1))
    done: list[str] = []
    ready = threading.Barrier(2)

    def run(number: int, who: UUID) -> None:
        ready.wait()
        try:
            book(house, number, span(25, 9, 10), who)
            done.append("booked")
        except Refused as error:
            done.append(error.refusals[0].code)

    threads = [threading.Thread(target=run, args=each) for each in ((FESEM, RESEARCHER), (XRD, COLLEAGUE))]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    refused_by = "rule_most_bookings" + ("_class" if holder is Holder.ACCESS_CLASS else "")
    assert sorted(done) == ["booked", refused_by]


def test_the_second_waits_for_the_first_to_end(house: Database) -> None:
    """The first has booked and not yet committed as the second asks: it must wait, or it would count one too few."""
    posted(house, MostBookings(holder=Holder.ORGANISATION, most=1))
    done: list[str] = []

    def second() -> None:
        try:
            book(house, XRD, span(25, 9, 10), COLLEAGUE)
            done.append("booked")
        except Refused as error:
            done.append(error.refusals[0].code)

    other = threading.Thread(target=second)
    with house.write() as db:
        service.book(
            db, actor(RESEARCHER), Wish(instrument_number=FESEM, span=span(25, 9, 10), project_id=PUBLIC_PROJECT), NOW
        )
        other.start()
        other.join(0.3)
        assert done == []
    other.join()
    assert done == ["rule_most_bookings"]


def test_rules_cost_no_query_and_neither_do_limits(house: Database) -> None:
    """On PostgreSQL a limit of many persons is locked first. The first booking reads the rule book."""
    posted(house, CutOff(hours=1))
    book(house, XRD, span(25, 8, 9))
    with counted(house.engine) as plain:
        book(house, XRD, span(25, 9, 10))
    posted(house, MostBookings(holder=Holder.PERSON, most=50))
    posted(house, MostMinutes(holder=Holder.PERSON, most_minutes=5000), Scope(ScopeKind.GROUP, "XRD"))
    book(house, XRD, span(25, 10, 11))
    with counted(house.engine) as limited:
        book(house, XRD, span(25, 11, 12))
    assert len(limited) == len(plain)
    posted(house, MostBookings(holder=Holder.ORGANISATION, most=50))
    book(house, XRD, span(25, 12, 13))
    with counted(house.engine) as together:
        book(house, XRD, span(25, 13, 14))
    assert len(together) == len(plain) + (0 if house.is_sqlite else 1)


def test_a_series_passes_the_rules_as_a_whole(house: Database) -> None:
    """Three Wednesdays where two are allowed: refused from the third on, and made and moved with a reason."""
    posted(house, MostBookings(holder=Holder.PERSON, most=2))
    repeat = Repeat(frequency=Frequency.WEEKLY, count=3)
    wish = Wish(instrument_number=XRD, span=span(25, 9, 10), project_id=PUBLIC_PROJECT)
    with house.write() as db:
        found = series.preview(db, actor(MANAGER), wish, repeat, NOW)
    assert [[each.code for each in date.refusals] for date in found] == [[], [], ["rule_most_bookings"]]
    with house.write() as db:
        passed = msgspec.structs.replace(wish, override=REASON)
        line = series.create(db, actor(MANAGER), passed, repeat, Conflicts.STOP, NOW).line
    assert [each.override_reason for each in line.bookings] == [REASON] * 3
    posted(house, CutOff(hours=2000))
    first, to = line.bookings[0].id, span(25, 11, 12)
    with house.write() as db, pytest.raises(Refused):
        series.move(db, actor(MANAGER), first, to, Reach.ALL, seen_version=line.version, now=NOW)
    with house.write() as db:
        moved = series.move(
            db, actor(MANAGER), first, to, Reach.ALL, seen_version=line.version, now=NOW, override="The stage is busy"
        )
    assert [each.override_reason for each in moved] == ["The stage is busy"] * 3
