"""Two ways in which centres give out time without a solver: first come, first served, and by priority.

Both take the requests one by one and give each the best option that is still free, as early as possible. They keep
every hard constraint; soft rules are nobody's business at a counter. A request belongs to one group or campaign at
most, as the instances have it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from labshare.scheduler.changeover import idle_slots
from labshare.scheduler.counting import count
from labshare.scheduler.places import Run, runs_of
from labshare.scheduler.plan import Session
from labshare.scheduler.problem import Link, Problem, Request


def first_come_first_served(problem: Problem) -> list[Session]:
    """In the order of the problem's requests, which is that of their arrival."""
    return Desk(problem).serve(problem.requests)


def by_priority(problem: Problem) -> list[Session]:
    """In the order of what a slot is worth, dearest first."""
    return Desk(problem).serve(sorted(problem.requests, key=_density, reverse=True))


def _density(request: Request) -> float:
    return max((option.value / request.slots_on(option) for option in request.options), default=0.0)


@dataclass(frozen=True)
class Seat:
    """A run's start that was given to its request."""

    run: Run
    start: int

    @property
    def end(self) -> int:
        return self.start + self.run.slots

    @property
    def here(self) -> Run:
        """The seat as a run of one start, which rules can count."""
        return Run(self.run.request, self.run.option, self.run.stretch, self.start, self.start, self.run.slots)


class Desk:
    """Who sits where so far, and whether one more fits."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._idle = {machine.id: idle_slots(machine) for machine in problem.instruments}
        self._on: defaultdict[str, list[tuple[int, int, str | None]]] = defaultdict(list)
        self._busy: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        self._people = {pool.id: [0] * problem.horizon for pool in problem.operator_pools}
        self._caps = [count(problem, rule) for rule in problem.rules if rule.is_hard and rule.kind == "cap"]
        self._left = [counted.rule.slots - counted.fixed_used for counted in self._caps]
        self._seats: dict[str, Seat] = {}
        self._runs: defaultdict[str, list[Run]] = defaultdict(list)
        for run in runs_of(problem):
            self._runs[run.request.id].append(run)
        for runs in self._runs.values():
            runs.sort(key=lambda run: (-run.option.value, run.first))
        self._begin()

    def _begin(self) -> None:
        """Shifts, and the rows that were there before."""
        for pool in self._problem.operator_pools:
            for start, end, people in pool.shifts:
                self._staff(pool.id, start, end, people)
        for row in self._problem.fixed:
            self._on[row.instrument].append((row.start, row.end, row.family))
            if row.attended and row.person:
                self._busy[row.person].append((row.start, row.end))
            if row.operator:
                self._staff(row.operator.pool, row.start, min(row.end, row.start + row.operator.slots), -1)

    def serve(self, queue: Sequence[Request]) -> list[Session]:
        """Each in turn; whoever belongs to a group or campaign brings the others along."""
        requests = {request.id: request for request in queue}
        campaigns = {name: link for link in self._problem.linked for name in link.requests}
        groups = {name: group for group in self._problem.groups for name in group.requests}
        seen: set[str] = set()
        for request in queue:
            if request.id in seen:
                continue
            if link := campaigns.get(request.id):
                seen.update(link.requests)
                self._campaign([requests[name] for name in link.requests], link)
            elif group := groups.get(request.id):
                seen.update(group.requests)
                self._group([requests[name] for name in group.requests], group.min)
            else:
                self._seat(request)
        return [
            Session(request=name, instrument=seat.run.instrument, start=seat.start, end=seat.end)
            for name, seat in self._seats.items()
        ]

    def _group(self, requests: Iterable[Request], least: int) -> None:
        seats = [seat for request in requests if (seat := self._seat(request))]
        if len(seats) < least:
            self._clear(seats)

    def _campaign(self, requests: Iterable[Request], link: Link) -> None:
        """Each step as early as it can be after the one before; where one does not fit, none stays."""
        seats: list[Seat] = []
        earliest, latest = 0, self._problem.horizon
        for request in requests:
            seat = self._seat(request, earliest, latest)
            if seat is None:
                self._clear(seats)
                return
            seats.append(seat)
            earliest = seat.end + link.min_gap
            latest = self._problem.horizon if link.max_gap is None else seat.end + link.max_gap

    def _seat(self, request: Request, earliest: int = 0, latest: int | None = None) -> Seat | None:
        """Give the request its best free place that starts between these slots, if there is one."""
        for run in self._runs[request.id]:
            last = run.last if latest is None else min(run.last, latest)
            start = max(run.first, earliest)
            while start <= last:
                free_from = max(self._clashes(run, start), default=0)
                if not free_from and self._is_staffed(run, start) and self._is_allowed(Seat(run, start)):
                    self._put(Seat(run, start), 1)
                    return self._seats[request.id]
                start = max(start + 1, free_from)
        return None

    def _clashes(self, run: Run, start: int) -> Iterator[int]:
        """The ends of what is in the way, on the instrument or with the person."""
        idle, family, end = self._idle[run.instrument], run.request.family, start + run.slots
        for begins, ends, other in self._on[run.instrument]:
            free_from = ends + idle.get((other, family), 0)
            if begins < end + idle.get((family, other), 0) and start < free_from:
                yield free_from
        if run.request.attended and run.request.person:
            yield from (ends for begins, ends in self._busy[run.request.person] if begins < end and start < ends)

    def _is_staffed(self, run: Run, start: int) -> bool:
        need = run.request.operator_on(run.option)
        return need is None or min(self._people[need.pool][start : start + min(need.slots, run.slots)]) > 0

    def _is_allowed(self, seat: Seat) -> bool:
        used = [counted.used_by(seat.here) for counted in self._caps]
        return all(slots <= left for slots, left in zip(used, self._left, strict=True) if slots)

    def _clear(self, seats: Iterable[Seat]) -> None:
        for seat in seats:
            self._put(seat, -1)

    def _put(self, seat: Seat, times: int) -> None:
        """Take the seat (1), or give it back (-1)."""
        run, request = seat.run, seat.run.request
        row, span = (seat.start, seat.end, request.family), (seat.start, seat.end)
        if times > 0:
            self._seats[request.id] = seat
            self._on[run.instrument].append(row)
        else:
            del self._seats[request.id]
            self._on[run.instrument].remove(row)
        if request.attended and request.person:
            busy = self._busy[request.person]
            busy.append(span) if times > 0 else busy.remove(span)
        if need := request.operator_on(run.option):
            self._staff(need.pool, seat.start, seat.start + min(need.slots, run.slots), -times)
        self._left = [
            left - times * counted.used_by(seat.here) for counted, left in zip(self._caps, self._left, strict=True)
        ]

    def _staff(self, pool: str, start: int, end: int, people: int) -> None:
        for slot in range(start, end):
            self._people[pool][slot] += people
