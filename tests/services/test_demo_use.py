"""Uses that the demo makes up by chance: each keeps every rule of booking, whatever the dice say."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from random import Random
from typing import Any
from uuid import UUID

import msgspec
import pytest

from labshare.domain.bookings import OCCUPYING, Booking, BookingKind, BookingState
from labshare.domain.timespan import Span
from labshare.services.demo_diary import minute, minutes, moment
from labshare.services.demo_use import Author, Share, Site
from tests.services.demo_cast import DAY, FIRST, HOUR, NOW, PROJECT, SECOND, TEAM, rules, site, story

AT = minute(NOW)
SEEDS = pytest.mark.parametrize("seed", range(5))


def author(seed: int = 1, qualified: frozenset[tuple[UUID, int]] = frozenset(), **changes: Any) -> Author:
    return Author(story(**changes), NOW, Random(seed), qualified)


def lived(seed: int, *sites: Site) -> list[Booking]:
    made = author(seed)
    for each in sites or (site(),):
        made.live(each, [TEAM])
    return made.bookings


def inside(bookings: list[Booking], first: int, last: int) -> int:
    """Used minutes of the days from `first` up to, not including, `last`, counted from the day of NOW."""
    span = (AT + first * DAY, AT + last * DAY)
    used = (minutes(each.span) for each in bookings if each.state in OCCUPYING)
    return sum(end - start for start, end in used if span[0] <= start < span[1])


@SEEDS
def test_a_use_lies_in_one_open_segment_on_the_raster_and_is_long_enough(seed: int) -> None:
    there = site()
    found = lived(seed, there)
    assert len(found) > 40
    for booking in found:
        start, end = minutes(booking.span)
        segment = there.opened.next(start)
        assert segment is not None
        assert segment[0] <= start < end <= segment[1]
        assert start % 30 == 0
        assert 60 <= end - start <= 480
        assert (end - start) % 30 == 0


@SEEDS
def test_a_long_run_may_span_closed_hours_but_starts_and_ends_in_open_ones(seed: int) -> None:
    long = rules(spans_closed_hours=True, min_minutes=480, max_minutes=2160, granularity_minutes=60)
    there = site(rules=long, typical_minutes=1440)
    found = lived(seed, there)
    assert any(booking.ends_at - booking.starts_at > timedelta(hours=10) for booking in found)
    for booking in found:
        start, end = minutes(booking.span)
        assert there.opened.is_open(start)
        assert there.opened.is_open(end - 1)


@SEEDS
def test_occupied_ranges_with_set_up_and_clean_up_never_meet(seed: int) -> None:
    found = lived(seed, site(rules=rules(setup_minutes=15, cleanup_minutes=30), load=90))
    held = sorted(minutes(each.occupied) for each in found if each.state in OCCUPYING)
    assert all(before[1] <= after[0] for before, after in pairwise(held))


@SEEDS
def test_people_are_in_one_place(seed: int) -> None:
    found = lived(seed, *(site(number, load=90) for number in (1, 2, 3)))
    assert {booking.instrument_number for booking in found} == {1, 2, 3}
    for person in (FIRST, SECOND):
        held = sorted(minutes(each.span) for each in found if each.person_id == person and each.state in OCCUPYING)
        assert all(before[1] <= after[0] for before, after in pairwise(held))


def test_who_need_not_be_there_may_use_two_instruments_at_once() -> None:
    unattended = [site(number, rules=rules(number, attended=False), load=95) for number in (1, 2, 3)]
    held = sorted(minutes(each.span) for each in lived(1, *unattended))
    assert any(before[1] > after[0] for before, after in pairwise(held))


def test_only_the_qualified_use_an_instrument_that_asks_for_it() -> None:
    made = author(qualified=frozenset({(SECOND, 1)}))
    made.live(site(rules=rules(qualification="licence")), [TEAM])
    assert {booking.person_id for booking in made.bookings} == {SECOND}


def test_a_project_is_not_used_after_it_has_expired() -> None:
    ends = NOW + timedelta(days=2)
    made = author()
    made.live(site(), [msgspec.structs.replace(TEAM, project=msgspec.structs.replace(PROJECT, expires_at=ends))])
    assert made.bookings
    assert all(booking.ends_at < ends for booking in made.bookings)


def test_a_team_works_only_at_its_centres() -> None:
    made = author()
    made.live(site(), [msgspec.structs.replace(TEAM, centres={"C-TWO": 1})])
    assert made.bookings == []


def test_time_that_a_round_keeps_or_somebody_has_is_left_alone() -> None:
    made = author()
    kept = Span(NOW + timedelta(days=3), NOW + timedelta(days=6))
    made.keep(1, kept)
    block = Booking(
        id=UUID(int=50), instrument_number=1, kind=BookingKind.MAINTENANCE, state=BookingState.DONE,
        starts_at=NOW - timedelta(days=4), ends_at=NOW - timedelta(days=2), occupied_from=NOW - timedelta(days=4),
        occupied_until=NOW - timedelta(days=2), created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    made.stands(block)
    made.live(site(load=95), [TEAM])
    assert made.bookings
    assert not any(b.occupied.overlaps(kept) or b.occupied.overlaps(block.occupied) for b in made.bookings)


@SEEDS
def test_a_contested_instrument_is_nearly_full_for_its_days_and_others_are_not(seed: int) -> None:
    # Five days of ten hours; the first hour of today can no longer be booked.
    contested, other = lived(seed, site(contested=True)), lived(seed, site(load=40))
    assert inside(contested, 0, 5) > 0.8 * 50 * HOUR
    assert inside(other, 0, 5) < 0.7 * 50 * HOUR


@SEEDS
def test_less_is_booked_the_further_ahead(seed: int) -> None:
    found = lived(seed, site(load=80))
    assert inside(found, -19, 0) / 19 > 2 * inside(found, 13, 19) / 6


def test_nothing_begins_within_the_hour_or_beyond_the_days_ahead() -> None:
    made = author(ahead_days=6)
    made.live(site(contested=True), [TEAM])
    ahead = [minutes(each.span)[0] for each in made.bookings if each.starts_at >= NOW]
    assert ahead
    assert all(AT + HOUR <= start < AT + 6 * DAY for start in ahead)


# ---------------------------------------------------------------- shares


def share(wanted: int, first: int = -15, last: int = 15) -> Share:
    return Share(
        sites=(site(1), site(2)),
        teams=(TEAM,),
        window=(AT + first * DAY, AT + last * DAY),
        counts=lambda booking: booking.project_id == PROJECT.id,
        minutes=wanted,
    )


def counted(made: Author) -> int:
    """As the rule counts: delivered minutes where a use is done, else booked ones."""
    runs = {record.booking_id: record for record in made.records}
    total = 0
    for booking in made.bookings:
        run = runs.get(booking.id)
        start, end = (run.starts_at, run.ends_at) if run else (booking.starts_at, booking.ends_at)
        assert end is not None
        total += minute(end) - minute(start)
    return total


@SEEDS
def test_a_share_is_filled_to_its_minutes_and_by_less_than_one_use_beyond(seed: int) -> None:
    made = author(seed)
    made.fill(share(60 * HOUR))
    assert 60 * HOUR <= counted(made) < 60 * HOUR + 480


def test_nothing_more_is_made_up_for_the_team_in_the_window_of_its_share() -> None:
    made = author()
    made.fill(share(10 * HOUR))
    before = len(made.bookings)
    made.live(site(), [TEAM])
    after = made.bookings[before:]
    assert after
    window = Span(moment(AT - 15 * DAY), moment(AT + 15 * DAY))
    assert not any(booking.span.overlaps(window) for booking in after)


def test_a_share_that_finds_no_more_room_ends() -> None:
    made = author()
    # Two instruments of ten hours on two days cannot give a hundred hours.
    made.fill(share(100 * HOUR, first=-3, last=-1))
    assert 0 < counted(made) <= 40 * HOUR
