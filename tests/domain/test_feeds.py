"""What a feed shows, and for which days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from labshare.domain.feeds import Feed, horizon
from labshare.domain.timespan import Span


def test_a_feed_looks_60_days_back_and_400_ahead_from_the_day_of_utc() -> None:
    # 60 days before 30 November: 29 to 1 November, 31 more to 1 October. 400 days after it: 365 to 30 November 2027,
    # 31 to 31 December, 4 more to 4 January 2028.
    late = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
    assert horizon(late) == Span(datetime(2026, 10, 1, tzinfo=UTC), datetime(2028, 1, 4, tzinfo=UTC))
    assert horizon(late + timedelta(seconds=1)) != horizon(late)


def test_it_is_the_same_all_day_whatever_the_clock_of_the_caller(now: datetime) -> None:
    assert horizon(now) == horizon(now.replace(hour=23)) == horizon(now.astimezone())


def test_a_feed_without_a_place_is_of_its_owners_bookings(now: datetime) -> None:
    assert Feed(id=UUID(int=1), person_id=UUID(int=2), created_at=now).is_own
    assert not Feed(id=UUID(int=1), person_id=UUID(int=2), instrument_id="N001", created_at=now).is_own
    assert not Feed(id=UUID(int=1), person_id=UUID(int=2), centre_id="C-ONE", created_at=now).is_own
