"""What is left of a budget: seconds on a clock, or steps of counted work, of which a part can be set aside.

Under a budget of steps nothing here looks at a clock, so that what is decided by it is decided alike every time.
"""

from __future__ import annotations

import time
from dataclasses import replace

from labshare.scheduler.search import Limits, ShouldStop


class Allowance:
    """`spent` runs from 0 to 1 and stays 0 where there is no limit."""

    def __init__(self, limits: Limits, should_stop: ShouldStop) -> None:
        self._limits = limits
        self._should_stop = should_stop
        self._began = time.monotonic()
        self.steps = 0.0

    def charge(self, steps: float) -> None:
        """So many steps of work are done."""
        self.steps += steps

    @property
    def spent(self) -> float:
        if self._limits.steps is not None:
            return min(1.0, self.steps / max(1, self._limits.steps))
        if self._limits.seconds is not None:
            return min(1.0, (time.monotonic() - self._began) / max(1e-9, self._limits.seconds))
        return 0.0

    def is_over(self) -> bool:
        return self.spent >= 1.0 or self._should_stop()

    def left(self) -> Limits:
        """The limits of what is left of it."""
        steps, seconds = self._limits.steps, self._limits.seconds
        return replace(
            self._limits,
            steps=None if steps is None else max(0, int(steps - self.steps)),
            seconds=None if seconds is None else max(0.0, seconds - (time.monotonic() - self._began)),
        )

    def part(self, share: float, steps: int) -> Allowance:
        """A share of what is left, from now on; so many steps of it where there is no limit. Charge both."""
        left = self.left()
        if left.steps is None and left.seconds is None:
            return Allowance(replace(left, steps=steps), self._should_stop)
        return Allowance(
            replace(
                left,
                steps=None if left.steps is None else int(left.steps * share),
                seconds=None if left.seconds is None else left.seconds * share,
            ),
            self._should_stop,
        )
