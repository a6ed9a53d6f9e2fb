"""A few requests of a plan planned anew, exactly, while every other session stays where it is.

The model is as small as what is freed: only freed requests have variables; what stays is subtracted from the time of
their instruments and enters persons, operators, groups, rules and rewards as constants. Its objective differs from that
of the whole plan by a constant. Which requests to free is for others to decide.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import msgspec
from ortools.sat.python import cp_model

from labshare.scheduler.counting import RuleCount, Weight
from labshare.scheduler.model import Around, Linear, Model
from labshare.scheduler.places import Geometry, Run, Stretch
from labshare.scheduler.plan import Session
from labshare.scheduler.problem import Fairness, Group, Link, Problem, Request, Span
from labshare.scheduler.resources import attended_by
from labshare.scheduler.rules import build
from labshare.scheduler.search import Found, Limits, ShouldStop, search
from labshare.scheduler.standing import Seat, Standing

# Requests in a neighbourhood that is searched in haste.
SMALL = 150


@dataclass(frozen=True)
class Neighbourhood:
    """A built model of the freed requests; `constant` plus its objective is the objective of the whole plan."""

    model: Model
    constant: int
    freed: list[str]


class Neighbourhoods:
    """The neighbourhoods of the plans of one problem. Build it once: runs, counts and the plan itself are kept.

    Nothing is put on a start before `not_before`, apart from what is frozen there.
    """

    def __init__(self, problem: Problem, *, not_before: int = 0) -> None:
        self.problem = problem
        self.not_before = not_before
        self.standing = Standing(problem)
        self.geometry = Geometry(problem)
        self._position = {request.id: k for k, request in enumerate(problem.requests)}
        self._instruments = {instrument.id: instrument for instrument in problem.instruments}
        self._pools = {pool.id: pool for pool in problem.operator_pools}
        self.groups = _by_member(problem.groups)
        self.links = _by_member(problem.linked)
        self._runs: dict[str, list[tuple[Run, list[Weight]]]] = {}

    def solve(
        self,
        sessions: Mapping[str, Session],
        freed: Collection[str],
        limits: Limits,
        should_stop: ShouldStop = lambda: False,
    ) -> list[Session] | None:
        """The sessions of a whole plan that is worth more than the given one, or None when none was found.

        `sessions` are those of a plan, by request. Only the freed requests and the other steps of their campaigns may
        move, go or come. A plan that breaks a hard rule is worth less than any that does not.
        """
        self.standing.become(sessions)
        before = self.standing.objective if self.standing.keeps_hard_rules() else None
        found = self.best(sessions, freed, limits, should_stop)
        if found.sessions is None:
            return None
        self.standing.become({session.request: session for session in found.sessions})
        return found.sessions if before is None or self.standing.objective > before else None

    def best(
        self,
        sessions: Mapping[str, Session],
        freed: Collection[str],
        limits: Limits,
        should_stop: ShouldStop = lambda: False,
    ) -> Found:
        """The best whole plan around these sessions, better or not; the bound is for plans that keep the others."""
        neighbourhood = self.build(sessions, freed)
        model = neighbourhood.model
        model.hint(sessions[request] for request in neighbourhood.freed if request in sessions)
        found = search(model, limits, _ignore, should_stop, is_small=len(neighbourhood.freed) <= SMALL)
        if found.sessions is None or found.bound is None:
            return found
        kept = {request: session for request, session in sessions.items() if request not in set(neighbourhood.freed)}
        kept |= {session.request: session for session in found.sessions}
        whole = [kept[request] for request in sorted(kept, key=self._position.__getitem__)]
        return Found(found.status, whole, found.bound + neighbourhood.constant, found.steps)

    def build(self, sessions: Mapping[str, Session], freed: Collection[str]) -> Neighbourhood:
        """The model of the freed requests around the other sessions, which must be able to stand together."""
        self.standing.become(sessions)
        wanted = self.with_campaigns(freed)
        taken = [seat for seat in map(self.standing.take, wanted) if seat is not None]
        requests = [self.standing.requests[request] for request in wanted]
        part = _Part(self, requests)
        neighbourhood = Neighbourhood(part.model(), part.constant(), wanted)
        for seat in taken:
            self.standing.put(seat)
        return neighbourhood

    def with_campaigns(self, freed: Iterable[str]) -> list[str]:
        """These requests and every other step of their campaigns, in the order of the problem."""
        found: set[str] = set()
        waiting = list(freed)
        while waiting:
            request = waiting.pop()
            if request not in found:
                found.add(request)
                waiting += [step for link in self.links[request] for step in link.requests]
        return sorted(found, key=self._position.__getitem__)

    def runs(self, request: Request) -> list[tuple[Run, list[Weight]]]:
        """The runs of a request on the empty plan, each with what a session there adds to the rules."""
        if request.id not in self._runs:
            weights = self.standing.weigher.weights
            self._runs[request.id] = [(run, weights(run, run.first)) for run in self._possible(request)]
        return self._runs[request.id]

    def _possible(self, request: Request) -> list[Run]:
        runs = self.geometry.runs(request)
        row = self.standing.current.get(request.id)
        if row is not None and row.start < self.problem.frozen_until:
            here = [run for run in runs if run.instrument == row.instrument and run.is_at(row.start)]
            if here:
                return here
        return [replace(run, first=max(run.first, self.not_before)) for run in runs if run.last >= self.not_before]

    def is_frozen(self, request_id: str) -> bool:
        """Must the request stay where the current plan has it?"""
        row = self.standing.current.get(request_id)
        if row is None or row.start >= self.problem.frozen_until:
            return False
        return [run.first for run, _ in self.runs(self.standing.requests[request_id])] == [row.start]

    def gaps(self, instrument_id: str) -> list[Stretch]:
        """What the sessions that stand leave of the instrument's free stretches, in order of time."""
        rows = sorted((seat.row.start, seat.row.end) for seat in self.standing.on[instrument_id].values())
        return list(_between(self.geometry.stretches[instrument_id], rows))

    def problem_of(self, requests: Sequence[Request]) -> Problem:
        """The part of the problem that these requests alone can touch, without rules and down times."""
        names = {request.id for request in requests}
        instruments = dict.fromkeys(option.instrument for request in requests for option in request.options)
        pools = dict.fromkeys(_pools_of(requests))
        persons = {attended_by(request) for request in requests} - {None}
        organisations = {request.organisation for request in requests}
        fairness = self.problem.fairness
        return msgspec.structs.replace(
            self.problem,
            instruments=tuple(self._instruments[name] for name in instruments),
            requests=tuple(requests),
            operator_pools=tuple(self._pools[name] for name in pools),
            groups=_once(group for request in requests for group in self.groups[request.id]),
            linked=_once(link for request in requests for link in self.links[request.id]),
            fixed=tuple(
                row
                for row in self.problem.fixed
                if row.instrument in instruments
                or (row.attended and row.person in persons)
                or (row.operator and row.operator.pool in pools)
            ),
            current=tuple(self.standing.current[name] for name in names if name in self.standing.current),
            fairness=Fairness(
                targets={who: slots for who, slots in fairness.targets.items() if who in organisations},
                steps=fairness.steps,
            ),
            rules=(),
            down=(),
        )


