"""Clearances of projects in the database. What must not live here: when one is lacking (domain/clearances.py)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from labshare.domain.clearances import Clearance, ClearanceLine
from labshare.store.tables import clearances, organisation_checks, organisations, projects

HOME = "VN"
_ENTRIES = msgspec.json.Decoder(tuple[str, ...])


def of_projects(db: Connection, project_ids: Collection[UUID]) -> dict[tuple[UUID, str], Clearance]:
    """What stands on record of these projects, by project and agreement."""
    rows = db.execute(sa.select(clearances).where(clearances.c.project_id.in_(sorted(project_ids))))
    found = (_clearance(row) for row in rows)
    return {(each.project_id, each.agreement_id): each for each in found}


def add(db: Connection, new: Clearance) -> bool:
    """Keep a new one; False when there is one already, even one that somebody writes at this moment."""
    insert = postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert
    query = insert(clearances).values(_columns(new)).on_conflict_do_nothing()
    return db.execute(query.returning(clearances.c.project_id)).one_or_none() is not None


def save(db: Connection, changed: Clearance, *, seen_version: int) -> bool:
    """Write it over the version that was seen; False when that version no longer stands."""
    standing = sa.and_(_is(changed.project_id, changed.agreement_id), clearances.c.version == seen_version)
    return db.execute(clearances.update().where(standing).values(_columns(changed))).rowcount == 1


def line(db: Connection, project_id: UUID, agreement_id: str) -> ClearanceLine | None:
    found = _lines(db, _is(project_id, agreement_id))
    return found[0] if found else None


def lines(db: Connection) -> list[ClearanceLine]:
    """All of them, by the day on which a decision is or was due."""
    return _lines(db, sa.true())


def foreign(db: Connection, organisation_ids: Iterable[str]) -> frozenset[str]:
    """Those of these organisations that have stated another country than ours."""
    query = sa.select(organisation_checks.c.organisation_id).where(
        organisation_checks.c.organisation_id.in_(sorted(set(organisation_ids))),
        organisation_checks.c.country.not_in(("", HOME)),
    )
    return frozenset(db.execute(query).scalars())


def _is(project_id: UUID, agreement_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(clearances.c.project_id == project_id, clearances.c.agreement_id == agreement_id)


def _lines(db: Connection, where: sa.ColumnElement[bool]) -> list[ClearanceLine]:
    query = (
        sa.select(
            clearances,
            projects.c.code.label("project"),
            projects.c.title,
            organisations.c.name_vi,
            organisations.c.name_en,
        )
        .join(projects, projects.c.id == clearances.c.project_id)
        .join(organisations, organisations.c.id == projects.c.organisation_id)
        .where(where)
        .order_by(clearances.c.due_at, projects.c.code, clearances.c.agreement_id)
    )
    rows: Any = db.execute(query)
    return [
        ClearanceLine(
            clearance=_clearance(row), project=row.project, title=row.title, name_vi=row.name_vi, name_en=row.name_en
        )
        for row in rows
    ]


def _clearance(row: Any) -> Clearance:
    values: dict[str, Any] = {name: getattr(row, name) for name in Clearance.__struct_fields__}
    return msgspec.convert(values | {name: _ENTRIES.decode(values[name]) for name in ("lists", "found")}, Clearance)


def _columns(clearance: Clearance) -> dict[str, Any]:
    values: dict[str, Any] = msgspec.structs.asdict(clearance)
    return values | {name: msgspec.json.encode(values[name]).decode() for name in ("lists", "found")}
