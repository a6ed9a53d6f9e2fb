"""A plan in memory that changes session by session: who is where, and what every rule and reward has counted so far.

Moving one session costs what it touches and not the whole plan. Whether a place may be taken is for others to know.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from labshare.scheduler.counting import RuleCount, Weigher, Weight
from labshare.scheduler.places import Run
from labshare.scheduler.plan import RuleOutcome, Score, Session
from labshare.scheduler.problem import FixedRow, Problem
from labshare.scheduler.resources import attended_by
from labshare.scheduler.score import outcome_at, reward, run_of


@dataclass(frozen=True, slots=True)
class Seat:
    """A session with what it is a session of; `row` is the same as a fixed row would be written."""

    session: Session
    run: Run
    row: FixedRow
    weights: list[Weight]

    @property
    def value(self) -> int:
        return self.run.value_at(self.run.first)

    @property
    def operated_until(self) -> int:
        """The end of the slots that need an operator; the start where none do."""
        need = self.row.operator
        return self.row.start if need is None else min(self.row.end, self.row.start + need.slots)


class Standing:
    """The sessions of a plan, indexed, with every term of its objective up to date."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.weigher = Weigher(problem)
        self.requests = {request.id: request for request in problem.requests}
        self.seats: dict[str, Seat] = {}
        self.on: defaultdict[str, dict[str, Seat]] = defaultdict(dict)
        self.attending: defaultdict[str, dict[str, Seat]] = defaultdict(dict)
        self.operated: defaultdict[str, dict[str, Seat]] = defaultdict(dict)
        self.used = [counted.fixed_used for counted in self.weigher.counts]
        self.allocated = [counted.fixed_allocated for counted in self.weigher.counts]
        self.served: defaultdict[str | None, int] = defaultdict(int)
        self.value = 0
        self.current = {row.request: row for row in problem.current}
        self._kept = 0

    @property
    def sessions(self) -> list[Session]:
        """The sessions in the order of the problem's requests."""
        return [self.seats[request].session for request in self.requests if request in self.seats]

    def become(self, sessions: Mapping[str, Session]) -> None:
        """Hold exactly these sessions, by request; those that are the same already cost nothing."""
        gone = [request for request, seat in self.seats.items() if sessions.get(request) != seat.session]
        for request in gone:
            self.take(request)
        for request, session in sessions.items():
            if request not in self.seats:
                self.put(self.seat(session))

    def seat(self, session: Session) -> Seat:
        """The session with all that is known of it; the standing does not change."""
        run = run_of(self.requests[session.request], session)
        return Seat(session, run, _row(run), self.weigher.weights(run, run.first))

    def put(self, seat: Seat) -> None:
        """Add a session of a request that has none."""
        self.seats[seat.session.request] = seat
        for index, key in self._indices(seat):
            index[key][seat.session.request] = seat
        self._add(seat, 1)

    def take(self, request_id: str) -> Seat | None:
        """Take the request's session away and return it, if it has one."""
        seat = self.seats.pop(request_id, None)
        if seat is not None:
            for index, key in self._indices(seat):
                del index[key][request_id]
            self._add(seat, -1)
        return seat

    def _indices(self, seat: Seat) -> list[tuple[defaultdict[str, dict[str, Seat]], str]]:
        found = [(self.on, seat.session.instrument)]
        if person := attended_by(seat.run.request):
            found.append((self.attending, person))
        if seat.row.operator:
            found.append((self.operated, seat.row.operator.pool))
        return found

    def _add(self, seat: Seat, sign: int) -> None:
        for k, used, allocated in seat.weights:
            self.used[k] += sign * used
            self.allocated[k] += sign * allocated
        self.served[seat.run.request.organisation] += sign * seat.run.slots
        self.value += sign * seat.value
        self._kept += sign * self.is_kept(seat.session)

    def is_kept(self, session: Session) -> bool:
        """Is this where the current plan has the request?"""
        row = self.current.get(session.request)
        return row is not None and (row.instrument, row.start) == (session.instrument, session.start)

    def missed(self, k: int) -> int:
        """Whole slots by which rule `k` is missed."""
        return self.weigher.counts[k].missed(self.used[k], self.allocated[k])

    def keeps_hard_rules(self) -> bool:
        return not any(self.missed(k) for k, counted in enumerate(self.weigher.counts) if counted.rule.is_hard)

    def penalties(self, rules: Sequence[int]) -> int:
        """What these soft rules, by position, charge."""
        rows = [(k, self.problem.rules[k].penalty) for k in rules]
        return sum(penalty * self.missed(k) for k, penalty in rows if penalty)

    def rewards(self, organisations: Sequence[str]) -> int:
        """What fairness rewards these organisations with."""
        targets, steps = self.problem.fairness.targets, self.problem.fairness.steps
        return sum(reward(steps, targets[who], self.served[who]) for who in organisations)

    @property
    def changes(self) -> int:
        return self.problem.change_penalty * (len(self.current) - self._kept)

    @property
    def objective(self) -> int:
        """The objective of the sessions, whether or not they keep the hard rules."""
        penalties = self.penalties(range(len(self.problem.rules)))
        return self.value - penalties - self.changes + self.rewards(list(self.problem.fairness.targets))

    def score(self) -> Score:
        """Every term of the objective."""
        return Score(
            objective=self.objective,
            value=self.value,
            penalties={rule.id: self.penalties([k]) for k, rule in enumerate(self.problem.rules) if not rule.is_hard},
            fairness=self.rewards(list(self.problem.fairness.targets)),
            changes=self.changes,
        )

    def outcomes(self, unavoidable: Mapping[str, int]) -> list[RuleOutcome]:
        """How each rule came out; `unavoidable` holds the proven misses by rule."""
        return [
            outcome_at(counted, self.used[k], self.allocated[k], unavoidable.get(counted.rule.id, 0))
            for k, counted in enumerate(self.weigher.counts)
        ]

    def count_so_far(self, k: int) -> RuleCount:
        """Rule `k` with what stands here counted as if it were fixed; its demand is that of the whole problem."""
        counted = self.weigher.counts[k]
        return RuleCount(counted.rule, counted.scope, self.used[k], self.allocated[k], counted.demand)


def _row(run: Run) -> FixedRow:
    request = run.request
    return FixedRow(
        instrument=run.instrument,
        start=run.first,
        end=run.first + run.slots,
        person=request.person,
        family=request.family,
        attended=request.attended,
        operator=request.operator_on(run.option),
    )
