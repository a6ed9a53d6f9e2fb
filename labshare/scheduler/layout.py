"""The problem as arrays, for what looks at all of it many times: prices, construction, improvement.

A line is anything whose slots are limited: an instrument, a person who must be there, a pool of operators. A column is
one start of one run. Persons and operators that fixed rows keep busy have taken their columns out already. What must
not live here: a search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from labshare.scheduler.counting import RuleCount, count
from labshare.scheduler.places import Run, runs_of
from labshare.scheduler.problem import Problem
from labshare.scheduler.resources import attended_by, free_operators

Ints = npt.NDArray[np.int64]

NOBODY = -1

Number = TypeVar("Number", np.int64, np.float64)


@dataclass(frozen=True, slots=True)
class Use:
    """What every session of a run takes of a line: its first `slots` slots. `line` is NOBODY where it takes none."""

    line: int
    slots: int


class Layout:
    """Lines, runs and columns of a problem, numbered; the order is that of the problem.

    capacity: (lines, horizon) people or instruments there are; `instruments`, `persons`, `pools` by run: what it uses.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.counts: list[RuleCount] = [count(problem, rule) for rule in problem.rules]
        self.request_index = {request.id: r for r, request in enumerate(problem.requests)}
        self.instrument_index = {instrument.id: i for i, instrument in enumerate(problem.instruments)}
        # In the order of first use, so that the numbers do not depend on how a set is kept.
        persons = dict.fromkeys(person for request in problem.requests if (person := attended_by(request)))
        first = len(self.instrument_index)
        self.person_index = {person: first + p for p, person in enumerate(persons)}
        first += len(persons)
        self.pool_index = {pool.id: first + p for p, pool in enumerate(problem.operator_pools)}
        self.lines = first + len(self.pool_index)
        self.capacity = self._capacity()
        self.runs = [part for run in runs_of(problem) for part in self._possible(run)]

    def _capacity(self) -> Ints:
        capacity = np.ones((self.lines, self.problem.horizon), dtype=np.int64)
        for row in self.problem.fixed:
            if row.attended and row.person in self.person_index:
                capacity[self.person_index[row.person], row.start : row.end] = 0
        for pool in self.problem.operator_pools:
            for start, end, people in free_operators(self.problem, pool):
                capacity[self.pool_index[pool.id], start:end] = people
        return capacity

    def uses(self, run: Run) -> tuple[Use, Use, Use]:
        """What a session of this run takes: of its instrument, its person and its pool."""
        person = attended_by(run.request)
        need = run.request.operator_on(run.option)
        return (
            Use(self.instrument_index[run.instrument], run.slots),
            Use(self.person_index[person], run.slots) if person else Use(NOBODY, 0),
            Use(self.pool_index[need.pool], min(need.slots, run.slots)) if need else Use(NOBODY, 0),
        )

    def _possible(self, run: Run) -> Iterable[Run]:
        """The parts of a run at whose starts the person is not held elsewhere and an operator is on shift."""
        starts = np.arange(run.first, run.last + 1)
        possible = np.ones(len(starts), dtype=bool)
        for use in self.uses(run)[1:]:
            if use.line != NOBODY:
                missing = self._missing_before[use.line]
                possible &= missing[starts + use.slots] == missing[starts]
        if possible.all():
            return [run]
        edges = np.flatnonzero(np.diff(np.concatenate(([False], possible, [False])).astype(np.int8)))
        return [
            Run(run.request, run.option, run.stretch, run.first + int(a), run.first + int(b) - 1, run.slots)
            for a, b in zip(edges[::2], edges[1::2], strict=True)
        ]

    @cached_property
    def _missing_before(self) -> Ints:
        """By line and slot: the slots before it at which nobody is there. Shape (lines, horizon + 1)."""
        return before((self.capacity == 0).astype(np.int64))

    @cached_property
    def run_request(self) -> Ints:
        return self.by_run(lambda run: self.request_index[run.request.id])

    @cached_property
    def frozen_is_gone(self) -> bool:
        """Is a frozen session where it may be, but its person or its operator is not?"""
        problem = self.problem
        frozen = {(r.request, r.instrument, r.start) for r in problem.current if r.start < problem.frozen_until}
        if not frozen:
            return False
        there = {(run.request.id, run.instrument, run.first) for run in runs_of(problem)}
        return bool(frozen & there - {(run.request.id, run.instrument, run.first) for run in self.runs})

    @cached_property
    def columns(self) -> Columns:
        return Columns(self)

    @property
    def size(self) -> int:
        """How many columns there are, without making them."""
        return sum(run.last - run.first + 1 for run in self.runs)

    def by_run(self, number: Callable[[Run], int]) -> Ints:
        return np.fromiter((number(run) for run in self.runs), dtype=np.int64, count=len(self.runs))


class Columns:
    """Every start of every run, as arrays of equal length in the order of requests: run, start, request, value."""

    def __init__(self, layout: Layout) -> None:
        first = layout.by_run(lambda run: run.first)
        lengths = layout.by_run(lambda run: run.last - run.first + 1)
        self.run: Ints = np.repeat(np.arange(len(layout.runs)), lengths)
        begins = np.concatenate(([0], np.cumsum(lengths)))[:-1]
        step = np.arange(len(self.run)) - begins[self.run] if len(layout.runs) else np.zeros(0, dtype=np.int64)
        self.start: Ints = first[self.run] + step
        self.request: Ints = layout.run_request[self.run]
        value = layout.by_run(lambda run: run.value_at(run.first))
        late = layout.by_run(lambda run: run.request.late)
        self.value: Ints = value[self.run] - late[self.run] * step
        # Where the columns of each request that has any begin.
        changes = np.flatnonzero(np.diff(self.request)) + 1
        self.begins: Ints = np.concatenate(([0], changes)).astype(np.int64) if len(self.run) else np.zeros(0, np.int64)
        self.requests: Ints = self.request[self.begins]


def before(amounts: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """Sums before each slot: (lines, horizon) -> (lines, horizon + 1), so that [a, b) costs two look-ups."""
    nothing = np.zeros((amounts.shape[0], 1), dtype=amounts.dtype)
    return np.concatenate((nothing, np.cumsum(amounts, axis=1)), axis=1)


def contributions(count: RuleCount, runs: Sequence[Run]) -> list[tuple[int, int, int]]:
    """(run, slots used, slots allocated) for the runs that the rule reads."""
    return [
        (k, used, allocated)
        for k, run in enumerate(runs)
        if run.instrument in count.scope
        for used, allocated in [(count.used_by(run), count.allocated_by(run))]
        if used or (allocated and count.rule.of_allocated)
    ]
