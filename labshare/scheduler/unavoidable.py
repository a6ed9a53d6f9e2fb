"""How much of a rule's miss no plan can avoid: the least possible miss of that rule alone, as far as it is proven."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec
from ortools.sat.python import cp_model

from labshare.scheduler.counting import count
from labshare.scheduler.layout import Layout
from labshare.scheduler.model import Model
from labshare.scheduler.places import runs_of
from labshare.scheduler.problem import Fairness, Problem, Request, Rule
from labshare.scheduler.proof import Proof
from labshare.scheduler.rules import build
from labshare.scheduler.search import Limits, ShouldStop, solver_for, stopping

# What the proof for one rule may cost, in steps; what is not proven by then is not called unavoidable.
STEPS_A_RULE = 100
# Beyond so many starts the proof is by prices, over the requests that the rule counts.
MOST_COLUMNS = 3_000
EVALUATIONS = 200


def unavoidable_misses(
    problem: Problem, rules: Iterable[str], seed: int, should_stop: ShouldStop = lambda: False
) -> dict[str, int]:
    """For these soft rules the largest proven lower bounds on their misses, in slots, over all plans."""
    wanted = list(rules)
    if not wanted or should_stop():
        return {}
    if sum(run.last - run.first + 1 for run in runs_of(problem)) > MOST_COLUMNS:
        return _by_prices(problem, set(wanted), should_stop)
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


def _by_prices(problem: Problem, wanted: set[str], should_stop: ShouldStop) -> dict[str, int]:
    """For floors: the least miss if nobody but those whom the floor counts were planned."""
    proven: dict[str, int] = {}
    for rule in problem.rules:
        if rule.id in wanted and rule.kind == "floor" and not should_stop():
            proof = Proof(Layout(_alone(problem, rule)))
            # Values are 0 and a slot missed costs 1: what a plan is worth is what it misses, below zero.
            worst = -count(problem, rule).demand - 1
            proof.improve(EVALUATIONS, worst, should_stop)
            proven[rule.id] = max(0, -proof.bound(worst))
    return proven


def _alone(problem: Problem, rule: Rule) -> Problem:
    """The problem of the requests that the rule counts, without value and under that rule alone.

    Any plan leaves a plan of this problem when all others go, and misses no less: what is proven here holds there.
    """
    counted = count(problem, rule)
    own = [request for request in problem.requests if any(counted.counts(request, o) for o in request.options)]
    return msgspec.structs.replace(
        problem,
        requests=tuple(_without_value(request) for request in own),
        rules=(msgspec.structs.replace(rule, penalty=1),),
        groups=(), linked=(), fairness=Fairness(), current=(), change_penalty=0, frozen_until=0,
    )  # fmt: skip


def _without_value(request: Request) -> Request:
    options = tuple(msgspec.structs.replace(option, value=0) for option in request.options)
    return msgspec.structs.replace(request, options=options, late=0)
