"""One run of the solver as a child process for each stage: started, followed, stopped, judged, kept or put aside.

A solve keeps a processor busy for minutes and may be stopped at any time, so it is a process of its own, outside every
transaction; the plan's row is what survives (ARCHITECTURE.md, decision 8). What must not live here: SQL, or when to
run it (jobs.py).
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from labshare.cores import OURS
from labshare.domain.rounds import PlanRow
from labshare.errors import Busy, Refusal
from labshare.services import Database, DatabaseFault, plans
from labshare.services.stages import Stages

POLL_SECONDS = 0.1
FOLLOW_SECONDS = 1.0
# How long a child that was asked for its best plan may take to write it.
GRACE_SECONDS = 5.0
# How far a child may overrun its budget before it is asked to end: building a large model is not searched time.
OVERRUN_SECONDS = 60.0
# What a stage gets, however much of the budget those before it took.
LEAST_SECONDS = 1.0
MALFORMED, INFEASIBLE = 2, 3

Clock = Callable[[], datetime]
log = logging.getLogger(__name__)


def utc_now() -> datetime:
    return datetime.now(UTC)


def run_plan_now(database: Database, plan_id: UUID, *, clock: Clock = utc_now) -> None:
    """Run a queued plan here and now, and return when it is proposed or put aside. For commands, tests and the demo.

    Nothing happens when another runner has it already.
    """
    run_next(database, clock=clock, stopping=threading.Event(), plan_id=plan_id)


def run_next(database: Database, *, clock: Clock, stopping: threading.Event, plan_id: UUID | None = None) -> bool:
    """Run the plan that has waited longest; says whether any waited. `stopping` makes it give the plan back."""
    with database.write() as db:
        plan = plans.take(db, clock(), plan_id=plan_id)
    if plan is None:
        return False
    try:
        _run(database, plan, clock, stopping)
    except (Busy, DatabaseFault):
        # That says nothing of the plan. Its lease ends by itself, and whoever finds it then takes it again.
        log.warning("plan %s waits in attempt %d: the database was busy or away", plan.id, plan.attempt, exc_info=True)
    except Exception:
        # Whatever is wrong with one round must not keep the others waiting: it is told on the plan and in the log.
        log.exception("plan %s failed in attempt %d", plan.id, plan.attempt)
        _put_aside(database, plan, (Refusal(code="plan_crashed"),), clock)
    return True


def _run(database: Database, plan: PlanRow, clock: Clock, stopping: threading.Event) -> None:
    """The stages one after the other, each by a child of its own; one that somebody stopped hurries those after it."""
    with database.read() as db:
        stages = Stages(plans.build(db, plan, clock()))
    began, is_hurried = time.monotonic(), False
    while True:
        if stages.is_last:
            with database.write() as db:
                plans.keep_problem(db, plan, stages.data)
        with tempfile.TemporaryDirectory(prefix="labshare-") as name:
            run = _Child(Path(name), plan, stages, time.monotonic() - began, is_hurried=is_hurried)
            try:
                outcome = _follow(database, plan, run, clock, stopping)
            finally:
                run.kill()
            document = _sound(database, plan, stages, run, clock) if outcome else None
        if document is None:
            return
        if stages.is_last:
            with database.write() as db:
                plans.propose(db, plan, document, clock())
            return
        is_hurried = run.was_asked_to_end
        stages.go_on(document)


def _follow(database: Database, plan: PlanRow, run: _Child, clock: Clock, stopping: threading.Event) -> bool:
    """Wait for the child, telling its progress at most once a second. False when the plan is no longer ours."""
    told = time.monotonic()
    while not run.has_ended():
        if stopping.wait(POLL_SECONDS):
            run.kill()
            with database.write() as db:
                plans.give_back(db, plan, clock())
            return False
        if time.monotonic() - told >= FOLLOW_SECONDS:
            told = time.monotonic()
            with database.write() as db:
                now_stands = plans.follow(db, plan, run.progress(), clock())
            if now_stands is None:
                return False
            if now_stands.cancel_requested_at is not None and not run.is_hurried:
                run.ask_to_end()
    return True


def _sound(database: Database, plan: PlanRow, stages: Stages, run: _Child, clock: Clock) -> bytes | None:
    """The plan of this stage, judged; None, and the plan put aside, where there is none to go on with."""
    document = run.document()
    if document is None or (run.was_asked_to_end and plans.is_unbegun(document, stages.standing)):
        # What was stopped before it placed anything must not take the place of the proposal that stands.
        _put_aside(database, plan, run.failure(), clock)
        return None
    faults = plans.judge(stages.data, document)
    if not faults and stages.is_last:
        document = stages.concluded(document, plan.budget_seconds)
        faults = plans.judge(stages.data, document)
    if faults:
        log.error("the checker found faults in plan %s: %s", plan.id, [dict(fault.params) for fault in faults])
        _put_aside(database, plan, faults, clock)
        return None
    return document


def _put_aside(database: Database, plan: PlanRow, failure: tuple[Refusal, ...], clock: Clock) -> None:
    with database.write() as db:
        plans.put_aside(db, plan, failure, clock())


def _seconds(plan: PlanRow, stages: Stages, after: float) -> float:
    """How long the solver may search in this stage."""
    if stages.count == 1:
        return plan.budget_seconds
    return max(LEAST_SECONDS, round(float(stages.share) * (plan.budget_seconds - after), 3))


class _Child:
    """The solver's process with its files. Progress lines go to a file, so that no thread has to read a pipe.

    It began `after` so many seconds of the plan's budget. One that is hurried takes the least time for its stage.
    """

    def __init__(self, folder: Path, plan: PlanRow, stages: Stages, after: float, *, is_hurried: bool) -> None:
        self._plan_file = folder / "round.plan.json"
        self._said_file = folder / "said.txt"
        self._asked_at: float | None = None
        self._began = time.monotonic()
        self._stages, self._after = stages, after
        self._budget = plan.budget_seconds
        self._seconds = LEAST_SECONDS if is_hurried else _seconds(plan, stages, after)
        self.is_hurried = is_hurried
        problem_file = folder / "round.problem.json"
        problem_file.write_bytes(stages.data)
        command = [
            *(sys.executable, "-m", "labshare.scheduler", "solve", str(problem_file), "-o", str(self._plan_file)),
            *("--seconds", f"{self._seconds:g}", "--seed", str(plan.seed), "--progress", "json"),
            *("--workers", str(max(1, (os.cpu_count() or 1) - 1))),
        ]
        with self._said_file.open("wb") as said, OURS.all():
            self._process = subprocess.Popen(  # noqa: S603  our own interpreter and module, no shell
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True
            )

    def has_ended(self) -> bool:
        """Whether the process is gone; one that does not end when asked is made to."""
        if self._process.poll() is not None:
            return True
        now = time.monotonic()
        if self._asked_at is not None and now - self._asked_at > GRACE_SECONDS:
            self.kill()
        elif now - self._began > self._seconds + OVERRUN_SECONDS:
            self.ask_to_end()
        return False

    def ask_to_end(self) -> None:
        """Ask for the best plan so far; asking twice is no different."""
        if self._asked_at is None:
            self._asked_at = time.monotonic()
            self._process.send_signal(signal.SIGINT)

    @property
    def was_asked_to_end(self) -> bool:
        """Whether somebody stopped the plan, in this stage or in one before it."""
        return self._asked_at is not None or self.is_hurried

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def progress(self) -> str:
        """The last progress line; empty before the first."""
        lines = [line for line in self._said() if line.startswith("{") and line.endswith("}")]
        return self._stages.progress(lines[-1] if lines else "", self._after)

    def document(self) -> bytes | None:
        """The plan that was written, if one was."""
        return self._plan_file.read_bytes() if self._plan_file.exists() else None

    def failure(self) -> tuple[Refusal, ...]:
        """Why there is no plan; empty when it was cancelled before there could be one."""
        if self.was_asked_to_end:
            return ()
        if self._process.returncode == INFEASIBLE:
            return (Refusal(code="plan_none_found", params={"seconds": self._budget}),)
        if self._process.returncode == MALFORMED:
            where = "; ".join(self._said()[:3])
            return (Refusal(code="plan_faulted", params={"fault": "problem", "where": where, "detail": ""}),)
        log.error("the solver ended with %s: %s", self._process.returncode, self._said()[-20:])
        return (Refusal(code="plan_crashed"),)

    def _said(self) -> list[str]:
        return self._said_file.read_text(encoding="utf-8", errors="replace").splitlines()
