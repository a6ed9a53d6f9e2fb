"""The bound from the time of the instruments: worked by hand, and never below what a plan is worth."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labshare.scheduler.capacity import capacity_bound
from labshare.scheduler.places import free_stretches
from labshare.scheduler.problem import Problem
from labshare.scheduler.solve import solve
from tests.scheduler import samples
from tests.scheduler.making import ask, offer, raw, read, two_instruments


def bound(problem: Problem, aim: int) -> int:
    return capacity_bound(problem, free_stretches(problem), aim)


def test_an_instrument_with_room_for_all_bounds_by_what_all_are_worth() -> None:
    # The second option of b is worth less; c has no start at all.
    b = ask("b", 3, 5, (0, 9), late=1) | {"options": [offer(5, (2, 5)), offer(7, (6, 9))]}
    problem = read(raw(10, ask("a", 3, 9, (0, 9)), b, {"id": "c", "slots": 1}))
    # b starts at 2 at the earliest of all its options, so that its second one loses 4 by lateness: 5 against 3.
    assert bound(problem, 0) == 14


def test_what_is_asked_for_beyond_the_free_time_is_taken_off() -> None:
    # Ten requests of 4 slots worth 8 each and 12 free slots: at a price of 2 a slot the bound is 24 + 0, and no less.
    problem = read(raw(20, *(ask(f"r{n}", 4, 8, (0, 16)) for n in range(10)), down=[["i0", 12, 20]]))
    assert bound(problem, 24) == 24


def test_each_instrument_has_its_own_price() -> None:
    # i0 has 4 slots for a and b, worth 12 and 8; i1 has all it needs for c. Best is 12 + 7.
    rows = [ask("a", 4, 12, (0, 0)), ask("b", 4, 8, (0, 0)), ask("c", 4, 7, (0, 0), "i1")]
    assert bound(read(raw(4, *rows, instruments=two_instruments())), 19) == 19


def test_fairness_is_rewarded_in_full() -> None:
    # 50 % of a target of 8 slots at 3 a slot, and the other half at 1.
    fairness = {"targets": {"o": 8}, "steps": [[50, 3], [100, 1]]}
    assert bound(read(raw(4, ask("a", 4, 12, (0, 0)), fairness=fairness)), 0) == 12 + 12 + 4


def test_values_beyond_what_floats_hold_are_summed_exactly() -> None:
    largest = 10**15
    problem = read(raw(8, *(ask(f"r{n}", 4, largest - n, (0, 4)) for n in range(2))))
    assert bound(problem, 0) == 2 * largest - 1


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(min_value=0, max_value=10**9))
def test_no_plan_is_worth_more(seed: int) -> None:
    problem = read(samples.problem(Random(seed), requests=8))
    best = solve(problem)
    if best.status != "infeasible":
        assert all(bound(problem, best.score.objective - more) >= best.score.objective for more in (0, 20, -20))
