"""Calendar, open and allocable minutes are what the access rules say they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from labshare.domain.capacity import Capacity, capacity
from labshare.domain.timespan import Span

START = datetime(2026, 11, 23, tzinfo=UTC)


def hours(first: float, last: float) -> Span:
    return Span(START + timedelta(hours=first), START + timedelta(hours=last))


def test_closures_shrink_open_time_and_planned_blocks_shrink_allocable_time() -> None:
    # One day, open 8-18: 1,440 calendar, 600 open. Closed 16-20 takes 120 of the open, leaving 480. Maintenance 6-9
    # takes one open hour, engineering 15-17 one hour more (16-17 is closed already): 480 - 60 - 60 = 360 allocable.
    found = capacity(hours(0, 24), [hours(8, 18)], [hours(16, 20)], [hours(6, 9), hours(15, 17)])
    assert found == Capacity(calendar=1440, open=480, allocable=360, offered=360)


def test_blocks_that_overlap_are_taken_once() -> None:
    found = capacity(hours(0, 24), [hours(8, 18)], [], [hours(9, 12), hours(10, 12)])
    assert found == Capacity(calendar=1440, open=600, allocable=420, offered=420)


def test_nobody_is_offered_the_time_of_an_instrument_that_is_down_or_not_built() -> None:
    # 600 open minutes less two hours of maintenance. Down 7-9 and 11-13: an open hour before the maintenance, and one
    # after it.
    downs = [hours(7, 9), hours(11, 13)]
    found = capacity(hours(0, 24), [hours(8, 18)], [], [hours(10, 12)], downs)
    assert (found.allocable, found.offered) == (480, 360)
    assert capacity(hours(0, 24), [hours(8, 18)], [], [], is_built=False).offered == 0


def test_every_minute_counts_once_for_each_unit() -> None:
    # A day of 1,440 minutes, 600 of them open, 60 under maintenance, 120 down: three times each.
    found = capacity(hours(0, 24), [hours(8, 18)], [], [hours(8, 9)], [hours(10, 12)], units=3)
    assert found == Capacity(calendar=4320, open=1800, allocable=1620, offered=1260)


def test_capacities_add_up() -> None:
    one = Capacity(calendar=10, open=5, allocable=4, offered=3)
    other = Capacity(calendar=1, open=1, allocable=0, offered=0)
    assert one + other == Capacity(calendar=11, open=6, allocable=4, offered=3)
