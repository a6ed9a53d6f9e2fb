"""Live updates over HTTP: how calendars stand, then what changed, and nothing of what stands in them."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import datetime

import httpx
import pytest
from litestar import Litestar

from labshare.domain.bookings import Wish
from labshare.live import Hub
from labshare.services import bookings
from labshare.store.bookings import lock
from labshare.store.engine import Database
from labshare.web import live
from tests.browser import serving
from tests.furniture import FESEM, PUBLIC_PROJECT, RESEARCHER, actor, span
from tests.web.conftest import Client

Event = tuple[str, int]


@pytest.fixture
def app(application: Litestar, house: Database) -> Litestar:
    return application


@contextmanager
def stream(site: str, instruments: str) -> Generator[Iterator[Event]]:
    """The events of a stream, as (instrument, version), for as long as the test reads them."""
    with httpx.stream("GET", f"{site}/live?instruments={instruments}", timeout=5) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-cache"
        yield told_by(answer)


def told_by(answer: httpx.Response) -> Iterator[Event]:
    name = ""
    for line in answer.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            assert name == "calendar"
            told = json.loads(line.removeprefix("data: "))
            assert told.keys() == {"instrument", "version"}
            yield told["instrument"], told["version"]


def book(house: Database, hour: int, now: datetime) -> None:
    wish = Wish(instrument_number=FESEM, span=span(26, hour, hour + 1), project_id=PUBLIC_PROJECT, purpose="Bí mật")
    with house.write() as db:
        bookings.book(db, actor(RESEARCHER), wish, now)


def test_a_stream_begins_with_how_things_stand_and_goes_on_with_what_changes(
    app: Litestar, house: Database, now: datetime
) -> None:
    with serving(app) as site, stream(site, "N001,N002") as told:
        assert [next(told), next(told)] == [("N001", 0), ("N002", 0)]
        book(house, 9, now)
        committed = time.monotonic()
        assert next(told) == ("N001", 1)
        assert time.monotonic() - committed < 1
        book(house, 11, now)
        assert next(told) == ("N001", 2)


def test_a_watcher_hears_of_its_own_instruments_alone(app: Litestar, house: Database, now: datetime) -> None:
    with serving(app) as site, stream(site, "N002") as told:
        assert next(told) == ("N002", 0)
        hub: Hub = app.state.hub
        book(house, 9, now)
        hub.publish("calendar", {"instrument": "N001", "version": 7, "number": 1})
        hub.publish("calendar", {"instrument": "N002", "version": 3, "number": 2})
        assert next(told) == ("N002", 3)


def test_a_watcher_that_fell_behind_is_told_how_things_stand(house: Database) -> None:
    async def watch() -> list[object]:
        hub = Hub(size=1)
        told = live.events(house, hub, ["N001", "N002"])
        first = [(await anext(told)).data, (await anext(told)).data]
        with house.write() as db:
            lock(db, [FESEM])
        # The event loop has no turn in between, so two messages wait where one has room: both are given up.
        for _ in range(2):
            hub.publish("calendar", {"instrument": "N002", "version": 9})
        return [*first, (await anext(told)).data, (await anext(told)).data]

    def said(instrument: str, version: int) -> str:
        return f'{{"instrument":"{instrument}","version":{version}}}'

    assert asyncio.run(watch()) == [said("N001", 0), said("N002", 0), said("N001", 1), said("N002", 0)]


def until(holds: Callable[[], bool]) -> bool:
    """Whether it comes to hold within five seconds."""
    for _ in range(100):
        if holds():
            return True
        time.sleep(0.05)
    return False


def test_a_page_that_is_closed_is_forgotten(app: Litestar) -> None:
    hub: Hub = app.state.hub
    with serving(app) as site:
        with stream(site, "N001") as told:
            assert next(told) == ("N001", 0)
            assert hub.watchers == 1
        assert until(lambda: hub.watchers == 0)


def test_streams_end_when_the_application_stops(app: Litestar) -> None:
    """Heard to the end: the server says goodbye instead of leaving the reader to find out."""
    ended = threading.Event()

    def listen(site: str) -> None:
        with stream(site, "N001") as told:
            list(told)
        ended.set()

    with serving(app) as site:
        threading.Thread(target=listen, args=(site,), daemon=True).start()
        assert until(lambda: app.state.hub.watchers == 1)
        app.state.hub.close()
        assert ended.wait(2)


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("", 400),
        (",,", 400),
        ("N999", 404),
        ("N001,N999", 404),
        (",".join(f"N{n:03}" for n in range(live.MOST_INSTRUMENTS + 1)), 400),
    ],
)
def test_a_stream_of_nothing_of_strangers_or_of_everything_is_refused(client: Client, asked: str, status: int) -> None:
    assert client.get(f"/live?instruments={asked}").status_code == status
