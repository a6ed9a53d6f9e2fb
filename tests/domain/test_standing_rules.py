"""What posted rules say together at one instrument: the narrower counts, then the later, and the row holds it."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import date, timedelta

import msgspec
import pytest

from labshare.domain.booking_rules import (
    BookingRule,
    Changeover,
    CutOff,
    DatedHours,
    Granularity,
    Length,
    Scope,
    ScopeKind,
    Site,
    WeekHours,
)
from labshare.domain.opening import format_opening, parse_opening
from labshare.domain.registry import Instrument
from labshare.domain.registry_terms import BookingMode
from labshare.domain.standing_rules import at, hours_on_dates, in_force, require_new, said_of_row, week_hours_over
from labshare.errors import Malformed, Refused
from tests.domain.test_booking_rules import posted
from tests.furniture import NOW, span
from tests.furniture import at as moment
from tests.registry_files import files, read

HERE = Site("N001", "C-ONE", "FESEM")
OWN, GROUP = Scope(ScopeKind.INSTRUMENT, "N1"), Scope(ScopeKind.GROUP, "SEM")
AROUND = Scope(ScopeKind.CENTRE, "C-A")
LATER = NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("scope", "holds"),
    [
        (Scope(ScopeKind.INSTRUMENT, "N001"), True),
        (Scope(ScopeKind.INSTRUMENT, "N002"), False),
        (Scope(ScopeKind.CENTRE, "C-ONE"), True),
        (Scope(ScopeKind.GROUP, "FESEM"), True),
        (Scope(ScopeKind.GROUP, "C-ONE"), False),
    ],
)
def test_a_rule_holds_where_its_scope_says(scope: Scope, holds: bool) -> None:
    assert bool(at([posted(CutOff(hours=1), scope)], HERE)) is holds


def test_the_narrower_of_two_rules_for_a_date_counts_then_the_later_one() -> None:
    day, first, last = date(2026, 12, 31), date(2026, 12, 30), date(2027, 1, 1)
    closed = posted(DatedHours(name="Year's end", first=first, last=last))
    half = posted(
        DatedHours(name="Half", first=day, last=day, hours="08:00-12:00"), Scope(ScopeKind.INSTRUMENT, "N001")
    )
    later = posted(
        DatedHours(name="Evening", first=last, last=last, hours="18:00-20:00"), since=NOW + timedelta(days=1)
    )
    assert hours_on_dates([half, later, closed]) == {first: (), day: ((480, 720),), last: ((1080, 1200),)}


@pytest.mark.parametrize("minutes", [1, 5, 15, 30, 60, 120, 1440])
def test_a_step_divides_an_hour_or_is_whole_hours(minutes: int) -> None:
    require_new(Granularity(minutes=minutes), AROUND, [])


@pytest.mark.parametrize("minutes", [7, 45, 61, 90])
def test_no_other_step_is_posted(minutes: int) -> None:
    with pytest.raises(Malformed) as caught:
        require_new(Granularity(minutes=minutes), AROUND, [])
    assert (caught.value.code, caught.value.params) == ("booking_rule_step", {"field": "minutes"})


FIFTH, SIXTH = (DatedHours(name="Closed", first=day, last=day) for day in (date(2027, 2, 5), date(2027, 2, 6)))


@pytest.mark.parametrize(
    ("stand", "again", "is_refused"),
    [
        ([CutOff(hours=2)], CutOff(hours=2), True),
        ([CutOff(hours=2)], CutOff(hours=3), False),
        # Both hold, so that the first need not be posted again.
        ([CutOff(hours=2), CutOff(hours=3)], CutOff(hours=2), True),
        # Of two that say how long a use is, the later counts, so that the first may stand over it again.
        ([Length(most_minutes=60), Length(most_minutes=90)], Length(most_minutes=60), False),
        ([Length(most_minutes=60), Length(most_minutes=90)], Length(most_minutes=90), True),
        ([Length(most_minutes=60), Length(least_minutes=30)], Length(most_minutes=60), True),
        ([FIFTH, SIXTH], FIFTH, True),
        ([FIFTH, msgspec.structs.replace(FIFTH, hours="08:00-12:00")], FIFTH, False),
    ],
)
def test_a_rule_that_holds_already_is_not_posted_again(
    stand: list[BookingRule], again: BookingRule, is_refused: bool
) -> None:
    standing = [posted(rule, AROUND, since=NOW + number * timedelta(days=1)) for number, rule in enumerate(stand)]
    require_new(again, OWN, standing)
    with pytest.raises(Refused, match="booking_rule_stands") if is_refused else nullcontext():
        require_new(again, AROUND, standing)


# ---------------------------------------------------------------- what an instrument's row holds


def registered() -> Instrument:
    """N1 of C-A: Monday to Friday 08:00-18:00, 30 to 600 minutes in steps of 30, 15 kept after a use."""
    [instrument] = read(files()).instruments
    return instrument


def minutes(row: Instrument) -> tuple[int, int, int, int, int]:
    return row.min_minutes, row.max_minutes, row.granularity_minutes, row.setup_minutes, row.cleanup_minutes


def test_without_a_rule_about_it_the_row_is_what_the_registry_says() -> None:
    elsewhere = posted(Granularity(minutes=60), Scope(ScopeKind.CENTRE, "C-B"))
    assert in_force(registered(), [posted(CutOff(hours=2), AROUND), elsewhere]) == registered()


def test_each_rule_says_its_own_fields_and_leaves_the_others() -> None:
    rules: tuple[BookingRule, ...] = (
        WeekHours(hours="Sat 09:00-12:00; Mon 07:00-19:00"), Length(most_minutes=240), Changeover(setup_minutes=10),
    )  # fmt: skip
    held = in_force(registered(), [posted(rule, AROUND) for rule in rules])
    assert minutes(held) == (30, 240, 30, 10, 15)
    assert held.opening == parse_opening("Mon 07:00-19:00; Sat 09:00-12:00")
    assert msgspec.structs.replace(held, opening=registered().opening, max_minutes=600, setup_minutes=0) == registered()


def test_the_narrower_rule_counts_then_the_later_one_field_by_field() -> None:
    """The centre says 60 to 300, later 90 at least; the group 240 at most; the instrument keeps nothing after a use."""
    rules = [
        posted(Changeover(cleanup_minutes=0), OWN),
        posted(Length(least_minutes=90), AROUND, since=LATER),
        posted(Length(most_minutes=240), GROUP),
        posted(Length(least_minutes=60, most_minutes=300), AROUND),
        posted(Changeover(setup_minutes=20, cleanup_minutes=45), AROUND, since=LATER),
    ]
    assert minutes(in_force(registered(), rules)) == (90, 240, 30, 20, 0)
    said = said_of_row(rules)
    assert {name: each.scope.kind for name, (_, each) in said.items()} == {
        "min_minutes": ScopeKind.CENTRE,
        "max_minutes": ScopeKind.GROUP,
        "setup_minutes": ScopeKind.CENTRE,
        "cleanup_minutes": ScopeKind.INSTRUMENT,
    }


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        # The lengths on a raster of 45 between 30 and 600 are 45, 90, ... 585.
        ((Granularity(minutes=45),), (45, 585, 45)),
        # 50 to 100 on the raster of 30 is 60 to 90.
        ((Length(least_minutes=50, most_minutes=100),), (60, 90, 30)),
        # Steps of 90 begin and end on the hour, so that a use is 180, 360 or 540 minutes long.
        ((Granularity(minutes=90),), (180, 540, 90)),
        # No whole number of 45 lies between 50 and 80: the row would be no instrument's, and is refused.
        ((Granularity(minutes=45), Length(least_minutes=50, most_minutes=80)), (90, 45, 45)),
    ],
)
def test_lengths_are_made_whole_steps(rules: tuple[BookingRule, ...], expected: tuple[int, int, int]) -> None:
    assert minutes(in_force(registered(), [posted(rule, AROUND) for rule in rules]))[:3] == expected


def test_the_hours_of_each_part_of_a_span_are_those_that_stood_then() -> None:
    """Posted are mornings at the centre from Tuesday and, until Thursday, evenings at the instrument from Wednesday. A
    rule counts from the whole minute after it was posted.
    """
    second = timedelta(seconds=1)
    rules = [
        posted(WeekHours(hours="daily 18:00-22:00"), OWN, since=moment(25, 8) - second, until=moment(26, 8)),
        posted(WeekHours(hours="daily 08:00-12:00"), AROUND, since=moment(24, 8)),
        posted(CutOff(hours=1), AROUND, since=moment(24, 12)),
    ]
    found = week_hours_over(registered().opening, rules, span(23, 8, 200))
    days = [(part.start, format_opening(hours)) for part, hours in found]
    assert [days[0], days[1], *days[-2:]] == [
        (moment(23, 8), "Mon-Fri 08:00-18:00"),
        (moment(24, 8), "daily 08:00-12:00"),
        (moment(25, 8), "daily 18:00-22:00"),
        (moment(26, 8), "daily 08:00-12:00"),
    ]
    assert found[-1][0].end == span(23, 8, 200).end


def test_what_is_not_booked_by_time_has_no_hours_to_be_said() -> None:
    service = msgspec.structs.replace(registered(), booking_mode=BookingMode.SERVICE)
    assert in_force(service, [posted(Changeover(setup_minutes=10), OWN)]) == service
