"""Opening hours: their one text form, and the instants that they open."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labshare.domain.opening import (
    DAY_MINUTES,
    WEEK_MINUTES,
    OpeningHours,
    format_opening,
    open_spans,
    parse_opening,
)
from labshare.domain.timespan import Span, total_minutes
from labshare.errors import Malformed

SAIGON = "Asia/Ho_Chi_Minh"  # UTC+7 all year


def utc(day: int, hour: int, minute: int = 0, *, month: int = 11) -> datetime:
    """2026-11-23 is a Monday."""
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def test_a_day_range_opens_each_of_its_days() -> None:
    opening = parse_opening("Mon-Fri 08:00-18:00")
    # 8 x 60 = 480, 18 x 60 = 1080.
    assert opening.days == (((480, 1080),),) * 5 + ((), ())
    assert opening.week_minutes == 5 * 600


def test_several_stretches_and_groups_of_days_are_read() -> None:
    opening = parse_opening("Mon-Thu,Sat 08:00-12:00,13:00-17:00; Fri 08:00-11:30")
    split = ((480, 720), (780, 1020))
    assert opening.days == (split, split, split, split, ((480, 690),), split, ())


def test_daily_until_24_is_always_open() -> None:
    opening = parse_opening("daily 00:00-24:00")
    assert opening.is_always
    assert opening.longest_minutes() == WEEK_MINUTES


def test_no_text_is_never_open() -> None:
    assert parse_opening("").is_never
    assert format_opening(OpeningHours()) == ""
    assert OpeningHours().longest_minutes() == 0


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("Mon,Tue,Wed,Thu,Fri 08:00-18:00", "Mon-Fri 08:00-18:00"),
        ("Mon-Sun 00:00-24:00", "daily 00:00-24:00"),
        ("Sat 08:00-12:00;Mon 08:00-12:00", "Mon,Sat 08:00-12:00"),
        ("Mon 13:00-17:00, 08:00-12:00", "Mon 08:00-12:00,13:00-17:00"),
        ("Mon 08:00-12:00,12:00-17:00", "Mon 08:00-17:00"),
        ("Mon 08:00-12:00; Mon 13:00-17:00", "Mon 08:00-12:00,13:00-17:00"),
    ],
)
def test_hours_have_one_canonical_text(written: str, canonical: str) -> None:
    assert format_opening(parse_opening(written)) == canonical


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Monday 08:00-18:00", "opening_unreadable"),
        ("Mon-Fry 08:00-18:00", "opening_unreadable"),
        ("Mon", "opening_unreadable"),
        ("Mon 8:00-18:00", "opening_unreadable"),
        ("Mon 08:60-18:00", "opening_unreadable"),
        ("Mon 08:00-24:01", "opening_unreadable"),
        ("Mon 22:00-06:00", "opening_reversed"),
        ("Mon 08:00-08:00", "opening_reversed"),
        ("Sun-Mon 08:00-18:00", "opening_reversed"),
        ("Mon 08:00-12:00,11:00-13:00", "opening_overlaps"),
        ("daily 08:00-12:00; Sat 09:00-10:00", "opening_overlaps"),
    ],
)
def test_unreadable_hours_are_refused_with_their_part(text: str, code: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse_opening(text)
    assert caught.value.code == code
    assert str(caught.value.params["part"]) in text


def test_the_longest_stretch_runs_over_midnight() -> None:
    # Friday 20:00-24:00 (4 h) touches Saturday 00:00-06:00 (6 h).
    assert parse_opening("Fri 20:00-24:00; Sat 00:00-06:00").longest_minutes() == 10 * 60


def test_the_longest_stretch_runs_from_sunday_into_monday() -> None:
    # Sunday 12:00-24:00 (12 h) touches Monday 00:00-03:00 (3 h).
    assert parse_opening("Sun 12:00-24:00; Mon 00:00-03:00").longest_minutes() == 15 * 60


@pytest.mark.parametrize(
    ("text", "raster", "minutes"),
    [
        # From 08:30 on is left of 08:10-09:00; from 23:30 on, over midnight, of Friday 23:10 to Saturday 01:00.
        ("Mon 08:10-09:00", 30, 30),
        ("Fri 23:10-24:00; Sat 00:00-01:00", 30, 90),
        ("Mon 08:00-09:00", 30, 60),
        # No whole hour lies in it.
        ("Mon 08:10-08:50", 60, 0),
    ],
)
def test_a_stretch_counts_from_its_first_minute_on_the_raster(text: str, raster: int, minutes: int) -> None:
    assert parse_opening(text).longest_minutes(raster) == minutes


def test_a_morning_in_vietnam_is_seven_hours_earlier_in_utc() -> None:
    week = Span(utc(23, 0), utc(30, 0))
    spans = open_spans(parse_opening("Mon,Wed 08:00-12:00"), week, SAIGON)
    assert spans == [Span(utc(23, 1), utc(23, 5)), Span(utc(25, 1), utc(25, 5))]


def test_hours_are_cut_at_the_borders_of_the_span() -> None:
    # Open 01:00Z to 11:00Z; asked from 03:30Z to 05:15Z.
    asked = Span(utc(23, 3, 30), utc(23, 5, 15))
    assert open_spans(parse_opening("Mon-Fri 08:00-18:00"), asked, SAIGON) == [asked]


def test_an_evening_in_utc_is_already_the_next_local_day() -> None:
    # Sunday 22 Nov 18:00Z is Monday 01:00 in Vietnam; Monday opens at 00:00 local, which is 17:00Z on Sunday.
    asked = Span(utc(22, 18), utc(22, 20))
    assert open_spans(parse_opening("Mon 00:00-24:00"), asked, SAIGON) == [asked]
    assert open_spans(parse_opening("Sun 00:00-24:00"), asked, SAIGON) == []


def test_hours_that_touch_at_midnight_are_one_span() -> None:
    asked = Span(utc(23, 0), utc(26, 0))
    assert open_spans(parse_opening("daily 00:00-24:00"), asked, SAIGON) == [asked]


def test_a_closed_date_closes_the_whole_local_day() -> None:
    # 24 Nov local runs from 23 Nov 17:00Z to 24 Nov 17:00Z.
    asked = Span(utc(23, 0), utc(26, 0))
    spans = open_spans(parse_opening("daily 00:00-24:00"), asked, SAIGON, [date(2026, 11, 24)])
    assert spans == [Span(utc(23, 0), utc(23, 17)), Span(utc(24, 17), utc(26, 0))]


def test_closing_at_24_is_the_next_midnight() -> None:
    # Monday 20:00-24:00 local is 13:00Z to 17:00Z.
    spans = open_spans(parse_opening("Mon 20:00-24:00"), Span(utc(23, 0), utc(24, 0)), SAIGON)
    assert spans == [Span(utc(23, 13), utc(23, 17))]


def test_never_open_gives_no_span() -> None:
    assert open_spans(OpeningHours(), Span(utc(1, 0), utc(30, 0)), SAIGON) == []


def test_a_day_of_clock_change_opens_what_is_left_of_it() -> None:
    # Berlin, 29 March 2026: 02:00 becomes 03:00, so the day has 23 hours: from 28 March 23:00Z to 29 March 22:00Z.
    asked = Span(utc(28, 12, month=3), utc(30, 12, month=3))
    spans = open_spans(parse_opening("Sun 00:00-24:00"), asked, "Europe/Berlin")
    assert spans == [Span(utc(28, 23, month=3), utc(29, 22, month=3))]


def test_an_hour_that_the_clock_skips_does_not_open() -> None:
    asked = Span(utc(28, 12, month=3), utc(30, 12, month=3))
    assert open_spans(parse_opening("Sun 02:00-03:00"), asked, "Europe/Berlin") == []


@st.composite
def weeks(draw: st.DrawFn) -> OpeningHours:
    """Weeks in canonical form: an even number of strictly rising minutes never touches or overlaps."""
    days: list[tuple[tuple[int, int], ...]] = []
    for _ in range(7):
        count = draw(st.integers(0, 3))
        edges = st.lists(st.integers(0, DAY_MINUTES), min_size=2 * count, max_size=2 * count, unique=True)
        cuts = sorted(draw(edges))
        days.append(tuple(zip(cuts[::2], cuts[1::2], strict=True)))
    return OpeningHours(tuple(days))


@given(weeks())
def test_reading_what_was_written_gives_the_same_hours(opening: OpeningHours) -> None:
    assert parse_opening(format_opening(opening)) == opening


@given(weeks(), st.integers(0, WEEK_MINUTES))
def test_any_week_without_closures_opens_the_weeks_minutes(opening: OpeningHours, offset: int) -> None:
    start = utc(1, 0) + timedelta(minutes=offset)
    asked = Span(start, start + timedelta(days=7))
    spans = open_spans(opening, asked, SAIGON)
    assert total_minutes(spans) == opening.week_minutes
    assert all(earlier.end < later.start for earlier, later in pairwise(spans))
