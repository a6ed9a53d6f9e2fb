"""Notices: letters about what people wait for. The size of an organisation. Reminders of verifications that end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

from labshare.store.types import UTCDateTime

revision = "0007"
down_revision = "0006"

# As domain/projects.py says it; a migration must go on meaning what it meant.
_REVIEW_AHEAD = timedelta(days=30)


def upgrade() -> None:
    _notices()
    # Nothing is proved of who is here already, and so they have no privilege of small ones.
    op.add_column("organisations", sa.Column("size", sa.Text(), server_default="none", nullable=False))
    _reminders()


def _notices() -> None:
    op.create_table(
        "notices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name_vi", sa.Text(), server_default="", nullable=False),
        sa.Column("name_en", sa.Text(), server_default="", nullable=False),
        sa.Column("page", sa.Text(), server_default="", nullable=False),
        sa.Column("until", UTCDateTime(), nullable=True),
        sa.Column("send_at", UTCDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_notices_person_id_persons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notices")),
    )
    op.create_index(op.f("ix_notices_person_id"), "notices", ["person_id"], unique=False)
    op.create_index(op.f("ix_notices_send_at"), "notices", ["send_at"], unique=False)


def _reminders() -> None:
    """Projects verified before this version are reminded of their end like those that are verified from now on."""
    projects = sa.table(
        "projects", sa.column("id", sa.Uuid()), sa.column("state", sa.Text()), sa.column("expires_at", UTCDateTime())
    )
    due = sa.table(
        "due", sa.column("kind", sa.Text()), sa.column("noun_id", sa.Text()), sa.column("due_at", UTCDateTime())
    )
    db, now = op.get_bind(), datetime.now(UTC)
    query = sa.select(projects.c.id, projects.c.expires_at).where(projects.c.state == "verified")
    for row in db.execute(query.where(projects.c.expires_at > now)).all():
        for kind, due_at in (("project_review", row.expires_at - _REVIEW_AHEAD), ("project_expired", row.expires_at)):
            if due_at > now:
                db.execute(due.insert().values(kind=kind, noun_id=str(row.id), due_at=due_at))
