"""R20: nobody takes all of the best hours. R21: who does not come pays, and after three times waits."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labshare.domain.courtesy import (
    Courtesy,
    Excess,
    Penalties,
    Per,
    PrimeTime,
    blocked_until,
    cut,
    excesses,
    is_late_notice,
    is_no_show,
    lately,
    no_show_charge,
    weeks_around,
)
from labshare.domain.timespan import Span
from tests.domain.clauses import whole

ZONE = "Asia/Ho_Chi_Minh"


def local(day: int, hour: int, minute: int = 0) -> datetime:
    """November 2026 in Ho Chi Minh City, UTC+7. The 25th is a Wednesday."""
    return datetime(2026, 11, day, tzinfo=UTC) + timedelta(hours=hour - 7, minutes=minute)


def span(day: int, start: int, end: int) -> Span:
    return Span(local(day, start), local(day, end))


def courtesy() -> Courtesy:
    found = whole().courtesy
    assert found is not None
    return found


def prime(**changes: object) -> PrimeTime:
    found = courtesy().prime
    assert found is not None
    return msgspec.structs.replace(found, **changes)


def penalties() -> Penalties:
    found = courtesy().penalties
    assert found is not None
    return found


# ---------------------------------------------------------------- R20


def test_six_hours_from_nine_on_a_weekday_are_cut_to_five() -> None:
    """R20: 09:00-15:00 is 6 h of prime time, 5 h are allowed: until 14:00."""
    wish = span(25, 9, 15)
    assert cut(prime(), wish, [], ZONE) == span(25, 9, 14)
    assert excesses(prime(), wish, [], ZONE) == [Excess(per=Per.DAY, limit=300, taken=0, wished=360)]


def test_six_hours_from_seven_in_the_evening_are_allowed() -> None:
    """R20: 19:00-01:00 has no prime time."""
    wish = span(25, 19, 25)
    assert cut(prime(), wish, [], ZONE) == wish
    assert excesses(prime(), wish, [], ZONE) == []


@pytest.mark.parametrize("wish", [span(28, 9, 15), span(24, 9, 15)], ids=["Saturday", "a public holiday"])
def test_weekends_and_holidays_have_no_prime_time(wish: Span) -> None:
    assert excesses(prime(), wish, [], ZONE, {date(2026, 11, 24)}) == []


def test_what_a_person_has_that_day_counts() -> None:
    """Taken are 14:00-16:00 and, of 17:00-21:00, the hour until 18:00: 3 h; 2 h are left from 09:00."""
    others = [span(25, 14, 16), span(25, 17, 21)]
    assert cut(prime(), span(25, 9, 12), others, ZONE) == span(25, 9, 11)
    assert excesses(prime(), span(25, 9, 12), others, ZONE) == [Excess(per=Per.DAY, limit=300, taken=180, wished=180)]
    assert excesses(prime(), span(25, 9, 11), others, ZONE) == []


def test_a_wish_that_begins_before_the_best_hours_keeps_its_beginning() -> None:
    assert cut(prime(), span(25, 6, 18), [], ZONE) == span(25, 6, 13)


def test_a_person_who_has_it_all_gets_nothing_more() -> None:
    assert cut(prime(), span(25, 15, 16), [span(25, 8, 14)], ZONE) is None


def test_each_day_of_a_long_wish_has_its_own_limit() -> None:
    """16:00 Wednesday to 11:00 Thursday: two hours and three, neither above five; until 15:00 it would be seven."""
    assert excesses(prime(), Span(local(25, 16), local(26, 11)), [], ZONE) == []
    long = Span(local(25, 16), local(26, 15))
    assert excesses(prime(), long, [], ZONE) == [Excess(per=Per.DAY, limit=300, taken=0, wished=420)]
    assert cut(prime(), long, [], ZONE) == Span(local(25, 16), local(26, 13))


def test_a_week_may_have_a_limit_too() -> None:
    """Eight hours a week; six are taken on Monday and Thursday, so two of Friday's three are left."""
    weekly = prime(week_minutes=480)
    others = [span(23, 9, 12), span(26, 9, 12), span(30, 9, 14)]
    assert excesses(weekly, span(27, 9, 12), others, ZONE) == [Excess(per=Per.WEEK, limit=480, taken=360, wished=180)]
    assert cut(weekly, span(27, 9, 12), others, ZONE) == span(27, 9, 11)


