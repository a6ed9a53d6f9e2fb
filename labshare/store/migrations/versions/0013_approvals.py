"""Bookings that wait for their centre: whose they are at each instrument, and what the centre said of one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    # Each is added in place: a batch would copy every booking, and drop the guard.
    op.add_column("instruments", sa.Column("approval", sa.Text(), server_default="none", nullable=False))
    op.add_column("instruments", sa.Column("approval_hours", sa.Integer(), server_default="72", nullable=False))
    op.add_column("bookings", sa.Column("decision_note", sa.Text(), server_default="", nullable=False))
