"""Windows of share rules and reports: week, month, quarter, semester, year, on the calendar of a time zone.

The window "round" is no stretch of the calendar: it is the horizon of a round (round_terms.py).

What must not live here: what is counted in a window (agreements.py, reports.py).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from labshare.domain.timespan import Span

CENTRE_ZONE_NAME = "Asia/Ho_Chi_Minh"


class Window(StrEnum):
    """A stretch of time in which a share is kept. Weeks start on Monday, semesters in January and July."""

    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    SEMESTER = "semester"
    YEAR = "year"
    ROUND = "round"


CALENDAR = tuple(window for window in Window if window is not Window.ROUND)

_MONTHS = {Window.MONTH: 1, Window.QUARTER: 3, Window.SEMESTER: 6, Window.YEAR: 12}


def window_dates(window: Window, day: date) -> tuple[date, date]:
    """The first date of the window that holds `day`, and the first date after it. Not of a round."""
    if window is Window.WEEK:
        first = day - timedelta(days=day.weekday())
        return first, first + timedelta(days=7)
    months = _MONTHS[window]
    start = (day.month - 1) // months * months
    years, month = divmod(start + months, 12)
    return date(day.year, start + 1, 1), date(day.year + years, month + 1, 1)


def midnight(day: date, timezone_name: str) -> datetime:
    """The instant, in UTC, at which the date begins in the zone."""
    return datetime.combine(day, time(), tzinfo=ZoneInfo(timezone_name)).astimezone(UTC)


def days_span(first: date, after: date, timezone_name: str) -> Span:
    """The local days from `first` up to, not including, `after`. Raises `Malformed` when `after` is not later."""
    return Span(midnight(first, timezone_name), midnight(after, timezone_name))


def window_at(window: Window, moment: datetime, timezone_name: str) -> Span:
    """The window that holds the instant."""
    return _window(window, moment.astimezone(ZoneInfo(timezone_name)).date(), timezone_name)


def windows(window: Window, span: Span, timezone_name: str) -> list[Span]:
    """Every window that the span touches, in order. Together they cover it, and each minute of it once."""
    found = [window_at(window, span.start, timezone_name)]
    while found[-1].end < span.end:
        found.append(window_at(window, found[-1].end, timezone_name))
    return found


@lru_cache(maxsize=4096)
def _window(window: Window, day: date, timezone_name: str) -> Span:
    return days_span(*window_dates(window, day), timezone_name)
