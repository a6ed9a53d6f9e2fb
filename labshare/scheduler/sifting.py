"""The linear relaxation of a program with many columns, a few of them at a time, made closer by rows that it breaks.

First those columns that some prices like best, for each request a few; then again with those that the new prices would
rather have, from the basis at hand, until none could change much. Then the same with rows that every plan keeps and
these values break, while that leads on. Whatever was left out when time is over, the prices prove a bound.
What must not live here: what a column means, which rows every plan keeps.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from labshare.scheduler.layout import Ints
from labshare.scheduler.search import ShouldStop
from labshare.scheduler.timed_model import EXACT, Bools, Floats, Program, Relaxed, Rows
from labshare.scheduler.timed_solver import Basis, priced, relax, simplex

# Columns of each request to begin with, and more of them each time.
FIRST, MORE = 12, 8
# Times that rows are added at most; the last are those that bring less than a share of what all before have brought.
ROUNDS, LEAST = 12, 0.15
# No more columns are let in once they could change the bound by at most this part of it.
CLOSE = 1e-4

# Rows that every plan keeps and these values break; the same row never twice.
Broken = Callable[[Floats], Rows]


def sift(
    program: Program,
    request: Ints,
    liked: Floats,
    broken: Broken,
    *,
    seconds: float | None,
    steps: float | None,
    should_stop: ShouldStop,
) -> tuple[Program, Relaxed] | None:
    """The program with the rows that its relaxation turned out to need, and that relaxation or the best bound on the
    way there; None when it was stopped before it had prices.

    The first variables are columns, in the order of their requests (`request`); `liked` says which of them to begin
    with. `steps` is deterministic time, of each of the relaxations on the way.
    """
    began = time.monotonic()

    def left() -> float | None:
        return None if seconds is None else max(0.0, seconds - (time.monotonic() - began))

    sieve = _Sieve(program, request, steps, should_stop)
    sieve.let_in(liked, FIRST)
    found, is_settled = sieve.settle(left)
    if found is None:
        # The few cannot keep a hard rule, or time is over: then all of them, for as long as there is.
        relaxed = None if should_stop() else relax(program, seconds=left(), steps=steps, should_stop=should_stop)
        return None if relaxed is None else (program, relaxed)
    return _closer(sieve, found, broken, left) if is_settled else (program, found)


def _closer(sieve: _Sieve, found: Relaxed, broken: Broken, left: Callable[[], float | None]) -> tuple[Program, Relaxed]:
    """The program and its relaxation with ever more rows that it breaks; of those that come to cost nothing none."""
    program, first, own_rows = sieve.program, found.bound, len(sieve.program.low)
    for _ in range(ROUNDS):
        rows = broken(found.values)
        if not len(rows):
            break
        sieve.add(rows)
        closer, is_settled = sieve.settle(left)
        if closer is None or not is_settled:
            break
        brought = found.bound - closer.bound
        if brought <= 0:
            break
        found, program = closer, sieve.program
        if brought <= LEAST * (first - found.bound):
            break
    kept = np.abs(found.prices) > EXACT
    kept[:own_rows] = True
    return program.of_rows(kept), replace(found, prices=found.prices[kept])


@dataclass
class _Sieve:
    """The columns that are in, and the basis of their last relaxation."""

    program: Program
    request: Ints
    steps: float | None
    should_stop: ShouldStop

    def __post_init__(self) -> None:
        size = len(self.request)
        self._is_in: Bools = np.ones(len(self.program.gain), dtype=bool)
        # What has to be there is in from the start.
        self._is_in[:size] = self.program.lower[:size] > 0
        self._begins: Ints = np.flatnonzero(np.diff(self.request, prepend=-1))
        self._basis: Basis | None = None
        self._has_more_rows = False

    def let_in(self, liked: Floats, most: int) -> bool:
        """Let in the best of each request that are left out and liked, or some at first; False when none is."""
        size = len(self.request)
        out = ~self._is_in[:size] & ((liked > EXACT) | (self._basis is None))
        order = np.lexsort((-np.where(out, liked, -np.inf), self.request))
        rank = np.empty(size, dtype=np.int64)
        rank[order] = np.arange(size) - np.repeat(self._begins, np.diff(self._begins, append=size))
        new = out & (rank < most)
        self._is_in[:size] |= new
        return bool(new.any())

    def add(self, rows: Rows) -> None:
        self.program = self.program.with_rows(rows)
        self._basis = self._basis and self._basis.with_rows(len(rows))
        self._has_more_rows = True

    def settle(self, left: Callable[[], float | None]) -> tuple[Relaxed | None, bool]:
        """The relaxation with ever more columns until none is missed, and whether it came so far."""
        best: Relaxed | None = None
        while not self.should_stop():
            found = self._relax(left())
            if found is None:
                break
            relaxed, is_optimal = found
            # The last values are nearest to the relaxation's; the best bound may have come before, with its prices.
            best = relaxed if best is None or relaxed.bound <= best.bound else replace(best, values=relaxed.values)
            if not is_optimal:
                break
            if relaxed.bound - self.program.objective(relaxed.values) <= CLOSE * abs(relaxed.bound):
                return best, True
            if not self.let_in(relaxed.reduced[: len(self.request)], MORE):
                return best, True
        return best, False

    def _relax(self, seconds: float | None) -> tuple[Relaxed, bool] | None:
        """The relaxation over what is in, judged by all; and whether it is the best there is over what is in."""
        program, variables = self.program, np.flatnonzero(self._is_in)
        place = np.cumsum(self._is_in) - 1
        entries = self._is_in[program.variable]
        part = Program(
            program.lower[variables],
            program.upper[variables],
            program.gain[variables],
            program.offset,
            program.row[entries],
            place[program.variable[entries]],
            program.amount[entries],
            program.low,
            program.high,
        )
        found = simplex(
            part,
            seconds=seconds,
            steps=self.steps,
            should_stop=self.should_stop,
            basis=self._basis and self._basis.of(variables),
            has_more_rows=self._has_more_rows,
        )
        self._has_more_rows = False
        if found is None:
            return None
        self._basis = found.basis and found.basis.spread(variables, len(program.gain))
        values = np.zeros(len(program.gain))
        values[variables] = found.values
        return priced(program, found.prices, values), found.is_optimal
