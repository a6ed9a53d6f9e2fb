"""Rules of booking are posted and ended by those who manage the calendar there, and read by everybody."""

from __future__ import annotations

import threading
from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from labshare.domain.booking_rules import (
    BookingRule,
    Changeover,
    CutOff,
    DatedHours,
    Granularity,
    Length,
    Overnight,
    Posted,
    Scope,
    ScopeKind,
    WeekHours,
)
from labshare.domain.bookings import InstrumentRules
from labshare.domain.opening import format_opening
from labshare.domain.timespan import Span
from labshare.errors import Forbidden, Malformed, NotFound, Refused, TimeTaken, WrongState
from labshare.services import booking_rules as rules_service
from labshare.services import calendars
from labshare.store import booking_rules as store
from labshare.store import bookings as bookings_store
from labshare.store import outbox
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import (
    ADMINISTRATOR,
    COLLEAGUE,
    FESEM,
    MANAGER,
    NMR,
    NOW,
    RESEARCHER,
    XRD,
    actor,
    at,
    counted,
    furnish,
    span,
)
from tests.services.test_house_rules import CENTRE, REASON, book, move, offered, posted, refused

DAY = timedelta(days=1)
OF_XRD, GROUP = Scope(ScopeKind.INSTRUMENT, "N002"), Scope(ScopeKind.GROUP, "XRD")


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def test_rules_are_posted_by_those_who_manage_the_calendar_there(house: Database) -> None:
    posted(house, CutOff(hours=1), CENTRE, MANAGER)
    posted(house, CutOff(hours=1), Scope(ScopeKind.INSTRUMENT, "N001"), MANAGER)
    for scope in (Scope(ScopeKind.CENTRE, "C-TWO"), Scope(ScopeKind.GROUP, "XRD"), Scope(ScopeKind.INSTRUMENT, "N003")):
        with pytest.raises(Forbidden):
            posted(house, CutOff(hours=1), scope, MANAGER)
    with pytest.raises(NotFound):
        posted(house, CutOff(hours=1), Scope(ScopeKind.CENTRE, "C-NONE"))
    with pytest.raises(Malformed):
        posted(house, CutOff(hours=0))


def test_a_rule_that_holds_already_is_posted_again_only_once_it_was_ended(house: Database) -> None:
    first = posted(house, CutOff(hours=1))
    with pytest.raises(Refused, match="booking_rule_stands"):
        posted(house, CutOff(hours=1))
    posted(house, CutOff(hours=1), Scope(ScopeKind.INSTRUMENT, "N001"))
    with house.write() as db:
        rules_service.end(db, actor(MANAGER), first, NOW)
    posted(house, CutOff(hours=1))


def test_a_step_that_was_posted_before_it_was_judged_is_read_all_the_same(house: Database) -> None:
    """Who looks at an instrument is not shown a fault for what somebody else once posted."""
    with house.write() as db:
        store.add(db, Posted(id=uuid4(), scope=CENTRE, rule=Granularity(minutes=7), since=NOW))
    with house.read() as db:
        assert [each.rule for each in rules_service.of_scope(db, CENTRE)] == [Granularity(minutes=7)]
    with pytest.raises(Malformed, match="booking_rule_step"):
        posted(house, Granularity(minutes=14))


def test_a_rule_that_was_ended_no_longer_holds_and_can_still_be_read(house: Database) -> None:
    rule_id = posted(house, CutOff(hours=100))
    assert refused(house, XRD, span(25, 9, 10)).code == "rule_cut_off"
    with house.write() as db, pytest.raises(Forbidden):
        rules_service.end(db, actor(RESEARCHER), rule_id, NOW)
    with house.write() as db:
        ended = rules_service.end(db, actor(MANAGER), rule_id, NOW)
    assert (ended.until, ended.ended_by_id) == (NOW, MANAGER)
    book(house, XRD, span(25, 9, 10))
    with house.write() as db, pytest.raises(WrongState):
        rules_service.end(db, actor(MANAGER), rule_id, NOW)
    with house.read() as db:
        assert rules_service.of_scope(db, CENTRE) == ()
        assert rules_service.of_scope(db, CENTRE, ended=True) == (ended,)
        assert rules_service.of_places(db, rules_service.places(db, "C-ONE")) == []
        assert rules_service.at_instrument(db, "N001") == ()


