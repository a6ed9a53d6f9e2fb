"""Public holidays of Vietnam, on which instruments are closed. The one place that knows where they come from.

The dates, Tet included, are those of the `holidays` library: statutory days with the days off in lieu it knows of.
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache

import holidays


@lru_cache(maxsize=1024)
def closed_dates(first: date, last: date) -> frozenset[date]:
    """Public holidays from `first` to `last`, both included."""
    return frozenset(day for year in range(first.year, last.year + 1) for day in _year(year) if first <= day <= last)


@lru_cache(maxsize=64)
def _year(year: int) -> frozenset[date]:
    days = holidays.country_holidays("VN", years=year)
    # A day off in lieu may fall into the next year; only the year that was asked for is complete.
    return frozenset(day for day in days if day.year == year)


def closed_around(first: date, last: date) -> frozenset[date]:
    """Like `closed_dates`, one day wider on both sides: local dates of a span given in UTC, in whatever zone."""
    return closed_dates(first - timedelta(days=1), last + timedelta(days=1))
