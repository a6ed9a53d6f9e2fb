"""A first plan from the relaxation: hold what it is nearly sure of, relax again, decide what little is left exactly.

Where rules couple many requests this is far better than placing one after the other, since the relaxation sees all
rules at once. What must not live here: proofs; what is held may be wrong.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from labshare.scheduler.layout import Ints
from labshare.scheduler.plan import Session
from labshare.scheduler.search import Limits, ShouldStop
from labshare.scheduler.timed import Timed, nodes_within
from labshare.scheduler.timed_model import EXACT, Floats, Program, Relaxed, Rest
from labshare.scheduler.timed_solver import mix, relax

# Of so many requests the surest start is held even where it is only fairly sure.
ONE_OF = 25
# What is held at once may cost at most this part of the bound; a single start that costs more is forbidden instead.
DEAR = 0.003
# So few free variables are decided exactly, within so many nodes and this part of the seconds or steps.
FEW = 3000
NODES = 500
PART_OF_SECONDS, PART_OF_STEPS = 0.04, 0.1
# What was decided exactly in full is decided again with so many times as much free.
WIDER = 1.3


@dataclass(frozen=True)
class Boldness:
    """A start is held when the relaxation gives it at least `sure`, or is among the surest and has `fairly_sure`.

    Above one half no two held starts shut each other out.
    """

    sure: float
    fairly_sure: float


# Which of the two comes to the better plan depends on the problem, and by up to 3 %.
BOLD, CAREFUL = Boldness(0.6, 0.55), Boldness(0.75, 0.6)


def dive(
    timed: Timed, relaxed: Relaxed, limits: Limits, should_stop: ShouldStop, boldness: Boldness = BOLD
) -> list[Session] | None:
    """A plan that keeps every rule, or None when none was found.

    Under a budget of steps the answer depends on the problem and the seed alone.
    """
    began = time.monotonic()

    def left() -> float | None:
        return None if limits.seconds is None else limits.seconds - (time.monotonic() - began)

    def is_over() -> bool:
        return should_stop() or (left() or 1) <= 0

    rest = timed.program.rest(timed.program.lower, timed.program.upper)
    if rest is None:
        return None
    trail = _Trail(timed, relaxed, rest, boldness)
    while len(trail.rest.program.gain) > FEW and not is_over() and trail.go_on(left, should_stop):
        pass
    best: Floats | None = None
    while not is_over():
        rest, seconds = trail.rest, left()
        mixed = mix(
            rest.program,
            seconds=None if seconds is None else PART_OF_SECONDS * seconds,
            nodes=_nodes(rest.program, limits.steps),
            seed=limits.seed,
            known=None if best is None else best[rest.free],
            should_stop=should_stop,
        )
        if mixed.values is not None:
            best = rest.whole(mixed.values)
        is_best = mixed.values is not None and mixed.bound < rest.program.objective(mixed.values) + 1 - EXACT
        if (best is not None and not is_best) or not trail.go_back(WIDER if best is not None else 1.0):
            break
    return None if best is None else timed.model.sessions(best)


def _nodes(program: Program, steps: int | None) -> int:
    """As many nodes as a part of the steps pays for; one in any case, or there would be no plan."""
    return NODES if steps is None else max(1, min(NODES, nodes_within(program, int(PART_OF_STEPS * steps))))


class _Trail:
    """How far the dive has come: bounds of all variables, the rest that is free, and the values it would like."""

    def __init__(self, timed: Timed, relaxed: Relaxed, rest: Rest, boldness: Boldness) -> None:
        self._boldness = boldness
        self._program = timed.program
        self._size = timed.model.size
        self._requests = len(timed.problem.requests)
        self.rest = rest
        self._lower, self._upper = self._program.lower, self._program.upper
        self._values, self._bound = relaxed.values, relaxed.bound
        self._past: list[tuple[Floats, Floats, Rest]] = []

    def go_on(self, left: Callable[[], float | None], should_stop: ShouldStop) -> bool:
        """Hold what is sure, less of it where that cannot be; False when nothing more can be held."""
        sure = self._fitting(self._sure())
        while len(sure):
            lower = self._lower.copy()
            lower[sure] = 1.0
            upper = self._program.shut(lower, self._upper)
            rest = self._program.rest(lower, upper)
            found = rest and relax(rest.program, seconds=left(), steps=None, should_stop=should_stop)
            if rest and found and found.bound >= self._bound - DEAR * abs(self._bound):
                self._bound = found.bound
                self._past.append((self._lower, self._upper, self.rest))
                self._lower, self._upper, self.rest = lower, upper, rest
                self._values = rest.whole(found.values)
                return True
            if should_stop() or (left() or 1) <= 0:
                return False
            if len(sure) == 1:
                self._upper = self._upper.copy()
                self._upper[sure] = 0.0
                sure = self._fitting(self._sure())
            else:
                sure = sure[: len(sure) // 2]
        return False

    def go_back(self, wider: float) -> bool:
        """Let go of what was held last, until so many times as much is free; False when nothing was held."""
        free = len(self.rest.program.gain)
        if not self._past:
            return False
        while self._past and len(self.rest.program.gain) <= wider * free:
            self._lower, self._upper, self.rest = self._past.pop()
        return True

    def _fitting(self, sure: Ints) -> Ints:
        """Those that can be held together as far as one row alone can tell: of a row's too many the surest stay."""
        while len(sure):
            lower = self._lower.copy()
            lower[sure] = 1.0
            too_many = np.flatnonzero(self._program.in_broken_rows(lower, self._upper)[sure])
            if not len(too_many):
                return sure
            sure = np.delete(sure, too_many[len(too_many) // 2 :])
        return sure

    def _sure(self) -> Ints:
        """The free starts that the relaxation is sure of, surest first; at least the surest of all."""
        free = self._lower[: self._size] < self._upper[: self._size]
        values = np.where(free, self._values[: self._size], 0.0)
        order = np.argsort(-values, kind="stable")
        few = min(int((values >= self._boldness.fairly_sure).sum()), self._requests // ONE_OF)
        sure = order[: max(1, few, int((values >= self._boldness.sure).sum()))]
        return sure[values[sure] > 0]
