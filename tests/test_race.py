"""Many processes, few instruments: no interval is ever given twice, nobody gets a server error, on both databases.

Each process makes random tries to book, move and cancel through the services, as the serving process does. What it may
see are the house's own refusals; anything else is counted as a fault and printed.

The races over HTTP (tests/races.py) run here in a small size, so that they do not rot; `make bench` runs them whole.
"""

from __future__ import annotations

import itertools
import multiprocessing
import random
import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa

from labshare.domain.bookings import OCCUPYING, Booking, Wish
from labshare.domain.timespan import Span
from labshare.errors import Refused, Stale, TimeTaken
from labshare.services import bookings as service
from labshare.store import tables as t
from labshare.store.engine import Database, open_database
from tests.furniture import (
    COLLEAGUE,
    FESEM,
    MANAGER,
    NMR,
    NOW,
    PUBLIC_PROJECT,
    RESEARCHER,
    XRD,
    actor,
    at,
    furnish,
)
from tests.races import crossing, same_slot_by_stores, same_slot_served

# The proof that counts, and a look in passing.
WHOLE = pytest.param(8, 400, marks=pytest.mark.slow)
SHORT = (3, 30)


def _tries(url: str, tries: int, seed: int, results: multiprocessing.Queue[Counter[str]]) -> None:
    rng = random.Random(seed)
    # In the product one process writes to SQLite and its threads queue fairly; here eight poll, so they may wait long.
    database = open_database(url, pool_size=1, lock_timeout_seconds=60, sqlite_wait_seconds=60)
    seen: Counter[str] = Counter()
    mine: list[Booking] = []
    for _ in range(tries):
        try:
            seen[_one_try(database, rng, mine)] += 1
        except (TimeTaken, Refused, Stale) as refusal:
            seen[type(refusal).__name__] += 1
        except Exception as fault:  # noqa: BLE001 - a fault of any kind is what this test looks for
            seen[f"fault: {fault!r}"] += 1
    database.dispose()
    results.put(seen)


def _one_try(database: Database, rng: random.Random, mine: list[Booking]) -> str:
    who = rng.choice((RESEARCHER, COLLEAGUE, MANAGER))
    start = at(25, 8) + timedelta(days=rng.randrange(3), minutes=30 * rng.randrange(18))
    span = Span(start, start + timedelta(minutes=30 * rng.randrange(1, 5)))
    with database.write() as db:
        if mine and rng.random() < 0.5:
            booking = mine.pop(rng.randrange(len(mine)))
            owner = actor(booking.person_id or who)
            if rng.random() < 0.5:
                service.cancel(db, owner, booking.id, seen_version=booking.version, now=NOW)
                return "cancelled"
            moved = service.move(db, owner, booking.id, span, seen_version=booking.version, now=NOW)
            mine.append(moved)
            return "moved"
        number = rng.choice((FESEM, XRD, NMR))
        wish = Wish(instrument_number=number, span=span, project_id=PUBLIC_PROJECT)
        mine.append(service.book(db, actor(who), wish, NOW))
        return "booked"


def _overlaps(database: Database) -> list[tuple[UUID, UUID]]:
    query = sa.select(
        t.bookings.c.instrument_number, t.bookings.c.occupied_from, t.bookings.c.occupied_until, t.bookings.c.id
    ).where(t.bookings.c.state.in_(sorted(OCCUPYING)))
    with database.read() as db:
        rows = sorted(db.execute(query).all())
    return [
        (a.id, b.id)
        for a, b in itertools.pairwise(rows)
        if a.instrument_number == b.instrument_number and a.occupied_until > b.occupied_from
    ]


