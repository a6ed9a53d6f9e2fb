"""Bookings that repeat: the rule as a value, as an RRULE of RFC 5545, and the spans that it gives.

A rule is expanded on the calendar of the centre's zone: the hour stays what the clock on the wall shows, over a change
of summer time too, and the length stays the same number of minutes (RFC 5545, 3.8.5.3). A day that a month has
not is skipped. What must not live here: what is judged of an occurrence (bookings.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import islice, pairwise
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from dateutil import rrule

from labshare.domain.timespan import MINUTE, Span
from labshare.errors import Malformed

MOST = 100
LONGEST = timedelta(days=366)
MOST_INTERVAL = 99

_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_PARTS = frozenset({"FREQ", "INTERVAL", "BYDAY", "COUNT", "UNTIL"})
_NUMBER = re.compile(r"\d{1,3}")
_UNTIL = re.compile(r"(\d{8})(?:T(\d{6})Z)?")
_LAST_SECOND = time(23, 59, 59)


class Frequency(StrEnum):
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class Reach(StrEnum):
    """How much of a series a change is about, as seen from one of its bookings."""

    ONE = "one"
    FOLLOWING = "following"
    ALL = "all"


class Conflicts(StrEnum):
    """What becomes of occurrences that are refused: nothing is booked, they are left out, or they go elsewhere."""

    STOP = "stop"
    SKIP = "skip"
    MOVE = "move"


_WEEKDAYS = (rrule.MO, rrule.TU, rrule.WE, rrule.TH, rrule.FR, rrule.SA, rrule.SU)
_RULES: dict[Frequency, Literal[1, 2, 3]] = {
    Frequency.DAILY: rrule.DAILY,
    Frequency.WEEKLY: rrule.WEEKLY,
    Frequency.MONTHLY: rrule.MONTHLY,
}


class Repeat(msgspec.Struct, frozen=True, kw_only=True):
    """How a booking repeats. Weekdays count from Monday, 0; `until` is the last local day, included.

    Raises `Malformed` for what has no end or two, and for what goes beyond the bounds above.
    """

    frequency: Frequency
    interval: int = 1
    weekdays: tuple[int, ...] = ()
    until: date | None = None
    count: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.interval <= MOST_INTERVAL:
            raise Malformed("repeat_interval", field="interval", most=MOST_INTERVAL)
        if self.weekdays and self.frequency is not Frequency.WEEKLY:
            raise Malformed("repeat_weekdays", field="weekdays")
        if (self.until is None) == (self.count is None):
            raise Malformed("repeat_end", field="repeat_until")
        if self.count is not None and not 1 <= self.count <= MOST:
            raise Malformed("repeat_too_many", field="count", most=MOST)


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Bookings that were made together by a rule. The times are those of its first occurrence."""

    id: UUID
    instrument_number: int
    person_id: UUID
    rrule: str
    starts_at: datetime
    ends_at: datetime
    created_at: datetime
    # Of the bookings that were given away, which nobody finds here any more.
    left_version: int = 0


def occurrences(repeat: Repeat, first: Span, zone: str) -> tuple[Span, ...]:
    """Every span of the rule from `first` on, each as long as that one. `first` is one of them if the rule says so.

    Raises `Malformed` when there are too many, none, or they lie too far apart or on top of each other.
    """
    local = first.start.astimezone(ZoneInfo(zone))
    begin = local.replace(tzinfo=None)
    rule = rrule.rrule(
        _RULES[repeat.frequency],
        dtstart=begin,
        interval=repeat.interval,
        byweekday=[_WEEKDAYS[day] for day in repeat.weekdays] or None,
        count=repeat.count,
        until=datetime.combine(repeat.until, _LAST_SECOND) if repeat.until else None,
    )
    starts = list(islice(rule, MOST + 1))
    if not starts:
        raise Malformed("repeat_nothing", field="repeat_until")
    if starts[-1] > begin + LONGEST:
        raise Malformed("repeat_too_long", field="repeat_until")
    if len(starts) > MOST:
        raise Malformed("repeat_too_many", field="repeat_until", most=MOST)
    found = tuple(_span(start.replace(fold=local.fold), first.minutes, zone) for start in starts)
    if any(later.start < earlier.end for earlier, later in pairwise(found)):
        raise Malformed("repeat_overlaps", field="interval")
    return found


