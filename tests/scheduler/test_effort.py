"""Parts, openings and bounds before any search."""

from __future__ import annotations

import pytest

from labshare.scheduler.effort import Effort, Impossible, Part, most_conceivable, openings
from labshare.scheduler.search import Limits
from tests.scheduler.making import Raw, ask, raw, read, session

CURRENT: Raw = {
    "current": [{"request": "a", "instrument": "i0", "start": 2}, {"request": "b", "instrument": "i0", "start": 5}],
    "frozen_until": 3,
}
TWO = (ask("a", 3, 5, (0, 6)), ask("b", 3, 8, (0, 6)))


def test_most_conceivable_takes_every_request_at_its_best_and_every_reward() -> None:
    # 5 and 8; a target of 5 gives 2 slots at 3 (half of 5, rounded down) and 3 at 1.
    problem = raw(9, *TWO, fairness={"targets": {"o": 5}, "steps": [[50, 3], [100, 1]]})
    assert most_conceivable(read(problem)) == 5 + 8 + 6 + 3


def test_openings_are_the_current_plan_and_its_frozen_part() -> None:
    assert openings(read(raw(9, *TWO, **CURRENT))) == [[session("a", 2, 5), session("b", 5, 8)], [session("a", 2, 5)]]


def test_an_opening_that_breaks_a_rule_is_none() -> None:
    floor: Raw = {"rules": [{"id": "F", "kind": "floor", "slots": 4}]}
    assert openings(read(raw(9, *TWO, **CURRENT, **floor))) == [[session("a", 2, 5), session("b", 5, 8)]]
    assert Part(read(raw(9, *TWO, **floor))).sessions is None


def test_a_part_keeps_the_better_sessions() -> None:
    part = Part(read(raw(9, *TWO)))
    for sessions in ([session("b", 0, 3)], [session("a", 0, 3)]):
        part.offer(sessions)
    assert (part.objective, part.bound, part.is_settled) == (8, 13, False)
    part.offer([session("b", 0, 3), session("a", 3, 6)])
    assert part.is_settled


def test_a_conflict_ends_the_effort() -> None:
    rules = [{"id": "F", "kind": "floor", "slots": 3}, {"id": "C", "kind": "cap", "slots": 2}]
    effort = Effort(read(raw(9, *TWO, rules=rules)), Limits(), lambda _: None, lambda: False)
    with pytest.raises(Impossible, match="C, F"):
        effort.run()
