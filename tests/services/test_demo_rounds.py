"""When the demo's rounds are: whole ordinary weeks, one after the other. What becomes of them is in test_demo.py."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from labshare.services.demo_rounds import new_rounds, ordinary_monday
from labshare.services.demo_story import RoundStory
from tests.services.demo_cast import NOW

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")


def test_a_week_begins_on_a_monday() -> None:
    assert ordinary_monday(date(2026, 11, 30)) == date(2026, 11, 30)
    assert ordinary_monday(date(2026, 12, 1)) == date(2026, 12, 7)


def test_one_holiday_leaves_a_week_ordinary_and_tet_does_not() -> None:
    # 24 November 2026 is the Day of Culture. The lunar year begins on Saturday 6 February 2027.
    assert ordinary_monday(date(2026, 11, 23)) == date(2026, 11, 23)
    assert ordinary_monday(date(2027, 2, 5)) == date(2027, 2, 15)


def told(code: str, starts_in_days: int, weeks: int = 1) -> RoundStory:
    return RoundStory(
        code=code, title_vi="Một", title_en="One", state="open", starts_in_days=starts_in_days, weeks=weeks,
        opens_in_days=-6, closes_in_days=5, publishes_in_days=8, slot_minutes=30, instruments=("N001", "N002"),
    )  # fmt: skip


def test_a_round_is_counted_from_today_in_local_days() -> None:
    (made,) = new_rounds([told("A", 10)], NOW)
    # Ten days on is Thursday 3 December; its next Monday begins the fiftieth week.
    assert made.code == "A-2026-W50"
    assert made.starts_at.astimezone(HANOI) == datetime(2026, 12, 7, tzinfo=HANOI)
    assert made.ends_at - made.starts_at == timedelta(days=7)
    assert made.opens_at == datetime(2026, 11, 17, 1, 0, tzinfo=UTC)
    assert made.closes_at == datetime(2026, 11, 28, 10, 0, tzinfo=UTC)
    assert made.publishes_at == datetime(2026, 12, 1, 5, 0, tzinfo=UTC)
    assert [(code, span.start) for code, span in made.offers] == [("N001", made.starts_at), ("N002", made.starts_at)]


def test_no_two_rounds_take_the_same_week_even_when_tet_pushes_them_together() -> None:
    before_tet = datetime(2027, 1, 20, 18, 30, tzinfo=UTC)
    first, second = new_rounds([told("A", 10), told("B", 24, weeks=2)], before_tet)
    assert first.starts_at.astimezone(HANOI).date() == date(2027, 2, 15)
    assert second.starts_at == first.ends_at
