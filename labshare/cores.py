"""The core of the machine on which all threads of the server run together.

Python runs one thread at a time, whichever core it is on. Where the system spreads the threads of a server, each turn
carries their data from one core to another and wakes it up: a refusal over HTTP then costs up to two thirds more. So
they keep to one core, the least busy, and move when others make much use of it. What runs beside the server (a solver)
has all cores, and so has what runs long without Python: SQLite, where it adds up months of bookings. On systems that do
not let a process choose (all but Linux) nothing happens.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

CAN_CHOOSE = hasattr(os, "sched_setaffinity")
# Others must use so much less of another core, as a share of its time, before the threads move there.
WORTH_A_MOVE = 0.25
_STAT = Path("/proc/stat")
_THREADS = Path("/proc/self/task")
# What of a line of /proc/stat is time without work: idle and iowait (proc_stat(5)).
_RESTING = (3, 4)


class Cores:
    """Which cores this process may use, and the one that its threads keep to (None: none yet)."""

    def __init__(self, allowed: frozenset[int] | None = None) -> None:
        self._allowed = allowed_cores() if allowed is None else allowed
        self.kept: int | None = None
        self._seen = _ticks()
        self._own = time.process_time()

    def keep(self) -> None:
        """Choose by what was used since this was last asked, and let every thread of this process keep to the choice.

        To be called now and then. Threads that start later begin where the thread that starts them is.
        """
        if len(self._allowed) < 2:
            return
        ticks, own = _ticks(), time.process_time()
        ours = (own - self._own) * os.sysconf("SC_CLK_TCK")
        used = {
            core: (busy - self._seen[core][0] - ours * (core == self.kept)) / max(1, total - self._seen[core][1])
            for core, (busy, total) in ticks.items()
            if core in self._allowed and core in self._seen
        }
        self._seen, self._own = ticks, own
        chosen = choice(self.kept, used)
        # Two servers that flee from each other would meet again for ever: half of the time one stays where it is.
        if chosen is None or chosen == self.kept or (self.kept is not None and random.random() < 0.5):  # noqa: S311  no secret
            return
        try:
            _move({chosen})
        except OSError:
            # It was taken from this process meanwhile, as containers do.
            self._allowed -= {chosen}
        else:
            self.kept = chosen

    def release(self) -> None:
        """Let every thread use every core again."""
        if self.kept is not None:
            self.kept = None
            with suppress(OSError):
                _move(self._allowed)

    @contextmanager
    def all(self) -> Generator[None]:
        """Meanwhile this thread may use every core, and so may a process that it starts."""
        if self.kept is None:
            yield
            return
        # A core may have been taken from this process: then it stays where it is.
        with suppress(OSError):
            os.sched_setaffinity(0, self._allowed)
        try:
            yield
        finally:
            with suppress(OSError):
                os.sched_setaffinity(0, {self.kept})


def choice(kept: int | None, used: Mapping[int, float]) -> int | None:
    """The core of which others use least; the one that is kept, unless another is worth a move. None if none is known.

    `used` is the share of each core's time that others used, about 0 to 1.
    """
    if not used:
        return kept
    best = min(used, key=lambda core: (used[core], core))
    if kept is None or kept not in used:
        return best
    return best if used[kept] - used[best] >= WORTH_A_MOVE else kept


def allowed_cores() -> frozenset[int]:
    """The cores that this thread may use; none where a process cannot choose."""
    return frozenset(os.sched_getaffinity(0)) if CAN_CHOOSE else frozenset()


def _ticks() -> dict[int, tuple[int, int]]:
    """Of each core the ticks of its time that it worked, and all of them; nothing where the system does not tell."""
    try:
        told = _STAT.read_text()
    except OSError:
        return {}
    found: dict[int, tuple[int, int]] = {}
    for line in told.splitlines():
        name, *numbers = line.split()
        if name.startswith("cpu") and name != "cpu":
            ticks = [int(number) for number in numbers[:8]]
            found[int(name[3:])] = (sum(ticks) - sum(ticks[place] for place in _RESTING), sum(ticks))
    return found


def _move(cores: Collection[int]) -> None:
    # Twice, for a thread that was started meanwhile by one whose turn had not come.
    for _ in range(2):
        for thread in _THREADS.iterdir():
            # One that has just ended needs no core.
            with suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread.name), cores)


# A process has one set of cores, whoever in it asks.
OURS = Cores()
