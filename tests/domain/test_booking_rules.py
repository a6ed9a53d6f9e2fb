"""The booking rules of centres as values: what may be one, what it says, what a use counts under it."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from labshare.domain.booking_rules import (
    KINDS,
    Advance,
    BookingRule,
    Changeover,
    CutOff,
    DatedHours,
    Granularity,
    Holder,
    Length,
    LockWindow,
    MostBookings,
    MostMinutes,
    NeedsOperator,
    NoShows,
    Overnight,
    Posted,
    PrimeLimit,
    Scope,
    ScopeKind,
    ShortNotice,
    WeekHours,
    kind_of,
    measure,
    params_of,
    read,
    told,
)
from labshare.errors import Malformed
from tests.furniture import NOW, span

CENTRE = Scope(ScopeKind.CENTRE, "C-ONE")
EACH: tuple[BookingRule, ...] = (
    MostBookings(holder=Holder.PERSON, most=2, within_days=14),
    MostMinutes(holder=Holder.ORGANISATION, most_minutes=600),
    CutOff(hours=24),
    Advance(days=28),
    LockWindow(hours=12),
    PrimeLimit(hours="Mon-Fri 08:00-18:00", day_minutes=300),
    ShortNotice(hours=6),
    DatedHours(name="Tết", first=date(2027, 2, 5), last=date(2027, 2, 11)),
    WeekHours(hours="Mon-Fri 07:00-19:00"),
    Length(least_minutes=60, most_minutes=240),
    Granularity(minutes=15),
    Changeover(setup_minutes=10, cleanup_minutes=20),
    Overnight(level=2),
    NeedsOperator(),
    NoShows(strikes=3, within_days=90, block_days=14),
)


def posted(rule: BookingRule, scope: Scope = CENTRE, **changes: Any) -> Posted:
    values: dict[str, Any] = {"id": uuid4(), "scope": scope, "rule": rule, "since": NOW}
    return Posted(**(values | changes))


@pytest.mark.parametrize("rule", EACH, ids=kind_of)
def test_a_rule_comes_back_from_its_kind_and_parameters(rule: BookingRule) -> None:
    assert read(kind_of(rule), msgspec.json.decode(msgspec.json.encode(params_of(rule)))) == rule


def test_there_is_an_example_of_every_kind() -> None:
    assert tuple(type(rule) for rule in EACH) == KINDS


@pytest.mark.parametrize(
    ("kind", "params", "field"),
    [
        ("most_bookings", {"holder": "person", "most": 0}, "most"),
        ("most_minutes", {"holder": "person", "most_minutes": -1}, "most_minutes"),
        ("most_bookings", {"holder": "nobody", "most": 1}, "most_bookings"),
        ("cut_off", {"hours": 0}, "hours"),
        ("advance", {"days": 367}, "days"),
        ("lock_window", {"hours": 3000}, "hours"),
        ("prime_limit", {"hours": "Mon-Fri 08:00-18:00"}, "day_minutes"),
        ("prime_limit", {"hours": "", "day_minutes": 60}, "hours"),
        ("dated_hours", {"name": " ", "first": "2027-02-05", "last": "2027-02-05"}, "name"),
        ("dated_hours", {"name": "Tết", "first": "2027-02-06", "last": "2027-02-05"}, "last"),
        ("overnight", {"level": 2, "more": 1}, "overnight"),
        ("week_hours", {"hours": " "}, "hours"),
        ("length", {}, "least_minutes"),
        ("length", {"least_minutes": 0}, "least_minutes"),
        ("length", {"least_minutes": 61, "most_minutes": 60}, "most_minutes"),
        ("granularity", {"minutes": 0}, "minutes"),
        ("granularity", {"minutes": 1441}, "minutes"),
        ("changeover", {}, "setup_minutes"),
        ("changeover", {"cleanup_minutes": -1}, "cleanup_minutes"),
        ("no_shows", {"strikes": 0, "within_days": 90, "block_days": 14}, "strikes"),
        ("no_shows", {"strikes": 3, "within_days": 90}, "no_shows"),
        ("anything", {}, "anything"),
    ],
)
def test_what_makes_no_rule_is_told_with_its_field(kind: str, params: dict[str, Any], field: str) -> None:
    with pytest.raises(Malformed) as caught:
        read(kind, params)
    assert caught.value.params["field"] == field


def test_hours_of_a_date_that_cannot_be_read_are_told() -> None:
    with pytest.raises(Malformed):
        read("dated_hours", {"name": "Tết", "first": "2027-02-05", "last": "2027-02-05", "hours": "8-12"})
    with pytest.raises(Malformed):
        read("week_hours", {"hours": "Mon-Fri 8-12"})


def test_hours_of_a_date_are_told_as_they_were_given() -> None:
    with pytest.raises(Malformed) as caught:
        read("dated_hours", {"name": "Tết", "first": "2027-02-05", "last": "2027-02-05", "hours": "25-26"})
    assert (caught.value.code, caught.value.params) == ("opening_unreadable", {"part": "25-26"})


def test_a_narrower_rule_may_keep_no_time_around_a_use() -> None:
    assert read("changeover", {"setup_minutes": 0}) == Changeover(setup_minutes=0)


def test_a_use_counts_once_or_by_its_minutes_and_not_beyond_the_days_of_the_limit() -> None:
    """NOW is Monday 23, 08:00; two days on is Wednesday 25, 08:00, which is beyond."""
    once = MostBookings(holder=Holder.PERSON, most=1, within_days=2)
    minutes = MostMinutes(holder=Holder.PERSON, most_minutes=60)
    assert [measure(once, span(24, 20, 44), NOW), measure(once, span(25, 8, 10), NOW)] == [1, 0]
    assert measure(minutes, span(25, 8, 10), NOW) == 120


def test_every_sort_of_rule_has_a_key_for_its_sentence() -> None:
    day = date(2027, 2, 6)
    more: tuple[BookingRule, ...] = (
        MostBookings(holder=Holder.TEAM, most=2),
        MostMinutes(holder=Holder.TEAM, most_minutes=60, within_days=7),
        PrimeLimit(hours="daily 08:00-18:00", week_minutes=300),
        PrimeLimit(hours="daily 08:00-18:00", day_minutes=100, week_minutes=300),
        DatedHours(name="Swap", first=day, last=day, hours="08:00-17:00"),
        DatedHours(name="Swap", first=day, last=day),
        DatedHours(name="Swap", first=day, last=date(2027, 2, 7), hours="08:00-17:00"),
        Length(least_minutes=60),
        Length(most_minutes=60),
        Changeover(setup_minutes=0),
        Changeover(cleanup_minutes=15),
    )
    assert [told(rule)[0] for rule in (*EACH, *more)] == [
        "most_bookings_within",
        "most_minutes",
        "cut_off",
        "advance",
        "lock_window",
        "prime_limit_day",
        "short_notice",
        "dated_hours_closed",
        "week_hours",
        "length_least_most",
        "granularity",
        "changeover_setup_cleanup",
        "overnight",
        "needs_operator",
        "no_shows",
        "most_bookings",
        "most_minutes_within",
        "prime_limit_week",
        "prime_limit_day_week",
        "dated_hours_day",
        "dated_hours_closed_day",
        "dated_hours",
        "length_least",
        "length_most",
        "changeover_setup",
        "changeover_cleanup",
    ]
