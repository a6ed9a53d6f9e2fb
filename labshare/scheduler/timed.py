"""The whole contract over single starts: the program that proves most where it is not too large, and its search.

First the relaxation; then, with a known plan, every start goes that no better plan can use (its reduced cost exceeds
what is left between bound and plan); then whole numbers. What must not live here: the rules (timed_rules.py).
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from labshare.scheduler.changeover import idle_slots, pairs_suffice
from labshare.scheduler.cliques import Cliques
from labshare.scheduler.layout import Ints, Layout
from labshare.scheduler.places import runs_of
from labshare.scheduler.plan import Session
from labshare.scheduler.problem import Problem
from labshare.scheduler.score import outcomes_of, score
from labshare.scheduler.search import STEP, Found, Limits, OnBetter, ShouldStop
from labshare.scheduler.sifting import sift
from labshare.scheduler.timed_model import Bools, Floats, Program, Relaxed, TimedModel
from labshare.scheduler.timed_rules import RULES
from labshare.scheduler.timed_solver import Mixed, decide, mix, relax

# Sums above this are no longer exact as floating-point numbers, with room for products.
LARGEST_EXACT = 2**45

# What SCIP needs for the first node of a program and for each other, in steps for a thousand entries, roughly: it turns
# steps into nodes.
STEPS_A_ROOT, STEPS_A_NODE = 2.0, 0.2


@dataclass(frozen=True)
class Timed:
    """The program of a problem, with what is needed to read a plan out of it and into it."""

    model: TimedModel
    program: Program

    @property
    def problem(self) -> Problem:
        return self.model.layout.problem

    @cached_property
    def bundles(self) -> Ints:
        """By variable that is no column, one of those that share rows with it, however indirectly: the same for all."""
        program, size = self.program, self.model.size
        root = list(range(len(program.gain)))

        def find(v: int) -> int:
            while root[v] != v:
                root[v] = root[root[v]]
                v = root[v]
            return v

        other = program.variable >= size
        row, variable = program.row[other].tolist(), program.variable[other].tolist()
        for (row_a, a), (row_b, b) in pairwise(zip(row, variable, strict=True)):
            if row_a == row_b:
                root[find(b)] = find(a)
        return np.array([find(v) for v in range(len(root))], dtype=np.int64)


def columns(problem: Problem) -> int:
    """How many starts there are to choose from, without listing them."""
    return sum(run.last - run.first + 1 for run in runs_of(problem))


def build(problem: Problem, layout: Layout | None = None) -> Timed | None:
    """The program, or None where it would not be exact.

    That is: changeover that must know the neighbours, numbers too large for floating point, or a frozen session whose
    person or operator is not there.
    """
    layout = layout or Layout(problem)
    if not _changeover_is_of_pairs(layout) or _scale(layout) > LARGEST_EXACT or layout.frozen_is_gone:
        return None
    model = TimedModel(layout)
    for rule in RULES:
        rule(model)
    return Timed(model, model.finished())


def _changeover_is_of_pairs(layout: Layout) -> bool:
    for instrument in layout.problem.instruments:
        idle = idle_slots(instrument)
        if idle:
            lengths = [(run.request.family, run.slots) for run in layout.runs if run.instrument == instrument.id]
            fixed = [row for row in layout.problem.fixed if row.instrument == instrument.id]
            if not pairs_suffice(idle, lengths, [(row.start, row.end, row.family) for row in fixed]):
                return False
    return True


def _scale(layout: Layout) -> int:
    """The largest number that can come up: gains added up, or a rule's row multiplied out."""
    problem = layout.problem
    gains = sum(max(abs(run.value_at(run.first)), abs(run.value_at(run.last))) for run in layout.runs)
    gains += problem.change_penalty * len(problem.current)
    asked = sum(run.slots for run in layout.runs) + sum(row.end - row.start for row in problem.fixed)
    for rule in problem.rules:
        gains += (rule.penalty or 0) * (asked + 1)
        gains = max(gains, (rule.share.numerator + rule.share.denominator) * (asked + min(rule.slots, asked)))
    rates = sum(rate for _, rate in problem.fairness.steps)
    return gains + rates * sum(problem.fairness.targets.values())


def relaxation(timed: Timed, limits: Limits, should_stop: ShouldStop) -> Relaxed | None:
    """The linear relaxation within the limits: a bound that holds in any case, and prices."""
    steps = None if limits.steps is None else limits.steps * STEP
    return relax(timed.program, seconds=limits.seconds, steps=steps, should_stop=should_stop)


def closer(timed: Timed, limits: Limits, should_stop: ShouldStop, liked: Floats) -> tuple[Timed, Relaxed] | None:
    """The program with rows that no plan breaks and its relaxation did, and the relaxation with them.

    `liked`, by column, is what some prices would give for it: a large program is relaxed by few columns at a time,
    which is two to three times as fast.
    """
    steps = None if limits.steps is None else limits.steps * STEP
    found = sift(
        timed.program,
        timed.model.columns.request,
        liked,
        Cliques(timed.model).broken,
        seconds=limits.seconds,
        steps=steps,
        should_stop=should_stop,
    )
    if found is None:
        return None
    program, relaxed = found
    return replace(timed, program=program), relaxed


def whole(bound: float) -> int:
    """The finite bound as a whole number, rounded so that no plan can be worth more."""
    return math.floor(bound + min(0.5, 1e-6 + 1e-9 * abs(bound)))


