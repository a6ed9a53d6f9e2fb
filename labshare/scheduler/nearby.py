"""Whom to free so that some requests find a place: the sessions on their cheapest places, and who waits for room.

Guesses only, worked out from instruments, persons and operators. What then happens is decided by neighbourhood.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from labshare.scheduler.neighbourhood import Neighbourhoods
from labshare.scheduler.places import Run
from labshare.scheduler.problem import Request
from labshare.scheduler.resources import Idle, attended_by, free_operators, idle_slots
from labshare.scheduler.standing import Seat

# Time on an instrument: its id, start, end.
Space = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Eviction:
    """A place that some sessions stand on; `cost` is what they are worth less what the place is worth."""

    cost: int
    start: int
    instrument: str
    sessions: tuple[str, ...]


class Nearby:
    """Looks around on the standing of `around` as it is at the time of the call."""

    def __init__(self, around: Neighbourhoods) -> None:
        self._around = around
        self._standing = around.standing
        problem = around.problem
        self._idle: dict[str, Idle] = {instrument.id: idle_slots(instrument) for instrument in problem.instruments}
        self._free = {pool.id: free_operators(problem, pool) for pool in problem.operator_pools}
        self._asking: defaultdict[str, list[Request]] = defaultdict(list)
        for request in problem.requests:
            for name in dict.fromkeys(option.instrument for option in request.options):
                self._asking[name].append(request)

    def cheapest(self, request: Request, places: int) -> list[str]:
        """The sessions on the request's cheapest places, as many places as asked for, cheapest first."""
        found = sorted(self._evictions(request), key=lambda e: (e.cost, e.start, e.instrument))
        different = dict.fromkeys(eviction.sessions for eviction in found)
        return list(dict.fromkeys(name for sessions in list(different)[:places] for name in sessions))

    def _evictions(self, request: Request) -> Iterator[Eviction]:
        for run, _ in self._around.runs(request):
            seats = list(self._standing.on[run.instrument].values())
            for start in self._starts(run, seats):
                blocking = self._blocking(run, start, seats)
                if not any(self._around.is_frozen(name) for name in blocking):
                    worth = sum(seat.value for seat in blocking.values())
                    yield Eviction(worth - run.value_at(start), start, run.instrument, tuple(blocking))

    def _starts(self, run: Run, seats: Iterable[Seat]) -> list[int]:
        """The ends of the run, and its starts right after or right before a session."""
        idle, family = self._idle[run.instrument], run.request.family
        edges = {run.first, run.last}
        for seat in seats:
            edges.add(seat.row.end + idle.get((seat.row.family, family), 0))
            edges.add(seat.row.start - idle.get((family, seat.row.family), 0) - run.slots)
        return sorted(edge for edge in edges if run.first <= edge <= run.last)

    def _blocking(self, run: Run, start: int, seats: Iterable[Seat]) -> dict[str, Seat]:
        """The sessions that a session at this start would push away."""
        idle, family, end = self._idle[run.instrument], run.request.family, start + run.slots
        found = [
            seat
            for seat in seats
            if seat.row.end + idle.get((seat.row.family, family), 0) > start
            and seat.row.start < end + idle.get((family, seat.row.family), 0)
        ]
        if person := attended_by(run.request):
            found += [s for s in self._standing.attending[person].values() if s.row.start < end and s.row.end > start]
        if need := run.request.operator_on(run.option):
            found += self._operated(need.pool, start, min(end, start + need.slots))
        return {seat.session.request: seat for seat in found if seat.session.request != run.request.id}

    def _operated(self, pool: str, start: int, end: int) -> list[Seat]:
        """The cheapest sessions whose operators are needed in these slots."""
        there = [s for s in self._standing.operated[pool].values() if s.row.start < end and s.operated_until > start]
        people = min((people for a, b, people in self._free[pool] if a < end and b > start), default=0)
        return sorted(there, key=lambda seat: seat.value)[: max(0, len(there) - people + 1)]

    def waiting(self, spaces: Iterable[Space], most: int) -> list[str]:
        """Unplaced requests that could start or end in these spaces, which are free now: the densest in value first."""
        found: dict[str, float] = {}
        for instrument, start, end in spaces:
            for gap in self._around.gaps(instrument):
                if gap.start < end and gap.end > start:
                    found |= {
                        request.id: _density(request) for request in self._fitting(instrument, gap.start, gap.end)
                    }
        return sorted(found, key=lambda name: -found[name])[:most]

    def _fitting(self, instrument: str, start: int, end: int) -> Iterator[Request]:
        for request in self._asking[instrument]:
            if request.id not in self._standing.seats and any(
                run.instrument == instrument
                and run.slots <= end - start
                and run.first <= end - run.slots
                and run.last >= start
                for run, _ in self._around.runs(request)
            ):
                yield request

    def beside(self, spaces: Iterable[Space]) -> list[str]:
        """The sessions right before and right after these spaces."""
        found: list[str] = []
        for instrument, start, end in spaces:
            seats = sorted(self._standing.on[instrument].values(), key=lambda seat: seat.row.start)
            found += [seat.session.request for seat in [s for s in seats if s.row.end <= start][-1:]]
            found += [seat.session.request for seat in [s for s in seats if s.row.start >= end][:1]]
        return [name for name in dict.fromkeys(found) if not self._around.is_frozen(name)]

    def too_close(self) -> list[str]:
        """Sessions that have become neighbours without the idle slots between them, frozen ones included."""
        found: list[str] = []
        for instrument, idle in self._idle.items():
            rows = sorted(self._rows(instrument), key=lambda row: row[0]) if idle else []
            for (_, end, before, name), (start, _, after, other) in pairwise(rows):
                if 0 <= start - end < idle.get((before, after), 0):
                    found += [request for request in (name, other) if request]
        return list(dict.fromkeys(found))

    def _rows(self, instrument: str) -> Iterator[tuple[int, int, str | None, str | None]]:
        for row in self._around.problem.fixed:
            if row.instrument == instrument:
                yield row.start, row.end, row.family, None
        for name, seat in self._standing.on[instrument].items():
            yield seat.row.start, seat.row.end, seat.row.family, name

    def of_broken_rules(self, most: int) -> list[str]:
        """Requests that could mend the hard rules that are broken: cheap ones of a cap, waiting ones of a floor."""
        found: list[str] = []
        for k, counted in enumerate(self._standing.weigher.counts):
            if counted.rule.is_hard and self._standing.missed(k):
                found += self._counted(k)[:most] if counted.rule.kind == "cap" else self._countable(k)[:most]
        return found

    def under_the_same_caps(self, request: Request, most: int) -> list[str]:
        """The cheapest sessions of each cap that has no room for the request as well."""
        standing = self._standing
        weights = dict.fromkeys((k, u, a) for _, some in self._around.runs(request) for k, u, a in some if u)
        full = dict.fromkeys(
            k
            for k, used, allocated in weights
            if standing.weigher.counts[k].rule.kind == "cap"
            and standing.weigher.counts[k].missed(standing.used[k] + used, standing.allocated[k] + allocated)
        )
        return [name for k in full for name in self._counted(k)[:most]]

    def of_broken_caps(self) -> list[str]:
        """The cheapest session that each broken hard cap counts."""
        return [
            name
            for k, counted in enumerate(self._standing.weigher.counts)
            if counted.rule.is_hard and counted.rule.kind == "cap" and self._standing.missed(k)
            for name in self._counted(k)[:1]
        ]

    def _counted(self, k: int) -> list[str]:
        """The sessions that rule `k` counts, cheapest first."""
        seats = self._standing.seats
        counted = [name for name, seat in seats.items() if any(rule == k and used for rule, used, _ in seat.weights)]
        return sorted((n for n in counted if not self._around.is_frozen(n)), key=lambda name: seats[name].value)

    def _countable(self, k: int) -> list[str]:
        """The unplaced requests that rule `k` would count, the most valuable first."""
        counted = self._standing.weigher.counts[k]
        waiting = [
            request
            for request in self._around.problem.requests
            if request.id not in self._standing.seats
            and any(counted.counts(request, option) for option in request.options)
        ]
        return [request.id for request in sorted(waiting, key=lambda request: -_density(request))]


def _density(request: Request) -> float:
    """The most that a slot of the request is worth."""
    return max((option.value / request.slots_on(option) for option in request.options), default=0.0)


def spaces_of(seats: Sequence[Seat]) -> list[Space]:
    return [(seat.session.instrument, seat.session.start, seat.session.end) for seat in seats]
