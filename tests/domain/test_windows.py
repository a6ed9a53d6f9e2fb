"""Windows are whole stretches of the local calendar, and together they cover time once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labshare.domain.timespan import Span, merged
from labshare.domain.windows import CALENDAR, CENTRE_ZONE_NAME, Window, window_at, window_dates, windows

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
