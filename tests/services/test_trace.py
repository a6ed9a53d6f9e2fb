"""Half a year of a busy house, request by request: every answer is that of first come, first served.

The trace is made up to look like the use of real instruments: people ask some days ahead, most for one to four hours,
mornings before evenings, some give their time back, some move. The oracle beside it is a list of intervals for each
instrument. Both databases.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa

from labshare.domain.bookings import Wish
from labshare.domain.opening import open_spans, parse_opening
from labshare.domain.timespan import MINUTE, Span
from labshare.errors import TimeTaken
from labshare.services import bookings
from labshare.services.calendars import closed_dates_over
from labshare.store import tables as t
from labshare.store.engine import Database
from tests.furniture import (
    COLLEAGUE,
    COMPETITOR,
    FESEM,
    INDUSTRY_PROJECT,
    NMR,
    NOW,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    actor,
    furnish,
)

HALF_HOUR = 30 * MINUTE
PAYS = {RESEARCHER: PUBLIC_PROJECT, COLLEAGUE: PUBLIC_PROJECT, COMPETITOR: INDUSTRY_PROJECT}
# In minutes: the NMR is cleaned after each use.
AFTER = {FESEM: 0, XRD: 0, NMR: 30}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody asks for time, or (with `turn`) gives back or moves what they were given at that turn."""

    person: UUID
    instrument: int
    times: Span
    turn: int | None = None
    moves: bool = False


def trace(weeks: int, each_day: int, seed: int) -> Iterator[tuple[int, Asked]]:
    """What is asked, with the day on which it is, counted from `NOW`."""
    dice = random.Random(seed)
    opening = parse_opening("Mon-Fri 08:00-18:00")
    whole = Span(NOW, NOW + timedelta(weeks=weeks + 9))
    days = open_spans(opening, whole, "Asia/Ho_Chi_Minh", closed_dates_over(whole))
    turn = 0
    for day in range(weeks * 7):
        ahead = [each for each in days if each.start > NOW + timedelta(days=day + 1)]
        for _ in range(each_day):
            on = ahead[min(int(dice.expovariate(1 / 4)), 30)]
            # Mornings are taken first.
            start = on.start + min(int(dice.triangular(0, 19, 4)), 18) * HALF_HOUR
            end = min(start + dice.choice((1, 2, 2, 4, 4, 4, 6, 8)) * HALF_HOUR, on.end)
            person, instrument = dice.choice(list(PAYS)), dice.choice((FESEM, FESEM, FESEM, XRD, XRD, NMR))
            chance = dice.random()
            asked = Asked(person=person, instrument=instrument, times=Span(start, end))
            if chance < 0.16 and turn:
                earlier = dice.randrange(max(0, turn - 60), turn)
                asked = msgspec.structs.replace(asked, turn=earlier, moves=chance < 0.06)
            yield day, asked
            turn += 1


class Oracle:
    """First come, first served: the intervals that stand, by instrument and turn."""

    def __init__(self) -> None:
        self.held: dict[int, dict[int, Span]] = {number: {} for number in AFTER}

    def gives(self, instrument: int, times: Span, turn: int) -> bool:
        occupied = Span(times.start, times.end + AFTER[instrument] * MINUTE)
        mine = self.held[instrument]
        if any(held.overlaps(occupied) for key, held in mine.items() if key != turn):
            return False
        mine[turn] = occupied
        return True


@pytest.mark.parametrize(
    ("weeks", "each_day"), [(3, 6), pytest.param(26, 14, marks=pytest.mark.slow)], ids=["some weeks", "half a year"]
)
def test_every_answer_is_that_of_first_come_first_served(database: Database, weeks: int, each_day: int) -> None:
    with database.write() as db:
        furnish(db)
        # Nobody stands beside an instrument here: where people are is another rule (test_booking_machine.py).
        db.execute(sa.update(t.instruments).values(attended=False))
    oracle, made, told = Oracle(), dict[int, tuple[UUID, Asked]](), {True: 0, False: 0}
    for turn, (day, asked) in enumerate(trace(weeks, each_day, seed=20261129)):
        now = NOW + timedelta(days=day)
        if asked.turn is not None:
            earlier = made.get(asked.turn)
            if earlier is not None and earlier[1].times.start > now:
                told[_changes(database, oracle, made, asked, now)] += 1
            continue
        expected = oracle.gives(asked.instrument, asked.times, turn)
        wish = Wish(instrument_number=asked.instrument, span=asked.times, project_id=PAYS[asked.person])
        told[expected] += 1
        if not expected:
            with pytest.raises(TimeTaken), database.write() as db:
                bookings.book(db, actor(asked.person), wish, now)
            continue
        with database.write() as db:
            made[turn] = bookings.book(db, actor(asked.person), wish, now).id, asked
    # A trace in which nobody is refused, or everybody, would prove nothing.
    assert min(told.values()) > sum(told.values()) / 8
    with database.read() as db:
        standing = db.execute(sa.select(sa.func.count()).where(t.bookings.c.state == "confirmed")).scalar_one()
    assert standing == len(made) == sum(map(len, oracle.held.values()))


def _changes(
    database: Database, oracle: Oracle, made: dict[int, tuple[UUID, Asked]], asked: Asked, now: datetime
) -> bool:
    """Give back, or move within the same instrument, what was given; whether that was granted."""
    assert asked.turn is not None
    booking_id, before = made[asked.turn]
    me = actor(before.person)
    with database.read() as db:
        booking = bookings.show(db, me, booking_id).booking
    if not asked.moves:
        with database.write() as db:
            bookings.cancel(db, me, booking_id, seen_version=booking.version, now=now)
        del made[asked.turn], oracle.held[before.instrument][asked.turn]
        return True
    if not oracle.gives(before.instrument, asked.times, asked.turn):
        with pytest.raises(TimeTaken), database.write() as db:
            bookings.move(db, me, booking_id, asked.times, seen_version=booking.version, now=now)
        return False
    with database.write() as db:
        bookings.move(db, me, booking_id, asked.times, seen_version=booking.version, now=now)
    made[asked.turn] = booking_id, msgspec.structs.replace(before, times=asked.times)
    return True
