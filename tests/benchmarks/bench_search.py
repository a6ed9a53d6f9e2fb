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
from pathlib import Path
from shutil import copy
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from labshare.domain.registry_search import Search
from labshare.services import free_times
from labshare.services.free_times import Sought
from labshare.store import tables as t
from labshare.store.engine import Connection, Database, open_database
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

    def rows() -> Iterator[tuple[Any, ...]]:
        for place in range(INSTRUMENTS):
            for turn in range(BOOKINGS_EACH):
                begins = start + turn * step + place * 97 % step // 30 * 30
                yield (
                    UUID(int=(place << 32) + turn + 1).hex, FIRST + place, "use", "confirmed", begins, begins + 240,
                    begins - 15, begins + 255, person, project, 0, "", 0, 0, 0, 1,
                )  # fmt: skip

    raw: Any = db.connection.driver_connection
    raw.executemany(f"INSERT INTO bookings ({names}) VALUES ({', '.join('?' * 16)})", rows())


@pytest.fixture(scope="module")
def network(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    opened = open_database(f"sqlite:///{copy(sqlite_template, tmp_path_factory.mktemp('search') / 'n.sqlite3')}")
    with opened.write() as db:
        _furnish(db)
        _book(db)
        db.execute(sa.text("ANALYZE"))
    yield opened
    opened.dispose()


@pytest.mark.parametrize(
    ("what", "sought"),
    [
        ("300 of one capability, 2 weeks", Sought(minutes=180, dates=DATES, search=Search(capability_id="FESEM"))),
        ("the same within one city, 2 days", Sought(
            minutes=180, dates=DATES[2:4], search=Search(capability_id="FESEM", city_vi="Hà Nội"))),
        ("the whole network, 2 weeks", Sought(minutes=180, dates=DATES)),
    ],
)  # fmt: skip
def test_a_search(network: Database, what: str, sought: Sought) -> None:
    times: list[float] = []
    with network.read() as db:
        rulebook(db)
        with counted(network.engine) as statements:
            found = free_times.find(db, actor(RESEARCHER), sought, NOW)
        assert found.instruments == free_times.MOST_INSTRUMENTS
        for _ in range(TURNS):
            gc.collect()
            began = time.process_time()
            free_times.find(db, actor(RESEARCHER), sought, NOW)
            times.append((time.process_time() - began) * 1000)
    print(
        f"\nsearch: {what:38} sqlite {len(statements):3} queries  CPU ms: median {statistics.median(times):7.1f}"
        f"  least {min(times):7.1f}  most {max(times):7.1f}"
    )
    assert len(statements) <= 6
