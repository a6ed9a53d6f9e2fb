"""What twenty times more old bookings change: creating one, a board's week, a feed, a search for free time.

Centre One has 40 more instruments with two uses a day from 30 days behind to 30 days ahead. Then come the years before,
with twenty times as many uses by the same people, in a second database of which everything else is the same. Both are
measured by turns: medians of the CPU of this process, of that of the database's server, and of the time of both. `make
bench` prints a line for each.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from labshare.domain.bookings import Wish
from labshare.domain.registry_search import Search
from labshare.domain.timespan import MINUTE, Span
from labshare.services import bookings, calendars, feeds, free_times
from labshare.services.free_times import Sought
from labshare.store import bookings as store
from labshare.store.engine import Connection, Database, open_database
from tests.conftest import KINDS
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


def _calls(database: Database, secret: str) -> dict[str, Callable[[], object]]:
    hours = (at(25, hour) + timedelta(days=day) for day in (0, 1, 2, 5, 6, 7, 8, 9) for hour in range(8, 18))
    slots = (Span(start, start + 30 * MINUTE) for start in hours)

    def create() -> None:
        with database.write() as db:
            wish = Wish(instrument_number=FESEM, span=next(slots), project_id=PUBLIC_PROJECT)
            bookings.book(db, actor(RESEARCHER), wish, NOW)

    def board() -> None:
        with database.read() as db:
            calendars.board(db, actor(RESEARCHER), "C-ONE", Span(at(25, 0), at(25, 0) + timedelta(days=7)))

    def feed() -> None:
        with database.read() as db:
            assert list(feeds.contents(db, feeds.open_feed(db, secret, NOW), NOW, ()).events)

    def search() -> None:
        with database.read() as db:
            dates = tuple(NOW.date() + timedelta(days=day) for day in range(1, 15))
            sought = Sought(minutes=180, dates=dates, search=Search(capability_id="XRD"))
            free_times.find(db, actor(RESEARCHER), sought, NOW)

    return {"create": create, "board": board, "feed": feed, "search": search}


def _turn(call: Callable[[], object], servers: Sequence[Path]) -> tuple[float, float, float, float]:
    """The CPU here, in the server and in both, and the time of one call, in ms."""
    theirs, used, began = _taken(servers), time.process_time(), time.monotonic()
    call()
    ended, spent = time.monotonic(), time.process_time() - used
    there = _taken(servers) - theirs
    return spent * 1000, there, spent * 1000 + there, (ended - began) * 1000


def _house(database: Database, *spans: range) -> dict[str, Callable[[], object]]:
    with database.write() as db:
        furnish_strictly(db)
        for number in range(FIRST, FIRST + INSTRUMENTS):
            add_instrument(db, number, "C-ONE", "XRD")
        for days in spans:
            _fill(db, days)
        secret = feeds.create(db, actor(RESEARCHER), NOW, centre_id="C-ONE").secret
    # What other tests left behind is gone, and the planner knows what there is, as where a server looks after itself.
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.execute(sa.text("ANALYZE" if database.is_sqlite else "VACUUM ANALYZE"))
    return _calls(database, secret)


@pytest.mark.parametrize(("database_url", "own_database_url"), [(kind, kind) for kind in KINDS], indirect=True)
def test_twenty_times_more_old_bookings(database: Database, own_database_url: str) -> None:
    """By turns, so that whoever else uses the machine meets both houses alike."""
    other = open_database(own_database_url)
    try:
        houses = {database: _house(database, NEAR), other: _house(other, NEAR, OLD)}
        print()
        for what in houses[database]:
            calls = [(each[what], _servers(house)) for house, each in houses.items()]
            for call, _ in calls:
                call()
            gc.collect()
            turns = [[_turn(*each) for each in calls] for _ in range(TURNS)]
            was, now = (
                [statistics.median(each) for each in zip(*by_house, strict=True)]
                for by_house in zip(*turns, strict=True)
            )
            told = [
                f"{name} {before:6.2f} -> {after:6.2f} ({after / before - 1:+.0%})"
                for name, before, after in zip(("CPU ms", "of the server", "of both", "time"), was, now, strict=True)
                if before
            ]
            kind = "SQLite" if database.is_sqlite else "PostgreSQL"
            print(f"20 times more old bookings, {what:7} {kind:10} {'  '.join(told)}")
    finally:
        other.dispose()
