"""Whose time it was that came free: they are not offered what they gave back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("ALTER TABLE freed_times ADD COLUMN freed_by_id CHAR(32) REFERENCES persons (id)")
        return
    reference = sa.ForeignKey("persons.id", name=op.f("fk_freed_times_freed_by_id_persons"))
    op.add_column("freed_times", sa.Column("freed_by_id", sa.Uuid(), reference, nullable=True))
