"""What twenty times more old bookings change: creating one, a board's week, a feed, a search for free time.

Centre One has 40 more instruments with two uses a day from 30 days behind to 30 days ahead. Then come the years before,
with twenty times as many uses by the same people, and everything is measured again. Time is told as well as CPU, as
PostgreSQL works in its server. `make bench` prints a line for each.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import sqlalchemy as sa

from labshare.domain.bookings import Wish
from labshare.domain.registry_search import Search
from labshare.domain.timespan import MINUTE, Span
from labshare.services import bookings, calendars, feeds, free_times
from labshare.services.free_times import Sought
from labshare.store import bookings as store
from labshare.store.engine import Connection, Database
from tests.furniture import COLLEAGUE, FESEM, NOW, PUBLIC_PROJECT, RESEARCHER, a_booking, actor, add_instrument, at
from tests.strict_house import furnish_strictly

INSTRUMENTS, FIRST = 40, 100
NEAR = range(-30, 30)
# Twenty times as many days, the last of them 100 days ago: farther than anything that stands can reach.
OLD = range(-100 - 20 * len(NEAR), -100)
TURNS = 25


def _fill(db: Connection, days: range) -> None:
    for number in range(FIRST, FIRST + INSTRUMENTS):
        new = [
            a_booking(
                number,
                Span(start, start + timedelta(hours=2)),
                person_id=(RESEARCHER, COLLEAGUE)[(number + day) % 2],
                attended=False,
                created_at=start,
                updated_at=start,
            )
            for day in days
            for start in (at(23, 8) + timedelta(days=day), at(23, 14) + timedelta(days=day))
        ]
        store.add(db, new)


def _measured(database: Database, slots: Iterator[Span], secret: str) -> dict[str, tuple[float, float]]:
    """The least CPU and time of some turns of each, in ms."""

    def create() -> None:
        with database.write() as db:
            wish = Wish(instrument_number=FESEM, span=next(slots), project_id=PUBLIC_PROJECT)
            bookings.book(db, actor(RESEARCHER), wish, NOW)

    def board() -> None:
        with database.read() as db:
            calendars.board(db, actor(RESEARCHER), "C-ONE", Span(at(25, 0), at(25, 0) + timedelta(days=7)))

    def feed() -> None:
        with database.read() as db:
            feeds.contents(db, feeds.open_feed(db, secret, NOW), NOW, ())

    def search() -> None:
        with database.read() as db:
            dates = tuple(NOW.date() + timedelta(days=day) for day in range(1, 15))
            sought = Sought(minutes=180, dates=dates, search=Search(capability_id="XRD"))
            free_times.find(db, actor(RESEARCHER), sought, NOW)

    calls: dict[str, Callable[[], None]] = {"create": create, "board": board, "feed": feed, "search": search}
    found: dict[str, tuple[float, float]] = {}
    for what, call in calls.items():
        call()
        gc.collect()
        cpu: list[float] = []
        wall: list[float] = []
        for _ in range(TURNS):
            used, began = time.process_time(), time.monotonic()
            call()
            cpu.append((time.process_time() - used) * 1000)
            wall.append((time.monotonic() - began) * 1000)
        found[what] = min(cpu), min(wall)
    return found


def test_twenty_times_more_old_bookings(database: Database) -> None:
    with database.write() as db:
        furnish_strictly(db)
        for number in range(FIRST, FIRST + INSTRUMENTS):
            add_instrument(db, number, "C-ONE", "XRD")
        _fill(db, NEAR)
        secret = feeds.create(db, actor(RESEARCHER), NOW, centre_id="C-ONE").secret
        db.execute(sa.text("ANALYZE"))
    hours = (at(25, hour) + timedelta(days=day) for day in (0, 1, 2, 5, 6, 7, 8, 9) for hour in range(8, 18))
    slots = (Span(start, start + 30 * MINUTE) for start in hours)
    before = _measured(database, slots, secret)
    with database.write() as db:
        _fill(db, OLD)
        db.execute(sa.text("ANALYZE"))
    after = _measured(database, slots, secret)
    kind = "sqlite" if database.is_sqlite else "postgresql"
    for what, (cpu, wall) in after.items():
        was = before[what]
        print(
            f"\n20 times more old bookings, {what:7} {kind:10} CPU ms: {was[0]:6.2f} -> {cpu:6.2f}"
            f" ({cpu / was[0] - 1:+.0%})  time: {was[1]:6.2f} -> {wall:6.2f} ({wall / was[1] - 1:+.0%})"
        )
