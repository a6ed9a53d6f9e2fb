"""Windows of share rules and reports: week, month, quarter, semester, year, on the calendar of a time zone.

Two windows of share rules are no stretches of the calendar: "round" is the horizon of a round (round_terms.py), and
"rolling" is any so many days on end.

What must not live here: what is counted in a window (agreements.py, reports.py).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from labshare.domain.timespan import MINUTE, Span

CENTRE_ZONE_NAME = "Asia/Ho_Chi_Minh"


class Window(StrEnum):
    """A stretch of time in which a share is kept. Weeks start on Monday, semesters in January and July."""

    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    SEMESTER = "semester"
    YEAR = "year"
    ROUND = "round"
    ROLLING = "rolling"


CALENDAR = (Window.WEEK, Window.MONTH, Window.QUARTER, Window.SEMESTER, Window.YEAR)
# A booking locks a balance for each rolling window that holds it, of which there are as many as the window has days.
MOST_ROLLING_DAYS = 31

_MONTHS = {Window.MONTH: 1, Window.QUARTER: 3, Window.SEMESTER: 6, Window.YEAR: 12}


def window_dates(window: Window, day: date) -> tuple[date, date]:
    """The first date of the window that holds `day`, and the first date after it. Of the calendar only."""
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


def whole_windows(window: Window, span: Span, within: Span, timezone_name: str, days: int | None = None) -> list[Span]:
    """Every window that the span touches, in order. `within` is the time in force, to which a window may reach out.

    What is in force over a round has that one window. Rolling windows are every run of `days` local days; they overlap,
    and begin and end on days that are in force at least in part, or are all of the time in force where that is shorter.
    """
    match window:
        case Window.ROUND:
            return [within]
        case Window.ROLLING:
            return _rolling(days or 1, span, within, timezone_name)
        case _:
            return windows(window, span, timezone_name)


def _rolling(days: int, span: Span, within: Span, timezone_name: str) -> list[Span]:
    if within.end - within.start < timedelta(days=days):
        return [within]
    first, last = _dates(span, timezone_name)
    # A trial may be switched at any minute: the rest of that day belongs to the first run after it, which is cut there.
    opening, closing = _dates(within, timezone_name)
    starts = (first + timedelta(days=each) for each in range(1 - days, (last - first).days + 1))
    return [_days(day, days, timezone_name) for day in starts if opening <= day <= closing - timedelta(days=days - 1)]


def _dates(span: Span, timezone_name: str) -> tuple[date, date]:
    """The first and the last local date that the span touches."""
    zone = ZoneInfo(timezone_name)
    first, last = (moment.astimezone(zone).date() for moment in (span.start, span.end - MINUTE))
    return first, last


@lru_cache(maxsize=4096)
def _days(first: date, days: int, timezone_name: str) -> Span:
    return days_span(first, first + timedelta(days=days), timezone_name)


@lru_cache(maxsize=4096)
def _window(window: Window, day: date, timezone_name: str) -> Span:
    return days_span(*window_dates(window, day), timezone_name)
