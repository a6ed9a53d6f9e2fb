"""Holds of open forms, on both databases: kept in the same calendar, judged as bookings, turned into one in place."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
import sqlalchemy as sa

from labshare.domain.booking_rules import Holder, LockWindow, MostBookings, Scope, ScopeKind
from labshare.domain.bookings import Booking, BookingState, Wish
from labshare.domain.modes import Mode
from labshare.domain.series import Conflicts, Frequency, Repeat
from labshare.domain.timespan import Span
from labshare.domain.waitlist import WaitingEntry, WaitingState
from labshare.errors import Forbidden, NotFound, Refused, TimeTaken, WrongState
from labshare.services import approvals, booking_rules, bookings, feeds, series, ticking, waitlist
from labshare.services import holds as service
from labshare.services.writing import APPROVAL_ENDS, HOLD_EXPIRES
from labshare.store import bookings as store
from labshare.store import due
from labshare.store import notices as notices_store
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
    add_project,
    at,
    counted,
    furnish,
    span,
)
from tests.shares import a_rule, an_agreement, load

S = BookingState
SLOT, OTHER = span(25, 9, 11), span(25, 13, 15)
FIVE = timedelta(minutes=5)
CENTRE = Scope(ScopeKind.CENTRE, "C-ONE")


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def wish(who: UUID = RESEARCHER, when: Span = SLOT, number: int = XRD, **changes: Any) -> Wish:
    project = INDUSTRY_PROJECT if who == COMPETITOR else PUBLIC_PROJECT
    values: dict[str, Any] = {"instrument_number": number, "span": when, "person_id": who, "project_id": project}
    return Wish(**(values | changes))


def hold(
    house: Database, who: UUID = RESEARCHER, when: Span = SLOT, now: datetime = NOW, number: int = XRD, **more: Any
) -> Booking:
    with house.write() as db:
        return service.hold(db, actor(who), wish(who, when, number, **more), now)


def book(
    house: Database, who: UUID = RESEARCHER, when: Span = SLOT, now: datetime = NOW, number: int = XRD, **more: Any
) -> Booking:
    with house.write() as db:
        return bookings.book(db, actor(who), wish(who, when, number, **more), now)


def release(house: Database, held: Booking, now: datetime = NOW, who: UUID = RESEARCHER) -> Booking:
    with house.write() as db:
        return service.release(db, actor(who), held.id, now)


def stored(house: Database, booking: Booking) -> Booking:
    with house.read() as db:
        return store.get(db, booking.id)


def tick(house: Database, now: datetime) -> None:
    """As the ticker does, until nothing is due."""
    for _ in range(9):
        with house.read() as db:
            rows = ticking.deadlines(db, now)
        for row in rows:
            with house.write() as db:
                ticking.deal_with(db, row, now)
        if not rows:
            return
    pytest.fail("the ticker finds no end")


def codes(refused: Any) -> list[str]:
    return [each.code for each in refused.value.refusals]


# ---------------------------------------------------------------- kept, and turned into the booking


def test_a_hold_keeps_its_time_from_everybody_else_for_five_minutes(house: Database) -> None:
    held = hold(house)
    assert (held.state, held.hold_expires_at, held.form_hold) == (S.HELD, NOW + FIVE, 1)
    assert stored(house, held) == held
    for take in (book, hold):
        with pytest.raises(TimeTaken):
            take(house, COMPETITOR)
    # A moment later it gives way to whoever comes first, without waiting for the ticker.
    assert book(house, COMPETITOR, now=NOW + FIVE).state is S.CONFIRMED
    assert stored(house, held).state is S.EXPIRED


def test_booking_with_the_hold_turns_it_into_the_booking_in_place(house: Database) -> None:
    held = hold(house)
    made = book(house, now=NOW + timedelta(minutes=4), replaces_id=held.id, purpose="lát cắt")
    assert (made.id, made.state, made.version, made.created_at) == (held.id, S.CONFIRMED, 2, NOW)
    assert (made.hold_expires_at, made.form_hold, made.purpose) == (None, 0, "lát cắt")
    assert stored(house, made) == made
    with house.read() as db:
        assert due.when(db, HOLD_EXPIRES, held.id) is None
    tick(house, NOW + timedelta(hours=1))
    assert stored(house, made).state is S.CONFIRMED


def test_it_waits_for_the_centre_where_the_centre_approves(house: Database) -> None:
    with house.write() as db:
        approvals.choose(db, actor(MANAGER), "N002", "everybody", 24, NOW)
    held = hold(house)
    made = book(house, replaces_id=held.id)
    # 24 hours from now come before the 25th, 9:00.
    assert (made.id, made.state, made.hold_expires_at) == (held.id, S.PENDING, NOW + timedelta(hours=24))
    with house.read() as db:
        assert due.when(db, APPROVAL_ENDS, made.id) == NOW + timedelta(hours=24)


def test_other_times_and_another_person_are_booked_in_place_as_well(house: Database) -> None:
    held = hold(house)
    made = book(house, when=OTHER, replaces_id=held.id, person_id=COLLEAGUE)
    assert (made.id, made.span, made.person_id, made.state) == (held.id, OTHER, COLLEAGUE, S.CONFIRMED)
    assert book(house, COMPETITOR).state is S.CONFIRMED


def test_a_refused_booking_leaves_the_hold_as_it_was(house: Database) -> None:
    held = hold(house)
    with pytest.raises(Refused) as refused:
        book(house, when=span(25, 18, 20), replaces_id=held.id)
    assert codes(refused) == ["closed"]
    assert stored(house, held) == held


def test_a_hold_that_has_ended_counts_for_nothing(house: Database) -> None:
    held = hold(house)
    made = book(house, now=NOW + FIVE, replaces_id=held.id)
    assert made.id != held.id
    assert (stored(house, held).state, made.state) == (S.EXPIRED, S.CONFIRMED)
    again = hold(house, when=OTHER)
    release(house, again)
    with pytest.raises(TimeTaken):
        book(house, COMPETITOR, replaces_id=hold(house, COMPETITOR, span(26, 9, 11)).id)


def test_a_form_that_is_sent_again_is_judged_as_a_new_one(house: Database) -> None:
    """Its hold is a booking by now, which stays and stands in the way like any other."""
    made = book(house, replaces_id=hold(house).id)
    with pytest.raises(Refused) as refused:
        book(house, replaces_id=made.id)
    assert codes(refused) == ["person_elsewhere", "time_taken"]
    later = book(house, when=OTHER, replaces_id=made.id)
    assert later.id != made.id
    assert stored(house, made) == made


def test_nobody_takes_the_hold_of_another_or_one_of_another_instrument(house: Database) -> None:
    held = hold(house)
    for who, number in ((COMPETITOR, XRD), (RESEARCHER, NMR)):
        with pytest.raises(NotFound):
            book(house, who, when=OTHER, number=number, replaces_id=held.id)
    for do in (service.release, service.prolong):
        with pytest.raises(NotFound), house.write() as db:
            do(db, actor(COMPETITOR), held.id, NOW)
    assert stored(house, held) == held


def test_two_of_the_same_slot_at_once_give_one_hold(house: Database) -> None:
    barrier = threading.Barrier(2)

    def attempt(who: UUID) -> str:
        barrier.wait()
        try:
            return hold(house, who).state.value
        except TimeTaken:
            return "taken"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(attempt, (RESEARCHER, COMPETITOR))) == ["held", "taken"]


# ---------------------------------------------------------------- no way to block


def test_the_rules_of_booking_judge_a_hold(house: Database) -> None:
    with pytest.raises(Refused) as refused:
        hold(house, when=Span(at(25, 7, 10), at(25, 7, 20)), project_id=INDUSTRY_PROJECT)
    assert codes(refused) == ["too_short", "off_raster", "closed", "project_not_member"]
    with pytest.raises(Forbidden):
        hold(house, COLLEAGUE, person_id=RESEARCHER)
    with pytest.raises(Refused) as refused:
        hold(house, mode=Mode.COMMISSIONED)
    assert codes(refused) == ["mode_not_offered"]


def test_nobody_holds_more_than_two_times_at_once(house: Database) -> None:
    first = hold(house)
    # One for somebody else counts as the holder's own.
    hold(house, when=OTHER, person_id=COLLEAGUE)
    with pytest.raises(Refused) as refused:
        hold(house, when=span(26, 9, 11))
    assert codes(refused) == ["holds_too_many"]
    # Which says that it may be booked all the same: what may not, by night, says why.
    with pytest.raises(Refused) as refused:
        hold(house, when=span(26, 20, 22))
    assert codes(refused) == ["closed"]
    assert hold(house, COLLEAGUE, span(26, 9, 11)).state is S.HELD
    release(house, first)
    hold(house, when=span(27, 9, 11))
    # What has ended by itself does not count, even before the ticker has seen it.
    assert hold(house, when=span(27, 13, 15), now=NOW + FIVE).state is S.HELD


def test_the_same_time_is_not_held_again_and_again(house: Database) -> None:
    for minute in range(4):
        release(house, hold(house, now=NOW + timedelta(minutes=minute)), NOW + timedelta(minutes=minute))
    with pytest.raises(Refused) as refused:
        hold(house, when=span(25, 10, 12), now=NOW + timedelta(minutes=4))
    assert codes(refused) == ["holds_again"]
    # Other time, another person and booking it are none of that; nor is an hour later.
    release(house, hold(house, when=OTHER, now=NOW + timedelta(minutes=4)), NOW + timedelta(minutes=4))
    release(house, hold(house, COMPETITOR, now=NOW + timedelta(minutes=4)), NOW + FIVE, COMPETITOR)
    assert hold(house, now=NOW + timedelta(minutes=64)).state is S.HELD


def test_a_hold_is_prolonged_once(house: Database) -> None:
    held = hold(house)
    with house.write() as db:
        longer = service.prolong(db, actor(RESEARCHER), held.id, NOW + timedelta(minutes=3))
    assert (longer.hold_expires_at, longer.form_hold) == (NOW + timedelta(minutes=8), 2)
    with pytest.raises(WrongState, match="hold_prolonged"), house.write() as db:
        service.prolong(db, actor(RESEARCHER), held.id, NOW + timedelta(minutes=4))
    tick(house, NOW + FIVE)
    assert stored(house, held).state is S.HELD
    tick(house, NOW + timedelta(minutes=8))
    assert stored(house, held).state is S.EXPIRED
    with pytest.raises(WrongState, match="hold_over"), house.write() as db:
        service.prolong(db, actor(RESEARCHER), held.id, NOW + timedelta(minutes=9))


def test_another_time_takes_the_place_of_the_hold_and_lasts_no_longer(house: Database) -> None:
    held = hold(house)
    moved = hold(house, when=OTHER, now=NOW + timedelta(minutes=3), replaces_id=held.id)
    assert (moved.id, moved.span, moved.hold_expires_at) == (held.id, OTHER, NOW + FIVE)
    assert hold(house, COMPETITOR).state is S.HELD


def test_a_hold_ends_not_later_than_its_use_begins(house: Database) -> None:
    assert hold(house, when=Span(at(23, 9), at(23, 10)), now=at(23, 8, 57)).hold_expires_at == at(23, 9)


def test_holds_weigh_on_caps_as_bookings_do(house: Database, tmp_path: Path) -> None:
    """The cap is an eighth of the week's 4,800 minutes, 600: 5 hours fit, and 6 more do not."""
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule(share=Fraction(1, 8))))
    first = hold(house, COMPETITOR, span(25, 8, 13))
    with pytest.raises(Refused) as refused:
        hold(house, COMPETITOR, span(26, 8, 14))
    assert codes(refused) == ["agreement_cap_private"]
    # In place it counts once, and what was let go counts no more.
    book(house, COMPETITOR, span(26, 8, 14), replaces_id=first.id)
    with pytest.raises(Refused) as refused:
        hold(house, COMPETITOR, span(27, 8, 13))
    assert codes(refused) == ["agreement_cap_private"]


