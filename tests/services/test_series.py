"""Bookings that repeat, on both databases: looked at, made all or none, moved and cancelled from one of them on.

The house of tests/furniture.py is open Monday to Friday 08:00-18:00, except Tuesday 24 November; now is Monday 23rd.
"""

from __future__ import annotations

import threading
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from labshare.domain.booking_rules import BookingRule, DatedHours, Overnight, PrimeLimit, Scope, ScopeKind
from labshare.domain.bookings import Booking, BookingState, Wish
from labshare.domain.modes import Mode
from labshare.domain.series import Conflicts, Frequency, Reach, Repeat
from labshare.domain.timespan import Span
from labshare.errors import Forbidden, Malformed, NotFound, Refused, Stale, TimeTaken, WrongState
from labshare.services import booking_rules, bookings, modes
from labshare.services import series as service
from labshare.services.series import Made, SeriesLine
from labshare.store import audit, outbox
from labshare.store import bookings as store
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import (
    COLLEAGUE,
    COMPETITOR,
    FESEM,
    INDUSTRY_PROJECT,
    MANAGER,
    NOW,
    PARTNER,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    a_booking,
    actor,
    counted,
    furnish,
    span,
)
from tests.shares import a_rule, an_agreement, load, locks
from tests.web.api.conftest import content_of

WEEK, DAY = timedelta(weeks=1), timedelta(days=1)
NINE = span(25, 9, 11)


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
    return database


def later(when: Span, by: timedelta) -> Span:
    return Span(when.start + by, when.end + by)


def wish(when: Span = NINE, number: int = FESEM, project_id: UUID = PUBLIC_PROJECT) -> Wish:
    return Wish(instrument_number=number, span=when, project_id=project_id)


def weekly(count: int = 4, **values: Any) -> Repeat:
    return Repeat(frequency=Frequency.WEEKLY, count=count, **values)


def daily(count: int = 3) -> Repeat:
    return Repeat(frequency=Frequency.DAILY, count=count)


def make(
    house: Database,
    repeat: Repeat,
    conflicts: Conflicts = Conflicts.STOP,
    *,
    who: UUID = RESEARCHER,
    asked: Wish | None = None,
) -> Made:
    with house.write() as db:
        return service.create(db, actor(who), asked or wish(), repeat, conflicts, NOW)


def look(house: Database, repeat: Repeat, asked: Wish | None = None) -> tuple[service.Occurrence, ...]:
    with house.write() as db:
        return service.preview(db, actor(RESEARCHER), asked or wish(), repeat, NOW)


def stands(house: Database, made: Made) -> SeriesLine:
    with house.read() as db:
        return service.show(db, actor(RESEARCHER), made.line.series.id)


def spans(line: SeriesLine) -> list[Span]:
    return [booking.span for booking in line.bookings if booking.state is BookingState.CONFIRMED]


def placed(house: Database, when: Span, number: int = FESEM, **values: Any) -> Booking:
    """Somebody else's booking."""
    booking = a_booking(number, when, **({"person_id": COLLEAGUE} | values))
    with house.write() as db:
        store.add(db, [booking])
    return booking


def count(house: Database) -> int:
    with house.read() as db:
        return db.execute(sa.select(sa.func.count()).select_from(t.bookings)).scalar_one()


def codes(error: Refused) -> list[tuple[object, str]]:
    return [(refusal.params.get("item"), refusal.code) for refusal in error.refusals]


# ---------------------------------------------------------------- looking and making


def test_every_week_is_one_series_of_bookings(house: Database) -> None:
    made = make(house, weekly())
    assert stands(house, made) == made.line
    assert spans(made.line) == [later(NINE, number * WEEK) for number in range(4)]
    assert (made.line.series.rrule, made.line.series.starts_at, made.line.version) == (
        "FREQ=WEEKLY;COUNT=4", NINE.start, 4,
    )  # fmt: skip
    assert {booking.series_id for booking in made.line.bookings} == {made.line.series.id}
    with house.read() as db:
        assert [audit.lines(db, "booking", each.id)[0].action for each in made.line.bookings] == ["book"] * 4
        assert [message.payload["instrument"] for message in outbox.waiting(db)] == ["N001"]


