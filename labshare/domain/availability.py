"""Where a use of an instrument would fit: free starts, the first ones of a day, and the nearest ones to a wish.

One exact function for all who look for time: a search, "next free", what is offered after a refusal, the free rows of a
calendar, the starts that a round's solver may choose from. Starts are half-open spans of instants; each whole minute in
one is a start that fits, before it is put on the raster. What must not live here: who asks (services/free_times.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from math import lcm

import msgspec

from labshare.domain.bookings import InstrumentRules, is_on_raster
from labshare.domain.opening import minute_of_day
from labshare.domain.timespan import MINUTE, Span, clipped, intersection, merged, subtracted
from labshare.domain.windows import days_span

DAY_MINUTES = 24 * 60


class StartRange(msgspec.Struct, frozen=True):
    """Every raster start from `first` to `last`, both included, fits."""

    first: datetime
    last: datetime


class Leeway(msgspec.Struct, frozen=True, kw_only=True):
    """Starts under the same agreements: how long a use is there, and what else it is asked (that has no spans)."""

    minutes: int
    starts: Sequence[Span]
    accepts: Callable[[Span], bool] | None = None


def open_starts(rules: InstrumentRules, minutes: int, opened: Iterable[Span]) -> list[Span]:
    """The starts of a use of `minutes` minutes that the opening hours allow, whatever occupies the instrument.

    The use lies in one of the open segments `opened`, or, for runs that may span closed hours, starts and ends in one.
    """
    segments = sorted(opened)
    back = (minutes - 1) * MINUTE
    if not rules.spans_closed_hours:
        return [Span(each.start, each.end - back) for each in segments if each.end - back > each.start]
    # The last minute of the use, `back` after its start, is an open minute too.
    ends = [Span(each.start - back, each.end - back) for each in segments]
    return merged(both for start in segments for end in ends if (both := intersection(start, end)) is not None)


def free_starts(
    rules: InstrumentRules,
    minutes: int,
    starts: Iterable[Span],
    busy: Iterable[Span],
    elsewhere: Iterable[Span] = (),
) -> list[Span]:
    """Those of `starts` at which nothing stands in the way, in order.

    `busy` are occupied ranges and kept time, which the use must not meet with its set-up and clean-up; `elsewhere` is
    where its person is, which the use itself must not meet.
    """
    before, after = (minutes + rules.cleanup_minutes - 1) * MINUTE, rules.setup_minutes * MINUTE
    barred = [Span(each.start - before, each.end + after) for each in busy]
    barred += [Span(each.start - (minutes - 1) * MINUTE, each.end) for each in elsewhere]
    return subtracted(starts, barred)


def starts_of_day(day: date, timezone: str, minutes: int, since: int, until: int | None) -> Span | None:
    """The starts on a local day of a use that begins at minute `since` of it or later and ends by minute `until`.

    Without `until` a use may go on beyond midnight. None where no use of so many minutes lies between the two.
    """
    whole = days_span(day, day + timedelta(days=1), timezone)
    start = whole.start + since * MINUTE
    end = whole.end if until is None else whole.start + (until - minutes + 1) * MINUTE
    return Span(start, end) if start < end else None


def start_ranges(
    rules: InstrumentRules, minutes: int, horizon: Span, opened: Iterable[Span], busy: Iterable[Span]
) -> Iterator[StartRange]:
    """All starts of a use of `minutes` minutes from the horizon's start to its end, in order, before the raster.

    `opened` are the open segments over the horizon and a day around it; `busy` is as for `free_starts`.
    """
    allowed = clipped(open_starts(rules, minutes, opened), Span(horizon.start, horizon.end + MINUTE))
    for each in free_starts(rules, minutes, allowed, busy):
        # A horizon may begin within a minute, and then that one has no whole start left.
        if each.start <= (last := each.end - MINUTE):
            yield StartRange(each.start, last)


def uses(rules: InstrumentRules, minutes: int, starts: Span) -> Iterator[Span]:
    """The uses on the raster that begin in these starts, the earliest first."""
    start = _aligned(rules, starts.start)
    while start < starts.end:
        use = Span(start, start + minutes * MINUTE)
        if is_on_raster(use, rules):
            yield use
        start = _aligned(rules, start + MINUTE)


def uses_backwards(rules: InstrumentRules, minutes: int, starts: Span) -> Iterator[Span]:
    """The same, the latest first."""
    start = starts.end - MINUTE
    while True:
        start -= minute_of_day(start, rules.timezone) % rules.raster * MINUTE
        if start < starts.start:
            return
        use = Span(start, start + minutes * MINUTE)
        if is_on_raster(use, rules):
            yield use
        start -= MINUTE


def _aligned(rules: InstrumentRules, moment: datetime) -> datetime:
    """The first instant from `moment` on that stands on the raster, which every midnight begins anew."""
    while past := (now := minute_of_day(moment, rules.timezone)) % rules.raster:
        moment += min(rules.raster - past, DAY_MINUTES - now) * MINUTE
    return moment


def firsts(rules: InstrumentRules, leeways: Iterable[Leeway], window: Span | None = None) -> Iterator[Span]:
    """The first use of each gap, in order: of those that begin in the window, where there is one."""
    for leeway in leeways:
        for starts in leeway.starts if window is None else clipped(leeway.starts, window):
            if (found := _first(leeway, uses(rules, leeway.minutes, starts))) is not None:
                yield found


def nearest(rules: InstrumentRules, wanted: datetime, leeways: Iterable[Leeway], *, count: int = 3) -> list[Span]:
    """Up to `count` uses, those that start nearest to `wanted` first, one for each gap."""
    found: list[tuple[timedelta, Span]] = []
    for leeway in leeways:
        for starts in leeway.starts:
            sides: list[Span | None] = []
            if wanted < starts.end:
                later = Span(max(wanted, starts.start), starts.end)
                sides.append(_first(leeway, uses(rules, leeway.minutes, later)))
            if starts.start < wanted:
                earlier = Span(starts.start, min(wanted, starts.end))
                sides.append(_first(leeway, uses_backwards(rules, leeway.minutes, earlier)))
            found += sorted((abs(side.start - wanted), side) for side in sides if side is not None)[:1]
    return [span for _, span in sorted(found)[:count]]


def _first(leeway: Leeway, found: Iterable[Span]) -> Span | None:
    return next((use for use in found if leeway.accepts is None or leeway.accepts(use)), None)


def fitting_minutes(rules: InstrumentRules, minutes: int, least: int = 0) -> int:
    """The acceptable length nearest to the one that was asked for, so that a suggestion can really be booked.

    `least` is the shortest that agreements allow, where that is more than the instrument's.
    """
    # A length that is no whole number of rasters would end off the raster.
    step = lcm(max(1, rules.granularity_minutes), rules.raster)
    shortest = -(-max(rules.min_minutes, least, 1) // step) * step
    longest = rules.max_minutes // step * step
    return max(shortest, min(-(-minutes // step) * step, longest))


def free_stretches(rules: InstrumentRules, horizon: Span, opened: Iterable[Span], busy: Iterable[Span]) -> list[Span]:
    """The free rows of a calendar: all the time that some use of the shortest acceptable length could take.

    Arguments as for `start_ranges`. A use may start anywhere in a stretch (on the raster) and must end inside it.
    """
    least = fitting_minutes(rules, 1)
    ranges = start_ranges(rules, least, horizon, opened, busy)
    return merged(Span(allowed.first, allowed.last + least * MINUTE) for allowed in ranges)
