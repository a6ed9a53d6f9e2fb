"""What the benchmarks stand on: instances that make sense, counters that keep the rules, shares worked out rightly."""

from __future__ import annotations

import pytest

from labshare.scheduler.check import faults_of_sessions
from labshare.scheduler.plan import Session
from labshare.scheduler.problem import Problem, encode
from labshare.scheduler.reading import parse
from tests.benchmarks.baselines import by_priority, first_come_first_served
from tests.benchmarks.instances import HORIZON, SIZES, capacity, instance
from tests.benchmarks.kernel import plain_mip
from tests.benchmarks.measuring import Measurement, Solver, Task
from tests.benchmarks.tables import rows_of
from tests.scheduler.making import Raw, ask, raw, read, two_instruments

BOTH = pytest.mark.parametrize("rules", [False, True])


@BOTH
@pytest.mark.parametrize("size", ["XS", "S"])
def test_an_instance_is_a_problem_without_contradictions(size: str, rules: bool) -> None:
    problem = instance(size, rules=rules, seed=1)
    assert parse(encode(problem)) == problem
    assert (len(problem.instruments), len(problem.requests)) == SIZES[size]
    assert problem.horizon == HORIZON == 336


@BOTH
def test_the_same_seed_gives_the_same_instance_and_another_seed_another(rules: bool) -> None:
    first, again, other = (instance("S", rules=rules, seed=seed) for seed in (1, 1, 2))
    assert encode(first) == encode(again)
    assert encode(first) != encode(other)


def test_rules_bring_every_part_of_the_contract() -> None:
    problem = instance("S", rules=True, seed=1)
    parts = ("operator_pools", "groups", "linked", "fixed", "rules", "down")
    assert all(getattr(problem, part) for part in parts)
    assert problem.fairness.targets
    assert any(machine.changeover for machine in problem.instruments)
    assert any(request.late for request in problem.requests)
    assert any(rule.of_allocated for rule in problem.rules)
    assert any(rule.window for rule in problem.rules)
    assert any(rule.centres for rule in problem.rules)
    assert any(rule.is_hard for rule in problem.rules)
    assert not any(rule.is_hard for rule in problem.rules if rule.kind == "floor")


def test_some_instruments_are_wanted_more_than_one_and_a_half_times_over() -> None:
    problem = instance("M", rules=False, seed=1)
    wanted = {machine.id: 0.0 for machine in problem.instruments}
    for request in problem.requests:
        for option in request.options:
            wanted[option.instrument] += request.slots / len(request.options)
    hot = [machine for machine in problem.instruments if wanted[machine.id] > 1.5 * capacity([machine])]
    assert len(problem.instruments) // 10 < len(hot) < len(problem.instruments) // 2


@BOTH
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_the_counters_give_out_keeps_every_hard_constraint(seed: int, rules: bool) -> None:
    problem = instance("S", rules=rules, seed=seed)
    for sessions in (first_come_first_served(problem), by_priority(problem)):
        assert len(sessions) > len(problem.requests) // 2
        assert faults_of_sessions(problem, sessions) == []


def _two_for_one_place() -> Problem:
    """Slots 0 to 4 on one instrument: `early` (2 slots, 10 a slot) came before `dear` (4 slots, 20 a slot)."""
    return read(raw(4, ask("early", 2, 20, (0, 2)), ask("dear", 4, 80, (0, 0))))


def test_first_come_is_first_served() -> None:
    assert first_come_first_served(_two_for_one_place()) == [_session("early", 0, 2)]


def test_priority_serves_the_dearest_first() -> None:
    assert by_priority(_two_for_one_place()) == [_session("dear", 0, 4)]


def test_a_campaign_of_which_a_step_does_not_fit_gives_its_place_back() -> None:
    # The second step could only start at 1, before the first one ends at 2; so `other` has slots 0 to 3.
    problem = read(
        raw(4, ask("a", 2, 9, (0, 0)), ask("b", 2, 9, (1, 1), "i1"), ask("other", 3, 1, (0, 0)))
        | {"instruments": two_instruments(), "linked": [{"requests": ["a", "b"]}]}
    )
    assert first_come_first_served(problem) == [_session("other", 0, 3)]


def test_a_group_that_would_stay_too_small_gives_its_places_back() -> None:
    # Only one of the two fits into two slots, and the group wants both; `other` takes what it leaves.
    problem = read(
        raw(2, ask("a", 2, 9, (0, 0)), ask("b", 2, 9, (0, 0)), ask("other", 1, 1, (1, 1)))
        | {"groups": [{"requests": ["a", "b"], "min": 2}]}
    )
    assert first_come_first_served(problem) == [_session("other", 1, 2)]


def test_the_plain_mip_finds_and_proves_the_optimum() -> None:
    # 20 and 80 do not fit together.
    found = plain_mip(_two_for_one_place(), 60)
    assert found.sessions == [_session("dear", 0, 4)]
    assert found.bound == 80


def test_the_plain_mip_keeps_a_person_in_one_place() -> None:
    person: Raw = {"person": "u", "attended": True}
    problem = read(
        raw(2, ask("a", 2, 5, (0, 0), **person), ask("b", 2, 4, (0, 0), "i1", **person))
        | {"instruments": two_instruments()}
    )
    assert plain_mip(problem, 60).sessions == [_session("a", 0, 2)]


def test_unavoidable_shortfall_is_taken_out_of_plan_and_bound() -> None:
    """Where three slots of a floor are proven to be missed by every plan, 3 x 100 is added to either side."""
    problem = read(raw(8, rules=[{"id": "R1", "kind": "floor", "slots": 5, "penalty": 100}]))
    proven = Measurement(sessions=1, objective=-260, value=50, fairness=0, bound=-200, misses={"R1": 3},
                         unavoidable={"R1": 3})  # fmt: skip
    worse = Measurement(sessions=1, objective=-500, value=0, fairness=0, misses={"R1": 5})
    rows = rows_of(problem, [(_task("LabShare"), proven), (_task("priority"), worse)])
    # The bound is -200 + 300 = 100. LabShare: -260 + 300 = 40 of it, no more is missed than must be.
    assert (rows[0].objective, rows[0].value, rows[0].shortfall) == (0.4, 0.5, 0)
    # By priority: -500 + 300 = -200, and two slots more than need be.
    assert (rows[1].objective, rows[1].value, rows[1].shortfall) == (-2.0, 0.0, 2)


def _task(solver: Solver) -> Task:
    return Task("XS", True, 1, solver, 1.0, 1, "")


def _session(request: str, start: int, end: int) -> Session:
    return Session(request=request, instrument="i0", start=start, end=end)
