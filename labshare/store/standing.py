"""How a person stands to what they want to book: to the project that pays, and to what the instrument demands.

What must not live here: what is made of it (services/contexts.py).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from labshare.domain.projects import Project
from labshare.domain.qualifications import Held
from labshare.store import facts, qualifications
from labshare.store.prepared import Prepared
from labshare.store.projects import belongs, is_here
from labshare.store.tables import instruments, persons, projects


class Standing(NamedTuple):
    """How a person stands to a project, the stamp of the rules that they are judged by, and what they hold for an
    instrument.
    """

    project: Project | None
    is_member: bool
    stamp: str | None
    held: Held


def standing_of(
    db: Connection, project_id: UUID, person_id: UUID, number: int, *, before: datetime, but: UUID | None
) -> Standing:
    """What `projects.with_membership` says, the stamp, and what `qualifications.held` says of this person. One query,
    to be asked under the locks of a booking: the end of an affiliation, a revocation and a signing wait for them.
    """
    asked = {"project_id": project_id, "person_id": person_id, "number": number}
    row: Any = _STANDING.rows(db, asked | qualifications.uses(before=before, but=but)).one()
    return Standing(
        None if row.id is None else msgspec.convert(row, Project, from_attributes=True),
        bool(row.is_member),
        row.stamp,
        qualifications.held_from(row._asdict()),
    )


# ---------------------------------------------------------------- the statement

_PERSON_ID = sa.bindparam("person_id", type_=sa.Uuid())
# One row, whether there is such a project or not.
_STANDING = Prepared(
    sa.select(
        projects,
        sa.and_(belongs(_PERSON_ID), is_here(_PERSON_ID)).label("is_member"),
        facts.STAMP_VALUE.scalar_subquery().label("stamp"),
        *qualifications.held_columns(
            persons.c.id, instruments.c.number, instruments.c.lapse_months + instruments.c.first_use_days > 0
        ),
    )
    .select_from(
        qualifications.holding(
            persons.outerjoin(projects, projects.c.id == sa.bindparam("project_id")).join(
                instruments, instruments.c.number == sa.bindparam("number")
            ),
            instruments.c.number,
            instruments.c.centre_id,
        )
    )
    .where(persons.c.id == _PERSON_ID)
)
