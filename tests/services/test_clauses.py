"""Clauses of courtesy and of order at work, on both databases: bookings are bound by them, and so is a round's plan.

Centre One has the FE-SEM and the XRD, open Monday to Friday 08:00-18:00. The agreement allows one person 5 h of these
a day, asks for half an hour at least, and opens 14 days ahead.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
import sqlalchemy as sa

from labshare.domain.agreements import Agreement, Scope, Version
from labshare.domain.bookings import Booking, BookingKind, BookingState, Wish
from labshare.domain.courtesy import Courtesy, Penalties, PrimeTime
from labshare.domain.equipment import EquipmentState, StateRecord
from labshare.domain.modes import Mode
from labshare.domain.ordering import FairShare
from labshare.domain.timespan import MINUTE, Span
from labshare.errors import Forbidden, Refusal, Refused, WrongState
from labshare.i18n import speaking
from labshare.sentences import sentence
from labshare.services import booking_warnings, clauses, free_times, modes, plans, usage
from labshare.services import bookings as service
from labshare.store import agreements as agreements_store
from labshare.store import bookings as store
from labshare.store import person_times
from labshare.store import tables as t
from labshare.store import usage as usage_store
from labshare.store.engine import Database
from labshare.store.rulebooks import rulebook
from tests.domain.clauses import whole
from tests.domain.test_agreements import an_agreement
from tests.furniture import (
    COLLEAGUE,
    FESEM,
    MANAGER,
    NMR,
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
from tests.round_of import close, open_round, queue


def courteous(**changes: Any) -> Agreement:
    values: dict[str, Any] = {"courtesy": whole().courtesy, "covered": Scope(centres=("C-ONE",)), "parties": ("I-IMS",)}
    return an_agreement(**(values | changes))


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
        agreements_store.add_version(db, Version(number=1, agreement=courteous()), actor_id=None, now=NOW)
    return database


def book(house: Database, number: int, when: Span, who: UUID = RESEARCHER, mode: Mode | None = None) -> Booking:
    wish = Wish(instrument_number=number, span=when, project_id=PUBLIC_PROJECT, mode=mode)
    with house.write() as db:
        return service.book(db, actor(who), wish, NOW)


def refused(house: Database, number: int, when: Span, who: UUID = RESEARCHER) -> tuple[Refusal, ...]:
    with pytest.raises(Refused) as caught:
        book(house, number, when, who)
    return caught.value.refusals


def put(house: Database, *some: Booking) -> None:
    with house.write() as db:
        store.add(db, some)


def test_six_hours_from_nine_are_refused_and_five_are_taken(house: Database) -> None:
    """R20: the refusal says until when the wish may last."""
    (refusal,) = refused(house, FESEM, span(25, 9, 15))
    assert refusal.code == "courtesy_prime_day"
    with speaking("en"):
        assert sentence(refusal) == (
            "Prime time (Mon–Fri 08:00–18:00) is limited to 5 h per person a day; you have 0 min and ask for 6 h."
            " Shorten it to end by Wed 25 Nov 2026, 14:00, or choose other hours."
        )
    assert book(house, FESEM, span(25, 9, 14)).ends_at == at(25, 14)


def test_all_instruments_that_the_agreement_covers_count_together(house: Database) -> None:
    """Four hours at the XRD leave one at the FE-SEM; the NMR is another centre's, and other people have their own."""
    book(house, XRD, span(25, 8, 12))
    (refusal,) = refused(house, FESEM, span(25, 13, 15))
    assert (refusal.params["taken_minutes"], refusal.params["until"]) == (240, at(25, 14).isoformat())
    book(house, FESEM, span(25, 13, 14))
    (refusal,) = refused(house, FESEM, span(25, 14, 15))
    assert refusal.code == "courtesy_prime_day_full"
    book(house, NMR, span(25, 14, 17))
    book(house, FESEM, span(25, 14, 17), COLLEAGUE)
    book(house, FESEM, span(26, 8, 13))


