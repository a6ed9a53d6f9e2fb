"""Instruments that take several uses at a time, and the unit that each booking has of them."""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0015"

# Both databases add a column with its check in place; a batch would copy every booking, and drop the guard.
COLUMNS = (
    ("instruments", "capacity", "1", "capacity BETWEEN 1 AND 256"),
    ("bookings", "unit", "0", "unit >= 0"),
)


def upgrade() -> None:
    for table, column, default, check in COLUMNS:
        op.execute(
            f"ALTER TABLE {table} ADD COLUMN {column} INTEGER DEFAULT '{default}' NOT NULL"
            f" CONSTRAINT ck_{table}_{column} CHECK ({check})"
        )
