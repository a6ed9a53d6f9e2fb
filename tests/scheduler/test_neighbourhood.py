"""A part of a plan planned anew: as good as the whole solver where everything is freed, and never worse than before."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from labshare.scheduler.check import faults_of_sessions
from labshare.scheduler.neighbourhood import Neighbourhoods
from labshare.scheduler.plan import Session
from labshare.scheduler.problem import Problem
from labshare.scheduler.score import outcomes_of, score
from labshare.scheduler.search import Limits
from labshare.scheduler.solve import solve
from tests.scheduler import samples
from tests.scheduler.making import read

SEEDS = st.integers(min_value=0, max_value=10**9)


def worth(problem: Problem, sessions: list[Session]) -> int:
    return score(problem, sessions, outcomes_of(problem, sessions)).objective


def by_request(*sessions: Session) -> dict[str, Session]:
    return {row.request: row for row in sessions}


def allowed_part(problem: Problem, random: Random, sessions: list[Session]) -> list[Session]:
    """The sessions less as many, taken at random, as can be taken without a fault."""
    left = list(sessions)
    for row in random.sample(left, len(left)):
        fewer = [other for other in left if other != row]
        if not faults_of_sessions(problem, fewer):
            left = fewer
    return left


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=SEEDS)
def test_freeing_everything_gives_the_optimum_of_the_whole(seed: int) -> None:
    random = Random(seed)
    problem = read(samples.problem(random))
    whole = solve(problem)
    if whole.status == "infeasible":
        return
    begin = allowed_part(problem, random, list(whole.sessions))
    found = Neighbourhoods(problem).solve(by_request(*begin), [row.id for row in problem.requests], Limits())
    after = begin if found is None else found
    assert worth(problem, after) == whole.score.objective
    assert faults_of_sessions(problem, after) == []


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=SEEDS)
def test_freeing_some_keeps_the_rest_and_every_rule_and_counts_exactly(seed: int) -> None:
    random = Random(seed)
    problem = read(samples.problem(random, requests=9, horizon=24, instruments=3))
    whole = solve(problem)
    if whole.status == "infeasible":
        return
    around = Neighbourhoods(problem)
    plan = allowed_part(problem, random, list(whole.sessions)) if random.random() < 0.8 else list(whole.sessions)
    for _ in range(3):
        freed = random.sample([row.id for row in problem.requests], random.randint(1, len(problem.requests)))
        found = around.best(by_request(*plan), freed, Limits())
        assert found.status == "optimal"
        assert found.sessions is not None
        assert found.bound == worth(problem, found.sessions) >= worth(problem, plan)
        assert faults_of_sessions(problem, found.sessions) == []
        may_move = around.with_campaigns(freed)
        assert {row for row in plan if row.request not in may_move} <= set(found.sessions)
        better = around.solve(by_request(*plan), freed, Limits())
        assert (better is not None) == (worth(problem, found.sessions) > worth(problem, plan))
        assert around.standing.objective == worth(problem, around.standing.sessions)
        plan = better or plan
