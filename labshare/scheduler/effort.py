"""One solve under way: the parts of the problem, what is known of each, and what is left of the budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec

from labshare.scheduler.check import faults_of_sessions
from labshare.scheduler.components import components
from labshare.scheduler.conflict import conflict
from labshare.scheduler.model import Model
from labshare.scheduler.places import runs_of
from labshare.scheduler.plan import Session, gap_between
from labshare.scheduler.problem import Problem
from labshare.scheduler.pursuit import Pursuit
from labshare.scheduler.rules import build
from labshare.scheduler.score import outcomes_of, reward, score
from labshare.scheduler.search import Limits, OnBetter, ShouldStop, search


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What is known while the search runs. `bound` is proven; `gap` as in the plan; `seconds` since the start."""

    objective: int
    bound: int
    gap: float
    seconds: float
    placed: int


# A part gets at least this much, as long as it is there: very little settles most of the small ones.
LEAST_SECONDS = 0.5
LEAST_STEPS = 20
# What saying why takes after the search, by column, and at most, as a part of the budget.
SECONDS_A_COLUMN, RESERVE = 1e-5, 0.1
# Parts with few starts, or few runs of them (wide windows, as in a job shop), are given to CP-SAT as they are, for this
# share of the budget: most are proven in a moment. So many steps where the starts are many and nothing is limited.
MOST_COLUMNS_AT_ONCE, MOST_RUNS_AT_ONCE = 3_000, 300
AT_ONCE, STEPS_AT_ONCE = 0.4, 5_000

OnProgress = Callable[[Progress], None]


class NoPlanFound(Exception):
    """The budget ended before a plan that keeps every hard rule was found; that none exists is not proven."""


class Impossible(Exception):
    """No plan keeps these hard rules together."""

    def __init__(self, conflict: list[str]) -> None:
        super().__init__(", ".join(conflict))
        self.conflict = conflict


@dataclass
class Part:
    """A part of the problem with the best sessions known for it and the best bound proven."""

    problem: Problem
    sessions: Sequence[Session] | None = None
    objective: int = 0
    bound: int = 0

    def __post_init__(self) -> None:
        self.bound = most_conceivable(self.problem)
        for sessions in openings(self.problem):
            self.offer(sessions)

    @property
    def is_settled(self) -> bool:
        return self.sessions is not None and self.objective == self.bound

    def offer(self, sessions: Sequence[Session]) -> None:
        """Keep these sessions if they are better than those known."""
        objective = score(self.problem, sessions, outcomes_of(self.problem, sessions)).objective
        if self.sessions is None or objective > self.objective:
            self.sessions, self.objective = sessions, objective


def most_conceivable(problem: Problem) -> int:
    """A bound without any search: every request at its best place, every organisation rewarded in full."""
    best: dict[str, int] = {}
    for run in runs_of(problem):
        best[run.request.id] = max(best.get(run.request.id, 0), run.value_at(run.first))
    steps = problem.fairness.steps
    most = max((percent for percent, _ in steps), default=0)
    rewards = sum(reward(steps, target, most * target) for target in problem.fairness.targets.values())
    return sum(best.values()) + rewards


def openings(problem: Problem) -> list[list[Session]]:
    """Plans to begin with, where they keep the rules: the current plan as it stands, and its frozen part alone."""
    places = {row.request: (row.instrument, row.start) for row in problem.current}
    current = [
        Session(request=run.request.id, instrument=run.instrument, start=run.first, end=run.first + run.slots)
        for run in runs_of(problem)
        if run.request.id in places
        and places[run.request.id][0] == run.instrument
        and run.is_at(places[run.request.id][1])
    ]
    frozen = [session for session in current if session.start < problem.frozen_until]
    return [sessions for sessions in (current, frozen) if not faults_of_sessions(problem, sessions)]


def columns(problem: Problem) -> int:
    """The starts of all runs: what a time-indexed program would have columns for."""
    return sum(run.last - run.first + 1 for run in runs_of(problem))


def _share(left: float, weight: float, least: float) -> float:
    return max(0.0, min(left, max(left * weight, least)))


