"""The application as a whole: what it needs to start, and threads enough for its connections."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from shutil import copy

import pytest
from litestar.testing import TestClient

from labshare.app import POOL_SIZE, create_app
from labshare.errors import StartupError
from labshare.settings import Settings
from labshare.store.engine import open_database

SECRET = "a secret that only these tests use"


def test_it_does_not_start_without_a_secret(tmp_path: Path) -> None:
    with pytest.raises(StartupError):
        create_app(Settings(database_url=f"sqlite:///{tmp_path / 'x.sqlite3'}"))


def test_as_many_requests_wait_at_once_as_there_are_connections(sqlite_template: Path, tmp_path: Path) -> None:
    """Were there fewer threads, a few requests that wait for one lock would stall every page."""
    house = open_database(f"sqlite:///{copy(sqlite_template, tmp_path / 'house.sqlite3')}")
    built = create_app(Settings(secret=SECRET), database=house)
    barrier = threading.Barrier(POOL_SIZE)

    async def all_at_once() -> None:
        async with built.lifespan():
            turns = await asyncio.gather(*(asyncio.to_thread(barrier.wait, 10) for _ in range(POOL_SIZE)))
        # With a thread too few the barrier breaks after 10 s; each that waited has a turn of its own.
        assert sorted(turns) == list(range(POOL_SIZE))

    asyncio.run(all_at_once())
    house.dispose()


def test_a_busy_database_answers_503_with_a_time_to_come_back(sqlite_template: Path, tmp_path: Path) -> None:
    path = copy(sqlite_template, tmp_path / "house.sqlite3")
    # A lock that nobody gives back, and little patience.
    house = open_database(f"sqlite:///{path}", sqlite_wait_seconds=0.05)
    built = create_app(Settings(secret=SECRET, secure_cookies=False, demo=True), database=house)
    with TestClient(built) as client, house.write():
        client.get("/sign-in")
        answer = client.post("/sign-in/demo", data={"_csrf_token": client.cookies["csrf"], "login": "nobody"})
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    house.dispose()
