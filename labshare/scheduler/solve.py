"""From a problem to a plan: search, then say what came of each rule and why each request left out was left out."""

from __future__ import annotations

import os
from importlib.metadata import version

from labshare import __version__
from labshare.scheduler.effort import Effort, Impossible, OnProgress
from labshare.scheduler.explain import reasons
from labshare.scheduler.plan import Plan, Run, Score, Session, Unplaced, gap_between
from labshare.scheduler.problem import Problem, encode, sha256
from labshare.scheduler.score import outcomes_of, score
from labshare.scheduler.search import Limits, ShouldStop
from labshare.scheduler.unavoidable import unavoidable_misses


def solve(
    problem: Problem,
    *,
    seconds: float | None = None,
    steps: int | None = None,
    seed: int = 1,
    workers: int | None = None,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
    problem_sha256: str | None = None,
) -> Plan:
    """The best plan found within the budget, with a proven bound and a reason for each request left out.

    `seconds` is wall-clock time; `steps` counts work, so that the same problem, seed, workers and versions give the
    same sessions and score; unless `workers` says otherwise, one works on steps and two against a clock where the
    machine has them. Without either the search runs until the plan is proven optimal or `should_stop()` is true.
    `problem_sha256` names the file the problem was read from; by default it is that of `encode(problem)`.
    `on_progress` and `should_stop` are called from other threads than the caller's.

    Raises:
        NoPlanFound: the budget ended before a plan that keeps the hard rules was found.
    """
    limits = Limits(seconds, steps, seed, workers or default_workers(seconds))
    effort = Effort(problem, limits, on_progress or (lambda _: None), should_stop or (lambda: False))
    digest = problem_sha256 or sha256(encode(problem))
    try:
        effort.run()
    except Impossible as impossible:
        return infeasible(problem, impossible.conflict, digest, _run(effort, limits))
    return _plan(problem, effort, digest, limits, should_stop or (lambda: False))


def default_workers(seconds: float | None) -> int:
    """Two against a clock, where there are two: what a second one adds depends on timing, so steps get one."""
    return 1 if seconds is None else min(2, os.cpu_count() or 1)


def _plan(problem: Problem, effort: Effort, digest: str, limits: Limits, should_stop: ShouldStop) -> Plan:
    order = {request.id: k for k, request in enumerate(problem.requests)}
    sessions = sorted(effort.sessions, key=lambda session: order[session.request])
    missed = [row.id for row in outcomes_of(problem, sessions) if row.slack < 0]
    outcomes = outcomes_of(problem, sessions, _unavoidable(effort, missed, limits.seed, should_stop))
    terms = score(problem, sessions, outcomes)
    return Plan(
        problem_sha256=digest,
        status="optimal" if effort.bound == terms.objective else "feasible",
        sessions=tuple(sessions),
        unplaced=tuple(
            Unplaced(request=request, reason=reason)
            for request, reason in reasons(problem, sessions, gap_between(terms.objective, effort.bound)).items()
        ),
        score=terms,
        bound=effort.bound,
        gap=gap_between(terms.objective, effort.bound),
        rules=tuple(outcomes),
        run=_run(effort, limits),
    )


def _unavoidable(effort: Effort, missed: list[str], seed: int, should_stop: ShouldStop) -> dict[str, int]:
    proven: dict[str, int] = {}
    for part in effort.parts:
        own = [rule.id for rule in part.problem.rules if rule.id in missed]
        proven |= unavoidable_misses(part.problem, own, seed, should_stop)
    return proven


def infeasible(problem: Problem, conflict: list[str], digest: str, run: Run) -> Plan:
    """The plan that says which hard rules cannot hold together."""
    nothing: list[Session] = []
    return Plan(
        problem_sha256=digest,
        status="infeasible",
        unplaced=tuple(
            Unplaced(request=request.id, reason={"code": "no_plan", "rules": conflict}) for request in problem.requests
        ),
        conflict=tuple(conflict),
        score=Score(),
        bound=0,
        gap=0.0,
        rules=tuple(outcomes_of(problem, nothing)),
        run=run,
    )


def _run(effort: Effort, limits: Limits) -> Run:
    if limits.seconds is None and limits.steps is None:
        budget = "until proven"
    else:
        budget = f"{limits.seconds:g} seconds" if limits.seconds is not None else f"{limits.steps} steps"
    versions = {"labshare": __version__, "ortools": version("ortools")}
    return Run(
        seed=limits.seed, workers=limits.workers, budget=budget, seconds=round(effort.seconds, 3), versions=versions
    )
