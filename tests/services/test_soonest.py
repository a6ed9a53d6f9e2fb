"""A search that looks at few of very many instruments finds what a search finds that looks at all of them."""

from __future__ import annotations

from datetime import date, datetime
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa

from labshare.domain.agreements import Scope, Version
from labshare.domain.booking_rules import Advance, CutOff, DatedHours, ScopeKind
from labshare.domain.booking_rules import Scope as RuleScope
from labshare.domain.courtesy import Courtesy
from labshare.domain.timespan import MINUTE, Span
from labshare.services import booking_rules, free_times
from labshare.services.free_times import FreeTimes, Sought
from labshare.store import agreements, qualifications
from labshare.store import bookings as store
from labshare.store import tables as t
from labshare.store.engine import Connection, Database
from tests.domain.test_agreements import an_agreement
from tests.furniture import (
    ADMINISTRATOR,
    COLLEAGUE,
    NOW,
    RESEARCHER,
    a_booking,
    actor,
    add_instrument,
    at,
    counted,
    furnish,
)

WEDNESDAY, SATURDAY = date(2026, 11, 25), date(2026, 11, 28)
DATES = tuple(date(2026, 11, day) for day in range(24, 30))
FIRST, MANY = 100, 40
LAST = f"N{FIRST + MANY - 1}"
OPENINGS = (
    "Mon-Fri 08:00-18:00", "daily 00:00-24:00", "Mon-Fri 07:30-11:30,13:00-17:00", "Fri-Sat 06:00-22:00",
    "Wed 13:00-15:00",
)  # fmt: skip


def _large_house(db: Connection, chance: Random) -> None:
    """Instruments of many hours, lengths and demands, most of them taken in the first mornings; rules of the centre
    that close and open single dates, and an agreement that asks for longer uses than many of them would.
    """
    furnish(db)
    openings = chance.sample(OPENINGS, 3)
    for number in range(FIRST, FIRST + MANY):
        lengths: dict[str, Any] = chance.choice(
            ({}, {"min_minutes": 240}, {"max_minutes": 90}, {"granularity_minutes": 60, "min_minutes": 60})
        )
        hours = {"opening": chance.choice(openings), "spans_closed_hours": chance.random() < 0.2}
        demand = {"qualification": "licence" if chance.random() < 0.3 else ""}
        advance = {"advance_days": chance.choice((2, 4, 60))}
        centre = chance.choice(("C-ONE", "C-TWO"))
        add_instrument(db, number, centre, "XRD", attended=False, **lengths, **hours, **demand, **advance)
        if demand["qualification"] and chance.random() < 0.5:
            qualifications.put(db, RESEARCHER, number, level=1, until=None, by=COLLEAGUE, now=NOW)
        for day in range(24, 24 + chance.randrange(5)):
            span = Span(at(day, 0), at(day, 0) + chance.choice((480, 600, 840, 1440)) * MINUTE)
            store.add(db, [a_booking(number, span, person_id=COLLEAGUE, attended=False)])
    rules = (
        (RuleScope(ScopeKind.INSTRUMENT, f"N{FIRST + 3}"), DatedHours(name="Early", first=DATES[0], last=SATURDAY,
                                                                     hours="05:00-09:00")),
        (RuleScope(ScopeKind.INSTRUMENT, f"N{FIRST + 7}"), DatedHours(name="Shut", first=DATES[0], last=SATURDAY)),
        (RuleScope(ScopeKind.CENTRE, "C-TWO"), chance.choice((CutOff(hours=30), Advance(days=3)))),
    )  # fmt: skip
    for scope, rule in rules:
        booking_rules.post(db, actor(ADMINISTRATOR), scope, rule, NOW)
    _asks_for(db, 300, Scope(centres=("C-ONE",)), since=date(2026, 11, 26))


