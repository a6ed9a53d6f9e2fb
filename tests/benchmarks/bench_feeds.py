"""Queries and CPU of a feed of 500 events, beside what the library icalendar takes to build the same.

`first` is the first reading of a day or of a server, when nothing of the feed is kept: each is of a feed that was never
read. `changed` is once one of the bookings has changed; `again` by a program that does not say what it has; `304` by
one that does. CPU is that of this process: PostgreSQL's own is not in it.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from datetime import timedelta

import icalendar
import msgspec
import sqlalchemy as sa

from labshare import ics
from labshare.app import create_app
from labshare.domain.timespan import Span
from labshare.services import feeds
from labshare.settings import Settings
from labshare.store import bookings as store
from labshare.store import tables as t
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
    """An instrument with 500 bookings of one hour by two people, each with a purpose that has to be escaped and folded,
    and made at a time of its own.
    """
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
                    updated_at=NOW - timedelta(hours=number),
                    purpose=f"Mẫu số {number}; đo lại, so với lần trước",
                )
                for number, start in enumerate(starts)
            ],
        )


def _change(database: Database) -> None:
    """What a change of a booking's purpose writes."""
    with database.write() as db:
        change = sa.update(t.bookings).where(t.bookings.c.starts_at == at(25, 10))
        db.execute(change.values(version=t.bookings.c.version + 1, purpose="đổi"))
        db.execute(sa.update(t.instruments).values(calendar_version=t.instruments.c.calendar_version + 1))


def _figures(call: Callable[[], object], before_each: Callable[[], object] = lambda: None) -> str:
    call()
    gc.collect()
    times: list[float] = []
    for _ in range(ROUNDS):
        before_each()
        before = time.process_time()
        call()
        times.append((time.process_time() - before) * 1000)
    return f"CPU ms: median {statistics.median(times):6.2f}  least {min(times):6.2f}  most {max(times):6.2f}"


def test_a_feed_of_500_events(database: Database) -> None:
    _fill(database)
    readers = {"all masked": COMPETITOR, "half one's own": RESEARCHER, "all with names": MANAGER}
    with database.write() as db:
        secrets = {
            what: [feeds.create(db, actor(who), NOW, instrument_id="N001").secret for _ in range(ROUNDS + 2)]
            for what, who in readers.items()
        }

    app = create_app(Settings(secret="x" * 64, base_url=SITE), database=database, clock=lambda: NOW)
    kind = "SQLite" if database.is_sqlite else "PostgreSQL"
    with called(app) as caller:
        for what, (secret, *others) in secrets.items():

            def read(secret: str = secret, **headers: str) -> tuple[int, bytes]:
                return caller.call("GET", f"/feeds/{secret}.ics", headers={"Host": "localhost", **headers})

            with counted(database.engine) as statements:
                status, body = read()
            assert (status, body.count(b"BEGIN:VEVENT")) == (200, EVENTS)
            assert read(**{"If-None-Match": "*"})[0] == 304
            print(f"\n{kind}, feed of 500 events, {what}: {len(statements)} queries, {len(body)} bytes")
            unread = iter(others)
            print(f"  first    {_figures(lambda unread=unread, read=read: read(next(unread)))}")
            print(f"  changed  {_figures(read, lambda: _change(database))}")
            print(f"  again    {_figures(read)}")
            print(f"  304      {_figures(lambda: read(**{'If-None-Match': '*'}))}")
    with database.read() as db:
        opened = feeds.open_feed(db, secrets["all with names"][0], NOW)
        contents = feeds.contents(db, opened, NOW, ())
        contents = msgspec.structs.replace(contents, events=list(contents.events))
    text = ics.feed(opened, contents, SITE, {}).whole
    print(f"\nits text alone                 {_figures(lambda: ics.feed(opened, contents, SITE, {}).whole)}")
    read_back = icalendar.Calendar.from_ical(text)
    print(f"the same written by icalendar  {_figures(read_back.to_ical)}")