def test_a_booking_that_moves_does_not_stand_in_its_own_way(house: Database) -> None:
    booking = book(house, FESEM, span(25, 8, 13))
    with house.write() as db:
        moved = service.move(db, actor(RESEARCHER), booking.id, span(25, 9, 14), seen_version=1, now=NOW)
    assert moved.starts_at == at(25, 9)
    with house.write() as db, pytest.raises(Refused) as caught:
        service.move(db, actor(RESEARCHER), booking.id, span(25, 9, 15), seen_version=2, now=NOW)
    assert [each.code for each in caught.value.refusals] == ["courtesy_prime_day"]


def test_what_a_round_gave_is_bound_by_no_courtesy(house: Database) -> None:
    """Seven hours of a plan neither count against the person's own five nor keep the session from moving."""
    with house.write() as db:
        plan = queue(db, close(db, open_round(db)))
        session = a_booking(XRD, span(25, 8, 15), plan_id=plan.id)
        store.add(db, [session])
    book(house, FESEM, span(25, 15, 18))
    with house.write() as db:
        moved = service.move(db, actor(RESEARCHER), session.id, span(26, 8, 15), seen_version=1, now=NOW)
    assert moved.ends_at == at(26, 15)


def test_an_agreement_may_narrow_the_window_ahead_and_the_shortest_slot(house: Database) -> None:
    """The instrument alone allows 60 days and half an hour; the agreement 14 days; the least of an hour is stated."""
    far = Span(at(25, 9) + timedelta(days=14), at(25, 10) + timedelta(days=14))
    assert [each.code for each in refused(house, XRD, far)] == ["too_far_ahead"]
    book(house, NMR, far)
    stricter = courteous(courtesy=Courtesy(least_minutes=60))
    with house.write() as db:
        agreements_store.add_version(db, Version(number=2, agreement=stricter), actor_id=None, now=NOW)
    (refusal,) = refused(house, XRD, Span(at(25, 9), at(25, 9, 30)))
    assert (refusal.code, refusal.params["least_minutes"]) == ("too_short", 60)
    # What an agreement says is not a manager's to pass.
    short = Wish(
        instrument_number=XRD,
        span=Span(at(25, 9), at(25, 9, 30)),
        project_id=PUBLIC_PROJECT,
        override="because the sample decays",
    )
    with house.write() as db, pytest.raises(Refused) as caught:
        service.book(db, actor(MANAGER), short, NOW)
    assert [each.code for each in caught.value.refusals] == ["too_short"]


def test_what_is_suggested_keeps_to_what_agreements_narrow(house: Database) -> None:
    """The instrument alone allows 60 days and half an hour; the agreements 14 days and, from version 2 on, an hour."""
    far = Span(at(25, 9) + timedelta(days=14), at(25, 10) + timedelta(days=14))
    asked = Wish(instrument_number=XRD, span=far, person_id=RESEARCHER, project_id=PUBLIC_PROJECT)
    with house.read() as db:
        found = free_times.suggest(db, asked, NOW)
    assert len(found) == 3
    assert max(each.end for each in found) <= NOW + timedelta(days=14)
    for each in found:
        assert book(house, XRD, each).span == each
    stricter = courteous(courtesy=Courtesy(least_minutes=60))
    with house.write() as db:
        agreements_store.add_version(db, Version(number=2, agreement=stricter), actor_id=None, now=NOW)
        short = msgspec.structs.replace(asked, span=Span(at(25, 9), at(25, 9, 30)))
        assert free_times.suggest(db, short, NOW)[0] == Span(at(25, 9), at(25, 10))