@pytest.mark.parametrize(("processes", "tries"), [SHORT, WHOLE])
def test_no_interval_is_given_twice_however_many_ask(database_url: str, processes: int, tries: int) -> None:
    database = open_database(database_url)
    with database.write() as db:
        furnish(db)
        # The manager needs the licence too, so that every one of the three may ask for every instrument.
        db.execute(sa.insert(t.qualifications).values(person_id=MANAGER, instrument_number=FESEM, granted_at=NOW))
        db.execute(sa.update(t.instruments).values(attended=False))
    spawn = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[Counter[str]] = spawn.Queue()
    workers = [spawn.Process(target=_tries, args=(database_url, tries, seed, results)) for seed in range(processes)]
    for worker in workers:
        worker.start()
    seen: Counter[str] = Counter()
    for _ in workers:
        seen += results.get(timeout=300)
    for worker in workers:
        worker.join()
    assert [what for what in seen if what.startswith("fault")] == []
    assert seen.total() == processes * tries
    # Every kind of answer came often enough to have met the others.
    assert min(seen["booked"], seen["moved"], seen["cancelled"], seen["TimeTaken"]) > processes * tries // 160
    assert _overlaps(database) == []
    database.dispose()


@pytest.mark.slow
def test_one_of_many_gets_the_slot_that_all_want(database_url: str, tmp_path: Path) -> None:
    found = same_slot_served(database_url, tmp_path / "log", clients=20, rounds=2)
    assert found.are_fair, found.answers


@pytest.mark.slow
def test_one_of_many_gets_it_from_two_processes_too(database_url: str) -> None:
    found = same_slot_by_stores(database_url, clients=20, rounds=2, processes=2)
    assert found.are_fair, found.answers


@pytest.mark.slow
def test_a_killed_server_loses_nothing_and_leaves_nothing_behind(database_url: str, tmp_path: Path) -> None:
    found = crossing(database_url, tmp_path / "log", clients=8, calls=25, kills=2, seed=20261129)
    assert (found.faults, found.overlaps, found.deadlocks) == ([], 0, 0)
    # Nothing else was answered, and every kind of call met others.
    assert set(found.answers) <= {0, 200, 201, 409, 412}
    assert min(found.answers[status] for status in (200, 201, 409)) > 10


# ---------------------------------------------------------------- an instrument for several

UNITS, ROUNDS = 3, 6


def _rush(url: str, who: UUID, start: threading.Barrier, seen: Counter[str]) -> None:
    """Ask for the same two hours of each of some weeks, at the same moment as the others."""
    database = open_database(url, pool_size=1, lock_timeout_seconds=60, sqlite_wait_seconds=60)
    for week in range(ROUNDS):
        begins = at(25, 9) + timedelta(days=7 * week)
        wish = Wish(instrument_number=XRD, span=Span(begins, begins + timedelta(hours=2)), project_id=PUBLIC_PROJECT)
        start.wait()
        try:
            with database.write() as db:
                service.book(db, actor(who), wish, NOW)
            seen["booked"] += 1
        except TimeTaken:
            seen["taken"] += 1
        except Exception as fault:  # noqa: BLE001 - a fault of any kind is what this test looks for
            seen[f"fault: {fault!r}"] += 1
    database.dispose()


def test_three_places_are_given_three_times_however_many_ask(database_url: str) -> None:
    """Twice as many ask as there are places: half of them have one, in every round."""
    database = open_database(database_url)
    with database.write() as db:
        furnish(db)
        db.execute(sa.update(t.instruments).values(attended=False, capacity=UNITS))
    start = threading.Barrier(2 * UNITS)
    answers = [Counter[str]() for _ in range(2 * UNITS)]
    # Each with a store of its own, as if it were another server.
    clients = [
        threading.Thread(target=_rush, args=(database_url, who, start, answer))
        for who, answer in zip([RESEARCHER, COLLEAGUE, MANAGER] * 2, answers, strict=True)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    seen = sum(answers, Counter[str]())
    assert seen == {"booked": UNITS * ROUNDS, "taken": UNITS * ROUNDS}
    query = sa.select(t.bookings.c.occupied_from, t.bookings.c.unit).order_by(t.bookings.c.occupied_from)
    with database.read() as db:
        found = Counter(tuple(row) for row in db.execute(query))
    assert len(found) == UNITS * ROUNDS
    assert set(found.values()) == {1}
    assert {unit for _, unit in found} == set(range(UNITS))
    database.dispose()