def _at_once(problem: Problem, limits: Limits) -> Limits | None:
    """What CP-SAT may spend on the whole problem before anything else; None where it is too large for that."""
    runs = runs_of(problem)
    is_small = columns(problem) <= MOST_COLUMNS_AT_ONCE
    if not is_small and len(runs) > MOST_RUNS_AT_ONCE:
        return None
    if limits.seconds is None and limits.steps is None:
        return limits if is_small else replace(limits, steps=STEPS_AT_ONCE)
    return replace(
        limits,
        seconds=None if limits.seconds is None else limits.seconds * AT_ONCE,
        steps=None if limits.steps is None else int(limits.steps * AT_ONCE),
    )


class Effort:
    """Searches the parts one after the other; what is known of all of them is at hand at any time."""

    def __init__(self, problem: Problem, limits: Limits, on_progress: OnProgress, should_stop: ShouldStop) -> None:
        self._began = time.monotonic()
        self._limits = limits
        self._on_progress = on_progress
        self._should_stop = should_stop
        self._steps_used = 0
        self._reported: tuple[int, int] | None = None
        self.parts = [Part(part) for part in components(problem)]
        self._reserve = min(RESERVE, SECONDS_A_COLUMN * columns(problem) / (limits.seconds or 1.0))

    def run(self) -> None:
        """Raises `Impossible` or `NoPlanFound` where there is nothing to show."""
        self._report()
        for k, part in enumerate(self.parts):
            if not part.is_settled and not self._should_stop():
                self._search(part, self._share(k))
        if any(part.sessions is None for part in self.parts):
            raise NoPlanFound

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    @property
    def bound(self) -> int:
        return sum(part.bound for part in self.parts)

    @property
    def sessions(self) -> list[Session]:
        return [session for part in self.parts for session in part.sessions or ()]

    def _search(self, part: Part, limits: Limits) -> None:
        def on_better(sessions: Sequence[Session], bound: int) -> None:
            part.offer(sessions)
            part.bound = min(part.bound, bound)
            self._report()

        if at_once := _at_once(part.problem, limits):
            self._solve(part, at_once, on_better)
            limits = self._share(self.parts.index(part))
        if not part.is_settled and not self._should_stop():
            self._pursue(part, limits, on_better)
        if part.sessions is None:
            self._solve(part, self._share(self.parts.index(part)), on_better)

    def _pursue(self, part: Part, limits: Limits, on_better: OnBetter) -> None:
        """Prices, construction, improvement and neighbourhoods, from what is known."""
        pursuit = Pursuit(part.problem, limits, part.sessions, on_better, self._should_stop)
        pursuit.run()
        self._steps_used += pursuit.steps
        part.bound = min(part.bound, pursuit.bound)

    def _solve(self, part: Part, limits: Limits, on_better: OnBetter) -> None:
        """The part as one CP-SAT model. Raises `Impossible` where that is what comes out."""
        model = build(Model(part.problem))
        model.hint(part.sessions or ())
        found = search(model, limits, on_better, self._should_stop)
        self._steps_used += found.steps
        if found.status == "infeasible":
            raise Impossible(conflict(part.problem, limits.seed))
        if found.sessions is not None and found.bound is not None:
            on_better(found.sessions, found.bound)

    def _share(self, k: int) -> Limits:
        """A part's share of what is left, by number of requests; what it leaves over goes to those after it."""
        sizes = [1 + len(part.problem.requests) for part in self.parts[k:]]
        weight = sizes[0] / sum(sizes)
        seconds, steps = self._limits.seconds, self._limits.steps
        # Reasons and outcomes come after the search and are part of the time that was promised.
        seconds = None if seconds is None else seconds * (1 - self._reserve)
        return replace(
            self._limits,
            seconds=None if seconds is None else _share(seconds - self.seconds, weight, LEAST_SECONDS),
            steps=None if steps is None else int(_share(steps - self._steps_used, weight, LEAST_STEPS)),
        )

    def _report(self) -> None:
        """Tell what is known, once there is a whole plan, and again whenever it got better."""
        objective, bound = sum(part.objective for part in self.parts), self.bound
        if any(part.sessions is None for part in self.parts) or (objective, bound) == self._reported:
            return
        self._reported = (objective, bound)
        self._on_progress(
            Progress(
                objective=objective,
                bound=bound,
                gap=gap_between(objective, bound),
                seconds=round(self.seconds, 3),
                placed=len(self.sessions),
            )
        )
