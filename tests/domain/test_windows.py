"""Windows are whole stretches of the local calendar, and together they cover time once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labshare.domain.timespan import Span, merged
from labshare.domain.windows import CALENDAR, CENTRE_ZONE_NAME, Window, whole_windows, window_at, window_dates, windows

HANOI = CENTRE_ZONE_NAME


@pytest.mark.parametrize(
    ("window", "first", "after"),
    [
        # 26 November 2026 is a Thursday.
        (Window.WEEK, date(2026, 11, 23), date(2026, 11, 30)),
        (Window.MONTH, date(2026, 11, 1), date(2026, 12, 1)),
        (Window.QUARTER, date(2026, 10, 1), date(2027, 1, 1)),
        (Window.SEMESTER, date(2026, 7, 1), date(2027, 1, 1)),
        (Window.YEAR, date(2026, 1, 1), date(2027, 1, 1)),
    ],
)
def test_a_window_holds_its_day(window: Window, first: date, after: date) -> None:
    assert window_dates(window, date(2026, 11, 26)) == (first, after)


def test_a_window_begins_at_local_midnight() -> None:
    # 1 October 2026, 00:00 in Ho Chi Minh City is 30 September, 17:00 UTC.
    quarter = window_at(Window.QUARTER, datetime(2026, 9, 30, 17, 0, tzinfo=UTC), HANOI)
    assert quarter == Span(datetime(2026, 9, 30, 17, 0, tzinfo=UTC), datetime(2026, 12, 31, 17, 0, tzinfo=UTC))
    minute_before = window_at(Window.QUARTER, datetime(2026, 9, 30, 16, 59, tzinfo=UTC), HANOI)
    assert minute_before.end == quarter.start


@given(st.integers(0, 15 * 366 * 1440), st.integers(1, 800 * 1440), st.sampled_from(CALENDAR))
def test_windows_cover_a_span_once(offset: int, minutes: int, window: Window) -> None:
    start = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=offset)
    span = Span(start, start + timedelta(minutes=minutes))
    found = windows(window, span, HANOI)
    assert all(before.end == after.start for before, after in pairwise(found))
    assert merged(found)[0].contains(span)
    assert found[0].start <= span.start < found[0].end
    assert found[-1].start < span.end <= found[-1].end


def local(day: int, hour: int = 0) -> datetime:
    """November 2026 in Hanoi."""
    return datetime(2026, 11, day, hour, tzinfo=UTC) - timedelta(hours=7)


def test_a_use_counts_in_every_run_of_days_that_holds_a_part_of_it() -> None:
    # From 22:00 of the 10th to 02:00 of the 11th, in runs of three days.
    use, force = Span(local(10, 22), local(11, 2)), Span(local(1), local(30))
    found = whole_windows(Window.ROLLING, use, force, HANOI, 3)
    assert found == [Span(local(day), local(day + 3)) for day in (8, 9, 10, 11)]


def test_runs_of_days_lie_in_the_time_in_force_or_are_all_of_it() -> None:
    use, force = Span(local(10, 8), local(10, 9)), Span(local(9), local(13))
    found = whole_windows(Window.ROLLING, use, force, HANOI, 3)
    assert found == [Span(local(9), local(12)), Span(local(10), local(13))]
    assert whole_windows(Window.ROLLING, use, force, HANOI, 5) == [force]


def test_a_day_that_is_in_force_in_part_belongs_to_a_run() -> None:
    """In force from 08:00 of the 9th to 10:00 of the 13th, in runs of three days: their ends are cut with the rule."""
    force = Span(local(9, 8), local(13, 10))
    first = whole_windows(Window.ROLLING, Span(local(9, 9), local(9, 10)), force, HANOI, 3)
    last = whole_windows(Window.ROLLING, Span(local(13, 8), local(13, 9)), force, HANOI, 3)
    assert (first, last) == ([Span(local(9), local(12))], [Span(local(11), local(14))])


def test_over_a_round_the_window_is_all_the_time_in_force() -> None:
    force = Span(local(9), local(13))
    assert whole_windows(Window.ROUND, Span(local(10, 8), local(10, 9)), force, HANOI) == [force]
