"""Instruments that take several uses at a time, the unit of each booking, and bookings that change hands."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from labshare.store.types import UTCDateTime

revision = "0019"
down_revision = "0018"

# Both databases add a column with its check in place; a batch would copy every booking, and drop the guard.
COLUMNS = (
    ("instruments", "capacity", "1", "capacity BETWEEN 1 AND 256"),
    ("bookings", "unit", "0", "unit >= 0"),
)
OPEN = sa.text("state = 'open'")


def upgrade() -> None:
    for table, column, default, check in COLUMNS:
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN {column} INTEGER DEFAULT '{default}' NOT NULL"
            f" CONSTRAINT ck_{table}_{column} CHECK ({check})"
        )
    _exchanges()


def _exchanges() -> None:
    name = "exchanges"
    op.create_table(
        name,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("giver_id", sa.Uuid(), nullable=False),
        sa.Column("receiver_id", sa.Uuid(), nullable=False),
        sa.Column("other_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("answer_by", UTCDateTime(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.CheckConstraint("giver_id <> receiver_id", name=op.f(f"ck_{name}_two_people")),
        sa.CheckConstraint("state IN ('open', 'accepted', 'declined', 'withdrawn')", name=op.f(f"ck_{name}_state")),
        *(
            sa.ForeignKeyConstraint([column], [f"{table}.id"], name=op.f(f"fk_{name}_{column}_{table}"))
            for column, table in (
                ("booking_id", "bookings"),
                ("giver_id", "persons"),
                ("receiver_id", "persons"),
                ("other_id", "bookings"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )
    for column in ("giver_id", "receiver_id"):
        op.create_index(op.f(f"ix_{name}_{column}"), name, [column])
    op.create_index("uq_exchanges_open", name, ["booking_id"], unique=True, sqlite_where=OPEN, postgresql_where=OPEN)
