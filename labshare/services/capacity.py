"""Open, allocable and offered minutes of instruments over a span: one count for agreements, planning and reports.

What must not live here: shares of these minutes (services/agreements.py).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from labshare.domain.bookings import BookingKind
from labshare.domain.capacity import Capacity, capacity
from labshare.domain.opening import OpeningHours, open_spans
from labshare.domain.standing_rules import week_hours_over
from labshare.domain.timespan import Span, merged
from labshare.services.holidays import closed_around
from labshare.store import capacity as store
from labshare.store.capacity import Block, TimedInstrument
from labshare.store.engine import Connection


def capacities(db: Connection, instruments: Sequence[TimedInstrument], span: Span) -> dict[int, Capacity]:
    """The capacity of each instrument, by number, as if none were ever down. One query; planned blocks are those that
    stand now.
    """
    return measured(instruments, span, store.blocks(db, [each.number for each in instruments], span))


def measured(
    instruments: Iterable[TimedInstrument],
    span: Span,
    blocks: Iterable[Block],
    downs: Mapping[int, Sequence[Span]] | None = None,
) -> dict[int, Capacity]:
    """The capacity of each instrument, by number, from blocks that are already at hand; `downs` is when it was down."""
    downs = downs or {}
    closures: defaultdict[int, list[Span]] = defaultdict(list)
    planned: defaultdict[int, list[Span]] = defaultdict(list)
    for block in blocks:
        (closures if block.kind is BookingKind.CLOSURE else planned)[block.instrument_number].append(block.span)
    return {
        each.number: capacity(
            span,
            opened(each, span),
            closures[each.number],
            planned[each.number],
            downs.get(each.number, ()),
            units=each.capacity,
            is_built=each.is_built,
        )
        for each in instruments
    }


def opened(instrument: TimedInstrument, span: Span) -> tuple[Span, ...]:
    """The open hours of an instrument in the span as they were, are or will be, holidays left out."""
    if not instrument.posted:
        return _opened(instrument.opening, instrument.timezone, span)
    parts = week_hours_over(instrument.opening, instrument.posted, span)
    return tuple(merged(each for part, hours in parts for each in _opened(hours, instrument.timezone, part)))


# Most instruments of a centre keep the same hours, and a quarter is asked for again and again.
@lru_cache(maxsize=512)
def _opened(opening: OpeningHours, timezone_name: str, span: Span) -> tuple[Span, ...]:
    closed = closed_around(span.start.date(), span.end.date())
    return tuple(open_spans(opening, span, timezone_name, closed))
