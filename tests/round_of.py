"""A small round on the furnished house: the XRD and the NMR, offered in the week after `NOW`, for tests of all columns.

Monday 30 November 2026 is its first day; times are those of Hanoi.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.engine import Connection

from labshare.domain.rounds import PlanRow, Round
from labshare.domain.time_requests import TimeRequest
from labshare.domain.timespan import Span
from labshare.scheduler.plan import encode_plan
from labshare.scheduler.problem import sha256
from labshare.scheduler.reading import parse
from labshare.scheduler.solve import solve
from labshare.services import plans, rounds, time_requests
from labshare.services.rounds import NewRound
from labshare.services.time_requests import RequestWish
from labshare.store import plans as plans_store
from labshare.store import time_requests as requests_store
from tests.furniture import MANAGER, NOW, OFFICE, PUBLIC_PROJECT, RESEARCHER, actor

LATER = NOW + timedelta(days=3)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A day of the round's week, 0 for Monday 30 November, at an hour in Hanoi (UTC+7)."""
    return datetime(2026, 11, 30, hour, minute, tzinfo=UTC) + timedelta(days=day, hours=-7)


def span(day: int, start: int, end: int) -> Span:
    return Span(at(day, start), at(day, end))


def new_round(*offers: tuple[str, Span], **changes: Any) -> NewRound:
    """Opens now, closes in two days, is published within five, and divides the week from Monday to Friday."""
    values: dict[str, Any] = {
        "code": "2026-W49",
        "title_vi": "Đợt tuần 49",
        "title_en": "Week 49",
        "opens_at": NOW,
        "closes_at": NOW + timedelta(days=2),
        "publishes_at": NOW + timedelta(days=5),
        "starts_at": at(0, 0),
        "ends_at": at(5, 0),
        "slot_minutes": 30,
        "offers": offers or (("N002", span(0, 8, 12)),),
    }
    return NewRound(**(values | changes))


def open_round(db: Connection, *offers: tuple[str, Span], by: UUID = OFFICE, **changes: Any) -> Round:
    made = rounds.create(db, actor(by), new_round(*offers, **changes), NOW)
    return rounds.open_round(db, actor(by), made.id, seen_version=made.version, now=NOW)


def wish(**changes: Any) -> RequestWish:
    """One session of two hours on the XRD, at any time of the round."""
    values: dict[str, Any] = {
        "project_id": PUBLIC_PROJECT,
        "purpose": "thin films",
        "sessions": 1,
        "session_minutes": 120,
        "min_sessions": 1,
        "instrument_ids": ("N002",),
    }
    return RequestWish(**(values | changes))


def ask(db: Connection, r: Round, person_id: UUID = RESEARCHER, **changes: Any) -> TimeRequest:
    """A request, a minute after the one before it, as their order numbers them."""
    before = len(requests_store.of_round(db, r.id))
    return time_requests.apply(db, actor(person_id), r.id, wish(**changes), NOW + timedelta(minutes=before))


def close(db: Connection, r: Round) -> Round:
    return rounds.close(db, actor(OFFICE), r.id, seen_version=r.version, now=LATER)


def queue(db: Connection, r: Round) -> PlanRow:
    return rounds.queue_plan(db, actor(OFFICE), r.id, seconds=5, now=LATER)


def propose(db: Connection, r: Round, *, seed: int = 1) -> PlanRow:
    """Close the round if need be, and have the solver's plan proposed, without a process of its own.

    Another seed stands in the plan's record, so that its hash is another one even where the sessions are the same.
    """
    plan = queue(db, r)
    taken = plans.take(db, LATER, plan_id=plan.id)
    assert taken is not None
    problem = plans.build(db, taken, LATER)
    plans.keep_problem(db, taken, problem)
    document = encode_plan(solve(parse(problem), seconds=5, seed=seed, problem_sha256=sha256(problem)))
    assert plans.judge(problem, document) == ()
    assert plans.propose(db, taken, document, LATER)
    return plans_store.get(db, plan.id)


def approve(db: Connection, plan: PlanRow, centre_id: str = "C-ONE", by: UUID = MANAGER) -> Round:
    return rounds.approve(db, actor(by), plan.id, centre_id, plan_sha256=plan.plan_sha256, now=LATER)
