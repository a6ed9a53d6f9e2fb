"""What a search for free time costs in a large network: 10,000 instruments, 1,000,000 bookings of a year, two weeks.

One capability has 300 instruments. The year is the 305 days behind `NOW` and the 60 ahead; no day of it has fewer
bookings than another. CPU is that of this process. `make bench` prints a line for each.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from labshare.domain.registry_search import Search
from labshare.services import free_times
from labshare.services.free_times import Sought
from labshare.store import tables as t
from labshare.store.engine import Connection, Database
from labshare.store.rulebooks import rulebook
from labshare.store.types import EPOCH
from tests.furniture import COLLEAGUE, NOW, PUBLIC_PROJECT, RESEARCHER, actor, counted, furnish

CENTRES, INSTRUMENTS, BOOKINGS_EACH = 50, 10_000, 100
OF_CAPABILITY, FIRST = 300, 1000
BEHIND, YEAR = timedelta(days=305), 365
TURNS = 7
HOURS = ("Mon-Fri 08:00-18:00", "daily 00:00-24:00", "Mon-Sat 07:30-11:30,13:00-17:00")
TODAY = NOW.date()
DATES = tuple(TODAY + timedelta(days=day) for day in range(1, 15))


def _furnish(db: Connection) -> None:
    furnish(db)
    cities = ("Hà Nội", "Đà Nẵng", "TP. Hồ Chí Minh")
    db.execute(
        sa.insert(t.centres),
        [
            {"id": f"B-{place:02}", "host_id": "I-IMS", "stage": "operating", "city_vi": cities[place % 3]}
            for place in range(CENTRES)
        ],
    )
    db.execute(sa.insert(t.capabilities), [{"id": "OTHER"}])
    db.execute(
        sa.insert(t.instruments),
        [
            {
                "number": FIRST + place, "id": f"B{place:05}", "centre_id": f"B-{place % CENTRES:02}",
                "capability_id": "FESEM" if place < OF_CAPABILITY else "OTHER", "booking_mode": "time",
                "opening": HOURS[place % len(HOURS)], "min_minutes": 30, "max_minutes": 480,
                "granularity_minutes": 30, "advance_days": 60, "setup_minutes": 15, "cleanup_minutes": 15,
            }
            for place in range(INSTRUMENTS)
        ],
    )  # fmt: skip


def _book(db: Connection) -> None:
    """Each instrument has a use of four hours every 3.65 days, at an hour of its own, written as plain numbers."""
    names = (
        "id, instrument_number, kind, state, starts_at, ends_at, occupied_from, occupied_until, person_id, project_id,"
        " attended, purpose, late_notice, created_at, updated_at, version"
    )
    start = int((NOW - BEHIND - EPOCH) / timedelta(minutes=1)) // 1440 * 1440
    step = YEAR * 1440 // BOOKINGS_EACH
    person, project = COLLEAGUE.hex, PUBLIC_PROJECT.hex
    then: Any = 0 if db.dialect.name == "sqlite" else NOW

    def rows() -> Iterator[tuple[Any, ...]]:
        for place in range(INSTRUMENTS):
            for turn in range(BOOKINGS_EACH):
                begins = start + turn * step + place * 97 % step // 30 * 30
                yield (
                    UUID(int=(place << 32) + turn + 1).hex, FIRST + place, "use", "confirmed", begins, begins + 240,
                    begins - 15, begins + 255, person, project, 0, "", 0, then, then, 1,
                )  # fmt: skip

    raw: Any = db.connection.driver_connection
    if db.dialect.name == "sqlite":
        raw.executemany(f"INSERT INTO bookings ({names}) VALUES ({', '.join('?' * 16)})", rows())
        return
    with raw.cursor() as cursor, cursor.copy(f"COPY bookings ({names}) FROM STDIN") as copy:
        for row in rows():
            copy.write_row(row)


SEARCHES = {
    "300 of one capability, 2 weeks": Sought(minutes=180, dates=DATES, search=Search(capability_id="FESEM")),
    "the same within one city, 2 days": Sought(
        minutes=180, dates=DATES[2:4], search=Search(capability_id="FESEM", city_vi="Hà Nội")
    ),
    "the whole network, 2 weeks": Sought(minutes=180, dates=DATES),
}


def test_searches(database: Database) -> None:
    with database.write() as db:
        _furnish(db)
        _book(db)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        db.exec_driver_sql("ANALYZE" if database.is_sqlite else "VACUUM ANALYZE bookings, instruments, centres")
    for what, sought in SEARCHES.items():
        _search(database, what, sought)


def _search(database: Database, what: str, sought: Sought) -> None:
    times: list[tuple[float, float]] = []
    with database.read() as db:
        rulebook(db)
        with counted(database.engine) as statements:
            found = free_times.find(db, actor(RESEARCHER), sought, NOW)
        assert found.instruments == free_times.MOST_INSTRUMENTS
        for _ in range(TURNS):
            gc.collect()
            used, began = time.process_time(), time.monotonic()
            free_times.find(db, actor(RESEARCHER), sought, NOW)
            times.append(((time.monotonic() - began) * 1000, (time.process_time() - used) * 1000))
    wall, cpu = (sorted(each) for each in zip(*times, strict=True))
    print(
        f"\nsearch: {what:34} {'sqlite' if database.is_sqlite else 'postgresql':10} {len(statements):3} queries"
        f"  CPU ms: median {statistics.median(cpu):7.1f}  least {cpu[0]:7.1f}"
        f"  time: median {statistics.median(wall):7.1f}  least {wall[0]:7.1f}"
    )
    assert len(statements) <= 12