def _asks_for(db: Connection, minutes: int, covered: Scope, since: date = date(2026, 1, 1)) -> None:
    """An agreement on whose instruments no use is shorter."""
    longer = an_agreement(
        courtesy=Courtesy(least_minutes=minutes), covered=covered, parties=("I-IMS",), effective_from=since
    )
    agreements.add_version(db, Version(number=1, agreement=longer), actor_id=None, now=NOW)


def _looked(db: Connection, sought: Sought) -> FreeTimes:
    return free_times.find(db, actor(RESEARCHER), sought, NOW)


@pytest.mark.parametrize("seed", range(4))
def test_few_are_looked_at_and_what_is_found_is_the_same(
    database: Database, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = Random(seed)
    searches = [
        Sought(minutes=minutes, dates=DATES[first:], everyone=everyone, since=since, until=until)
        for minutes in (30, 240)
        for first, everyone, since, until in ((0, False, 0, None), (2, True, 0, None), (1, False, 540, 1080))
    ]
    with database.write() as db:
        _large_house(db, chance)
    with database.read() as db:
        for most in (1, 5):
            monkeypatch.setattr(free_times, "MOST_INSTRUMENTS", most)
            for sought in searches:
                monkeypatch.setattr(free_times, "MANY", MANY + 3)
                whole = _looked(db, sought)
                monkeypatch.setattr(free_times, "MANY", 1)
                monkeypatch.setattr(free_times, "BATCH", 1)
                few = _looked(db, sought)
                assert (few.days, few.instruments) == (whole.days, whole.instruments), (most, sought)
                # The rest may be free or not, and none that is free is forgotten.
                assert few.others >= whole.others


def test_what_is_open_and_free_first_is_enough(house: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """All 43 open at eight, and the researcher may use N001 too: the first twenty by their codes are shown."""
    monkeypatch.setattr(free_times, "MANY", 30)
    monkeypatch.setattr(free_times, "BATCH", 30)
    with house.read() as db, counted(house.engine) as statements:
        found = _looked(db, Sought(minutes=60, dates=(WEDNESDAY,)))
    codes = [row.place.id for day in found.days for row in day.rows]
    assert codes == ["N001", "N002", "N003", *(f"N{number:03}" for number in range(FIRST, FIRST + 17))]
    assert (found.instruments, found.others) == (20, MANY + 3 - 20)
    assert len(statements) <= 13


def test_hours_of_a_single_date_may_open_one_before_all_others(
    house: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = DatedHours(name="Early", first=WEDNESDAY, last=WEDNESDAY, hours="05:00-09:00")
    with house.write() as db:
        booking_rules.post(db, actor(ADMINISTRATOR), RuleScope(ScopeKind.INSTRUMENT, LAST), early, NOW)
    assert _first_of_many(house, monkeypatch) == (LAST, at(25, 5))


def test_where_a_use_may_span_closed_hours_a_longer_one_may_begin_before_a_shorter(
    house: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour from 7:00 would end when it is closed; the five and a half that the agreement asks for do not."""
    hours = {"opening": "Mon-Fri 07:00-07:30,12:00-17:00", "spans_closed_hours": True}
    with house.write() as db:
        db.execute(sa.update(t.instruments).where(t.instruments.c.id == LAST).values(hours))
        _asks_for(db, 330, Scope(instruments=(LAST,)))
    assert _first_of_many(house, monkeypatch) == (LAST, at(25, 7))


def _first_of_many(house: Database, monkeypatch: pytest.MonkeyPatch) -> tuple[str, datetime]:
    monkeypatch.setattr(free_times, "MANY", 30)
    monkeypatch.setattr(free_times, "BATCH", 30)
    with house.read() as db:
        (day,) = _looked(db, Sought(minutes=60, dates=(WEDNESDAY,))).days
    first = min(day.rows, key=lambda row: row.spans[0])
    return first.place.id, first.spans[0].start


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish(db)
        for number in range(FIRST, FIRST + MANY):
            add_instrument(db, number, "C-TWO", "NMR")
    return database
