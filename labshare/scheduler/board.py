"""A plan as a board to look places up on: who is where when, and what one more session would meet or break.

Used to explain and to repair. It knows the rules one session at a time; the whole plan is for solver and checker.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labshare.scheduler.counting import RuleCount, count
from labshare.scheduler.places import Run, free_stretches, subtract
from labshare.scheduler.plan import Session
from labshare.scheduler.problem import Problem, Request, Span
from labshare.scheduler.resources import Idle, attended_by, free_operators, idle_slots
from labshare.scheduler.score import reward, used_runs


@dataclass(frozen=True, slots=True)
class Occupied:
    """Something on an instrument, or something a person attends; `request` is None for a fixed row."""

    start: int
    end: int
    request: str | None
    family: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """One start of one option, and all that stands in its way; no blockers means it is free.

    `sessions` hold the instrument (or its changeover), `elsewhere` hold the person, `served` hold the
    operators; `barred` is what no eviction changes: `fixed_row`, `person` or `operators`. `rules` are hard rules that
    would be broken. `displaced` is the value of all blocking sessions, `penalties` what soft rules would charge more.
    """

    run: Run
    start: int
    sessions: tuple[str, ...]
    elsewhere: tuple[str, ...]
    served: tuple[str, ...]
    barred: tuple[str, ...]
    rules: tuple[str, ...]
    displaced: int
    penalties: int

    @property
    def end(self) -> int:
        return self.start + self.run.slots

    @property
    def value(self) -> int:
        return self.run.value_at(self.start)

    @property
    def blocking(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.sessions, *self.elsewhere, *self.served)))

    @property
    def is_free(self) -> bool:
        return not (self.sessions or self.elsewhere or self.served or self.barred or self.rules)

    @property
    def price(self) -> int:
        """Value that stands in the way of this place; no statement about what serving the request would cost."""
        return self.displaced + self.penalties


class Board:
    """Everything about a plan that one more session could run into."""

    def __init__(self, problem: Problem, sessions: Sequence[Session]) -> None:
        self.problem = problem
        self.runs = {run.request.id: run for run in used_runs(problem, sessions)}
        self.stretches = free_stretches(problem)
        self.requests = {request.id: request for request in problem.requests}
        self._idle: dict[str, Idle] = {i.id: idle_slots(i) for i in problem.instruments}
        self._on = self._by_instrument()
        self._with = self._by_person()
        self._operated = self._by_pool()
        self._free = {pool.id: free_operators(problem, pool) for pool in problem.operator_pools}
        self._counts = [count(problem, rule) for rule in problem.rules]
        self._used = [c.fixed_used + sum(c.used_by(run) for run in self.runs.values()) for c in self._counts]
        self._allocated = [
            c.fixed_allocated + sum(c.allocated_by(run) for run in self.runs.values()) for c in self._counts
        ]

    def _by_instrument(self) -> defaultdict[str, list[Occupied]]:
        on: defaultdict[str, list[Occupied]] = defaultdict(list)
        for row in self.problem.fixed:
            on[row.instrument].append(Occupied(row.start, row.end, None, row.family))
        for run in self.runs.values():
            on[run.instrument].append(Occupied(run.first, run.first + run.slots, run.request.id, run.request.family))
        return _in_order(on)

    def _by_person(self) -> defaultdict[str, list[Occupied]]:
        busy: defaultdict[str, list[Occupied]] = defaultdict(list)
        for row in self.problem.fixed:
            if row.attended and row.person:
                busy[row.person].append(Occupied(row.start, row.end, None, None))
        for run in self.runs.values():
            if person := attended_by(run.request):
                busy[person].append(Occupied(run.first, run.first + run.slots, run.request.id, None))
        return _in_order(busy)

    def _by_pool(self) -> defaultdict[str, list[Occupied]]:
        served: defaultdict[str, list[Occupied]] = defaultdict(list)
        for run in self.runs.values():
            if need := run.request.operator_on(run.option):
                end = run.first + min(need.slots, run.slots)
                served[need.pool].append(Occupied(run.first, end, run.request.id, None))
        return _in_order(served)

    def place(self, run: Run, start: int) -> Place:
        """What a session of this run at `start` would meet."""
        sessions, barred = self._neighbours(run, start)
        elsewhere, absent = self._elsewhere(run, start)
        served, unstaffed = self._operators(run, start)
        blocking = [self.runs[r] for r in dict.fromkeys((*sessions, *elsewhere, *served))]
        rules, penalties = self._rules(run, start, blocking)
        return Place(
            run,
            start,
            tuple(sessions),
            tuple(elsewhere),
            tuple(served),
            (*barred, *absent, *unstaffed),
            tuple(rules),
            sum(other.value_at(other.first) for other in blocking),
            penalties,
        )

    def edges(self, run: Run) -> set[int]:
        """Starts right after or right before something on the instrument, changeover included, or at the person's."""
        idle, family = self._idle[run.instrument], run.request.family
        after = {row.end + idle.get((row.family, family), 0) for row in self._on[run.instrument]}
        before = {row.start - idle.get((family, row.family), 0) - run.slots for row in self._on[run.instrument]}
        attended = self._attended(run.request)
        return after | before | {edge for row in attended for edge in (row.end, row.start - run.slots)}

    def _attended(self, request: Request) -> Sequence[Occupied]:
        """What keeps the request's person busy, when the person must be there."""
        person = attended_by(request)
        return self._with[person] if person else ()

    def operator_edges(self, pool_id: str, slots: int) -> set[int]:
        """Starts at which operators of a pool become free, or last are, for this many slots."""
        rows = [(row.start, row.end) for row in self._operated[pool_id]]
        shifts = [(start, end) for start, end, _ in self._free[pool_id]]
        return {edge for start, end in rows + shifts for edge in (start, end, start - slots, end - slots)}

    def _neighbours(self, run: Run, start: int) -> tuple[list[str], list[str]]:
        """Sessions that overlap or leave too little changeover, and whether a fixed row does."""
        idle, family = self._idle[run.instrument], run.request.family
        longest = max(idle.values(), default=0)
        hit = [
            row
            for row in _near(self._on[run.instrument], start - longest, start + run.slots + longest)
            if row.request != run.request.id
            and row.end + idle.get((row.family, family), 0) > start
            and row.start < start + run.slots + idle.get((family, row.family), 0)
        ]
        return [row.request for row in hit if row.request], ["fixed_row"] if any(not row.request for row in hit) else []

    def _elsewhere(self, run: Run, start: int) -> tuple[list[str], list[str]]:
        hit = [
            row
            for row in _near(self._attended(run.request), start, start + run.slots)
            if row.request != run.request.id and row.start < start + run.slots and row.end > start
        ]
        return [row.request for row in hit if row.request], ["person"] if any(not row.request for row in hit) else []

    def _operators(self, run: Run, start: int) -> tuple[list[str], list[str]]:
        """Sessions that take the operators needed, and whether there are too few on shift whoever is served."""
        need = run.request.operator_on(run.option)
        if need is None:
            return [], []
        end = start + min(need.slots, run.slots)
        rivals = [
            row for row in _near(self._operated[need.pool], start, end) if row.request not in (run.request.id, None)
        ]
        taken: dict[str, None] = {}
        for t in range(start, end):
            people = next((people for a, b, people in self._free[need.pool] if a <= t < b), 0)
            there = [row.request for row in rivals if row.request and row.start <= t < row.end]
            if people == 0:
                return [], ["operators"]
            if len(there) >= people:
                cheapest = sorted(there, key=lambda r: (r not in taken, self.runs[r].value_at(self.runs[r].first)))
                taken |= dict.fromkeys(cheapest[: len(there) - people + 1])
        return list(taken), []

    def _rules(self, run: Run, start: int, evicted: Iterable[Run]) -> tuple[list[str], int]:
        """Hard rules that this session would break or break further, and what soft rules would charge more."""
        here = Run(run.request, run.option, run.stretch, start, start, run.slots)
        gone = list(evicted)
        broken: list[str] = []
        charged = 0
        for counted, used, allocated in zip(self._counts, self._used, self._allocated, strict=True):
            new_used = used + counted.used_by(here) - sum(counted.used_by(other) for other in gone)
            new_allocated = allocated + counted.allocated_by(here) - sum(counted.allocated_by(other) for other in gone)
            more = missed(counted, new_used, new_allocated) - missed(counted, used, allocated)
            if more > 0 and counted.rule.penalty is None:
                broken.append(counted.rule.id)
            charged += more * (counted.rule.penalty or 0)
        return broken, charged

    def gain(self, place: Place) -> int:
        """What placing a session in a free place adds to the objective."""
        request = place.run.request
        target = self.problem.fairness.targets.get(request.organisation or "", 0)
        served = sum(run.slots for run in self.runs.values() if run.request.organisation == request.organisation)
        steps = self.problem.fairness.steps
        fairer = reward(steps, target, served + place.run.slots) - reward(steps, target, served)
        return place.value - place.penalties + fairer

    def gaps(self, instrument_id: str, family: str | None) -> list[Span]:
        """Time on an instrument that this plan leaves free for a session of the family, changeover taken off."""
        idle = self._idle[instrument_id]
        taken = [
            (row.start - idle.get((family, row.family), 0), row.end + idle.get((row.family, family), 0))
            for row in self._on[instrument_id]
        ]
        return subtract([(stretch.start, stretch.end) for stretch in self.stretches[instrument_id]], taken)


def missed(counted: RuleCount, used: int, allocated: int) -> int:
    """Whole slots by which a rule is missed with these slots used and allocated."""
    exact = counted.rule.slots + counted.rule.share * allocated
    if counted.rule.kind == "cap":
        return max(0, used - math.floor(exact))
    return max(0, min(math.ceil(exact), counted.demand) - used)


def _in_order(rows: defaultdict[str, list[Occupied]]) -> defaultdict[str, list[Occupied]]:
    for occupied in rows.values():
        occupied.sort(key=lambda row: (row.start, row.end))
    return rows


def _near(rows: Sequence[Occupied], start: int, end: int) -> Iterable[Occupied]:
    """The rows that could meet `[start, end)`; they come in order of start."""
    return (row for row in rows[: bisect_left(rows, end, key=lambda row: row.start)] if row.end > start)
