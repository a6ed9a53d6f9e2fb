"""Minutes of the centres' clock as places in a calendar: classes of a grid, hours of an axis, clock texts.

The Content-Security-Policy allows no style attribute, so a place is four classes out of calendar.css: `fh9 fm30 uh11
um0` is from 9:30 until 11:00, on a raster of five minutes. Nothing here knows a booking.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache

import msgspec

from labshare import formats
from labshare.domain.opening import DAY_MINUTES, clock
from labshare.domain.timespan import MINUTE, Span
from labshare.web.typed import instant

RASTER = 5
# What a calendar shows where nothing is open.
OFFICE_HOURS = (8, 18)

Piece = tuple[int, int, int]
"""Part of a stretch on one day: (day counted from the first, from, until), minutes after midnight."""


class Axis(msgspec.Struct, frozen=True):
    """Whole days from a local midnight. Vietnam keeps one offset, so a minute is one subtraction and never a zone."""

    first: date
    days: int
    start: datetime

    @property
    def span(self) -> Span:
        return Span(self.start, self.start + timedelta(days=self.days))

    @property
    def dates(self) -> tuple[date, ...]:
        return tuple(self.first + timedelta(days=day) for day in range(self.days))

    def date_of(self, minute: int) -> date:
        return self.first + timedelta(days=minute // DAY_MINUTES)

    def minute(self, moment: datetime) -> int:
        """Whole minutes since the first midnight, below zero before it."""
        return (moment - self.start) // MINUTE

    def minutes(self, span: Span) -> tuple[int, int]:
        """The part of the span that lies on the axis; empty, as two equal minutes or reversed, when none does."""
        start, last = self.start, self.days * DAY_MINUTES
        return max(0, (span.start - start) // MINUTE), min(last, (span.end - start) // MINUTE)


def day_of(day: date) -> Axis:
    return Axis(day, 1, instant(day, 0))


def week_of(day: date) -> Axis:
    """The week in which the day lies, Monday first."""
    monday = day - timedelta(days=day.weekday())
    return Axis(monday, 7, instant(monday, 0))


def pieces(start: int, end: int) -> Iterator[Piece]:
    """A stretch of minutes as its part of each day that it touches."""
    while start < end:
        day, begins = divmod(start, DAY_MINUTES)
        midnight = start - begins + DAY_MINUTES
        yield day, begins, (begins + end - start if end < midnight else DAY_MINUTES)
        start = midnight


@lru_cache(maxsize=4096)
def place(start: int, end: int) -> str:
    """The classes of a stretch of one day; what is shorter than the raster still covers one step of it."""
    first, last = start // RASTER * RASTER, -(-end // RASTER) * RASTER
    return f"fh{first // 60} fm{first % 60} uh{last // 60} um{last % 60}"


class Window(msgspec.Struct, frozen=True):
    """The hours of a day that are drawn, as [first, last)."""

    first: int
    last: int

    @property
    def css(self) -> str:
        return f"s{self.first} n{self.last - self.first}"

    @property
    def hours(self) -> tuple[tuple[str, str], ...]:
        """Each hour's place and its name."""
        return tuple((place(hour * 60, hour * 60 + 60), clock(hour * 60)) for hour in range(self.first, self.last))

    def shows(self, start: int, end: int) -> bool:
        return start < self.last * 60 and end > self.first * 60

    def line(self, minute: int) -> str:
        """The place of a line at this minute of a day, or '' where the minute is not drawn."""
        return place(minute, minute + 1) if self.shows(minute, minute + 1) else ""

    def cut(self, start: int, end: int) -> tuple[int, int]:
        return max(start, self.first * 60), min(end, self.last * 60)


def window(opened: Iterable[Piece], needed: Iterable[Piece] = ()) -> Window:
    """The hours between the first opening and the last closing, and whatever else must be seen."""
    parts = [*opened] or [(0, OFFICE_HOURS[0] * 60, OFFICE_HOURS[1] * 60)]
    parts += needed
    return Window(min(start for _, start, _ in parts) // 60, -(-max(end for _, _, end in parts) // 60))


def times(start: int, end: int, axis: Axis) -> str:
    """When a stretch lasts: 09:00–11:00, with its days only when it leaves the one on which it begins."""
    begins, ends = clock(start % DAY_MINUTES), clock((end - 1) % DAY_MINUTES + 1)
    if start // DAY_MINUTES == (end - 1) // DAY_MINUTES:
        return f"{begins}–{ends}"
    return f"{begins} {formats.short_date(axis.date_of(start))} – {ends} {formats.short_date(axis.date_of(end - 1))}"
