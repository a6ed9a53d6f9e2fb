"""What a booking costs with every sort of rule on, and what a refusal does: by the service alone, and through the API.

The house is that of tests/strict_house.py. Through the API the sign-in by token, the codes and the answer come to it.
CPU is that of this process; PostgreSQL's own is not in it. `make bench` prints a line for each, and its queries.
"""

from __future__ import annotations

import gc
import re
import statistics
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
import pytest

from labshare.app import create_app
from labshare.domain.bookings import Wish
from labshare.domain.timespan import Span
from labshare.errors import TimeTaken
from labshare.services import bookings, tokens
from labshare.settings import Settings
from labshare.store.engine import Database
from tests.benchmarks.asgi import called
from tests.furniture import COLLEAGUE, FESEM, NOW, PUBLIC_PROJECT, RESEARCHER, actor, at, counted
from tests.strict_house import furnish_strictly

TURNS = 60
MOST_QUERIES = 12


def _start(turn: int) -> datetime:
    """Half an hour from each full hour of the days from 25 November on, Monday to Friday."""
    day, hour = divmod(turn, 9)
    return at(25, 8 + hour) + timedelta(days=day + 2 * ((day + 2) // 5))


def _wish(turn: int) -> Wish:
    span = Span(_start(turn), _start(turn) + timedelta(minutes=30))
    return Wish(instrument_number=FESEM, span=span, project_id=PUBLIC_PROJECT)


@pytest.fixture
def house(database: Database) -> Database:
    with database.write() as db:
        furnish_strictly(db)
    return database


def _measure(what: str, database: Database, call: Callable[[int], None], *, queries: int) -> None:
    # Connections are opened, statements built and balances begun before anything is counted.
    for turn in range(2):
        call(turn)
    with counted(database.engine) as statements:
        call(2)
    times: list[float] = []
    gc.collect()
    for turn in range(3, TURNS):
        before = time.process_time()
        call(turn)
        times.append((time.process_time() - before) * 1000)
    kind = "sqlite" if database.is_sqlite else "postgresql"
    print(
        f"\n{what:38} {kind:10} {len(statements):3} queries  CPU ms: median {statistics.median(times):6.2f}"
        f"  least {min(times):6.2f}  most {max(times):6.2f}"
    )
    for statement in statements:
        print("   ", _told(statement))
    assert len(statements) <= queries


def _told(statement: str) -> str:
    """A statement by its verb and its tables."""
    words = " ".join(statement.split())
    tables = re.findall(r"(?:FROM|JOIN|INTO|UPDATE) (\w+)", words)
    return f"{words.partition(' ')[0]:8} {' '.join(dict.fromkeys(tables))}{' FOR UPDATE' * words.endswith('UPDATE')}"


def test_by_the_service(house: Database) -> None:
    def book(turn: int) -> None:
        with house.write() as db:
            bookings.book(db, actor(RESEARCHER), _wish(turn), NOW)

    _measure("book, all rules on: service", house, book, queries=MOST_QUERIES)


def test_a_refusal_by_the_service(house: Database) -> None:
    with house.write() as db:
        bookings.book(db, actor(COLLEAGUE), _wish(0), NOW)

    def refuse(_: int) -> None:
        with pytest.raises(TimeTaken), house.write() as db:
            bookings.book(db, actor(RESEARCHER), _wish(0), NOW)

    _measure("refused as taken: service", house, refuse, queries=MOST_QUERIES)


@pytest.mark.parametrize("is_taken", [False, True], ids=["booked", "taken"])
def test_through_the_api(house: Database, is_taken: bool) -> None:
    with house.write() as db:
        secret = tokens.create(db, login="researcher", days=1, label="bench", now=NOW).secret
        if is_taken:
            bookings.book(db, actor(COLLEAGUE), _wish(0), NOW)
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json", "Host": "localhost"}
    app = create_app(Settings(secret="x" * 64, secure_cookies=False), database=house, clock=lambda: NOW)
    with called(app) as caller:

        def book(turn: int) -> None:
            start = _start(0 if is_taken else turn)
            body = {
                "instrument": "N001", "starts_at": start, "ends_at": start + timedelta(minutes=30), "purpose": "bench",
                "project": "KC-01",
            }  # fmt: skip
            status, said = caller.call("POST", "/api/v1/bookings", headers=headers, body=msgspec.json.encode(body))
            assert status == (409 if is_taken else 201), said[:500]

        what = "refused as taken: API" if is_taken else "book, all rules on: API"
        # Sign-in, codes, the booking as it is answered, and what is told beside it: qualification and shares.
        _measure(what, house, book, queries=MOST_QUERIES + 5)