def test_everybody_reads_what_holds_for_an_instrument_and_a_centre(house: Database) -> None:
    """Of an instrument its own rules, its centre's and its group's; of a centre those of all its instruments."""
    for scope in (
        Scope(ScopeKind.INSTRUMENT, "N001"),
        Scope(ScopeKind.INSTRUMENT, "N002"),
        CENTRE,
        Scope(ScopeKind.CENTRE, "C-TWO"),
        Scope(ScopeKind.GROUP, "FESEM"),
        Scope(ScopeKind.GROUP, "NMR"),
    ):
        posted(house, Overnight(level=2), scope)
    with house.read() as db:
        here = {each.scope.id for each in rules_service.at_instrument(db, "N001")}
        places = rules_service.places(db, "C-ONE")
        there = {place.scope.id for place, rules in rules_service.of_places(db, places) if len(rules) == 1}
    assert (here, there) == ({"N001", "C-ONE", "FESEM"}, {"N001", "N002", "C-ONE", "FESEM"})


def test_a_manager_chooses_among_the_centre_and_its_instruments_and_an_administrator_among_groups(
    house: Database,
) -> None:
    with house.read() as db:
        scopes = [each.scope for each in rules_service.places(db, "C-ONE")]
    chosen = [
        [scope.id for scope in scopes if rules_service.may_post(actor(who), scope, "C-ONE")]
        for who in (MANAGER, ADMINISTRATOR, RESEARCHER)
    ]
    assert chosen == [["C-ONE", "N001", "N002"], ["C-ONE", "N001", "N002", "FESEM", "XRD"], []]


def test_an_instrument_that_is_not_booked_by_time_takes_no_rule_of_its_own(house: Database) -> None:
    with house.write() as db:
        by_samples = {"booking_mode": "service", "bookable_unit": "sample"}
        db.execute(sa.update(t.instruments).where(t.instruments.c.number == XRD).values(by_samples))
        with pytest.raises(Refused) as caught:
            rules_service.post(db, actor(MANAGER), Scope(ScopeKind.INSTRUMENT, "N002"), CutOff(hours=2), NOW)
        assert [each.code for each in caught.value.refusals] == ["booking_rule_untimed"]
        rules_service.post(db, actor(MANAGER), CENTRE, CutOff(hours=2), NOW)
        assert [each.scope for each in rules_service.at_instrument(db, "N002")] == [CENTRE]


def test_the_audit_tells_who_posted_and_ended_a_rule(house: Database) -> None:
    rule_id = posted(house, CutOff(hours=2))
    with house.write() as db:
        rules_service.end(db, actor(MANAGER), rule_id, NOW)
        lines = db.execute(sa.select(t.audit.c.actor_id, t.audit.c.action, t.audit.c.noun).order_by(t.audit.c.at))
        assert sorted(tuple(line) for line in lines) == [
            (MANAGER, "end", "booking_rule"),
            (ADMINISTRATOR, "post", "booking_rule"),
        ]


# ---------------------------------------------------------------- rules that stand in an instrument's row


def rules_of(house: Database, number: int) -> InstrumentRules:
    with house.read() as db:
        return bookings_store.rules_of(db, [number])[number]


def lengths(house: Database, number: int) -> tuple[int, int, int, int, int]:
    rules = rules_of(house, number)
    return (
        rules.min_minutes, rules.max_minutes, rules.granularity_minutes, rules.setup_minutes, rules.cleanup_minutes,
    )  # fmt: skip


def end(house: Database, rule_id: UUID) -> None:
    with house.write() as db:
        rules_service.end(db, actor(MANAGER), rule_id, NOW)


