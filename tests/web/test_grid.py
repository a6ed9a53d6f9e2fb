"""Minutes as places: every class that a place can name is defined, and stretches are cut at midnight."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labshare.domain.timespan import Span
from labshare.i18n import speaking
from labshare.web.grid import Window, day_of, pieces, place, times, week_of, window
from labshare.web.templating import STATIC_DIRECTORY
from tests.furniture import at, span

WEEK = week_of(date(2026, 11, 26))


def test_a_week_begins_on_monday_at_local_midnight() -> None:
    assert WEEK.first == date(2026, 11, 23)
    assert WEEK.span.start == at(23, 0)
    assert WEEK.span.end == at(30, 0)
    assert WEEK.dates[-1] == date(2026, 11, 29)
    assert day_of(date(2026, 11, 26)).span == Span(at(26, 0), at(27, 0))


def test_minutes_count_from_the_first_midnight_and_end_with_the_axis() -> None:
    # Tuesday 09:00 is 24 + 9 hours in.
    assert WEEK.minutes(span(24, 9, 11)) == (33 * 60, 35 * 60)
    # Sunday the 22nd is cut off, and so is what comes after the week.
    assert WEEK.minutes(Span(at(22, 20), at(23, 4))) == (0, 240)
    assert WEEK.minutes(Span(at(29, 20), at(30, 6))) == (6 * 1440 + 1200, 7 * 1440)


def test_a_stretch_is_cut_at_midnight() -> None:
    # Monday 20:00 to Wednesday 10:00.
    assert list(pieces(20 * 60, 58 * 60)) == [(0, 1200, 1440), (1, 0, 1440), (2, 0, 600)]
    assert list(pieces(1440, 1500)) == [(1, 0, 60)]
    assert list(pieces(60, 60)) == []


@given(start=st.integers(0, 6000), length=st.integers(0, 4000))
def test_pieces_lose_and_add_no_minute(start: int, length: int) -> None:
    cut = list(pieces(start, start + length))
    assert sum(end - begin for _, begin, end in cut) == length
    assert all(0 <= begin < end <= 1440 for _, begin, end in cut)


@pytest.mark.parametrize(
    ("start", "end", "css"),
    [
        (570, 660, "fh9 fm30 uh11 um0"),
        # The raster is five minutes, and nothing is drawn smaller than it is.
        (572, 658, "fh9 fm30 uh11 um0"),
        (600, 601, "fh10 fm0 uh10 um5"),
        (1380, 1440, "fh23 fm0 uh24 um0"),
    ],
)
def test_a_place_is_four_classes(start: int, end: int, css: str) -> None:
    assert place(start, end) == css


def test_every_class_of_a_place_is_in_the_style_sheet() -> None:
    """The policy allows no style attribute, so a class that is missing would put a block in the wrong place."""
    sheet = (STATIC_DIRECTORY / "places.css").read_text(encoding="utf-8")
    found = dict(re.findall(r"\.([a-z]+\d+) \{ --[a-z]+: (\d+);", sheet))
    for minute in range(0, 1440, 5):
        for name in place(minute, minute + 5).split():
            number = int(name[2:])
            assert int(found[name]) == (number // 5 if name[1] == "m" else number)
    for first in range(24):
        for last in range(first + 1, 25):
            start, hours = Window(first, last).css.split()
            assert (found[start], found[hours]) == (str(first), str(last - first))


def test_the_hours_drawn_are_those_of_the_opening_and_of_what_else_must_be_seen() -> None:
    assert window([(0, 480, 1080), (1, 450, 720)]) == Window(7, 18)
    assert window([(0, 480, 1080)], [(2, 1200, 1290)]) == Window(8, 22)
    # Where nothing is open there are still hours to look at.
    assert window([]) == Window(8, 18)


def test_a_window_cuts_what_it_does_not_show() -> None:
    office = Window(8, 18)
    assert office.cut(420, 600) == (480, 600)
    assert (office.shows(360, 480), office.shows(360, 481)) == (False, True)
    assert (office.line(600), office.line(420)) == ("fh10 fm0 uh10 um5", "")
    assert office.hours[0] == ("fh8 fm0 uh9 um0", "08:00")
    assert len(office.hours) == 10


def test_times_name_their_days_only_when_they_must() -> None:
    assert times(540, 660, WEEK) == "09:00–11:00"
    assert times(1380, 1440, WEEK) == "23:00–24:00"
    # Monday 22:00 to Tuesday 02:00.
    assert times(1320, 1560, WEEK) == "22:00 23/11 – 02:00 24/11"
    with speaking("en"):
        assert times(1320, 1560, WEEK) == "22:00 23 Nov – 02:00 24 Nov"
