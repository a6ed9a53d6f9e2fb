"""Plans, their leases and approvals in the database.

A plan that waits or runs is a row, so a restart loses none: whoever finds one queued, or running with its lease over,
takes it with the next attempt, and only the attempt that holds the lease may write (ARCHITECTURE.md, decisions 7, 8).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.engine import Connection

from labshare.domain.rounds import Approval, PlanRow, PlanState
from labshare.errors import NotFound
from labshare.store.tables import approvals, plans
from labshare.store.types import UTCDateTime

_ROW = [plans.c[name] for name in PlanRow.__struct_fields__]
_S = PlanState


def add(db: Connection, new: PlanRow) -> None:
    db.execute(sa.insert(plans).values(msgspec.structs.asdict(new)))


def get(db: Connection, plan_id: UUID) -> PlanRow:
    """Raises `NotFound`."""
    row = db.execute(sa.select(*_ROW).where(plans.c.id == plan_id)).one_or_none()
    if row is None:
        raise NotFound("plan_not_found")
    return msgspec.convert(row, PlanRow, from_attributes=True)


def of_round(db: Connection, round_id: UUID) -> list[PlanRow]:
    """The plans of a round, the newest first."""
    query = sa.select(*_ROW).where(plans.c.round_id == round_id).order_by(plans.c.queued_at.desc(), plans.c.id)
    return [msgspec.convert(row, PlanRow, from_attributes=True) for row in db.execute(query)]


def documents(db: Connection, plan_id: UUID) -> tuple[bytes, bytes]:
    """The problem and the plan as files; empty while there is none. Raises `NotFound`."""
    row = db.execute(sa.select(plans.c.problem, plans.c.plan).where(plans.c.id == plan_id)).one_or_none()
    if row is None:
        raise NotFound("plan_not_found")
    return row.problem.encode(), row.plan.encode()


# ---------------------------------------------------------------- running


def take(db: Connection, now: datetime, lease: timedelta, *, plan_id: UUID | None = None) -> PlanRow | None:
    """Take the plan that has waited longest, or only `plan_id`, as its next attempt; None when none is to be taken."""
    query = sa.select(plans.c.id).where(_waits(now)).order_by(plans.c.queued_at, plans.c.id).limit(1)
    if plan_id is not None:
        query = query.where(plans.c.id == plan_id)
    found = db.execute(query.with_for_update(skip_locked=True)).scalar_one_or_none()
    if found is None:
        return None
    taken = (
        sa.update(plans)
        .where(plans.c.id == found)
        .values(
            state=_S.RUNNING,
            attempt=plans.c.attempt + 1,
            lease_until=now + lease,
            started_at=now,
            progress="",
            version=plans.c.version + 1,
        )
        .returning(*_ROW)
    )
    return msgspec.convert(db.execute(taken).one(), PlanRow, from_attributes=True)


def is_waiting(db: Connection, now: datetime) -> bool:
    """Whether there is a plan to take."""
    return db.execute(sa.select(plans.c.id).where(_waits(now)).limit(1)).one_or_none() is not None


def _waits(now: datetime) -> ColumnElement[bool]:
    return sa.or_(plans.c.state == _S.QUEUED, sa.and_(plans.c.state == _S.RUNNING, plans.c.lease_until <= now))


def write(db: Connection, plan_id: UUID, attempt: int, **values: Any) -> bool:
    """Write columns of a running plan; False, and nothing written, when this attempt no longer holds it."""
    held = sa.and_(plans.c.id == plan_id, plans.c.attempt == attempt, plans.c.state == _S.RUNNING)
    values["version"] = plans.c.version + 1
    return db.execute(sa.update(plans).where(held).values(**values)).rowcount == 1


def settle(db: Connection, plan_ids: Iterable[UUID], state: PlanState, now: datetime) -> None:
    """Give plans another state for good: replaced, cancelled or published."""
    ended = sa.func.coalesce(plans.c.finished_at, sa.literal(now, UTCDateTime()))
    db.execute(
        sa.update(plans)
        .where(plans.c.id.in_(list(plan_ids)))
        .values(state=state, finished_at=ended, version=plans.c.version + 1)
    )


def ask_to_cancel(db: Connection, plan_id: UUID, now: datetime) -> None:
    """Ask the runner to end this plan with the best it has."""
    asked = sa.and_(plans.c.id == plan_id, plans.c.cancel_requested_at.is_(None))
    db.execute(sa.update(plans).where(asked).values(cancel_requested_at=now, version=plans.c.version + 1))


# ---------------------------------------------------------------- approvals


def approve(db: Connection, new: Approval) -> None:
    """Write a centre's approval; a second one by the same centre replaces the first."""
    same = sa.and_(approvals.c.plan_id == new.plan_id, approvals.c.centre_id == new.centre_id)
    db.execute(sa.delete(approvals).where(same))
    db.execute(sa.insert(approvals).values(msgspec.structs.asdict(new)))


def approvals_of(db: Connection, plan_id: UUID) -> list[Approval]:
    query = sa.select(approvals).where(approvals.c.plan_id == plan_id).order_by(approvals.c.centre_id)
    return [msgspec.convert(row, Approval, from_attributes=True) for row in db.execute(query)]