def shifted(spans: Sequence[Span], anchor: Span, to: Span, zone: str) -> tuple[Span, ...]:
    """The spans, each moved as `anchor` moves `to` on the wall clock, and longer or shorter by as many minutes."""
    local = ZoneInfo(zone)
    by = to.start.astimezone(local).replace(tzinfo=None) - anchor.start.astimezone(local).replace(tzinfo=None)
    longer = to.minutes - anchor.minutes
    return tuple(
        _span(each.start.astimezone(local).replace(tzinfo=None) + by, each.minutes + longer, zone) for each in spans
    )


def _span(start: datetime, minutes: int, zone: str) -> Span:
    begins = start.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    return Span(begins, begins + minutes * MINUTE)


# ---------------------------------------------------------------- RFC 5545


def to_rrule(repeat: Repeat, zone: str) -> str:
    """The rule as text. Its UNTIL is an instant, as RFC 5545 asks where times have a zone: the last day's end."""
    parts = [f"FREQ={repeat.frequency.upper()}"]
    if repeat.interval > 1:
        parts.append(f"INTERVAL={repeat.interval}")
    if repeat.weekdays:
        parts.append("BYDAY=" + ",".join(_DAYS[day] for day in repeat.weekdays))
    if repeat.count is not None:
        parts.append(f"COUNT={repeat.count}")
    if repeat.until is not None:
        end = datetime.combine(repeat.until, _LAST_SECOND, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        parts.append(f"UNTIL={end:%Y%m%dT%H%M%SZ}")
    return ";".join(parts)


def from_rrule(text: str, start: datetime, zone: str) -> Repeat:
    """The rule behind an RRULE whose first occurrence begins at `start`; UNTIL may be a day or an instant in UTC.

    Raises `Malformed` for parts other than FREQ, INTERVAL, BYDAY, COUNT and UNTIL, and for values that have no meaning
    here (a BYDAY with a number, a FREQ of years or hours).
    """
    given = _parts(text)
    until = given.get("UNTIL")
    return Repeat(
        frequency=_frequency(given.get("FREQ", "")),
        interval=_number("INTERVAL", given.get("INTERVAL", "1")),
        weekdays=tuple(sorted({_weekday(day) for day in given["BYDAY"].split(",")})) if "BYDAY" in given else (),
        until=None if until is None else _last_day(until, start.astimezone(ZoneInfo(zone))),
        count=_number("COUNT", given["COUNT"]) if "COUNT" in given else None,
    )


def _parts(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in text.strip().upper().removeprefix("RRULE:").split(";"):
        name, _, value = part.partition("=")
        if name not in _PARTS:
            raise Malformed("rrule_part", field="rrule", part=name[:20])
        if name in found:
            raise _unreadable(name)
        found[name] = value
    return found


def _frequency(text: str) -> Frequency:
    for each in Frequency:
        if each.upper() == text:
            return each
    raise _unreadable("FREQ")


def _weekday(text: str) -> int:
    if text not in _DAYS:
        raise _unreadable("BYDAY")
    return _DAYS.index(text)


def _number(name: str, text: str) -> int:
    if not (text.isascii() and _NUMBER.fullmatch(text)):
        raise _unreadable(name)
    return int(text)


def _last_day(text: str, start: datetime) -> date:
    """The last local day on which an occurrence still begins in time."""
    match = _UNTIL.fullmatch(text) if text.isascii() else None
    try:
        if match and not match[2]:
            return datetime.strptime(match[1], "%Y%m%d").date()  # noqa: DTZ007 - a day has no zone
        if match:
            instant = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).astimezone(start.tzinfo)
            return instant.date() if instant.time() >= start.time() else instant.date() - timedelta(days=1)
    except (ValueError, OverflowError):
        pass
    raise _unreadable("UNTIL")


def _unreadable(part: str) -> Malformed:
    return Malformed("rrule_value", field="rrule", part=part)