def test_the_third_no_show_bars_and_the_fourteenth_day_frees(house: Database) -> None:
    """R21: missed 40, 20 and 3 days ago: barred until 14 days after the last, 11 days from now."""
    missed = [NOW - timedelta(days=days) for days in (40, 20, 3)]
    put(
        house,
        *(a_booking(XRD, Span(start, start + timedelta(hours=1)), state=BookingState.NO_SHOW) for start in missed),
    )
    (refusal,) = refused(house, FESEM, span(25, 9, 10))
    assert refusal.code == "courtesy_blocked"
    assert refusal.params == {"strikes": 3, "until": (NOW + timedelta(days=11)).isoformat()}
    # Others may book, and so may this person where the agreement does not hold.
    book(house, FESEM, span(25, 9, 10), COLLEAGUE)
    book(house, NMR, span(25, 9, 10))
    later = NOW + timedelta(days=11)
    with house.write() as db:
        wish = Wish(instrument_number=FESEM, span=Span(later, later + timedelta(hours=1)), project_id=PUBLIC_PROJECT)
        assert service.book(db, actor(RESEARCHER), wish, later).starts_at == later


def test_blocks_of_the_centre_know_no_courtesy(house: Database) -> None:
    with house.write() as db:
        block = service.block(db, actor(MANAGER), XRD, BookingKind.MAINTENANCE, span(25, 8, 18), "", NOW)
    assert block.ends_at == at(25, 18)


def test_without_a_clause_a_booking_asks_no_question_more(house: Database) -> None:
    """The NMR is covered by nobody: that is known from the agreements in force alone."""
    wish = Wish(instrument_number=NMR, span=span(25, 9, 10), person_id=RESEARCHER, project_id=PUBLIC_PROJECT)
    with house.read() as db:
        rules, book = store.rules_of(db, [NMR])[NMR], rulebook(db)
        with counted(house.engine) as seen:
            covering = clauses.covering(book, rules, wish)
            assert clauses.wanted(covering, rules, wish, NOW) == (None, None)
            assert clauses.conducts(covering, rules, wish) == ()
    assert seen == []


def test_a_version_that_has_ended_binds_nobody(house: Database) -> None:
    every_minute = Courtesy(prime=PrimeTime(hours="daily", day_minutes=1))
    ended = courteous(id="B", courtesy=every_minute, effective_until=date(2026, 11, 24))
    with house.write() as db:
        agreements_store.add_version(db, Version(number=1, agreement=ended), actor_id=None, now=NOW)
    assert book(house, FESEM, span(25, 9, 14)).state is BookingState.CONFIRMED


def test_a_round_is_planned_by_the_order_that_is_in_force(house: Database) -> None:
    stated = courteous(id="ORDER", courtesy=None, tiers=whole().tiers, fair_share=FairShare(half_life_days=28))
    with house.write() as db:
        agreements_store.add_version(db, Version(number=1, agreement=stated), actor_id=None, now=NOW)
        began = NOW - timedelta(days=28)
        store.add(db, [a_booking(XRD, Span(began, began + timedelta(hours=1)))])
        covered = plans.load_facts(db, open_round(db), NOW)
    assert covered.tiers == whole().tiers
    # An hour of 28 days ago is half an hour by this half-life, and would be a quarter by the usual one.
    assert covered.recent == {("I-IMS", PUBLIC_PROJECT): 30}


# ---------------------------------------------------------------- not coming, and giving back too late (R20, R21)


def missed(house: Database, booking: Booking, after: timedelta, who: UUID = MANAGER) -> Booking:
    with house.write() as db:
        return service.miss(db, actor(who), booking.id, seen_version=1, now=booking.starts_at + after)


