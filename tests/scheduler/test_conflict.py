"""A conflict names rules that cannot hold together, and none that the others conflict without."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from labshare.scheduler.conflict import is_hopeless
from labshare.scheduler.reading import parse
from labshare.scheduler.solve import solve
from tests.scheduler import brute, samples
from tests.scheduler.making import Raw, ask, raw, read


def keeping(problem: Raw, names: set[str]) -> Raw:
    """The problem with only these of its hard rules and frozen sessions."""
    rules: list[Any] = [rule for rule in problem["rules"] if rule["penalty"] is not None or rule["id"] in names]
    current = [row for row in problem.get("current", []) if f"frozen:{row['request']}" in names]
    return problem | {"rules": rules, "current": current}


@pytest.mark.slow
def test_a_conflict_is_one_and_no_smaller() -> None:
    found = 0
    for seed in range(250):
        problem = samples.problem(Random(seed), requests=4, horizon=10, starts=4)
        for rule in problem["rules"]:
            rule["penalty"] = None
        conflict = set(solve(parse(json.dumps(problem).encode())).conflict)
        if conflict:
            found += 1
            assert brute.best(keeping(problem, conflict)) is None, seed
            assert all(brute.best(keeping(problem, conflict - {name})) is not None for name in conflict), seed
    assert found > 20


def test_a_frozen_session_can_be_part_of_a_conflict() -> None:
    # a is frozen and of industry, which a cap allows nothing.
    problem = raw(
        4,
        ask("a", 2, 5, (0, 2), access_class="industry"),
        current=[{"request": "a", "instrument": "i0", "start": 0}],
        frozen_until=1,
        rules=[{"id": "R", "kind": "cap", "who": {"access_class": ["industry"]}}],
    )
    assert solve(read(problem)).conflict == ("R", "frozen:a")


def test_a_floor_is_hopeless_when_those_it_counts_cannot_meet_it_alone() -> None:
    # 8 slots are asked for by two who share 6 open ones, whatever c has; 4 are had by one of them.
    rows = [ask(name, 4, 9, (0, 9), access_class="industry") for name in "ab"]
    floor = {"id": "F", "kind": "floor", "who": {"access_class": ["industry"]}, "slots": 8}
    problem = read(raw(10, *rows, ask("c", 4, 9, (0, 6)), rules=[floor], down=[["i0", 6, 10]]))
    assert is_hopeless(problem, problem.rules[0], seed=1)
    easier = read(raw(10, *rows, ask("c", 4, 9, (0, 6)), rules=[floor | {"slots": 4}], down=[["i0", 6, 10]]))
    assert not is_hopeless(easier, easier.rules[0], seed=1)
