"""What stands is asked nothing anew of the times that it keeps, or gives back in part, but who must be there for it.

The rules are those of labshare/domain/kept_times.py, through the services. On both databases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from labshare.domain.booking_rules import (
    BookingRule,
    CutOff,
    DatedHours,
    Holder,
    Length,
    MostMinutes,
    NoShows,
    Overnight,
    Scope,
    ScopeKind,
)
from labshare.domain.bookings import Booking, BookingKind, BookingState, Wish
from labshare.domain.modes import Mode
from labshare.domain.series import Conflicts, Frequency, Reach, Repeat
from labshare.domain.timespan import Span
from labshare.errors import Refused, WrongState
from labshare.services import approvals, booking_rules, bookings, exchanges, modes, moves, operators, series
from labshare.store import bookings as bookings_store
from labshare.store import qualifications as store
from labshare.store import tables as t
from labshare.store.engine import Connection, Database
from tests.furniture import (
    ADMINISTRATOR,
    COLLEAGUE,
    FESEM,
    MANAGER,
    NOW,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    a_booking,
    actor,
    at,
    furnish,
    span,
)
from tests.round_of import open_round

CENTRE = Scope(ScopeKind.CENTRE, "C-ONE")
EVENING = span(26, 18, 20)


@pytest.fixture
def house(database: Database) -> Database:
    """Both instruments in every mode, operated by colleague and manager. Level 2, which closed hours may ask for, have
    the manager and the researcher.
    """
    with database.write() as db:
        furnish(db)
        for number, code in ((FESEM, "N001"), (XRD, "N002")):
            modes.choose(db, actor(MANAGER), code, list(Mode), "5 kV\n15 kV", NOW)
            for person_id, level in ((COLLEAGUE, 1), (MANAGER, 2), (RESEARCHER, 2)):
                store.put(db, person_id, number, level=level, until=None, by=ADMINISTRATOR, now=NOW - timedelta(30))
            for person_id in (COLLEAGUE, MANAGER):
                store.name_operator(db, person_id, number, operates=True)
    return database


def post(house: Database, rule: BookingRule) -> None:
    with house.write() as db:
        booking_rules.post(db, actor(MANAGER), CENTRE, rule, NOW)


def book(house: Database, when: Span, who: UUID = RESEARCHER, number: int = FESEM, **more: Any) -> Booking:
    wish = Wish(instrument_number=number, span=when, project_id=PUBLIC_PROJECT, **more)
    with house.write() as db:
        return bookings.book(db, actor(who), wish, NOW)


def move(
    house: Database,
    booking: Booking,
    when: Span | None = None,
    who: UUID = RESEARCHER,
    now: datetime = NOW,
    **more: Any,
) -> Booking:
    with house.write() as db:
        return bookings.move(
            db, actor(who), booking.id, when or booking.span, seen_version=booking.version, now=now, **more
        )


def refused(house: Database, booking: Booking, when: Span | None = None, **more: Any) -> list[str]:
    with pytest.raises(Refused) as caught:
        move(house, booking, when, **more)
    return [each.code for each in caught.value.refusals]


# ---------------------------------------------------------------- closed hours


def test_a_run_by_the_staff_in_closed_hours_does_not_lose_its_operator(house: Database) -> None:
    """By no way: alone, with its series, or with other words besides."""
    post(house, Overnight(level=2))
    run = book(house, EVENING, mode=Mode.COMMISSIONED, operator_id=MANAGER)
    assert refused(house, run, operator_id=None) == ["rule_staff_hours"]
    assert refused(house, run, operator_id=None, purpose="khác") == ["rule_staff_hours"]
    assert refused(house, run, operator_id=COLLEAGUE) == ["rule_overnight"]
    assert move(house, run, purpose="khác").operator_id == MANAGER
    wish = Wish(
        instrument_number=XRD,
        span=span(27, 18, 20),
        project_id=PUBLIC_PROJECT,
        mode=Mode.COMMISSIONED,
        operator_id=MANAGER,
    )
    with house.write() as db:
        made = series.create(
            db, actor(RESEARCHER), wish, Repeat(frequency=Frequency.WEEKLY, count=2), Conflicts.STOP, NOW
        )
    first = made.line.bookings[0]
    with pytest.raises(Refused, match="rule_staff_hours"), house.write() as db:
        series.move(
            db,
            actor(RESEARCHER),
            first.id,
            first.span,
            Reach.ALL,
            seen_version=2,
            now=NOW,
            operator_id=None,
        )


def test_ones_own_use_in_closed_hours_is_not_left_to_the_staff(house: Database) -> None:
    post(house, Overnight(level=2))
    use = book(house, EVENING, mode=Mode.SELF)
    assert refused(house, use, mode=Mode.COMMISSIONED) == ["rule_staff_hours"]
    assert move(house, use, mode=Mode.COMMISSIONED, operator_id=MANAGER).mode is Mode.COMMISSIONED


def test_a_swap_does_not_leave_closed_hours_to_the_staff(house: Database) -> None:
    post(house, Overnight(level=2))
    night = book(house, EVENING, mode=Mode.SELF)
    day = book(house, span(27, 9, 11), COLLEAGUE, mode=Mode.COMMISSIONED)
    with house.write() as db:
        asked = exchanges.swap(db, actor(RESEARCHER), night.id, "N001", day.starts_at, seen_version=1, now=NOW)
    with house.write() as db, pytest.raises(Refused, match="rule_staff_hours"):
        exchanges.accept(db, actor(COLLEAGUE), asked.id, None, seen_version=2, now=NOW)


def test_what_the_staff_run_alone_already_may_change_in_all_else(house: Database) -> None:
    """The rule was posted, and the hours were closed, after it was booked."""
    run = book(house, span(26, 9, 11), mode=Mode.COMMISSIONED)
    post(house, Overnight(level=2))
    with house.write() as db:
        db.execute(sa.update(t.instruments).values(opening="daily 12:00-18:00"))
    assert move(house, run, setup="5 kV").setup == "5 kV"


def test_the_level_is_asked_of_who_takes_over_whatever_closed_the_date_since(house: Database) -> None:
    post(house, Overnight(level=2))
    night, day = book(house, EVENING, mode=Mode.SELF), book(house, span(26, 9, 11), mode=Mode.SELF)
    post(house, DatedHours(name="Power cut", first=date(2026, 11, 26), last=date(2026, 11, 26)))
    assert move(house, night, setup="5 kV").setup == "5 kV"
    for use, taken in ((night, False), (day, True)):
        with house.write() as db:
            seen = bookings_store.get(db, use.id).version
            asked = exchanges.hand_over(db, actor(RESEARCHER), use.id, COLLEAGUE, seen_version=seen, now=NOW)
        if taken:
            with house.write() as db:
                exchanges.accept(db, actor(COLLEAGUE), asked.id, PUBLIC_PROJECT, seen_version=seen, now=NOW)
        else:
            with house.write() as db, pytest.raises(Refused, match="rule_overnight"):
                exchanges.accept(db, actor(COLLEAGUE), asked.id, PUBLIC_PROJECT, seen_version=seen, now=NOW)


# ---------------------------------------------------------------- who is there


def test_an_operator_who_was_relieved_stays_until_the_times_change(house: Database) -> None:
    use = book(house, span(26, 9, 10), mode=Mode.COMMISSIONED, operator_id=COLLEAGUE)
    with house.write() as db:
        operators.name(db, actor(MANAGER), "N001", "colleague", operates=False, now=NOW)
    described = move(house, use, setup="5 kV")
    assert (described.setup, described.operator_id) == ("5 kV", COLLEAGUE)
    assert refused(house, described, span(26, 13, 14)) == ["operator_not_named"]
    assert move(house, described, span(26, 13, 14), operator_id=None).operator_id is None


def test_a_trainer_who_is_none_any_more_stays_until_the_times_change(house: Database) -> None:
    with house.write() as db:
        store.put(db, COLLEAGUE, FESEM, level=3, until=None, by=ADMINISTRATOR, now=NOW - timedelta(30))
        session = a_booking(FESEM, span(26, 9, 10), trainer_id=COLLEAGUE)
        bookings_store.add(db, [session])
        store.put(db, COLLEAGUE, FESEM, level=1, until=None, by=ADMINISTRATOR, now=NOW)
    assert move(house, session, purpose="khác").purpose == "khác"
    with house.read() as db:
        again = bookings_store.get(db, session.id)
    assert refused(house, again, span(26, 13, 14)) == ["trainer_not_qualified"]


# ---------------------------------------------------------------- giving back a part


def test_who_is_barred_gives_back_a_part(house: Database) -> None:
    use = book(house, span(26, 9, 11), number=XRD)
    post(house, NoShows(strikes=1, within_days=30, block_days=14, late_minutes=30))
    with house.write() as db:
        soon = Span(NOW + timedelta(minutes=5), NOW + timedelta(minutes=35))
        bookings_store.add(db, [a_booking(FESEM, soon, state=BookingState.NO_SHOW)])
    later = NOW + timedelta(hours=1)
    assert refused(house, use, span(26, 9, 12), now=later) == ["rule_no_shows"]
    assert move(house, use, span(26, 9, 10), now=later).ends_at == at(26, 10)


@pytest.mark.parametrize("part", [span(26, 9, 11), span(26, 10, 12), span(26, 10, 11)])
def test_a_part_given_back_is_decided_on_by_nobody(house: Database, part: Span) -> None:
    use = book(house, span(26, 9, 12), number=XRD)
    with house.write() as db:
        approvals.choose(db, actor(MANAGER), "N002", "everybody", 24, NOW)
    left = move(house, use, part)
    assert (left.state, left.span, left.hold_expires_at) == (BookingState.CONFIRMED, part, None)
    assert move(house, left, span(26, 9, 12)).state is BookingState.PENDING


def test_a_request_that_asks_for_less_waits_as_before(house: Database) -> None:
    with house.write() as db:
        approvals.choose(db, actor(MANAGER), "N002", "everybody", 24, NOW)
    asked = book(house, span(26, 9, 12), number=XRD)
    left = move(house, asked, span(26, 9, 11), now=NOW + timedelta(hours=2))
    assert (left.state, left.hold_expires_at) == (BookingState.PENDING, asked.hold_expires_at)
    # Nor does a manager approve it by that.
    assert move(house, left, span(26, 9, 10), who=MANAGER).state is BookingState.PENDING


def test_a_part_is_given_back_though_a_round_keeps_the_week_or_its_date_is_closed(house: Database) -> None:
    monday = at(30, 9)
    use, other = (book(house, Span(day, day + timedelta(hours=3)), number=XRD) for day in (monday, at(26, 9)))
    with house.write() as db:
        open_round(db)
    post(house, DatedHours(name="Power cut", first=date(2026, 11, 26), last=date(2026, 11, 26)))
    with pytest.raises(Refused, match="kept_for_round"):
        book(house, Span(monday - timedelta(hours=1), monday), COLLEAGUE, number=XRD)
    for each in (use, other):
        assert move(house, each, Span(each.starts_at, each.ends_at - timedelta(hours=1))).span.minutes == 120


@pytest.mark.parametrize(
    ("rule", "part", "codes"),
    [
        # It was too long before as well, and is no shorter than it may be.
        (Length(least_minutes=60, most_minutes=60), span(26, 9, 11), []),
        (Length(least_minutes=120, most_minutes=240), span(26, 9, 10), ["too_short"]),
    ],
)
def test_what_a_part_falls_short_of_is_said_and_no_more(
    house: Database, rule: BookingRule, part: Span, codes: list[str]
) -> None:
    use = book(house, span(26, 9, 12), number=XRD)
    post(house, rule)
    assert (refused(house, use, part) if codes else []) == codes
    if not codes:
        assert move(house, use, part).span == part


def test_a_part_keeps_the_changeover_that_it_was_booked_with(house: Database) -> None:
    """Half an hour of cleaning was posted since, and the next use begins at once."""
    use, after = book(house, span(26, 9, 11), number=XRD), book(house, span(26, 11, 12), COLLEAGUE, XRD)
    with house.write() as db:
        db.execute(sa.update(t.instruments).values(setup_minutes=30, cleanup_minutes=30))
    left = move(house, use, span(26, 10, 11))
    assert left.occupied == left.span
    assert move(house, after, who=COLLEAGUE, setup="15 kV").occupied == after.span


def long_runs(house: Database) -> None:
    with house.write() as db:
        db.execute(sa.update(t.instruments).values(spans_closed_hours=True, max_minutes=2000))


def test_a_long_run_is_not_cut_into_closed_hours(house: Database) -> None:
    """From two in the afternoon to ten: whoever runs it was to be there while it is open."""
    long_runs(house)
    by_staff = book(house, span(26, 14, 34), mode=Mode.COMMISSIONED)
    own = book(house, span(26, 14, 34), COLLEAGUE, XRD, mode=Mode.SELF)
    assert refused(house, own, span(26, 14, 27), who=COLLEAGUE) == ["closed"]
    post(house, Overnight(level=2))
    for part in (span(26, 14, 27), span(26, 22, 28), span(26, 20, 34)):
        assert refused(house, by_staff, part) == ["rule_staff_hours"]
        assert refused(house, own, part, who=COLLEAGUE) == ["rule_overnight"]
    assert move(house, by_staff, span(26, 14, 17)).ends_at == at(26, 17)
    assert move(house, own, span(27, 9, 10), who=COLLEAGUE).starts_at == at(27, 9)


def test_a_night_is_shortened_by_who_has_lost_the_level(house: Database) -> None:
    post(house, Overnight(level=2))
    use = book(house, span(26, 18, 23), mode=Mode.SELF)
    with house.write() as db:
        store.put(db, RESEARCHER, FESEM, level=1, until=None, by=ADMINISTRATOR, now=NOW)
    assert move(house, use, span(26, 18, 20)).ends_at == at(26, 20)


def revoked(db: Connection) -> None:
    db.execute(sa.delete(t.qualifications))


def ended(db: Connection) -> None:
    db.execute(sa.update(t.projects).values(state="declined"))


def left(db: Connection) -> None:
    db.execute(sa.delete(t.project_members))


def retired(db: Connection) -> None:
    db.execute(sa.update(t.instruments).values(retired_at=NOW))


def limited(db: Connection) -> None:
    rule = MostMinutes(holder=Holder.PERSON, within_days=14, most_minutes=60)
    booking_rules.post(db, actor(MANAGER), CENTRE, rule, NOW)


def cut_off(db: Connection) -> None:
    booking_rules.post(db, actor(MANAGER), CENTRE, CutOff(hours=240), NOW)


def withdrawn(db: Connection) -> None:
    for code in ("N001", "N002"):
        modes.choose(db, actor(MANAGER), code, [Mode.ASSISTED], "", NOW)


@pytest.mark.parametrize("since", [revoked, ended, left, retired, limited, cut_off, withdrawn])
def test_whatever_happened_since_a_part_and_the_rest_are_given_back(
    house: Database, since: Callable[[Connection], None]
) -> None:
    ahead, begun = book(house, span(27, 9, 14)), book(house, span(26, 9, 14), COLLEAGUE, mode=Mode.SELF)
    with house.write() as db:
        since(db)
    assert move(house, ahead, span(27, 10, 13)).span == span(27, 10, 13)
    with house.write() as db:
        done = moves.finish(db, actor(COLLEAGUE), begun.id, seen_version=1, now=at(26, 10))
    assert (done.ends_at, done.mode, done.attended) == (at(26, 10), Mode.SELF, begun.attended)


def test_a_part_is_given_back_where_fewer_have_room_now(house: Database) -> None:
    with house.write() as db:
        db.execute(sa.update(t.instruments).values(capacity=2))
    use, _ = book(house, span(26, 9, 14), number=XRD), book(house, span(26, 9, 14), COLLEAGUE, XRD)
    with house.write() as db:
        db.execute(sa.update(t.instruments).values(capacity=1))
    assert move(house, use, span(26, 9, 10)).ends_at == at(26, 10)


def test_a_long_run_ends_whenever_its_user_is_done(house: Database) -> None:
    long_runs(house)
    use = book(house, span(26, 14, 34), number=XRD)
    with house.write() as db:
        assert moves.finish(db, actor(RESEARCHER), use.id, seen_version=1, now=at(26, 20)).ends_at == at(26, 20)


# ---------------------------------------------------------------- giving back the rest


def test_the_rest_is_given_back_from_now_on_and_nothing_else_of_what_has_begun(house: Database) -> None:
    use = book(house, span(26, 9, 14), number=XRD)
    begun = at(26, 10)
    others: tuple[tuple[Span, Mapping[str, Any]], ...] = (
        (span(26, 9, 15), {}),
        (span(26, 10, 14), {}),
        (span(26, 9, 14), {}),
        (Span(at(26, 9), begun - timedelta(minutes=30)), {}),
        (span(26, 9, 11), {"purpose": "khác"}),
        (span(26, 9, 11), {"operator_id": None}),
        (span(26, 9, 11), {"mode": Mode.SELF}),
    )
    for wrong, more in others:
        with pytest.raises(WrongState, match="booking_begun"):
            move(house, use, wrong, now=begun, **more)
    left = move(house, use, span(26, 9, 11), now=begun)
    assert (left.span, left.state) == (span(26, 9, 11), BookingState.CONFIRMED)
    with house.read() as db:
        assert bookings_store.get(db, use.id).occupied == span(26, 9, 11)
    book_now = Wish(instrument_number=XRD, span=span(26, 11, 14), project_id=PUBLIC_PROJECT)
    with house.write() as db:
        assert bookings.book(db, actor(COLLEAGUE), book_now, begun).span == span(26, 11, 14)
    with pytest.raises(WrongState, match="booking_begun"):
        move(house, left, span(26, 9, 10), now=at(26, 12))


@pytest.mark.parametrize(
    ("minutes_after", "hours"),
    # Of five hours from nine, in steps of half an hour: minutes after nine, and how long it was, also where an hour is
    # the least that can be booked.
    [(0, 0.5), (30, 0.5), (31, 1), (60, 1), (61, 1.5), (90, 1.5), (269, 4.5), (270, 4.5), (271, None), (300, None)],
)
def test_who_is_done_gives_back_what_is_left_from_the_next_step(
    house: Database, minutes_after: int, hours: float | None
) -> None:
    with house.write() as db:
        db.execute(sa.update(t.instruments).values(granularity_minutes=30, min_minutes=60))
    use = book(house, span(26, 9, 14), number=XRD)
    now = use.starts_at + timedelta(minutes=minutes_after)
    if hours is None:
        with pytest.raises(WrongState, match="booking_nothing_left"), house.write() as db:
            moves.finish(db, actor(RESEARCHER), use.id, seen_version=1, now=now)
        return
    with house.write() as db:
        done = moves.finish(db, actor(RESEARCHER), use.id, seen_version=1, now=now)
    assert (done.starts_at, done.ends_at) == (use.starts_at, use.starts_at + timedelta(hours=hours))


def test_what_has_not_begun_or_is_anothers_is_not_finished(house: Database) -> None:
    use = book(house, span(26, 9, 14), number=XRD)
    with pytest.raises(WrongState, match="booking_nothing_left"), house.write() as db:
        moves.finish(db, actor(RESEARCHER), use.id, seen_version=1, now=at(26, 8))
    with pytest.raises(Exception, match="booking_not_found"), house.write() as db:
        moves.finish(db, actor(COLLEAGUE), use.id, seen_version=1, now=at(26, 10))
    with house.write() as db:
        assert moves.finish(db, actor(MANAGER), use.id, seen_version=1, now=at(26, 10)).ends_at == at(26, 10)


def test_maintenance_that_is_done_early_ends(house: Database) -> None:
    with house.write() as db:
        block = bookings.block(db, actor(MANAGER), XRD, BookingKind.MAINTENANCE, span(26, 9, 17), "thay nguồn", NOW)
    with house.write() as db:
        shorter = bookings.move(db, actor(MANAGER), block.id, span(26, 9, 13), seen_version=1, now=at(26, 12))
    assert shorter.span == span(26, 9, 13)
    # The steps and the shortest length of uses are not its own.
    with house.write() as db:
        db.execute(sa.update(t.instruments).values(min_minutes=240))
        now = at(26, 12) + timedelta(minutes=7, seconds=3)
        done = moves.finish(db, actor(MANAGER), block.id, seen_version=2, now=now)
    assert done.ends_at == at(26, 12) + timedelta(minutes=8)


# ---------------------------------------------------------------- a reason


def test_a_reason_does_not_outlive_the_times_that_it_was_given_for(house: Database) -> None:
    use = book(house, EVENING, MANAGER, XRD, person_id=RESEARCHER, override="the sample decays soon")
    assert move(house, use, span(26, 18, 19)).override_reason == "the sample decays soon"
    with house.read() as db:
        again = bookings_store.get(db, use.id)
    assert move(house, again, span(27, 9, 11)).override_reason == ""


def test_a_reason_why_the_staff_come_is_none_for_ones_own_use(house: Database) -> None:
    run = book(house, EVENING, MANAGER, person_id=RESEARCHER, mode=Mode.COMMISSIONED, override="our staff will come")
    assert refused(house, run, mode=Mode.SELF) == ["closed"]
    assert move(house, run, setup="5 kV").setup == "5 kV"


def test_who_is_done_ends_it_now_and_a_later_end_is_asked_what_it_is_before_the_start(house: Database) -> None:
    """Of 9 to 17 an hour at least on the raster of half an hours. At 9:10 on the spot is 9:30; to end at 9:59 is off
    it, and at 9:30 for who says so only at 8:00 is too short.
    """
    with house.write() as db:
        db.execute(sa.update(t.instruments).values(min_minutes=60, granularity_minutes=30))
    use = book(house, span(26, 9, 17))
    assert refused(house, use, Span(at(26, 9), at(26, 9, 30))) == ["too_short"]
    assert refused(house, use, Span(at(26, 9), at(26, 9, 35)), now=at(26, 9, 10)) == ["off_raster"]
    assert refused(house, use, Span(at(26, 9), at(26, 9, 59)), now=at(26, 9, 10)) == ["too_short", "off_raster"]
    done = move(house, use, Span(at(26, 9), at(26, 9, 30)), now=at(26, 9, 10))
    assert done.span.minutes == 30


def test_a_run_by_the_staff_is_cut_into_closed_hours_no_more_once_it_has_begun(house: Database) -> None:
    long_runs(house)
    run = book(house, span(26, 14, 34), mode=Mode.COMMISSIONED)
    post(house, Overnight(level=2))
    for now in (at(26, 13), at(26, 14, 5)):
        assert refused(house, run, span(26, 14, 22), now=now) == ["rule_staff_hours"]
    assert move(house, run, span(26, 14, 17), now=at(26, 14, 5)).ends_at == at(26, 17)


def test_a_part_off_a_raster_that_changed_keeps_an_end_that_stood(house: Database) -> None:
    """Steps of 45 minutes from midnight meet 9:45, 10:30 and 11:15, and neither 10 nor 12 o'clock."""
    use = book(house, Span(at(26, 10), at(26, 12)))
    with house.write() as db:
        db.execute(sa.update(t.instruments).values(granularity_minutes=45, min_minutes=15))
    assert refused(house, use, Span(at(26, 10, 31), at(26, 11, 22))) == ["off_raster"]
    assert refused(house, use, Span(at(26, 10), at(26, 11))) == ["off_raster"]
    assert move(house, use, Span(at(26, 10), at(26, 11, 15))).ends_at == at(26, 11, 15)


def test_a_part_of_a_whole_series_keeps_what_is_offered_no_more(house: Database) -> None:
    with house.write() as db:
        modes.choose(db, actor(MANAGER), "N001", list(Mode), "5 kV", NOW)
        wish = Wish(
            instrument_number=FESEM, span=span(26, 9, 12), project_id=PUBLIC_PROJECT, mode=Mode.SELF, setup="5 kV"
        )
        made = series.create(
            db, actor(RESEARCHER), wish, Repeat(frequency=Frequency.WEEKLY, count=3), Conflicts.STOP, NOW
        )
        modes.choose(db, actor(MANAGER), "N001", [Mode.ASSISTED], "", NOW)
        first = made.line.bookings[0].id
        cut = series.move(
            db, actor(RESEARCHER), first, span(26, 9, 11), Reach.ALL, seen_version=made.line.version, now=NOW
        )
    assert [(each.mode, each.setup, each.span.minutes) for each in cut] == [(Mode.SELF, "5 kV", 120)] * 3
