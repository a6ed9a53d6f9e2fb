"""The hub: what is published reaches each watcher of its topic, in order, from any thread, and never without bound."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

from labshare.live import MISSED, Hub, Live

BEAT = 0.05
PATIENCE = 5.0


async def read(messages: AsyncIterator[Live | None], count: int) -> list[Live | None]:
    async with asyncio.timeout(PATIENCE):
        return [await anext(messages) for _ in range(count)]


def test_each_watcher_gets_its_topics_in_order() -> None:
    async def story() -> None:
        hub = Hub()
        with hub.subscribe(["calendar"]) as calendar, hub.subscribe(["plans"]) as plans:
            publisher = threading.Thread(target=lambda: [hub.publish("calendar", {"version": k}) for k in range(3)])
            publisher.start()
            publisher.join()
            hub.publish("plans", {"plan": "p"})
            read_calendar = await read(calendar.messages(BEAT), 3)
            assert [message.payload["version"] for message in read_calendar if message] == [0, 1, 2]
            (of_plans,) = await read(plans.messages(BEAT), 1)
            assert of_plans == Live(topic="plans", payload={"plan": "p"})

    asyncio.run(story())


def test_a_reader_that_waits_is_woken_from_another_thread() -> None:
    async def story() -> None:
        hub = Hub()
        with hub.subscribe(["calendar"]) as calendar:
            threading.Timer(0.1, lambda: hub.publish("calendar", {"version": 7})).start()
            # Longer than the story may take: only the message can wake the reader.
            (message,) = await read(calendar.messages(60), 1)
            assert message is not None
            assert message.payload == {"version": 7}

    asyncio.run(story())


def test_a_quiet_line_beats() -> None:
    async def story() -> None:
        with Hub().subscribe(["calendar"]) as calendar:
            assert await read(calendar.messages(BEAT), 2) == [None, None]

    asyncio.run(story())


def test_a_reader_that_is_too_slow_is_told_once_that_it_missed_something() -> None:
    async def story() -> None:
        hub = Hub(size=3)
        with hub.subscribe(["calendar"]) as calendar:
            for version in range(5):
                hub.publish("calendar", {"version": version})
            # The fourth did not fit: it and the three before it became one word; the fifth followed.
            first, second = await read(calendar.messages(BEAT), 2)
            assert first == Live(topic=MISSED, payload={})
            assert second == Live(topic="calendar", payload={"version": 4})

    asyncio.run(story())


def test_whoever_leaves_is_forgotten() -> None:
    async def story() -> None:
        hub = Hub()
        with hub.subscribe(["calendar"]):
            assert hub.watchers == 1
        assert hub.watchers == 0

    asyncio.run(story())


def test_closing_ends_every_stream_and_those_that_come_after() -> None:
    async def story() -> None:
        hub = Hub()
        with hub.subscribe(["calendar"]) as before:
            threading.Timer(0.1, hub.close).start()
            async with asyncio.timeout(PATIENCE):
                assert [message async for message in before.messages(60)] == []
        with hub.subscribe(["calendar"]) as after:
            assert [message async for message in after.messages(60)] == []

    asyncio.run(story())


def test_publishing_after_a_reader_s_loop_has_ended_harms_nobody() -> None:
    hub = Hub()

    async def leave_without_a_word() -> None:
        hub.subscribe(["calendar"])

    asyncio.run(leave_without_a_word())
    hub.publish("calendar", {"version": 1})
    assert hub.watchers == 1
