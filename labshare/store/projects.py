"""Projects and their members in the database."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from labshare.domain.projects import Member, Project, ProjectLine, ProjectName, ProjectState
from labshare.store.people import IS_HERE
from labshare.store.tables import organisations, persons, project_members, projects


def with_membership(db: Connection, project_id: UUID, person_id: UUID) -> tuple[Project | None, bool]:
    """A project, and whether this person belongs to it: as PI or member, and not gone. (None, False): no project."""
    row: Any = db.execute(_WITH_MEMBERSHIP, {"project_id": project_id, "person_id": person_id}).one_or_none()
    if row is None:
        return None, False
    return msgspec.convert(row, Project, from_attributes=True), bool(row.is_member)


def by_code(db: Connection, code: str) -> Project | None:
    row: Any = db.execute(sa.select(projects).where(projects.c.code == code)).one_or_none()
    return None if row is None else msgspec.convert(row, Project, from_attributes=True)


def by_ids(db: Connection, project_ids: Collection[UUID]) -> dict[UUID, Project]:
    rows = db.execute(sa.select(projects).where(projects.c.id.in_(sorted(project_ids))))
    return {row.id: msgspec.convert(row, Project, from_attributes=True) for row in rows}


def names_of(db: Connection, project_ids: Collection[UUID | None]) -> dict[UUID | None, ProjectName]:
    """Code and funding line of these projects."""
    query = sa.select(projects.c.id, projects.c.code, projects.c.funding_line).where(projects.c.id.in_(project_ids))
    return {row.id: ProjectName(code=row.code, programme=row.funding_line) for row in db.execute(query)}


def lines_of(db: Connection, person_id: UUID) -> list[ProjectLine]:
    """The projects of which this person is PI or member, by code."""
    return lines_where(db, belongs(person_id))


def lines_led(db: Connection, person_id: UUID) -> list[ProjectLine]:
    """The verified projects of which this person is PI, by code."""
    return lines_where(db, projects.c.pi_id == person_id, projects.c.state == ProjectState.VERIFIED)


def id_of(db: Connection, named: str, person_id: UUID) -> UUID | None:
    """The project with this code or id, if this person belongs to it."""
    try:
        is_it = projects.c.id == UUID(named)
    except ValueError:
        is_it = projects.c.code == named
    return db.execute(sa.select(projects.c.id).where(is_it, belongs(person_id))).scalar_one_or_none()


def lines_after(db: Connection, person_id: UUID, *, after: str, limit: int) -> list[ProjectLine]:
    """The next ones of them, from behind the code `after`."""
    return lines_where(db, belongs(person_id), projects.c.code > after, limit=limit)


def lines_in(db: Connection, state: ProjectState) -> list[ProjectLine]:
    """All projects in this state, by code."""
    return lines_where(db, projects.c.state == state)


def ending(db: Connection, first: datetime, last: datetime) -> list[ProjectLine]:
    """Verified projects that expire within these instants, both included, by code."""
    return lines_where(db, projects.c.state == ProjectState.VERIFIED, projects.c.expires_at.between(first, last))


def line(db: Connection, project_id: UUID) -> ProjectLine | None:
    found = lines_where(db, projects.c.id == project_id)
    return found[0] if found else None


def all_lines(db: Connection) -> list[ProjectLine]:
    return lines_where(db, sa.true())


def lines_where(db: Connection, *where: sa.ColumnElement[bool], limit: int | None = None) -> list[ProjectLine]:
    """Projects of which all this is true, by code."""
    query = (
        sa.select(
            projects,
            organisations.c.name_vi.label("organisation_vi"),
            organisations.c.name_en.label("organisation_en"),
            persons.c.name.label("pi_name"),
        )
        .join(organisations, organisations.c.id == projects.c.organisation_id)
        .join(persons, persons.c.id == projects.c.pi_id)
        .where(*where)
        .order_by(projects.c.code)
        .limit(limit)
    )
    rows: Sequence[Any] = db.execute(query).all()
    members = _members(db, [row.id for row in rows])
    return [
        ProjectLine(
            project=msgspec.convert(row, Project, from_attributes=True),
            organisation_vi=row.organisation_vi,
            organisation_en=row.organisation_en,
            pi_name=row.pi_name,
            members=tuple(members.get(row.id, ())),
        )
        for row in rows
    ]


def add(db: Connection, project: Project) -> bool:
    """Add a project; False when its code is taken, even by somebody who writes it at this moment."""
    insert = postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert
    query = insert(projects).values(msgspec.structs.asdict(project)).on_conflict_do_nothing(index_elements=["code"])
    return db.execute(query.returning(projects.c.id)).one_or_none() is not None


def save(db: Connection, project: Project, *, seen_version: int) -> bool:
    """Write the project over the version that was seen; False when that version no longer stands."""
    query = projects.update().where(projects.c.id == project.id, projects.c.version == seen_version)
    return db.execute(query.values(msgspec.structs.asdict(project))).rowcount == 1


def add_member(db: Connection, project_id: UUID, person_id: UUID) -> bool:
    """Add a member; False for one who is a member already, even by somebody who writes it at this moment."""
    insert = postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert
    query = insert(project_members).values(project_id=project_id, person_id=person_id).on_conflict_do_nothing()
    return db.execute(query.returning(project_members.c.person_id)).one_or_none() is not None


def remove_member(db: Connection, project_id: UUID, person_id: UUID) -> bool:
    query = project_members.delete().where(
        project_members.c.project_id == project_id, project_members.c.person_id == person_id
    )
    return db.execute(query).rowcount == 1


def member_ids(db: Connection, project_id: UUID) -> frozenset[UUID]:
    query = sa.select(project_members.c.person_id).where(project_members.c.project_id == project_id)
    return frozenset(db.execute(query).scalars())


def belongs(person_id: UUID | sa.BindParameter[UUID]) -> sa.ColumnElement[bool]:
    member = (
        sa.select(sa.literal(1))
        .where(project_members.c.project_id == projects.c.id, project_members.c.person_id == person_id)
        .exists()
    )
    return sa.or_(projects.c.pi_id == person_id, member)


def is_here(person_id: sa.BindParameter[UUID]) -> sa.ColumnElement[bool]:
    """An investigator who has left stays named on the project, and spends none of its time."""
    return sa.select(sa.literal(1)).where(persons.c.id == person_id, IS_HERE).exists()


_PERSON_ID = sa.bindparam("person_id", type_=sa.Uuid())
# Built once: every booking asks it.
_WITH_MEMBERSHIP = sa.select(projects, sa.and_(belongs(_PERSON_ID), is_here(_PERSON_ID)).label("is_member")).where(
    projects.c.id == sa.bindparam("project_id")
)


def _members(db: Connection, project_ids: list[UUID]) -> dict[UUID, list[Member]]:
    query = (
        sa.select(project_members.c.project_id, persons.c.id, persons.c.login, persons.c.name)
        .join(persons, persons.c.id == project_members.c.person_id)
        .where(project_members.c.project_id.in_(project_ids))
        .order_by(persons.c.login)
    )
    found: dict[UUID, list[Member]] = {}
    for row in db.execute(query) if project_ids else ():
        found.setdefault(row.project_id, []).append(Member(person_id=row.id, login=row.login, name=row.name))
    return found