def test_of_a_hold_that_never_becomes_a_booking_nobody_is_told(house: Database) -> None:
    """The leader holds time for a member, with a trainer, then other time in its place, and gives it back."""
    with house.write() as db:
        values = {"person_id": MANAGER, "instrument_number": XRD, "granted_at": NOW, "level": 3}
        db.execute(sa.insert(t.qualifications).values(values))
        for_colleague = wish(person_id=COLLEAGUE, trainer_id=MANAGER)
        held = service.hold(db, actor(RESEARCHER), for_colleague, NOW)
        other = msgspec.structs.replace(for_colleague, span=OTHER, replaces_id=held.id)
        moved = service.hold(db, actor(RESEARCHER), other, NOW)
        gone = bookings.cancel(db, actor(RESEARCHER), moved.id, seen_version=moved.version, now=NOW)
        assert gone.state is S.RELEASED
        for who in (COLLEAGUE, MANAGER):
            assert notices_store.unread(db, who) == 0
    assert (moved.state, moved.span) == (S.HELD, OTHER)


@pytest.mark.parametrize("form_hold", [0, 1], ids=["offer", "form"])
def test_what_is_only_kept_is_not_moved(house: Database, form_hold: int) -> None:
    """An offer of the waitlist is of the time that came free, until it must be answered: elsewhere it would be none."""
    kept = a_booking(XRD, SLOT, state=S.HELD, hold_expires_at=NOW + timedelta(hours=2), form_hold=form_hold)
    with house.write() as db:
        store.add(db, [kept])
    for who in (RESEARCHER, MANAGER):
        with pytest.raises(WrongState) as refused, house.write() as db:
            bookings.move(db, actor(who), kept.id, OTHER, seen_version=1, now=NOW)
        assert codes(refused) == ["hold_stays"]
    with house.read() as db:
        assert store.get(db, kept.id) == kept


