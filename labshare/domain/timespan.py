"""Half-open spans of time and their algebra. Aware UTC datetimes only; whole minutes where an instrument is occupied.

What must not live here: opening hours (opening.py) or anything that knows an instrument.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from labshare.errors import Malformed

MINUTE = timedelta(minutes=1)


class Span(msgspec.Struct, frozen=True, order=True):
    """A half-open interval [start, end) of aware datetimes.

    Raises `Malformed` when a time is naive or the end does not come after the start.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise Malformed("naive_time")
        if self.end <= self.start:
            raise Malformed("reversed_time")

    @property
    def minutes(self) -> int:
        """Whole minutes inside the span, rounded down."""
        return int((self.end - self.start) / MINUTE)

    def overlaps(self, other: Span) -> bool:
        return self.start < other.end and other.start < self.end

    def contains(self, other: Span) -> bool:
        return self.start <= other.start and other.end <= self.end

    def widened(self, before_minutes: int, after_minutes: int) -> Span:
        """The span with set-up before it and clean-up after it."""
        return Span(self.start - before_minutes * MINUTE, self.end + after_minutes * MINUTE)


def next_minute(moment: datetime) -> datetime:
    """The whole minute that does not lie before this instant."""
    whole = moment.replace(second=0, microsecond=0)
    return whole if whole == moment else whole + MINUTE


def intersection(a: Span, b: Span) -> Span | None:
    start, end = max(a.start, b.start), min(a.end, b.end)
    return Span(start, end) if start < end else None


def merged(spans: Iterable[Span]) -> list[Span]:
    """The union of the spans, sorted, with touching and overlapping ones joined."""
    result: list[Span] = []
    for span in sorted(spans):
        if result and span.start <= result[-1].end:
            result[-1] = Span(result[-1].start, max(result[-1].end, span.end))
        else:
            result.append(span)
    return result


def subtracted(spans: Iterable[Span], holes: Iterable[Span]) -> list[Span]:
    """The union of `spans` without the union of `holes`, sorted and disjoint. Linear after the sort."""
    result: list[Span] = []
    gaps = merged(holes)
    first = 0
    for span in merged(spans):
        start = span.start
        while first < len(gaps) and gaps[first].end <= start:
            first += 1
        at = first
        while at < len(gaps) and gaps[at].start < span.end:
            if gaps[at].start > start:
                result.append(Span(start, gaps[at].start))
            start = max(start, gaps[at].end)
            at += 1
        if start < span.end:
            result.append(Span(start, span.end))
    return result


def clipped(spans: Iterable[Span], window: Span) -> list[Span]:
    """The parts of the spans that lie inside the window."""
    return [part for span in spans if (part := intersection(span, window)) is not None]


def total_minutes(spans: Iterable[Span]) -> int:
    """Minutes covered by the union of the spans."""
    return sum(span.minutes for span in merged(spans))


def shared_minutes(some: Sequence[Span], others: Sequence[Span]) -> int:
    """Minutes that lie in both. Each is sorted and disjoint, as `merged` gives them. Linear."""
    minutes = first = 0
    for span in some:
        while first < len(others) and others[first].end <= span.start:
            first += 1
        at = first
        while at < len(others) and others[at].start < span.end:
            minutes += (min(span.end, others[at].end) - max(span.start, others[at].start)) // MINUTE
            at += 1
    return minutes


def require_utc(moment: datetime) -> datetime:
    """The same instant in UTC. Raises `Malformed` when the moment carries no offset."""
    if moment.tzinfo is None:
        raise Malformed("naive_time")
    return moment.astimezone(UTC)


def require_minute(moment: datetime) -> datetime:
    """The same instant in UTC, refused when it is not a whole minute, because the booking guard counts minutes."""
    utc = require_utc(moment)
    if utc.second or utc.microsecond:
        raise Malformed("not_whole_minute")
    return utc
