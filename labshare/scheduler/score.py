"""What a set of sessions is worth, for the solver's side: every term of the objective, and how each rule came out.

The checker does not read this file.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from labshare.scheduler.counting import RuleCount, Weigher
from labshare.scheduler.places import Run, Stretch
from labshare.scheduler.plan import RuleOutcome, Score, Session
from labshare.scheduler.problem import Option, Problem, Request


def used_runs(problem: Problem, sessions: Sequence[Session]) -> list[Run]:
    """Each session as a run of one start."""
    requests = {request.id: request for request in problem.requests}
    return [run_of(requests[session.request], session) for session in sessions]


def run_of(request: Request, session: Session) -> Run:
    """The session as a run of one start on the option that offers it."""
    return Run(
        request,
        option_at(request, session.instrument, session.start),
        Stretch(session.instrument, session.start, session.end),
        session.start,
        session.start,
        session.end - session.start,
    )


def option_at(request: Request, instrument_id: str, start: int) -> Option:
    """The option that offers this start; validation.py sees to it that there is at most one."""
    return next(
        option
        for option in request.options
        if option.instrument == instrument_id and any(first <= start <= last for first, last in option.starts)
    )


def score(problem: Problem, sessions: Sequence[Session], outcomes: Sequence[RuleOutcome]) -> Score:
    """Every term of the objective for these sessions and the outcomes of the rules under them."""
    value = sum(run.value_at(run.first) for run in used_runs(problem, sessions))
    penalties = {
        rule.id: rule.penalty * max(0, -outcome.slack)
        for rule, outcome in zip(problem.rules, outcomes, strict=True)
        if rule.penalty is not None
    }
    fairness = fairness_of(problem, sessions)
    changes = problem.change_penalty * len(changed(problem, sessions))
    objective = value - sum(penalties.values()) - changes + fairness
    return Score(objective=objective, value=value, penalties=penalties, fairness=fairness, changes=changes)


def changed(problem: Problem, sessions: Sequence[Session]) -> list[str]:
    """The requests of the current plan whose session moved or is gone."""
    places = {(session.request, session.instrument, session.start) for session in sessions}
    return [row.request for row in problem.current if (row.request, row.instrument, row.start) not in places]


def fairness_of(problem: Problem, sessions: Sequence[Session]) -> int:
    organisation = {request.id: request.organisation for request in problem.requests}
    served: defaultdict[str | None, int] = defaultdict(int)
    for session in sessions:
        served[organisation[session.request]] += session.end - session.start
    return sum(reward(problem.fairness.steps, target, served[who]) for who, target in problem.fairness.targets.items())


def reward(steps: Sequence[tuple[int, int]], target: int, served: int) -> int:
    """Sum over steps of rate x the slots served between the previous and this percentage of the target."""
    total = reached = 0
    for percent, rate in steps:
        threshold = percent * target // 100
        total += rate * max(0, min(served, threshold) - reached)
        reached = threshold
    return total


def outcomes_of(
    problem: Problem, sessions: Sequence[Session], unavoidable: Mapping[str, int] | None = None
) -> list[RuleOutcome]:
    """How each rule came out, in the order of the problem's rules; `unavoidable` holds the proven misses by rule."""
    weigher, proven = Weigher(problem), unavoidable or {}
    weights = (weight for run in used_runs(problem, sessions) for weight in weigher.weights(run, run.first))
    return [
        outcome_at(counted, used, allocated, proven.get(counted.rule.id, 0))
        for counted, used, allocated in zip(weigher.counts, *weigher.totals(weights), strict=True)
    ]


def outcome_at(counted: RuleCount, used: int, allocated: int, unavoidable: int = 0) -> RuleOutcome:
    """One rule with these slots used and allocated."""
    rule = counted.rule
    exact = rule.slots + rule.share * allocated
    if rule.kind == "cap":
        limit = math.floor(exact)
        return RuleOutcome(id=rule.id, limit=limit, used=used, slack=limit - used, unavoidable=unavoidable)
    limit = math.ceil(exact)
    slack = used - min(limit, counted.demand)
    return RuleOutcome(id=rule.id, limit=limit, used=used, slack=slack, unavoidable=unavoidable, demand=counted.demand)