def test_a_hold_for_one_project_makes_no_room_in_the_limit_of_another(house: Database) -> None:
    """The second project has the one booking that it may have; a hold on account of the first is not its own."""
    other = UUID(int=23)
    with house.write() as db:
        add_project(db, other, "KC-02", "I-IMS", RESEARCHER)
        booking_rules.post(db, actor(MANAGER), CENTRE, MostBookings(holder=Holder.TEAM, most=1), NOW)
    book(house, when=OTHER, project_id=other)
    held = hold(house)
    for take in (hold, book):
        with pytest.raises(Refused) as refused:
            take(house, replaces_id=held.id, project_id=other)
        assert codes(refused) == ["rule_most_bookings"]
    assert book(house, replaces_id=held.id).project_id == PUBLIC_PROJECT


def test_holds_count_for_the_limits_of_the_centre(house: Database) -> None:
    with house.write() as db:
        booking_rules.post(db, actor(MANAGER), CENTRE, MostBookings(holder=Holder.PERSON, most=1), NOW)
    held = hold(house)
    with pytest.raises(Refused) as refused:
        hold(house, when=OTHER)
    assert codes(refused) == ["rule_most_bookings"]
    assert book(house, replaces_id=held.id).state is S.CONFIRMED


# ---------------------------------------------------------------- given back