def solve(
    timed: Timed,
    limits: Limits,
    known: Sequence[Session] | None,
    should_stop: ShouldStop,
    on_better: OnBetter,
    relaxed: Relaxed | None = None,
    bounds: Floats | None = None,
) -> Found:
    """Search for a plan better than `known`, and prove how good the best can be.

    `relaxed` saves solving the relaxation again; `bounds`, by variable, shut out more starts than it does. Without
    anything found the sessions are those of `known`.
    """
    began = time.monotonic()
    relaxed = relaxed or relaxation(timed, limits, should_stop)
    best = None if known is None else worth(timed.problem, known)
    if relaxed is not None and known is not None and best is not None:
        if best >= whole(relaxed.bound):
            return Found("optimal", list(known), best, 0)
        on_better(known, whole(relaxed.bound))
    seconds = None if limits.seconds is None else limits.seconds - (time.monotonic() - began)
    limits = replace(limits, seconds=seconds)
    program = timed.program
    if relaxed is not None and best is not None:
        program = without_hopeless(program, relaxed, best, bounds)
    mixed = _mixed(timed, program, limits, known, should_stop)
    return _found(timed, math.inf if relaxed is None else relaxed.bound, mixed, limits, known)


def _found(timed: Timed, proven: float, mixed: Mixed, limits: Limits, known: Sequence[Session] | None) -> Found:
    """The better of what was known and found. The bound of the search holds for plans better than the known one."""
    steps = (limits.steps or 0) if mixed.nodes else 0
    plans = [] if known is None else [list(known)]
    if mixed.values is not None:
        plans.append(timed.model.sessions(mixed.values))
    bound = min(proven, mixed.bound)
    if not plans:
        nothing = "infeasible" if mixed.is_infeasible else "unknown"
        return Found(nothing, None, whole(bound) if math.isfinite(bound) else None, steps)
    objective, sessions = max(((worth(timed.problem, plan), plan) for plan in plans), key=lambda pair: pair[0])
    if mixed.is_infeasible:
        return Found("optimal", sessions, objective, steps)
    bound = max(objective, whole(bound)) if bound < math.inf else None
    return Found("optimal" if bound == objective else "feasible", sessions, bound, steps)


def _mixed(
    timed: Timed, program: Program, limits: Limits, known: Sequence[Session] | None, should_stop: ShouldStop
) -> Mixed:
    if (program.lower > program.upper).any():
        return Mixed(-math.inf, None, is_infeasible=True, nodes=0)
    nodes = None if limits.steps is None else nodes_within(program, limits.steps)
    if nodes == 0:
        return Mixed(math.inf, None, is_infeasible=False, nodes=0)
    return mix(
        program,
        seconds=limits.seconds,
        nodes=nodes,
        seed=limits.seed,
        known=None if known is None else values_of(timed, known),
        should_stop=should_stop,
        proving=known is not None,
    )


def nodes_within(program: Program, steps: int) -> int:
    """How many nodes SCIP may look at for so many steps; 0 where the first one costs more."""
    thousands = max(1, len(program.row)) / 1000
    return max(0, int((steps - STEPS_A_ROOT * thousands) / (STEPS_A_NODE * thousands)))


def among(
    timed: Timed, columns: Bools, known: Sequence[Session], limits: Limits, should_stop: ShouldStop
) -> list[Session] | None:
    """The best plan of these starts and those of a known plan that is found within the limits, from the known one."""
    values = values_of(timed, known)
    if values is None:
        return None
    upper = timed.program.upper.copy()
    upper[: timed.model.size][~columns & (values[: timed.model.size] == 0)] = 0
    rest = timed.program.rest(timed.program.lower, upper)
    if rest is None:
        return None
    began = time.monotonic()

    def is_over() -> bool:
        return should_stop() or (limits.seconds is not None and time.monotonic() - began >= limits.seconds)

    steps = None if limits.steps is None else limits.steps * STEP
    found = decide(rest.program, values[rest.free], steps=steps, seed=limits.seed, should_stop=is_over)
    return None if found is None else timed.model.sessions(rest.whole(found))


def without_hopeless(program: Program, relaxed: Relaxed, best: int, bounds: Floats | None = None) -> Program:
    """The program without what no plan better than `best` can have: reduced-cost fixing.

    A variable that is 1 away from its better end lowers the bound by its reduced gain; where that leaves less than
    best + 1, it stays at that end. `bounds`, by variable, may be closer than the relaxation's.
    """
    least = best + 1 - min(0.5, 1e-6 + 1e-9 * abs(best))
    fixed: Bools = (relaxed.bound if bounds is None else bounds) - np.abs(relaxed.reduced) < least
    lower: Floats = np.where(fixed & (relaxed.reduced > 0), program.upper, program.lower)
    upper: Floats = np.where(fixed & (relaxed.reduced < 0), program.lower, program.upper)
    return replace(program, lower=lower, upper=upper)


def values_of(timed: Timed, sessions: Sequence[Session]) -> Floats | None:
    """The values of all variables for these sessions, the best that go with them; None if they break a rule."""
    chosen = timed.model.chosen(sessions)
    lower, upper = timed.program.lower.copy(), timed.program.upper.copy()
    upper[: timed.model.size] = 0
    upper[chosen] = lower[chosen] = 1
    if (lower > upper).any():
        return None
    rest = timed.program.rest(lower, upper)
    if rest is None or not rest.free.any():
        return None if rest is None else rest.held
    mixed = mix(rest.program, seconds=None, nodes=None, seed=1, known=None, should_stop=lambda: False)
    return None if mixed.values is None else rest.whole(mixed.values)


def worth(problem: Problem, sessions: Sequence[Session]) -> int:
    """The objective of a plan of these sessions."""
    return score(problem, sessions, outcomes_of(problem, sessions)).objective
