"""Queries and CPU of the busiest paths: a centre's board of 40 instruments over a week, and writing a booking.

Measured through the whole application (routing, sign-in, one transaction, rendering), in one process, on both
databases. CPU is that of this process; PostgreSQL's own is not in it. `make bench` prints a line for each.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from datetime import timedelta

import msgspec

from labshare.app import create_app
from labshare.domain.timespan import Span
from labshare.services import tokens
from labshare.services.people import sign_in_as
from labshare.settings import Settings
from labshare.store import bookings as store
from labshare.store.engine import Database
from tests.benchmarks.asgi import called
from tests.furniture import (
    COLLEAGUE,
    NOW,
    a_booking,
    add_instrument,
    at,
    counted,
    furnish,
)

INSTRUMENTS, ROUNDS = 40, 40
FIRST = 100
OPEN_DAYS = (25, 26, 27)  # Wednesday to Friday; the 24th is a public holiday


def _fill(database: Database) -> None:
    """Forty instruments of one centre, each with four bookings a day on three days: 480 entries on the board."""
    with database.write() as db:
        furnish(db)
        for number in range(FIRST, FIRST + INSTRUMENTS - 2):  # the centre has two already
            add_instrument(db, number, "C-ONE", "XRD")
        numbers = [1, 2, *range(FIRST, FIRST + INSTRUMENTS - 2)]
        new = [
            a_booking(number, Span(at(day, hour), at(day, hour + 1)), person_id=COLLEAGUE, attended=False)
            for number in numbers
            for day in OPEN_DAYS
            for hour in (8, 10, 12, 14)
        ]
        store.add(db, new)


def _measure(what: str, database: Database, call: Callable[[int], tuple[int, bytes]], expected: int) -> None:
    with counted(database.engine) as statements:
        status, body = call(0)
    assert status == expected, body[:500]
    call(1)
    gc.collect()
    times: list[float] = []
    for turn in range(2, 2 + ROUNDS):
        before = time.process_time()
        status, body = call(turn)
        times.append((time.process_time() - before) * 1000)
        assert status == expected, body[:500]
    kind = "sqlite" if database.is_sqlite else "postgresql"
    print(
        f"\n{what:38} {kind:10} {len(statements):3} queries  CPU ms: median {statistics.median(times):6.2f}"
        f"  least {min(times):6.2f}  most {max(times):6.2f}  {len(body):7} bytes"
    )


def test_board_of_forty_instruments_over_a_week(database: Database) -> None:
    _fill(database)
    with database.write() as db:
        _, token = sign_in_as(db, "researcher", NOW, hours=12)
    app = create_app(_settings(), database=database, clock=lambda: NOW)
    with called(app) as caller:
        headers = {"Cookie": f"sign_in={token}", "Host": "localhost"}
        _measure(
            "board, 40 instruments x 1 week",
            database,
            lambda turn: caller.call("GET", "/centres/C-ONE/board?date=2026-11-23&span=week", headers=headers),
            200,
        )


def test_writing_a_booking(database: Database) -> None:
    _fill(database)
    with database.write() as db:
        secret = tokens.create(db, login="researcher", days=1, label="bench", now=NOW).secret
    app = create_app(_settings(), database=database, clock=lambda: NOW)
    with called(app) as caller:
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json", "Host": "localhost"}
        starts = [at(day, 9) + timedelta(days=7 * week) for week in range(1, 8) for day in (23, 25, 26)]
        # One person is in one place, so each instrument has an hour of its own.
        hours = ((2, 0), (FIRST, 1), (FIRST + 1, 2))
        slots = [(number, start + timedelta(hours=hour)) for number, hour in hours for start in starts]

        def book(turn: int) -> tuple[int, bytes]:
            number, start = slots[turn]
            body = {
                "instrument": f"N{number:03}",
                "starts_at": start,
                "ends_at": start + timedelta(minutes=30),
                "purpose": "bench",
                "project": "KC-01",
            }
            return caller.call("POST", "/api/v1/bookings", headers=headers, body=msgspec.json.encode(body))

        _measure("create a booking (API)", database, book, 201)


def _settings() -> Settings:
    return Settings(secret="x" * 64, secure_cookies=False)