def test_leaving_gives_the_time_back_and_does_so_once(house: Database) -> None:
    held = hold(house)
    ended = release(house, held)
    assert (ended.state, ended.version) == (S.RELEASED, 2)
    assert release(house, held) == ended
    assert hold(house, COMPETITOR).state is S.HELD
    with house.read() as db:
        assert due.when(db, HOLD_EXPIRES, held.id) is None


def test_cancelling_it_on_its_page_is_no_strike_and_nothing_given_back(house: Database) -> None:
    held = hold(house)
    with house.write() as db:
        ended = bookings.cancel(db, actor(RESEARCHER), held.id, seen_version=1, now=NOW)
    assert (ended.state, ended.late_notice) == (S.RELEASED, False)


def test_the_lock_window_keeps_nobody_from_letting_a_hold_go(house: Database) -> None:
    with house.write() as db:
        booking_rules.post(db, actor(MANAGER), CENTRE, LockWindow(hours=72), NOW)
    # Wednesday 09:00 is 49 hours away.
    held = hold(house)
    moved = hold(house, when=OTHER, replaces_id=held.id)
    assert release(house, moved).state is S.RELEASED


def test_a_hold_let_go_leaves_no_trace_in_feeds(house: Database) -> None:
    with house.write() as db:
        secret = feeds.create(db, actor(RESEARCHER), NOW).secret
    kept, gone = hold(house), hold(house, when=OTHER)
    release(house, gone)
    with house.read() as db:
        events = list(feeds.contents(db, feeds.open_feed(db, secret, NOW), NOW, ()).events)
    assert [event[0] for event in events] == [kept.id.hex]


