"""The whole way: what is found is right, best, proven, the same again, and kept when the search is stopped."""

from __future__ import annotations

import json
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labshare.scheduler.check import check
from labshare.scheduler.effort import NoPlanFound, Progress
from labshare.scheduler.plan import Plan
from labshare.scheduler.problem import encode, sha256
from labshare.scheduler.reading import parse
from labshare.scheduler.solve import solve
from tests.scheduler import brute, samples
from tests.scheduler.making import Raw, ask, raw, read, starts

SEEDS = st.integers(min_value=0, max_value=10**9)


def contest(requests: int = 40) -> Raw:
    """One instrument of 60 slots and many requests of unlike lengths: far more than a glance proves."""
    random = Random(7)
    rows = [
        ask(f"r{n}", random.randint(3, 9), random.randint(20, 99), (random.randint(0, 20), 59)) for n in range(requests)
    ]
    return raw(60, *rows)


def agrees_with_brute_force(seed: int) -> None:
    """Solve and try everything: solver, checker and brute force were written apart and must agree."""
    problem = samples.problem(Random(seed), requests=4, horizon=10, starts=4)
    plan = solve(parse(json.dumps(problem).encode()))
    best = brute.best(problem)
    if best is None:
        assert plan.status == "infeasible"
        assert plan.conflict
    else:
        assert (plan.status, plan.score.objective, plan.bound) == ("optimal", best, best)
    assert check(read(problem), plan) == []


@pytest.mark.parametrize("seed", range(100))
def test_a_tiny_plan_is_as_good_as_the_best_of_all(seed: int) -> None:
    """Every kind of rule is in the mix, as test_samples.py sees to."""
    agrees_with_brute_force(seed)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(100, 600, 100))
def test_hundreds_of_tiny_plans_are_as_good_as_the_best_of_all(first: int) -> None:
    for seed in range(first, first + 100):
        agrees_with_brute_force(seed)


@pytest.mark.slow
@settings(max_examples=300, deadline=None, derandomize=True)
@given(seed=SEEDS, steps=st.integers(min_value=1, max_value=40))
def test_check_finds_nothing_in_what_solve_gives(seed: int, steps: int) -> None:
    problem = read(samples.problem(Random(seed), requests=12, horizon=30, instruments=3, starts=20))
    try:
        plan = solve(problem, steps=steps, seed=seed % 1000)
    except NoPlanFound:
        return
    assert check(problem, plan) == []
    placed = {session.request for session in plan.sessions}
    assert {row.request for row in plan.unplaced} == {request.id for request in problem.requests} - placed
    assert all("code" in row.reason for row in plan.unplaced)


@pytest.mark.slow
def test_the_same_problem_seed_and_steps_give_the_same_bytes() -> None:
    def bytes_of(plan: Plan) -> bytes:
        return msgspec.json.encode(msgspec.structs.replace(plan, run=msgspec.structs.replace(plan.run, seconds=0.0)))

    problem = read(contest())
    first = solve(problem, steps=40)
    assert bytes_of(first) == bytes_of(solve(problem, steps=40))
    assert first.run.budget == "40 steps"


def test_stopping_keeps_the_best_plan_found() -> None:
    told: list[Progress] = []
    plan = solve(read(contest()), on_progress=told.append, should_stop=lambda: any(now.placed > 3 for now in told))
    assert plan.status == "feasible"
    assert plan.score.objective == told[-1].objective > 0
    assert plan.score.objective < plan.bound == told[-1].bound
    assert check(read(contest()), plan) == []


def test_progress_only_gets_better() -> None:
    told: list[Progress] = []
    solve(read(contest(15)), on_progress=told.append)
    assert [now.objective for now in told] == sorted(now.objective for now in told)
    assert [now.bound for now in told] == sorted((now.bound for now in told), reverse=True)
    assert told[-1].gap == 0


def test_parts_that_share_nothing_are_solved_apart_and_added_up() -> None:
    # Two instruments, two requests each, one fits on each: 5 + 7.
    requests = [
        ask(f"{i}{value}", 3, value, (0, 1), i) for i, values in (("i0", (5, 4)), ("i1", (6, 7))) for value in values
    ]
    plan = solve(read(raw(4, *requests, instruments=[{"id": "i0"}, {"id": "i1"}])))
    assert (plan.status, plan.score.objective) == ("optimal", 12)
    assert set(starts(plan)) == {"i05", "i17"}
    assert [row.request for row in plan.unplaced] == ["i04", "i16"]


def test_a_problem_without_requests_has_the_empty_plan() -> None:
    # A floor that nobody applied for is not missed; a cap overrun by a fixed row is, by 2 slots at 3.
    rules = [{"id": "F", "kind": "floor", "slots": 9, "penalty": 5}]
    rules += [{"id": "C", "kind": "cap", "slots": 1, "penalty": 3, "count_fixed": True}]
    plan = solve(read(raw(4, rules=rules, fixed=[{"instrument": "i0", "start": 0, "end": 3}])))
    assert (plan.status, plan.score.penalties, plan.bound) == ("optimal", {"F": 0, "C": 6}, -6)
    assert plan.rules[1].unavoidable == 2


def test_no_plan_in_the_budget_is_said_and_not_called_infeasible() -> None:
    must_work = raw(60, *contest()["requests"], rules=[{"id": "R", "kind": "floor", "slots": 50}])
    with pytest.raises(NoPlanFound):
        solve(read(must_work), should_stop=lambda: True)


def test_infeasible_plans_name_the_conflict_and_nothing_else() -> None:
    # Of two slots, three are due; R9 has nothing to do with it.
    rules = [
        {"id": "R1", "kind": "floor", "slots": 3},
        {"id": "R2", "kind": "cap", "slots": 2},
        {"id": "R9", "kind": "cap", "slots": 9},
    ]
    plan = solve(read(raw(4, ask("a", 1, 1, (0, 3)), ask("b", 3, 1, (0, 3)), rules=rules)))
    assert (plan.status, plan.sessions, plan.conflict) == ("infeasible", (), ("R1", "R2"))
    assert [row.reason["code"] for row in plan.unplaced] == ["no_plan", "no_plan"]


def test_the_plan_names_the_file_it_answers() -> None:
    problem = read(raw(4))
    assert solve(problem).problem_sha256 == sha256(encode(problem))
    assert solve(problem, problem_sha256="ab").problem_sha256 == "ab"


def test_wall_clock_budgets_are_recorded() -> None:
    assert solve(read(raw(4)), seconds=2.5).run.budget == "2.5 seconds"
    assert solve(read(raw(4))).run.budget == "until proven"