class _Part:
    """The freed requests, while the standing holds only what stays."""

    def __init__(self, of: Neighbourhoods, requests: Sequence[Request]) -> None:
        self._standing = of.standing
        self.problem = of.problem_of(requests)
        gaps = {instrument.id: of.gaps(instrument.id) for instrument in self.problem.instruments}
        ends = {name: [gap.end for gap in stretches] for name, stretches in gaps.items()}
        self.runs: list[Run] = []
        self.weights: list[list[Weight]] = []
        for request in requests:
            for run, weights in of.runs(request):
                for cut in _cut(run, gaps[run.instrument], ends[run.instrument]):
                    self.runs.append(cut)
                    self.weights.append(weights)
        # A hard rule that what stands breaks belongs in the model even where no freed request can mend it.
        counts = enumerate(self._standing.weigher.counts)
        broken = {k for k, counted in counts if counted.rule.is_hard and self._standing.missed(k)}
        self.touched = sorted(broken | {k for weights in self.weights for k, _, _ in weights})

    def model(self) -> Model:
        standing = self._standing
        around = Around(
            runs=self.runs,
            counts=[standing.count_so_far(k) for k in self.touched],
            kept=[seat.row for seat in self._kept().values()],
            placed={name for group in self.problem.groups for name in group.requests if name in standing.seats},
            served=dict(standing.served),
        )
        return build(_WeighedModel(self.problem, around, self._weights_by_rule()))

    def _kept(self) -> dict[str, Seat]:
        """The sessions that changeover, persons or operators of the freed ones can meet."""
        found: dict[str, Seat] = {}
        for instrument in self.problem.instruments:
            if instrument.changeover:
                found |= self._standing.on[instrument.id]
        for person in dict.fromkeys(filter(None, map(attended_by, self.problem.requests))):
            found |= self._standing.attending[person]
        for pool in self.problem.operator_pools:
            found |= self._standing.operated[pool.id]
        return found

    def _weights_by_rule(self) -> _Weights:
        used: _Column = defaultdict(list)
        allocated: _Column = defaultdict(list)
        names = [rule.id for rule in self._standing.problem.rules]
        for x, weights in enumerate(self.weights):
            for k, slots_used, slots_allocated in weights:
                if slots_used:
                    used[names[k]].append((x, slots_used))
                allocated[names[k]].append((x, slots_allocated))
        return used, allocated

    def constant(self) -> int:
        """What the whole plan's objective has and the model's has not, in terms that no freed request can change."""
        standing, touched = self._standing, set(self.touched)
        rules = [k for k in range(len(standing.problem.rules)) if k not in touched]
        targets = self.problem.fairness.targets
        organisations = [who for who in standing.problem.fairness.targets if who not in targets]
        changes = standing.changes - standing.problem.change_penalty * len(self.problem.current)
        return standing.value - standing.penalties(rules) - changes + standing.rewards(organisations)


