"""One solver on one instance, in a process of its own: what came out, how long it took and how much memory.

`bench_scheduler.py` starts it with a `Task` as its argument and reads a `Measurement` from its output.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from labshare.scheduler.check import check, faults_of_sessions
from labshare.scheduler.plan import Plan, Session, encode_plan
from labshare.scheduler.problem import Problem
from labshare.scheduler.score import outcomes_of, score
from tests.benchmarks.instances import instance

Solver = Literal["first come", "priority", "plain MIP", "LabShare"]


class Task(msgspec.Struct, frozen=True):
    """What to run. `folder` takes LabShare's plan, for the measurement of repairs."""

    size: str
    rules: bool
    seed: int
    solver: Solver
    seconds: float
    workers: int
    folder: str

    @property
    def plan_file(self) -> Path:
        return Path(self.folder) / f"{self.size}-{'on' if self.rules else 'off'}-{self.seed}.plan.json"

    def problem(self) -> Problem:
        return instance(self.size, rules=self.rules, seed=self.seed)


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """`misses` and `unavoidable` are whole slots by rule; `trace` is (seconds, objective) of ever better plans."""

    sessions: int
    objective: int
    value: int
    fairness: int
    bound: int | None = None
    misses: dict[str, int] = {}
    unavoidable: dict[str, int] = {}
    trace: list[tuple[float, int]] = []
    seconds: float = 0.0
    cpu: float = 0.0
    peak_mb: int = 0
    faults: int = 0


class Answer(msgspec.Struct, frozen=True):
    """What a solver gives back: a plan where it makes one, else sessions and perhaps a bound."""

    sessions: Sequence[Session]
    bound: int | None = None
    plan: Plan | None = None
    trace: list[tuple[float, int]] = []


def _first_come(task: Task, problem: Problem) -> Answer:
    from tests.benchmarks.baselines import first_come_first_served

    return Answer(first_come_first_served(problem))


def _priority(task: Task, problem: Problem) -> Answer:
    from tests.benchmarks.baselines import by_priority

    return Answer(by_priority(problem))


def _plain_mip(task: Task, problem: Problem) -> Answer:
    from tests.benchmarks.kernel import plain_mip

    found = plain_mip(problem, task.seconds)
    return Answer(found.sessions, found.bound)


def _labshare(task: Task, problem: Problem) -> Answer:
    from labshare.scheduler.effort import Progress
    from labshare.scheduler.solve import solve

    trace: list[tuple[float, int]] = []

    def note(progress: Progress) -> None:
        if progress.placed:
            trace.append((progress.seconds, progress.objective))

    plan = solve(problem, seconds=task.seconds, seed=task.seed, workers=task.workers, on_progress=note)
    return Answer(plan.sessions, plan.bound, plan, trace)


SOLVERS: dict[Solver, Callable[[Task, Problem], Answer]] = {
    "first come": _first_come,
    "priority": _priority,
    "plain MIP": _plain_mip,
    "LabShare": _labshare,
}


def measure(task: Task) -> Measurement:
    problem = task.problem()
    began = time.monotonic()
    answer = SOLVERS[task.solver](task, problem)
    seconds = time.monotonic() - began
    cpu, peak_mb = usage()
    outcomes = outcomes_of(problem, answer.sessions)
    terms = score(problem, answer.sessions, outcomes)
    faults = check(problem, answer.plan) if answer.plan else faults_of_sessions(problem, answer.sessions)
    if answer.plan:
        task.plan_file.write_bytes(encode_plan(answer.plan))
    return Measurement(
        sessions=len(answer.sessions),
        objective=terms.objective,
        value=terms.value,
        fairness=terms.fairness,
        bound=answer.bound,
        misses={row.id: -row.slack for row in outcomes if row.slack < 0},
        unavoidable={row.id: row.unavoidable for row in (answer.plan.rules if answer.plan else ()) if row.unavoidable},
        trace=answer.trace,
        seconds=seconds,
        cpu=cpu,
        peak_mb=peak_mb,
        faults=len(faults),
    )


def usage() -> tuple[float, int]:
    """CPU seconds and peak memory in MB of this process together with the largest of those it started."""
    mine, theirs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime
    return cpu, round((mine.ru_maxrss + theirs.ru_maxrss) / 1024)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(measure(msgspec.json.decode(sys.argv[1], type=Task))))
