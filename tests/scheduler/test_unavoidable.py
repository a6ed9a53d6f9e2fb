"""A miss that is in every plan is told from one that this plan chose."""

from __future__ import annotations

from labshare.scheduler.solve import solve
from labshare.scheduler.unavoidable import unavoidable_misses
from tests.scheduler.making import ask, raw, read

# Two sessions of 3 were applied for; 5 slots are open, so one fits: a floor of 6 is missed by 3 in every plan.
TWO = (ask("a", 3, 5, (0, 9)), ask("b", 3, 5, (0, 9)))
OPEN = [{"id": "i0", "open": [[0, 5]]}]


def test_what_no_plan_can_avoid_is_proven() -> None:
    problem = read(raw(10, *TWO, instruments=OPEN, rules=[{"id": "F", "kind": "floor", "slots": 6, "penalty": 1}]))
    assert unavoidable_misses(problem, ["F"], seed=1) == {"F": 3}
    assert unavoidable_misses(problem, [], seed=1) == {}


def test_what_a_plan_chose_to_miss_is_not_called_unavoidable() -> None:
    # Serving education (worth 1) saves 3 at 1 each, and loses 9: the plan misses it, though it need not.
    rules = [{"id": "F", "kind": "floor", "slots": 3, "penalty": 1, "who": {"access_class": ["education"]}}]
    requests = ask("a", 3, 1, (0, 9), access_class="education"), ask("b", 3, 10, (0, 9))
    plan = solve(read(raw(10, *requests, instruments=OPEN, rules=rules)))
    assert [(row.slack, row.unavoidable) for row in plan.rules] == [(-3, 0)]