def test_a_manager_writes_down_that_nobody_came_once_the_grace_is_over(house: Database) -> None:
    """The clause waits 30 minutes. The strike is the person's, and the time is free again."""
    booking = book(house, XRD, span(25, 9, 11))
    with pytest.raises(Refused) as caught:
        missed(house, booking, timedelta(minutes=30))
    assert [(each.code, each.params) for each in caught.value.refusals] == [("no_show_too_early", {"late_minutes": 30})]
    with pytest.raises(Forbidden):
        missed(house, booking, timedelta(minutes=31), RESEARCHER)
    assert missed(house, booking, timedelta(minutes=31)).state is BookingState.NO_SHOW
    with house.read() as db:
        assert [use.id for use in person_times.missed(db, RESEARCHER, NOW)] == [booking.id]
    book(house, XRD, span(25, 9, 11), COLLEAGUE)
    with pytest.raises(WrongState), house.write() as db:
        service.miss(db, actor(MANAGER), booking.id, seen_version=2, now=booking.ends_at)


def test_nobody_is_said_not_to_have_come_where_the_instrument_ran_in_time_or_no_clause_holds(house: Database) -> None:
    booking, late = book(house, XRD, span(25, 9, 11)), book(house, XRD, span(25, 11, 12))
    with house.write() as db:
        runs = {booking: booking.starts_at + 30 * MINUTE, late: late.starts_at + 31 * MINUTE}
        usage_store.add_records(
            db,
            [
                StateRecord(
                    id=uuid4(), instrument_number=XRD, state=EquipmentState.PRODUCTIVE, starts_at=began,
                    ends_at=began + 10 * MINUTE, booking_id=each.id, source="operator",
                )
                for each, began in runs.items()
            ],
        )  # fmt: skip
    with pytest.raises(Refused) as caught:
        missed(house, booking, timedelta(hours=2))
    assert [each.code for each in caught.value.refusals] == ["no_show_came"]
    assert missed(house, late, timedelta(hours=1)).state is BookingState.NO_SHOW
    with house.write() as db:
        agreements_store.add_version(
            db, Version(number=2, agreement=courteous(courtesy=Courtesy())), actor_id=None, now=NOW
        )
    with pytest.raises(Refused) as caught:
        missed(house, booking, timedelta(hours=2))
    assert [each.code for each in caught.value.refusals] == ["no_show_without_clause"]


def cancelled(house: Database, booking: Booking, before: timedelta, who: UUID = RESEARCHER) -> Booking:
    with house.write() as db:
        return service.cancel(db, actor(who), booking.id, seen_version=1, now=booking.starts_at - before)


def test_nobody_misses_what_the_staff_run_or_what_was_down(house: Database) -> None:
    """Down from before the start, and still: who begins once it is up again could have come."""
    with house.write() as db:
        modes.choose(db, actor(MANAGER), "N002", list(Mode), "", NOW)
    by_staff = book(house, XRD, span(25, 8, 9), mode=Mode.COMMISSIONED)
    down, after = book(house, XRD, span(25, 9, 11)), book(house, XRD, span(25, 11, 12))
    with house.write() as db:
        usage.record_down(db, actor(MANAGER), "N002", "pump", by_staff.ends_at - timedelta(minutes=5))
    with pytest.raises(Refused, match="no_show_by_staff"):
        missed(house, by_staff, timedelta(minutes=40))
    with pytest.raises(Refused, match="no_show_down"):
        missed(house, down, timedelta(minutes=40))
    with house.write() as db:
        usage.record_up(db, actor(MANAGER), "N002", down.ends_at)
    with pytest.raises(Refused, match="no_show_down"):
        missed(house, down, timedelta(hours=3))
    assert missed(house, after, timedelta(minutes=40)).state is BookingState.NO_SHOW


def strikes(house: Database, who: UUID = RESEARCHER) -> int:
    with house.read() as db:
        return len(person_times.missed(db, who, NOW))


