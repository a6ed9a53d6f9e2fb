"""A mixed-integer program over arrays: its variables, its rows, and how a solver is given both.

The first variables are the layout's columns (one for each start of each run, 1 when that session is held); the rules in
timed_rules.py add others behind them. What must not live here: what a rule means, and how long a search may take.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from ortools.linear_solver import linear_solver_pb2
from ortools.math_opt import model_pb2

from labshare.scheduler.layout import Ints, Layout
from labshare.scheduler.places import Run
from labshare.scheduler.plan import Session

# Sums of whole numbers are told apart by more than this.
EXACT = 1e-6

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass
class _Parts:
    """Rows so far: entries (row, variable, amount) in pieces, and the bounds of each row."""

    row: list[Ints] = field(default_factory=list[Ints])
    variable: list[Ints] = field(default_factory=list[Ints])
    amount: list[Floats] = field(default_factory=list[Floats])
    low: list[Floats] = field(default_factory=list[Floats])
    high: list[Floats] = field(default_factory=list[Floats])
    count: int = 0


class TimedModel:
    """Whole-number variables with `lower`, `upper` and `gain` each; rows low <= a.x <= high; the most gain is sought.

    Every variable is integer. By column there are its `slots`, its `end` and the number of its `instrument`.
    `offset` is the part of the objective that no variable changes.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.columns = layout.columns
        self.size = len(self.columns.run)
        self.slots: Ints = layout.by_run(lambda run: run.slots)[self.columns.run]
        self.end: Ints = self.columns.start + self.slots
        index = layout.instrument_index
        self.instrument: Ints = layout.by_run(lambda run: index[run.instrument])[self.columns.run]
        self.lower: Floats = np.zeros(self.size)
        self.upper: Floats = np.ones(self.size)
        self.gain: Floats = self.columns.value.astype(np.float64)
        self.offset = 0
        self._parts = _Parts()

    def add_variables(self, upper: Floats, gain: Floats) -> Ints:
        """Variables from 0 to `upper`, with these gains; returns their numbers."""
        first = len(self.gain)
        self.lower = np.concatenate((self.lower, np.zeros(len(upper))))
        self.upper = np.concatenate((self.upper, upper))
        self.gain = np.concatenate((self.gain, gain))
        return np.arange(first, len(self.gain))

    def add_variable(self, upper: float, gain: float = 0.0) -> int:
        return int(self.add_variables(np.array([upper]), np.array([gain]))[0])

    def add_rows(
        self, row: Ints, variable: Ints, amount: Floats, *, low: Floats | None = None, high: Floats | None = None
    ) -> None:
        """Rows 0..n-1, given by their entries; n is the length of `low` or `high`; what is not given is infinite."""
        sides = low if low is not None else high
        assert sides is not None
        parts = self._parts
        parts.row.append(row + parts.count)
        parts.variable.append(variable)
        parts.amount.append(amount)
        parts.low.append(np.full(len(sides), -np.inf) if low is None else low)
        parts.high.append(np.full(len(sides), np.inf) if high is None else high)
        parts.count += len(sides)

    def add_row(
        self, entries: Sequence[tuple[Ints, Floats | float]], *, low: float = -np.inf, high: float = np.inf
    ) -> None:
        """One row: pieces of variables with their amounts, or one amount for a whole piece."""
        variable = np.concatenate([piece for piece, _ in entries])
        amount = np.concatenate([np.broadcast_to(np.asarray(a, dtype=np.float64), len(v)) for v, a in entries])
        self.add_rows(np.zeros(len(variable), np.int64), variable, amount, low=np.array([low]), high=np.array([high]))

    def columns_of(self, request: int) -> Ints:
        """The columns of the request with this number."""
        first, last = (int(k) for k in np.searchsorted(self.columns.request, np.array([request, request + 1])))
        return np.arange(first, last)

    def run_of(self, column: int) -> Run:
        return self.layout.runs[int(self.columns.run[column])]

    def finished(self) -> Program:
        """The program as it stands, its entries in order of rows."""
        parts = self._parts
        row = np.concatenate([np.zeros(0, np.int64), *parts.row])
        variable = np.concatenate([np.zeros(0, np.int64), *parts.variable])
        amount = np.concatenate([np.zeros(0), *parts.amount])
        order = np.lexsort((variable, row))
        return Program(
            self.lower,
            self.upper,
            self.gain,
            self.offset,
            row[order],
            variable[order],
            amount[order],
            np.concatenate([np.zeros(0), *parts.low]),
            np.concatenate([np.zeros(0), *parts.high]),
        )

    def sessions(self, values: Floats) -> list[Session]:
        """The sessions of a solution, in the order of the problem's requests."""
        chosen = np.flatnonzero(values[: self.size] > 0.5)
        found: list[Session] = []
        for column in chosen.tolist():
            run, start = self.run_of(column), int(self.columns.start[column])
            found.append(Session(request=run.request.id, instrument=run.instrument, start=start, end=start + run.slots))
        return found

    def chosen(self, sessions: Sequence[Session]) -> Ints:
        """The columns of these sessions; those that are no column are left out."""
        number = self.layout.request_index
        found: list[int] = []
        for session in sessions:
            for column in self.columns_of(number[session.request]).tolist():
                at = self.run_of(column).instrument, int(self.columns.start[column])
                if at == (session.instrument, session.start):
                    found.append(column)
        return np.array(found, dtype=np.int64)