def test_a_preview_says_of_each_date_what_making_would_and_writes_nothing(house: Database, tmp_path: Path) -> None:
    """On 2 December 9:00-11:00 is taken: 8:00 is an hour, so 11:00 that day is next, then 16:00 the day before or 8:00
    the day after, of which only the latter is offered.
    """
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule()))
    placed(house, later(NINE, WEEK))
    before = content_of(house)
    found = look(house, weekly())
    assert content_of(house) == before
    assert [[refusal.code for refusal in each.refusals] for each in found] == [[], ["time_taken"], [], []]
    assert found[1].offers == (later(span(25, 11, 13), WEEK), later(span(25, 8, 10), WEEK + DAY))
    assert [each.offers for each in found if not each.refusals] == [()] * 3


def test_one_refused_date_stops_the_whole(house: Database) -> None:
    placed(house, later(NINE, WEEK))
    with pytest.raises(TimeTaken) as taken:
        make(house, weekly())
    assert codes(taken.value) == [(1, "time_taken")]
    assert count(house) == 1
    with house.read() as db:
        assert db.execute(sa.select(sa.func.count()).select_from(t.series)).scalar_one() == 0


def test_refused_dates_are_left_out(house: Database) -> None:
    placed(house, later(NINE, WEEK))
    made = make(house, weekly(), Conflicts.SKIP)
    assert spans(stands(house, made)) == [NINE, later(NINE, 2 * WEEK), later(NINE, 3 * WEEK)]
    (left,) = made.left_out
    assert (left.span, [refusal.code for refusal in left.refusals]) == (later(NINE, WEEK), ["time_taken"])


def test_a_refused_date_moves_to_the_nearest_time_of_its_day_or_is_left_out(house: Database) -> None:
    """On 2 December 11:00 is the nearest; 9 December is full."""
    placed(house, later(NINE, WEEK))
    placed(house, later(span(25, 8, 18), 2 * WEEK))
    made = make(house, weekly(), Conflicts.MOVE)
    assert spans(made.line) == [NINE, later(span(25, 11, 13), WEEK), later(NINE, 3 * WEEK)]
    assert [each.span for each in made.left_out] == [later(NINE, 2 * WEEK)]


@pytest.mark.parametrize(
    ("rule", "code", "moved"),
    [
        # Friday closes at eighteen, as every day: an hour earlier nobody needs the level.
        (Overnight(level=2), "rule_overnight", span(27, 16, 18)),
        # The hour before seventeen is among the best, of which the person has had theirs; the one after is not.
        (PrimeLimit(hours="Fri 08:00-17:00", day_minutes=60), "courtesy_prime_day_full", span(27, 17, 18)),
    ],
)
def test_a_date_moves_that_only_another_hour_of_it_would_mend(
    house: Database, rule: BookingRule, code: str, moved: Span
) -> None:
    scope = Scope(ScopeKind.CENTRE, "C-ONE")
    with house.write() as db:
        booking_rules.post(db, actor(MANAGER), scope, rule, NOW)
        # Thursday's part is as it was asked for, whichever rule stands.
        late = DatedHours(name="Open late", first=date(2026, 11, 26), last=date(2026, 11, 26), hours="08:00-20:00")
        booking_rules.post(db, actor(MANAGER), scope, late, NOW)
    placed(house, span(27, 8, 9), XRD, person_id=RESEARCHER)
    minutes = moved.minutes // 60
    asked = wish(span(26, 17, 19) if minutes == 2 else span(26, 16, 17))
    first, second = look(house, daily(2), asked)
    assert (first.refusals, [each.code for each in second.refusals]) == ((), [code])
    assert moved in second.offers
    made = make(house, daily(2), Conflicts.MOVE, asked=asked)
    assert spans(made.line) == [asked.span, moved]