def minutes(day: int, hour: int, minute: int, length: int) -> Span:
    return Span(at(day, hour, minute), at(day, hour + (minute + length) // 60, (minute + length) % 60))


def test_a_row_holds_what_is_posted_until_it_is_ended(house: Database) -> None:
    """The instruments of Centre One are open Monday to Friday 08:00-18:00, for 30 to 480 minutes in steps of 30."""
    before = [rules_of(house, number) for number in (FESEM, XRD, NMR)]
    rules: tuple[BookingRule, ...] = (
        WeekHours(hours="Mon-Sat 09:00-17:00"),
        Length(least_minutes=60, most_minutes=240),
        Granularity(minutes=20),
        Changeover(setup_minutes=10, cleanup_minutes=5),
    )
    ids = [posted(house, rule, CENTRE, MANAGER) for rule in rules]
    assert [lengths(house, number) for number in (FESEM, XRD)] == [(60, 240, 20, 10, 5)] * 2
    assert format_opening(rules_of(house, XRD).opening) == "Mon-Sat 09:00-17:00"
    assert rules_of(house, NMR) == before[2]
    end(house, ids[1])
    # The registry's 30 to 480 minutes in whole steps of 20.
    assert lengths(house, XRD) == (40, 480, 20, 10, 5)
    for rule_id in (ids[0], *ids[2:]):
        end(house, rule_id)
    assert (lengths(house, FESEM), lengths(house, XRD)) == ((30, 480, 30, 0, 0),) * 2
    assert rules_of(house, XRD).opening == before[1].opening
    with house.read() as db:
        assert db.execute(sa.select(t.instruments.c.registered)).scalars().all() == [None] * 3


def test_the_narrower_rule_counts_then_the_later_one_and_what_is_left_when_it_ends(house: Database) -> None:
    posted(house, Length(most_minutes=300))
    group = posted(house, Length(most_minutes=240), GROUP)
    own = posted(house, Length(most_minutes=120), OF_XRD)
    found = [rules_of(house, number).max_minutes for number in (FESEM, XRD, NMR)]
    assert found == [300, 120, 480]
    end(house, own)
    assert rules_of(house, XRD).max_minutes == 240
    with house.write() as db:
        rules_service.end(db, actor(ADMINISTRATOR), group, NOW)
    assert rules_of(house, XRD).max_minutes == 300


def test_calendars_whose_instruments_changed_are_drawn_again_and_no_others(house: Database) -> None:
    """The FE-SEM keeps its own hours, so that the rule of the centre says nothing new there."""
    posted(house, WeekHours(hours="Mon 08:00-10:00"), Scope(ScopeKind.INSTRUMENT, "N001"))
    before = {number: rules_of(house, number).calendar_version for number in (FESEM, XRD, NMR)}
    with house.write() as db:
        outbox.delivered(db, [each.id for each in outbox.waiting(db)], NOW)
    posted(house, WeekHours(hours="Mon-Fri 10:00-12:00"))
    after = {number: rules_of(house, number).calendar_version for number in (FESEM, XRD, NMR)}
    assert after == before | {XRD: before[XRD] + 1}
    with house.read() as db:
        told = [each.payload for each in outbox.waiting(db)]
        week = calendars.calendar(db, None, [FESEM, XRD], span(25, 0, 24))
    assert told == [{"instrument": "N002", "version": after[XRD], "number": XRD}]
    assert week.opened == {FESEM: [], XRD: [span(25, 10, 12)]}


@pytest.mark.parametrize(
    ("rule", "no", "code", "yes"),
    [
        (Length(least_minutes=60, most_minutes=120), minutes(25, 9, 0, 30), "too_short", minutes(25, 9, 0, 60)),
        (Length(least_minutes=60, most_minutes=120), minutes(25, 9, 0, 150), "too_long", minutes(25, 9, 0, 120)),
        (Granularity(minutes=20), minutes(25, 9, 30, 60), "off_raster", minutes(25, 9, 20, 40)),
        (WeekHours(hours="Wed 12:00-14:00"), span(25, 9, 10), "closed", span(25, 12, 14)),
    ],
)
def test_a_booking_keeps_to_what_is_posted_and_a_manager_passes_it_with_a_reason(
    house: Database, rule: BookingRule, no: Span, code: str, yes: Span
) -> None:
    posted(house, rule)
    assert refused(house, XRD, no).code == code
    book(house, XRD, yes)
    later = Span(no.start + timedelta(days=7), no.end + timedelta(days=7))
    assert book(house, XRD, later, MANAGER, override=REASON).override_reason == REASON


def test_changeover_is_kept_around_what_is_booked_from_now_on(house: Database) -> None:
    """09:00-10:00 takes 08:45-10:30. What begins at 10:30 would be set up from 10:15, at 11:00 from 10:45."""
    posted(house, Changeover(setup_minutes=15, cleanup_minutes=30))
    first = book(house, XRD, span(25, 9, 10))
    assert first.occupied == Span(at(25, 8, 45), at(25, 10, 30))
    with pytest.raises(TimeTaken):
        book(house, XRD, minutes(25, 10, 30, 30), COLLEAGUE)
    assert book(house, XRD, span(25, 11, 12), COLLEAGUE).occupied.start == at(25, 10, 45)


def test_what_stands_is_left_alone_and_a_move_keeps_to_what_is_in_force(house: Database) -> None:
    booking = book(house, XRD, minutes(25, 9, 0, 30))
    for rule in (Changeover(cleanup_minutes=30), Length(least_minutes=60), WeekHours(hours="Wed 10:00-14:00")):
        posted(house, rule)
    with house.read() as db:
        assert bookings_store.get(db, booking.id) == booking
    with pytest.raises(Refused) as caught:
        move(house, booking, minutes(25, 9, 30, 30))
    assert [each.code for each in caught.value.refusals] == ["too_short", "closed"]
    moved = move(house, booking, span(25, 11, 12))
    assert moved.occupied == Span(at(25, 11, 0), at(25, 12, 30))


def test_what_is_offered_keeps_to_it(house: Database) -> None:
    """It is Monday 08:00. Wednesday 12:00-14:00 is all there is, and a use takes half an hour on each side."""
    posted(house, WeekHours(hours="Wed 12:00-14:00"))
    posted(house, Changeover(setup_minutes=30, cleanup_minutes=30), OF_XRD)
    found = offered(house, XRD, 60)
    assert found == span(25, 12, 13)
    book(house, XRD, found)
    # The next would begin at 14:00, an hour after the first, when it closes.
    assert offered(house, XRD, 60) == Span(at(25, 12) + 7 * DAY, at(25, 13) + 7 * DAY)
    # Its user is at the other instrument until then.
    assert offered(house, FESEM, 60) == span(25, 13, 14)


def test_what_nobody_could_book_is_refused_for_each_instrument_and_changes_nothing(house: Database) -> None:
    """The FE-SEM is open for two hours at most."""
    posted(house, WeekHours(hours="Mon-Fri 08:00-10:00"), Scope(ScopeKind.INSTRUMENT, "N001"))
    before = [rules_of(house, number) for number in (FESEM, XRD)]
    for rule, named in (
        (Length(least_minutes=180), [("N001", "booking_rule_beyond_opening")]),
        (Length(most_minutes=20), [("N001", "booking_rule_no_length"), ("N002", "booking_rule_no_length")]),
    ):
        with pytest.raises(Refused) as caught:
            posted(house, rule)
        assert [(each.params["instrument"], each.code) for each in caught.value.refusals] == named
    assert [rules_of(house, number) for number in (FESEM, XRD)] == before
    with house.read() as db:
        assert rules_service.of_scope(db, CENTRE) == ()


def test_a_rule_is_not_ended_while_another_cannot_be_kept_without_it(house: Database) -> None:
    """Twelve hours at least fit into hours of posted days only, not into the registry's ten."""
    longer = posted(house, WeekHours(hours="Mon-Fri 06:00-20:00"))
    least = posted(house, Length(least_minutes=720, most_minutes=840))
    with pytest.raises(Refused) as caught:
        end(house, longer)
    assert {each.params["instrument"] for each in caught.value.refusals} == {"N001", "N002"}
    assert rules_of(house, XRD).opening.week_minutes == 5 * 14 * 60
    end(house, least)
    end(house, longer)
    assert rules_of(house, XRD).opening.week_minutes == 5 * 10 * 60


def test_a_booking_waits_for_a_rule_that_is_being_posted(house: Database) -> None:
    done: list[str] = []

    def second() -> None:
        try:
            book(house, XRD, span(25, 9, 10))
            done.append("booked")
        except Refused as error:
            done.append(error.refusals[0].code)

    other = threading.Thread(target=second)
    with house.write() as db:
        rules_service.post(db, actor(MANAGER), CENTRE, WeekHours(hours="Wed 12:00-14:00"), NOW)
        other.start()
        other.join(0.3)
        assert done == []
    other.join()
    assert done == ["closed"]


def test_of_two_rules_posted_at_the_same_moment_neither_is_lost(house: Database) -> None:
    """Each makes the row anew from all that stands."""
    ready = threading.Barrier(2)

    def run(rule: BookingRule, scope: Scope) -> None:
        ready.wait()
        posted(house, rule, scope)

    several: list[tuple[BookingRule, Scope]] = [(Length(most_minutes=120), CENTRE), (Granularity(minutes=15), GROUP)]
    threads = [threading.Thread(target=run, args=each) for each in several]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert lengths(house, XRD)[:3] == (30, 120, 15)


def test_they_cost_a_booking_no_query(house: Database) -> None:
    posted(house, CutOff(hours=1))
    book(house, XRD, span(25, 8, 9))
    with counted(house.engine) as plain:
        book(house, XRD, span(25, 9, 10))
    posted(house, Length(most_minutes=120))
    book(house, XRD, span(25, 10, 11))
    with counted(house.engine) as more:
        book(house, XRD, span(25, 11, 12))
    assert len(more) == len(plain)


def test_days_that_are_over_take_no_rule(house: Database) -> None:
    """It is Monday 23 November 2026. Tet typed with this year's number would close nothing, and be said to hold."""
    tet = DatedHours(name="Tết", first=date(2026, 2, 16), last=date(2026, 2, 20))
    until_yesterday = DatedHours(name="Inspection", first=date(2026, 11, 20), last=date(2026, 11, 22))
    until_today = DatedHours(name="Inspection", first=date(2026, 11, 20), last=date(2026, 11, 23))
    with house.write() as db:
        for rule in (tet, until_yesterday):
            with pytest.raises(Refused) as caught:
                rules_service.post(db, actor(MANAGER), CENTRE, rule, NOW)
            assert [each.code for each in caught.value.refusals] == ["booking_rule_days_over"]
        assert rules_service.post(db, actor(MANAGER), CENTRE, until_today, NOW).rule == until_today
        assert [each.rule for each in rules_service.of_scope(db, CENTRE)] == [until_today]
