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
from tests.scheduler.making import ask, raw, read, two_instruments

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


def test_whoever_a_missed_floor_counts_is_planned_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """`p` is all that the floor counts and is left out: 5 and a penalty of 2 less are not worth the 50 of `q`.

    What else is asked for keeps a gap open, so that the search goes on.
    """
    rows = [
        *(ask(name, 3, 10, (0, 1), where) for name, where in (("a", "i0"), ("c", "i1"))),
        *(ask(name, 2, 6, (0, 2), where) for name, where in (("b", "i0"), ("d", "i1"))),
        ask("p", 2, 5, (0, 0), "i2", access_class="education"),
        ask("q", 2, 50, (0, 0), "i2"),
    ]
    floor = {"id": "F", "kind": "floor", "who": {"access_class": ["education"]}, "slots": 2, "penalty": 1}
    instruments = [*two_instruments(), {"id": "i2", "centre": "c0"}]
    freed: list[list[str]] = []

    class Neighbourhoods:
        """Frees and finds nothing."""

        def __init__(self, problem: Problem) -> None:
            pass

        def solve(self, _sessions: object, chosen: list[str], *_: object) -> None:
            freed.append(chosen)

    monkeypatch.setattr(module, "MOST_COLUMNS", 0)
    monkeypatch.setattr(module, "MENDING", 1.0)
    monkeypatch.setattr(module, "Neighbourhoods", Neighbourhoods)
    Told(read(raw(4, *rows, instruments=instruments, rules=[floor])), Limits(steps=1000, seed=1))
    assert freed
    assert all(chosen[0] == "p" and set(chosen) == {"p", "q"} for chosen in freed)


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
