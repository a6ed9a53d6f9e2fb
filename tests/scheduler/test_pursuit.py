"""The pursuit of a large part, on small ones where the truth is known."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from random import Random

import pytest

from labshare.scheduler import pursuit as module
from labshare.scheduler.check import faults_of_sessions
from labshare.scheduler.plan import Session
from labshare.scheduler.problem import Problem
from labshare.scheduler.pursuit import Pursuit
from labshare.scheduler.reading import parse
from labshare.scheduler.score import outcomes_of, score
from labshare.scheduler.search import Limits
from labshare.scheduler.solve import solve
from tests.scheduler import samples

# A few seeds each day, all of them before a change lands.
SEEDS = [*range(4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 20))]


def random_problem(seed: int) -> Problem:
    return parse(json.dumps(samples.problem(Random(seed), requests=10, horizon=24, starts=16)).encode())


class Told:
    """What a pursuit told, in its order."""

    def __init__(self, problem: Problem, limits: Limits) -> None:
        self.plans: list[tuple[list[Session], int]] = []
        self.pursuit = Pursuit(problem, limits, None, self, lambda: False)
        self.pursuit.run()

    def __call__(self, sessions: Sequence[Session], bound: int) -> None:
        self.plans.append((list(sessions), bound))


@pytest.mark.slow
@pytest.mark.parametrize("exactly", [True, False])
@pytest.mark.parametrize("seed", SEEDS)
def test_plans_get_better_and_bounds_hold(seed: int, exactly: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not exactly:
        monkeypatch.setattr(module, "MOST_COLUMNS", 0)
    problem = random_problem(seed)
    truth = solve(problem, steps=3000)
    told = Told(problem, Limits(steps=400, seed=1)).plans
    worth = [score(problem, plan, outcomes_of(problem, plan)).objective for plan, _ in told]
    assert worth == sorted(worth)
    assert all(not list(faults_of_sessions(problem, plan)) for plan, _ in told)
    if truth.status == "optimal" and told:
        assert worth[-1] <= truth.score.objective <= told[-1][1]


def test_the_same_steps_give_the_same_plans() -> None:
    first, second = (Told(random_problem(5), Limits(steps=300, seed=2)).plans for _ in range(2))
    assert first == second


def test_a_second_worker_searches_beside_the_exact_method() -> None:
    problem = random_problem(11)
    turns = sys.getswitchinterval()
    told = Told(problem, Limits(seconds=20.0, workers=2))
    assert sys.getswitchinterval() == turns
    plan, bound = told.plans[-1]
    assert score(problem, plan, outcomes_of(problem, plan)).objective == bound == solve(problem).score.objective
