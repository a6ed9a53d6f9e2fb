"""Live updates inside one process: who watches a topic is told that something changed, and fetches what they may see.

`Hub.publish` is called by the ticker's thread (jobs.py), subscriptions are read by the event loop. What must not live
here: HTTP, or anything worth keeping; a message that is missed costs one more look, never a booking.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Collection, Mapping

import msgspec

# Told instead of what did not fit: the reader should fetch everything anew.
MISSED = "missed"


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one watcher, as in topic `calendar`: {"instrument": "N001", "version": 7}."""

    topic: str
    payload: Mapping[str, str | int]


class Subscription:
    """What one watcher has not read yet, bounded. Use it as a context manager, in the event loop that reads it."""

    def __init__(self, hub: Hub, topics: Collection[str], size: int) -> None:
        self.topics = frozenset(topics)
        self._hub = hub
        self._size = size
        self._waiting: deque[Live] = deque()
        self._loop = asyncio.get_running_loop()
        self._something = asyncio.Event()
        self._closed = False

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self._hub.leave(self)

    def put(self, message: Live) -> None:
        """Called by the hub, under its lock, from any thread."""
        if len(self._waiting) >= self._size:
            self._waiting.clear()
            message = Live(topic=MISSED, payload={})
        self._waiting.append(message)
        self._wake()

    def end(self) -> None:
        """Called by the hub when the process stops: the reader leaves its loop."""
        self._closed = True
        self._wake()

    async def messages(self, beat_seconds: float) -> AsyncIterator[Live | None]:
        """Every message in its order, and None whenever nothing came for so long: time to prove the line is alive."""
        while not self._closed:
            while self._waiting:
                yield self._waiting.popleft()
            self._something.clear()
            if self._waiting or self._closed:
                continue
            try:
                await asyncio.wait_for(self._something.wait(), beat_seconds)
            except TimeoutError:
                yield None

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._something.set)
        except RuntimeError:
            # The reader's event loop has ended before its subscription: there is nobody left to wake.
            self._closed = True


class Hub:
    """All subscriptions of this process. More than one process would each tell half of the readers."""

    def __init__(self, *, size: int = 100) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._subscriptions: set[Subscription] = set()
        self._closed = False

    def subscribe(self, topics: Collection[str]) -> Subscription:
        """Start listening to these topics. To be called in the event loop that will read."""
        subscription = Subscription(self, topics, self._size)
        with self._lock:
            if self._closed:
                subscription.end()
            self._subscriptions.add(subscription)
        return subscription

    def publish(self, topic: str, payload: Mapping[str, str | int]) -> None:
        """Tell everybody who listens to the topic. From any thread; never waits for a reader."""
        message = Live(topic=topic, payload=payload)
        with self._lock:
            for subscription in self._subscriptions:
                if topic in subscription.topics:
                    subscription.put(message)

    def leave(self, subscription: Subscription) -> None:
        with self._lock:
            self._subscriptions.discard(subscription)

    def open(self) -> None:
        """Take subscriptions, also again after `close`: an application can be started anew."""
        with self._lock:
            self._closed = False

    def close(self) -> None:
        """End every subscription, so that open streams do not hold up the stop of the server."""
        with self._lock:
            self._closed = True
            for subscription in self._subscriptions:
                subscription.end()

    @property
    def watchers(self) -> int:
        with self._lock:
            return len(self._subscriptions)
