"""Rules of repeating, read, written and expanded; every expected date is from a paper calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labshare.domain.series import MOST, Frequency, Repeat, from_rrule, occurrences, shifted, to_rrule
from labshare.domain.timespan import Span
from labshare.errors import Malformed

HANOI, BERLIN = "Asia/Ho_Chi_Minh", "Europe/Berlin"
# Tuesday 24 November 2026, 09:00-11:00 in Hanoi.
FIRST = Span(datetime(2026, 11, 24, 2, tzinfo=UTC), datetime(2026, 11, 24, 4, tzinfo=UTC))


def repeat(frequency: str = "weekly", **values: Any) -> Repeat:
    given: dict[str, Any] = {"frequency": Frequency(frequency), "count": 3}
    return Repeat(**(given | values))


def until(last: date, frequency: str = "weekly") -> Repeat:
    return Repeat(frequency=Frequency(frequency), until=last)


def days(rule: Repeat, first: Span = FIRST, zone: str = HANOI) -> list[str]:
    return [f"{span.start:%m-%d %H:%M}" for span in occurrences(rule, first, zone)]


def at(*moment: int) -> Span:
    start = datetime(*moment, tzinfo=UTC)  # type: ignore[arg-type]  a year, a month and so on
    return Span(start, start + timedelta(hours=2))


def test_every_tuesday_until_a_day_that_is_included() -> None:
    """1 and 8 December are Tuesdays; 9:00 in Hanoi is 2:00 UTC."""
    assert days(until(date(2026, 12, 8))) == ["11-24 02:00", "12-01 02:00", "12-08 02:00"]
    assert days(until(date(2026, 12, 7))) == ["11-24 02:00", "12-01 02:00"]


def test_every_second_week_on_two_days() -> None:
    """From Tuesday on: Tuesday 24 and Thursday 26 November, then the week of 7 December."""
    assert days(repeat(weekdays=(1, 3), interval=2, count=4)) == [
        "11-24 02:00", "11-26 02:00", "12-08 02:00", "12-10 02:00",
    ]  # fmt: skip


def test_the_first_day_is_none_of_the_weekdays() -> None:
    assert days(repeat(weekdays=(0,), count=2)) == ["11-30 02:00", "12-07 02:00"]


def test_a_day_that_a_month_does_not_have_is_skipped() -> None:
    """From 31 January 2027: neither February nor April has a 31st."""
    assert days(repeat("monthly"), at(2027, 1, 31, 2)) == ["01-31 02:00", "03-31 02:00", "05-31 02:00"]


def test_the_clock_on_the_wall_is_kept_over_a_change_of_summer_time() -> None:
    """Berlin leaves UTC+1 for UTC+2 on Sunday 28 March 2027: 9:00 is 8:00 UTC on Saturday and 7:00 on Sunday."""
    assert days(repeat("daily", count=2), at(2027, 3, 27, 8), BERLIN) == ["03-27 08:00", "03-28 07:00"]


def test_an_hour_that_a_day_does_not_have_is_the_one_after_it() -> None:
    """2:30 in Berlin does not exist on 28 March 2027; by RFC 5545 it is read at the old offset: 1:30 UTC."""
    found = occurrences(repeat("daily", count=2), at(2027, 3, 27, 1, 30), BERLIN)
    assert [span.start.hour for span in found] == [1, 1]
    assert [span.minutes for span in found] == [120, 120]


def test_a_local_day_decides_even_where_utc_is_on_another() -> None:
    """Tuesday 06:00 in Hanoi is Monday 23:00 UTC."""
    assert days(repeat(weekdays=(1,), count=2), at(2026, 11, 23, 23)) == ["11-23 23:00", "11-30 23:00"]


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (lambda: repeat(count=None), "repeat_end"),
        (lambda: repeat(until=date(2026, 12, 1)), "repeat_end"),
        (lambda: repeat(count=MOST + 1), "repeat_too_many"),
        (lambda: repeat(count=0), "repeat_too_many"),
        (lambda: repeat(interval=0), "repeat_interval"),
        (lambda: repeat("daily", weekdays=(1,)), "repeat_weekdays"),
        # 101 days from 24 November on end on 4 March.
        (lambda: days(until(date(2027, 3, 4), "daily")), "repeat_too_many"),
        # The 53rd week after the first one begins 371 days later.
        (lambda: days(repeat(count=54)), "repeat_too_long"),
        (lambda: days(until(date(2026, 11, 23))), "repeat_nothing"),
        (lambda: days(repeat("daily"), Span(FIRST.start, FIRST.start + timedelta(hours=25))), "repeat_overlaps"),
    ],
)
def test_what_has_no_end_or_no_measure_is_refused(rule: Any, code: str) -> None:
    with pytest.raises(Malformed) as refused:
        rule()
    assert refused.value.code == code


def test_the_bounds_themselves_are_within() -> None:
    # 100 days from 24 November on end on 3 March; 366 days after it is 25 November 2027.
    assert len(days(until(date(2027, 3, 3), "daily"))) == MOST
    assert len(days(repeat(count=53))) == 53


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("FREQ=WEEKLY;COUNT=3", repeat()),
        ("RRULE:FREQ=DAILY;INTERVAL=2;COUNT=3", repeat("daily", interval=2)),
        ("freq=weekly;byday=th,tu;count=3", repeat(weekdays=(1, 3))),
        ("FREQ=MONTHLY;UNTIL=20270331", until(date(2027, 3, 31), "monthly")),
        # 16:59:59 UTC is the last second of 31 March in Hanoi.
        ("FREQ=WEEKLY;UNTIL=20270331T165959Z", until(date(2027, 3, 31))),
        # 9:00 in Hanoi exactly is still in time, a second before it is not.
        ("FREQ=WEEKLY;UNTIL=20270331T020000Z", until(date(2027, 3, 31))),
        ("FREQ=WEEKLY;UNTIL=20270331T015959Z", until(date(2027, 3, 30))),
    ],
)
def test_an_rrule_is_read(text: str, rule: Repeat) -> None:
    assert from_rrule(text, FIRST.start, HANOI) == rule


@pytest.mark.parametrize(
    ("text", "code", "part"),
    [
        ("FREQ=WEEKLY;COUNT=3;BYMONTH=1", "rrule_part", "BYMONTH"),
        ("FREQ=WEEKLY;COUNT=3;", "rrule_part", ""),
        ("", "rrule_part", ""),
        ("COUNT=3", "rrule_value", "FREQ"),
        ("FREQ=YEARLY;COUNT=3", "rrule_value", "FREQ"),
        ("FREQ=DAILY;FREQ=DAILY;COUNT=3", "rrule_value", "FREQ"),
        ("FREQ=WEEKLY;BYDAY=2TU;COUNT=3", "rrule_value", "BYDAY"),
        ("FREQ=WEEKLY;COUNT=-1", "rrule_value", "COUNT"),
        ("FREQ=WEEKLY;COUNT=٣", "rrule_value", "COUNT"),
        ("FREQ=WEEKLY;INTERVAL=;COUNT=3", "rrule_value", "INTERVAL"),
        ("FREQ=WEEKLY;UNTIL=20270231", "rrule_value", "UNTIL"),
        ("FREQ=WEEKLY;UNTIL=20270331T120000", "rrule_value", "UNTIL"),
        ("FREQ=WEEKLY;UNTIL=00010101T000000Z", "rrule_value", "UNTIL"),
    ],
)
def test_an_rrule_that_means_more_than_we_keep_is_refused(text: str, code: str, part: str) -> None:
    with pytest.raises(Malformed) as refused:
        from_rrule(text, FIRST.start, HANOI)
    assert (refused.value.code, refused.value.params["part"]) == (code, part)


def test_an_rrule_is_written_as_rfc_5545_asks() -> None:
    assert to_rrule(repeat(weekdays=(1, 3), interval=2), HANOI) == "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH;COUNT=3"
    assert to_rrule(until(date(2027, 3, 31), "daily"), HANOI) == "FREQ=DAILY;UNTIL=20270331T165959Z"


@given(
    st.sampled_from(Frequency),
    st.integers(1, 99),
    st.frozensets(st.integers(0, 6)),
    st.one_of(st.integers(1, MOST), st.dates(date(2026, 11, 24), date(2027, 11, 24))),
    st.sampled_from((HANOI, BERLIN)),
)
def test_what_is_written_is_read_again(
    frequency: Frequency, interval: int, weekdays: frozenset[int], end: int | date, zone: str
) -> None:
    rule = Repeat(
        frequency=frequency,
        interval=interval,
        weekdays=tuple(sorted(weekdays)) if frequency is Frequency.WEEKLY else (),
        until=end if isinstance(end, date) else None,
        count=end if isinstance(end, int) else None,
    )
    assert from_rrule(to_rrule(rule, zone), FIRST.start, zone) == rule


def test_all_move_by_the_same_time_on_the_wall_clock_and_keep_their_own_lengths() -> None:
    """From 9:00-11:00 to the next day 10:00-11:00 in Berlin: a day and an hour later, an hour shorter.

    Saturday 27 March 9:00 is 8:00 UTC and becomes Sunday 10:00, in summer time 8:00 UTC; the other is 9:00 a week
    later, 7:00 UTC, and becomes 10:00, 8:00 UTC.
    """
    anchor, longer = at(2027, 3, 27, 8), Span(datetime(2027, 4, 3, 7, tzinfo=UTC), datetime(2027, 4, 3, 10, tzinfo=UTC))
    to = Span(datetime(2027, 3, 28, 8, tzinfo=UTC), datetime(2027, 3, 28, 9, tzinfo=UTC))
    assert shifted([anchor, longer], anchor, to, BERLIN) == (
        to, Span(datetime(2027, 4, 4, 8, tzinfo=UTC), datetime(2027, 4, 4, 10, tzinfo=UTC)),
    )  # fmt: skip


def test_nothing_can_be_moved_to_no_length() -> None:
    short = Span(FIRST.start, FIRST.start + timedelta(minutes=30))
    with pytest.raises(Malformed):
        shifted([short], FIRST, Span(FIRST.start, FIRST.start + timedelta(hours=1)), HANOI)
