"""Queries and CPU of a feed of 500 events, beside what the library icalendar takes to build the same.

On SQLite: PostgreSQL's own CPU could not be counted. `make bench` prints a line for each.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from datetime import timedelta

import icalendar
import pytest

from labshare import ics
from labshare.app import create_app
from labshare.domain.timespan import Span
from labshare.services import feeds
from labshare.settings import Settings
from labshare.store import bookings as store
from labshare.store.engine import Database
from tests.benchmarks.asgi import called
from tests.furniture import (
    COLLEAGUE,
    COMPETITOR,
    FESEM,
    MANAGER,
    NOW,
    RESEARCHER,
    a_booking,
    actor,
    at,
    counted,
    furnish,
)

EVENTS, ROUNDS = 500, 60
SITE = "https://labshare.example.vn"


def _fill(database: Database) -> None:
    """An instrument with 500 bookings of one hour by two people, each with a purpose that has to be escaped."""
    with database.write() as db:
        furnish(db)
        starts = [at(25, 0) + timedelta(hours=2 * number) for number in range(EVENTS)]
        store.add(
            db,
            [
                a_booking(
                    FESEM,
                    Span(start, start + timedelta(hours=1)),
                    person_id=(RESEARCHER, COLLEAGUE)[number % 2],
                    attended=False,
                    purpose=f"Mẫu số {number}; đo lại, so với lần trước",
                )
                for number, start in enumerate(starts)
            ],
        )


def _figures(call: Callable[[], object]) -> str:
    call()
    gc.collect()
    times: list[float] = []
    for _ in range(ROUNDS):
        before = time.process_time()
        call()
        times.append((time.process_time() - before) * 1000)
    return f"CPU ms: median {statistics.median(times):6.2f}  least {min(times):6.2f}  most {max(times):6.2f}"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_feed_of_500_events(database: Database) -> None:
    _fill(database)
    readers = {"all masked": COMPETITOR, "half one's own": RESEARCHER, "all with names": MANAGER}
    with database.write() as db:
        secrets = {
            what: feeds.create(db, actor(who), NOW, instrument_id="N001").secret for what, who in readers.items()
        }
    app = create_app(Settings(secret="x" * 64, base_url=SITE), database=database, clock=lambda: NOW)
    with called(app) as caller:
        for what, secret in secrets.items():

            def read(secret: str = secret) -> tuple[int, bytes]:
                return caller.call("GET", f"/feeds/{secret}.ics", headers={"Host": "localhost"})

            with counted(database.engine) as statements:
                status, body = read()
            assert (status, body.count(b"BEGIN:VEVENT")) == (200, EVENTS)
            headers = {"Host": "localhost", "If-None-Match": "*"}

            def ask(secret: str = secret, headers: dict[str, str] = headers) -> tuple[int, bytes]:
                return caller.call("GET", f"/feeds/{secret}.ics", headers=headers)

            assert ask()[0] == 304
            print(f"\nthe same, unchanged (304)                     {_figures(ask)}")
            print(f"\nfeed, 500 events, {what:15} {len(statements)} queries  {_figures(read)}  {len(body):7} bytes")
    with database.read() as db:
        opened = feeds.open_feed(db, secrets["all with names"], NOW)
        contents = feeds.contents(db, opened, NOW)
    text = ics.feed(opened, contents, SITE)
    print(f"\nits text alone                                {_figures(lambda: ics.feed(opened, contents, SITE))}")
    read_back = icalendar.Calendar.from_ical(text)
    print(f"\nthe same written by icalendar                 {_figures(read_back.to_ical)}")
