"""Who of the staff runs an instrument for others, and for which booking."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    # Each is added in place: a batch would copy every booking, and drop the guard.
    op.add_column("qualifications", sa.Column("operates", sa.Boolean(), server_default=sa.false(), nullable=False))
    if op.get_bind().dialect.name == "sqlite":
        op.execute("ALTER TABLE bookings ADD COLUMN operator_id CHAR(32) REFERENCES persons (id)")
    else:
        reference = sa.ForeignKey("persons.id", name=op.f("fk_bookings_operator_id_persons"))
        op.add_column("bookings", sa.Column("operator_id", sa.Uuid(), reference, nullable=True))
    operated = sa.text("operator_id IS NOT NULL")
    op.create_index(
        "ix_bookings_operator_starts",
        "bookings",
        ["operator_id", "starts_at"],
        sqlite_where=operated,
        postgresql_where=operated,
    )