def test_the_second_nearest_time_is_taken_where_the_person_is_elsewhere_at_the_nearest(house: Database) -> None:
    """Of Thursday 10:00-12:00 is taken. From 8:00 to 10:00 is an hour away, from 12:00 on two hours."""
    placed(house, span(26, 10, 12))
    made = make(house, daily(2), Conflicts.MOVE, asked=wish(span(25, 9, 11)))
    assert spans(made.line) == [span(25, 9, 11), span(26, 8, 10)]


def test_nothing_is_made_of_a_series_whose_every_date_is_refused(house: Database) -> None:
    placed(house, span(25, 8, 18))
    placed(house, span(26, 8, 18))
    for conflicts in Conflicts:
        with pytest.raises(TimeTaken) as taken:
            make(house, daily(2), conflicts)
        assert codes(taken.value) == [(0, "time_taken"), (1, "time_taken")]
    assert count(house) == 2


def test_no_other_hour_is_offered_where_none_would_do(house: Database) -> None:
    """Not beyond the 60 days of the instrument, as the tenth date is 63 days on; nor to a strange project."""
    found = look(house, weekly(10))
    assert [len(each.refusals) for each in found] == [0] * 9 + [1]
    found = look(house, weekly(2), wish(project_id=INDUSTRY_PROJECT))
    assert [each.offers for each in found] == [(), ()]


def test_a_refused_date_stands_in_the_way_of_none(house: Database) -> None:
    """20 hours from 14:00 on, cleaned up until 15:00 of the next day. The third would end on Saturday, which is closed;
    it would also meet the second, had that not been refused.
    """
    with house.write() as db:
        db.execute(sa.update(t.instruments).values(max_minutes=2880, spans_closed_hours=True, cleanup_minutes=300))
    placed(house, span(26, 14, 15))
    found = look(house, daily(3), wish(span(25, 14, 34)))
    assert [{refusal.code for refusal in each.refusals} for each in found] == [
        {"time_taken"}, {"time_taken"}, {"closed"},
    ]  # fmt: skip


# ---------------------------------------------------------------- agreements


@pytest.fixture
def capped(house: Database, tmp_path: Path) -> Database:
    """Industry may have an eighth of the 4,800 minutes of the week with the holiday: 600, two times four hours."""
    with house.write() as db:
        load(db, tmp_path, an_agreement(a_rule(share=Fraction(1, 8))))
    return house


FOUR_HOURS = wish(span(25, 9, 13), project_id=INDUSTRY_PROJECT)


def test_a_cap_weighs_the_whole_series(capped: Database) -> None:
    with pytest.raises(Refused) as refused:
        make(capped, daily(), who=COMPETITOR, asked=FOUR_HOURS)
    assert codes(refused.value) == [(None, "agreement_cap_private")]
    assert count(capped) == 0


