"""Projects and their members in the database."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.domain.projects import Project
from labshare.store.tables import project_members, projects


def with_membership(db: Connection, project_id: UUID, person_id: UUID) -> tuple[Project | None, bool]:
    """A project, and whether this person is its PI or a member. (None, False) when there is no such project."""
    member = (
        sa.select(sa.literal(1))
        .where(project_members.c.project_id == projects.c.id, project_members.c.person_id == person_id)
        .exists()
    )
    query = sa.select(projects, sa.or_(projects.c.pi_id == person_id, member).label("is_member"))
    row: Any = db.execute(query.where(projects.c.id == project_id)).one_or_none()
    if row is None:
        return None, False
    return msgspec.convert(row, Project, from_attributes=True), bool(row.is_member)
