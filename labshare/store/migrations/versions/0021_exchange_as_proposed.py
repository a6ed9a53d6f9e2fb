"""What a swap asks for as it was proposed, and how often what left a series had changed."""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"

# Both databases add a column in place; a swap that is open by now is over, and may be proposed again.
COLUMNS = (("exchanges", "other_version"), ("series", "left_version"))


def upgrade() -> None:
    for table, column in COLUMNS:
        op.execute(f"ALTER TABLE {table} ADD COLUMN {column} INTEGER DEFAULT '0' NOT NULL")
