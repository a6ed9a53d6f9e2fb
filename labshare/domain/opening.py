"""Opening hours: a week's pattern of local hours, and the spans of time that it opens.

What must not live here: who may book or what occupies an instrument. Hours are wall-clock hours of the centre; only
`open_spans` turns them into instants, because only it is told the zone and the closed dates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from labshare.domain.timespan import Span, clipped, merged
from labshare.errors import Malformed

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY_MINUTES = 24 * 60
WEEK_MINUTES = 7 * DAY_MINUTES

Hours = tuple[tuple[int, int], ...]
"""The open stretches of one day: (from, until) in minutes after midnight, half-open, sorted, never touching."""

_HOURS = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")


class OpeningHours(msgspec.Struct, frozen=True):
    """Seven days of `Hours`, Monday first. Without any hours the instrument is never open."""

    days: tuple[Hours, ...] = ((),) * 7

    @property
    def is_never(self) -> bool:
        return not any(self.days)

    @property
    def is_always(self) -> bool:
        return all(hours == ((0, DAY_MINUTES),) for hours in self.days)

    @property
    def week_minutes(self) -> int:
        """Open minutes of a week without closed dates."""
        return sum(until - start for hours in self.days for start, until in hours)

    def longest_minutes(self, raster: int = 1) -> int:
        """The longest stretch without a closed minute, over midnight and over Sunday too; a week when always open.
        Each is counted from its first minute on a raster that begins at midnight.
        """
        if self.is_always:
            return WEEK_MINUTES
        longest, first, reached = 0, 0, -1
        # Two weeks in a row show the stretch that runs from Sunday into Monday whole.
        for start, until in (*_of_week(self, 0), *_of_week(self, WEEK_MINUTES)):
            if start != reached:
                first = start + -(start % DAY_MINUTES) % raster
            longest, reached = max(longest, until - first), until
        return longest


def _of_week(opening: OpeningHours, offset: int) -> Iterator[tuple[int, int]]:
    for day, hours in enumerate(opening.days):
        for start, until in hours:
            yield offset + day * DAY_MINUTES + start, offset + day * DAY_MINUTES + until


def groups(opening: OpeningHours) -> list[tuple[tuple[int, ...], Hours]]:
    """The open days that share the same hours, as (days from 0 for Monday, hours), by their first day."""
    found: dict[Hours, tuple[int, ...]] = {}
    for day, hours in enumerate(opening.days):
        if hours:
            found[hours] = (*found.get(hours, ()), day)
    return [(days, hours) for hours, days in found.items()]


def runs(days: Iterable[int]) -> list[tuple[int, int]]:
    """Sorted days as (first, last) of each unbroken run: 0, 1, 2, 5 gives (0, 2) and (5, 5)."""
    result: list[tuple[int, int]] = []
    for day in days:
        if result and result[-1][1] == day - 1:
            result[-1] = (result[-1][0], day)
        else:
            result.append((day, day))
    return result


def clock(minute: int) -> str:
    """495 -> 08:15; the end of a day is 24:00."""
    return f"{minute // 60:02}:{minute % 60:02}"


def format_opening(opening: OpeningHours) -> str:
    """The one canonical text of these hours, as `Mon-Fri 08:00-12:00,13:00-17:00; Sat 08:00-12:00`; '' for never."""
    return "; ".join(f"{_days_text(days)} {_hours_text(hours)}" for days, hours in groups(opening))


def _days_text(days: tuple[int, ...]) -> str:
    if len(days) == len(DAYS):
        return "daily"
    return ",".join(DAYS[first] if first == last else f"{DAYS[first]}-{DAYS[last]}" for first, last in runs(days))


def _hours_text(hours: Hours) -> str:
    return ",".join(f"{clock(start)}-{clock(until)}" for start, until in hours)


# Every calendar and every booking reads the same few texts again.
@lru_cache(maxsize=1024)
def parse_opening(text: str) -> OpeningHours:
    """Hours from text: `DAYS HOURS; ...`, where DAYS is `daily` or names and ranges of days (`Mon-Thu,Sat`).

    Hours that cross midnight are written as two days (`22:00-24:00` and `00:00-06:00`). Touching hours are joined.
    Raises `Malformed` with `part`, the part that cannot be read: `opening_unreadable`, `opening_reversed` or
    `opening_overlaps`.
    """
    week: list[Hours] = [()] * 7
    for part in filter(None, (part.strip() for part in text.split(";"))):
        days, _, hours_text = part.partition(" ")
        hours = tuple(_hours(stretch.strip(), part) for stretch in hours_text.split(","))
        for day in _days(days, part):
            week[day] = _joined(sorted(week[day] + hours), part)
    return OpeningHours(tuple(week))


def _days(text: str, part: str) -> list[int]:
    if text == "daily":
        return list(range(7))
    result: list[int] = []
    for name in text.split(","):
        first, dash, last = name.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise Malformed("opening_unreadable", part=part)
        start, end = DAYS.index(first), DAYS.index(last if dash else first)
        if end < start:
            raise Malformed("opening_reversed", part=part)
        result.extend(range(start, end + 1))
    return result


def _hours(text: str, part: str) -> tuple[int, int]:
    match = _HOURS.fullmatch(text)
    if match is None:
        raise Malformed("opening_unreadable", part=part)
    hour, minute, last_hour, last_minute = (int(figure) for figure in match.groups())
    start, until = hour * 60 + minute, last_hour * 60 + last_minute
    if minute > 59 or last_minute > 59 or until > DAY_MINUTES:
        raise Malformed("opening_unreadable", part=part)
    if until <= start:
        raise Malformed("opening_reversed", part=part)
    return start, until


def _joined(hours: Iterable[tuple[int, int]], part: str) -> Hours:
    result: list[tuple[int, int]] = []
    for start, until in hours:
        if result and start < result[-1][1]:
            raise Malformed("opening_overlaps", part=part)
        if result and start == result[-1][1]:
            result[-1] = (result[-1][0], until)
        else:
            result.append((start, until))
    return tuple(result)


def open_spans(
    opening: OpeningHours,
    span: Span,
    timezone_name: str,
    closed_dates: Iterable[date] = (),
    dated: Mapping[date, Hours] | None = None,
) -> list[Span]:
    """The open parts of `span`, in UTC, sorted and disjoint; hours that touch at midnight are one span.

    A closed date is a whole local day of the zone; what `dated` says of a date goes before both the week and the closed
    dates. Where a clock change swallows an hour, only what is left is open.
    """
    zone = ZoneInfo(timezone_name)
    closed = frozenset(closed_dates)
    day, last_day = span.start.astimezone(zone).date(), span.end.astimezone(zone).date()
    spans: list[Span] = []
    while day <= last_day:
        if dated and day in dated:
            spans.extend(_opened(day, dated[day], zone))
        elif day not in closed:
            spans.extend(_opened(day, opening.days[day.weekday()], zone))
        day += timedelta(days=1)
    return clipped(merged(spans), span)


# The rules of one booking ask for the same few days again and again, and so do the bookings of a week.
@lru_cache(maxsize=4096)
def _opened(day: date, hours: Hours, zone: ZoneInfo) -> tuple[Span, ...]:
    instants = [(_instant(day, start, zone), _instant(day, until, zone)) for start, until in hours]
    return tuple(Span(opens, closes) for opens, closes in instants if opens < closes)


def _instant(day: date, minute: int, zone: ZoneInfo) -> datetime:
    # 24:00 is midnight of the next day, which may be 23 or 25 hours after this one's.
    at = day + timedelta(days=minute // DAY_MINUTES)
    hour, rest = divmod(minute % DAY_MINUTES, 60)
    return datetime.combine(at, time(hour, rest), tzinfo=zone).astimezone(UTC)


def minute_of_day(moment: datetime, timezone: str) -> int:
    """Minutes after local midnight."""
    local = moment.astimezone(ZoneInfo(timezone))
    return local.hour * 60 + local.minute