def test_a_date_that_moves_takes_no_balance_out_of_turn(capped: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The week of the second date is locked with the others, though it is refused before it moves."""
    placed(capped, later(NINE, WEEK))
    asked = wish(NINE, project_id=INDUSTRY_PROJECT)
    with locks(monkeypatch) as seen:
        made = make(capped, weekly(3), Conflicts.MOVE, who=COMPETITOR, asked=asked)
    assert spans(made.line) == [NINE, later(span(25, 11, 13), WEEK), later(NINE, 2 * WEEK)]
    assert len(seen) > 1
    assert [keys - seen[0] for keys in seen] == [set()] * len(seen)
    assert {key.window_start for key in seen[0]} == {span(23, 0, 1).start + turn * WEEK for turn in range(3)}


def test_dates_beyond_a_cap_are_left_out_and_later_weeks_are_not(capped: Database) -> None:
    """Wednesday and Thursday are 480 of 600 minutes, Friday would be 720; the week after begins anew."""
    rule = weekly(4, weekdays=(2, 3, 4))
    made = make(capped, rule, Conflicts.SKIP, who=COMPETITOR, asked=FOUR_HOURS)
    first = FOUR_HOURS.span
    assert [each.span for each in made.line.bookings] == [first, later(first, DAY), later(first, WEEK)]
    (left,) = made.left_out
    assert (left.span, [refusal.code for refusal in left.refusals]) == (
        later(first, 2 * DAY),
        ["agreement_cap_private"],
    )
    with pytest.raises(Refused):
        make(capped, daily(1), who=COMPETITOR, asked=wish(later(first, 2 * DAY), XRD, INDUSTRY_PROJECT))


# ---------------------------------------------------------------- changing


def test_this_and_following_move_by_the_same_time_and_the_earlier_stay(house: Database) -> None:
    made = make(house, weekly())
    with house.write() as db:
        service.move(
            db, actor(RESEARCHER), made.line.bookings[2].id, later(span(26, 13, 16), 2 * WEEK), Reach.FOLLOWING,
            seen_version=4, now=NOW, purpose="lượt mới",
        )  # fmt: skip
    found = stands(house, made)
    assert spans(found) == [NINE, later(NINE, WEEK), *(later(span(26, 13, 16), number * WEEK) for number in (2, 3))]
    assert [booking.purpose for booking in found.bookings] == ["", "", "lượt mới", "lượt mới"]
    assert [booking.version for booking in found.bookings] == [1, 1, 2, 2]


def test_those_ahead_have_another_mode_and_set_up_or_keep_their_own(house: Database) -> None:
    with house.write() as db:
        modes.choose(db, actor(MANAGER), "N001", [each.value for each in Mode], "cryo stage\n5 kV", NOW)
    made = make(house, weekly(3))
    second, third = made.line.bookings[1:]
    with house.write() as db:
        bookings.move(db, actor(RESEARCHER), third.id, third.span, seen_version=1, now=NOW, setup="5 kV")
        service.move(
            db, actor(RESEARCHER), second.id, second.span, Reach.FOLLOWING, seen_version=4, now=NOW, mode=Mode.ASSISTED
        )
    found = stands(house, made).bookings
    assert [each.mode for each in found] == [Mode.SELF, Mode.ASSISTED, Mode.ASSISTED]
    assert [each.setup for each in found] == ["", "", "5 kV"]
    with house.write() as db:
        service.move(
            db, actor(RESEARCHER), second.id, second.span, Reach.ALL, seen_version=6, now=NOW, setup="cryo stage"
        )
    assert {each.setup for each in stands(house, made).bookings} == {"cryo stage"}
    with house.write() as db, pytest.raises(Refused) as caught:
        service.move(db, actor(RESEARCHER), second.id, second.span, Reach.ALL, seen_version=9, now=NOW, setup="2 kV")
    assert codes(caught.value) == [(place, "setup_not_posted") for place in range(3)]


def test_bookings_of_a_series_take_each_others_places(house: Database) -> None:
    """All go a day later, where the next one stands."""
    made = make(house, daily(2))
    with house.write() as db:
        service.move(
            db, actor(RESEARCHER), made.line.bookings[0].id, later(NINE, DAY), Reach.ALL, seen_version=2, now=NOW
        )
    assert spans(stands(house, made)) == [later(NINE, DAY), later(NINE, 2 * DAY)]


def test_one_that_cannot_move_keeps_all(house: Database) -> None:
    made = make(house, weekly())
    placed(house, later(span(25, 12, 13), 2 * WEEK))
    with pytest.raises(TimeTaken) as taken, house.write() as db:
        service.move(
            db, actor(RESEARCHER), made.line.bookings[0].id, span(25, 11, 13), Reach.ALL, seen_version=4, now=NOW
        )
    assert codes(taken.value) == [(2, "time_taken")]
    assert stands(house, made) == made.line


def test_what_was_moved_by_itself_stays_in_its_series_and_moves_along(house: Database) -> None:
    made = make(house, weekly(2))
    with house.write() as db:
        bookings.move(
            db, actor(RESEARCHER), made.line.bookings[1].id, later(span(25, 13, 16), WEEK), seen_version=1, now=NOW
        )
    with house.write() as db:
        service.move(
            db, actor(RESEARCHER), made.line.bookings[0].id, span(25, 10, 12), Reach.ALL, seen_version=3, now=NOW
        )
    assert spans(stands(house, made)) == [span(25, 10, 12), later(span(25, 14, 17), WEEK)]


def test_a_series_of_which_one_was_changed_meanwhile_is_stale(house: Database) -> None:
    made = make(house, weekly())
    anchor = made.line.bookings[0].id
    with house.write() as db:
        bookings.cancel(db, actor(RESEARCHER), made.line.bookings[3].id, seen_version=1, now=NOW)
    with house.write() as db:
        with pytest.raises(Stale):
            service.move(db, actor(RESEARCHER), anchor, NINE, Reach.ALL, seen_version=4, now=NOW)
        with pytest.raises(Stale):
            service.describe(db, actor(RESEARCHER), anchor, "x", Reach.ALL, seen_version=4, now=NOW)
        with pytest.raises(Stale):
            service.cancel(db, actor(RESEARCHER), anchor, Reach.FOLLOWING, seen_version=4, now=NOW)


def test_cancelling_the_rest_ends_only_what_lies_ahead(house: Database) -> None:
    """A week later, at 9:00 of the second date, that one has begun."""
    made = make(house, weekly())
    now = NINE.start + WEEK
    with house.write() as db:
        cancelled = service.cancel(db, actor(RESEARCHER), made.line.bookings[0].id, Reach.ALL, seen_version=4, now=now)
    assert [booking.id for booking in cancelled] == [booking.id for booking in made.line.bookings[2:]]
    assert spans(stands(house, made)) == [NINE, later(NINE, WEEK)]
    with pytest.raises(WrongState, match="series_over"), house.write() as db:
        service.cancel(db, actor(RESEARCHER), made.line.bookings[0].id, Reach.ALL, seen_version=6, now=now)


def test_past_ones_are_left_when_the_others_move_or_are_described(house: Database) -> None:
    made = make(house, weekly(3))
    now = NINE.start + DAY
    with house.write() as db:
        anchor, reach = service.anchor_of(service.show(db, actor(RESEARCHER), made.line.series.id), None, now)
        moved = service.move(
            db, actor(RESEARCHER), anchor.id, later(span(25, 10, 12), WEEK), Reach.ALL, seen_version=3, now=now
        )
        service.describe(db, actor(RESEARCHER), anchor.id, "mẫu B", Reach.ALL, seen_version=5, now=now)
    assert (reach, len(moved)) == (Reach.ALL, 2)
    found = stands(house, made)
    assert spans(found) == [NINE, *(later(span(25, 10, 12), number * WEEK) for number in (1, 2))]
    assert [booking.purpose for booking in found.bookings] == ["", "mẫu B", "mẫu B"]


def test_one_alone_is_changed_by_reach_one(house: Database) -> None:
    made = make(house, weekly(3))
    with house.write() as db:
        service.cancel(db, actor(RESEARCHER), made.line.bookings[1].id, Reach.ONE, seen_version=3, now=NOW)
    assert spans(stands(house, made)) == [NINE, later(NINE, 2 * WEEK)]


# ---------------------------------------------------------------- who may


def test_a_series_is_its_persons_and_the_managers(house: Database) -> None:
    made = make(house, weekly(2))
    series_id, anchor = made.line.series.id, made.line.bookings[0].id
    with house.write() as db:
        for stranger in (COMPETITOR, PARTNER):
            with pytest.raises(NotFound):
                service.show(db, actor(stranger), series_id)
            with pytest.raises(NotFound):
                service.cancel(db, actor(stranger), anchor, Reach.ALL, seen_version=2, now=NOW)
        assert service.show(db, actor(MANAGER), series_id) == made.line
        assert len(service.cancel(db, actor(MANAGER), anchor, Reach.ALL, seen_version=2, now=NOW)) == 2
    with pytest.raises(NotFound), house.read() as db:
        service.show(db, actor(RESEARCHER), UUID(int=99))


def test_who_may_not_book_may_not_look_or_make(house: Database) -> None:
    with house.write() as db:
        with pytest.raises(Forbidden):
            service.preview(db, actor(PARTNER), wish(), weekly(), NOW)
        with pytest.raises(NotFound):
            service.preview(db, actor(RESEARCHER), wish(number=99), weekly(), NOW)
        with pytest.raises(Malformed):
            service.preview(
                db, actor(RESEARCHER), wish(), Repeat(frequency=Frequency.DAILY, until=date(2026, 1, 1)), NOW
            )
    with pytest.raises(Forbidden):
        make(house, weekly(), who=PARTNER)


def test_a_single_booking_is_no_series(house: Database) -> None:
    booking = placed(house, NINE, person_id=RESEARCHER)
    with pytest.raises(WrongState, match="booking_not_in_series"), house.write() as db:
        service.cancel(db, actor(RESEARCHER), booking.id, Reach.ALL, seen_version=1, now=NOW)


# ---------------------------------------------------------------- races and cost


@pytest.mark.parametrize("conflicts", [Conflicts.STOP, Conflicts.SKIP])
def test_of_two_series_that_cross_one_is_refused_whole_or_in_part(house: Database, conflicts: Conflicts) -> None:
    """They meet on the days that both have: Wednesdays and Thursdays against Thursdays and Fridays."""
    ready = threading.Barrier(2)
    outcomes: list[str] = []

    def run(who: UUID, weekdays: tuple[int, ...], first: Span) -> None:
        ready.wait()
        try:
            made = make(house, weekly(4, weekdays=weekdays), conflicts, who=who, asked=wish(first))
            outcomes.append(f"{len(made.line.bookings)} made, {len(made.left_out)} left out")
        except TimeTaken as taken:
            outcomes.append(f"{len(taken.refusals)} taken")

    both = [
        threading.Thread(target=run, args=(RESEARCHER, (2, 3), NINE)),
        threading.Thread(target=run, args=(COLLEAGUE, (3, 4), later(NINE, DAY))),
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    lost = "2 taken" if conflicts is Conflicts.STOP else "2 made, 2 left out"
    assert sorted(outcomes) == sorted(["4 made, 0 left out", lost])
    assert count(house) == (4 if conflicts is Conflicts.STOP else 6)


def test_a_year_of_weeks_costs_a_few_statements_each(house: Database, tmp_path: Path) -> None:
    """Per date: neighbours, the person elsewhere, the qualification, what rounds keep, and the line of the audit."""
    with house.write() as db:
        db.execute(sa.update(t.instruments).values(advance_days=400))
        load(db, tmp_path, an_agreement(a_rule()))
    # Where holidays fall on a Wednesday depends on the year's list; those are left out.
    with counted(house.engine) as whole:
        made = make(house, weekly(52), Conflicts.SKIP)
    with counted(house.engine) as few:
        make(house, weekly(2), Conflicts.SKIP, asked=wish(span(25, 13, 14)))
    assert len(made.line.bookings) + len(made.left_out) == 52
    assert len(made.line.bookings) >= 48
    # Judged twice, once to choose and once to write: 2 x 4 statements and the audit's for each date.
    assert (len(whole) - len(few)) / 50 <= 9.5
