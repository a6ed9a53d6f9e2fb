"""A plan as a board to look places up on: who is where when, and what one more session would meet or break.

Used to explain and to repair. It knows the rules one session at a time; the whole plan is for solver and checker.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from labshare.scheduler.counting import Weigher
from labshare.scheduler.places import Geometry, Run, subtract
from labshare.scheduler.plan import Session
from labshare.scheduler.problem import Problem, Request, Span
from labshare.scheduler.resources import Idle, attended_by, free_operators, idle_slots
from labshare.scheduler.score import reward, used_runs
from labshare.scheduler.timeline import NOTHING, Occupied, Timeline


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
    """Everything about a plan that one more session could run into; a `weigher` of the problem saves counting again."""

    def __init__(self, problem: Problem, sessions: Sequence[Session], weigher: Weigher | None = None) -> None:
        self.problem = problem
        self._weigher = weigher or Weigher(problem)
        self.geometry = Geometry(problem)
        self.runs = {run.request.id: run for run in used_runs(problem, sessions)}
        self._worth = {request: run.value_at(run.first) for request, run in self.runs.items()}
        self._idle: dict[str, Idle] = {i.id: idle_slots(i) for i in problem.instruments}
        self._longest_idle = {i: max(idle.values(), default=0) for i, idle in self._idle.items()}
        self._on = self._by_instrument()
        self._with = self._by_person()
        self._operated = self._by_pool()
        self._free = {pool.id: free_operators(problem, pool) for pool in problem.operator_pools}
        self._gaps: dict[tuple[str, str | None], list[Span]] = {}
        self._count()

    def _count(self) -> None:
        """What every rule and organisation has of this plan."""
        self._weights = {request: self._weigher.weights(run, run.first) for request, run in self.runs.items()}
        self._used, self._allocated = self._weigher.totals(chain.from_iterable(self._weights.values()))
        self._missed = [
            counted.missed(used, allocated)
            for counted, used, allocated in zip(self._weigher.counts, self._used, self._allocated, strict=True)
        ]
        self._served: defaultdict[str | None, int] = defaultdict(int)
        for run in self.runs.values():
            self._served[run.request.organisation] += run.slots

    def _by_instrument(self) -> Mapping[str, Timeline]:
        on: defaultdict[str, list[Occupied]] = defaultdict(list)
        for row in self.problem.fixed:
            on[row.instrument].append(Occupied(row.start, row.end, None, row.family))
        for run in self.runs.values():
            on[run.instrument].append(Occupied(run.first, run.first + run.slots, run.request.id, run.request.family))
        return {i.id: Timeline(on[i.id]) for i in self.problem.instruments}

    def _by_person(self) -> Mapping[str, Timeline]:
        busy: defaultdict[str, list[Occupied]] = defaultdict(list)
        for row in self.problem.fixed:
            if row.attended and row.person:
                busy[row.person].append(Occupied(row.start, row.end, None, None))
        for run in self.runs.values():
            if person := attended_by(run.request):
                busy[person].append(Occupied(run.first, run.first + run.slots, run.request.id, None))
        return {person: Timeline(rows) for person, rows in busy.items()}

    def _by_pool(self) -> Mapping[str, Timeline]:
        served: defaultdict[str, list[Occupied]] = defaultdict(list)
        for run in self.runs.values():
            if need := run.request.operator_on(run.option):
                end = run.first + min(need.slots, run.slots)
                served[need.pool].append(Occupied(run.first, end, run.request.id, None))
        return {pool.id: Timeline(served[pool.id]) for pool in self.problem.operator_pools}

    def place(self, run: Run, start: int) -> Place:
        """What a session of this run at `start` would meet."""
        sessions, barred = self._neighbours(run, start)
        elsewhere, absent = self._elsewhere(run, start)
        served, unstaffed = self._operators(run, start)
        blocking = tuple(dict.fromkeys((*sessions, *elsewhere, *served)))
        rules, penalties = self._rules(run, start, blocking)
        return Place(
            run,
            start,
            tuple(sessions),
            tuple(elsewhere),
            tuple(served),
            (*barred, *absent, *unstaffed),
            tuple(rules),
            sum(self._worth[other] for other in blocking),
            penalties,
        )

    def edges(self, run: Run) -> set[int]:
        """Starts of the run's option right after or right before something that it could run into, changeover included.

        That is anything on the instrument, at the person's, or with the operators; the same for every run of an option.
        """
        idle, family = self._idle[run.instrument], run.request.family
        rows = self._on[run.instrument].rows
        after = {row.end + idle.get((row.family, family), 0) for row in rows}
        before = {row.start - idle.get((family, row.family), 0) - run.slots for row in rows}
        attended = {edge for row in self._attended(run.request).rows for edge in (row.end, row.start - run.slots)}
        return after | before | attended | self._operator_edges(run)

    def _attended(self, request: Request) -> Timeline:
        """What keeps the request's person busy, when the person must be there."""
        person = attended_by(request)
        return self._with.get(person, NOTHING) if person else NOTHING

    def _operator_edges(self, run: Run) -> set[int]:
        """Starts at which the operators it needs become free, or last are."""
        need = run.request.operator_on(run.option)
        if need is None:
            return set()
        rows = [(row.start, row.end) for row in self._operated[need.pool].rows]
        shifts = [(start, end) for start, end, _ in self._free[need.pool]]
        return {edge for start, end in rows + shifts for edge in (start, end, start - need.slots, end - need.slots)}

    def _neighbours(self, run: Run, start: int) -> tuple[list[str], list[str]]:
        """Sessions that overlap or leave too little changeover, and whether a fixed row does."""
        idle, family, end = self._idle[run.instrument], run.request.family, start + run.slots
        longest = self._longest_idle[run.instrument]
        hit = [
            row
            for row in self._on[run.instrument].near(start - longest, end + longest)
            if row.request != run.request.id
            and row.end + idle.get((row.family, family), 0) > start
            and row.start < end + idle.get((family, row.family), 0)
        ]
        return _sessions_or(hit, "fixed_row")

    def _elsewhere(self, run: Run, start: int) -> tuple[list[str], list[str]]:
        """Other sessions of the person then, and whether a fixed row of theirs is."""
        rows = self._attended(run.request).near(start, start + run.slots)
        return _sessions_or([row for row in rows if row.request != run.request.id], "person")

    def _operators(self, run: Run, start: int) -> tuple[list[str], list[str]]:
        """Sessions that take the operators needed, and whether there are too few on shift whoever is served."""
        need = run.request.operator_on(run.option)
        if need is None:
            return [], []
        end = start + min(need.slots, run.slots)
        rivals = [row for row in self._operated[need.pool].near(start, end) if row.request != run.request.id]
        taken: dict[str, None] = {}
        for t, people in self._on_shift(need.pool, start, end, rivals):
            there = [row.request for row in rivals if row.request and row.start <= t < row.end]
            if people == 0:
                return [], ["operators"]
            if len(there) >= people:
                cheapest = sorted(there, key=lambda r: (r not in taken, self._worth[r]))
                taken |= dict.fromkeys(cheapest[: len(there) - people + 1])
        return list(taken), []

    def _on_shift(self, pool: str, start: int, end: int, rivals: Iterable[Occupied]) -> list[tuple[int, int]]:
        """Each slot of `[start, end)` at which anything changes, with the people on shift that fixed rows leave."""
        pieces = self._free[pool]
        slots = {start, *(row.start for row in rivals), *(row.end for row in rivals), *(a for a, _, _ in pieces)}
        return [
            (t, pieces[bisect_right(pieces, t, key=lambda piece: piece[0]) - 1][2] if t < pieces[-1][1] else 0)
            for t in sorted(slots)
            if start <= t < end
        ]

    def _rules(self, run: Run, start: int, gone: Iterable[str]) -> tuple[list[str], int]:
        """Hard rules that this session would break or break further, and what soft rules would charge more."""
        change = {k: (used, allocated) for k, used, allocated in self._weigher.weights(run, start)}
        for k, used, allocated in (weight for request in gone for weight in self._weights[request]):
            before = change.get(k, (0, 0))
            change[k] = before[0] - used, before[1] - allocated
        broken: list[str] = []
        charged = 0
        for k, (used, allocated) in sorted(change.items()):
            counted = self._weigher.counts[k]
            more = counted.missed(self._used[k] + used, self._allocated[k] + allocated) - self._missed[k]
            if more > 0 and counted.rule.penalty is None:
                broken.append(counted.rule.id)
            charged += more * (counted.rule.penalty or 0)
        return broken, charged

    def gain(self, place: Place) -> int:
        """What placing a session in a free place adds to the objective."""
        request = place.run.request
        target = self.problem.fairness.targets.get(request.organisation or "", 0)
        served, steps = self._served[request.organisation], self.problem.fairness.steps
        fairer = reward(steps, target, served + place.run.slots) - reward(steps, target, served)
        return place.value - place.penalties + fairer

    def gaps(self, instrument_id: str, family: str | None) -> list[Span]:
        """Time on an instrument that this plan leaves free for a session of the family, changeover taken off."""
        key = instrument_id, family
        if key not in self._gaps:
            idle = self._idle[instrument_id]
            taken = [
                (row.start - idle.get((family, row.family), 0), row.end + idle.get((row.family, family), 0))
                for row in self._on[instrument_id].rows
            ]
            stretches = self.geometry.stretches[instrument_id]
            self._gaps[key] = subtract([(stretch.start, stretch.end) for stretch in stretches], taken)
        return self._gaps[key]


def _sessions_or(hit: Sequence[Occupied], fixed: str) -> tuple[list[str], list[str]]:
    """The requests of the rows hit, and the word for a fixed row if one is among them."""
    return [row.request for row in hit if row.request], [fixed] if any(not row.request for row in hit) else []
