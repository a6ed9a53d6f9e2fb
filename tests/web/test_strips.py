"""The strips of a week's board: bars in percent, free hours in words, and nothing of anybody's."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labshare.domain.bookings import KeptTime
from labshare.domain.timespan import MINUTE, Span
from labshare.i18n import speaking
from labshare.services.calendars import Occupancy, Occupied
from labshare.web.grid import Window, week_of
from labshare.web.strips import EPOCH, Cell, Fit, cells, free_minutes, opened_days
from tests.furniture import at, span
from tests.web.test_blocks import RULES

WEEK = week_of(date(2026, 11, 26))
OFFICE = Window(8, 18)


def occupied(when: Span, kind: str = "use", own_state: str | None = None) -> Occupied:
    return Occupied(1, (when.start - EPOCH) // MINUTE, (when.end - EPOCH) // MINUTE, kind, own_state)


def week(
    *rows: Occupied,
    opened: list[Span] | None = None,
    now: Any = None,
    kept: list[KeptTime] | None = None,
    cut_off: int = 0,
    furthest: int = 60,
) -> Any:
    hours = [span(26, 8, 18)] if opened is None else opened
    shown = Occupancy(
        span=WEEK.span,
        instruments=(RULES,),
        occupied={1: list(rows)},
        opened={1: hours},
        kept={1: kept or []},
        cut_off={1: cut_off},
        furthest={1: furthest},
    )
    return cells(shown, RULES, opened_days(hours, WEEK), WEEK, OFFICE, WEEK.minute(now or at(23, 8)))


def bars(cell: Cell) -> list[tuple[str, float, float]]:
    found = re.findall(r'<rect class="([^"]+)"[^>]* x="([\d.]+)%" width="([\d.]+)%"/>', cell.bars)
    return [(kind, float(x), float(width)) for kind, x, width in found]


def test_a_bar_stands_where_its_hours_are() -> None:
    # Ten hours are drawn: 09:00 is 10 % from the left, two hours are 20 % wide.
    thursday = week(occupied(span(26, 9, 11)))[3]
    assert bars(thursday) == [("open", 0, 100), ("taken", 10, 20)]
    assert thursday.words == "trống 8 giờ"


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (occupied(span(26, 9, 11)), "taken"),
        (occupied(span(26, 9, 11), own_state="confirmed"), "mine"),
        (occupied(span(26, 9, 11), own_state="held"), "mine held"),
        (occupied(span(26, 9, 11), kind="closure"), "closure"),
    ],
)
def test_a_bar_says_whether_it_is_ones_own_and_no_more(row: Occupied, kind: str) -> None:
    assert bars(week(row)[3])[1][0] == kind


def test_what_no_colour_should_carry_alone_has_a_pattern() -> None:
    assert 'fill="url(#strip-blocked)"' in week(occupied(span(26, 9, 11), kind="maintenance"))[3].bars
    kept = KeptTime(span=Span(at(26, 0), at(27, 0)), round_code="R", freed_at=at(25, 0))
    cell = week(kept=[kept])[3]
    assert 'fill="url(#strip-kept)"' in cell.bars
    assert cell.words == "hết giờ trống"


def test_a_run_over_midnight_is_cut_and_what_is_not_drawn_is_left_out() -> None:
    found = week(occupied(Span(at(25, 17), at(26, 10))), occupied(Span(at(27, 19), at(27, 21))))
    assert bars(found[2]) == [("taken", 90, 10)]
    assert bars(found[3]) == [("open", 0, 100), ("taken", 0, 20)]
    assert bars(found[4]) == []


def test_words_tell_free_over_and_closed_apart() -> None:
    found = week(opened=[span(25, 8, 18), span(26, 8, 18)], now=at(26, 12, 30))
    assert [cell.words for cell in found[1:4]] == ["Đóng cửa", "đã qua", "trống 5,5 giờ"]
    with speaking("en"):
        found = week(opened=[span(25, 8, 18), span(26, 8, 18)], now=at(26, 12, 30))
        assert [cell.words for cell in found[1:4]] == ["Closed", "over", "5.5 h free"]


minutes = st.tuples(st.integers(0, 1440), st.integers(0, 300)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(
    opened=st.lists(minutes, max_size=3),
    busy=st.lists(minutes, max_size=6),
    since=st.integers(0, 1500),
    until=st.integers(0, 1900),
)
def test_free_minutes_are_those_that_are_open_and_not_busy(
    opened: list[tuple[int, int]], busy: list[tuple[int, int]], since: int, until: int
) -> None:
    """Counted minute by minute; open hours never overlap."""
    disjoint = [hours for i, hours in enumerate(sorted(opened)) if all(hours[0] >= e for _, e in sorted(opened)[:i])]
    expected = sum(
        1
        for minute in range(since, min(until, 1800))
        if any(start <= minute < end for start, end in disjoint) and not any(a <= minute < b for a, b in busy)
    )
    assert free_minutes(disjoint, busy, since, until) == expected


few_minutes = st.tuples(st.integers(0, 120), st.integers(1, 40)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(
    busy=st.lists(few_minutes, max_size=4),
    raster=st.sampled_from([1, 15, 30]),
    least=st.integers(1, 60),
    before=st.integers(0, 10),
    after=st.integers(0, 10),
)
def test_free_minutes_are_those_that_some_use_could_take(
    busy: list[tuple[int, int]], raster: int, least: int, before: int, after: int
) -> None:
    """Every start and end is tried, of a day that is open from minute 10 to 130."""
    taken = {minute for start, end in busy for minute in range(start, end)}
    expected: set[int] = set()
    for start in range(-(-10 // raster) * raster, 130, raster):
        for end in range(start + least, 131):
            if not taken.isdisjoint(range(start - before, end + after)):
                break
            expected.update(range(start, end))
    assert free_minutes([(10, 130)], busy, 0, 1440, Fit(raster, least, before, after)) == len(expected)


def test_a_gap_that_is_too_short_for_any_use_is_not_counted_as_free() -> None:
    """A use takes an hour, 15 minutes before and 15 after, and starts on the half hour. Between 9 and 10:15 there is no
    room for it; after 11 one may start at 11:30, and end by 18: six hours and a half.
    """
    rules = msgspec.structs.replace(RULES, setup_minutes=15, cleanup_minutes=15, granularity_minutes=30)
    rows, hours = [occupied(span(26, 8, 9)), occupied(Span(at(26, 10, 15), at(26, 11)))], [span(26, 8, 18)]
    shown = Occupancy(span=WEEK.span, instruments=(rules,), occupied={1: rows}, opened={1: hours}, kept={1: []})
    thursday = cells(shown, rules, opened_days(hours, WEEK), WEEK, OFFICE, WEEK.minute(at(23, 8)))[3]
    assert thursday.words == "trống 6,5 giờ"


def test_what_is_too_late_to_book_is_not_counted_as_free() -> None:
    # Thursday at 08:00, three hours ahead: 11-18 is left, seven hours. 24 hours ahead nothing of the day is, and yet it
    # is not over.
    assert week(now=at(26, 8), cut_off=3)[3].words == "trống 7 giờ"
    assert week(now=at(26, 8), cut_off=24)[3].words == "hết giờ trống"


def test_what_is_too_early_to_book_is_not_counted_as_free() -> None:
    # Three days ahead of Monday 10:00 is Thursday 10:00: two hours. Of Monday 08:00 it is when Thursday opens.
    assert week(now=at(23, 10), furthest=3)[3].words == "trống 2 giờ"
    assert week(now=at(23, 8), furthest=3)[3].words == "chưa đến lúc đặt"


def test_a_strip_for_several_shows_when_it_is_full_and_what_is_ones_own() -> None:
    """Ten hours are drawn. Two of two are there from 10 to 11: 20 % from the left, 10 % wide; nine hours are left."""
    rows = [occupied(span(26, 9, 11)), occupied(span(26, 10, 12), own_state="confirmed")]
    rules = msgspec.structs.replace(RULES, capacity=2)
    hours = [span(26, 8, 18)]
    shown = Occupancy(span=WEEK.span, instruments=(rules,), occupied={1: rows}, opened={1: hours}, kept={1: []})
    thursday = cells(shown, rules, opened_days(hours, WEEK), WEEK, OFFICE, WEEK.minute(at(23, 8)))[3]
    assert bars(thursday) == [("open", 0, 100), ("taken", 20, 10), ("mine", 20, 20)]
    assert thursday.words == "trống 9 giờ"
