"""Where a floor bends, each side has its own bound, and the larger of them holds."""

from __future__ import annotations

import json
from random import Random

import pytest

from labshare.scheduler.layout import Layout
from labshare.scheduler.proof import Proof
from labshare.scheduler.reading import parse
from labshare.scheduler.solve import solve
from tests.scheduler import samples
from tests.scheduler.making import Raw, ask, raw, read

# A few seeds each day, all of them before a change lands.
SEEDS = [*range(12), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(12, 60))]


def bent() -> Raw:
    """Education asks for 4 slots where it cannot have more than 2; half of what is allocated is owed to it.

    On its own instrument it can have one of two sessions of 2 slots. Eight others of 2 slots and 10 each can all be
    placed; a slot missed costs 100. With education's 2 slots, 2 more may be allocated: one other session, value
    1 + 10 = 11. More others would each miss a slot or two of min(half of allocated, 4): two others make 6 allocated,
    limit 3, one missed; at most 2 are ever missed, for 8 x 10 + 1 - 200 < 11. So 11 is best.
    """
    others = [ask(f"o{n}", 2, 10, (2 * n, 2 * n)) for n in range(8)]
    taught = [ask(f"e{n}", 2, 1, (0, 0), "i1", access_class="education") for n in range(2)]
    rule = {"id": "F", "kind": "floor", "who": {"access_class": ["education"]}, "of_allocated": "1/2", "penalty": 100}
    instruments = [{"id": "i0"}, {"id": "i1"}]
    return raw(16, *others, *taught, instruments=instruments, rules=[rule])


def test_a_bent_floor_is_proven_by_its_two_sides() -> None:
    proof = Proof(Layout(read(bent())))
    proof.improve(4000, 11, lambda: False)
    assert 11 <= proof.bound(11) <= 13
    # The chord alone, from (0, 0) to (20 allocated, 4 asked), would forgive far more than that.
    assert proof.cases > 1


@pytest.mark.parametrize("seed", SEEDS)
def test_no_plan_is_worth_more_than_the_largest_case(seed: int) -> None:
    problem = parse(json.dumps(samples.problem(Random(1000 + seed))).encode())
    plan = solve(problem, steps=2000)
    proof = Proof(Layout(problem))
    # A known value below the truth: a bound that were too low would show.
    proof.improve(600, plan.score.objective - 10, lambda: False)
    assert plan.status == "infeasible" or proof.bound(plan.score.objective - 10) >= plan.score.objective
