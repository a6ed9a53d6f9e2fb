"""The structs of the plan, and the gap."""

from __future__ import annotations

import pytest

from labshare.scheduler.plan import encode_plan, gap_between
from labshare.scheduler.reading import parse_plan
from labshare.scheduler.solve import solve
from tests.scheduler.making import ask, raw, read


@pytest.mark.parametrize(
    ("objective", "bound", "gap"), [(90, 100, 0.1), (100, 100, 0), (0, 0, 0), (-2, 0, 2), (-30, -20, 0.5)]
)
def test_the_gap_is_a_share_of_the_bound(objective: int, bound: int, gap: float) -> None:
    assert gap_between(objective, bound) == pytest.approx(gap)


def test_a_plan_is_read_back_as_it_was_written() -> None:
    rules = [{"id": "F", "kind": "floor", "slots": 9, "penalty": 2}]
    plan = solve(read(raw(4, ask("a", 3, 7, (0, 1)), ask("b", 3, 5, (0, 1)), rules=rules)))
    assert plan.unplaced
    assert parse_plan(encode_plan(plan)) == plan