# ---------------------------------------------------------------- the waitlist


def join(house: Database, who: UUID) -> UUID:
    """Wait for two hours on the XRD on Wednesday."""
    entry = WaitingEntry(
        id=uuid4(),
        person_id=who,
        project_id=INDUSTRY_PROJECT if who == COMPETITOR else PUBLIC_PROJECT,
        instrument_number=XRD,
        minutes=120,
        from_date=date(2026, 11, 25),
        until_date=date(2026, 11, 25),
        created_at=NOW,
    )
    with house.write() as db:
        return waitlist.join(db, actor(who), entry, NOW).id


def entry_of(house: Database, who: UUID) -> WaitingEntry:
    with house.read() as db:
        return waitlist.mine(db, actor(who), NOW)[0].line.entry


def full_but(house: Database, left: Span) -> None:
    """The manager has all of Wednesday but this."""
    with house.write() as db:
        store.lock(db, [XRD])
        around = [Span(at(25, 8), left.start), Span(left.end, at(25, 18))]
        store.add(db, [a_booking(XRD, each, person_id=MANAGER, booked_by_id=MANAGER) for each in around])


def test_a_hold_that_ends_is_nobodys_pass_and_offered_to_who_waits(house: Database) -> None:
    full_but(house, SLOT)
    held = hold(house)
    join(house, COMPETITOR)
    tick(house, NOW + FIVE)
    assert stored(house, held).state is S.EXPIRED
    found = entry_of(house, COMPETITOR)
    assert (found.state, found.passed) == (WaitingState.OFFERED, 0)


def test_who_lets_a_hold_go_while_waiting_is_offered_that_time_like_anybody(house: Database) -> None:
    full_but(house, SLOT)
    join(house, RESEARCHER)
    release(house, hold(house))
    tick(house, NOW)
    found = entry_of(house, RESEARCHER)
    assert (found.state, found.passed) == (WaitingState.OFFERED, 0)


def test_where_nobody_waits_nothing_is_kept_in_mind(house: Database) -> None:
    hold(house)
    tick(house, NOW + FIVE)
    with house.read() as db:
        assert ticking.deadlines(db, NOW + timedelta(days=9)) == []


def test_an_offer_of_the_waitlist_is_no_hold_of_a_form(house: Database) -> None:
    full_but(house, SLOT)
    join(house, RESEARCHER)
    blocking = hold(house, COMPETITOR)
    release(house, blocking, who=COMPETITOR)
    tick(house, NOW)
    offer = entry_of(house, RESEARCHER).booking_id
    assert offer is not None
    for do in (service.release, service.prolong):
        with pytest.raises(NotFound), house.write() as db:
            do(db, actor(RESEARCHER), offer, NOW)
    with pytest.raises(NotFound):
        book(house, replaces_id=offer)
    # Nor does it count among the two.
    hold(house, when=span(26, 9, 11))
    hold(house, when=span(26, 13, 15))


# ---------------------------------------------------------------- several at once


def test_a_series_does_not_see_the_hold_of_its_own_form_and_ends_it(house: Database) -> None:
    held = hold(house)
    asked, repeat = wish(replaces_id=held.id), Repeat(frequency=Frequency.DAILY, count=2)
    with house.write() as db:
        looked = series.preview(db, actor(RESEARCHER), asked, repeat, NOW)
    assert [each.refusals for each in looked] == [(), ()]
    assert stored(house, held) == held
    for conflicts in (Conflicts.STOP, Conflicts.MOVE):
        again = held if conflicts is Conflicts.STOP else hold(house, when=span(26, 13, 15))
        first = SLOT if conflicts is Conflicts.STOP else span(26, 13, 15)
        with house.write() as db:
            asked = wish(when=first, replaces_id=again.id)
            made = series.create(db, actor(RESEARCHER), asked, repeat, conflicts, NOW)
        assert [each.state for each in made.line.bookings] == [S.CONFIRMED] * 2
        assert (made.line.bookings[0].span, made.left_out, stored(house, again).state) == (first, (), S.RELEASED)


