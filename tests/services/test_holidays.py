"""The public holidays of Vietnam, as they stand in the decrees."""

from __future__ import annotations

from datetime import date

from labshare.services.holidays import closed_around, closed_dates


def test_the_fixed_days_of_a_year_are_closed() -> None:
    year = closed_dates(date(2027, 1, 1), date(2027, 12, 31))
    # New Year, reunification, labour day, the two national days.
    assert {date(2027, 1, 1), date(2027, 4, 30), date(2027, 5, 1), date(2027, 9, 2)} <= year


def test_tet_follows_the_moon() -> None:
    # The first day of the lunar year was 17 February 2026 and is 6 February 2027.
    assert date(2026, 2, 17) in closed_dates(date(2026, 2, 1), date(2026, 2, 28))
    assert date(2027, 2, 6) in closed_dates(date(2027, 2, 1), date(2027, 2, 28))
    assert date(2027, 2, 17) not in closed_dates(date(2027, 2, 1), date(2027, 2, 28))


def test_both_ends_of_a_range_are_in_it_and_years_are_joined() -> None:
    assert date(2027, 1, 1) in closed_dates(date(2026, 12, 20), date(2027, 1, 1))
    assert date(2027, 1, 1) not in closed_dates(date(2026, 12, 20), date(2026, 12, 31))
    assert closed_dates(date(2026, 11, 26), date(2026, 11, 27)) == frozenset()


def test_a_span_in_another_zone_sees_the_days_beside_it() -> None:
    assert closed_around(date(2026, 12, 31), date(2026, 12, 31)) == {date(2027, 1, 1)}
