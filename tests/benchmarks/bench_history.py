"""What twenty times more old bookings change: creating one, a board's week, a feed, a search for free time.

Centre One has 40 more instruments with two uses a day from 30 days behind to 30 days ahead. Then come the years before,
with twenty times as many uses by the same people, and everything is measured again: the CPU of this process, that of
the database's server, and the time of both. `make bench` prints a line for each.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

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


def _servers(database: Database) -> list[Path]:
    """Where Linux tells the nanoseconds of CPU that each process of the server has taken for our connections."""
    if database.is_sqlite:
        return []
    with database.read() as db:
        own = sa.text("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        return [Path(f"/proc/{pid}/schedstat") for pid in db.execute(own).scalars()]


def _taken(servers: Sequence[Path]) -> float:
    """The CPU that these processes have taken so far, in ms."""
    return sum(int(each.read_text().split()[0]) for each in servers) / 1_000_000


def _measured(database: Database, slots: Iterator[Span], secret: str) -> dict[str, tuple[float, float, float]]:
    """The least CPU here and in the server and the least time of some turns of each, in ms."""

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
    found: dict[str, tuple[float, float, float]] = {}
    for what, call in calls.items():
        call()
        servers = _servers(database)
        gc.collect()
        turns: list[tuple[float, float, float]] = []
        for _ in range(TURNS):
            theirs, used, began = _taken(servers), time.process_time(), time.monotonic()
            call()
            ended, spent = time.monotonic(), time.process_time() - used
            turns.append((spent * 1000, _taken(servers) - theirs, (ended - began) * 1000))
        here, there, whole = zip(*turns, strict=True)
        found[what] = min(here), min(there), min(whole)
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
    for what in before:
        told = [
            f"{name} {was:6.2f} -> {now:6.2f} ({now / was - 1:+.0%})"
            for name, was, now in zip(("CPU ms", "of the server", "time"), before[what], after[what], strict=True)
            if was
        ]
        print(f"\n20 times more old bookings, {what:7} {kind:10} {'  '.join(told)}")
