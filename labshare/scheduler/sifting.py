"""The linear relaxation of a program with many columns, a few of them at a time.

First those that some prices like best, for each request a few; then again with those that the new prices would rather
have, from the basis at hand, until none is left. Whatever was left out when time is over, the prices prove a bound.
What must not live here: what a column means.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from labshare.scheduler.layout import Ints
from labshare.scheduler.search import ShouldStop
from labshare.scheduler.timed_model import EXACT, Bools, Floats, Program, Relaxed
from labshare.scheduler.timed_solver import Basis, priced, relax, simplex

# Columns of each request to begin with, and more of them each time.
FIRST, MORE = 12, 8


def sift(
    program: Program,
    request: Ints,
    liked: Floats,
    *,
    seconds: float | None,
    steps: float | None,
    should_stop: ShouldStop,
) -> Relaxed | None:
    """The relaxation, or the best bound on the way there; None when it was stopped before it had prices.

    The first variables are columns, in the order of their requests (`request`); `liked` says which of them to begin
    with. `steps` is deterministic time, of each of the relaxations on the way.
    """
    began = time.monotonic()
    sieve = _Sieve(program, request)
    sieve.let_in(liked, FIRST)
    best: Relaxed | None = None
    while not should_stop():
        left = None if seconds is None else max(0.0, seconds - (time.monotonic() - began))
        found = sieve.relax(left, steps, should_stop)
        if found is None:
            # The few cannot keep a hard rule, or time is over: then all of them, for as long as there is.
            return best or relax(program, seconds=left, steps=steps, should_stop=should_stop)
        relaxed, is_optimal = found
        # The last values are nearest to the relaxation's; the best bound may have come before them.
        best = relaxed if best is None or relaxed.bound <= best.bound else replace(relaxed, bound=best.bound)
        if not is_optimal or not sieve.let_in(relaxed.reduced[: len(request)], MORE):
            break
    return best


@dataclass
class _Sieve:
    """The columns that are in, and the basis of their last relaxation."""

    program: Program
    request: Ints

    def __post_init__(self) -> None:
        size = len(self.request)
        self._is_in: Bools = np.ones(len(self.program.gain), dtype=bool)
        # What has to be there is in from the start.
        self._is_in[:size] = self.program.lower[:size] > 0
        self._begins: Ints = np.flatnonzero(np.diff(self.request, prepend=-1))
        self._basis: Basis | None = None

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

    def relax(self, seconds: float | None, steps: float | None, should_stop: ShouldStop) -> tuple[Relaxed, bool] | None:
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
        basis = self._basis and self._basis.of(variables)
        found = simplex(part, seconds=seconds, steps=steps, should_stop=should_stop, basis=basis)
        if found is None:
            return None
        self._basis = found.basis and found.basis.spread(variables, len(program.gain))
        values = np.zeros(len(program.gain))
        values[variables] = found.values
        return priced(program, found.prices, values), found.is_optimal
