"""Who runs the instrument for a booking, the set-up it wants, and which bookings are holds of an open form."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    # Each is added in place: a batch would copy every booking, and drop the guard.
    op.add_column("instruments", sa.Column("modes", sa.Text(), server_default="self", nullable=False))
    op.add_column("instruments", sa.Column("setups", sa.Text(), server_default="", nullable=False))
    op.add_column("bookings", sa.Column("mode", sa.Text(), server_default="self", nullable=False))
    op.add_column("bookings", sa.Column("setup", sa.Text(), server_default="", nullable=False))
    op.add_column("bookings", sa.Column("form_hold", sa.Integer(), server_default="0", nullable=False))
    for_others = sa.text("booked_by_id <> person_id")
    op.create_index(
        "ix_bookings_for_others",
        "bookings",
        ["booked_by_id", "starts_at"],
        sqlite_where=for_others,
        postgresql_where=for_others,
    )
