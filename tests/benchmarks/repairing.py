"""Repairs of one plan, in a process of their own: how long they take, and what they lose against planning anew.

The changes are seeded: an instrument down for a day, a session cancelled, an urgent request. `bench_scheduler.py`
starts this with a `Task` whose plan was written, and reads `Repairs` from its output.
"""

from __future__ import annotations

import sys
import time
from random import Random

import msgspec
from msgspec.structs import replace

from labshare.scheduler.changes import Changes
from labshare.scheduler.check import check
from labshare.scheduler.plan import Plan
from labshare.scheduler.problem import Problem
from labshare.scheduler.reading import parse_plan
from labshare.scheduler.repair import Repaired, repair
from labshare.scheduler.solve import solve
from tests.benchmarks.measuring import Task

# How many changes are made to the plan, one at a time, and how many of them are also planned anew.
CHANGES, ANEW = 40, 1
DAY = 48


class Repairs(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of each; requests moved and dropped by all of them; losses are shares of the value planned anew."""

    seconds: list[float]
    moved: int
    dropped: int
    losses: list[float]
    faults: int


def measure(task: Task) -> Repairs:
    problem, plan = task.problem(), parse_plan(task.plan_file.read_bytes())
    random = Random(f"repairs {task.seed}")
    seconds: list[float] = []
    losses: list[float] = []
    moved = dropped = faults = 0
    for turn in range(CHANGES):
        changes = _changes(random, problem, plan, turn)
        began = time.monotonic()
        repaired = repair(problem, plan, changes)
        seconds.append(time.monotonic() - began)
        faults += len(check(repaired.problem, repaired.plan))
        now_moved, now_dropped = _differences(repaired)
        moved, dropped = moved + now_moved, dropped + now_dropped
        if turn < ANEW:
            losses.append(_loss(repaired, task))
    return Repairs(seconds=seconds, moved=moved, dropped=dropped, losses=losses, faults=faults)


def _changes(random: Random, problem: Problem, plan: Plan, turn: int) -> Changes:
    """In turn two outages on instruments in use, a session cancelled, and one that was left out become urgent."""
    now = random.randrange(2 * DAY)
    later = [session for session in plan.sessions if session.start >= now]
    session = random.choice(later)
    if turn % 4 < 2:
        return Changes(now=now, down=((session.instrument, session.start, min(session.start + DAY, problem.horizon)),))
    if turn % 4 == 2:
        return Changes(now=now, cancel=(session.request,))
    out = {row.request for row in plan.unplaced}
    wanted = random.choice([request for request in problem.requests if request.id in out] or problem.requests)
    options = tuple(replace(option, value=10 * option.value) for option in wanted.options)
    return Changes(now=now, add=(replace(wanted, id="urgent", options=options),))


def _differences(repaired: Repaired) -> tuple[int, int]:
    """Sessions of the plan in force that are elsewhere now, and those that are gone."""
    places = {row.request: (row.instrument, row.start) for row in repaired.plan.sessions}
    current = repaired.problem.current
    gone = [row for row in current if row.request not in places]
    moved = [
        row for row in current if places.get(row.request, (row.instrument, row.start)) != (row.instrument, row.start)
    ]
    return len(moved), len(gone)


def _loss(repaired: Repaired, task: Task) -> float:
    """What the repaired plan is short of the plan that the whole problem gets anew, changes charged in both."""
    anew = solve(repaired.problem, seconds=task.seconds, seed=task.seed, workers=task.workers).score
    return (anew.objective - repaired.plan.score.objective) / max(1, anew.value)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(measure(msgspec.json.decode(sys.argv[1], type=Task))))
