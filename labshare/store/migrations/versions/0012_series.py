"""Bookings that repeat: the rule they were made by, and which bookings belong to it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from labshare.store.types import UTCDateTime, UTCMinute

revision = "0012"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "series",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("instrument_number", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("rrule", sa.Text(), nullable=False),
        sa.Column("starts_at", UTCMinute(), nullable=False),
        sa.Column("ends_at", UTCMinute(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["instrument_number"], ["instruments.number"], name=op.f("fk_series_instrument_number_instruments")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_series_person_id_persons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
    )
    op.create_index(op.f("ix_series_person_id"), "series", ["person_id"], unique=False)
    if op.get_bind().dialect.name == "sqlite":
        # SQLite adds a column with its reference in place; a batch would copy every booking, and drop the guard.
        op.execute("ALTER TABLE bookings ADD COLUMN series_id CHAR(32) REFERENCES series (id)")
    else:
        reference = sa.ForeignKey("series.id", name=op.f("fk_bookings_series_id_series"))
        op.add_column("bookings", sa.Column("series_id", sa.Uuid(), reference, nullable=True))
    op.create_index(op.f("ix_bookings_series_id"), "bookings", ["series_id"], unique=False)