@pytest.mark.parametrize(
    ("who", "hours", "to", "strikes_after"),
    [
        # An hour before it begins to another day, and given back; two days before; and by a manager, who gives none.
        (RESEARCHER, 1, span(30, 9, 11), 1),
        (RESEARCHER, 48, span(30, 9, 11), 0),
        (MANAGER, 1, span(30, 9, 11), 0),
        # A part is no other time: what is left is given back in time.
        (RESEARCHER, 48, span(27, 9, 10), 0),
    ],
)
def test_what_was_moved_late_is_given_back_late(
    house: Database, who: UUID, hours: int, to: Span, strikes_after: int
) -> None:
    """The clause asks for 24 hours' notice; without giving it back there is no strike."""
    with house.write() as db:
        clause = Courtesy(notice_hours=24, penalties=Penalties(strikes=1, late_cancel=True))
        agreements_store.add_version(
            db, Version(number=2, agreement=courteous(courtesy=clause)), actor_id=None, now=NOW
        )
    use = book(house, XRD, span(27, 9, 11))
    now = use.starts_at - timedelta(hours=hours)
    with house.write() as db:
        moved = service.move(db, actor(who), use.id, to, seen_version=1, now=now)
    assert strikes(house) == 0
    with house.write() as db:
        service.cancel(db, actor(RESEARCHER), use.id, seen_version=moved.version, now=now)
    assert strikes(house) == strikes_after


def late_cancel(house: Database, notice_hours: int = 24) -> None:
    clause = Courtesy(notice_hours=notice_hours, penalties=Penalties(strikes=1, late_cancel=True))
    with house.write() as db:
        agreements_store.add_version(
            db, Version(number=2, agreement=courteous(courtesy=clause)), actor_id=None, now=NOW
        )


def give_back(house: Database, booking: Booking, now: datetime, who: UUID = RESEARCHER) -> None:
    with house.write() as db:
        service.cancel(db, actor(who), booking.id, seen_version=booking.version, now=now)


def move_to(house: Database, booking: Booking, when: Span, now: datetime, who: UUID = RESEARCHER) -> Booking:
    with house.write() as db:
        return service.move(db, actor(who), booking.id, when, seen_version=booking.version, now=now)


def test_the_first_part_is_not_given_back_late_to_give_back_the_rest_in_time(house: Database) -> None:
    """Three hours' notice, half an hour before: what is left begins in seven hours."""
    late_cancel(house, notice_hours=3)
    use = book(house, XRD, span(27, 9, 17))
    now = use.starts_at - timedelta(minutes=30)
    give_back(house, move_to(house, use, span(27, 16, 17), now), now)
    assert strikes(house) == 1


def test_what_was_moved_late_binds_to_no_more_than_it_gave_back(house: Database) -> None:
    """Longer only, then moved by a manager, and given back in time."""
    late_cancel(house)
    other = book(house, XRD, span(27, 13, 15))
    longer = move_to(house, other, span(27, 13, 16), other.starts_at - timedelta(hours=20))
    far = move_to(house, longer, span(30, 13, 16), other.starts_at - timedelta(hours=19), MANAGER)
    give_back(house, far, other.starts_at - timedelta(hours=18))
    assert strikes(house) == 0


def test_the_user_office_gives_nobody_a_strike(house: Database) -> None:
    late_cancel(house)
    with house.write() as db:
        modes.choose(db, actor(MANAGER), "N002", list(Mode), "", NOW)
    use = book(house, XRD, span(27, 9, 11), mode=Mode.COMMISSIONED)
    with house.write() as db:
        db.execute(sa.update(t.bookings).where(t.bookings.c.id == use.id).values(operator_id=COLLEAGUE))
        db.execute(sa.update(t.persons).where(t.persons.c.id == COLLEAGUE).values(disabled_at=NOW))
        db.execute(sa.update(t.bookings).where(t.bookings.c.id == use.id).values(late_notice=True))
        service.give_back(db, actor(OFFICE), use.id, seen_version=1, now=NOW)
    assert strikes(house) == 0


