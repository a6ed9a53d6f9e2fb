"""Construction and ruin and recreate: plans that the judge accepts, never better than the best, the same for a seed."""

from __future__ import annotations

import json
from random import Random

import pytest

from labshare.scheduler.check import faults_of_sessions
from labshare.scheduler.improve import Improver
from labshare.scheduler.layout import Layout
from labshare.scheduler.prices import Prices
from labshare.scheduler.problem import Problem
from labshare.scheduler.reading import parse
from labshare.scheduler.score import outcomes_of, score
from labshare.scheduler.solve import solve
from tests.scheduler import samples
from tests.scheduler.making import ask, raw, read, session

# A few seeds each day, all of them before a change lands.
SEEDS = [*range(10), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(10, 80))]


def random_problem(seed: int) -> Problem:
    return parse(json.dumps(samples.problem(Random(seed), requests=12, horizon=24, starts=16)).encode())


def improved(problem: Problem, seed: int = 1, steps: int = 150) -> Improver:
    improver = Improver(Layout(problem), seed)
    improver.construct(None, 0.0)
    prices = Prices(improver.draft.layout)
    prices.improve(40, improver.best_objective, lambda: False)
    improver.heed(prices)
    improver.construct(prices, 0.5)
    for n in range(steps // 10):
        improver.improve(10, lambda n=n: 10 * n / steps, lambda: False)
    return improver


@pytest.mark.parametrize("seed", SEEDS)
def test_what_it_keeps_is_a_plan_and_its_worth_is_the_score(seed: int) -> None:
    problem = random_problem(seed)
    improver = improved(problem)
    sessions = improver.sessions()
    if sessions is not None:
        assert list(faults_of_sessions(problem, sessions)) == []
        assert improver.best_objective == score(problem, sessions, outcomes_of(problem, sessions)).objective
        assert improver.best_objective <= solve(problem, steps=2000).bound


def test_the_same_seed_makes_the_same_plan() -> None:
    problem = random_problem(7)
    assert improved(problem, seed=3).sessions() == improved(problem, seed=3).sessions()


def test_one_long_session_gives_way_to_two_that_are_worth_more() -> None:
    # By value per slot the long one goes first (9 / 2 > 8 / 2), yet it leaves room for none of the others: 16 is best.
    asked = (ask("long", 2, 9, (1, 1)), ask("a", 2, 8, (0, 0)), ask("b", 2, 8, (2, 2)))
    improver = Improver(Layout(read(raw(4, *asked))), 1)
    improver.construct(None, 0.0)
    assert improver.best_objective == 9
    improver.improve(60, lambda: 0.5, lambda: False)
    assert improver.sessions() == [session("a", 0, 2), session("b", 2, 4)]


def test_a_full_cap_makes_room_for_who_is_worth_more() -> None:
    # Both count under a cap of 2 on different instruments; the one worth more by slot is asked for by construction,
    # so the plan known is made the worse one first.
    asked = (ask("a", 2, 5, (0, 0)), ask("b", 2, 8, (0, 0), "i1"))
    rules = [{"id": "C", "kind": "cap", "slots": 2}]
    improver = Improver(Layout(read(raw(4, *asked, instruments=[{"id": "i0"}, {"id": "i1"}], rules=rules))), 1)
    improver.offer([session("a", 0, 2)])
    improver.improve(60, lambda: 0.5, lambda: False)
    assert improver.sessions() == [session("b", 0, 2, "i1")]


def test_what_is_frozen_stays() -> None:
    asked = (ask("a", 3, 5, (0, 0)), ask("b", 3, 80, (0, 0)))
    current = {"current": [{"request": "a", "instrument": "i0", "start": 0}], "frozen_until": 1}
    improver = improved(read(raw(9, *asked, **current)))
    assert improver.sessions() == [session("a", 0, 3)]


def test_what_is_frozen_too_close_to_a_fixed_row_leaves_it_without_a_plan() -> None:
    # Wet after wet asks for 3 idle slots; the frozen session starts 2 after the fixed row ends.
    problem = raw(
        20,
        ask("a", 2, 5, (4, 4), family="wet"),
        instruments=[{"id": "i0", "changeover": [["wet", "wet", 3]]}],
        fixed=[{"instrument": "i0", "start": 0, "end": 2, "family": "wet"}],
        current=[{"request": "a", "instrument": "i0", "start": 4}],
        frozen_until=5,
    )
    assert improved(read(problem)).sessions() is None


def test_a_worse_plan_is_not_taken_up() -> None:
    improver = Improver(Layout(read(raw(9, ask("a", 3, 5, (0, 6)), ask("b", 3, 8, (0, 6))))), 1)
    improver.offer([session("b", 0, 3)])
    improver.offer([session("a", 0, 3)])
    assert (improver.best_objective, improver.draft.objective) == (8, 8)
