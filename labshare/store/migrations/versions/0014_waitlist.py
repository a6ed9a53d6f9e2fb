"""Who waits for time, which holds were offers to them, and time that came free until it has been offered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from labshare.store.types import UTCDateTime, UTCMinute

revision = "0014"
down_revision = "0013"

OPEN = sa.text("state IN ('waiting', 'offered')")


def upgrade() -> None:
    _entries()
    op.create_table(
        "waiting_offers",
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["booking_id"], ["bookings.id"], name=op.f("fk_waiting_offers_booking_id_bookings")),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["waiting_entries.id"], name=op.f("fk_waiting_offers_entry_id_waiting_entries")
        ),
        sa.PrimaryKeyConstraint("booking_id", name=op.f("pk_waiting_offers")),
    )
    op.create_index(op.f("ix_waiting_offers_entry_id"), "waiting_offers", ["entry_id"])
    op.create_table(
        "freed_times",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("instrument_number", sa.Integer(), nullable=False),
        sa.Column("starts_at", UTCMinute(), nullable=False),
        sa.Column("ends_at", UTCMinute(), nullable=False),
        sa.ForeignKeyConstraint(
            ["instrument_number"], ["instruments.number"], name=op.f("fk_freed_times_instrument_number_instruments")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_freed_times")),
    )


def _entries() -> None:
    name = "waiting_entries"
    op.create_table(
        name,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("instrument_number", sa.Integer(), nullable=True),
        sa.Column("capability_id", sa.Text(), nullable=True),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("from_date", sa.Date(), nullable=False),
        sa.Column("until_date", sa.Date(), nullable=False),
        sa.Column("since", sa.Integer(), server_default="0", nullable=False),
        sa.Column("until", sa.Integer(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("passed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("booking_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.CheckConstraint("(instrument_number IS NULL) <> (capability_id IS NULL)", name=op.f(f"ck_{name}_one_place")),
        sa.CheckConstraint("state IN ('waiting', 'offered', 'taken', 'left')", name=op.f(f"ck_{name}_state")),
        *(
            sa.ForeignKeyConstraint([column], [f"{table}.{key}"], name=op.f(f"fk_{name}_{column}_{table}"))
            for column, table, key in (
                ("person_id", "persons", "id"),
                ("project_id", "projects", "id"),
                ("instrument_number", "instruments", "number"),
                ("capability_id", "capabilities", "id"),
                ("booking_id", "bookings", "id"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )
    for column in ("person_id", "booking_id"):
        op.create_index(op.f(f"ix_{name}_{column}"), name, [column])
    for column in ("instrument_number", "capability_id"):
        op.create_index(f"ix_{name}_open_{column}", name, [column], sqlite_where=OPEN, postgresql_where=OPEN)
