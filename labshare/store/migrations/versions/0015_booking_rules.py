"""Rules of booking that centres post by themselves, and why a manager passed them for a booking."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from labshare.store.types import UTCDateTime

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_table(
        "booking_rules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("scope_kind", sa.Text(), nullable=False),
        sa.Column("scope_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("params", sa.Text(), nullable=False),
        sa.Column("since", UTCDateTime(), nullable=False),
        sa.Column("posted_by_id", sa.Uuid(), nullable=True),
        sa.Column("until", UTCDateTime(), nullable=True),
        sa.Column("ended_by_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("scope_kind IN ('instrument', 'centre', 'group')", name=op.f("ck_booking_rules_scope_kind")),
        sa.CheckConstraint("until IS NULL OR until >= since", name=op.f("ck_booking_rules_times")),
        sa.ForeignKeyConstraint(["posted_by_id"], ["persons.id"], name=op.f("fk_booking_rules_posted_by_id_persons")),
        sa.ForeignKeyConstraint(["ended_by_id"], ["persons.id"], name=op.f("fk_booking_rules_ended_by_id_persons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_booking_rules")),
    )
    op.create_index("ix_booking_rules_scope", "booking_rules", ["scope_kind", "scope_id"])
    # SQLite adds such a column in place; a batch would copy every booking, and drop the guard.
    op.add_column("bookings", sa.Column("override_reason", sa.Text(), nullable=False, server_default=""))
    op.create_index("ix_bookings_project_ends", "bookings", ["project_id", "ends_at"])
    op.create_index("ix_bookings_organisation_ends", "bookings", ["organisation_id", "ends_at"])
