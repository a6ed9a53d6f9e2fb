"""A known plan made better: a part of it is decided anew, where the relaxation would rather have somebody who waits.

Each turn takes a family that was left out, goes to the starts that the relaxation gives it, frees the sessions around
them, and lets CP-SAT fill the place again. What must not live here: proofs.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from random import Random

import numpy as np

from labshare.scheduler.layout import Ints
from labshare.scheduler.plan import Session
from labshare.scheduler.search import STEP, Limits, OnBetter, ShouldStop
from labshare.scheduler.timed import Timed, values_of, whole
from labshare.scheduler.timed_model import EXACT, Bools, Floats, Relaxed
from labshare.scheduler.timed_solver import decide

# Sessions freed in a turn, about, one of these; and the most work of a turn in steps.
FREED = (4, 6, 10)
STEPS_A_TURN = 10
# After so many turns without a better plan twice as much is freed, then three times, up to so many times.
WAIT, MOST_SCALE = 12, 4.0
# Starts that lose more than so many times what a session is worth are left out of a turn.
DEAR = (0.1, 0.3)
# How far around a start sessions are freed, in slots, at first; then so many times as far until there are enough.
AROUND, FARTHER, FARTHEST = 4, 1.4, 200
# What the relaxation gives counts from here.
SOME = 1e-6

# An instrument and the slots of a start on it.
Place = tuple[int, int, int]


def polish(
    timed: Timed,
    relaxed: Relaxed,
    known: Sequence[Session],
    limits: Limits,
    on_better: OnBetter,
    should_stop: ShouldStop,
) -> list[Session]:
    """The best plan found from `known` until the budget is spent; each better one is told with the relaxed bound."""
    began = time.monotonic()

    def is_over() -> bool:
        return should_stop() or (limits.seconds is not None and time.monotonic() - began >= limits.seconds)

    best = list(known)
    values = values_of(timed, known)
    if values is None:
        return best
    turns = None if limits.steps is None else limits.steps // STEPS_A_TURN
    polisher = _Polisher(timed, relaxed, values, limits.seed)
    while not is_over() and (turns is None or polisher.turns < turns) and polisher.has_more:
        if polisher.turn(is_over):
            best = timed.model.sessions(polisher.values)
            on_better(best, whole(relaxed.bound))
    return best


class _Polisher:
    """The values of the best plan so far, and what the relaxation thinks of each start."""

    def __init__(self, timed: Timed, relaxed: Relaxed, values: Floats, seed: int) -> None:
        self._model, self._program = timed.model, timed.program
        self.values = values
        self.turns = 0
        self._idle = 0
        self._size = self._model.size
        self._liked: Floats = relaxed.values[: self._size]
        self._lost: Floats = -relaxed.reduced[: self._size]
        self._bundles = timed.bundles
        # The variables that are no columns, and the entries that they are in.
        self._others = np.arange(self._size, len(values))
        self._entries = self._program.entries_of(self._others)
        self._mean = float(np.abs(self._model.columns.value).sum()) / max(1, self._size)
        self._seed = seed
        self._random = Random(seed)  # noqa: S311  a search, not a secret
        self._line = self._model.instrument
        requests = len(timed.problem.requests)
        liked_value: Floats = self._liked * self._model.columns.value
        self._weight = np.bincount(self._model.columns.request, weights=liked_value, minlength=requests)
        self._tried: defaultdict[int, int] = defaultdict(int)
        self._families = {r: [r] for r in range(requests)}
        number = self._model.layout.request_index
        for family in (*timed.problem.groups, *timed.problem.linked):
            members = [number[request] for request in family.requests]
            self._families |= dict.fromkeys(members, members)

    @property
    def has_more(self) -> bool:
        """Is anybody left out who has a start at all?"""
        return len(self._waiting()) > 0

    def turn(self, should_stop: ShouldStop) -> bool:
        """Decide one place anew; True when the plan got better."""
        self.turns += 1
        free = self._with_others(self._freed(self._places(self._family())))
        lower = np.where(free, self._program.lower, self.values)
        upper = np.where(free, self._program.upper, self.values)
        rest = self._program.rest(lower, upper)
        if rest is None:
            return False
        seed = self._seed + self.turns
        steps = STEPS_A_TURN * STEP * self._scale
        found = decide(rest.program, self.values[rest.free], steps=steps, seed=seed, should_stop=should_stop)
        self._idle += 1
        if found is None:
            return False
        values = rest.whole(found)
        more = self._program.objective(values) - self._program.objective(self.values)
        if more >= -EXACT:
            self.values = values
        if more >= 1 - EXACT:
            self._idle = 0
            self._tried.clear()
        return more >= 1 - EXACT

    @property
    def _scale(self) -> float:
        """The longer nothing gets better, the more is freed at once."""
        return min(MOST_SCALE, 1 + self._idle / WAIT)

    def _placed(self) -> Ints:
        return np.flatnonzero(self.values[: self._size] > 0.5)

    def _waiting(self) -> Ints:
        return np.setdiff1d(self._model.columns.requests, self._model.columns.request[self._placed()])

    def _family(self) -> list[int]:
        """A family with somebody who waits: rather one that the relaxation would serve, and rather a new one."""
        waiting = self._waiting().tolist()
        weights = [
            (5 + sum(float(self._weight[member]) for member in self._families[r])) / (1 + 3 * self._tried[r])
            for r in waiting
        ]
        family = self._families[self._random.choices(waiting, [max(0.1, weight) for weight in weights])[0]]
        for member in family:
            self._tried[member] += 1
        return family

    def _places(self, family: Sequence[int]) -> list[Place]:
        """For each member a start that the relaxation likes, sometimes the same time elsewhere, and where it is now."""
        places: list[Place] = []
        for member in family:
            columns = self._model.columns_of(member)
            if not len(columns):
                continue
            liked = columns[self._liked[columns] > SOME]
            if not len(liked):
                liked = columns[self._lost[columns] <= self._lost[columns].min() + SOME]
            chosen = self._random.choices(liked.tolist(), (self._liked[liked] + 1e-3).tolist())[0]
            line, start, end = self._place(chosen)
            others = sorted(set(self._line[columns].tolist()) - {line})
            places += [(line, start, end), *((other, start, end) for other in others if self._random.random() < 0.5)]
            places += [self._place(column) for column in columns[self.values[columns] > 0.5].tolist()]
        return places

    def _place(self, column: int) -> Place:
        return int(self._line[column]), int(self._model.columns.start[column]), int(self._model.end[column])

    def _freed(self, places: Sequence[Place]) -> Bools:
        """The starts to choose from: around these places, for those who are there and those who wait."""
        placed, around = self._placed(), float(AROUND)
        hit = placed[self._is_near(placed, places, around)]
        wanted = self._random.choice(FREED) * self._scale
        while len(hit) < wanted and around < FARTHEST:
            around = around * FARTHER + 1
            hit = placed[self._is_near(placed, places, around)]
        moves = np.ones(len(self._weight), dtype=bool)
        moves[self._model.columns.request[np.setdiff1d(placed, hit)]] = False
        free = self._is_near(np.arange(self._size), places, around) | (self._liked > SOME)
        free &= moves[self._model.columns.request] & (self._lost <= self._mean * self._random.choice(DEAR))
        free[hit] = True
        return free

    def _with_others(self, free: Bools) -> Bools:
        """By variable: these columns are free, and of the other variables those that may follow them."""
        variables = np.flatnonzero(free)
        rows = self._program.row[self._program.entries_of(variables)]
        touched = np.zeros(len(self._program.low), dtype=bool)
        touched[rows] = True
        entries = self._entries[touched[self._program.row[self._entries]]]
        bundles = self._bundles[self._program.variable[entries]]
        return np.concatenate((free, np.isin(self._bundles[self._others], bundles)))

    def _is_near(self, columns: Ints, places: Sequence[Place], around: float) -> Bools:
        line, start, end = self._line[columns], self._model.columns.start[columns], self._model.end[columns]
        near = np.zeros(len(columns), dtype=bool)
        for where, first, last in places:
            near |= (line == where) & (start < last + around) & (end > first - around)
        return near