def test_the_weeks_around_a_wish_begin_on_monday() -> None:
    assert weeks_around(span(25, 9, 10), ZONE) == Span(local(23, 0), local(30, 0))
    assert weeks_around(Span(local(29, 20), local(30, 8)), ZONE) == Span(local(23, 0), local(30, 0) + timedelta(days=7))


def stretch(start: int, length: int) -> Span:
    """So many hours after Monday's midnight, so many hours long."""
    return Span(local(23, start), local(23, start + length))


spans = st.builds(stretch, st.integers(0, 24 * 5), st.integers(1, 40))


@given(spans, st.lists(spans, max_size=3))
def test_what_is_cut_keeps_the_limit_and_an_hour_more_would_not(wish: Span, others: list[Span]) -> None:
    weekly = prime(week_minutes=720)
    kept = cut(weekly, wish, others, ZONE)
    # Somebody whose others are over already has an excess with any prime time at all.
    if kept is not None:
        assert excesses(weekly, kept, others, ZONE) == []
    if kept != wish:
        longer = Span(wish.start, (kept.end if kept else wish.start) + timedelta(minutes=1))
        assert excesses(weekly, longer, others, ZONE) != []


def test_notice_is_asked_for_a_day_ahead() -> None:
    """R20: 24 h. At 09:00 the day before it is in time, a minute later it is not."""
    starts_at = local(26, 9)
    assert not is_late_notice(courtesy(), starts_at, local(25, 9))
    assert is_late_notice(courtesy(), starts_at, local(25, 9, 1))
    assert not is_late_notice(Courtesy(), starts_at, starts_at)


# ---------------------------------------------------------------- R21


def test_a_no_show_pays_in_full() -> None:
    """R21: 4 h at 2.4 m VND are 9.6 m, charged whole; at a third they would be 3.2 m."""
    assert no_show_charge(penalties(), 4 * 2_400_000) == 9_600_000
    assert no_show_charge(Penalties(no_show_charge=Fraction(1, 3)), 9_600_000) == 3_200_000


@pytest.mark.parametrize(
    ("came_at", "now", "is_missed"),
    [
        (None, local(25, 9, 30), False),
        (None, local(25, 9, 31), True),
        (local(25, 9, 30), local(25, 12), False),
        (local(25, 9, 31), local(25, 12), True),
    ],
)
def test_half_an_hour_late_is_not_to_come(came_at: datetime | None, now: datetime, *, is_missed: bool) -> None:
    assert is_no_show(penalties(), local(25, 9), came_at, now) is is_missed


def day(number: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)


def test_the_third_strike_bars_for_a_fortnight() -> None:
    """R21: strikes on days 0, 40 and 80 lie within 90 days; from the last of them it is 14 days, to day 94."""
    struck = [day(80), day(0), day(40)]
    assert blocked_until(penalties(), struck[1:], day(81)) is None
    assert blocked_until(penalties(), struck, day(79)) is None
    assert blocked_until(penalties(), struck, day(80)) == day(94)
    assert blocked_until(penalties(), struck, day(93)) == day(94)
    assert blocked_until(penalties(), struck, day(94)) is None


def test_a_strike_is_forgotten_after_ninety_days() -> None:
    assert blocked_until(penalties(), [day(0), day(40), day(90)], day(90)) is None
    # A fourth on day 100 makes three within 60 days.
    assert blocked_until(penalties(), [day(0), day(40), day(90), day(100)], day(100)) == day(114)
    assert lately(penalties(), [day(95), day(40), day(0)], day(90)) == [day(40)]
