"""What an access class still has ahead at each instrument, for the limits of a centre's own rules."""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.create_index("ix_bookings_class_instrument_ends", "bookings", ["access_class", "instrument_number", "ends_at"])