# By rule: the runs that it counts, each with its slots.
_Column = defaultdict[str, list[tuple[int, int]]]
_Weights = tuple[_Column, _Column]


class _WeighedModel(Model):
    """A model that is told what each run adds to the rules instead of asking every rule about every run."""

    def __init__(self, problem: Problem, around: Around, weights: _Weights) -> None:
        super().__init__(problem, around=around)
        self._used, self._allocated = weights

    def used(self, count: RuleCount) -> Linear:
        return self._sum(self._used[count.rule.id]) + count.fixed_used

    def allocated(self, count: RuleCount) -> Linear:
        return self._sum(self._allocated[count.rule.id]) + count.fixed_allocated

    def _sum(self, column: list[tuple[int, int]]) -> Linear:
        return cp_model.LinearExpr.weighted_sum([self.x[k] for k, _ in column], [slots for _, slots in column])


def _between(stretches: Iterable[Stretch], rows: Sequence[Span]) -> Iterator[Stretch]:
    """The parts of the stretches that the rows, which come in order of time, leave free."""
    for stretch in stretches:
        start = stretch.start
        for a, b in rows:
            if a >= stretch.end:
                break
            if b > start:
                if a > start:
                    yield Stretch(stretch.instrument, start, a)
                start = b
        if start < stretch.end:
            yield Stretch(stretch.instrument, start, stretch.end)


def _cut(run: Run, gaps: Sequence[Stretch], ends: Sequence[int]) -> Iterator[Run]:
    """The run inside each gap; `ends` are the gaps' ends."""
    for gap in gaps[bisect_right(ends, run.first) :]:
        if gap.start > run.last:
            break
        first, last = max(run.first, gap.start), min(run.last, gap.end - run.slots)
        if first <= last:
            yield Run(run.request, run.option, gap, first, last, run.slots)


def _pools_of(requests: Iterable[Request]) -> Iterator[str]:
    for request in requests:
        for option in request.options:
            if need := request.operator_on(option):
                yield need.pool


Family = TypeVar("Family", Group, Link)


def _by_member(families: Iterable[Family]) -> defaultdict[str, list[Family]]:
    found: defaultdict[str, list[Family]] = defaultdict(list)
    for family in families:
        for request in family.requests:
            found[request].append(family)
    return found


def _once(families: Iterable[Family]) -> tuple[Family, ...]:
    """The families without repetition, in their order."""
    return tuple({id(family): family for family in families}.values())


def _ignore(sessions: Sequence[Session], bound: int) -> None:
    """Better plans are not told on the way: a neighbourhood is small."""
