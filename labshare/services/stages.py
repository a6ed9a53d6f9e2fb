"""Strict precedence (R13): a plan is made stage by stage, and what the earlier stages got stands while others wait.

The problem of a stage has its requests and those of all before it; the sessions that these have are the current ones,
all of them frozen, in the words of the solver's contract. So the last problem is the whole one, with every rule and
penalty over the sessions of all stages, and its plan is kept and judged like any other. Pure.

What is proven of such a plan: that none with the same sessions of the earlier stages is worth more than the last
stage's bound. What each earlier stage may have missed, its bound - its objective, is added to it. So `optimal` says
that each stage was solved to its end. It does not say that no plan is worth more in sum: one that takes from a higher
tier may be, and one whose earlier stages are as good but lie elsewhere. What must not live here: who is in which stage
(worth.py), or processes (labshare/solving.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import msgspec

from labshare.scheduler.plan import Plan, Session, encode_plan, gap_between
from labshare.scheduler.problem import CurrentSession, Problem, encode
from labshare.scheduler.reading import parse_plan
from labshare.services.worth import stage_in

# However few ask in it, a stage may take this part of the time that is left; the rest could not mend it.
LEAST_SHARE = Fraction(1, 5)
# Only the problem of a later stage has this key. A large file is not read in full to learn that it is none.
_FROZEN = b'"frozen_until"'


def part_of(problem: Problem, stage: int, sessions: Sequence[Session]) -> Problem:
    """The problem of this stage, around the sessions of the stages before it."""
    requests = tuple(each for each in problem.requests if stage_in(each.tags) <= stage)
    names, parties = {each.id for each in requests}, {each.organisation for each in requests}
    targets = {name: slots for name, slots in problem.fairness.targets.items() if name in parties}
    return msgspec.structs.replace(
        problem,
        requests=requests,
        groups=tuple(group for group in problem.groups if names.issuperset(group.requests)),
        fairness=msgspec.structs.replace(problem.fairness, targets=targets),
        current=tuple(CurrentSession(request=e.request, instrument=e.instrument, start=e.start) for e in sessions),
        frozen_until=problem.horizon if stage else 0,
    )


class Stages:
    """A problem's file on its way through its stages, of which most have one. `data` is the problem to solve now."""

    def __init__(self, data: bytes) -> None:
        self._whole = msgspec.json.decode(data, type=Problem)
        self._sizes = [0]
        for request in self._whole.requests:
            stage = stage_in(request.tags)
            self._sizes += [0] * (stage + 1 - len(self._sizes))
            self._sizes[stage] += 1
        self._plans: list[Plan] = []
        self.data = data if self.is_last else encode(part_of(self._whole, 0, ()))

    @property
    def number(self) -> int:
        """The stage that is to be solved now, 0 for the first."""
        return len(self._plans)

    @property
    def count(self) -> int:
        return len(self._sizes)

    @property
    def is_last(self) -> bool:
        return self.number == self.count - 1

    @property
    def standing(self) -> int:
        """How many sessions the stages before this one have."""
        return len(self._plans[-1].sessions) if self._plans else 0

    @property
    def share(self) -> Fraction:
        """The part of the time that is left which this stage may take."""
        own, left = self._sizes[self.number], sum(self._sizes[self.number :])
        return Fraction(1) if self.is_last else max(LEAST_SHARE, Fraction(own, left))

    def go_on(self, document: bytes) -> None:
        """Take a stage's plan for good, and turn to the next stage."""
        plan = parse_plan(document)
        self._plans.append(plan)
        self.data = encode(part_of(self._whole, self.number, plan.sessions))

    def concluded(self, document: bytes, budget_seconds: float) -> bytes:
        """The last stage's plan as that of all: with what earlier stages may have missed, and the time they took."""
        if not self._plans:
            return document
        plan = parse_plan(document)
        bound = plan.bound + sum(each.bound - each.score.objective for each in self._plans)
        seconds = sum(each.run.seconds for each in (*self._plans, plan))
        budget = f"{budget_seconds:g} seconds in {self.count} stages"
        return encode_plan(
            msgspec.structs.replace(
                plan,
                status="optimal" if bound == plan.score.objective else "feasible",
                bound=bound,
                gap=gap_between(plan.score.objective, bound),
                run=msgspec.structs.replace(plan.run, budget=budget, seconds=round(seconds, 3)),
            )
        )

    def progress(self, line: str, seconds: float) -> str:
        """A progress line of this stage's search, which began after so many seconds, as one of the whole run."""
        if self.count == 1 or not line:
            return line
        told = msgspec.json.decode(line, type=dict[str, int | float])
        told |= {"seconds": told["seconds"] + seconds, "stage": self.number + 1, "stages": self.count}
        return msgspec.json.encode(told).decode()


# ---------------------------------------------------------------- which of two plans is the better


def asks_alike(one: bytes, other: bytes) -> bool:
    """Whether two problems are the same but for what earlier stages got."""
    if one == other:
        return True
    if _FROZEN not in one or _FROZEN not in other:
        return False
    first, second = (msgspec.json.decode(data, type=Problem) for data in (one, other))
    return first == msgspec.structs.replace(second, current=first.current)


def rank(problem: bytes, plan: Plan) -> tuple[int, ...]:
    """What two plans of the same requests are compared by: the value of each stage but the last, then the objective."""
    if _FROZEN not in problem:
        return (plan.score.objective,)
    asked = msgspec.json.decode(problem, type=Problem)
    stages = {each.id: stage_in(each.tags) for each in asked.requests}
    values = [0] * max(stages.values(), default=0)
    worth = {(each.id, option.instrument): option.value for each in asked.requests for option in each.options}
    for session in plan.sessions:
        if stages[session.request] < len(values):
            values[stages[session.request]] += worth[session.request, session.instrument]
    return (*values, plan.score.objective)
