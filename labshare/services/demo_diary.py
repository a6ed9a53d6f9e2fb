"""What is taken while the demo's bookings are made up: instruments with set-up and clean-up, people in one place.

Pure, in whole minutes since the epoch, because tens of thousands of places are tried. What must not live here: chance.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Hashable, Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from labshare.domain.timespan import MINUTE, Span

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Minutes = tuple[int, int]
"""A half-open interval [from, until) in minutes since the epoch."""


def minute(moment: datetime) -> int:
    """Whole minutes since the epoch, rounded down."""
    return (moment - EPOCH) // MINUTE


def moment(at: int) -> datetime:
    return EPOCH + timedelta(minutes=at)


def minutes(span: Span) -> Minutes:
    return minute(span.start), minute(span.end)


def span(interval: Minutes) -> Span:
    return Span(moment(interval[0]), moment(interval[1]))


class Taken:
    """Intervals that do not overlap, by key: the instruments' calendars, or the people's."""

    def __init__(self) -> None:
        self._of: defaultdict[Hashable, list[Minutes]] = defaultdict(list)

    def add(self, key: Hashable, interval: Minutes) -> None:
        insort(self._of[key], interval)

    def until(self, key: Hashable, interval: Minutes) -> int | None:
        """The end of something that overlaps the interval, or None when it is free."""
        held = self._of.get(key)
        if not held:
            return None
        # Those held do not overlap each other, so only the last that begins before the end can reach inside.
        at = bisect_left(held, (interval[1], interval[1])) - 1
        return held[at][1] if at >= 0 and held[at][1] > interval[0] else None


class Opened(msgspec.Struct, frozen=True):
    """The open segments of an instrument, sorted."""

    segments: tuple[Minutes, ...]

    @classmethod
    def of(cls, spans: Iterable[Span]) -> Opened:
        return cls(tuple(minutes(each) for each in spans))

    def next(self, at: int) -> Minutes | None:
        """The segment that holds this minute, or the next one."""
        place = bisect_right(self.segments, (at, 1 << 62)) - 1
        if place >= 0 and self.segments[place][1] > at:
            return self.segments[place]
        return self.segments[place + 1] if place + 1 < len(self.segments) else None

    def last_before(self, at: int) -> Minutes:
        """The last segment that begins at this minute or before it."""
        return self.segments[bisect_right(self.segments, (at, 1 << 62)) - 1]

    def is_open(self, at: int) -> bool:
        found = self.next(at)
        return found is not None and found[0] <= at