def test_a_hold_that_is_over_makes_no_room_for_a_series_within_a_limit(house: Database) -> None:
    """One is allowed, and was booked elsewhere once the hold was over; the ticker has not ended that yet."""
    with house.write() as db:
        rule = MostBookings(holder=Holder.PERSON, most=1)
        booking_rules.post(db, actor(MANAGER), CENTRE, rule, NOW)
    held, later = hold(house), NOW + 2 * FIVE
    book(house, when=OTHER, number=FESEM, now=later)
    repeat = Repeat(frequency=Frequency.DAILY, count=2)
    with pytest.raises(Refused) as refused, house.write() as db:
        series.create(db, actor(RESEARCHER), wish(replaces_id=held.id), repeat, Conflicts.SKIP, later)
    assert codes(refused) == ["rule_most_bookings"] * 2


def test_a_second_window_takes_the_hold_of_the_first(house: Database) -> None:
    """It overlaps by an hour. The hold goes on for as long as it had; somebody else's stays in the way."""
    first = hold(house)
    later = NOW + timedelta(minutes=2)
    second = hold(house, when=span(25, 10, 12), now=later)
    assert (second.id, second.span, second.hold_expires_at) == (first.id, span(25, 10, 12), first.hold_expires_at)
    with pytest.raises(TimeTaken) as refused:
        hold(house, COMPETITOR, span(25, 11, 13), now=later)
    assert codes(refused) == ["time_taken"]


def test_a_series_weighs_without_the_hold_of_its_form(house: Database, tmp_path: Path) -> None:
    """Of 600 minutes a week the hold has 300: two days of 5 hours fit only without it."""
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule(share=Fraction(1, 8))))
    held = hold(house, COMPETITOR, span(25, 8, 13))
    asked = wish(COMPETITOR, span(25, 8, 13), replaces_id=held.id)
    repeat = Repeat(frequency=Frequency.DAILY, count=3)
    with house.write() as db:
        looked = series.preview(db, actor(COMPETITOR), asked, repeat, NOW)
        made = series.create(db, actor(COMPETITOR), asked, repeat, Conflicts.SKIP, NOW)
    assert [[each.code for each in day.refusals] for day in looked] == [[], [], ["agreement_cap_private"]]
    assert len(made.line.bookings) == 2


def test_of_several_wishes_with_one_hold_the_first_takes_it(house: Database) -> None:
    held = hold(house)
    with house.write() as db:
        asked = [wish(when=when, replaces_id=held.id) for when in (SLOT, OTHER)]
        first, second = bookings.book_all(db, actor(RESEARCHER), asked, NOW)
    assert first.id == held.id != second.id
    assert {first.state, second.state} == {S.CONFIRMED}


def test_a_plain_booking_asks_nothing_about_holds(house: Database) -> None:
    """One query reads the hold, one more forgets its deadline, and one what waits for freed time: no booking without
    a hold has them.
    """
    held = hold(house)
    with counted(house.engine) as plain:
        book(house, when=OTHER)
    with counted(house.engine) as taken:
        book(house, replaces_id=held.id)
    assert not [each for each in plain if "form_hold" in each and each.startswith("SELECT") and "count" in each]
    assert len(plain) < len(taken)
    assert not [each for each in plain if each.startswith("DELETE")]


def test_a_hold_for_a_qualified_instrument_needs_the_qualification(house: Database) -> None:
    assert hold(house, number=FESEM).state is S.HELD
    with pytest.raises(Refused) as refused:
        hold(house, MANAGER, OTHER, number=FESEM)
    assert codes(refused) == ["not_qualified"]
