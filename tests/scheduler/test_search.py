"""One search: what it proves, what it costs, and that it stops."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from labshare.scheduler.model import Model
from labshare.scheduler.plan import Session
from labshare.scheduler.rules import build
from labshare.scheduler.search import Limits, search
from tests.scheduler import brute
from tests.scheduler.making import Raw, ask, offer, raw, read, two_instruments
from tests.scheduler.test_commands import hard


def model(problem: Raw) -> Model:
    return build(Model(read(problem)))


def ignore(sessions: Sequence[Session], bound: int) -> None:
    """Take no notice of better plans."""


def test_an_optimum_is_proven() -> None:
    found = search(model(raw(4, ask("a", 3, 7, (0, 1)), ask("b", 3, 5, (0, 1)))), Limits(), ignore, lambda: False)
    assert (found.status, found.bound) == ("optimal", 7)
    assert [row.request for row in found.sessions or []] == ["a"]


def test_what_cannot_be_is_infeasible() -> None:
    problem = raw(
        4, ask("a", 3, 7, (0, 1)), rules=[{"id": "R", "kind": "floor", "slots": 1}, {"id": "C", "kind": "cap"}]
    )
    assert search(model(problem), Limits(), ignore, lambda: False).status == "infeasible"


def test_a_model_whose_symmetries_presolve_cannot_handle_is_answered() -> None:
    """With symmetries on, OR-Tools 9.15 ends in an exception here. There is no plan, as trying them all shows."""
    operated = ask("e", 4, 0, (2, 6), operator={"pool": "p", "slots": 2})
    operated["options"].insert(0, offer(0, (11, 13), "i1", slots=2))
    problem = raw(
        16,
        *(ask("a", 4, 0, (8, 11)), ask("b", 3, 0, (8, 8)), ask("c", 3, 0, (9, 14)), operated, ask("d", 4, 0, (7, 9))),
        instruments=two_instruments(),
        operator_pools=[{"id": "p", "shifts": [[5, 16, 1]]}],
        rules=[
            {"id": "F", "kind": "floor", "window": [14, 15]},
            {"id": "G", "kind": "floor", "instruments": ["i0"], "slots": 8, "of_allocated": "1"},
        ],
    )
    assert search(model(problem), Limits(), ignore, lambda: False).status == "infeasible"
    assert brute.best(problem) is None


def test_better_plans_are_told_as_they_come() -> None:
    told: list[int] = []
    search(model(hard(30)), Limits(steps=30), lambda sessions, _: told.append(len(sessions)), lambda: False)
    assert told


@pytest.mark.slow
def test_steps_bound_the_work() -> None:
    found = search(model(hard()), Limits(steps=20), ignore, lambda: False)
    assert found.status in ("feasible", "unknown")
    assert found.steps <= 40


def test_a_wish_to_stop_is_heard_without_a_better_plan() -> None:
    began = time.monotonic()
    search(model(hard()), Limits(), ignore, lambda: time.monotonic() - began > 0.3)
    assert time.monotonic() - began < 5
