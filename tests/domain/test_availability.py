"""Free starts: exact against a search that tries every minute, and the nearest ones to a refused wish."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from labshare.domain.availability import (
    Leeway,
    firsts,
    fitting_minutes,
    free_starts,
    free_stretches,
    nearest,
    open_starts,
    start_ranges,
    uses,
    uses_backwards,
)
from labshare.domain.bookings import InstrumentRules
from labshare.domain.opening import open_spans, parse_opening
from labshare.domain.timespan import MINUTE, Span
from tests.domain.test_bookings import FESEM, local, span

DAY = Span(local(23, 0), local(24, 0))
OPEN = open_spans(FESEM.opening, DAY, FESEM.timezone, frozenset())


def rules(**changes: Any) -> InstrumentRules:
    return msgspec.structs.replace(FESEM, **changes)


def free(minutes: int, busy: Sequence[Span] = (), instrument: InstrumentRules = FESEM) -> list[Leeway]:
    starts = free_starts(instrument, minutes, open_starts(instrument, minutes, OPEN), busy)
    return [Leeway(minutes=minutes, starts=starts)]


def test_the_nearest_free_slots_are_one_for_each_gap() -> None:
    # Open 08-18, fifteen minutes of clean-up, 10:00-12:00 and 13:00-15:00 are occupied. Two hours fit with their
    # clean-up before 10:00 only from 08:00 to 09:45 (too short: 105 minutes), between 12 and 13 not at all, and after
    # 15:00 from 15:00 to 16:00. One hour fits at 08:00 .. 08:45 and not between (75 minutes needed, 60 there).
    busy = [span(23, (10, 0), (12, 0)), span(23, (13, 0), (15, 0))]

    def found(minutes: int) -> list[Span]:
        return nearest(FESEM, local(23, 11), free(minutes, busy))

    assert found(120) == [span(23, (15, 0), (17, 0))]
    assert found(60) == [span(23, (8, 30), (9, 30)), span(23, (15, 0), (16, 0))]


def test_a_wish_that_fits_is_itself_the_nearest() -> None:
    assert nearest(FESEM, local(23, 9, 30), free(60)) == [span(23, (9, 30), (10, 30))]


def test_a_start_off_the_raster_is_put_on_the_nearest_one() -> None:
    assert nearest(FESEM, local(23, 9, 40), free(60)) == [span(23, (9, 30), (10, 30))]
    assert nearest(FESEM, local(23, 9, 46), free(60)) == [span(23, (10, 0), (11, 0))]
    # At the end of the day the next one would be too late, so it is the one before.
    assert nearest(FESEM, local(23, 17, 50), free(60)) == [span(23, (17, 0), (18, 0))]


def test_a_run_that_spans_closed_hours_starts_and_ends_while_open() -> None:
    run = rules(spans_closed_hours=True, cleanup_minutes=0, max_minutes=2880)
    both = Span(local(23, 0), local(25, 0))
    opened = open_spans(run.opening, both, run.timezone, frozenset())
    # Sixteen hours: started at 16:00 or later they end at 08:00 or later of the next day; 18:00 is closed.
    (found,) = [r for r in start_ranges(run, 960, both, opened, []) if r.first >= local(23, 8)][:1]
    assert (found.first, found.last) == (local(23, 16, 1), local(23, 17, 59))


def test_lengths_are_mended_to_what_the_instrument_allows() -> None:
    assert fitting_minutes(FESEM, 10) == 60
    assert fitting_minutes(FESEM, 70) == 90
    assert fitting_minutes(FESEM, 999) == 240


def test_a_length_is_whole_rasters_and_no_shorter_than_agreed() -> None:
    # Starts stand on hours and lengths are multiples of 90 minutes, so only every other one ends on an hour too.
    long = rules(granularity_minutes=90, min_minutes=90, max_minutes=360)
    assert fitting_minutes(long, 90) == 180
    assert fitting_minutes(long, 200) == 360
    # The agreement asks for 100 minutes; the raster is 30.
    assert fitting_minutes(rules(min_minutes=60), 60, 100) == 120


def test_every_midnight_begins_the_raster_anew() -> None:
    """Every 50 minutes: 23:20 would end at 00:10, off the raster of the new day, which has 00:00, 00:50, 01:40."""
    odd = rules(granularity_minutes=50, min_minutes=50)
    night = Span(local(23, 23), local(24, 2))
    found = [use.start for use in uses(odd, 50, night)]
    assert found == [local(24, 0), local(24, 0, 50), local(24, 1, 40)]
    assert [use.start for use in uses_backwards(odd, 50, night)] == found[::-1]


def test_the_first_use_of_each_gap_is_one_that_is_accepted() -> None:
    busy = [span(23, (10, 0), (12, 0))]
    starts = free_starts(FESEM, 60, open_starts(FESEM, 60, OPEN), busy)
    after_nine = Leeway(minutes=60, starts=starts, accepts=lambda use: use.start >= local(23, 9, 10))
    # Before 10:00 a use with its quarter of clean-up begins by 08:45, which is not accepted.
    assert list(firsts(FESEM, [after_nine])) == [span(23, (12, 0), (13, 0))]
    assert list(firsts(FESEM, [after_nine], Span(local(23, 12, 1), local(23, 13)))) == [span(23, (12, 30), (13, 30))]
    assert nearest(FESEM, local(23, 8), [after_nine]) == [span(23, (12, 0), (13, 0))]


def test_where_a_person_is_bars_the_use_and_not_its_set_up() -> None:
    """Elsewhere from 10:00 to 10:10: an hour ends by 10:00 or begins from 10:10, whatever the clean-up."""
    elsewhere = [span(23, (10, 0), (10, 10))]
    found = free_starts(FESEM, 60, open_starts(FESEM, 60, OPEN), [], elsewhere)
    assert found == [Span(local(23, 8), local(23, 9, 1)), Span(local(23, 10, 10), local(23, 17, 1))]


def test_free_stretches_are_what_some_shortest_use_could_take() -> None:
    # Open 08-18, one hour at least, a quarter of clean-up. Before 10:00 a use ends by 09:45; between 12 and 13 there is
    # no room for 75 minutes; after 15:00 it goes on to the end of the day.
    busy = [span(23, (10, 0), (12, 0)), span(23, (13, 0), (15, 0))]
    assert free_stretches(FESEM, DAY, OPEN, busy) == [span(23, (8, 0), (9, 45)), span(23, (15, 0), (18, 0))]
    # From 16:30 on there is room for one more use; a horizon is about starts, and that one may begin until 17:00.
    late = Span(local(23, 16, 30), local(24, 0))
    assert free_stretches(FESEM, late, OPEN, busy) == [span(23, (16, 30), (18, 0))]
    assert free_stretches(FESEM, Span(local(23, 17, 1), local(24, 0)), OPEN, busy) == []


@settings(max_examples=60, deadline=None)
@given(
    busy=st.lists(st.tuples(st.integers(0, 1400), st.integers(1, 200)), max_size=5),
    minutes=st.integers(1, 300),
    setup=st.integers(0, 30),
    cleanup=st.integers(0, 30),
    spans=st.booleans(),
)
def test_start_ranges_are_exact(
    busy: list[tuple[int, int]], minutes: int, setup: int, cleanup: int, spans: bool
) -> None:
    instrument = rules(
        setup_minutes=setup,
        cleanup_minutes=cleanup,
        spans_closed_hours=spans,
        opening=parse_opening("daily 08:00-12:00,13:00-17:00"),
    )
    around = DAY.widened(1440, 1440)
    opened = open_spans(instrument.opening, around, instrument.timezone, frozenset())
    occupied = [Span(DAY.start + a * MINUTE, DAY.start + (a + b) * MINUTE) for a, b in busy]
    found = {
        start
        for r in start_ranges(instrument, minutes, DAY, opened, occupied)
        for start in _every_minute(r.first, r.last)
    }
    expected = {
        start
        for start in _every_minute(DAY.start, DAY.end)
        if _fits(instrument, Span(start, start + minutes * MINUTE), opened, occupied)
    }
    assert found == expected


def _every_minute(first: Any, last: Any) -> list[Any]:
    return [first + timedelta(minutes=n) for n in range((last - first) // MINUTE + 1)]


def _fits(instrument: InstrumentRules, use: Span, opened: list[Span], busy: list[Span]) -> bool:
    """Straight from the words: open, and nothing busy in the occupied range."""
    if any(instrument.occupied(use).overlaps(other) for other in busy):
        return False
    if instrument.spans_closed_hours:
        last = use.end - MINUTE
        return any(o.start <= use.start < o.end for o in opened) and any(o.start <= last < o.end for o in opened)
    return any(o.contains(use) for o in opened)
