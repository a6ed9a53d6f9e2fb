"""Where a use of an instrument would fit: free starts, and the nearest ones to a wish that was refused.

One exact function for "next free", for the slots offered after a refusal and for the free rows of a calendar. What
must not live here: who asks; a free slot is free for whoever may book it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from labshare.domain.bookings import InstrumentRules
from labshare.domain.timespan import MINUTE, Span, intersection, merged, subtracted

DAY_MINUTES = 24 * 60


class StartRange(msgspec.Struct, frozen=True):
    """Every raster start from `first` to `last`, both included, fits."""

    first: datetime
    last: datetime


def start_ranges(
    rules: InstrumentRules, minutes: int, horizon: Span, opened: Iterable[Span], busy: Iterable[Span]
) -> Iterator[StartRange]:
    """All starts of a use of `minutes` minutes inside `horizon`, in order, before they are put on the raster.

    `opened` are the open segments over the horizon and a day around it; `busy` are occupied ranges and kept time. The
    use lies in one open segment (or, for runs that may span closed hours, starts and ends in one), and its occupied
    range, with set-up and clean-up, meets nothing busy.
    """
    segments = sorted(opened)
    around = horizon.widened(rules.setup_minutes, minutes + rules.cleanup_minutes)
    for gap in subtracted([around], busy):
        first = max(gap.start + rules.setup_minutes * MINUTE, horizon.start)
        last = min(gap.end - (minutes + rules.cleanup_minutes) * MINUTE, horizon.end)
        if first > last:
            continue
        for segment in segments:
            yield from _inside(rules, minutes, first, last, segment, segments)


def _inside(
    rules: InstrumentRules, minutes: int, first: datetime, last: datetime, segment: Span, segments: list[Span]
) -> Iterator[StartRange]:
    if not rules.spans_closed_hours:
        start, end = max(first, segment.start), min(last, segment.end - minutes * MINUTE)
        if start <= end:
            yield StartRange(start, end)
        return
    # The start may be any minute of this segment whose end, `minutes` later, is an open minute too.
    starts = intersection(segment, Span(first, last + MINUTE))
    if starts is None:
        return
    for other in segments:
        shifted = Span(other.start - (minutes - 1) * MINUTE, other.end - (minutes - 1) * MINUTE)
        if (both := intersection(starts, shifted)) is not None:
            yield StartRange(both.start, both.end - MINUTE)


def nearest(
    rules: InstrumentRules,
    minutes: int,
    wanted: datetime,
    ranges: Iterable[StartRange],
    *,
    count: int = 3,
) -> list[Span]:
    """Up to `count` spans of `minutes` minutes on the raster, the nearest to `wanted` first, one for each range."""
    found: list[tuple[timedelta, Span]] = []
    for allowed in ranges:
        start = _on_raster(rules, min(max(wanted, allowed.first), allowed.last), allowed)
        if start is not None:
            found.append((abs(start - wanted), Span(start, start + minutes * MINUTE)))
    return [span for _, span in sorted(found)[:count]]


def _on_raster(rules: InstrumentRules, near: datetime, allowed: StartRange) -> datetime | None:
    """The raster start nearest to `near` that the range allows: the one at or after it, else the one before."""
    step = max(1, min(rules.granularity_minutes, 60))
    local = near.astimezone(ZoneInfo(rules.timezone))
    past = (local.hour * 60 + local.minute) % step
    before = near - past * MINUTE
    after = before if past == 0 else before + step * MINUTE
    if allowed.first <= after <= allowed.last:
        return after
    return before if allowed.first <= before <= allowed.last else None


def fitting_minutes(rules: InstrumentRules, minutes: int) -> int:
    """The acceptable length nearest to the one that was asked for, so that a suggestion can really be booked."""
    step = max(1, rules.granularity_minutes)
    rounded = max(1, -(-minutes // step)) * step
    least = -(-rules.min_minutes // step) * step
    most = rules.max_minutes // step * step
    return max(least, min(rounded, most))


def free_stretches(rules: InstrumentRules, horizon: Span, opened: Iterable[Span], busy: Iterable[Span]) -> list[Span]:
    """The free rows of a calendar: all the time that some use of the shortest acceptable length could take.

    Arguments as for `start_ranges`. A use may start anywhere in a stretch (on the raster) and must end inside it.
    """
    least = fitting_minutes(rules, 1)
    ranges = start_ranges(rules, least, horizon, opened, busy)
    return merged(Span(allowed.first, allowed.last + least * MINUTE) for allowed in ranges)
