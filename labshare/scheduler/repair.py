"""From a plan and what happened since to the plan that changes least: the new problem, its plan, and what is proven.

How the sessions are found is in mending.py; here the result is put together and told.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

import msgspec

from labshare import __version__
from labshare.scheduler.capacity import capacity_bound
from labshare.scheduler.changes import Changes, changed
from labshare.scheduler.conflict import conflict, is_hopeless
from labshare.scheduler.effort import NoPlanFound
from labshare.scheduler.mending import Mending, Sessions, loosened
from labshare.scheduler.model import Model
from labshare.scheduler.plan import Plan, Run, Session, Unplaced, gap_between
from labshare.scheduler.problem import Problem, encode, sha256
from labshare.scheduler.retold import retold
from labshare.scheduler.rules import build
from labshare.scheduler.search import Limits, search
from labshare.scheduler.solve import infeasible

# Work for the usual repair, and for the rare one that has to look at everything to keep the hard rules.
STEPS = 20
STEPS_FOR_EVERYTHING = 1000

__all__ = ["NoPlanFound", "Repaired", "repair"]


@dataclass(frozen=True)
class Repaired:
    """The problem after the changes, and its plan."""

    problem: Problem
    plan: Plan


def repair(problem: Problem, plan: Plan, changes: Changes, *, steps: int = STEPS, seed: int = 1) -> Repaired:
    """The plan mended: sessions hit by an outage move or are dropped, whatever else has to moves, the rest stays.

    The plan must be one that `check` finds right. `steps` bounds the search, so that the same arguments and versions
    give the same sessions. Nothing is put before `changes.now`.

    Raises:
        Malformed: the changes make no sense for this problem.
        NoPlanFound: the budget ended before a plan that keeps the hard rules was found.
    """
    began = time.monotonic()

    def run() -> Run:
        versions = {"labshare": __version__, "ortools": version("ortools")}
        return Run(seed=seed, budget=f"{steps} steps", seconds=round(time.monotonic() - began, 3), versions=versions)

    gone = [row for row in plan.sessions if row.request in changes.cancel]
    kept = {row.request: row for row in plan.sessions if row.request not in changes.cancel}
    after = changed(problem, plan.sessions, changes)
    mending = _mended(after, kept, gone, changes, Limits(steps=steps, seed=seed))
    digest = sha256(encode(mending.problem))
    named = _last_resort(mending, seed) if mending.plan is None else []
    if named:
        return Repaired(mending.problem, infeasible(mending.problem, named, digest, run()))
    told = _plan(problem, plan, changes, mending, digest, run())
    return Repaired(mending.problem, msgspec.structs.replace(told, run=run()))


def _mended(after: Problem, kept: Sessions, gone: Sequence[Session], changes: Changes, limits: Limits) -> Mending:
    """The plan mended, if need be with what has begun cut off from what an outage hit."""
    new = [request.id for request in changes.add]
    spaces = [(row.instrument, row.start, row.end) for row in gone]
    mending = Mending(after, kept, changes.now, limits)
    if mending.run(new, spaces) is None:
        looser = loosened(after, kept, set(mending.hit))
        if looser != after:
            mending = Mending(looser, kept, changes.now, limits)
            mending.run(new, spaces)
    return mending


def _last_resort(mending: Mending, seed: int) -> list[str]:
    """All of it planned anew, or else the hard rules that leave no plan at all, starts that are past included."""
    problem = mending.problem
    for floor in mending.broken_floors():
        if is_hopeless(problem, floor, seed):
            return [floor.id]
    status = mending.everything(STEPS_FOR_EVERYTHING)
    if mending.plan is not None:
        return []
    if status != "infeasible":
        raise NoPlanFound
    found = search(build(Model(problem)), Limits(steps=STEPS_FOR_EVERYTHING, seed=seed), _ignore, lambda: False)
    if found.status != "infeasible":
        raise NoPlanFound
    return conflict(problem, seed)


def _ignore(sessions: Sequence[Session], bound: int) -> None:
    """Only the proof is wanted."""


def _plan(before: Problem, plan: Plan, changes: Changes, mending: Mending, digest: str, run: Run) -> Plan:
    standing, problem = mending.standing, mending.problem
    standing.become(mending.plan or {})
    score = standing.score()
    inherits = _is_narrower(before, plan, changes, mending)
    bound = capacity_bound(problem, mending.around.geometry.stretches, score.objective)
    if inherits:
        bound = min(bound, plan.bound + before.change_penalty * len(before.current))
    bound = max(bound, score.objective)
    gap = gap_between(score.objective, bound)
    proven = {row.id: row.unavoidable for row in plan.rules} if inherits else {}
    told = retold(standing, plan, changes, gap)
    return Plan(
        problem_sha256=digest,
        status="optimal" if bound == score.objective else "feasible",
        sessions=tuple(standing.sessions),
        unplaced=tuple(Unplaced(request=name, reason=reason) for name, reason in told.items()),
        score=score,
        bound=bound,
        gap=gap,
        rules=tuple(standing.outcomes(proven)),
        run=run,
    )


def _is_narrower(before: Problem, plan: Plan, changes: Changes, mending: Mending) -> bool:
    """Is every plan of the problem after the changes one of the problem before, worth as much but for the changes?

    So it is where instruments went down and nothing else happened, as long as what was frozen before still is. The old
    bound then holds, with what the old plan was charged for its own changes added.
    """
    if (
        changes.cancel
        or changes.add
        or mending.problem.linked != before.linked
        or mending.problem.groups != before.groups
    ):
        return False
    hit = set(mending.hit)
    still = {row.request for row in mending.problem.current if row.start < changes.now and row.request not in hit}
    return all(row.request in still for row in before.current if row.start < before.frozen_until)