@dataclass(frozen=True)
class Rows:
    """Rows to be added to a program: entries in order of rows (`row` from 0), and the bounds of each row."""

    row: Ints
    variable: Ints
    amount: Floats
    low: Floats
    high: Floats

    @staticmethod
    def at_most_one(sets: Sequence[Ints]) -> Rows:
        """A row for each of these sets of variables: their sum is at most 1."""
        row = np.repeat(np.arange(len(sets)), [len(variables) for variables in sets])
        variable = np.concatenate([np.zeros(0, np.int64), *sets])
        return Rows(row, variable, np.ones(len(variable)), np.full(len(sets), -np.inf), np.ones(len(sets)))

    def __len__(self) -> int:
        return len(self.low)


@dataclass(frozen=True)
class Program:
    """A finished program: bounds and gains by variable, entries in order of rows, bounds by row."""

    lower: Floats
    upper: Floats
    gain: Floats
    offset: float
    row: Ints
    variable: Ints
    amount: Floats
    low: Floats
    high: Floats

    def objective(self, values: Floats) -> float:
        return float(self.offset + self.gain @ values)

    def with_rows(self, rows: Rows) -> Program:
        """The program with these rows behind its own."""
        return replace(
            self,
            row=np.concatenate((self.row, rows.row + len(self.low))),
            variable=np.concatenate((self.variable, rows.variable)),
            amount=np.concatenate((self.amount, rows.amount)),
            low=np.concatenate((self.low, rows.low)),
            high=np.concatenate((self.high, rows.high)),
        )

    def of_rows(self, kept: Bools) -> Program:
        """The program with these of its rows alone."""
        entries, row = kept[self.row], np.cumsum(kept) - 1
        return replace(
            self,
            row=row[self.row[entries]],
            variable=self.variable[entries],
            amount=self.amount[entries],
            low=self.low[kept],
            high=self.high[kept],
        )

    @cached_property
    def _by_variable(self) -> tuple[Ints, Ints]:
        """The entries in order of variables, and where those of each variable begin."""
        order = np.argsort(self.variable, kind="stable")
        return order, np.searchsorted(self.variable[order], np.arange(len(self.gain) + 1))

    def entries_of(self, variables: Ints) -> Ints:
        """The entries of these variables, in order of rows: as quick as they are few."""
        order, begins = self._by_variable
        counts = begins[variables + 1] - begins[variables]
        first = np.repeat(begins[variables] - (np.cumsum(counts) - counts), counts)
        return np.sort(order[first + np.arange(len(first))])

    def rest(self, lower: Floats, upper: Floats) -> Rest | None:
        """What is left to decide when variables whose bounds meet stay there; None where a row can no longer hold."""
        free = lower < upper
        held = np.where(free, 0.0, lower)
        entries = self.entries_of(np.flatnonzero(held))
        sums = np.bincount(
            self.row[entries], self.amount[entries] * held[self.variable[entries]], minlength=len(self.low)
        )
        entries = self.entries_of(np.flatnonzero(free))
        open_rows = np.zeros(len(self.low), dtype=bool)
        open_rows[self.row[entries]] = True
        low, high = self.low - sums, self.high - sums
        if (lower > upper).any() or (~open_rows & ((low > EXACT) | (high < -EXACT))).any():
            return None
        row, variable = np.cumsum(open_rows) - 1, np.cumsum(free) - 1
        program = Program(
            lower[free],
            upper[free],
            self.gain[free],
            self.offset + float(self.gain @ held),
            row[self.row[entries]],
            variable[self.variable[entries]],
            self.amount[entries],
            low[open_rows],
            high[open_rows],
        )
        return Rest(program, free, held)

    def in_broken_rows(self, lower: Floats, upper: Floats) -> Bools:
        """By variable: is it in a row that no values between these bounds can keep?"""
        at_lower, at_upper = self.amount * lower[self.variable], self.amount * upper[self.variable]
        least = np.bincount(self.row, weights=np.minimum(at_lower, at_upper), minlength=len(self.low))
        most = np.bincount(self.row, weights=np.maximum(at_lower, at_upper), minlength=len(self.low))
        broken = (least > self.high + EXACT) | (most < self.low - EXACT)
        found = np.zeros(len(self.gain), dtype=bool)
        found[self.variable[broken[self.row]]] = True
        return found

    def shut(self, lower: Floats, upper: Floats) -> Floats:
        """`upper`, with 0 for each variable that no longer fits into a row of amounts above 0."""
        has_negative = np.zeros(len(self.low), dtype=bool)
        has_negative[self.row[self.amount < 0]] = True
        left = self.high - np.bincount(self.row, weights=self.amount * lower[self.variable], minlength=len(self.low))
        entries = ~has_negative[self.row] & (self.amount > left[self.row] + EXACT)
        out = self.variable[entries & (lower[self.variable] == 0)]
        shut = upper.copy()
        shut[out] = 0.0
        return shut

    def proto(self, *, whole: bool = False) -> model_pb2.ModelProto:
        """The relaxation as MathOpt reads it, or the program in whole numbers."""
        proto = model_pb2.ModelProto()
        count = len(self.gain)
        proto.variables.ids.extend(range(count))
        proto.variables.lower_bounds.extend(self.lower.tolist())
        proto.variables.upper_bounds.extend(self.upper.tolist())
        proto.variables.integers.extend([whole] * count)
        proto.objective.maximize = True
        proto.objective.offset = float(self.offset)
        some = np.flatnonzero(self.gain)
        proto.objective.linear_coefficients.ids.extend(some.tolist())
        proto.objective.linear_coefficients.values.extend(self.gain[some].tolist())
        proto.linear_constraints.ids.extend(range(len(self.low)))
        proto.linear_constraints.lower_bounds.extend(self.low.tolist())
        proto.linear_constraints.upper_bounds.extend(self.high.tolist())
        proto.linear_constraint_matrix.row_ids.extend(self.row.tolist())
        proto.linear_constraint_matrix.column_ids.extend(self.variable.tolist())
        proto.linear_constraint_matrix.coefficients.extend(self.amount.tolist())
        return proto

    def linear_proto(self) -> linear_solver_pb2.MPModelProto:
        """The program, in whole numbers, as OR-Tools' linear solvers read it."""
        proto = linear_solver_pb2.MPModelProto(maximize=True, objective_offset=float(self.offset))
        for low, high, gain in zip(self.lower.tolist(), self.upper.tolist(), self.gain.tolist(), strict=True):
            proto.variable.add(lower_bound=low, upper_bound=high, objective_coefficient=gain, is_integer=True)
        edges = np.searchsorted(self.row, np.arange(len(self.low) + 1)).tolist()
        variable, amount = self.variable.tolist(), self.amount.tolist()
        for (a, b), low, high in zip(pairwise(edges), self.low.tolist(), self.high.tolist(), strict=True):
            proto.constraint.add(lower_bound=low, upper_bound=high, var_index=variable[a:b], coefficient=amount[a:b])
        return proto


@dataclass(frozen=True)
class Relaxed:
    """A bound that any prices prove, the prices by row, and by variable its value and what a unit of it is worth."""

    bound: float
    prices: Floats
    values: Floats
    reduced: Floats


@dataclass(frozen=True)
class Rest:
    """A program of what is still free, and the values of what is not."""

    program: Program
    free: Bools
    held: Floats

    def whole(self, values: Floats) -> Floats:
        """The values of all variables, given those of the free ones."""
        all_of_them = self.held.copy()
        all_of_them[self.free] = values
        return all_of_them
