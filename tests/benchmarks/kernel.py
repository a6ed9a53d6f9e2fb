"""The kernel that telescope networks schedule with: a plain time-indexed MIP, one 0-1 variable for each start, on SCIP.

It knows value, once, no overlap and one place per person; nothing of operators, changeover, groups, campaigns or rules,
so it is compared on instances without rules.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple, cast

from ortools.linear_solver import pywraplp

from labshare.scheduler.places import Run, runs_of
from labshare.scheduler.plan import Session
from labshare.scheduler.problem import Problem


class Solved(NamedTuple):
    """The best sessions that SCIP had at the end, and the bound it had proven (None: none yet)."""

    sessions: list[Session]
    bound: int | None


def plain_mip(problem: Problem, seconds: float) -> Solved:
    """Build and solve within this much time, all told."""
    began = time.monotonic()
    solver = cast("Any", pywraplp.Solver).CreateSolver("SCIP")
    starts = [(run, start) for run in runs_of(problem) for start in range(run.first, run.last + 1)]
    columns: list[Any] = [solver.BoolVar("") for _ in starts]
    objective = solver.Objective()
    objective.SetMaximization()
    rows: defaultdict[tuple[str, str, int], list[Any]] = defaultdict(list)
    for (run, start), column in zip(starts, columns, strict=True):
        objective.SetCoefficient(column, run.value_at(start))
        for row in _rows(run, start):
            rows[row].append(column)
    for row in rows.values():
        if len(row) > 1:
            constraint = solver.Constraint(-solver.infinity(), 1)
            for column in row:
                constraint.SetCoefficient(column, 1)
    solver.SetTimeLimit(max(1, round(1000 * (seconds - (time.monotonic() - began)))))
    status = solver.Solve()
    if status not in (pywraplp.Solver.OPTIMAL, pywraplp.Solver.FEASIBLE):
        return Solved([], None)
    chosen = [place for place, column in zip(starts, columns, strict=True) if column.solution_value() > 0.5]
    bound = objective.BestBound()
    # SCIP's infinity is 1e20: nothing was proven.
    proven = math.floor(bound + 1e-6) if bound < 1e20 else None
    return Solved([_session(run, start) for run, start in chosen], proven)


def _rows(run: Run, start: int) -> Iterable[tuple[str, str, int]]:
    """The constraints that a start stands in: its request's, and one for each slot of instrument and person."""
    slots = range(start, start + run.slots)
    yield "request", run.request.id, 0
    yield from (("instrument", run.instrument, slot) for slot in slots)
    if run.request.attended and run.request.person:
        yield from (("person", run.request.person, slot) for slot in slots)


def _session(run: Run, start: int) -> Session:
    return Session(request=run.request.id, instrument=run.instrument, start=start, end=start + run.slots)
