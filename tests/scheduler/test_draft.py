"""A draft knows at every moment what its sessions are worth, and never lets two of them meet."""

from __future__ import annotations

import json
from random import Random

import pytest

from labshare.scheduler.check import faults_of_sessions
from labshare.scheduler.draft import Draft, bits_of
from labshare.scheduler.layout import Layout
from labshare.scheduler.problem import Problem
from labshare.scheduler.reading import parse
from labshare.scheduler.score import outcomes_of, score
from tests.scheduler import samples
from tests.scheduler.making import Raw, ask, raw, read, session

# A few seeds each day, all of them before a change lands.
SEEDS = [*range(40), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(40, 150))]


def draft_of(problem: Problem) -> Draft:
    draft = Draft(Layout(problem))
    draft.charge([0 if rule.penalty is None else rule.penalty for rule in problem.rules])
    return draft


def shuffled(seed: int) -> tuple[Problem, Draft]:
    """A random problem, and a draft into which and out of which sessions have gone at random."""
    random = Random(seed)
    problem = parse(json.dumps(samples.problem(random, requests=10, horizon=24, starts=16)).encode())
    draft = draft_of(problem)
    for _ in range(60):
        r = random.randrange(len(problem.requests))
        if draft.spots[r]:
            draft.take(r)
        elif places := [(choice, start) for choice in draft.choices[r] for start in bits_of(draft.starts(choice))]:
            draft.put(*random.choice(places))
    return problem, draft


@pytest.mark.parametrize("seed", SEEDS)
def test_the_objective_is_the_score_whatever_has_come_and_gone(seed: int) -> None:
    problem, draft = shuffled(seed)
    sessions = draft.sessions()
    outcomes = outcomes_of(problem, sessions)
    hard = [row.id for row, rule in zip(outcomes, problem.rules, strict=True) if row.slack < 0 and rule.is_hard]
    expected = score(problem, sessions, outcomes).objective
    assert draft.objective == expected
    assert draft.worth == (None if hard else expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_only_bonds_and_limits_are_left_to_its_user(seed: int) -> None:
    _, draft = shuffled(seed)
    # Groups, campaigns, hard limits and what is frozen are kept by those who move sessions; places are the draft's.
    loose: Raw = {
        "format": "labshare-problem/1",
        "rules": [],
        "groups": [],
        "linked": [],
        "current": [],
        "frozen_until": 0,
    }
    alone = parse(json.dumps(samples.problem(Random(seed), requests=10, horizon=24, starts=16) | loose).encode())
    assert list(faults_of_sessions(alone, draft.sessions())) == []


def test_a_rate_is_what_a_miss_costs_for_now() -> None:
    # A floor of 4 at 100 a slot; a session of 3 is worth 5. At a rate of 2 the draft shows 5 - 2, in truth 5 - 100.
    rules = [{"id": "F", "kind": "floor", "slots": 4, "penalty": 100}]
    draft = draft_of(read(raw(9, ask("a", 3, 5, (0, 6)), ask("b", 3, 5, (0, 6)), rules=rules)))
    assert draft.objective == -400
    draft.put(draft.choices[0][0], 0)
    draft.charge([2])
    assert (draft.objective, draft.worth, draft.misses) == (3, -95, [1])


def test_a_draft_becomes_another_plan() -> None:
    draft = draft_of(read(raw(9, ask("a", 3, 5, (0, 6)), ask("b", 3, 8, (0, 6)))))
    draft.become(draft.spots_of([session("a", 0, 3), session("b", 3, 6)]))
    draft.become(draft.spots_of([session("b", 0, 3)]))
    assert (draft.sessions(), draft.objective) == ([session("b", 0, 3)], 8)


def test_a_cap_tells_how_much_room_it_has() -> None:
    draft = draft_of(read(raw(9, ask("a", 3, 5, (0, 6)), rules=[{"id": "C", "kind": "cap", "slots": 4}])))
    draft.put(draft.choices[0][0], 0)
    assert [draft.has_room(0, slots) for slots in (1, 2)] == [True, False]