def test_who_has_strikes_of_an_agreement_is_told_before_they_are_barred(house: Database) -> None:
    """Missed on the 19th and the 20th: two of three is told there, and of a booking ahead that the agreement covers, to
    nobody but their user, while they count; two of two bars.
    """
    clause = Courtesy(notice_hours=24, penalties=Penalties(strikes=2, within_days=30))
    put(
        house,
        first := a_booking(XRD, span(19, 9, 10), state=BookingState.NO_SHOW),
        second := a_booking(XRD, span(20, 9, 10), state=BookingState.NO_SHOW),
    )

    def told(booking: Booking, who: UUID = RESEARCHER, now: datetime = NOW) -> list[Refusal]:
        with house.read() as db:
            return list(booking_warnings.no_shows(db, actor(who), booking, now))

    def sign(number: int, **changes: Any) -> None:
        agreement = courteous(courtesy=msgspec.structs.replace(clause, **changes))
        with house.write() as db:
            agreements_store.add_version(db, Version(number=number, agreement=agreement), actor_id=None, now=NOW)

    ahead, elsewhere = book(house, FESEM, span(26, 9, 10)), book(house, NMR, span(26, 11, 12))
    theirs = book(house, XRD, span(26, 9, 10), COLLEAGUE)
    sign(2, penalties=Penalties(strikes=3, within_days=30))
    so_far = {"taken": 2, "strikes": 3, "within_days": 30, "block_days": 14}
    for each in (first, second, ahead):
        (said,) = told(each)
        assert (said.code, said.params) == ("courtesy_so_far", so_far)
    assert told(elsewhere) == told(theirs, COLLEAGUE) == told(ahead, MANAGER) == []
    # On 19 December the first is 30 days ago.
    assert [each.params["taken"] for each in told(second, now=at(19, 9) + timedelta(days=30))] == [1]
    sign(3)
    (said,) = told(ahead)
    assert (said.code, said.params["until"]) == ("courtesy_blocked", (at(20, 9) + timedelta(days=14)).isoformat())
    sign(4, penalties=Penalties(strikes=3, late_cancel=True))
    with speaking("en"):
        assert sentence(told(ahead)[0]) == (
            "You did not come to 2 of your bookings on the instruments of an agreement in the last 90 days, or gave"
            " them back too late. After 3 you cannot book them for 14 days; give back in time what you do not need."
        )


def test_giving_back_too_late_is_a_strike_only_where_the_clause_says_so(house: Database) -> None:
    """Notice of 24 hours. A minute less is late; exactly that is not, and a manager who cancels strikes nobody."""
    a_minute_late = timedelta(hours=24) - MINUTE
    assert not cancelled(house, book(house, XRD, span(26, 9, 10)), a_minute_late).late_notice
    penalties = Penalties(strikes=1, late_cancel=True)
    strict = courteous(courtesy=Courtesy(notice_hours=24, penalties=penalties))
    with house.write() as db:
        agreements_store.add_version(db, Version(number=2, agreement=strict), actor_id=None, now=NOW)
    assert not cancelled(house, book(house, XRD, span(26, 9, 10)), timedelta(hours=24)).late_notice
    assert not cancelled(house, book(house, XRD, span(26, 9, 10)), a_minute_late, MANAGER).late_notice
    assert not cancelled(house, book(house, NMR, span(26, 9, 10)), a_minute_late).late_notice
    late = cancelled(house, book(house, XRD, span(26, 9, 10)), a_minute_late)
    assert (late.state, late.late_notice) == (BookingState.CANCELLED, True)
    with house.read() as db:
        assert [use.id for use in person_times.missed(db, RESEARCHER, NOW)] == [late.id]
    # One strike bars here, for 14 days from the start that was given back.
    wish = Wish(instrument_number=XRD, span=Span(at(30, 9), at(30, 10)), project_id=PUBLIC_PROJECT)
    with house.write() as db, pytest.raises(Refused) as caught:
        service.book(db, actor(RESEARCHER), wish, at(27, 9))
    assert [each.code for each in caught.value.refusals] == ["courtesy_blocked"]
