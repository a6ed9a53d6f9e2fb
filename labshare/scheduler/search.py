"""One run of CP-SAT over one problem, within a budget, stoppable from outside, reporting as it goes."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from ortools.sat.python import cp_model

from labshare.scheduler.model import Model
from labshare.scheduler.plan import Session

# One step is this much of CP-SAT's deterministic time, which counts work done and not time passed.
STEP = 0.01
POLL_SECONDS = 0.05

# Called with the sessions of a better plan and the bound proven so far.
OnBetter = Callable[[Sequence[Session], int], None]
ShouldStop = Callable[[], bool]


@dataclass(frozen=True)
class Limits:
    """A budget of wall-clock seconds or of steps (None: no limit), and what makes a search reproducible."""

    seconds: float | None = None
    steps: int | None = None
    seed: int = 1
    workers: int = 1


@dataclass(frozen=True)
class Found:
    """The best sessions found, if any, and a bound on the objective of every plan (None when nothing is proven)."""

    status: Literal["optimal", "feasible", "infeasible", "unknown"]
    sessions: list[Session] | None
    bound: int | None
    steps: int


def search(
    model: Model, limits: Limits, on_better: OnBetter, should_stop: ShouldStop, *, is_small: bool = False
) -> Found:
    """Solve a built model. Returns what was found when the budget ends, the proof is complete, or `should_stop()`.

    `is_small` is for models of some dozen requests, on which preparing would take longer than the search.
    """
    solver = solver_for(limits)
    if is_small:
        _hurry(solver)
    watcher = _Watcher(model, on_better)
    with stopping(solver, should_stop):
        status = solver.solve(model.cp, watcher)
    steps = math.ceil(solver.deterministic_time / STEP)
    if status == cp_model.INFEASIBLE:
        return Found("infeasible", None, None, steps)
    if status == cp_model.UNKNOWN:
        return Found("unknown", None, None, steps)
    assert status in (cp_model.OPTIMAL, cp_model.FEASIBLE), solver.status_name(status)
    bound = math.floor(solver.best_objective_bound + 1e-6)
    sessions = model.sessions(solver.value)
    return Found("optimal" if status == cp_model.OPTIMAL else "feasible", sessions, bound, steps)


def solver_for(limits: Limits) -> cp_model.CpSolver:
    """A CP-SAT solver whose answers depend on seed and step budget alone, where the budget is one of steps."""
    solver = cp_model.CpSolver()
    solver.parameters.random_seed = limits.seed
    solver.parameters.num_workers = limits.workers
    # All of CP-SAT's strategies take turns, in an order that does not depend on timing.
    solver.parameters.interleave_search = True
    solver.parameters.catch_sigint_signal = False
    # What presolve does with symmetries fails on some models in OR-Tools 9.15 (an uncaught look-up, no answer at all).
    solver.parameters.symmetry_level = 0
    if limits.seconds is not None:
        solver.parameters.max_time_in_seconds = max(0.0, limits.seconds)
    if limits.steps is not None:
        solver.parameters.max_deterministic_time = max(0, limits.steps) * STEP
    return solver


def _hurry(solver: cp_model.CpSolver) -> None:
    """One strategy and little presolve: five times faster on neighbourhoods, whose optima it finds as well."""
    solver.parameters.num_workers = 1
    solver.parameters.interleave_search = False
    solver.parameters.max_presolve_iterations = 1
    solver.parameters.cp_model_probing_level = 0


class _Watcher(cp_model.CpSolverSolutionCallback):
    def __init__(self, model: Model, on_better: OnBetter) -> None:
        super().__init__()
        self._model = model
        self._on_better = on_better

    def on_solution_callback(self) -> None:
        sessions = self._model.sessions(self.value)
        self._on_better(sessions, math.floor(self.best_objective_bound + 1e-6))


@contextmanager
def stopping(solver: cp_model.CpSolver, should_stop: ShouldStop) -> Generator[None]:
    """Ask `should_stop` beside the search: CP-SAT calls back only when it finds something."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(POLL_SECONDS):
            if should_stop():
                solver.stop_search()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
