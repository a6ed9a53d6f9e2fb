"""The rules of booking that centres posted: their rows.

What must not live here: what a rule means (domain/booking_rules.py), or how much of a limit is taken (limits.py).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlalchemy.engine import Connection

from labshare.domain.booking_rules import Posted, Scope, ScopeKind, kind_of, params_of, read
from labshare.errors import NotFound
from labshare.store.facts import renew_stamp
from labshare.store.tables import booking_rules, capabilities, centres, instruments

_STANDING = booking_rules.c.until.is_(None)
_ORDER = (booking_rules.c.scope_kind, booking_rules.c.scope_id, booking_rules.c.kind, booking_rules.c.since)


def standing(db: Connection) -> tuple[Posted, ...]:
    """Every rule that stands, of all centres."""
    return _posted(db, _STANDING)


def ever_posted(db: Connection, kind: str) -> tuple[Posted, ...]:
    """Every rule of a kind, whether it stands or has ended, of all centres."""
    return _posted(db, booking_rules.c.kind == kind)


def of_scopes(db: Connection, scopes: Collection[Scope], *, ended: bool = False) -> tuple[Posted, ...]:
    """The rules of these scopes that stand or, when asked for, those that have ended."""
    among = sa.tuple_(booking_rules.c.scope_kind, booking_rules.c.scope_id).in_(
        [(scope.kind.value, scope.id) for scope in scopes]
    )
    return _posted(db, among, ~_STANDING if ended else _STANDING)


def exists(db: Connection, scope: Scope) -> bool:
    """Whether there is such an instrument, centre or capability."""
    column = {
        ScopeKind.INSTRUMENT: instruments.c.id,
        ScopeKind.CENTRE: centres.c.id,
        ScopeKind.GROUP: capabilities.c.id,
    }[scope.kind]
    return db.execute(sa.select(column).where(column == scope.id)).one_or_none() is not None


def get(db: Connection, rule_id: UUID, *, lock: bool = False) -> Posted:
    """One rule, whether it stands or has ended. Raises `NotFound`."""
    query = sa.select(booking_rules).where(booking_rules.c.id == rule_id)
    row = db.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFound("booking_rule_not_found")
    return _of(row)


def add(db: Connection, posted: Posted) -> None:
    """Post a rule. To be called when no booking is being written (`agreements.hold_still`)."""
    db.execute(
        sa.insert(booking_rules).values(
            id=posted.id,
            scope_kind=posted.scope.kind.value,
            scope_id=posted.scope.id,
            kind=kind_of(posted.rule),
            params=msgspec.json.encode(params_of(posted.rule)).decode(),
            since=posted.since,
            posted_by_id=posted.posted_by_id,
        )
    )
    renew_stamp(db)


def end(db: Connection, rule_id: UUID, *, ended_by_id: UUID, now: datetime) -> None:
    """End a rule. To be called as `add`."""
    db.execute(sa.update(booking_rules).where(booking_rules.c.id == rule_id).values(until=now, ended_by_id=ended_by_id))
    renew_stamp(db)


def _posted(db: Connection, *conditions: ColumnElement[bool]) -> tuple[Posted, ...]:
    query = sa.select(booking_rules).where(*conditions).order_by(*_ORDER, booking_rules.c.id)
    return tuple(_of(row) for row in db.execute(query))


def _of(row: Any) -> Posted:
    return Posted(
        id=row.id,
        scope=Scope(ScopeKind(row.scope_kind), row.scope_id),
        rule=read(row.kind, msgspec.json.decode(row.params)),
        since=row.since,
        posted_by_id=row.posted_by_id,
        until=row.until,
        ended_by_id=row.ended_by_id,
    )
