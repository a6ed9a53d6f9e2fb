"""The scheduler's answer: the frozen structs of `labshare-plan/1`, their file form, and nothing that decides."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from labshare.scheduler.problem import Id


class _Struct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Session(_Struct, frozen=True, kw_only=True):
    """A request placed: the slots `[start, end)` on an instrument."""

    request: Id
    instrument: Id
    start: int
    end: int


class Unplaced(_Struct, frozen=True, kw_only=True):
    """A request left out, and why: `reason` is the short form of `explain` (codes, ids and numbers, no sentences)."""

    request: Id
    reason: dict[str, Any] = {}


class Score(_Struct, frozen=True, kw_only=True):
    """`objective = value - sum(penalties) - changes + fairness`. One penalty for each soft rule, 0 where it holds."""

    objective: int = 0
    value: int = 0
    penalties: dict[Id, int] = {}
    fairness: int = 0
    changes: int = 0


class RuleOutcome(_Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a rule came out, in whole slots.

    `limit` is the rule's limit rounded to what can be broken: a cap's down, a floor's up. `slack` is what is left of
    a cap; for a floor it is `used` minus the smaller of limit and `demand`. A negative slack is the miss of either.
    `unavoidable` is the part of the miss that is proven to be in every plan.
    """

    id: Id
    limit: int
    used: int
    slack: int
    unavoidable: int
    demand: int | None = None


class Run(_Struct, frozen=True, kw_only=True):
    """How the plan was made. The same problem, seed, workers, step budget and versions give the same sessions."""

    seed: int
    workers: int = 1
    budget: str
    seconds: float
    versions: dict[str, str]


class Plan(_Struct, frozen=True, kw_only=True):
    """The sessions, those left out, and what is proven about them. `bound` is proven for the same objective."""

    format: Literal["labshare-plan/1"] = "labshare-plan/1"
    problem_sha256: str
    status: Literal["optimal", "feasible", "infeasible"]
    sessions: tuple[Session, ...] = ()
    unplaced: tuple[Unplaced, ...] = ()
    conflict: tuple[Id, ...] = ()
    score: Score
    bound: int
    gap: float
    rules: tuple[RuleOutcome, ...] = ()
    run: Run


def gap_between(objective: int, bound: int) -> float:
    """How far the plan may be from the best, as a share of the bound: `(bound - objective) / max(1, |bound|)`."""
    return (bound - objective) / max(1, abs(bound))


def encode_plan(plan: Plan) -> bytes:
    """The plan's file. The same plan always gives the same bytes."""
    return msgspec.json.format(msgspec.json.encode(plan), indent=1) + b"\n"
