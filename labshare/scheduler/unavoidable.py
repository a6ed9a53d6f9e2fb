"""How much of a rule's miss no plan can avoid: the least possible miss of that rule alone, as far as it is proven."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ortools.sat.python import cp_model

from labshare.scheduler.model import Model
from labshare.scheduler.problem import Problem
from labshare.scheduler.rules import build
from labshare.scheduler.search import Limits, ShouldStop, solver_for, stopping

# What the proof for one rule may cost, in steps; what is not proven by then is not called unavoidable.
STEPS_A_RULE = 100


def unavoidable_misses(
    problem: Problem, rules: Iterable[str], seed: int, should_stop: ShouldStop = lambda: False
) -> dict[str, int]:
    """For these soft rules the largest proven lower bounds on their misses, in slots, over all plans."""
    wanted = list(rules)
    if not wanted or should_stop():
        return {}
    model = build(Model(problem))
    proven: dict[str, int] = {}
    for rule in wanted:
        model.cp.minimize(model.misses[rule])
        solver = solver_for(Limits(steps=STEPS_A_RULE, seed=seed))
        with stopping(solver, should_stop):
            status = solver.solve(model.cp)
        if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            proven[rule] = max(0, math.ceil(solver.best_objective_bound - 1e-6))
    return proven
