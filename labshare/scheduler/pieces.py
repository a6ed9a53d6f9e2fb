"""The program cut into pieces along instruments that few requests have in common, each solved in whole numbers.

What lies across (a person who works with both, an agreement over all) is charged at its price in the relaxation:

    bound = offset + sum over rows across of price * side + sum over variables of no piece of their better ends
          + sum over pieces of the most that gain - prices of rows across can be

This holds for any prices, and is closer than the relaxation, since most pieces are soon solved to the end. What the
pieces choose is nearly a plan: only what lies across may not hold. What must not live here: how plans come of it.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from labshare.scheduler.layout import Ints
from labshare.scheduler.search import Limits, ShouldStop
from labshare.scheduler.timed import Timed, nodes_within
from labshare.scheduler.timed_model import EXACT, Bools, Floats, Program, Relaxed
from labshare.scheduler.timed_solver import mix

# Instruments are joined into pieces of at most so many columns: larger ones are no easier than the whole.
MOST_COLUMNS = 25_000
NONE = -1


@dataclass
class Piece:
    """Its variables, its program at the prices of what lies across, what the relaxation and whole numbers prove."""

    variables: Ints
    program: Program
    reduced: Floats
    relaxed: float
    bound: float

    def without(self, least: float) -> Program:
        """Its program without what leaves less than this: reduced-cost fixing, as in `timed.without_hopeless`."""
        program = self.program
        hopeless = self.relaxed - np.abs(self.reduced) < least - EXACT * (1 + abs(least))
        lower: Floats = np.where(hopeless & (self.reduced > 0), program.upper, program.lower)
        upper: Floats = np.where(hopeless & (self.reduced < 0), program.lower, program.upper)
        return replace(program, lower=lower, upper=upper)


class Pieces:
    """`bound` is proven at any moment; `chosen`, by variable of the program, is what the solved pieces would have."""

    def __init__(self, timed: Timed, relaxed: Relaxed) -> None:
        program = timed.program
        piece = _pieces(timed, relaxed)
        rows = _rows(program, piece)
        across = np.where(rows == NONE, relaxed.prices, 0.0)
        charged = np.bincount(program.variable, program.amount * across[program.row], minlength=len(piece))
        program = replace(program, gain=program.gain - charged)
        self._piece = piece
        self.pieces = [
            _piece(program, relaxed, piece == k, rows == k) for k in np.unique(piece[piece != NONE]).tolist()
        ]
        self.pieces.sort(key=lambda one: len(one.variables))
        self._lock = threading.Lock()
        self._left = list(self.pieces)
        self._size = sum(len(one.variables) for one in self.pieces)
        self._constant = relaxed.bound - sum(one.relaxed for one in self.pieces)
        self.chosen: Floats = np.zeros(len(piece))

    @property
    def bound(self) -> float:
        return self._constant + sum(one.bound for one in self.pieces)

    @property
    def bounds(self) -> Floats:
        """By variable what `bound` would be if its own piece had only been relaxed: for reduced-cost fixing."""
        bounds: Floats = np.full(len(self._piece), self.bound)
        for one in self.pieces:
            bounds[one.variables] += one.relaxed - one.bound
        return bounds

    def solve(
        self,
        limits: Limits,
        known: Floats | None,
        should_stop: ShouldStop,
        on_solved: Callable[[], None],
        *,
        most: int = MOST_COLUMNS,
        large_first: bool = False,
    ) -> int:
        """Solve the pieces of at most so many variables one after the other, from the values of a known plan.

        Small ones come first; what they leave of the time goes to the others. Two threads may do so at once, one from
        the large end. Returns the steps spent, where there is a budget of them.
        """
        spent = 0
        began = time.monotonic()
        while not should_stop():
            left = None if limits.seconds is None else limits.seconds - (time.monotonic() - began)
            if (left is not None and left <= 0) or not (taken := self._next(-1 if large_first else 0, most)):
                break
            one, share = taken
            steps = None if limits.steps is None else int(limits.steps * len(one.variables) / self._size)
            seconds = None if left is None else left * min(1.0, limits.workers * share)
            own = replace(limits, seconds=seconds, steps=steps)
            if self._solve(one, own, None if known is None else known[one.variables], should_stop):
                spent += steps or 0
            on_solved()
        return spent

    def _next(self, end: int, most: int) -> tuple[Piece, float] | None:
        """The next piece from this end, and its share of the size of all that are left."""
        with self._lock:
            size = sum(len(one.variables) for one in self._left)
            if not self._left or len(self._left[end].variables) > most:
                return None
            one = self._left.pop(end)
            return one, len(one.variables) / size

    def _solve(self, one: Piece, limits: Limits, known: Floats | None, should_stop: ShouldStop) -> bool:
        """The piece in whole numbers, without what cannot be better than the known values, which keep its rows.

        False when it was not begun.
        """
        nodes = None if limits.steps is None else nodes_within(one.program, limits.steps)
        if nodes == 0:
            return False
        program, least = one.program, -math.inf
        if known is not None:
            least = one.program.objective(known)
            self.chosen[one.variables] = known
            program = one.without(least)
        seconds, seed = limits.seconds, limits.seed
        mixed = mix(
            program,
            seconds=seconds,
            nodes=nodes,
            seed=seed,
            known=known,
            should_stop=should_stop,
            proving=known is not None,
        )
        # A piece that nothing fits into shows that no plan keeps the hard rules: that is for others to prove.
        if (bound := max(least, mixed.bound)) > -math.inf:
            one.bound = min(one.bound, bound + EXACT + 1e-9 * abs(bound))
        if mixed.values is not None and one.program.objective(mixed.values) >= least:
            self.chosen[one.variables] = mixed.values
        return True


def _piece(program: Program, relaxed: Relaxed, mine: Bools, rows: Bools) -> Piece:
    """The piece of these variables and rows; its relaxation at the same prices is worth what they prove."""
    variables = np.flatnonzero(mine)
    row, variable = np.cumsum(rows) - 1, np.cumsum(mine) - 1
    entries = rows[program.row]
    own = Program(
        program.lower[mine],
        program.upper[mine],
        program.gain[mine],
        0.0,
        row[program.row[entries]],
        variable[program.variable[entries]],
        program.amount[entries],
        program.low[rows],
        program.high[rows],
    )
    prices, reduced = relaxed.prices[rows], relaxed.reduced[mine]
    side = np.where(prices > 0, own.high, np.where(prices < 0, own.low, 0.0))
    worth = float((prices * side).sum() + np.maximum(reduced * own.lower, reduced * own.upper).sum())
    return Piece(variables, own, reduced, worth, worth)


def _pieces(timed: Timed, relaxed: Relaxed) -> Ints:
    """By variable the number of its piece: that of its instrument; of others, that of all rows they are in, or NONE."""
    program = timed.program
    piece = np.full(len(program.gain), NONE, dtype=np.int64)
    piece[: timed.model.size] = _joined(timed, relaxed)[timed.model.instrument]
    while True:
        first, last = _ends(piece[program.variable], program.row, len(program.low))
        # A row of which nothing is known yet says nothing.
        known = last[program.row] != NONE
        low, _ = _ends(first[program.row][known], program.variable[known], len(piece))
        _, high = _ends(last[program.row][known], program.variable[known], len(piece))
        new = (piece == NONE) & (low == high) & (high != NONE)
        if not new.any():
            return piece
        piece[new] = high[new]


def _rows(program: Program, piece: Ints) -> Ints:
    """By row the piece that all its variables are in, or NONE."""
    inside = piece[program.variable]
    low = np.full(len(program.low), np.iinfo(np.int64).max)
    high = np.full(len(program.low), NONE, dtype=np.int64)
    np.minimum.at(low, program.row, inside)
    np.maximum.at(high, program.row, inside)
    return np.where(low == high, low, NONE)


def _ends(number: Ints, at: Ints, count: int) -> tuple[Ints, Ints]:
    """The least and the largest number at each place, those that are NONE left out; NONE where there is none."""
    some = number != NONE
    low = np.full(count, np.iinfo(np.int64).max)
    high = np.full(count, NONE, dtype=np.int64)
    np.minimum.at(low, at[some], number[some])
    np.maximum.at(high, at[some], number[some])
    return np.where(high == NONE, NONE, low), high


def _joined(timed: Timed, relaxed: Relaxed) -> Ints:
    """By instrument its piece: those are joined first that requests with the highest price could have either of."""
    program, columns = timed.program, timed.model.columns
    instrument = timed.model.instrument
    size = np.bincount(instrument, minlength=len(timed.problem.instruments)).tolist()
    root = list(range(len(size)))

    def find(i: int) -> int:
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    for request in np.argsort(-_prices(program, relaxed, columns.request), kind="stable").tolist():
        where = np.unique(instrument[timed.model.columns_of(request)]).tolist()
        for other in where[1:]:
            a, b = find(where[0]), find(other)
            if a != b and size[a] + size[b] <= MOST_COLUMNS:
                root[b] = a
                size[a] += size[b]
    return np.array([find(i) for i in range(len(root))], dtype=np.int64)


def _prices(program: Program, relaxed: Relaxed, request: Ints) -> Floats:
    """By request the sum of the prices of rows that hold only its own columns: what it is worth to be served once."""
    is_column = program.variable < len(request)
    at, whose = program.row[is_column], request[program.variable[is_column]]
    low, high = _ends(whose, at, len(program.low))
    own = (low == high) & (high != NONE)
    prices: Floats = np.bincount(high[own], np.abs(relaxed.prices[own]), int(request.max(initial=-1)) + 1).astype(float)
    return prices
