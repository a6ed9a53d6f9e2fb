"""The work beside requests, in the serving process: one thread ticks, one runs plans, one sends letters. Rows are the
truth, threads only make them quick: whatever a stopped process leaves, the next one finds (ARCHITECTURE.md,
decision 7).

What must not live here: SQL, or what a deadline or a plan means (services).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

from labshare.live import Hub
from labshare.services import Database, plans, ticking
from labshare.services.notices import LETTERS
from labshare.solving import Clock, run_next, utc_now

# Nobody waits longer than this for what a write in another process, or a deadline, has left to do.
TICK_SECONDS = 1.0
STOP_SECONDS = 1.0
BURST_SECONDS = 0.05
# What tells that a plan was queued, so that the runner need not ask after every booking.
PLANS = "plans"
FORGET_EVERY = timedelta(hours=1)

log = logging.getLogger(__name__)


class Jobs:
    """Start it with the server and stop it with the server. Every write of this process wakes it at once."""

    def __init__(
        self, database: Database, hub: Hub, *, clock: Clock = utc_now, send: Callable[[], None] = lambda: None
    ) -> None:
        self._database = database
        self._hub = hub
        self._clock = clock
        self._forgets_at = clock()
        self._stopping = threading.Event()
        self._ticks = threading.Event()
        self._runs = threading.Event()
        self._letters = threading.Event()
        self._threads = [
            threading.Thread(target=self._repeat, args=(self.tick, self._ticks), name="ticker", daemon=True),
            threading.Thread(target=self._repeat, args=(self.run_plans, self._runs), name="plans", daemon=True),
            threading.Thread(target=self._repeat, args=(send, self._letters), name="letters", daemon=True),
        ]

    def start(self) -> None:
        self._database.after_write.append(self._tick_soon)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads, each within `STOP_SECONDS`; a plan that runs is given back to the next process."""
        self._database.after_write.remove(self._tick_soon)
        self._stopping.set()
        self.wake()
        for thread in self._threads:
            thread.join(STOP_SECONDS)

    def wake(self) -> None:
        """Look for work now. Cheap, and safe from any thread."""
        self._ticks.set()
        self._runs.set()
        self._letters.set()

    def _tick_soon(self) -> None:
        """After a write. The ticker's own writes leave nothing that it would not see by itself within a second."""
        if threading.current_thread() is not self._threads[0]:
            self._ticks.set()

    def tick(self) -> None:
        """Deliver what waits, then do what is due."""
        self._deliver()
        now = self._clock()
        with self._database.read() as db:
            rows = ticking.deadlines(db, now)
        for row in rows:
            try:
                with self._database.write() as db:
                    ticking.deal_with(db, row, now)
            except Exception:
                # One deadline that cannot be dealt with must not hold up the rest.
                log.exception("deadline %s of %s failed, attempt %d", row.kind, row.noun_id, row.attempts + 1)
                with self._database.write() as db:
                    ticking.put_off(db, row, now)

    def run_plans(self) -> None:
        """Run plans, one after the other, until none waits."""
        while not self._stopping.is_set() and self._has_plan():
            run_next(self._database, clock=self._clock, stopping=self._stopping)

    def _has_plan(self) -> bool:
        # Asked by reading first: a writer's turn each second for nothing would be a pity.
        with self._database.read() as db:
            return plans.is_waiting(db, self._clock())

    def _deliver(self) -> None:
        with self._database.read() as db:
            waiting = ticking.messages(db)
        for message in waiting:
            self._hub.publish(message.topic, message.payload)
            if message.topic == PLANS:
                self._runs.set()
            if message.topic == LETTERS:
                self._letters.set()
        if waiting:
            now = self._clock()
            with self._database.write() as db:
                ticking.delivered(db, waiting, now)
                if now >= self._forgets_at:
                    ticking.forget(db, now)
                    self._forgets_at = now + FORGET_EVERY

    def _repeat(self, work: Callable[[], None], woken: threading.Event) -> None:
        while not self._stopping.is_set():
            woken.clear()
            try:
                work()
            except Exception:
                # A database that is busy or away for a while must not end the thread.
                log.exception("the thread %s failed and goes on", threading.current_thread().name)
                self._stopping.wait(TICK_SECONDS)
            if woken.wait(TICK_SECONDS):
                # A burst of writes is told in one go; nobody sees a twentieth of a second.
                self._stopping.wait(BURST_SECONDS)
